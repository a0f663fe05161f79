"""Why a text has its codes: the words that matched, the rules, and the lines of the tables."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from onkocode.catalogues.vocabulary.codes import is_tumour
from onkocode.language.certainty import certainty
from onkocode.language.lexicon import Lexicon
from onkocode.language.reading import Finding, Reading, read
from onkocode.language.rows import READERS, shipped
from onkocode.language.text import Text

_MARKS = re.compile(r"[\W_]")
IDLE = "other"  # the role of words that say nothing of a tumour


@dataclass(frozen=True)
class TableLines:
    """The lines of the tables that a lexicon was made of.

    Attributes:
        lines: by the name that places have.
        abbreviations: names of the tables of abbreviations, a user's first.
    """

    lines: Mapping[str, Sequence[str]]
    abbreviations: Sequence[str]

    def row(self, rule: str) -> str:
        """Return the line that a place like `sites.tsv:12` names; nothing for a rule without a line."""
        name, _, number = rule.rpartition(":")
        return self.lines[name][int(number) - 1] if name in self.lines and number.isdecimal() else ""

    def abbreviation(self, line: int, written: str) -> str:
        """Return the place of the row of an abbreviation, of which its line is known."""
        places = [f"{name}:{line}" for name in self.abbreviations if line <= len(self.lines[name])]
        alike = (place for place in places if _letters(self.row(place).partition("\t")[0]) == _letters(written))
        return next(alike, places[-1])


def table_lines(own: Mapping[str, tuple[str, str]] | None = None) -> TableLines:
    """Return the lines of the shipped tables and of a user's own (name and content by key)."""
    texts = {f"{table}.tsv": shipped(table) for table in READERS} | dict((own or {}).values())
    first = [own["abbreviations"][0]] if own and "abbreviations" in own else []
    lines = {name: text.lstrip("\ufeff").splitlines() for name, text in texts.items()}
    return TableLines(lines, [*first, "abbreviations.tsv"])


@dataclass(frozen=True)
class Step:
    """A step to a code: what it decides, the words, the rule and, where it stands in a table, its line."""

    decides: str
    words: str
    rule: str
    line: str


@dataclass(frozen=True)
class Explained:
    """A tumour with its codes, and the steps to them.

    Attributes:
        kind: primary or metastasis.
        icd10: code of ICD-10-GM.
        topography: of the primary.
        morphology: of the primary.
        likely: probability that a code is right, by system; what training labels say of it is not known here.
        alternatives: further codes of ICD-10-GM that are defensible.
        sites: further topographies that the text names.
        steps: in order.
    """

    kind: str
    icd10: str | None
    topography: str | None
    morphology: str | None
    likely: Mapping[str, float]
    alternatives: tuple[str, ...]
    sites: tuple[str, ...]
    steps: tuple[Step, ...]


@dataclass(frozen=True)
class InFull:
    """An abbreviation as it was read."""

    written: str
    meaning: str
    rule: str


@dataclass(frozen=True)
class Noticed:
    """A fact or a cue: its kind, and the words."""

    kind: str
    words: str


@dataclass(frozen=True)
class Explanation:
    """What a text says, and why.

    Attributes:
        text: as written.
        tumour: whether it is about a tumour of chapter II.
        subject: what it is about; None where it names no tumour.
        further: other tumours.
        abbreviations: as they were read.
        facts: stage, size and others.
        cues: words that tell what others are: history, negated, metastasis and others.
    """

    text: str
    tumour: bool
    subject: Explained | None
    further: tuple[Explained, ...]
    abbreviations: tuple[InFull, ...]
    facts: tuple[Noticed, ...]
    cues: tuple[Noticed, ...]


def explain(lexicon: Lexicon, lines: TableLines, written: str) -> Explanation:
    """Read a text and explain its codes."""
    reading = read(lexicon, written)
    subject = _explained(lines, reading.subject) if reading.subject else None
    return Explanation(
        text=written,
        tumour=_is_tumour(reading),
        subject=subject,
        further=tuple(_explained(lines, other) for other in reading.others),
        abbreviations=tuple(_in_full(lines, reading.text)),
        facts=tuple(Noticed(fact.kind, fact.value) for fact in reading.text.facts),
        cues=tuple(_cues(reading.text)),
    )


