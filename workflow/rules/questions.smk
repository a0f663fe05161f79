# Entries → questions.


localrules:
    build_text_questions,


rule build_questions:
    input:
        alphaid=entries_of_data("alphaid"),
        icdo3=entries_of_data("icdo3"),
        ops=entries_of_data("ops"),
        icd10gm=codes_of_data("icd10gm"),
        topographies=codes_of_data("icdo3"),
        crosswalk=crosswalk_of_data,
    output:
        "<results>/questions/{data}.parquet",
    log:
        "<logs>/build_questions/{data}.log",
    benchmark:
        "<benchmarks>/build_questions/{data}.tsv"
    resources:
        mem_mb=2000,
        runtime=30,
    params:
        settings=lambda wildcards: slices.data(study, wildcards.data),
        crosswalk=crosswalk_of_questions,
    message:
        "Building the questions of {wildcards.data:q}"
    shell:
        "onkocode build-questions --alphaid {input.alphaid:q} --icdo3 {input.icdo3:q} --ops {input.ops:q} "
        "--icd10gm {input.icd10gm:q} {params.crosswalk:q} --settings {params.settings:q} "
        "--output {output:q} >> {log:q} 2>&1"


rule build_text_questions:
    input:
        "<private>/texts/{testset}/entries.parquet",
    output:
        "<private>/texts/{testset}/questions.parquet",
    log:
        "<logs>/build_text_questions/{testset}.log",
    benchmark:
        "<benchmarks>/build_text_questions/{testset}.tsv"
    params:
        formulations=lambda wildcards: slices.formulations(study, wildcards.testset),
    message:
        "Building the questions on the test set {wildcards.testset:q}"
    shell:
        "onkocode build-text-questions --texts {input:q} --formulations {params.formulations:q} --output {output:q} >> {log:q} 2>&1"


rule check_leakage:
    input:
        questions="<results>/questions/{data}.parquet",
        texts=[
            f"<private>/texts/{testset}/entries.parquet" for testset in study.test_sets
        ],
    output:
        "<results>/leakage/{data}.json",
    log:
        "<logs>/check_leakage/{data}.log",
    benchmark:
        "<benchmarks>/check_leakage/{data}.tsv"
    resources:
        mem_mb=4000,
        runtime=120,
    params:
        settings=slices.leakage(study),
        texts=lambda wildcards, input: named(study.test_sets, input.texts),
        # Not an output: a refusal names this table, and Snakemake removes the outputs of a failed job.
        pairs=expanded("<private>/leakage/{data}.parquet"),
    message:
        "Looking for test texts in the training labels of {wildcards.data:q}"
    shell:
        "onkocode check-leakage --questions {input.questions:q} --texts {params.texts:q} "
        "--settings {params.settings:q} --pairs {params.pairs:q} --output {output:q} >> {log:q} 2>&1"


rule export_questions:
    input:
        "<results>/questions/{data}.parquet",
    output:
        directory("<results>/datasets/{data}"),
    log:
        "<logs>/export_questions/{data}.log",
    benchmark:
        "<benchmarks>/export_questions/{data}.tsv"
    resources:
        mem_mb=2000,
        runtime=30,
    message:
        "Writing {wildcards.data:q} as a data set with its card"
    shell:
        "onkocode questions export --questions {input:q} --output {output:q} >> {log:q} 2>&1"


rule questions:
    input:
        [f"<results>/datasets/{data}" for data in study.data_keys],
        [f"<results>/questions/{data}.parquet" for data in study.data_keys],
        questions_of_texts,
        "<results>/inputs.json",
    message:
        "Questions are built and checked"
