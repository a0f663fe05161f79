"""How long parsing and building take, against a plain row-by-row writer, and whether memory stays flat over ten years.

    python benchmarks/catalogues_and_questions.py --config config/config.yaml

Every ratio is within one run on one machine. Ten years are made from the one at hand: each earlier year has the same
entries, of which 3 % carry a label of their own.
"""

import argparse
import hashlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl

from onkocode.catalogues.formats.parse import DATASETS, parse_catalogue
from onkocode.config.loading import merge_files
from onkocode.questions.blocks import CatalogueTables, core_blocks, select_entries
from onkocode.questions.build import QuestionStream
from onkocode.questions.formulations import load_formulations
from onkocode.records.ids import text_key
from onkocode.records.schemas import write_frames, write_table
from onkocode.study import Study

YEARS = 10
NEW_LABELS = 0.03


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", type=Path, nargs="+", default=[Path("config/config.yaml")])
    parser.add_argument("--data", help="data key; default: that of the first model")
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    study = Study(merge_files(options.config), options.config)
    key = options.data or study.data_keys[0]
    with tempfile.TemporaryDirectory() as folder:
        measure(study, key, Path(folder), options.repeats)


def measure(study: Study, key: str, folder: Path, repeats: int) -> None:
    """Print all measurements of a data key."""
    tables: dict[str, tuple[pl.DataFrame, pl.DataFrame]] = {}
    total = 0.0
    for dataset in DATASETS:
        name = study.catalogue(dataset, key)
        version = name.removeprefix(f"{dataset}-")
        path = Path(study.local_catalogue(dataset, version)[0])
        seconds, tables[dataset] = timed(lambda d=dataset, v=version, p=path: parse_catalogue(d, v, p), 1)
        total += seconds
        print(f"parse {name}: {seconds:.2f} s ({path.stat().st_size / 1e6:.1f} MB)")
        write_table(tables[dataset][0], "entries", folder / f"{dataset}-entries.parquet")
        write_table(tables[dataset][1], "codes", folder / f"{dataset}-codes.parquet")
    print(f"parse all: {total:.2f} s")

    # The row-by-row writer knows neither held-out rows nor further blocks.
    bare = {"heldout_labels": 0.0, "heldout_formulations": 0, "heldout_negatives": 0, "augmentation": None}
    data = study.data[key].model_copy(update=bare | {"topography_from_alphaid": False, "links": 0})
    sources = CatalogueTables(
        *([tables[name][0]] for name in ("alphaid", "icdo3", "ops")), icd10gm=tables["icd10gm"][1]
    )
    ours, facts = timed(lambda: stream(sources, data, folder / "ours.parquet"), repeats)
    plain, rows = timed(lambda: row_by_row(sources, data, folder / "plain.jsonl"), repeats)
    if rows != (facts["questions"], facts["questions_sha256"]):
        raise SystemExit("the row-by-row writer wrote other questions; the comparison means nothing")
    print(f"build {facts['questions']:,} questions with hash, as Parquet: {ours:.2f} s (best of {repeats})")
    print(f"the same row by row, as JSON lines: {plain:.2f} s; ratio {plain / ours:.1f}")

    settings = data.model_dump_json()
    years = earlier_years(tables["alphaid"][0], folder)
    for label, paths in (("one year", years[:1]), (f"{YEARS} years", years)):
        seconds, peak, count = as_a_job(folder, paths, settings)
        print(f"build-questions, {label}: {count:,} questions, {seconds:.1f} s, at most {peak:.0f} MB resident")


def timed(call: Callable[[], Any], repeats: int) -> tuple[float, Any]:
    """Return the least seconds of several calls, and the last result."""
    best = float("inf")
    for _ in range(repeats):
        started = time.perf_counter()
        result = call()
        best = min(best, time.perf_counter() - started)
    return best, result


def stream(sources: CatalogueTables, data: Any, path: Path) -> dict[str, Any]:
    """Build as build-questions does."""
    questions = QuestionStream(sources, data)
    write_frames(questions, "questions", path)
    return questions.facts


def row_by_row(sources: CatalogueTables, data: Any, path: Path) -> tuple[int, str]:
    """Write the same questions one at a time with the standard library; only for data keys that hold nothing out.

    Returns:
        Number of rows, and the hash over the canonical rows in id order.
    """
    blocks = core_blocks(select_entries(sources, data), data)
    lines = []
    with path.open("w", encoding="utf-8") as file:
        for name, entries in blocks.items():
            block = load_formulations(data.formulations)[name]
            for entry in entries.iter_rows(named=True):
                for key, template in block.templates.items():
                    row = {
                        "question_id": f"{entry['entry_id']}/{name}/{key}",
                        "question": template.replace("{text}", entry["text"]),
                        "answer": entry["answer"],
                        "split": "train",
                    }
                    file.write(json.dumps(row, ensure_ascii=False) + "\n")
                    lines.append("\t".join(row.values()) + "\n")
    lines.sort(key=lambda line: line.split("\t", 1)[0])
    return len(lines), hashlib.sha256("".join(lines).encode()).hexdigest()


def earlier_years(entries: pl.DataFrame, folder: Path) -> list[Path]:
    """Write Alpha-ID of ten years, the leading one first; returns the paths."""
    paths = []
    for year in range(YEARS):
        changed = pl.int_range(pl.len()) % round(1 / NEW_LABELS) == year
        text = pl.when(changed & (year > 0)).then(pl.col("text") + f", alte Bezeichnung {year}").otherwise("text")
        frame = entries.with_columns(entry_id=pl.col("entry_id") + f"-{year}", text=text)
        frame = frame.with_columns(text_key=pl.Series([text_key(label) for label in frame["text"]]))
        paths.append(folder / f"alphaid-{year}.parquet")
        write_table(frame, "entries", paths[-1])
    return paths


def as_a_job(folder: Path, alphaid: list[Path], settings: str) -> tuple[float, float, int]:
    """Run the verb as a process; returns seconds, peak resident memory in MB, and the number of questions."""
    output = folder / "job.parquet"
    command = [sys.executable, "-m", "onkocode.cli", "build-questions", "--alphaid", *map(str, alphaid)]
    command += ["--icdo3", str(folder / "icdo3-entries.parquet"), "--ops", str(folder / "ops-entries.parquet")]
    command += ["--icd10gm", str(folder / "icd10gm-codes.parquet"), "--settings", settings, "--output", str(output)]
    started = time.perf_counter()
    process = subprocess.Popen(command)
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - started
    if status:
        raise SystemExit("build-questions failed")
    return seconds, usage.ru_maxrss / 1024, pl.scan_parquet(output).select(pl.len()).collect().item()


if __name__ == "__main__":
    main()