def _is_tumour(reading: Reading) -> bool:
    subject = reading.subject
    return subject is not None and (subject.icd10 is None or is_tumour(subject.icd10))


def _explained(lines: TableLines, finding: Finding) -> Explained:
    return Explained(
        kind=finding.kind,
        icd10=finding.icd10,
        topography=finding.topography,
        morphology=finding.morphology,
        likely=_likely(finding),
        alternatives=finding.alternatives,
        sites=finding.others,
        steps=tuple(Step(why.decides, why.words, why.rule, lines.row(why.rule)) for why in finding.reasons),
    )


def _likely(finding: Finding) -> dict[str, float]:
    codes = {"icd10gm": finding.icd10, "topography": finding.topography, "morphology": finding.morphology}
    return {
        system: round(certainty(system, code, finding.basis, finding.morphology), 2)
        for system, code in codes.items()
        if code is not None
    }


def _in_full(lines: TableLines, text: Text) -> Iterator[InFull]:
    for (source, start, end), tokens in groupby(text.tokens, lambda token: (token.source, token.start, token.end)):
        if source is not None:
            written = text.written[start:end]
            meaning = " ".join(token.text for token in tokens)
            yield InFull(written, meaning, lines.abbreviation(source, written))


def _cues(text: Text) -> Iterator[Noticed]:
    for role, spans in text.roles.cues.items():
        for start, end in spans if role != IDLE else ():
            tokens = [text.tokens[unit.token] for unit in text.units[start:end]]
            yield Noticed(role, text.written[tokens[0].start : tokens[-1].end])


def _letters(text: str) -> str:
    return _MARKS.sub("", text).lower()


NOT_TOLD = "not to be told"
NAMES = {"icd10": "ICD-10-GM", "topography": "topography", "morphology": "morphology"}


def write_explanation(found: Explanation, width: int) -> str:
    """Return an explanation for a terminal.

    Args:
        found: the explanation.
        width: columns; lines of tables are cut to them.
    """
    lines = [found.text, f"  {'tumour':<14}{'yes' if found.tumour else 'no'}"]
    if found.subject:
        lines += [*_codes(found.subject), *_steps(found.subject, width)]
    else:
        lines.append("  the text names no tumour that the tables know, or only denies one")
    lines += [_row("read as", f"{short.written} = {short.meaning}", short.rule) for short in found.abbreviations]
    lines += [_row("words for", f"{cue.kind}: {cue.words}") for cue in found.cues]
    lines += [_row("fact", f"{fact.kind}: {fact.words}") for fact in found.facts]
    for other in found.further:
        lines += ["  besides", *(f"  {line}" for line in (*_codes(other), *_steps(other, width - 2)))]
    return "\n".join(lines)


def _codes(found: Explained) -> list[str]:
    kind = {"primary": "", "metastasis": "of a metastasis"}.get(found.kind, found.kind)
    lines = [_row("ICD-10-GM", found.icd10 or NOT_TOLD, _noted(kind, found.likely.get("icd10gm")))]
    if found.alternatives:
        lines.append(_row("or", ", ".join(found.alternatives)))
    lines.append(_row("topography", found.topography or NOT_TOLD, _noted("", found.likely.get("topography"))))
    if found.sites:
        lines.append(_row("sites, too", ", ".join(found.sites)))
    return [*lines, _row("morphology", found.morphology or NOT_TOLD, _noted("", found.likely.get("morphology")))]


def _noted(kind: str, likely: float | None) -> str:
    return ", ".join(filter(None, [kind, "" if likely is None else f"probability {likely:.2f}"]))


def _steps(found: Explained, width: int) -> Iterator[str]:
    for step in found.steps:
        words = f"“{step.words}”" if step.words else "nothing named"
        yield _row(f"{NAMES.get(step.decides, step.decides)} by", words, step.rule)
        if step.line:
            line = " ".join(step.line.split())
            yield f"{'':<16}{line if len(line) <= width - 16 else line[: width - 17] + '…'}"


def _row(name: str, first: str, second: str = "") -> str:
    return f"  {name:<14}{first}{f'  ({second})' if second else ''}"
