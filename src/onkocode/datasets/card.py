"""The card of an exported data set (README.md): front matter that the Hub reads, and what a reader must know."""

import json
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import polars as pl

from onkocode.catalogues.fetching.sources import TERMS_SENTENCE
from onkocode.datasets.export import COLUMNS, Split
from onkocode.paper import paper
from onkocode.questions.counts import FURTHER_TITLES
from onkocode.questions.lineage import CatalogueSource

TERMS_PAGE = "https://www.bfarm.de/DE/Kodiersysteme/Services/Downloads/_node.html"
SIZES = {1_000: "n<1K", 10_000: "1K<n<10K", 100_000: "10K<n<100K", 1_000_000: "100K<n<1M", 10_000_000: "1M<n<10M"}
LARGEST = "10M<n<100M"
TITLES = {row.block: row.title for row in paper().questions.blocks} | FURTHER_TITLES
MEANING = {
    "train": "for training",
    "heldout_formulation": "labels that are trained on, in phrasings that are not",
    "heldout_label": "labels that stay out of training, in every block",
    "heldout_negative": "diagnoses that are no tumours, and whose labels are not trained on, to measure specificity",
}
# Options of the data key in the order of the card, with their names there.
OPTIONS: tuple[str, ...] = (
    "negatives_per_tumour",
    "duplicates",
    "secondary_tumours",
    "ops_classes",
    "ops_inclusions",
    "yes_with_code",
    "topography_from_alphaid",
    "links",
    "heldout_labels",
    "heldout_formulations",
    "heldout_negatives",
    "augmentation",
    "clinical",
    "sample",
)


@dataclass(frozen=True)
class DatasetFacts:
    """What a card tells."""

    key: str  # name of the data set
    splits: Sequence[Split]
    counts: pl.DataFrame  # of `export.block_counts`
    sha256: str
    sources: Sequence[CatalogueSource]
    record: dict[str, Any]  # provenance of the table; may be empty
    system_prompt: str | None = None


def card_text(facts: DatasetFacts) -> str:
    """Return the card as Markdown with YAML front matter."""
    from huggingface_hub import DatasetCard

    record, settings = facts.record, _settings(facts.record)
    versions = record.get("versions", {})
    template = resources.files("onkocode.datasets").joinpath("templates/dataset_card.md")
    card = DatasetCard.from_template(
        _front_matter(facts),
        template_str=template.read_text(encoding="utf-8"),
        title=_title(facts),
        example=_is_example(facts),
        terms_sentence=TERMS_SENTENCE,
        terms_page=TERMS_PAGE,
        questions=sum(split.questions for split in facts.splits),
        rewritten=int(facts.counts["rewritten"].sum()),
        linked="icdo-link" in facts.counts["block"],
        composed=any(block.startswith("clinical-") for block in facts.counts["block"]),
        counts_table=_counts_table(facts),
        splits=[(split.name, split.questions, MEANING[split.name]) for split in facts.splits],
        sources=facts.sources,
        sha256=facts.sha256,
        formulations=settings.get("formulations"),
        formulations_sha256=record.get("formulations_sha256"),
        seed=settings.get("seed"),
        options={name: json.dumps(settings[name]) for name in OPTIONS if name in settings},
        settings=json.dumps(settings, ensure_ascii=False) if settings else None,
        commands=rebuild_commands(facts.key, settings, facts.system_prompt) if settings else [],
        onkocode=versions.get("onkocode") if isinstance(versions, dict) else None,
        commit=record.get("git_commit"),
        system_prompt=facts.system_prompt,
    )
    return str(card)


def write_card(facts: DatasetFacts, folder: Path) -> None:
    """Write the card into the directory of the data set."""
    folder.joinpath("README.md").write_text(card_text(facts), encoding="utf-8")


