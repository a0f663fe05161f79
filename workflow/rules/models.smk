# Base models: tiny ones are built here, others located; and adapters of others.


rule pretrain_model:
    input:
        entries=entries_for_corpus,
        codes=codes_for_corpus,
    output:
        directory("<results>/models/tiny/{built}"),
    log:
        "<logs>/pretrain_model/{built}.log",
    benchmark:
        "<benchmarks>/pretrain_model/{built}.tsv"
    conda:
        "../envs/onkocode.yaml"
    resources:
        mem_mb=2000,
        runtime=30,
    params:
        settings=lambda wildcards: study.tiny_settings(wildcards.built),
        formulations=lambda wildcards: study.tiny_formulations(wildcards.built),
    message:
        "Building and pre-training the tiny model {wildcards.built}"
    shell:
        "onkocode pretrain-model --entries {input.entries} --codes {input.codes} --settings {params.settings:q} "
        "--formulations {params.formulations} --output {output} > {log} 2>&1"


rule prepare_model:
    input:
        built=built_model,
    output:
        "<results>/models/{model}/base.json",
    log:
        "<logs>/prepare_model/{model}.log",
    benchmark:
        "<benchmarks>/prepare_model/{model}.tsv"
    retries: 2
    localrule: True
    conda:
        "../envs/onkocode.yaml"
    params:
        settings=lambda wildcards: study.base_settings(wildcards.model),
        built=lambda wildcards, input: f"--built {input.built}" if input.built else "",
    message:
        "Locating the base model of {wildcards.model}"
    shell:
        "onkocode prepare-model --settings {params.settings:q} {params.built} "
        "--output {output} > {log} 2>&1"


rule fetch_adapter:
    input:
        base="<results>/models/{model}/base.json",
        adapter=local_adapter,
    output:
        directory("<results>/models/{model}/adapter"),
    log:
        "<logs>/fetch_adapter/{model}.log",
    benchmark:
        "<benchmarks>/fetch_adapter/{model}.tsv"
    retries: 2
    localrule: True
    conda:
        "../envs/onkocode.yaml"
    resources:
        mem_mb=4000,
        runtime=60,
    params:
        settings=lambda wildcards: study.adapter_settings(wildcards.model),
    message:
        "Fetching the published adapter {wildcards.model}"
    shell:
        "onkocode fetch-adapter --settings {params.settings:q} --base {input.base} --output {output} > {log} 2>&1"


rule describe_model:
    input:
        base_of_model,
    output:
        "<results>/models/{model}/model.json",
    log:
        "<logs>/describe_model/{model}.log",
    benchmark:
        "<benchmarks>/describe_model/{model}.tsv"
    localrule: True
    conda:
        "../envs/onkocode.yaml"
    params:
        settings=lambda wildcards: study.description(wildcards.model),
        recipe=lambda wildcards: (
            f"--replicate-of {study.recipes[wildcards.model].replicate_of}"
            if study.recipes[wildcards.model].replicate_of
            else ""
        ),
    message:
        "Describing {wildcards.model}"
    shell:
        "onkocode describe-model --model {wildcards.model} --settings {params.settings:q} --base {input} "
        "{params.recipe} --output {output} > {log} 2>&1"
