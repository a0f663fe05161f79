"""Shared by the unit tests: tiny models of every architecture, and a small table of questions."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from onkocode.catalogues.formats.parse import parse_catalogue
from onkocode.models.corpus import Document, build_corpus
from onkocode.records.schemas import columns_of

ROOT = Path(__file__).parents[2]
CATALOGUES = {
    "alphaid": "alphaid/icd10gm2024_alphaidse_edvtxt_example.txt",
    "icd10gm": "icd10gm/icd10gm2024syst_kodes_example.txt",
    "icdo3": "icdo3/icdo32019_claml_example.xml",
    "ops": "ops/ops2024syst_kodes_example.txt",
}
ARCHITECTURES = ("qwen2", "qwen3", "llama", "mistral", "mixtral")
# Pre-training steps: models that answer questions below need to know the end of turn, the others only exist.
STEPS = {"llama": 200, "qwen3": 300}

Parsed = dict[str, tuple[pl.DataFrame, pl.DataFrame]]


@pytest.fixture(scope="session")
def parsed_catalogues() -> Parsed:
    """Entries and label space of each example catalogue."""
    folder = ROOT / "example" / "catalogues"
    return {name: parse_catalogue(name, "example", folder / file) for name, file in CATALOGUES.items()}


@pytest.fixture(scope="session")
def labels_and_codes(parsed_catalogues: Parsed) -> tuple[list[str], dict[str, list[str]]]:
    """What pretrain-model hands to build_corpus: all labels, and per system the terminal codes."""
    labels = sorted({text for entries, _ in parsed_catalogues.values() for text in entries["text"].to_list()})
    spaces = pl.concat([codes for _, codes in parsed_catalogues.values() if codes.height])
    spaces = spaces.filter(pl.col("terminal") & (pl.col("tumour") | (pl.col("system") != "icd10gm")))
    return labels, {str(system): sorted(part["code"].to_list()) for (system,), part in spaces.group_by(["system"])}


def make_tiny(
    architecture: str, corpus: Sequence[tuple[str, str, str | None]], directory: Path, steps: int = 2, seed: int = 0
) -> tuple[Any, list[float]]:
    """Build, pre-train and save a tiny model; returns the model and the losses."""
    from onkocode.config.schema import TinyModel
    from onkocode.models import tiny

    shape = TinyModel.model_validate(
        {
            "architecture": architecture,
            "data": "example",
            "hidden_size": 32,
            "layers": 1,
            "heads": 2,
            "steps": steps,
            "batch_size": 16,
            "learning_rate": 1e-2,
            "seed": seed,
        }
    )
    tokenizer = tiny.build_tokenizer(architecture, [f"{q} {a} {t or ''}" for q, a, t in corpus], 500)
    model = tiny.build_model(shape, tokenizer)
    losses = tiny.pretrain(model, tokenizer, list(corpus), shape)
    tiny.save(model, tokenizer, directory)
    return model, losses


@pytest.fixture(scope="session")
def corpus(labels_and_codes: tuple[list[str], dict[str, list[str]]]) -> list[Document]:
    """A thousand documents, half of the questions with a thought."""
    return build_corpus(*labels_and_codes, documents=1000, thinking=True, seed=0)


@pytest.fixture(scope="session")
def tiny_models(tmp_path_factory: pytest.TempPathFactory, corpus: list[Document]) -> dict[str, Path]:
    """Directory of a tiny model per architecture. Tests must not write there."""
    folder = tmp_path_factory.mktemp("tiny")
    plain = [(question, answer, None) for question, answer, _ in corpus]
    for architecture in ARCHITECTURES:
        documents: Sequence[Document] = corpus if architecture == "qwen3" else plain
        make_tiny(architecture, documents, folder / architecture, STEPS.get(architecture, 2))
    return {architecture: folder / architecture for architecture in ARCHITECTURES}


def schema_of(table: str) -> Any:
    """Return the columns and types of a table."""
    return columns_of(table)


LABELS = [
    ("E01", "Krebs der Niere", "C64"),
    ("E02", "Bösartiges Geschwulst der Brustdrüse", "C50.9"),
    ("E03", "Hautkrebs am Ohr", "C44.2"),
    ("E04", "Mikropapilläres Schilddrüsenkarzinom", "C73"),
    ("E05", "Lungenkrebs im Oberlappen rechts", "C34.1"),
    ("E06", "Prostatakrebs", "C61"),
    ("E07", "Krebs des Blinddarms mit Durchbruch", "C18.0"),
    ("E08", "Magenkrebs", "C16.9"),
]
TEMPLATES = {
    "icd10-01": "Wie lautet der ICD-10-Code für die Diagnose „{}“?",
    "icd10-02": "Welcher ICD-10-Code gehört zu folgender Tumordiagnose: {}",
    "icd10-12": "ICD-10-Code zu: {}",
}
YES_NO = {"tumour-01": "Ist „{}“ eine Tumordiagnose?"}


def question_rows(dataset: str, split: str | None = None) -> list[dict[str, object]]:
    """Return rows of the small table: 8 labels × (3 questions for the code + 1 for yes or no)."""
    rows: list[dict[str, object]] = []
    for entry, text, code in LABELS:
        for task, templates in (("icd10", TEMPLATES), ("tumour", YES_NO)):
            for formulation, template in templates.items():
                expected = code if task == "icd10" else None
                rows.append(
                    {
                        "question_id": f"{dataset}:{entry}/{task}/{formulation}",
                        "entry_id": f"{dataset}:{entry}",
                        "cluster": f"{dataset}:{entry}",
                        "block": task,
                        "formulation_id": formulation,
                        "task": task,
                        "question": template.format(text),
                        "text": text,
                        "answer": expected or "Ja",
                        "code": expected,
                        "accepted": [],
                        "split": split or ("heldout_label" if entry == "E08" else "train"),
                        "origin_id": f"{dataset}:{entry}",
                    }
                )
    return rows


@pytest.fixture(scope="session")
def small_questions() -> pl.DataFrame:
    """32 questions on a catalogue, 28 of them for training."""
    return pl.DataFrame(question_rows("catalogue"), schema=schema_of("questions"))


@pytest.fixture(scope="session")
def text_table() -> pl.DataFrame:
    """The same questions as a test set."""
    return pl.DataFrame(question_rows("clinic", "test"), schema=schema_of("questions"))


@pytest.fixture
def usual_umask() -> Iterator[None]:
    """Put back the process' umask, which verbs that write private files change."""
    before = os.umask(0o022)
    os.umask(0o022)
    yield
    os.umask(before)
