# Checkpoints answer, answers are judged and measured.


rule evaluate_checkpoint:
    input:
        base=base_of_model,
        built=built_model,
        adapter=adapter_of_checkpoint,
        coder=coder_of_model,
        questions=questions_of_model,
        texts=questions_of_texts,
    output:
        predictions("free"),
    log:
        "<logs>/evaluate_checkpoint/{model}/epoch-{epoch}.log",
    benchmark:
        "<benchmarks>/evaluate_checkpoint/{model}/epoch-{epoch}.tsv"
    threads: threads_of_model
    resources:
        **requested("testing", endings_of_asking),
    params:
        # Compared by Snakemake; the settings themselves, with what changes no result, are not.
        key=lambda wildcards: slices.testing_key(study, wildcards.model),
        settings=lambda wildcards, input: slices.testing(study, wildcards.model),
        condition=lambda wildcards, input: "free",
        made_of=lambda wildcards, input: [
            *optional("--base", input.base),
            *optional("--adapter", input.adapter),
            *optional("--coder", input.coder),
        ],
        questions=lambda wildcards, input: named(
            study.datasets(), [input.questions, *input.texts]
        ),
        output=lambda wildcards, output: named(study.datasets(), output),
        answers=lambda wildcards, output: answers_of(output),
        scratch=expanded("<private>/scratch/{model}/epoch-{epoch}/free"),
    message:
        "Asking {wildcards.model:q}, epoch {wildcards.epoch:q}"
    shell:
        "onkocode evaluate-checkpoint --model {wildcards.model:q} --epoch {wildcards.epoch:q} --condition {params.condition:q} "
        "{params.made_of:q} --questions {params.questions:q} --settings {params.settings:q} "
        "--scratch {params.scratch:q} --answers {params.answers:q} --output {params.output:q} >> {log:q} 2>&1"


use rule evaluate_checkpoint as evaluate_thinking with:
    input:
        base=base_of_model,
        built=built_model,
        adapter=adapter_of_checkpoint,
        texts=questions_of_texts,
    output:
        [
            f"<private>/predictions/{{model}}/epoch-{{epoch}}/thinking/{dataset}.parquet"
            for dataset in study.datasets("thinking") or ["none"]
        ],
    log:
        "<logs>/evaluate_thinking/{model}/epoch-{epoch}.log",
    benchmark:
        "<benchmarks>/evaluate_thinking/{model}/epoch-{epoch}.tsv"
    resources:
        **requested("testing", endings_of_thinking),
    params:
        key=lambda wildcards: slices.thinking(study, wildcards.model),
        settings=lambda wildcards, input: slices.thinking(study, wildcards.model),
        condition=lambda wildcards, input: "thinking",
        made_of=lambda wildcards, input: [
            *optional("--base", input.base),
            *optional("--adapter", input.adapter),
        ],
        questions=lambda wildcards, input: named(study.test_sets, input.texts),
        output=lambda wildcards, output: named(study.test_sets, output),
        answers=lambda wildcards, output: answers_of(output),
        scratch=expanded("<private>/scratch/{model}/epoch-{epoch}/thinking"),
    message:
        "Asking {wildcards.model:q}, epoch {wildcards.epoch:q}, in thinking mode"


rule evaluate_conditions:
    input:
        base=base_of_model,
        built=built_model,
        adapter=adapter_of_checkpoint,
        questions=questions_of_model,
        texts=questions_of_texts,
        icd10gm=codes_on([CATALOGUE], "icd10gm"),
        icdo3=codes_on([CATALOGUE], "icdo3"),
    output:
        further("<private>/predictions/{{model}}/epoch-{{epoch}}/{}.parquet"),
    log:
        "<logs>/evaluate_conditions/{model}/epoch-{epoch}.log",
    benchmark:
        "<benchmarks>/evaluate_conditions/{model}/epoch-{epoch}.tsv"
    threads: threads_of_model
    resources:
        **requested("testing", endings_of_conditions),
    params:
        key=lambda wildcards: slices.conditions_key(study, wildcards.model),
        settings=lambda wildcards, input: slices.conditions(study, wildcards.model),
        made_of=lambda wildcards, input: [
            *optional("--base", input.base),
            *optional("--adapter", input.adapter),
        ],
        questions=lambda wildcards, input: named(
            study.datasets(), [input.questions, *input.texts]
        ),
        output=lambda wildcards, output: named(study.conditions, output),
        answers=expanded("<private>/answers/{model}/epoch-{epoch}"),
        scratch=expanded("<private>/scratch/{model}/epoch-{epoch}/conditions"),
    message:
        "Asking {wildcards.model:q}, epoch {wildcards.epoch:q}, under further conditions"
    shell:
        "onkocode evaluate-conditions --model {wildcards.model:q} --epoch {wildcards.epoch:q} {params.made_of:q} "
        "--questions {params.questions:q} --icd10gm {input.icd10gm:q} --icdo3 {input.icdo3:q} --settings {params.settings:q} "
        "--scratch {params.scratch:q} --answers {params.answers:q} --output {params.output:q} >> {log:q} 2>&1"


