"""Which columns of a data set hold questions and answers, by name and shape."""

from dataclasses import dataclass
from pathlib import Path

import polars as pl

from onkocode.records.errors import InputError

# Column of the question, further text of the question, column of the answer; the first that fits counts.
PAIRS = (
    ("question", None, "answer"),
    ("frage", None, "antwort"),
    ("instruction", "input", "output"),
    ("instruction", "input", "response"),
    ("prompt", None, "completion"),
    ("prompt", None, "response"),
    ("query", None, "response"),
    ("query", None, "answer"),
    ("input", None, "output"),
)
CONVERSATIONS = ("messages", "conversations", "conversation", "dialogue", "dialog", "turns")
ROLES, CONTENTS = ("role", "from"), ("content", "value", "text")
SPEAKERS = {"user": "user", "human": "user", "assistant": "assistant", "gpt": "assistant", "model": "assistant"}
REMEDY = "name them with --question-column and --answer-column"


@dataclass(frozen=True)
class Layout:
    """Columns that hold the pairs: question, further text of it, answer; or one or two with turns of a conversation."""

    columns: tuple[str, ...]
    turns: bool = False

    def __str__(self) -> str:
        return f"turns in {' and '.join(self.columns)}" if self.turns else ", ".join(self.columns)


def find_layout(path: Path, schema: pl.Schema, named: tuple[str, str] | None = None, tell: bool = True) -> Layout:
    """Return where the pairs stand.

    Args:
        path: the file, for messages.
        schema: its columns.
        named: the columns that the user named.
        tell: messages may list the columns; false where the first line may be no header, but a cell.

    Raises:
        InputError: no columns that are known, or of another type than text.
    """
    if named is not None:
        missing = [name for name in named if name not in schema]
        if missing:
            raise InputError(f"{path}: no column {' and no '.join(map(repr, missing))}{_found(schema, tell)}")
        return Layout(_checked(path, schema, named))
    by_name = {name.strip().lower(): name for name in schema.names()}
    for question, more, answer in PAIRS:
        if question in by_name and answer in by_name:
            names = [question, *([more] if more in by_name else []), answer]
            columns = tuple(by_name[name] for name in names if name is not None)
            if all(is_turns(schema[name]) for name in columns):
                return Layout(columns, turns=True)
            return Layout(_checked(path, schema, columns))
    for name in CONVERSATIONS:
        if name in by_name and is_turns(schema[by_name[name]]):
            return Layout((by_name[name],), turns=True)
    if "text" in by_name:
        raise InputError(
            f"{path}: question and answer stand together in the column {by_name['text']!r}, written with a chat "
            f"template; split them into two columns first"
        )
    raise InputError(f"{path}: no columns of questions and answers are recognised{_found(schema, tell)}; {REMEDY}")


def pairs_of(frame: pl.DataFrame, layout: Layout) -> pl.DataFrame:
    """Return the columns question and answer; a row without either has an empty text.

    Every turn of a user that is followed by one of the assistant is a pair; a row without such gives one empty pair.
    """
    if layout.turns:
        return _pairs_of_turns(frame, layout.columns)
    *question, answer = layout.columns
    texts = frame.select(pl.col(layout.columns).cast(pl.String).fill_null("").str.strip_chars())
    joined = pl.concat_str(question, separator="\n").str.strip_chars()
    return texts.select(question=joined, answer=pl.col(answer))


def _pairs_of_turns(frame: pl.DataFrame, columns: tuple[str, ...]) -> pl.DataFrame:
    parts = [_turns(frame, column, place) for place, column in enumerate(columns)]
    turns = pl.concat(parts).sort("row", "place", maintain_order=True).drop_nulls("speaker")
    follows = (pl.col("row") == pl.col("row").shift(-1)) & (pl.col("speaker").shift(-1) == "assistant")
    pairs = turns.with_columns(follows=follows, answer=pl.col("content").shift(-1))
    asked = pairs.filter((pl.col("speaker") == "user") & pl.col("follows"))
    rows = pl.DataFrame({"row": range(frame.height)}, schema={"row": pl.UInt32})
    joined = rows.join(asked, on="row", how="left")
    return joined.select(question=pl.col("content").fill_null(""), answer=pl.col("answer").fill_null(""))


def _turns(frame: pl.DataFrame, column: str, place: int) -> pl.DataFrame:
    """Return the turns of a column: row, place, speaker (null for others, such as the system), content."""
    dtype = frame.schema[column]
    role, content = _turn_fields(dtype) or ("", "")
    rows = pl.int_range(pl.len(), dtype=pl.UInt32)
    single = frame.select(row=rows, turn=pl.col(column))
    if isinstance(dtype, pl.Struct):  # a mapping of lists, as `datasets.Sequence` stores them
        flat = single.unnest("turn").explode(role, content)
    else:
        flat = single.explode("turn").unnest("turn")
    speaker = pl.col(role).cast(pl.String).str.to_lowercase().replace_strict(SPEAKERS, default=None)
    return flat.select("row", place=pl.lit(place), speaker=speaker, content=pl.col(content).cast(pl.String))


def _turn_fields(dtype: pl.DataType) -> tuple[str, str] | None:
    """Return the names of role and content where a column holds turns whose content is text."""
    listed = isinstance(dtype, pl.Struct)
    inner = dtype.inner if isinstance(dtype, pl.List) else dtype
    if not isinstance(inner, pl.Struct):
        return None
    text = pl.List(pl.String) if listed else pl.String()
    names = [field.name for field in inner.fields if field.dtype == text]
    found = [next((name for name in known if name in names), None) for known in (ROLES, CONTENTS)]
    return None if None in found else (str(found[0]), str(found[1]))


def is_turns(dtype: pl.DataType) -> bool:
    """Tell whether a column holds turns of a conversation, with role and text."""
    return _turn_fields(dtype) is not None


def _checked(path: Path, schema: pl.Schema, columns: tuple[str, ...]) -> tuple[str, ...]:
    nested = [name for name in columns if schema[name].is_nested()]
    if nested:
        raise InputError(f"{path}: column {nested[0]!r} holds no text; {REMEDY}")
    return columns


def _found(schema: pl.Schema, tell: bool) -> str:
    if not tell:
        return " in the first line (is it a header?)"
    shown = ", ".join(schema.names()[:20])
    return f" (columns: {shown}{' …' if len(schema) > 20 else ''})"
