# Coders that are no language models: one job fits each of them.


rule fit_coder:
    input:
        questions=questions_of_model,
        codes=codes_of_model,
        tables=tables_of_model,
        checked=ancient("<results>/inputs.json"),
    output:
        directory("<results>/training/{model}/epoch-1/coder"),
    log:
        "<logs>/fit_coder/{model}.log",
    benchmark:
        "<benchmarks>/fit_coder/{model}.tsv"
    wildcard_constraints:
        model=either(study.fitted_models),
    threads: threads_of_model
    resources:
        **requested("training", endings_of_fitting),
    params:
        settings=lambda wildcards: slices.coder(study, wildcards.model),
        scratch=expanded("<scratch>/training/{model}/epoch-1"),
    message:
        "Fitting the coder {wildcards.model:q}"
    shell:
        "onkocode fit-coder --questions {input.questions:q} --codes {input.codes:q} --settings {params.settings:q} "
        "--scratch {params.scratch:q} --output {output:q} >> {log:q} 2>&1"
