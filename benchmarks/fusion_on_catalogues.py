"""How many catalogue labels the fusion of coders codes right, and each of its members.

    ONKOCODE_CATALOGUES=/path/to/catalogues python benchmarks/fusion_on_catalogues.py

Two splits, ICD-10: a tenth of the tumour labels of Alpha-ID, chosen by SHA-256, coded by what was fitted on the others;
and the titles of terminal classes in C00–D48 that are no labels of Alpha-ID, coded by what was fitted on all labels.
Rates in percent with 95 % Wilson intervals. `--development` splits the labels of the first fit once more, to compare
settings without the held-out labels. `--clinical LIST ...` asks instead about clinical texts that name a tumour, by the
lists' names in tests/language/lists; fitted on all labels.
"""

import argparse
import json
import math
import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl

from onkocode.catalogues.formats.parse import parse_catalogue
from onkocode.catalogues.vocabulary.codes import is_tumour
from onkocode.coders.fitted import FittedCoder, fit_coder
from onkocode.coders.interface import find_kind
from onkocode.config.coders import members_of, read_fit_settings
from onkocode.records.ids import shuffled, text_key

SHARE = 0.1
LISTS = Path(__file__).parents[1] / "tests/language/lists"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--alphaid", default="alphaid2024_tumour_subset.csv", help="name of the file with labels")
    parser.add_argument("--icd10gm", default="icd10gm2024syst_kodes*.txt", help="name of the file with classes")
    parser.add_argument("--settings", default='{"kind": "fusion"}', help="of the fusion, as JSON")
    parser.add_argument("--development", action="store_true", help="split the labels of the first fit once more")
    parser.add_argument("--clinical", nargs="+", default=[], help="lists of clinical texts to ask about instead")
    options = parser.parse_args()
    settings = read_fit_settings(json.loads(options.settings))
    entries = parse_catalogue("alphaid", "2024", catalogue(options.alphaid))[0].drop_nulls("code")
    labels = entries.filter([is_tumour(code) for code in entries["code"]]).select("text", answer="code")
    codes = parse_catalogue("icd10gm", "2024", catalogue(options.icd10gm))[1]
    if options.clinical:
        texts = pl.concat(pl.read_csv(LISTS / f"{name}.csv", separator=";") for name in options.clinical)
        asked = texts.filter(pl.col("icd10").is_not_null()).select("text", answer="icd10")
        measure(f"clinical texts ({', '.join(options.clinical)})", settings, labels, asked, codes)
        return
    known, asked = split(labels, "held-out labels")
    if options.development:
        known, asked = split(known, "development")
    measure("a tenth of the labels", settings, known, asked, codes)
    if not options.development:
        titles = codes.filter("tumour", "terminal").select(text="title", answer="code")
        keys = {text_key(text) for text in labels["text"]}
        others = titles.filter([text_key(text) not in keys for text in titles["text"]])
        measure("titles that are no labels", settings, labels, others, codes)


def catalogue(pattern: str) -> Path:
    """Return the one file of a name in the folder of catalogues."""
    found = sorted(Path(os.environ["ONKOCODE_CATALOGUES"]).rglob(pattern))
    if len(found) != 1:
        raise SystemExit(f"{len(found)} files {pattern} in the folder of ONKOCODE_CATALOGUES")
    return found[0]


def split(labels: pl.DataFrame, purpose: str) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return the labels to fit on, and a tenth of them to ask."""
    keys = sorted(set(labels["text"]))
    held = pl.col("text").is_in(shuffled(keys, 0, purpose, keys)[: round(SHARE * len(keys))])
    return labels.filter(~held), labels.filter(held)


def measure(name: str, settings: Any, known: pl.DataFrame, asked: pl.DataFrame, codes: pl.DataFrame) -> None:
    """Fit on some labels, ask about others, and print the rates."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        began = time.process_time()
        facts = fit_coder(settings, questions(known), folder, [codes])
        size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1e6
        print(f"{name}: {known.height} labels fitted in {time.process_time() - began:.0f} s of CPU time, {size:.0f} MB")
        print(f"  {facts}")
        for coder, answers in ask(settings, folder, questions(asked)):
            rates = [rate(asked, answers, length) for length in (None, 3)]
            print(f"  {coder:15} exact {rates[0]}, category {rates[1]}, n = {asked.height}", flush=True)


def questions(labels: pl.DataFrame) -> pl.DataFrame:
    """Return labels as questions, as far as a coder looks at them."""
    ids = pl.Series("entry_id", [f"e{number:05}" for number in range(labels.height)])
    shared = {"task": pl.lit("icd10"), "split": pl.lit("train")}
    return labels.with_columns(ids, origin_id=ids, question_id=ids, **shared)


def ask(settings: Any, folder: Path, asked: pl.DataFrame) -> Iterator[tuple[str, pl.DataFrame]]:
    """Yield the first answers of each member, and of the fusion."""
    texts = asked.select("task", "text").unique().sort("text")
    for number, member in enumerate(members_of(settings), 1):
        answer = find_kind(member.kind).load(member, folder / f"{number}-{member.kind}")
        yield member.kind, answer(texts).filter(pl.col("rank") == 1).select("text", said="answer")
    began = time.process_time()
    answers = FittedCoder(folder).answer({"labels": asked})["labels"]
    print(f"  answered by all in {(time.process_time() - began) * 1000 / texts.height:.1f} ms a text")
    first = answers.filter(pl.col("rank") == 1).join(asked, on="question_id")
    yield settings.kind, first.select("text", said=pl.col("answer")).unique()


def rate(asked: pl.DataFrame, answers: pl.DataFrame, length: int | None) -> str:
    """Return the share of labels whose first answer agrees in its first characters, with its interval."""
    pairs = asked.join(answers, on="text", how="left")
    right = pairs.select(pl.col("said").str.slice(0, length) == pl.col("answer").str.slice(0, length)).to_series()
    low, high = wilson(int(right.sum()), asked.height)
    return f"{100 * right.sum() / asked.height:.1f} ({100 * low:.1f}–{100 * high:.1f})"


def wilson(k: int, n: int) -> tuple[float, float]:
    """Return the 95 % interval of Wilson 1927."""
    z = 1.96
    share, width = k / n + z**2 / (2 * n), z * math.sqrt(k / n * (1 - k / n) / n + z**2 / (4 * n**2))
    return (share - width) / (1 + z**2 / n), (share + width) / (1 + z**2 / n)


if __name__ == "__main__":
    main()
