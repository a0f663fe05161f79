# Coders that are no language models: one job fits each of them.


rule fit_coder:
    input:
        questions=questions_of_model,
        checked=ancient("<results>/inputs.json"),
    output:
        directory("<results>/training/{model}/epoch-1/coder"),
    log:
        "<logs>/fit_coder/{model}.log",
    benchmark:
        "<benchmarks>/fit_coder/{model}.tsv"
    wildcard_constraints:
        model=either(study.fitted_models),
    conda:
        "../envs/onkocode.yaml"
    threads: lambda wildcards: study.recipes[wildcards.model].config.resources.threads
    resources:
        gpu=lambda wildcards: requests.gpus(study, wildcards.model, "training"),
        gpu_model=lambda wildcards: requests.gpu_model(study, wildcards.model),
        mem_mb=lambda wildcards: requests.memory_mb(
            study, wildcards.model, endings_of_fitting(wildcards)
        ),
        runtime=lambda wildcards: requests.minutes(
            study, wildcards.model, "training", endings_of_fitting(wildcards)
        ),
    params:
        settings=lambda wildcards: slices.coder(study, wildcards.model),
        scratch=expanded("<scratch>/training/{model}/epoch-1"),
    message:
        "Fitting the coder {wildcards.model:q}"
    shell:
        "onkocode fit-coder --questions {input.questions:q} --settings {params.settings:q} "
        "--scratch {params.scratch:q} --output {output:q} > {log:q} 2>&1"
