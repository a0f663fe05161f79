"""How often readings are right, as `onkocode.language.certainty` holds it.

    python benchmarks/certainty_of_readings.py weights [READINGS]
    python benchmarks/certainty_of_readings.py threshold [READINGS]
    python benchmarks/certainty_of_readings.py signals --round F --labels QUESTIONS LIST ... > READINGS
    ONKOCODE_CATALOGUES=/path/to/catalogues python benchmarks/certainty_of_readings.py decisions

`weights` prints the weights of a logistic regression on readings, and of the texts above thresholds, each read with
weights of the other rounds, the share and how many are right. `signals` reads clinical lists (names) and prints what
`weights` learns from, without the texts; QUESTIONS are those whose labels of the split train agree or not. Only what
a reader gave that had never met the texts tells how sure it may be. `threshold` says of readings of a later round how
many lie above the threshold that the program holds, and how many of these are right. `decisions` counts whether
readings tell tumour labels of Alpha-ID from as many labels of other diseases, chosen by SHA-256.
"""

import argparse
import csv
import os
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from scipy.stats import binomtest

from onkocode.language import certainty

ROOT = Path(__file__).parents[1]
LISTS, FIRST_READINGS = ROOT / "tests/language/lists", ROOT / "tests/language/first_readings.csv"
THRESHOLDS = (0.90, 0.92, 0.94, 0.95, 0.96, 0.97, 0.98)
OUTCOME = {
    "icd10gm": "icd10_accepted",
    "icd10gm beside labels": "icd10_accepted",
    "topography": "topography_right",
    "morphology": "morphology_right",
}
COLUMNS = ["round", "id", "basis", "icd10", "topography", "morphology", "first", "among", "likeness"]
COLUMNS += ["icd10_right", "icd10_accepted", "topography_right", "morphology_right"]