def rebuild_commands(key: str, settings: dict[str, Any], system_prompt: str | None = None) -> list[str]:
    """Return the commands that build the data set from catalogue files, with the settings in `settings.json`."""
    versions = {name: _as_list(settings[name]) for name in ("alphaid", "icd10gm", "icdo3", "ops") if name in settings}
    lines = [
        f"onkocode parse-catalogue --dataset {name} --version {version} --file {name}-{version}.source "
        f"--entries {name}-{version}.entries.parquet --codes {name}-{version}.codes.parquet"
        for name, values in versions.items()
        for version in values
    ]
    build = "onkocode build-questions"
    for name in ("alphaid", "icdo3", "ops"):
        build += f" --{name} " + " ".join(f"{name}-{version}.entries.parquet" for version in versions.get(name, []))
    build += f" --icd10gm icd10gm-{settings.get('icd10gm')}.codes.parquet"
    if settings.get("crosswalk"):
        rules = f"crosswalk-{settings['crosswalk']}"
        lines.append(f"onkocode parse-crosswalk --file {rules}.source --output {rules}.parquet")
        build += f" --crosswalk {rules}.parquet --topographies icdo3-{versions['icdo3'][0]}.codes.parquet"
    lines.append(f"{build} --settings @settings.json --output {shlex.quote(key)}.parquet")
    prompt = "" if system_prompt is None else f" --system-prompt {shlex.quote(system_prompt)}"
    name = shlex.quote(key)
    return [*lines, f"onkocode questions export --questions {name}.parquet{prompt} --output {name}"]


def _front_matter(facts: DatasetFacts) -> Any:
    from huggingface_hub import DatasetCardData

    questions = sum(split.questions for split in facts.splits)
    licence: dict[str, Any] = {"license": "mit"}
    if not _is_example(facts):
        licence = {"license": "other", "license_name": "bfarm-terms-of-use", "license_link": TERMS_PAGE}
    files = [{"split": split.name, "path": f"data/{split.name}-*.parquet"} for split in facts.splits]
    turn = [{"name": name, "dtype": "string"} for name in ("role", "content")]
    features = [*[{"name": name, "dtype": "string"} for name in COLUMNS], {"name": "messages", "list": turn}]
    return DatasetCardData(
        language=["de"],
        **licence,
        task_categories=["question-answering", "text-generation"],
        tags=["medical", "oncology", "icd-10-gm", "icd-o-3", "ops"],
        pretty_name=_title(facts),
        size_categories=[next((name for limit, name in SIZES.items() if questions < limit), LARGEST)],
        dataset_info={"features": features},  # plain strings and lists, whatever the Parquet writer made of them
        configs=[{"config_name": "default", "data_files": files}],
    )


def _title(facts: DatasetFacts) -> str:
    return f"Questions on German tumour catalogues ({facts.key})"


def _is_example(facts: DatasetFacts) -> bool:
    """Tell whether the data set is of the project's example alone; where nothing is recorded it is taken for real."""
    return facts.record.get("terms") not in (None, TERMS_SENTENCE)


def _settings(record: dict[str, Any]) -> dict[str, Any]:
    settings = record.get("settings")
    return settings if isinstance(settings, dict) else {}


def _counts_table(facts: DatasetFacts) -> list[list[str]]:
    """Return header and rows: block, questions per split, total."""
    names = [split.name for split in facts.splits]
    wide = facts.counts.pivot("split", index="block", values="questions").fill_null(0)
    order = [block for block in TITLES if block in wide["block"]]
    order += sorted(set(wide["block"]) - set(order))
    rows = [["block", "asks for", *names, "total"]]
    for block in order:
        numbers = [int(value) for value in wide.filter(pl.col("block") == block).select(names).row(0)]
        rows.append([f"`{block}`", TITLES.get(block, block), *[f"{n:,}" for n in (*numbers, sum(numbers))]])
    sums = [split.questions for split in facts.splits]
    return [*rows, ["all", "", *[f"{n:,}" for n in (*sums, sum(sums))]]]


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
