# Wildcards and input functions. What could be wrong lives, tested, in onkocode.study.
import os

from onkocode.cluster import executor, hooks, running
from onkocode.cluster.here import site_here, told
from onkocode.cluster.requests import Tries, resources
from onkocode.config.base import CATALOGUE
from onkocode.config.site import read_site, use_cache
from onkocode.records.arguments import as_argument, check_names
from onkocode.records.endings import read_endings
from onkocode.records.errors import InputError
from onkocode.records.private import VARIABLE, close_folder
from onkocode.reporting import registry
from onkocode.study import Study, reports, slices
from onkocode.terminal import make_readable

make_readable()
executor.install()

# Snakemake lists the files of the command line first, but they are merged last.
given = [Path(file) for file in workflow.overwrite_configfiles]
files = [Path(file) for file in workflow.configfiles if Path(file) not in given] + given

try:
    study = Study(config, files, Path(workflow.basedir))
    site = read_site()  # None where no file describes one
except InputError as error:
    raise WorkflowError(str(error)) from None


pathvars:
    private="private",
    scratch=site.scratch_of(Path.cwd()) if site else "scratch",
    benchmarks="logs/benchmarks",


use_cache(site)


# Jobs close all folders of private files to others, up to this one.
os.environ[VARIABLE] = os.path.abspath(workflow.pathvars.apply("<private>"))


onstart:
    running.note_start()
    if workflow.non_local_exec:
        names = [
            workflow.basedir,
            Path.cwd(),
            *files,
            *study.config.pathvars.values(),
        ]
        as_script = getattr(
            workflow.executor_settings, "pass_command_as_script", False
        )
        check_names(names, as_script)
        if site is None:
            logger.warning(told(site_here(on_cluster=True)))
        hooks.check_fits(workflow)
        hooks.end_on_signals(workflow)
    for warning in study.warnings(os.environ):
        logger.warning(warning)
    # Before Snakemake makes folders in it, or on the way to it, that all may read.
    close_folder(Path(os.environ[VARIABLE]))


onerror:
    for line in hooks.ends_of_logs(workflow.scheduler.failed):
        logger.error(line)


def either(keys):
    return "|".join(re.escape(key) for key in keys) or "none"


wildcard_constraints:
    model=either(study.models),
    built=either(study.config.tiny_models),
    data=either(study.config.data),
    testset=either(study.config.texts),
    catalogue="alphaid|icd10gm|icdo3|ops|crosswalk|registries",
    version=r"[\w.]+",
    epoch=r"\d+",
    option="tracking|consent",


questions_of_texts = [
    f"<private>/texts/{testset}/questions.parquet" for testset in study.test_sets
]


def local_catalogue(wildcards):
    return study.local_catalogue(wildcards.catalogue, wildcards.version)


def entries_of_data(dataset):
    return lambda wildcards: [
        f"<results>/catalogues/{catalogue}/entries.parquet"
        for catalogue in study.catalogues(dataset, wildcards.data)
    ]


def codes_of_data(dataset):
    return (
        lambda wildcards: f"<results>/catalogues/{study.catalogue(dataset, wildcards.data)}/codes.parquet"
    )


def crosswalk_of_data(wildcards):
    return [
        f"<results>/catalogues/{catalogue}/crosswalk.parquet"
        for catalogue in study.catalogues("crosswalk", wildcards.data)
    ]


def crosswalk_of_questions(wildcards, input):
    axes = ["--topographies", input.topographies]
    return ["--crosswalk", *input.crosswalk, *axes] if input.crosswalk else []


def codes_of_texts(dataset):
    return (
        lambda wildcards: f"<results>/catalogues/{study.text_codes(dataset, wildcards.testset)}/codes.parquet"
    )


def entries_for_corpus(wildcards):
    data = study.config.tiny_models[wildcards.built].data
    return [
        f"<results>/catalogues/{catalogue}/entries.parquet"
        for d in ("alphaid", "icdo3", "ops")
        for catalogue in study.catalogues(d, data)
    ]


def codes_for_corpus(wildcards):
    data = study.config.tiny_models[wildcards.built].data
    return [
        f"<results>/catalogues/{study.catalogue(d, data)}/codes.parquet"
        for d in ("icd10gm", "icdo3", "ops")
    ]


