"""The tables of a lexicon in a folder, as they were: what was fitted with them reads texts alike ever after."""

from pathlib import Path

from onkocode.language.check import check_form
from onkocode.language.lexicon import Lexicon, build_lexicon
from onkocode.language.rows import READERS, own_tables, read_table, shipped
from onkocode.records.errors import InputError, first_of

Files = tuple[tuple[str, str], ...]
OWN = ".own"


def read_own(folder: Path) -> dict[str, tuple[str, str]]:
    """Return a user's tables by key: name and content; raises InputError where there is none, or not in UTF-8."""
    if not folder.is_dir():
        raise InputError(f"{folder}: no folder; name the one that your tables are in")
    for path in sorted(folder.glob("*.tsv")):
        try:
            path.read_text(encoding="utf-8")
        except UnicodeDecodeError as error:
            raise InputError(f"{path}: byte {error.start} is not UTF-8; save it as UTF-8") from None
    own = own_tables(
        folder.absolute() if folder == Path() else folder
    )  # their names differ from those of the program's
    if not own:
        raise InputError(f"{folder}: holds no table; their names are {', '.join(f'{table}.tsv' for table in READERS)}")
    return own


def read_sound(folder: Path) -> dict[str, tuple[str, str]]:
    """Return a user's tables by key, name and content; raises InputError with every row that cannot be read."""
    own = read_own(folder)
    problems = [str(problem) for problem in check_form(own)]
    if problems:
        raise InputError(f"{len(problems)} fault(s) in the tables:\n{first_of(problems)}")
    return own


def write_tables(folder: Path, own: Path | None = None) -> None:
    """Write the tables of the program into a folder, and beside them those of a user.

    Raises:
        InputError: a user's table that cannot be read.
    """
    given = read_sound(own) if own else {}
    folder.mkdir(parents=True, exist_ok=True)
    for table in READERS:
        (folder / f"{table}.tsv").write_text(shipped(table), encoding="utf-8")
        if table in given:
            (folder / f"{table}{OWN}.tsv").write_text(given[table][1], encoding="utf-8")


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
