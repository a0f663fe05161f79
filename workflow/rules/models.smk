# Base models: tiny ones are built here, others located; and adapters of others.


localrules:
    prepare_model,
    fetch_adapter,
    describe_model,


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
    priority: 1  # like what waits for it, train_epoch
    resources:
        mem_mb=2000,
        runtime=30,
    params:
        settings=lambda wildcards: slices.tiny_model(study, wildcards.built),
        formulations=lambda wildcards: study.tiny_formulations(wildcards.built),
    message:
        "Building and pre-training the tiny model {wildcards.built:q}"
    shell:
        "onkocode pretrain-model --entries {input.entries:q} --codes {input.codes:q} --settings {params.settings:q} "
        "--formulations {params.formulations:q} --output {output:q} >> {log:q} 2>&1"


rule prepare_model:
    input:
        built=built_model,
    output:
        "<results>/models/{model}/base.json",
    log:
        "<logs>/prepare_model/{model}.log",
    benchmark:
        "<benchmarks>/prepare_model/{model}.tsv"
    priority: 1  # like what waits for it, train_epoch
    retries: 2
    params:
        settings=lambda wildcards: slices.base(study, wildcards.model),
        built=lambda wildcards, input: optional("--built", input.built),
    message:
        "Locating the base model of {wildcards.model:q}"
    shell:
        "onkocode prepare-model --settings {params.settings:q} {params.built:q} --output {output:q} >> {log:q} 2>&1"


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
    params:
        settings=lambda wildcards: slices.adapter(study, wildcards.model),
    message:
        "Fetching the published adapter {wildcards.model:q}"
    shell:
        "onkocode fetch-adapter --settings {params.settings:q} --base {input.base:q} --output {output:q} >> {log:q} 2>&1"


rule describe_model:
    input:
        base_of_model,
    output:
        "<results>/models/{model}/model.json",
    log:
        "<logs>/describe_model/{model}.log",
    benchmark:
        "<benchmarks>/describe_model/{model}.tsv"
    params:
        settings=lambda wildcards: slices.description(study, wildcards.model),
        recipe=replicate_of_model,
        base=lambda wildcards, input: optional("--base", list(input)),
    message:
        "Describing {wildcards.model:q}"
    shell:
        "onkocode describe-model --model {wildcards.model:q} --settings {params.settings:q} {params.base:q} "
        "{params.recipe:q} --output {output:q} >> {log:q} 2>&1"