rule score_checkpoint:
    input:
        predictions=predictions("free"),
        questions=questions_asked("free"),
        icd10gm=codes_asked("icd10gm", "free"),
        icdo3=codes_asked("icdo3", "free"),
        ops=codes_asked("ops", "free"),
        registries=registries,
        baseline=judged_baseline("free"),
        tracking=ancient("<results>/options/tracking.json"),
    output:
        judged=judged_answers("free"),
        metrics="<results>/evaluation/{model}/epoch-{epoch}/free/metrics.parquet",
        summary=report(
            "<results>/evaluation/{model}/epoch-{epoch}/summary.html",
            category="Checkpoints",
            subcategory="{model}",
            caption="../report/summary.rst",
            labels={"model": "{model}", "epoch": "{epoch}"},
        ),
        numbers="<results>/evaluation/{model}/epoch-{epoch}/summary.tsv",
    log:
        "<logs>/score_checkpoint/{model}/epoch-{epoch}.log",
    benchmark:
        "<benchmarks>/score_checkpoint/{model}/epoch-{epoch}.tsv"
    resources:
        mem_mb=8000,
        runtime=60,
        bundle=8,
    params:
        predictions=lambda wildcards, input: named(data_sets(input), input.predictions),
        questions=lambda wildcards, input: named(data_sets(input), input.questions),
        icd10gm=lambda wildcards, input: named(data_sets(input), input.icd10gm),
        icdo3=lambda wildcards, input: named(data_sets(input), input.icdo3),
        ops=lambda wildcards, input: named(data_sets(input), input.ops),
        judged=lambda wildcards, input, output: named(data_sets(input), output.judged),
        bootstrap=study.config.evaluation.bootstrap,
        summary=lambda wildcards, output: optional("--summary", output.get("summary")),
        registries=lambda wildcards, input: optional("--registries", input.registries),
    message:
        "Scoring {wildcards.model:q}, epoch {wildcards.epoch:q}"
    shell:
        "onkocode score-answers --predictions {params.predictions:q} --questions {params.questions:q} "
        "--icd10gm {params.icd10gm:q} --icdo3 {params.icdo3:q} --ops {params.ops:q} {params.registries:q} --baseline {input.baseline:q} "
        "--bootstrap {params.bootstrap:q} --tracking @{input.tracking:q} --judged {params.judged:q} {params.summary:q} "
        "--output {output.metrics:q} >> {log:q} 2>&1"


use rule score_checkpoint as score_thinking with:
    input:
        predictions=predictions("thinking"),
        questions=questions_asked("thinking"),
        icd10gm=codes_asked("icd10gm", "thinking"),
        icdo3=codes_asked("icdo3", "thinking"),
        ops=codes_asked("ops", "thinking"),
        registries=registries,
        baseline=judged_baseline("thinking"),
        tracking=ancient("<results>/options/tracking.json"),
    output:
        judged=judged_answers("thinking"),
        metrics="<results>/evaluation/{model}/epoch-{epoch}/thinking/metrics.parquet",
    log:
        "<logs>/score_thinking/{model}/epoch-{epoch}.log",
    benchmark:
        "<benchmarks>/score_thinking/{model}/epoch-{epoch}.tsv"
    message:
        "Scoring {wildcards.model:q}, epoch {wildcards.epoch:q}, in thinking mode"


use rule score_checkpoint as score_conditions with:
    input:
        predictions=further(
            "<private>/predictions/{{model}}/epoch-{{epoch}}/{}.parquet"
        ),
        questions=questions_on(asked_further),
        icd10gm=codes_on(asked_further, "icd10gm"),
        icdo3=codes_on(asked_further, "icdo3"),
        ops=[],
        registries=registries,
        baseline=[],
        tracking=ancient("<results>/options/tracking.json"),
    output:
        judged=further("<results>/evaluation/{{model}}/epoch-{{epoch}}/{}.parquet"),
        metrics="<results>/evaluation/{model}/epoch-{epoch}/conditions.parquet",
    log:
        "<logs>/score_conditions/{model}/epoch-{epoch}.log",
    benchmark:
        "<benchmarks>/score_conditions/{model}/epoch-{epoch}.tsv"
    params:
        predictions=lambda wildcards, input: named(study.conditions, input.predictions),
        questions=lambda wildcards, input: named(study.conditions, input.questions),
        icd10gm=lambda wildcards, input: named(study.conditions, input.icd10gm),
        icdo3=lambda wildcards, input: named(study.conditions, input.icdo3),
        ops=[],
        judged=lambda wildcards, input, output: named(study.conditions, output.judged),
        bootstrap=study.config.evaluation.bootstrap,
        summary=[],
        registries=lambda wildcards, input: optional("--registries", input.registries),
    message:
        "Scoring {wildcards.model:q}, epoch {wildcards.epoch:q}, under further conditions"


