# Checkpoints answer, answers are judged, judgements become metrics.


rule evaluate_checkpoint:
    input:
        base=base_of_model,
        built=built_model,
        adapter=adapter_of_checkpoint,
        questions=questions_of_model,
        texts=[
            f"<private>/texts/{testset}/questions.parquet"
            for testset in study.test_sets
        ],
    output:
        [
            f"<private>/predictions/{{model}}/epoch-{{epoch}}/free/{dataset}.parquet"
            for dataset in study.datasets()
        ],
    log:
        "<logs>/evaluate_checkpoint/{model}/epoch-{epoch}.log",
    benchmark:
        "<benchmarks>/evaluate_checkpoint/{model}/epoch-{epoch}.tsv"
    conda:
        "../envs/onkocode.yaml"
    threads: lambda wildcards: study.recipes[wildcards.model].config.resources.threads
    resources:
        gpu=lambda wildcards: requests.gpus(study, wildcards.model, "testing"),
        gpu_model=lambda wildcards: requests.gpu_model(study, wildcards.model),
        mem_mb=lambda wildcards: requests.memory_mb(
            study, wildcards.model, endings_of_asking(wildcards)
        ),
        runtime=lambda wildcards: requests.minutes(
            study, wildcards.model, "testing", endings_of_asking(wildcards)
        ),
    params:
        settings=lambda wildcards: slices.testing(study, wildcards.model),
        adapter=lambda wildcards, input: optional("--adapter", input.adapter),
        questions=lambda wildcards, input: named(
            study.datasets(), [input.questions, *input.texts]
        ),
        output=lambda wildcards, output: named(study.datasets(), output),
        answers=lambda wildcards, output: answers_of(output),
        scratch=expanded("<private>/scratch/{model}/epoch-{epoch}/free"),
    message:
        "Asking {wildcards.model:q}, epoch {wildcards.epoch:q}"
    shell:
        "onkocode evaluate-checkpoint --model {wildcards.model:q} --epoch {wildcards.epoch:q} --condition free "
        "--base {input.base:q} {params.adapter:q} --questions {params.questions:q} --settings {params.settings:q} "
        "--scratch {params.scratch:q} --answers {params.answers:q} --output {params.output:q} > {log:q} 2>&1"


rule evaluate_thinking:
    input:
        base=base_of_model,
        built=built_model,
        texts=[
            f"<private>/texts/{testset}/questions.parquet"
            for testset in study.test_sets
        ],
    output:
        [
            f"<private>/predictions/{{model}}/epoch-0/thinking/{dataset}.parquet"
            for dataset in study.datasets("thinking") or ["none"]
        ],
    log:
        "<logs>/evaluate_thinking/{model}.log",
    benchmark:
        "<benchmarks>/evaluate_thinking/{model}.tsv"
    conda:
        "../envs/onkocode.yaml"
    threads: lambda wildcards: study.recipes[wildcards.model].config.resources.threads
    resources:
        gpu=lambda wildcards: requests.gpus(study, wildcards.model, "testing"),
        gpu_model=lambda wildcards: requests.gpu_model(study, wildcards.model),
        mem_mb=lambda wildcards: requests.memory_mb(
            study, wildcards.model, endings_of_thinking(wildcards)
        ),
        runtime=lambda wildcards: requests.minutes(
            study, wildcards.model, "testing", endings_of_thinking(wildcards)
        ),
    params:
        settings=lambda wildcards: slices.thinking(study, wildcards.model),
        questions=lambda wildcards, input: named(study.test_sets, input.texts),
        output=lambda wildcards, output: named(study.test_sets, output),
        answers=lambda wildcards, output: answers_of(output),
        scratch=expanded("<private>/scratch/{model}/epoch-0/thinking"),
    message:
        "Asking {wildcards.model:q} in thinking mode"
    shell:
        "onkocode evaluate-checkpoint --model {wildcards.model:q} --epoch 0 --condition thinking --base {input.base:q} "
        "--questions {params.questions:q} --settings {params.settings:q} --scratch {params.scratch:q} "
        "--answers {params.answers:q} --output {params.output:q} > {log:q} 2>&1"


rule judge_answers:
    input:
        predictions="<private>/predictions/{model}/epoch-{epoch}/{condition}/{dataset}.parquet",
        questions=questions_of_dataset,
        icd10gm=codes_of_dataset("icd10gm"),
        icdo3=codes_of_dataset("icdo3"),
    output:
        "<results>/evaluation/{model}/epoch-{epoch}/{condition}/{dataset}.parquet",
    log:
        "<logs>/judge_answers/{model}/epoch-{epoch}/{condition}/{dataset}.log",
    benchmark:
        "<benchmarks>/judge_answers/{model}/epoch-{epoch}/{condition}/{dataset}.tsv"
    localrule: True
    conda:
        "../envs/onkocode.yaml"
    resources:
        mem_mb=2000,
        runtime=20,
    message:
        "Judging {wildcards.model:q}, epoch {wildcards.epoch:q}, {wildcards.condition:q}, on {wildcards.dataset:q}"
    shell:
        "onkocode judge-answers --predictions {input.predictions:q} --questions {input.questions:q} "
        "--icd10gm {input.icd10gm:q} --icdo3 {input.icdo3:q} --output {output:q} > {log:q} 2>&1"


rule measure_answers:
    input:
        judged=judged_answers,
        baseline=judged_baseline,
        tracking=ancient("<results>/options/tracking.json"),
    output:
        "<results>/evaluation/{model}/epoch-{epoch}/{condition}/metrics.parquet",
    log:
        "<logs>/measure_answers/{model}/epoch-{epoch}/{condition}.log",
    benchmark:
        "<benchmarks>/measure_answers/{model}/epoch-{epoch}/{condition}.tsv"
    localrule: True
    conda:
        "../envs/onkocode.yaml"
    resources:
        mem_mb=4000,
        runtime=30,
    params:
        bootstrap=study.config.evaluation.bootstrap,
    message:
        "Measuring {wildcards.model:q}, epoch {wildcards.epoch:q}, {wildcards.condition:q}"
    shell:
        "onkocode measure-answers --judged {input.judged:q} --baseline {input.baseline:q} --bootstrap {params.bootstrap:q} "
        "--tracking @{input.tracking:q} --output {output:q} > {log:q} 2>&1"


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
    localrule: True
    conda:
        "../envs/onkocode.yaml"
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
