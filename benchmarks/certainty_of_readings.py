"""Of how many catalogue labels the first code of a reading is right, as `onkocode.language.certainty` holds it.

    ONKOCODE_CATALOGUES=/path/to/catalogues python benchmarks/certainty_of_readings.py

Tumour labels of Alpha-ID by kind of finding, basis of its site, and whether words are in no table; and of as many
labels of other diseases, chosen by SHA-256, whether the reading tells them from tumours.
"""

import argparse
import os
from collections import Counter
from pathlib import Path

import polars as pl

from onkocode.catalogues.formats.parse import parse_catalogue
from onkocode.catalogues.vocabulary.codes import is_tumour
from onkocode.language.candidates import codes_said
from onkocode.language.lexicon import shipped_lexicon
from onkocode.records.ids import shuffled


def main() -> None:
    """Count and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tumours", default="alphaid2024_tumour_subset.csv", help="name of the file with their labels")
    parser.add_argument("--others", default="*alphaidse2024*.txt", help="name of the file with all labels")
    options = parser.parse_args()
    folder = Path(os.environ["ONKOCODE_CATALOGUES"])
    tumours, every = (labels(folder, pattern) for pattern in (options.tumours, options.others))
    others = every.filter([not is_tumour(code) for code in every["code"]])["text"].unique().sort().to_list()
    right, texts, decided, asked = Counter[object](), Counter[object](), Counter[bool](), Counter[bool]()
    for text, code in tumours.iter_rows():
        said = codes_said(shipped_lexicon(), text)
        key = (said.kind, said.basis, said.unread)
        texts[key] += 1
        right[key] += said.own.get("icd10gm") == code
        asked[said.tumour] += 1
        decided[said.tumour] += said.tumour
    for text in shuffled(others, 0, "no-tumours", others)[: tumours.height]:
        tumour = codes_said(shipped_lexicon(), text).tumour
        asked[tumour] += 1
        decided[tumour] += not tumour
    for key in sorted(texts, key=str):
        print(f"{key}: ({right[key]}, {texts[key]}),")
    for tumour in (True, False):
        print(f"{tumour}: ({decided[tumour]}, {asked[tumour]}),")


def labels(folder: Path, pattern: str) -> pl.DataFrame:
    """Return texts and codes of the one file of a name."""
    (path,) = sorted(folder.rglob(pattern))
    return parse_catalogue("alphaid", "2024", path)[0].filter(pl.col("code").is_not_null()).select("text", "code")


if __name__ == "__main__":
    main()