def built_model(wildcards):
    built = study.built(wildcards.model)
    return [f"<results>/models/tiny/{built}"] if built else []


def base_of_model(wildcards):
    # The replicates of a recipe are trained from one and the same base.
    base = study.base_of(wildcards.model)
    return [f"<results>/models/{base}/base.json"] if base else []


def local_adapter(wildcards):
    return study.local_adapter(wildcards.model)


def questions_of_model(wildcards):
    return f"<results>/questions/{study.recipes[wildcards.model].config.data}.parquet"


def previous_epoch(wildcards):
    if int(wildcards.epoch) == 1:
        return []
    before = f"<results>/training/{wildcards.model}/epoch-{int(wildcards.epoch) - 1}"
    return [f"{before}/adapter", f"{before}/state"]


def folder_of(files):
    return Path(files[0]).parent if files else None


def answers_of(predictions):
    # <private>/predictions/{model}/… → <private>/answers/{model}/…
    folder = Path(predictions[0]).parent
    return as_argument(
        folder.parents[3] / "answers" / folder.relative_to(folder.parents[2])
    )


def coder_of_model(wildcards):
    fitted = wildcards.model in study.fitted_models
    return [f"<results>/training/{wildcards.model}/epoch-1/coder"] if fitted else []


def codes_of_model(wildcards):
    spaces = study.answered_spaces(wildcards.model)
    return [f"<results>/catalogues/{catalogue}/codes.parquet" for catalogue in spaces]


def tables_of_model(wildcards):
    return study.own_tables(wildcards.model)


def adapter_of_checkpoint(wildcards):
    if int(wildcards.epoch) == 0 or wildcards.model in study.fitted_models:
        return []
    if study.is_published(wildcards.model):
        return [f"<results>/models/{wildcards.model}/adapter"]
    return [f"<results>/training/{wildcards.model}/epoch-{wildcards.epoch}/adapter"]


def predictions(condition):
    folder = f"<private>/predictions/{{model}}/epoch-{{epoch}}/{condition}"
    return [f"{folder}/{dataset}.parquet" for dataset in study.datasets(condition)]


def judged_answers(condition):
    folder = f"<results>/evaluation/{{model}}/epoch-{{epoch}}/{condition}"
    return [f"{folder}/{dataset}.parquet" for dataset in study.datasets(condition)]


def judged_baseline(condition):
    return lambda wildcards: [
        f"<results>/evaluation/{study.base_of(wildcards.model)}/epoch-0/free/{dataset}.parquet"
        for dataset in study.datasets(condition)
        if study.base_of(wildcards.model) is not None
        and (int(wildcards.epoch) > 0 or condition != "free")
    ]


def questions_on(datasets):
    return lambda wildcards: [
        (
            questions_of_model(wildcards)
            if dataset == CATALOGUE
            else f"<private>/texts/{dataset}/questions.parquet"
        )
        for dataset in datasets
    ]


def codes_on(datasets, catalogue):
    return lambda wildcards: [
        f"<results>/catalogues/{study.label_space(catalogue, dataset, wildcards.model)}/codes.parquet"
        for dataset in datasets
    ]


def questions_asked(condition):
    return questions_on(study.datasets(condition))


def codes_asked(catalogue, condition):
    return codes_on(study.judged_by(catalogue, condition), catalogue)


registries = [
    f"<results>/catalogues/{catalogue}/codes.parquet" for catalogue in study.registries
]


def data_sets(input):
    return [Path(file).stem for file in input.predictions]


def further(form):
    # One file per condition and data set, by names such as swapped/example.
    return [form.format(name) for name in study.conditions or ["none"]]


asked_further = [Path(name).name for name in study.conditions]  # a data set for each


def results_of(checkpoints, below):
    return [
        f"<results>/evaluation/{model}/epoch-{epoch}/{below}"
        for model, epoch in checkpoints
    ]


def metrics_of_checkpoints(wildcards):
    return [
        *results_of(study.checkpoints(0), "free/metrics.parquet"),
        *results_of(study.thinking_checkpoints, "thinking/metrics.parquet"),
        *results_of(study.asked_further, "conditions.parquet"),
    ]


