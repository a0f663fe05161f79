# Checkpoints answer, answers are judged and measured.


localrules:
    collect_metrics,


rule evaluate_checkpoint:
    input:
        base=base_of_model,
        built=built_model,
        adapter=adapter_of_checkpoint,
        coder=coder_of_model,
        questions=questions_of_model,
        texts=questions_of_texts,
    output:
        predictions("free"),
    log:
        "<logs>/evaluate_checkpoint/{model}/epoch-{epoch}.log",
    benchmark:
        "<benchmarks>/evaluate_checkpoint/{model}/epoch-{epoch}.tsv"
    threads: threads_of_model
    resources:
        **requested("testing", endings_of_asking),
    params:
        # Compared by Snakemake; the settings themselves, with what changes no result, are not.
        key=lambda wildcards: slices.testing_key(study, wildcards.model),
        settings=lambda wildcards, input: slices.testing(study, wildcards.model),
        condition=lambda wildcards, input: "free",
        made_of=lambda wildcards, input: [
            *optional("--base", input.base),
            *optional("--adapter", input.adapter),
            *optional("--coder", input.coder),
        ],
        questions=lambda wildcards, input: named(
            study.datasets(), [input.questions, *input.texts]
        ),
        output=lambda wildcards, output: named(study.datasets(), output),
        answers=lambda wildcards, output: answers_of(output),
        scratch=expanded("<private>/scratch/{model}/epoch-{epoch}/free"),
    message:
        "Asking {wildcards.model:q}, epoch {wildcards.epoch:q}"
    shell:
        "onkocode evaluate-checkpoint --model {wildcards.model:q} --epoch {wildcards.epoch:q} --condition {params.condition:q} "
        "{params.made_of:q} --questions {params.questions:q} --settings {params.settings:q} "
        "--scratch {params.scratch:q} --answers {params.answers:q} --output {params.output:q} > {log:q} 2>&1"


use rule evaluate_checkpoint as evaluate_thinking with:
    input:
        base=base_of_model,
        built=built_model,
        texts=questions_of_texts,
    output:
        [
            f"<private>/predictions/{{model}}/epoch-{{epoch}}/thinking/{dataset}.parquet"
            for dataset in study.datasets("thinking") or ["none"]
        ],
    log:
        "<logs>/evaluate_thinking/{model}/epoch-{epoch}.log",
    benchmark:
        "<benchmarks>/evaluate_thinking/{model}/epoch-{epoch}.tsv"
    resources:
        **requested("testing", endings_of_thinking),
    params:
        key=lambda wildcards: slices.thinking(study, wildcards.model),
        settings=lambda wildcards, input: slices.thinking(study, wildcards.model),
        condition=lambda wildcards, input: "thinking",
        made_of=lambda wildcards, input: optional("--base", input.base),
        questions=lambda wildcards, input: named(study.test_sets, input.texts),
        output=lambda wildcards, output: named(study.test_sets, output),
        answers=lambda wildcards, output: answers_of(output),
        scratch=expanded("<private>/scratch/{model}/epoch-{epoch}/thinking"),
    message:
        "Asking {wildcards.model:q} in thinking mode"


rule score_checkpoint:
    input:
        predictions=predictions("free"),
        questions=questions_asked("free"),
        icd10gm=codes_asked("icd10gm", "free"),
        icdo3=codes_asked("icdo3", "free"),
        ops=codes_asked("ops", "free"),
        baseline=judged_baseline("free"),
        tracking=ancient("<results>/options/tracking.json"),
    output:
        judged=judged_answers("free"),
        metrics="<results>/evaluation/{model}/epoch-{epoch}/free/metrics.parquet",
        summary=report(
            "<results>/evaluation/{model}/epoch-{epoch}/summary.html",
            category="Checkpoints",
            subcategory="{model}",
            caption="../report/summary.rst",
            labels={"model": "{model}", "epoch": "{epoch}"},
        ),
        numbers="<results>/evaluation/{model}/epoch-{epoch}/summary.tsv",
    log:
        "<logs>/score_checkpoint/{model}/epoch-{epoch}.log",
    benchmark:
        "<benchmarks>/score_checkpoint/{model}/epoch-{epoch}.tsv"
    resources:
        mem_mb=4000,
        runtime=60,
    params:
        predictions=lambda wildcards, input: named(data_sets(input), input.predictions),
        questions=lambda wildcards, input: named(data_sets(input), input.questions),
        icd10gm=lambda wildcards, input: named(data_sets(input), input.icd10gm),
        icdo3=lambda wildcards, input: named(data_sets(input), input.icdo3),
        ops=lambda wildcards, input: named(data_sets(input), input.ops),
        judged=lambda wildcards, input, output: named(data_sets(input), output.judged),
        bootstrap=study.config.evaluation.bootstrap,
        summary=lambda wildcards, output: optional("--summary", output.get("summary")),
    message:
        "Scoring {wildcards.model:q}, epoch {wildcards.epoch:q}"
    shell:
        "onkocode score-answers --predictions {params.predictions:q} --questions {params.questions:q} "
        "--icd10gm {params.icd10gm:q} --icdo3 {params.icdo3:q} --ops {params.ops:q} --baseline {input.baseline:q} "
        "--bootstrap {params.bootstrap:q} --tracking @{input.tracking:q} --judged {params.judged:q} {params.summary:q} "
        "--output {output.metrics:q} > {log:q} 2>&1"


use rule score_checkpoint as score_thinking with:
    input:
        predictions=predictions("thinking"),
        questions=questions_asked("thinking"),
        icd10gm=codes_asked("icd10gm", "thinking"),
        icdo3=codes_asked("icdo3", "thinking"),
        ops=codes_asked("ops", "thinking"),
        baseline=judged_baseline("thinking"),
        tracking=ancient("<results>/options/tracking.json"),
    output:
        judged=judged_answers("thinking"),
        metrics="<results>/evaluation/{model}/epoch-{epoch}/thinking/metrics.parquet",
    log:
        "<logs>/score_thinking/{model}/epoch-{epoch}.log",
    benchmark:
        "<benchmarks>/score_thinking/{model}/epoch-{epoch}.tsv"
    message:
        "Scoring {wildcards.model:q} in thinking mode"


rule collect_metrics:
    input:
        metrics_of_checkpoints,
    output:
        metrics="<results>/metrics.parquet",
        selection="<results>/selected_checkpoints.tsv",
    log:
        "<logs>/collect_metrics.log",
    benchmark:
        "<benchmarks>/collect_metrics.tsv"
    params:
        texts=study.test_sets,
        floor=study.config.evaluation.valid_floor,
    message:
        "Collecting the metrics of all checkpoints"
    shell:
        "onkocode collect-metrics --metrics {input:q} --texts {params.texts:q} --valid-floor {params.floor:q} "
        "--output {output.metrics:q} --selection {output.selection:q} > {log:q} 2>&1"


rule evaluation:
    input:
        rules.collect_metrics.output,
    message:
        "All checkpoints are evaluated"
