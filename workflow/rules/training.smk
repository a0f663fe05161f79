# One job per model and epoch; each epoch reads only the one before.


rule train_epoch:
    input:
        base=base_of_model,
        built=built_model,
        questions=questions_of_model,
        previous=previous_epoch,
        # A fault in any input shows before the first training; a later edit of a test set trains nothing again.
        checked=ancient("<results>/inputs.json"),
        tracking=ancient("<results>/options/tracking.json"),
    output:
        adapter=directory("<results>/training/{model}/epoch-{epoch}/adapter"),
        state=directory("<results>/training/{model}/epoch-{epoch}/state"),
        metrics="<results>/training/{model}/epoch-{epoch}/metrics.jsonl",
        attempts="<results>/training/{model}/epoch-{epoch}/attempts.jsonl",
    log:
        "<logs>/train_epoch/{model}/epoch-{epoch}.log",
    benchmark:
        "<benchmarks>/train_epoch/{model}/epoch-{epoch}.tsv"
    wildcard_constraints:
        model=either(study.trained_models),
    priority: 1  # before evaluations: the epochs of a model wait for each other
    threads: threads_of_model
    resources:
        **requested("training", endings_of_training),
    params:
        # Compared by Snakemake; the settings themselves, with what changes no result, are not.
        key=lambda wildcards: slices.training_key(study, wildcards.model),
        settings=lambda wildcards, input: slices.training(study, wildcards.model),
        folder=lambda wildcards, output: as_argument(folder_of([output.metrics])),
        previous=lambda wildcards, input: optional(
            "--previous", folder_of(input.previous)
        ),
        scratch=expanded("<scratch>/training/{model}/epoch-{epoch}"),
    message:
        "Training {wildcards.model:q}, epoch {wildcards.epoch:q}"
    shell:
        "onkocode train-epoch --model {wildcards.model:q} --epoch {wildcards.epoch:q} --base {input.base:q} "
        "--questions {input.questions:q} --settings {params.settings:q} {params.previous:q} --scratch {params.scratch:q} "
        "--tracking @{input.tracking:q} --output {params.folder:q} >> {log:q} 2>&1"


rule training:
    input:
        [
            f"<results>/training/{model}/epoch-{epoch}/adapter"
            for model, epoch in study.trained_checkpoints
        ],
        [f"<results>/training/{model}/epoch-1/coder" for model in study.fitted_models],
    message:
        "All models are trained"
