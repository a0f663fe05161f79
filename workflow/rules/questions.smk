# Entries → questions.


rule build_questions:
    input:
        alphaid=entries_of_data("alphaid"),
        icdo3=entries_of_data("icdo3"),
        ops=entries_of_data("ops"),
        icd10gm=codes_of_data("icd10gm"),
    output:
        "<results>/questions/{data}.parquet",
    log:
        "<logs>/build_questions/{data}.log",
    benchmark:
        "<benchmarks>/build_questions/{data}.tsv"
    localrule: True
    conda:
        "../envs/onkocode.yaml"
    params:
        settings=lambda wildcards: study.data_settings(wildcards.data),
    message:
        "Building the questions of {wildcards.data}"
    shell:
        "onkocode build-questions --alphaid {input.alphaid} --icdo3 {input.icdo3} --ops {input.ops} "
        "--icd10gm {input.icd10gm} --settings {params.settings:q} --output {output} > {log} 2>&1"


rule build_text_questions:
    input:
        "<private>/texts/{testset}/entries.parquet",
    output:
        "<private>/texts/{testset}/questions.parquet",
    log:
        "<logs>/build_text_questions/{testset}.log",
    benchmark:
        "<benchmarks>/build_text_questions/{testset}.tsv"
    localrule: True
    conda:
        "../envs/onkocode.yaml"
    params:
        formulations=lambda wildcards: study.config.texts[
            wildcards.testset
        ].formulations,
    message:
        "Building the questions on the test set {wildcards.testset}"
    shell:
        "onkocode build-text-questions --texts {input} --formulations {params.formulations} --output {output} > {log} 2>&1"


rule questions:
    input:
        [f"<results>/questions/{data}.parquet" for data in study.data_keys],
        [f"<private>/texts/{testset}/questions.parquet" for testset in study.test_sets],
        "<results>/inputs.json",
    message:
        "Questions are built and checked"
