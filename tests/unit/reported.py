"""Files of a study with made-up results, for the tests of figures and tables."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl

from onkocode.evaluation.breakdown import CONFUSIONS
from onkocode.evaluation.crossfitting import FREQUENCIES
from onkocode.evaluation.selection import chosen_epochs, select_checkpoints, write_selection
from onkocode.paper import paper
from onkocode.records.schemas import columns_of, write_table
from onkocode.reporting.inputs import TASKS, Model
from onkocode.reporting.outputs import write_tsv
from onkocode.reporting.registry import find
from onkocode.reporting.results import Results, Settings
from onkocode.tasks import CODED

FACTS: dict[str, Any] = {
    "family": "f",
    "kind": "llm",
    "architecture": "qwen3",
    "parameters": 8_000_000_000,
    "thinking": True,
    "quantisation_training": "none",
    "quantisation_testing": "none",
    "gpus_training": 1,
    "gpus_testing": 1,
}


def model(key: str, **facts: Any) -> Model:
    return Model(**({"key": key, "label": key.upper()} | FACTS | facts))


def rate(value: float | None, **place: Any) -> list[dict[str, Any]]:
    """Return both rows of a rate, or the row of a mean; their intervals are 0.1 and 0.2 wide on each side."""
    row: dict[str, Any] = {"model": "a", "epoch": 0, "condition": "free", "dataset": "registry", "task": "icd10"}
    row |= {"stratum": "all", "metric": "accuracy", "denominator": "valid", "k": 1.0, "n": 10, "clusters": 5} | place
    widths = {"clopper-pearson": 0.1, "cluster-bootstrap": 0.2}
    return [
        row
        | {"value": value, "method": method}
        | {"low": None if value is None else max(0.0, value - width)}
        | {
            "high": None
            if value is None
            else value + width
            if method == "cluster-bootstrap"
            else min(1.0, value + width)
        }
        for method, width in widths.items()
        if method == "cluster-bootstrap" or not str(row["metric"]).startswith("seconds")
    ]


def frame(*rates: list[dict[str, Any]]) -> pl.DataFrame:
    return pl.DataFrame([row for rows in rates for row in rows], schema=columns_of("metrics"))


def model_file(folder: Path, described: Model) -> Path:
    """Write model.json as describe-model does: what is not there is null or left out."""
    path = folder / f"{described.key}.json"
    facts = {name: value for name, value in vars(described).items() if name != "key"}
    path.write_text(json.dumps(facts | {"model": described.key}), encoding="utf-8")
    return path


def study_files(
    folder: Path, metrics: pl.DataFrame, models: Sequence[Model], texts: Sequence[str] = (), floor: float = 0.9
) -> dict[str, list[Path]]:
    """Write metrics, the selection of checkpoints and the models' descriptions."""
    files = {"metrics": [folder / "metrics.parquet"], "selection": [folder / "selection.tsv"]}
    write_table(metrics, "metrics", files["metrics"][0])
    chosen = select_checkpoints(metrics, list(texts), floor)
    write_selection(chosen, files["selection"][0])
    files |= {"models": [model_file(folder, one) for one in models]}
    return files | later_files(folder, metrics, chosen)


def later_files(folder: Path, metrics: pl.DataFrame, chosen: pl.DataFrame) -> dict[str, list[Path]]:
    """Write what is measured of all checkpoints together, made up from the metrics of each."""
    free = metrics.filter(pl.col("condition") == "free")
    whole = free.filter(pl.col("stratum") == "all")
    asked = [whole.with_columns(stratum=pl.lit(f"asked {name}")) for name in ("thinking", "swapped", "single")]
    heldout = free.filter(pl.col("stratum") == "heldout_label", pl.col("dataset") == "catalogue")
    asked += [heldout.with_columns(stratum=pl.lit(f"heldout_label, {name}")) for name in ("not near", "new stem")]
    tables = {"strata": pl.concat(asked), "breakdown": _breakdown(free), "comparisons": _comparisons(free, chosen)}
    tables["certainty"] = _certainty(free)
    for name, table in tables.items():
        write_table(table, "metrics" if name in ("strata", "breakdown") else name, folder / f"{name}.parquet")
    shares = chosen.filter(pl.col("epoch").is_not_null()).select(
        "model", "selected_by", "epoch", chosen=pl.lit(value=True), share=pl.lit(0.6), resamples=1000, clusters=111
    )
    others = shares.with_columns(epoch=pl.col("epoch") + 1, chosen=pl.lit(value=False), share=pl.lit(0.4))
    write_tsv(pl.concat([shares, others]).select(list(FREQUENCIES)), folder / "frequencies.tsv")
    wrong: dict[str, Any] = {"model": "m2", "epoch": 3, "dataset": "registry", "task": "icd10", "expected": "C50.9"}
    wrong |= {"expected_title": "Brustdrüse", "predicted": "C50.8", "predicted_title": None, "texts": 7, "answers": 60}
    write_tsv(pl.DataFrame([wrong, wrong | {"texts": 1, "answers": 2}], CONFUSIONS), folder / "confusions.tsv")
    written = {name: [folder / f"{name}.parquet"] for name in tables}
    return written | {name: [folder / f"{name}.tsv"] for name in ("frequencies", "confusions")}


