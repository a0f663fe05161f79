# Figures and tables, drawn from files in the results alone.


localrules:
    draw_figure,
    write_table,
    write_config,
    one_model,


rule draw_figure:
    input:
        unpack(files_of_item),
    output:
        main=report(
            "<results>/figures/{item}.svg",
            category="Figures",
            caption="../report/item.rst",
            labels=labels_of_item,
        ),
        png="<results>/figures/{item}.png",
        numbers="<results>/figures/{item}.tsv",
    log:
        "<logs>/draw_figure/{item}.log",
    benchmark:
        "<benchmarks>/draw_figure/{item}.tsv"
    wildcard_constraints:
        item=either(reports.possible(study, "figure")),
    params:
        files=lambda wildcards, input: options(input),
        settings=lambda wildcards: slices.item(study, wildcards.item),
        caption=caption_of_item,
    message:
        "Drawing {wildcards.item:q}"
    shell:
        "onkocode draw --item {wildcards.item:q} {params.files:q} --settings {params.settings:q} "
        "--output {output.main:q} >> {log:q} 2>&1"


use rule draw_figure as write_table with:
    output:
        main=report(
            "<results>/tables/{item}.html",
            category="Tables",
            caption="../report/item.rst",
            labels=labels_of_item,
        ),
        numbers="<results>/tables/{item}.tsv",
    log:
        "<logs>/write_table/{item}.log",
    benchmark:
        "<benchmarks>/write_table/{item}.tsv"
    wildcard_constraints:
        item=either(reports.possible(study, "table")),
    message:
        "Writing the table {wildcards.item:q}"


rule write_config:
    output:
        "<results>/config.yaml",
    log:
        "<logs>/write_config.log",
    benchmark:
        "<benchmarks>/write_config.tsv"
    params:
        merged=slices.merged(study),
    message:
        "Saving the merged configuration with the results"
    shell:
        "onkocode write-config --settings {params.merged:q} --output {output:q} >> {log:q} 2>&1"


rule figures:
    input:
        [f"<results>/figures/{figure}.svg" for figure in reports.names(study, "figure")],
    message:
        "All figures are drawn"


rule tables:
    input:
        [f"<results>/tables/{table}.html" for table in reports.names(study, "table")],
        performance_summaries,
    message:
        "All tables are written"


rule one_model:
    input:
        lambda wildcards: [
            f"<results>/evaluation/{model}/epoch-{epoch}/summary.html"
            for model in study.models_of.get(wildcards.model, [wildcards.model])
            for epoch in study.epochs(model, 0)
        ],
    output:
        touch("<results>/{model}.done"),
    wildcard_constraints:
        model=either([*study.models_of, *study.models]),
    message:
        "{wildcards.model:q} is trained, evaluated and summarised"