def main() -> None:
    """Run what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    for name in ("weights", "threshold"):
        command = commands.add_parser(name)
        command.add_argument("readings", type=Path, nargs="?", default=FIRST_READINGS)
    command = commands.add_parser("signals")
    command.add_argument("--round", required=True)
    command.add_argument("--labels", type=Path, required=True)
    command.add_argument("lists", nargs="+")
    command = commands.add_parser("decisions")
    command.add_argument("--tumours", default="alphaid2024_tumour_subset.csv", help="file with their labels")
    command.add_argument("--others", default="*alphaidse2024*.txt", help="file with all labels")
    options = parser.parse_args()
    {"weights": print_weights, "threshold": print_threshold, "signals": print_signals, "decisions": print_decisions}[
        options.command
    ](options)


def read(path: Path) -> pl.DataFrame:
    """Return readings, each a row; those without a code have none."""
    return pl.read_csv(path, schema_overrides={"round": pl.String})


def weights(readings: pl.DataFrame, name: str) -> dict[str, float]:
    """Return the weights of a logistic regression on the outcome of readings that have a code.

    Args:
        readings: as in `COLUMNS`.
        name: key of `certainty.WEIGHTS`.
    """
    known, numbers, right = _learned(readings, name)
    model = _fitted(numbers, right)
    return dict(zip(known, [float(model.intercept_[0]), *map(float, model.coef_[0])], strict=True))


def left_out(readings: pl.DataFrame, threshold: float) -> tuple[int, int, int]:
    """Return how many texts lie above a threshold, and of them the exact and the accepted codes of ICD-10.

    Each round is read with weights of the others.
    """
    name = "icd10gm beside labels"
    coded = _coded(readings, name)
    _, numbers, right = _learned(readings, name)
    rounds, found = coded["round"].to_numpy(), np.zeros(coded.height)
    for each in set(rounds):
        others = rounds != each
        found[~others] = _fitted(numbers[others], right[others]).predict_proba(numbers[~others])[:, 1]
    above = coded.filter(found >= threshold)
    return above.height, int(above["icd10_right"].sum()), int(above["icd10_accepted"].sum())


def above(readings: pl.DataFrame, threshold: float) -> pl.DataFrame:
    """Return the readings that the weights of the program put above a threshold."""
    name = "icd10gm beside labels"
    coded = _coded(readings, name)
    likely = [
        certainty.certainty("icd10gm", row["icd10"], row["basis"], row["morphology"], _agreement(row))
        for row in coded.iter_rows(named=True)
    ]
    return coded.filter(pl.Series(likely) >= threshold)


def _coded(readings: pl.DataFrame, name: str) -> pl.DataFrame:
    column = "icd10" if name.startswith("icd10gm") else name
    return readings.filter(pl.col(column).is_not_null(), pl.col(OUTCOME[name]).is_not_null())


def _learned(readings: pl.DataFrame, name: str) -> tuple[list[str], np.ndarray, np.ndarray]:
    """Return the names of the weights, the numbers beside the constant, and the outcomes."""
    known = list(certainty.WEIGHTS[name])
    system = name.partition(" ")[0]
    column = "icd10" if system == "icd10gm" else system
    coded = _coded(readings, name)
    rows = []
    for row in coded.iter_rows(named=True):
        labels = _agreement(row) if name.endswith("labels") else None
        found = certainty.signals(system, row[column], row["basis"], row["morphology"], labels)
        rows.append([found[each] for each in known[1:]])
    return known, np.array(rows), coded[OUTCOME[name]].to_numpy()


def _agreement(row: dict[str, object]) -> certainty.Agreement:
    return certainty.Agreement(bool(row["first"]), bool(row["among"]), float(str(row["likeness"])))


def _fitted(numbers: np.ndarray, right: np.ndarray) -> Any:
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression(C=1.0, max_iter=2000).fit(numbers, right)


def print_weights(options: argparse.Namespace) -> None:
    """Print the weights, and what lies above thresholds."""
    readings = read(options.readings)
    for name in certainty.WEIGHTS:
        print(name, {key: round(value, 2) for key, value in weights(readings, name).items()})
    for threshold in THRESHOLDS:
        print(threshold, _said(left_out(readings, threshold), readings.height))


def print_threshold(options: argparse.Namespace) -> None:
    """Print what lies above the threshold of the program."""
    readings = read(options.readings)
    for name, part in [("all", readings), *((str(key), part) for (key,), part in _by_list(readings))]:
        sure = above(part, certainty.SURE)
        counts = sure.height, int(sure["icd10_right"].sum()), int(sure["icd10_accepted"].sum())
        print(f"{name}, threshold {certainty.SURE}: {_said(counts, part.height)}")


def _by_list(readings: pl.DataFrame) -> Iterator[tuple[tuple[object, ...], pl.DataFrame]]:
    lists = pl.col("id").str.replace(r"-\d+$", "")
    yield from readings.with_columns(list=lists).group_by("list", maintain_order=True)


def _said(counts: tuple[int, int, int], texts: int) -> str:
    covered, exact, accepted = counts
    if not covered:
        return f"none of {texts}"
    rates = [f"{name} {_rate(right, covered)}" for name, right in (("exact", exact), ("accepted", accepted))]
    return f"{_rate(covered, texts)} of {texts} texts, of these {', '.join(rates)}"


def _rate(count: int, of: int) -> str:
    interval = binomtest(count, of).proportion_ci(method="wilson")
    return f"{100 * count / of:.1f} ({100 * interval.low:.1f}–{100 * interval.high:.1f})"


def print_signals(options: argparse.Namespace) -> None:
    """Read lists and print a row for each text."""
    from onkocode.language.lexicon import shipped_lexicon
    from onkocode.language.reading import read as read_diagnosis

    rows = [row for name in options.lists for row in _rows(LISTS / f"{name}.csv")]
    similar = _most_similar([row["text"] for row in rows], options.labels)
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(COLUMNS)
    for row in rows:
        found = read_diagnosis(shipped_lexicon(), row["text"]).subject
        code = (found and found.icd10) or ""
        code = code if "C00" <= code < "D49" else ""
        topography, morphology = (found.topography, found.morphology) if found else (None, None)
        labels = certainty.agreement(code, similar[row["text"]])
        accepted = code == row["icd10"] or code in row["also"].split()
        writer.writerow(
            [
                *(options.round, row["id"], found.basis if found else "", code, topography, morphology),
                *(int(labels.first), int(labels.among), round(labels.likeness, 4)),
                *(int(code == row["icd10"]), int(accepted), int((topography or "") == row["topography"])),
                int(morphology == row["morphology"]) if row["morphology"] else "",
            ]
        )


def _rows(path: Path) -> Iterator[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as stream:
        yield from csv.DictReader(stream, delimiter=";")


def _most_similar(texts: list[str], questions: Path) -> dict[str, list[tuple[str, float]]]:
    """Return the answers of the labels that are spelt most like each text."""
    import tempfile

    from onkocode.coders import nearest_label
    from onkocode.config.coders import NearestLabel

    settings = NearestLabel(kind="nearest-label", candidates=certainty.LABELS)
    trained = pl.scan_parquet(questions).filter(pl.col("task") == "icd10", pl.col("split") == "train")
    entries = trained.select("task", "answer", "text", origin_id="text").unique().collect()
    asked = pl.DataFrame({"text": sorted(set(texts))}).select(pl.lit("icd10").alias("task"), "text")
    with tempfile.TemporaryDirectory() as folder:
        nearest_label.fit(settings, entries, Path(folder))
        answers = nearest_label.load(settings, Path(folder))(asked)
    found: dict[str, list[tuple[str, float]]] = {}
    for text, answer, score in answers.sort("text", "rank").select("text", "answer", "score").iter_rows():
        found.setdefault(text, []).append((answer, score))
    return found


def print_decisions(options: argparse.Namespace) -> None:
    """Count and print."""
    from onkocode.catalogues.vocabulary.codes import is_tumour
    from onkocode.language.candidates import codes_said
    from onkocode.language.lexicon import shipped_lexicon
    from onkocode.records.ids import shuffled

    folder = Path(os.environ["ONKOCODE_CATALOGUES"])
    tumours, every = (_labels(folder, pattern) for pattern in (options.tumours, options.others))
    others = every.filter([not is_tumour(code) for code in every["code"]])["text"].unique().sort().to_list()
    right, asked = Counter[bool](), Counter[bool]()
    some = shuffled(others, 0, "no-tumours", others)[: tumours.height]
    for expected, texts in ((True, tumours["text"].to_list()), (False, some)):
        for text in texts:
            said = codes_said(shipped_lexicon(), text).tumour
            asked[said] += 1
            right[said] += said == expected
    for said in (True, False):
        print(f"{said}: ({right[said]}, {asked[said]}),")


def _labels(folder: Path, pattern: str) -> pl.DataFrame:
    """Return texts and codes of the one file of a name."""
    from onkocode.catalogues.formats.parse import parse_catalogue

    (path,) = sorted(folder.rglob(pattern))
    return parse_catalogue("alphaid", "2024", path)[0].filter(pl.col("code").is_not_null()).select("text", "code")


if __name__ == "__main__":
    main()
