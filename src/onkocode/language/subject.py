"""Which of the tumours that a text speaks of it is about."""

from collections.abc import Sequence

from onkocode.language.lexicon import Lexicon
from onkocode.language.mentions import Mention
from onkocode.language.rows import Histology
from onkocode.language.text import Text


def subject_of(lexicon: Lexicon, text: Text, mentions: Sequence[Mention]) -> Mention | None:
    """Return what a text is about: what is now before the past, the first before others, malignant before benign."""
    tumours = [mention for mention in mentions if mention.kind != "origin" and not _is_no_neoplasm(lexicon, mention)]
    if not tumours or (len(tumours) < len(mentions) and all(_is_open(lexicon, mention) for mention in tumours)):
        return None  # a lesion that turned out to be no tumour
    stated = [mention for mention in tumours if "alternative" not in mention.roles] or tumours
    known = next((at for at, mention in enumerate(stated) if _is_named(lexicon, mention)), len(stated))
    named = [mention for at, mention in enumerate(stated) if mention.kind == "primary" or at < known]
    now = [mention for mention in named if "current" in mention.roles]
    first_now = stated[0].kind == "primary" and known == 0 and "history" not in stated[0].roles
    if not now and first_now and all(other.kind == "metastasis" for other in stated[1:]):
        now = stated[:1]
    present = now or [mention for mention in stated if "history" not in mention.roles] or stated
    first = present[0]
    if first.kind == "primary" and (explained := _explained(lexicon, text, present)):
        return explained
    if first.kind == "primary" and first.histology is not None:
        row = lexicon.histologies.rows[first.histology.row]
        if row.kind == "placeholder" or row.code.endswith("/0"):
            rivals = [mention for mention in present[1:] if _outranks(lexicon, mention, row)]
            spread = [mention for mention in rivals if mention.kind == "metastasis" and mention.bare]
            return next(iter([*spread, *rivals]), first)
    return first


def _explained(lexicon: Lexicon, text: Text, mentions: Sequence[Mention]) -> Mention | None:
    """Return the metastasis that explains the first tumour (Adenokarzinom, passend zu einer Metastase des …)."""
    for at, spread in enumerate(mentions[1:], 2):
        if spread.kind != "metastasis" or "uncertain" not in spread.roles:
            continue
        sentence = text.sentence(spread.head[0])
        rest = [other for other in mentions[at:] if text.sentence(other.head[0]) == sentence]
        if any(_is_named(lexicon, other) or _has_site(lexicon, text, other) for other in rest):
            spread.explains = mentions[0]
            return spread
    return None


def _has_site(lexicon: Lexicon, text: Text, mention: Mention) -> bool:
    return mention.kind == "primary" and bool(text.matches(lexicon.sites, mention.head))


def _is_named(lexicon: Lexicon, mention: Mention) -> bool:
    """Tell whether a mention is of a primary tumour with a name of its own, or said to be malignant."""
    if mention.histology is None:
        return False
    row = lexicon.histologies.rows[mention.histology.row]
    return row.kind != "placeholder" or row.code.endswith("/3")


def _is_open(lexicon: Lexicon, mention: Mention) -> bool:
    """Tell whether a mention says no more than a lesion."""
    row = lexicon.histologies.rows[mention.histology.row] if mention.histology else None
    return row is not None and row.kind == "placeholder" and not row.code.endswith("/3")


def _is_no_neoplasm(lexicon: Lexicon, mention: Mention) -> bool:
    return mention.histology is not None and lexicon.histologies.rows[mention.histology.row].icd10 == "-"


def _outranks(lexicon: Lexicon, mention: Mention, first: Histology) -> bool:
    open_name = first.kind == "placeholder" and not first.code.endswith("/3")
    if mention.kind == "metastasis":
        return open_name
    row = lexicon.histologies.rows[mention.histology.row] if mention.histology else None
    return row is not None and row.kind != "placeholder" and (open_name or row.code[-1] in "23")