def _breakdown(free: pl.DataFrame) -> pl.DataFrame:
    exact = free.filter(
        pl.col("metric") == "accuracy", pl.col("denominator") == "all", pl.col("method") == "cluster-bootstrap"
    )
    strata = ("behaviour: malignant", "training labels: 2–5", "group: C50-C50", "category: C50", "code: C50.9")
    parts = [exact.with_columns(stratum=pl.lit(name)) for name in strata]
    spread = ("formulation_range", "formulation_agreement", "variance_text", "macro_accuracy")
    parts += [exact.with_columns(stratum=pl.lit("all"), metric=pl.lit(name)) for name in spread]
    return pl.concat(parts).unique(["model", "epoch", "dataset", "task", "stratum", "metric"], maintain_order=True)


def _comparisons(free: pl.DataFrame, chosen: pl.DataFrame) -> pl.DataFrame:
    """Return a difference of each chosen epoch to its base on every test set and task."""
    based = set(free.filter(pl.col("epoch") == 0)["model"])
    epochs = {key: epoch for key, epoch in chosen_epochs(chosen).items() if key in based}
    places = free.filter(pl.col("dataset") != "catalogue").select("dataset", "task").unique().sort("dataset", "task")
    rows = [
        {"dataset": dataset, "task": task, "metric": "accuracy", "kind": "training", "primary": place == 0}
        | {"left_model": key, "left_epoch": epoch, "left_condition": "free"}
        | {"right_model": key, "right_epoch": 0, "right_condition": "free", "left": 0.5, "right": 0.3}
        | {"difference": 0.2, "low": 0.15, "high": 0.25, "p": 0.001, "p_holm": None if place == 0 else 0.03}
        | {"n": 24_288, "clusters": 2024, "method": "cluster-t"}
        for place, (key, epoch, (dataset, task)) in enumerate(
            (key, epoch, place) for key, epoch in epochs.items() for place in places.iter_rows()
        )
    ]
    return pl.DataFrame(rows, schema=columns_of("comparisons"))


def _certainty(free: pl.DataFrame) -> pl.DataFrame:
    rows = []
    for key, dataset, task in free.select("model", "dataset", "task").unique().sort("model", "dataset", "task").rows():
        head = {"model": key, "epoch": 1, "condition": "constrained", "dataset": dataset, "task": task, "n": 2024}
        head |= {"low": 0.5, "high": 0.9, "clusters": 1990, "method": "korn-graubard"}
        for measure in ("coverage", "reliability"):
            rows += [head | {"measure": measure, "at": at / 10, "value": 0.9 - at / 40} for at in range(1, 11)]
        rows += [head | {"measure": name, "at": 0.05, "value": 0.4} for name in ("unattended", "unattended_error")]
        rows.append(head | {"measure": "calibration_error", "at": 0.0, "value": 0.1})
    return pl.DataFrame(rows, schema=columns_of("certainty"))


def draw(name: str, files: dict[str, list[Path]], path: Path, **settings: Any) -> str:
    """Draw a figure or table of the registry; returns the SVG or HTML."""
    find(name).draw(Results(files, Settings.model_validate(settings))).write(path)
    return path.read_text(encoding="utf-8")


FAMILIES = {
    "Qwen2.5-7B": "Qwen2.5",
    "Llama 3.1 8B": "Llama",
    "Qwen3-8B": "Qwen3",
    "Mistral NeMo": "Mistral",
    "Qwen3-14B": "Qwen3",
    "Qwen3-32B": "Qwen3",
    "Mixtral 8x7B": "Mistral",
    "Llama 3.3 70B": "Llama",
}
SIMPLE: dict[str, Any] = {
    "kind": "majority-code",
    "family": "Baseline",
    "architecture": None,
    "parameters": None,
    "thinking": False,
}
SIMPLE |= {"quantisation_training": None, "quantisation_testing": None, "gpus_training": 0, "gpus_testing": 0}


