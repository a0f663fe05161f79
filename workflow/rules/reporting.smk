# Figures and tables, drawn from files in the results alone.


rule plot_loss_curves:
    input:
        training=training_logs,
        attempts=attempt_logs,
        models=model_records,
    output:
        main=report(
            "<results>/figures/loss_curves.svg",
            category="Figures",
            caption="../report/loss_curves.rst",
            labels={"figure": "1 Loss curves"},
        ),
        png="<results>/figures/loss_curves.png",
        numbers="<results>/figures/loss_curves.tsv",
    log:
        "<logs>/plot_loss_curves.log",
    benchmark:
        "<benchmarks>/plot_loss_curves.tsv"
    localrule: True
    conda:
        "../envs/onkocode.yaml"
    message:
        "Drawing the loss curves (Figure 1)"
    shell:
        "onkocode plot-loss-curves --training {input.training:q} --attempts {input.attempts:q} --models {input.models:q} "
        "--output {output.main:q} > {log:q} 2>&1"


rule plot_accuracy_by_epoch:
    input:
        metrics="<results>/metrics.parquet",
        models=model_records,
    output:
        main=report(
            "<results>/figures/accuracy_by_epoch.svg",
            category="Figures",
            caption="../report/accuracy_by_epoch.rst",
            labels={"figure": "2 Accuracy by epoch"},
        ),
        png="<results>/figures/accuracy_by_epoch.png",
        numbers="<results>/figures/accuracy_by_epoch.tsv",
    log:
        "<logs>/plot_accuracy_by_epoch.log",
    benchmark:
        "<benchmarks>/plot_accuracy_by_epoch.tsv"
    localrule: True
    conda:
        "../envs/onkocode.yaml"
    params:
        texts=study.test_sets,
        floor=study.config.evaluation.valid_floor,
    message:
        "Drawing accuracy by epoch (Figure 2)"
    shell:
        "onkocode plot-accuracy-by-epoch --metrics {input.metrics:q} --models {input.models:q} --texts {params.texts:q} "
        "--valid-floor {params.floor:q} --output {output.main:q} > {log:q} 2>&1"


rule plot_heldout_by_epoch:
    input:
        metrics="<results>/metrics.parquet",
        models=model_records,
    output:
        main=report(
            "<results>/figures/heldout_by_epoch.svg",
            category="Figures",
            caption="../report/heldout_by_epoch.rst",
            labels={"figure": "2b Held-out formulations and labels"},
        ),
        png="<results>/figures/heldout_by_epoch.png",
        numbers="<results>/figures/heldout_by_epoch.tsv",
    log:
        "<logs>/plot_heldout_by_epoch.log",
    benchmark:
        "<benchmarks>/plot_heldout_by_epoch.tsv"
    localrule: True
    conda:
        "../envs/onkocode.yaml"
    message:
        "Drawing accuracy on held-out formulations and labels"
    shell:
        "onkocode plot-heldout-by-epoch --metrics {input.metrics:q} --models {input.models:q} --output {output.main:q} > {log:q} 2>&1"


rule plot_size_accuracy:
    input:
        metrics="<results>/metrics.parquet",
        models=model_records,
    output:
        main=report(
            "<results>/figures/size_accuracy.svg",
            category="Figures",
            caption="../report/size_accuracy.rst",
            labels={"figure": "3 Accuracy against size"},
        ),
        png="<results>/figures/size_accuracy.png",
        numbers="<results>/figures/size_accuracy.tsv",
    log:
        "<logs>/plot_size_accuracy.log",
    benchmark:
        "<benchmarks>/plot_size_accuracy.tsv"
    localrule: True
    conda:
        "../envs/onkocode.yaml"
    params:
        texts=study.test_sets,
        ceilings=["--ceilings"] if study.config.evaluation.paper_ceilings else [],
    message:
        "Drawing accuracy against size (Figure 3)"
    shell:
        "onkocode plot-size-accuracy --metrics {input.metrics:q} --models {input.models:q} --texts {params.texts:q} "
        "{params.ceilings:q} --output {output.main:q} > {log:q} 2>&1"


