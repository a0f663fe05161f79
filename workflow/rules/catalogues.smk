# Catalogue files and users' texts → entries and label spaces.

# Jobs whose output others read as `ancient` are checkpoints: Snakemake passes over missing outputs that hang on a job to
# be run by `ancient` alone (its issue 4166), and looks again after a checkpoint. A dry run does not show what follows.


localrules:
    write_option,
    retrieve_catalogue,
    parse_catalogue,
    parse_crosswalk,
    read_texts,
    check_inputs,


checkpoint write_option:
    # What changes no result stands in files of its own, read as ancient: an edit repeats nothing.
    output:
        "<results>/options/{option}.json",
    log:
        "<logs>/write_option/{option}.log",
    benchmark:
        "<benchmarks>/write_option/{option}.tsv"
    params:
        value=lambda wildcards: slices.option(study, wildcards.option),
    message:
        "Writing the option {wildcards.option:q}"
    shell:
        "onkocode write-option --settings {params.value:q} --output {output:q} >> {log:q} 2>&1"


rule retrieve_catalogue:
    input:
        table=ancient(study.sources_file),
        consent=ancient("<results>/options/consent.json"),
        local=local_catalogue,
    output:
        "<results>/catalogues/{catalogue}-{version}/source",
    log:
        "<logs>/retrieve_catalogue/{catalogue}-{version}.log",
    benchmark:
        "<benchmarks>/retrieve_catalogue/{catalogue}-{version}.tsv"
    retries: 2
    params:
        local=lambda wildcards, input: optional("--file", input.local),
    message:
        "Fetching {wildcards.catalogue:q} {wildcards.version:q}"
    shell:
        "onkocode retrieve-catalogue --dataset {wildcards.catalogue:q} --version {wildcards.version:q} "
        "--sources {input.table:q} {params.local:q} --consent @{input.consent:q} --output {output:q} >> {log:q} 2>&1"


rule parse_catalogue:
    input:
        "<results>/catalogues/{catalogue}-{version}/source",
    output:
        entries="<results>/catalogues/{catalogue}-{version}/entries.parquet",
        codes="<results>/catalogues/{catalogue}-{version}/codes.parquet",
    log:
        "<logs>/parse_catalogue/{catalogue}-{version}.log",
    benchmark:
        "<benchmarks>/parse_catalogue/{catalogue}-{version}.tsv"
    message:
        "Parsing {wildcards.catalogue:q} {wildcards.version:q}"
    shell:
        "onkocode parse-catalogue --dataset {wildcards.catalogue:q} --version {wildcards.version:q} --file {input:q} "
        "--entries {output.entries:q} --codes {output.codes:q} >> {log:q} 2>&1"


rule parse_crosswalk:
    input:
        "<results>/catalogues/crosswalk-{version}/source",
    output:
        "<results>/catalogues/crosswalk-{version}/crosswalk.parquet",
    log:
        "<logs>/parse_crosswalk/{version}.log",
    benchmark:
        "<benchmarks>/parse_crosswalk/{version}.tsv"
    message:
        "Parsing the rules from ICD-O-3 to ICD-10, {wildcards.version:q}"
    shell:
        "onkocode parse-crosswalk --file {input:q} --output {output:q} >> {log:q} 2>&1"


rule read_texts:
    input:
        file=lambda wildcards: study.text_file(wildcards.testset),
        icd10gm=codes_of_texts("icd10gm"),
        icdo3=codes_of_texts("icdo3"),
    output:
        "<private>/texts/{testset}/entries.parquet",
    log:
        "<logs>/read_texts/{testset}.log",
    benchmark:
        "<benchmarks>/read_texts/{testset}.tsv"
    params:
        columns=lambda wildcards: slices.columns(study, wildcards.testset),
    message:
        "Reading the test set {wildcards.testset:q}"
    shell:
        "onkocode read-texts --key {wildcards.testset:q} --file {input.file:q} --settings {params.columns:q} "
        "--icd10gm {input.icd10gm:q} --icdo3 {input.icdo3:q} --output {output:q} >> {log:q} 2>&1"


checkpoint check_inputs:
    input:
        questions=[f"<results>/questions/{data}.parquet" for data in study.data_keys],
        texts=questions_of_texts,
        leakage=[f"<results>/leakage/{data}.json" for data in study.data_keys],
    output:
        "<results>/inputs.json",
    log:
        "<logs>/check_inputs.log",
    benchmark:
        "<benchmarks>/check_inputs.tsv"
    params:
        settings=slices.asked(study),
        questions=lambda wildcards, input: named(study.data_keys, input.questions),
        texts=lambda wildcards, input: named(study.test_sets, input.texts),
    message:
        "Checking all questions and test sets before any training"
    shell:
        "onkocode check-inputs --questions {params.questions:q} --texts {params.texts:q} --settings {params.settings:q} "
        "--output {output:q} >> {log:q} 2>&1"