rule collect_metrics:
    input:
        metrics=metrics_of_checkpoints,
        judged=judged_for_choice,
    output:
        metrics="<results>/metrics.parquet",
        selection="<results>/selected_checkpoints.tsv",
        frequencies="<results>/epoch_choices.tsv",
    log:
        "<logs>/collect_metrics.log",
    benchmark:
        "<benchmarks>/collect_metrics.tsv"
    resources:
        mem_mb=8000,
        runtime=60,
    params:
        texts=study.test_sets,
        floor=study.config.evaluation.valid_floor,
        choice=study.config.evaluation.choice,
    message:
        "Collecting the metrics of all checkpoints"
    shell:
        "onkocode collect-metrics --metrics {input.metrics:q} --judged {input.judged:q} --texts {params.texts:q} "
        "--valid-floor {params.floor:q} --choice {params.choice:q} --output {output.metrics:q} "
        "--selection {output.selection:q} --frequencies {output.frequencies:q} >> {log:q} 2>&1"


rule compare_checkpoints:
    input:
        judged=judged_of_checkpoints,
        selection="<results>/selected_checkpoints.tsv",
    output:
        "<results>/comparisons.parquet",
    log:
        "<logs>/compare_checkpoints.log",
    benchmark:
        "<benchmarks>/compare_checkpoints.tsv"
    resources:
        mem_mb=16000,
        runtime=120,
    params:
        settings=slices.comparing(study),
    message:
        "Comparing checkpoints on the same questions"
    shell:
        "onkocode compare-checkpoints --judged {input.judged:q} --selection {input.selection:q} "
        "--settings {params.settings:q} --output {output:q} >> {log:q} 2>&1"


rule break_down:
    input:
        judged=judged_of_checkpoints,
        selection="<results>/selected_checkpoints.tsv",
        questions=[f"<results>/questions/{data}.parquet" for data in study.data_keys],
        leakage=[f"<results>/leakage/{data}.json" for data in study.data_keys],
        codes=label_spaces,
    output:
        strata="<results>/strata.parquet",
        breakdown="<results>/breakdown.parquet",
        confusions="<results>/confusions.tsv",
    log:
        "<logs>/break_down.log",
    benchmark:
        "<benchmarks>/break_down.tsv"
    resources:
        mem_mb=16000,
        runtime=120,
    params:
        settings=slices.overview(study),
        questions=lambda wildcards, input: named(study.data_keys, input.questions),
        # Beside the counts, which are an input, lie the pairs: a private table.
        leakage=lambda wildcards, input: named(
            study.data_keys,
            [
                workflow.pathvars.apply(f"<private>/leakage/{data}.parquet")
                for data in study.data_keys
            ],
        ),
    message:
        "Measuring parts of the answers"
    shell:
        "onkocode break-down --judged {input.judged:q} --selection {input.selection:q} --questions {params.questions:q} "
        "--leakage {params.leakage:q} --codes {input.codes:q} --settings {params.settings:q} --strata {output.strata:q} "
        "--output {output.breakdown:q} --confusions {output.confusions:q} >> {log:q} 2>&1"


rule measure_certainty:
    input:
        judged=judged_of_checkpoints,
        selection="<results>/selected_checkpoints.tsv",
    output:
        "<results>/certainty.parquet",
    log:
        "<logs>/measure_certainty.log",
    benchmark:
        "<benchmarks>/measure_certainty.tsv"
    resources:
        mem_mb=16000,
        runtime=60,
    message:
        "Measuring what scores are worth"
    shell:
        "onkocode measure-certainty --judged {input.judged:q} --selection {input.selection:q} "
        "--output {output:q} >> {log:q} 2>&1"


rule evaluation:
    input:
        rules.collect_metrics.output,
        rules.compare_checkpoints.output,
        rules.break_down.output,
        rules.measure_certainty.output,
    message:
        "All checkpoints are evaluated"
