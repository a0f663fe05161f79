"""Labels of a ClaML file as plain text. Source: the DTD of ClaML 2.0.0 (CEN/TS 14463), elements Rubric and Label."""

import re
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from xml.etree.ElementTree import Element

from onkocode.records.ids import digest

# Elements that a reader sees as blocks: the words before and after them are apart.
BLOCKS = ("Fragment", "Para", "List", "ListItem", "Caption", "Row", "Cell")
# Signs that XML cannot hold, for what label_text takes out: a reference or note; begin and end of italics.
GAP, ITALIC, UPRIGHT = "\x00", "\x01", "\x02"
# The patterns see single spaces; a protected space is part of the text.
_SPACES = re.compile(r"[ \t\r\n]+")
_ITALICS = re.compile(r"\x01[^\x02]*\x02(?:[ \x00]*\x01[^\x02]*\x02)*")
_NOTE = re.compile(r"[(\[]|(?:siehe|vgl\.|Exkl|Inkl|Hinw|Anm)")
_CUE = re.compile(r"(?:\b(?:siehe|vgl\.) (?:(?:auch|unter|bei) )*)?\x00[ \x00]*")
_EMPTY_BRACKETS = re.compile(r"[(\[] ?\x00(?:[ \x00,;–-]|und|oder|bis)*[)\]]")
_LAST_GAP = re.compile(r"(?:[ \xa0]?[,;:]|[ \xa0][–-])?[ \xa0]?\x00[ \x00]*$")
_GAP_BEFORE_SIGN = re.compile(r"[ \xa0]?\x00[ \x00]*(?=[,.;:)\]])")


@dataclass(frozen=True, slots=True)
class Label:
    """A rubric with its text."""

    rubric: str
    text: str
    obsolete: bool


def children_of(element: Element) -> dict[str, list[Element]]:
    """Return the children of an element by their names."""
    children: dict[str, list[Element]] = defaultdict(list)
    for child in element:
        children[tag_of(child)].append(child)
    return children


def labels_of(rubrics: Iterable[Element], wanted: Collection[str]) -> tuple[Label, ...]:
    """Return the labels that stand in the wanted kinds of rubrics."""
    found = []
    for rubric in rubrics:
        kind = rubric.get("kind", "")
        label = next((child for child in rubric if tag_of(child) == "Label"), None) if kind in wanted else None
        if label is not None:
            obsolete = any(part.get("usage") == "obs" for part in rubric.iter())
            found.append(Label(kind, label_text(label), obsolete))
    return tuple(found)


def title(labels: Sequence[Label]) -> str:
    """Return `preferredLong`, which needs no other label to be understood, else `preferred`; empty without either."""
    texts = {label.rubric: label.text for label in reversed(labels)}
    return texts.get("preferredLong") or texts.get("preferred") or ""


def label_ids(stem: str, labels: Sequence[Label]) -> list[str]:
    """Return stable ids: stem, rubric, first eight digits of the text's hash, and an ordinal among equal ones."""
    ordinals: Counter[str] = Counter()
    ids = []
    for label in labels:
        name = f"{stem}:{label.rubric}:{digest(label.text)[:8]}"
        ordinals[name] += 1
        ids.append(f"{name}:{ordinals[name]}")
    return ids


def label_text(label: Element) -> str:
    """Return a label as plain text, without cross references and editorial notes and without what pointed to them.

    Parts of a synonym list are joined by a comma, parts of a composed label ("Haut von" + "Gesicht") by a space.
    Editorial notes are italic, and bracketed or begun by a word such as "siehe"; other italics are text.
    """
    fragments = [child for child in label if tag_of(child) == "Fragment"]
    if not fragments:
        return _clean(_marked(label))
    parts = [part for part in (_clean(_marked(fragment)) for fragment in fragments) if part]
    synonyms = any(fragment.get("class") == "synlist" for fragment in fragments)
    return (", " if synonyms else " ").join(parts)


def _marked(element: Element) -> str:
    """Return the text with marks for references and italics; a loop, so that no depth is too much."""
    pieces: list[str] = []
    waiting: list[Element | str] = [element]
    while waiting:
        item = waiting.pop()
        if isinstance(item, str):
            pieces.append(item)
            continue
        pieces.append(item.text or "")
        for child in reversed(item):
            tag = tag_of(child)
            italic = tag == "Term" and child.get("class", "").startswith("italic")
            before, after = (ITALIC, UPRIGHT) if italic else (" ", " ") if tag in BLOCKS else ("", "")
            waiting += [child.tail or "", GAP] if tag == "Reference" else [child.tail or "", after, child, before]
    return "".join(pieces)


def _clean(text: str) -> str:
    text = _SPACES.sub(" ", text)
    if GAP in text or ITALIC in text:
        text = _ITALICS.sub(_without_note, text)
        text = _CUE.sub(GAP, text)
        text = _EMPTY_BRACKETS.sub(GAP, text)
        text = _GAP_BEFORE_SIGN.sub("", _LAST_GAP.sub("", text)).replace(GAP, " ")
        text = _SPACES.sub(" ", text)
    return text.strip(" ")


def _without_note(italics: re.Match[str]) -> str:
    text = italics.group().translate({1: None, 2: None})
    return GAP if _NOTE.match(text.lstrip(" \x00")) else text


def tag_of(element: Element) -> str:
    """Return the name of an element without its name space; the DTD knows none, ISO 13120 does."""
    tag = str(element.tag)
    return tag.rpartition("}")[2] if tag.startswith("{") else tag
