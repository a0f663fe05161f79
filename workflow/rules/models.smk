# Base models: tiny ones are built here, others located.


rule pretrain_model:
    message:
        "Building and pre-training the tiny model {wildcards.built}"
    input:
        entries=entries_for_corpus,
        codes=codes_for_corpus,
    output:
        directory("<results>/models/tiny/{built}"),
    log:
        "<logs>/pretrain_model/{built}.log",
    benchmark:
        "<benchmarks>/pretrain_model/{built}.tsv"
    params:
        settings=lambda wildcards: study.tiny_settings(wildcards.built),
    resources:
        mem_mb=2000,
        runtime=30,
    conda:
        "../envs/onkocode.yaml"
    shell:
        "onkocode pretrain-model --entries {input.entries} --codes {input.codes} --settings {params.settings:q} "
        "--output {output} > {log} 2>&1"


rule prepare_model:
    message:
        "Locating the base model of {wildcards.model}"
    input:
        built=built_model,
    output:
        "<results>/models/{model}/model.json",
    log:
        "<logs>/prepare_model/{model}.log",
    benchmark:
        "<benchmarks>/prepare_model/{model}.tsv"
    params:
        settings=lambda wildcards: study.base_settings(wildcards.model),
        built=lambda wildcards, input: f"--built {input.built}" if input.built else "",
    retries: 2
    localrule: True
    conda:
        "../envs/onkocode.yaml"
    shell:
        "onkocode prepare-model --model {wildcards.model} --settings {params.settings:q} {params.built} "
        "--output {output} > {log} 2>&1"
