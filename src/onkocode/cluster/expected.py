"""The jobs of a study as the rules declare them: what each writes, its log, its scratch folder, and what it waits for.

A test compares them with the jobs that Snakemake plans.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

from onkocode.catalogues.formats.parse import REGISTRIES
from onkocode.cluster.submission import name_of
from onkocode.config.site import read_site
from onkocode.study import Study, reports

Stage = Literal["questions", "models", "training", "evaluation", "scoring", "figures"]
DEFAULTS = {"results": "results", "logs": "logs", "private": "private", "scratch": "scratch"}


@dataclass(frozen=True)
class Job:
    """A job of the workflow.

    Attributes:
        stage: where it stands in the overview.
        rule: its rule.
        wildcards: of the rule, in order.
        outputs: all that it declares.
        log: of the rule.
        scratch: its folder for saves; empty = it has none.
        model: the `{model}` key; empty = it is of the whole study.
        epoch: the epoch; None = of no epoch.
        after: name of the job that it waits for first; empty = there are none, or many.
    """

    stage: Stage
    rule: str
    wildcards: tuple[str, ...]
    outputs: tuple[str, ...]
    log: str
    scratch: str = ""
    model: str = ""
    epoch: int | None = None
    after: str = ""

    @cached_property
    def name(self) -> str:
        """What it is called in squeue, such as train_epoch.qwen3-8b.2."""
        return name_of(self.rule, self.wildcards)


def study_jobs(study: Study, models: Sequence[str] = ()) -> list[Job]:
    """Return all jobs of a study, in the order in which they are shown.

    Args:
        study: the study.
        models: `{model}` keys; the jobs of other models are left out. Empty = all.
    """
    planned = _Jobs(study)
    found = [*planned.questions(), *planned.models(), *planned.training(), *planned.evaluation(), *planned.scoring()]
    found += planned.figures()
    return [job for job in found if not models or not job.model or job.model in models]


def places_of(pathvars: Mapping[str, str]) -> dict[str, str]:
    """Return the folders of results, logs, private and scratch files; a site may have a place for the last."""
    site = read_site()
    places = DEFAULTS | ({} if site is None else {"scratch": site.scratch_of(Path.cwd())}) | dict(pathvars)
    return {name: places[name].rstrip("/") or "/" for name in DEFAULTS}


class _Jobs:
    def __init__(self, study: Study) -> None:
        self.study, self.fitted = study, set(study.fitted_models)
        places = places_of(study.config.pathvars)
        self.results, self.logs = places["results"], places["logs"]
        self.private, self.scratch = places["private"], places["scratch"]

    def _job(
        self,
        stage: Stage,
        rule: str,
        wildcards: tuple[str, ...],
        outputs: Sequence[str],
        *,
        log: str = "",
        scratch: str = "",
        after: str = "",
    ) -> Job:
        """Return a job whose log is named as most are; models and epochs are told by the wildcards."""
        first = wildcards[0] if wildcards else ""
        of_model = stage not in ("questions", "figures") and rule != "pretrain_model"  # which may be named like one
        model = first if of_model and first in self.study.recipes else ""
        epoch = int(wildcards[1]) if model and len(wildcards) > 1 else None
        where = log or "/".join(wildcards if epoch is None else (model, f"epoch-{epoch}"))
        file = f"{self.logs}/{rule}{f'/{where}' if where else ''}.log"
        return Job(stage, rule, wildcards, tuple(outputs), file, scratch, model, epoch, after)

    # -- before training --------------------------------------------------------------------------------------------

    def questions(self) -> Iterator[Job]:
        study, results = self.study, self.results
        for option in ("consent", "tracking"):
            yield self._job("questions", "write_option", (option,), [f"{results}/options/{option}.json"])
        for catalogue in self._catalogues():
            yield from self._catalogue(catalogue)
        for key in study.test_sets:
            folder = f"{self.private}/texts/{key}"
            yield self._job("questions", "read_texts", (key,), [f"{folder}/entries.parquet"])
            yield self._job("questions", "build_text_questions", (key,), [f"{folder}/questions.parquet"])
        for data in study.data_keys:
            yield self._job("questions", "build_questions", (data,), [f"{results}/questions/{data}.parquet"])
            yield self._job("questions", "check_leakage", (data,), [f"{results}/leakage/{data}.json"])
            yield self._job("questions", "export_questions", (data,), [f"{results}/datasets/{data}"])
        yield self._job("questions", "check_inputs", (), [f"{results}/inputs.json"])

    def _catalogue(self, catalogue: str) -> Iterator[Job]:
        dataset, _, version = catalogue.partition("-")
        folder, log = f"{self.results}/catalogues/{catalogue}", catalogue
        named = (dataset, version)
        yield self._job("questions", "retrieve_catalogue", named, [f"{folder}/source"], log=log)
        if dataset == "crosswalk":
            yield self._job("questions", "parse_crosswalk", (version,), [f"{folder}/crosswalk.parquet"])
            return
        tables = [f"{folder}/{table}.parquet" for table in ("entries", "codes")]
        yield self._job("questions", "parse_catalogue", named, tables, log=log)

    def _catalogues(self) -> list[str]:
        study = self.study
        found: list[str] = []
        for data in study.data_keys:
            for dataset in ("alphaid", "icd10gm", "icdo3", "ops", "crosswalk"):
                found += study.catalogues(dataset, data)
        for built in self._built():
            data = study.config.tiny_models[built].data
            for dataset in ("alphaid", "icd10gm", "icdo3", "ops"):
                found += study.catalogues(dataset, data)
        found += [study.text_codes(dataset, key) for dataset in ("icd10gm", "icdo3") for key in study.test_sets]
        found += [name for name in study.registries if name.startswith(REGISTRIES)]
        return list(dict.fromkeys(found))

    def _built(self) -> list[str]:
        found = [self.study.built(model) for model in dict.fromkeys(self.study.bases.values())]
        return list(dict.fromkeys(built for built in found if built is not None))

    def models(self) -> Iterator[Job]:
        study, folder = self.study, f"{self.results}/models"
        for built in self._built():
            yield self._job("models", "pretrain_model", (built,), [f"{folder}/tiny/{built}"])
        for model in study.models:
            if study.base_of(model) == model:
                yield self._job("models", "prepare_model", (model,), [f"{folder}/{model}/base.json"])
            if study.is_published(model):
                after = name_of("prepare_model", [model])
                yield self._job("models", "fetch_adapter", (model,), [f"{folder}/{model}/adapter"], after=after)
            yield self._job("models", "describe_model", (model,), [f"{folder}/{model}/model.json"])

    # -- training and evaluation ------------------------------------------------------------------------------------

    def training(self) -> Iterator[Job]:
        for model, epoch in self.study.trained_checkpoints:
            folder = f"{self.results}/training/{model}/epoch-{epoch}"
            outputs = [f"{folder}/{name}" for name in ("adapter", "state", "metrics.jsonl", "attempts.jsonl")]
            before = self._base_job(model) if epoch == 1 else name_of("train_epoch", (model, str(epoch - 1)))
            scratch = f"{self.scratch}/training/{model}/epoch-{epoch}"
            yield self._job("training", "train_epoch", (model, str(epoch)), outputs, scratch=scratch, after=before)
        for model in self.study.fitted_models:
            coder = f"{self.results}/training/{model}/epoch-1/coder"
            scratch = f"{self.scratch}/training/{model}/epoch-1"
            log = f"{self.logs}/fit_coder/{model}.log"
            yield Job("training", "fit_coder", (model,), (coder,), log, scratch, model, 1, "check_inputs")

    def _base_job(self, model: str) -> str:
        return name_of("prepare_model", [self.study.base_of(model) or model])

    def _made_by(self, model: str, epoch: int) -> str:
        """Return the name of the job that makes a checkpoint."""
        study = self.study
        if model in self.fitted:
            return name_of("fit_coder", [model])
        if epoch == 0:
            return self._base_job(model)
        return (
            name_of("fetch_adapter", [model])
            if study.is_published(model)
            else name_of("train_epoch", (model, str(epoch)))
        )

    def evaluation(self) -> Iterator[Job]:
        study = self.study
        yield from self._asked("evaluate_checkpoint", "free", study.checkpoints(0), self._of("free"))
        yield from self._asked("evaluate_thinking", "thinking", study.thinking_checkpoints, self._of("thinking"))
        yield from self._asked("evaluate_conditions", "conditions", study.asked_further, study.conditions)

    def _of(self, condition: str) -> list[str]:
        return [f"{condition}/{dataset}" for dataset in self.study.datasets(condition)]

    def _asked(
        self, rule: str, condition: str, checkpoints: Sequence[tuple[str, int]], names: Sequence[str]
    ) -> Iterator[Job]:
        for model, epoch in checkpoints:
            place = f"{model}/epoch-{epoch}"
            outputs = [f"{self.private}/predictions/{place}/{name}.parquet" for name in names]
            scratch, after = f"{self.private}/scratch/{place}/{condition}", self._made_by(model, epoch)
            yield self._job("evaluation", rule, (model, str(epoch)), outputs, scratch=scratch, after=after)

    # -- after ------------------------------------------------------------------------------------------------------

    def scoring(self) -> Iterator[Job]:
        study, results = self.study, self.results
        summary = ["free/metrics.parquet", "summary.html", "summary.tsv"]
        further = ["conditions.parquet"]
        free, thinking = self._of("free"), self._of("thinking")
        yield from self._scored("score_checkpoint", "evaluate_checkpoint", study.checkpoints(0), free, summary)
        yield from self._scored(
            "score_thinking", "evaluate_thinking", study.thinking_checkpoints, thinking, ["thinking/metrics.parquet"]
        )
        yield from self._scored(
            "score_conditions", "evaluate_conditions", study.asked_further, study.conditions, further
        )
        collected = ("metrics.parquet", "selected_checkpoints.tsv", "epoch_choices.tsv")
        for rule, names in (
            ("collect_metrics", collected),
            ("compare_checkpoints", ("comparisons.parquet",)),
            ("break_down", ("strata.parquet", "breakdown.parquet", "confusions.tsv")),
            ("measure_certainty", ("certainty.parquet",)),
        ):
            yield self._job("scoring", rule, (), [f"{results}/{name}" for name in names])

    def _scored(
        self, rule: str, asked: str, checkpoints: Sequence[tuple[str, int]], judged: Sequence[str], more: Sequence[str]
    ) -> Iterator[Job]:
        for model, epoch in checkpoints:
            folder, wildcards = f"{self.results}/evaluation/{model}/epoch-{epoch}", (model, str(epoch))
            outputs = [*(f"{folder}/{name}.parquet" for name in judged), *(f"{folder}/{name}" for name in more)]
            yield self._job("scoring", rule, wildcards, outputs, after=name_of(asked, wildcards))

    def figures(self) -> Iterator[Job]:
        for name in reports.names(self.study, "figure"):
            outputs = [f"{self.results}/figures/{name}{suffix}" for suffix in (".svg", ".png", ".tsv")]
            yield self._job("figures", "draw_figure", (name,), outputs)
        for name in reports.names(self.study, "table"):
            outputs = [f"{self.results}/tables/{name}{suffix}" for suffix in (".html", ".tsv")]
            yield self._job("figures", "write_table", (name,), outputs)
        yield self._job("figures", "write_config", (), [f"{self.results}/config.yaml"])
