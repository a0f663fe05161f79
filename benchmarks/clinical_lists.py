"""What the reader of clinical language gets on the lists of test texts: rates with 95 % intervals, and time.

python benchmarks/clinical_lists.py [--wrong] [LIST ...]

`--wrong` names the rows that were read otherwise than their key says.
"""

import argparse
import csv
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from scipy.stats import binomtest

from onkocode.language.lexicon import Lexicon, build_lexicon, load_tables
from onkocode.language.reading import read

LISTS = Path(__file__).parents[1] / "tests/language/lists"
MEASURES = ("ICD-10", "category", "accepted", "topography", "morphology")


@dataclass
class Count:
    """Right answers and texts by measure."""

    right: dict[str, int] = field(default_factory=lambda: dict.fromkeys(MEASURES, 0))
    asked: dict[str, int] = field(default_factory=lambda: dict.fromkeys(MEASURES, 0))

    def add(self, results: dict[str, bool]) -> None:
        """Count the results of a text."""
        for measure, right in results.items():
            self.asked[measure] += 1
            self.right[measure] += right

    def __str__(self) -> str:
        return "  ".join(self._rate(measure) for measure in MEASURES if self.asked[measure])

    def _rate(self, measure: str) -> str:
        count, of = self.right[measure], self.asked[measure]
        interval = binomtest(count, of).proportion_ci(method="wilson")
        return f"{measure} {100 * count / of:.1f} ({100 * interval.low:.1f}–{100 * interval.high:.1f}, n {of})"


def judge(lexicon: Lexicon, row: dict[str, str]) -> dict[str, bool]:
    """Compare what a text is read as with its key."""
    finding = read(lexicon, row["text"]).subject
    code = (finding and finding.icd10) or ""
    code = code if "C00" <= code < "D49" else ""
    results = {"ICD-10": code == row["icd10"], "category": code[:3] == row["icd10"][:3]}
    results["accepted"] = code == row["icd10"] or code in row["also"].split()
    for measure in ("topography", "morphology"):
        if row[measure]:
            results[measure] = bool(code) and finding is not None and getattr(finding, measure) == row[measure]
    return results


def rows(path: Path) -> Iterator[dict[str, str]]:
    """Yield the rows of a list."""
    with path.open(encoding="utf-8", newline="") as stream:
        yield from csv.DictReader(stream, delimiter=";")


def main() -> None:
    """Print a line for each list, and for all."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--wrong", action="store_true")
    parser.add_argument("lists", nargs="*")
    options = parser.parse_args()
    began = time.process_time()
    lexicon = build_lexicon(load_tables())
    print(f"tables: {time.process_time() - began:.2f} s of CPU time")
    total, by_key, spent = Count(), {key: Count() for key in ("yes", "category", "no")}, 0.0
    for path in sorted(LISTS.glob("*.csv")):
        if options.lists and path.stem not in options.lists:
            continue
        of_list = Count()
        for row in rows(path):
            began = time.process_time()
            results = judge(lexicon, row)
            spent += time.process_time() - began
            for count in (of_list, total, by_key[row["derivable"]]):
                count.add(results)
            if options.wrong and not results["ICD-10"]:
                print(f"  {row['id']}")
        print(f"{path.stem}: {of_list}")
    for key, count in by_key.items():
        print(f"derivable {key}: {count}")
    print(f"all: {total}")
    print(f"{1000 * spent / total.asked['ICD-10']:.2f} ms of CPU time a text")


if __name__ == "__main__":
    main()
