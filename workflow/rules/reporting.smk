# Figures and tables, drawn from files in the results alone.


rule draw_figure:
    input:
        unpack(files_of_item),
    output:
        main=report(
            "<results>/figures/{figure}.svg",
            category="Figures",
            caption="../report/item.rst",
            labels=labels_of_item,
        ),
        png="<results>/figures/{figure}.png",
        numbers="<results>/figures/{figure}.tsv",
    log:
        "<logs>/draw_figure/{figure}.log",
    benchmark:
        "<benchmarks>/draw_figure/{figure}.tsv"
    localrule: True
    conda:
        "../envs/onkocode.yaml"
    params:
        files=lambda wildcards, input: options(input),
        settings=lambda wildcards: slices.item(study, wildcards.figure),
        caption=caption_of_item,
    message:
        "Drawing {wildcards.figure:q}"
    shell:
        "onkocode draw --item {wildcards.figure:q} {params.files:q} --settings {params.settings:q} "
        "--output {output.main:q} > {log:q} 2>&1"


rule write_table:
    input:
        unpack(files_of_item),
    output:
        main=report(
            "<results>/tables/{table}.html",
            category="Tables",
            caption="../report/item.rst",
            labels=labels_of_item,
        ),
        numbers="<results>/tables/{table}.tsv",
    log:
        "<logs>/write_table/{table}.log",
    benchmark:
        "<benchmarks>/write_table/{table}.tsv"
    localrule: True
    conda:
        "../envs/onkocode.yaml"
    params:
        files=lambda wildcards, input: options(input),
        settings=lambda wildcards: slices.item(study, wildcards.table),
        caption=caption_of_item,
    message:
        "Writing the table {wildcards.table:q}"
    shell:
        "onkocode draw --item {wildcards.table:q} {params.files:q} --settings {params.settings:q} "
        "--output {output.main:q} > {log:q} 2>&1"


rule write_config:
    output:
        "<results>/config.yaml",
    log:
        "<logs>/write_config.log",
    benchmark:
        "<benchmarks>/write_config.tsv"
    localrule: True
    conda:
        "../envs/onkocode.yaml"
    params:
        merged=slices.merged(study),
    message:
        "Saving the merged configuration with the results"
    shell:
        "onkocode write-config --settings {params.merged:q} --output {output:q} > {log:q} 2>&1"


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
    localrule: True
    message:
        "{wildcards.model:q} is trained, evaluated and summarised"