def judged_of_checkpoints(wildcards):
    conditions = {
        "free": study.checkpoints(0),
        "thinking": study.thinking_checkpoints,
    }
    found = [
        results_of(checkpoints, f"{condition}/{dataset}.parquet")
        for condition, checkpoints in conditions.items()
        for dataset in study.datasets(condition)
    ]
    found += [
        results_of(study.asked_further, f"{name}.parquet") for name in study.conditions
    ]
    return [file for files in found for file in files]


def judged_for_choice(wildcards):
    datasets = [CATALOGUE, *study.test_sets[:1]]
    return [
        file
        for dataset in datasets
        for file in results_of(study.checkpoints(0), f"free/{dataset}.parquet")
    ]


def label_spaces(wildcards):
    return sorted(
        {
            f"<results>/catalogues/{study.label_space(catalogue, dataset, model)}/codes.parquet"
            for model in study.models
            for catalogue in ("icd10gm", "icdo3")
            for dataset in study.datasets()
        }
    )


def attempt_logs(wildcards):
    return [
        f"<results>/training/{model}/epoch-{epoch}/attempts.jsonl"
        for model, epoch in study.trained_checkpoints
    ]


def training_logs(wildcards):
    return [
        f"<results>/training/{model}/epoch-{epoch}/metrics.jsonl"
        for model, epoch in study.trained_checkpoints
    ]


def model_records(wildcards):
    return [f"<results>/models/{model}/model.json" for model in study.models]


def performance_summaries(wildcards):
    return [
        f"<results>/evaluation/{model}/epoch-{epoch}/summary.html"
        for model, epoch in study.checkpoints(0)
    ]


# The one wildcard of a figure or table is its name.
def files_of_item(wildcards):
    item = registry.find(wildcards.item)
    files = {
        "metrics": "<results>/metrics.parquet",
        "selection": "<results>/selected_checkpoints.tsv",
        "frequencies": "<results>/epoch_choices.tsv",
        "comparisons": "<results>/comparisons.parquet",
        "strata": "<results>/strata.parquet",
        "breakdown": "<results>/breakdown.parquet",
        "confusions": "<results>/confusions.tsv",
        "certainty": "<results>/certainty.parquet",
        "models": model_records(wildcards),
        "training": training_logs(wildcards),
        "attempts": attempt_logs(wildcards),
        "questions": f"<results>/questions/{item.data(wildcards.item)}.parquet",
    }
    return {name: files[name] for name in item.inputs}


def labels_of_item(wildcards):
    return registry.find(wildcards.item).labels(wildcards.item)


# It takes the output so that a mended caption draws nothing again.
def caption_of_item(wildcards, output):
    return registry.find(wildcards.item).caption


def expanded(path):
    # Path variables are replaced in inputs and outputs, but not in params.
    return lambda wildcards: workflow.pathvars.apply(path).format(**wildcards)


def replicate_of_model(wildcards):
    return optional("--replicate-of", study.recipes[wildcards.model].replicate_of)


def endings_in(scratch):
    # What a retry asks for is worked out when the try before has ended.
    return lambda wildcards: read_endings(Path(expanded(scratch)(wildcards)))


endings_of_training = endings_in("<scratch>/training/{model}/epoch-{epoch}")
endings_of_fitting = endings_in("<scratch>/training/{model}/epoch-1")
endings_of_asking = endings_in("<private>/scratch/{model}/epoch-{epoch}/free")
endings_of_thinking = endings_in("<private>/scratch/{model}/epoch-{epoch}/thinking")
endings_of_conditions = endings_in("<private>/scratch/{model}/epoch-{epoch}/conditions")


def threads_of_model(wildcards):
    return study.recipes[wildcards.model].config.resources.threads


def requested(stage, endings):
    def of(name):
        return lambda wildcards, input: resources(
            study,
            wildcards.model,
            stage,
            site_here(workflow.non_local_exec),
            Tries(folder_of(input.get("previous")), endings(wildcards)),
        )[name]

    return {
        name: of(name) for name in ("gpu", "gpu_model", "gres", "mem_mb", "runtime")
    }


# Arguments of a command are lists of words, each of which is quoted.
def named(names, files):
    return [f"{name}={file}" for name, file in zip(names, files)]


def optional(option, value):
    words = [value] if isinstance(value, str | Path) else value or []
    return [option, *map(as_argument, words)] if words else []


def options(files):
    return [
        word for name, value in files.items() for word in optional(f"--{name}", value)
    ]
