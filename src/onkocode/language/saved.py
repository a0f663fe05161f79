"""The tables of a lexicon in a folder, as they were: what was fitted with them reads texts alike ever after."""

from pathlib import Path

from onkocode.language.lexicon import Lexicon, build_lexicon
from onkocode.language.rows import READERS, own_tables, read_table, shipped
from onkocode.records.errors import InputError

Files = tuple[tuple[str, str], ...]
OWN = ".own"


def write_tables(folder: Path, own: Path | None = None) -> None:
    """Write the tables of the program into a folder, and beside them those of a user.

    Raises:
        InputError: a user's table that cannot be read.
    """
    given = read_own(own) if own else {}
    folder.mkdir(parents=True, exist_ok=True)
    for table in READERS:
        (folder / f"{table}.tsv").write_text(shipped(table), encoding="utf-8")
        if table in given:
            (folder / f"{table}{OWN}.tsv").write_text(given[table][1], encoding="utf-8")


def read_own(folder: Path) -> dict[str, tuple[str, str]]:
    """Return a user's tables by key, name and content; raises InputError with all rows that cannot be read."""
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder; it holds tables of clinical language, as TSV files")
    try:
        found = own_tables(folder)
    except UnicodeDecodeError:
        raise InputError(f"{folder}: holds a table that is not in UTF-8; save it again in UTF-8") from None
    if not found:
        raise InputError(f"{folder}: holds no table; there are {', '.join(f'{table}.tsv' for table in READERS)}")
    for table, (name, text) in found.items():
        read_table(table, name, text)
    return found


def saved_tables(folder: Path) -> Files:
    """Return the tables in a folder: names and contents."""
    return tuple((path.name, path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*.tsv")))


def lexicon_of(files: Files) -> Lexicon:
    """Return the lexicon of saved tables, a user's rows before those of the program."""
    texts = dict(files)
    return build_lexicon(
        {
            table: [
                row
                for name in (f"{table}{OWN}.tsv", f"{table}.tsv")
                for row in read_table(table, name, texts.get(name, ""))
            ]
            for table in READERS
        }
    )