def whole_models() -> list[Model]:
    """Return the paper's models and two coders of another kind, which have one checkpoint and no size."""
    hubs = {row.label: row for row in paper().models.rows}
    models = [
        model(
            f"m{place}",
            label=label,
            family=family,
            hub=hubs[label].hub,
            parameters=int(hubs[label].parameters * 1e9),
            thinking=family == "Qwen3",
            gpus_training=hubs[label].gpus_training,
            quantisation_training=hubs[label].quantisation_training,
            quantisation_testing=hubs[label].quantisation_testing,
        )
        for place, (label, family) in enumerate(FAMILIES.items())
    ]
    models.append(model("majority", label="Majority code", **SIMPLE))
    return [*models, model("nearest", label="Nearest catalogue label", **SIMPLE | {"kind": "nearest-label"})]


def whole_metrics(models: Sequence[Model], datasets: Sequence[str] = ("registry",)) -> pl.DataFrame:
    """Return rates of five epochs on all tasks; a coder without parameters has epoch 1 alone, and no base."""
    rates: list[list[dict[str, Any]]] = []
    places = [(name, "all", 24_288) for name in datasets]
    places += [("catalogue", stratum, 163_200) for stratum in ("train", "heldout_formulation", "heldout_label")]
    for rank, one in enumerate(models):
        for task in TASKS:
            for epoch in range(6) if one.parameters else (1,):
                skill = (0.1 + 0.04 * rank) * (1 - 0.5**epoch) * 1.6 + 0.08
                for dataset, stratum, asked in places:
                    place = {"model": one.key, "task": task, "epoch": epoch, "dataset": dataset, "stratum": stratum}
                    rates += _rates_at(skill * (0.6 if stratum == "heldout_label" else 1), asked, place, task)
                    if one.thinking and epoch == 0 and dataset != "catalogue":
                        rates += _rates_at(skill * 0.9, asked // 10, place | {"condition": "thinking"}, task)
                    for condition in (
                        ("swapped", "single", "constrained") if stratum == "all" and one.parameters else ()
                    ):
                        rates += _rates_at(skill, asked // 10, place | {"condition": condition}, task)
    return frame(*rates)


def _rates_at(skill: float, asked: int, place: dict[str, Any], task: str) -> list[list[dict[str, Any]]]:
    invalid = max(0.0, 0.25 - skill)
    of: dict[str, tuple[dict[str, Any], float]] = {
        "all": ({"denominator": "all", "n": asked}, skill * (1 - invalid)),
        "valid": ({"n": asked - 9}, skill),
    }
    found = [rate(invalid, metric="invalid_rate", **of["all"][0], **place)]
    for where, value in of.values():
        found.append(rate(value, **where, **place))
        if task in CODED:
            found.append(rate(min(1.0, value + 0.3), metric="partial_accuracy", **where, **place))
    slow = 20 if place.get("condition") == "thinking" else 0.1
    found.append(rate(slow, metric="seconds_per_question", **of["all"][0], **place))
    return found


def whole_study(folder: Path, label: str = "{}", datasets: Sequence[str] = ("registry",)) -> dict[str, list[Path]]:
    """Write the files of a whole study: eight models and two coders of another kind, all tasks, logs of training."""
    models = [replace(one, label=label.format(one.label)) for one in whole_models()]
    files = study_files(folder, whole_metrics(models, datasets), models, datasets)
    logs = []
    for one in models:
        for epoch in range(1, 6) if one.parameters else ():
            logs.append(folder / one.key / f"epoch-{epoch}" / "metrics.jsonl")
            logs[-1].parent.mkdir(parents=True, exist_ok=True)
            steps = [(epoch - 1 + step / 40, 2.0 / (1 + 3 * epoch + step / 9), step) for step in range(1, 41)]
            rows = [{"step": s, "epoch": e, "loss": v, "seconds": 90.0 * s} for e, v, s in steps]
            logs[-1].write_text("\n".join(map(json.dumps, rows)) + "\n", encoding="utf-8")
            logs[-1].with_name("attempts.jsonl").write_text("", encoding="utf-8")
    return files | {"training": logs, "attempts": [log.with_name("attempts.jsonl") for log in logs]}