rule plot_thinking_mode:
    input:
        metrics="<results>/metrics.parquet",
        models=model_records,
    output:
        main=report(
            "<results>/figures/thinking_mode.svg",
            category="Figures",
            caption="../report/thinking_mode.rst",
            labels={"figure": "4 Thinking mode"},
        ),
        png="<results>/figures/thinking_mode.png",
        numbers="<results>/figures/thinking_mode.tsv",
    log:
        "<logs>/plot_thinking_mode.log",
    benchmark:
        "<benchmarks>/plot_thinking_mode.tsv"
    localrule: True
    conda:
        "../envs/onkocode.yaml"
    params:
        texts=study.test_sets,
        floor=study.config.evaluation.valid_floor,
    message:
        "Drawing the thinking-mode comparison (Figure 4)"
    shell:
        "onkocode plot-thinking-mode --metrics {input.metrics:q} --models {input.models:q} --texts {params.texts:q} "
        "--valid-floor {params.floor:q} --output {output.main:q} > {log:q} 2>&1"


rule tabulate_questions:
    input:
        "<results>/questions/{data}.parquet",
    output:
        main=report(
            "<results>/tables/questions-{data}.html",
            category="Tables",
            caption="../report/questions.rst",
            labels={"table": "1 Questions", "data": "{data}"},
        ),
        numbers="<results>/tables/questions-{data}.tsv",
    log:
        "<logs>/tabulate_questions/{data}.log",
    benchmark:
        "<benchmarks>/tabulate_questions/{data}.tsv"
    localrule: True
    conda:
        "../envs/onkocode.yaml"
    message:
        "Counting the questions of {wildcards.data:q} (Table 1)"
    shell:
        "onkocode tabulate-questions --questions {input:q} --output {output.main:q} > {log:q} 2>&1"


rule tabulate_models:
    input:
        models=model_records,
        training=training_logs,
    output:
        main=report(
            "<results>/tables/models.html",
            category="Tables",
            caption="../report/models.rst",
            labels={"table": "3 Models", "data": "all"},
        ),
        numbers="<results>/tables/models.tsv",
    log:
        "<logs>/tabulate_models.log",
    benchmark:
        "<benchmarks>/tabulate_models.tsv"
    localrule: True
    conda:
        "../envs/onkocode.yaml"
    message:
        "Describing the models (Table 3)"
    shell:
        "onkocode tabulate-models --models {input.models:q} --training {input.training:q} --output {output.main:q} > {log:q} 2>&1"


rule tabulate_performance:
    input:
        metrics="<results>/metrics.parquet",
        models=model_records,
    output:
        main=report(
            "<results>/tables/performance.html",
            category="Tables",
            caption="../report/performance.rst",
            labels={"table": "4 Performance", "data": "all"},
        ),
        numbers="<results>/tables/performance.tsv",
    log:
        "<logs>/tabulate_performance.log",
    benchmark:
        "<benchmarks>/tabulate_performance.tsv"
    localrule: True
    conda:
        "../envs/onkocode.yaml"
    params:
        texts=study.test_sets,
        floor=study.config.evaluation.valid_floor,
    message:
        "Comparing base and trained models (Table 4)"
    shell:
        "onkocode tabulate-performance --metrics {input.metrics:q} --models {input.models:q} --texts {params.texts:q} "
        "--valid-floor {params.floor:q} --output {output.main:q} > {log:q} 2>&1"


rule tabulate_replicates:
    input:
        metrics="<results>/metrics.parquet",
        models=model_records,
    output:
        main=report(
            "<results>/tables/replicates.html",
            category="Tables",
            caption="../report/replicates.rst",
            labels={"table": "Replicates", "data": "all"},
        ),
        numbers="<results>/tables/replicates.tsv",
    log:
        "<logs>/tabulate_replicates.log",
    benchmark:
        "<benchmarks>/tabulate_replicates.tsv"
    localrule: True
    conda:
        "../envs/onkocode.yaml"
    params:
        texts=study.test_sets,
    message:
        "Comparing the seeds of each recipe"
    shell:
        "onkocode tabulate-replicates --metrics {input.metrics:q} --models {input.models:q} --texts {params.texts:q} "
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
        branch(bool(study.trained_models), then="<results>/figures/loss_curves.svg"),
        "<results>/figures/accuracy_by_epoch.svg",
        "<results>/figures/heldout_by_epoch.svg",
        "<results>/figures/size_accuracy.svg",
        branch(bool(study.thinking_models), then="<results>/figures/thinking_mode.svg"),
    message:
        "All figures are drawn"


rule tables:
    input:
        [f"<results>/tables/questions-{data}.html" for data in study.data_keys],
        "<results>/tables/models.html",
        "<results>/tables/performance.html",
        ["<results>/tables/replicates.html"] if study.has_replicates else [],
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
