"""Wordings of sites and kinds of tumours: the patterns of the tables, written out."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import islice, product

from onkocode.language.rows import read_rows, shipped
from onkocode.questions.clinical.grammar import (
    ENDINGS,
    completed,
    gender,
    inflected,
    is_adjective,
    is_english,
    is_listed,
    joined,
    names_tumour,
)

PIECE = re.compile(r'"[^"]*"|\([^()]*\)|\S+')
MOST = 24  # ways to choose the words of an alternative
LEUKAEMIAS = ("9800", "9950")
# The noun of which some patterns have the adjectives alone (invasiv lobulär).
HEADS = {
    **dict.fromkeys(("epithelial/3", "neuroendocrine/3", "salivary/3"), "Karzinom"),
    "lymphoid/3": "Lymphom",
    "melanocytic/3": "Melanom",
    "soft/3": "Sarkom",
    "brain/3": "Gliom",
}
TABLES = ("sites", "regions", "histologies", "haematology")


@dataclass(frozen=True)
class Wording:
    """One way to name a site or a kind of tumour.

    Attributes:
        text: in the nominative.
        place: row that it is of (`sites.tsv:12`).
        gender: of its noun; empty where it is not known.
        noun: its noun, where it is a noun with nothing behind.
    """

    text: str
    place: str
    gender: str = ""
    noun: str = ""


@dataclass(frozen=True)
class _Piece:
    text: str
    quoted: bool
    first: str = ""  # of the words to choose from


@cache
def all_wordings() -> dict[str, list[Wording]]:
    """Return the wordings of each row of the tables by its place, those of its first alternative first."""
    return {
        str(place): list(wordings(cells["pattern"], str(place), _head(cells)))
        for table in TABLES
        for place, cells in read_rows(f"{table}.tsv", shipped(table))
    }


def _head(cells: Mapping[str, str]) -> str | None:
    """Return the noun of a kind of tumour of which a pattern has the adjectives alone; None for a site."""
    if "kind" not in cells:
        return None
    code = cells["code"]
    leukaemia = LEUKAEMIAS[0] <= code <= LEUKAEMIAS[1]
    return "Leukämie" if leukaemia else HEADS.get(f"{cells['kind']}{code[4:]}", "")


def wordings(pattern: str, place: str, head: str | None) -> Iterator[Wording]:
    """Yield the wordings of a pattern, each once.

    Args:
        pattern: of a row.
        place: of the row.
        head: noun of a tumour where the pattern has none; None = a site, whose words stand in the pattern's order.
    """
    seen = set()
    for alternative in pattern.split(" | "):
        for pieces in _choices(alternative):
            found = _written(pieces, place, head)
            if found and found.text.lower() not in seen:
                seen.add(found.text.lower())
                yield found


def _choices(alternative: str) -> Iterator[list[_Piece]]:
    groups: list[list[_Piece]] = []
    for piece in PIECE.findall(alternative):
        if piece.startswith("-") and len(piece) > 1:
            continue
        if piece.startswith("("):
            options = [option.strip() for option in piece[1:-1].split("/")]
            groups.append([_Piece(option, " " in option, options[0]) for option in options if option])
        else:
            groups.append([_Piece(piece.strip('"'), piece.startswith('"'))])
    for chosen in islice(product(*groups), MOST):
        pieces = [_Piece(completed(piece.text), piece.quoted, piece.first) for piece in chosen]
        if all(piece.text for piece in pieces):
            yield pieces


def _written(pieces: Sequence[_Piece], place: str, head: str | None) -> Wording | None:
    words = [word for piece in pieces for word in piece.text.split()]
    if any(is_english(word) for word in words):
        return Wording(" ".join(words), place) if all(_may_be_english(word) for word in words) else None
    if len(words) == 1:
        return Wording(words[0], place, gender(words[0]) if words[0][:1].isupper() else "", words[0])
    return _named(pieces, place) if head is None else _kind(pieces, place, head)


def _may_be_english(word: str) -> bool:
    return is_english(word) or is_listed("both", word) or word.isdigit()


def _named(pieces: Sequence[_Piece], place: str) -> Wording:
    """Return a site: quoted words as they stand, an adjective that follows its noun uninflected, as in short notes."""
    if len(pieces) == 2 and not any(piece.quoted for piece in pieces):
        first, second = (piece.text for piece in pieces)
        if is_adjective(first) and second[:1].isupper() and (of := gender(second)):
            return Wording(f"{inflected(first, of)} {second}", place, of)
    return Wording(" ".join(piece.text for piece in pieces), place)


def _kind(pieces: Sequence[_Piece], place: str, noun: str) -> Wording | None:
    """Return a kind of tumour: adjectives, compound noun, what follows; nothing where no noun or several name it."""
    heads = [at for at, piece in enumerate(pieces) if not piece.quoted and names_tumour(piece.text)]
    adjectives = list(dict.fromkeys(piece.text for piece in pieces if not piece.quoted and is_adjective(piece.text)))
    if not heads and adjectives and noun:
        return _kind([*pieces, _Piece(noun, quoted=False)], place, "")
    if not heads:
        return None if adjectives else Wording(" ".join(piece.text for piece in pieces), place)
    if len(heads) > 1 or _is_odd(pieces[heads[0]], adjectives):
        return None
    head, of = heads[0], gender(pieces[heads[0]].text)
    first = pieces[head - 1].text if head and _combines(pieces[head - 1]) else ""
    if first and pieces[head].text != pieces[head].first:
        return None
    rest = [piece for at, piece in enumerate(pieces) if at != head and not (first and at == head - 1)]
    rest = [piece for piece in rest if piece.quoted or not is_adjective(piece.text)]
    leading = [piece.text for piece in rest if _leads(piece, of)]
    behind = [_behind(piece.text, pieces[head].text) for piece in rest if piece.text not in leading]
    name = joined(first, pieces[head].text, hyphen=_needs_hyphen(first)) if first else pieces[head].text
    front = [*leading, *(inflected(word, of) for word in adjectives)]
    return Wording(" ".join([*front, name, *behind]), place, of, "" if front or behind else name)


def _leads(piece: _Piece, of: str) -> bool:
    """Tell whether a quoted piece is of adjectives that stand before a noun of a gender."""
    return piece.quoted and piece.text[:1].islower() and piece.text.endswith(ENDINGS[of])


def _is_odd(head: _Piece, adjectives: Sequence[str]) -> bool:
    """Tell whether nobody writes the name so: another word for carcinoma beside adjectives that do not go with it."""
    if head.first != "Karzinom" or head.text == "Karzinom" or not adjectives:
        return False
    return head.text != "Adenokarzinom" or not all(is_listed("adeno", word) for word in adjectives)


def _behind(text: str, head: str) -> str:
    """Return what stands behind a noun, without the noun where that says it again (Neoplasie "Neoplasie 2")."""
    return text.removeprefix(f"{head} ")


def _combines(piece: _Piece) -> bool:
    """Tell whether a noun may be the first part of a compound."""
    word = piece.text
    plain = not piece.quoted and word[:1].isupper() and len(word) > 1 and not any(letter.isdigit() for letter in word)
    return plain and not is_listed("behind", word) and not word.endswith("isches")


def _needs_hyphen(first: str) -> bool:
    return "-" in first or first.isupper()
