"""The codes in an answer, and which of them is meant."""

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from onkocode.catalogues.vocabulary.written_codes import LETTERS_BEHIND
from onkocode.evaluation.answers import marks
from onkocode.evaluation.answers.marks import Context
from onkocode.evaluation.answers.masks import reason, without_others
from onkocode.evaluation.answers.verdicts import IS_WRONG, SAID_OF_CODE, TAKEN_BACK, ruled_out, said_right, ticked

_GLUED = r"[A-ZÄÖÜ][a-zäöüß]{2}|[a-zäöüß]{3}"  # a word right behind a code
_ICD = re.compile(
    r"(?P<letter>[A-Za-z]) ?(?P<category>\d\d)(?:[.,]?(?P<rest>\d{1,2}))?(?:[.,]?-)?[+*!†#]?"
    rf"(?:{LETTERS_BEHIND}(?![^\W_]))?(?=$|[^\w]|_|{_GLUED}|[A-Z]\d\d|[89]\d{{3}}/\d)(?![./](?![89]\d{{3}}(?!\d))\d)",
    re.ASCII,
)
_MORPHOLOGY = re.compile(
    r"(?<![^\W_])(?<!\d{3}/)(?:[Mm][- ]?)?(?P<type>[89]\d{3})"
    r"(?:(?: ?[/:] ?| (?=\d(?!\w)))?(?P<behaviour>[012369])(?:[1-9](?=$|[^\w]))?"  # a sixth digit is the grade
    rf"(?=$|[^\w]|_|{_GLUED}|[A-Z]\d)|(?= ?$|[^\w/:]|_))(?![.]\d| ?[/:] ?\d|-\d)",
    re.ASCII,
)
_APART = re.compile(
    r"\b([89]\d{3})\b\D{1,30}?(?:beha\w+|verhalten|dignität|malignit\w*)\W{0,6}([012369])\b", re.IGNORECASE
)
_JOINED = re.compile(r"(\b[A-Z]\d\d(?:\.\d{1,2})?) ?[/-] ?(?=[89]\d{3})")
_LABELS = (
    ("icd10gm", re.compile(r"ICD-X|\bicd_?(?:10|code)?\w*|hauptdiagnose|diagnoseschlüssel", re.IGNORECASE)),
    ("topography", re.compile(r"topogra\w*|lokalisation\w*|primärtumor|primärsitz|\bsitz\b|\bsite\b", re.IGNORECASE)),
    ("morphology", re.compile(r"morpho\w*|histolog\w*", re.IGNORECASE)),
    ("icdo", re.compile(r"ICD-O|\bicd_?o_?3?\b|\bicdo3?", re.IGNORECASE)),
    (
        "",
        re.compile(
            r"nebendiagn\w*|alternativ\w*|sekundär\w*|secondary|differen\w*|metastase\w*|begründung|reason\w*|exklu\w*|"
            r"\bexkl|\bops\b|grading|alpha-id|ausschl\w*|verworfen",
            re.IGNORECASE,
        ),
    ),
)
_ALONG = re.compile(
    r"[^.;:\n✗❌✘✖✓✅]{0,25}(?:\b(?:und|oder|sowie|and|or|noch)\b|,)\s*", re.IGNORECASE
)  # z. B. C50.9 oder C61
_SENTENCE = re.compile(r"(?<!\b[A-Za-z])(?<!\bca|\bNr)[.!?]\s+(?=\S)")
_SHARE = re.compile(
    r"[^\n;]{0,60}?(?<![\d.,-])(?:(?P<percent>\d{1,3}(?:[.,]\d+)?) ?%|(?P<share>[01][.,]\d+)(?!\d|[.,]\d))"
)
_BETWEEN = re.compile(r"[\s\"',;]*")
NEAR, LABELLED = 40, 80  # letters between an example, or a label, and its code
MANY = 60  # codes that are looked at
OWN, OTHER, BESIDE, SUPPOSED, DECIDED = 4, -4, -3, -2, 2  # what speaks for a code and against it


@dataclass(frozen=True)
class Code:
    """A code in a text: how it is usually written, where it stands, and what speaks for it."""

    value: str
    start: int
    end: int
    weight: int = 0
    decided: int = -1
    labelled: int = 0


def find_codes(text: str, system: str) -> tuple[list[Code], str]:
    """Return the codes of a system that a text commits to, and why there is none.

    Args:
        text: plain.
        system: icd10gm, topography or morphology.

    Returns:
        The codes in their order, each with its weight; and one of group, mixture, invented, other system, no code.
    """
    text = _by_column(text)
    masked = without_others(text)
    codes, morphologies = list(_icd(masked)), list(_morphologies(masked))
    fitting = [code for code in (morphologies if system == "morphology" else codes) if _fits(code.value, system)]
    if system == "morphology" and (apart := _APART.search(text)) and all("/" not in code.value for code in fitting):
        fitting = [Code(f"{apart[1]}/{apart[2]}", apart.start(), apart.end())]
    starts = sorted(code.start for code in (*codes, *morphologies))
    ends = sorted(code.end for code in (*codes, *morphologies))
    context, said, lost = Context(masked, TAKEN_BACK, SAID_OF_CODE), [], None
    for code in fitting if len(fitting) <= MANY else [*fitting[: MANY // 2], *fitting[-MANY // 2 :]]:
        before, behind = bisect_right(ends, code.start), bisect_left(starts, code.end)
        previous, follows = ends[before - 1] if before else 0, starts[behind] if behind < len(starts) else len(masked)
        dropped = lost is not None and _ALONG.fullmatch(masked[lost.end : code.start]) is not None
        dropped = dropped and not said_right(masked[code.end : code.end + NEAR], context.clause_behind(code.end))
        weighed = None if dropped else _weighed(code, context, system, previous, follows)
        said += [weighed] if weighed else []
        lost = None if weighed or IS_WRONG.match(context.clause_behind(code.end)) else code
    return _likeliest_first(_listed(said, masked), masked), "" if said else reason(
        text, masked, bool(fitting), bool(starts)
    )


def _listed(codes: Sequence[Code], text: str) -> list[Code]:
    """Return codes with the weight of the first of their list, and a label that reaches to the next label."""
    found: list[Code] = []
    labelled = False
    for code in codes:
        last = found[-1] if found else None
        labelled = code.labelled > 0 or (labelled and not code.labelled)
        if labelled and not code.labelled:
            code = replace(code, weight=code.weight + OWN)
        if last and _BETWEEN.fullmatch(text[last.end : code.start]):
            code = replace(code, weight=last.weight, decided=last.decided)
        found.append(code)
    return found


def _likeliest_first(codes: list[Code], text: str) -> list[Code]:
    """Return codes by their shares, where an answer gives one for each of several; else as they stand."""
    if len(codes) < 2:
        return codes
    ends = [*(code.start for code in codes[1:]), len(text)]
    found = [_SHARE.match(text[code.end : end]) for code, end in zip(codes, ends, strict=True)]
    shares = [_number(share["percent"] or share["share"]) for share in found if share]
    kinds = {bool(share["percent"]) for share in found if share}
    if len(shares) < len(codes) or len(kinds) > 1:
        return codes
    return [codes[at] for at in sorted(range(len(codes)), key=lambda at: -shares[at])]


def _number(written: str) -> float:
    return float(written.replace(",", "."))


def chosen(codes: Sequence[Code]) -> tuple[str | None, bool]:
    """Return the code that is meant, and whether others stand beside it with the same right."""
    if not codes:
        return None, False
    best = max((code.weight, code.decided) for code in codes)
    equal = [code for code in codes if (code.weight, code.decided) == best]
    first = equal[0]
    finer = [
        code.value
        for code in codes
        if code.labelled >= 0 and code.value.startswith((f"{first.value}.", f"{first.value}/"))
    ]
    value = finer[0] if finer else first.value
    rivals = {code.value for code in equal if not value.startswith(code.value)} - {value}
    return value, bool(rivals)


def _icd(text: str) -> Iterator[Code]:
    last = 0
    for found in _ICD.finditer(text):
        before = text[max(0, found.start() - 4) : found.start()]
        starts = (
            not before
            or not (before[-1].isalnum())
            or found.start() == last
            or bool(re.search(r"[a-zäöüß]{4}$", before))
        )
        letter, rest = found["letter"], found["rest"] or ""
        small = letter.islower() and letter not in "cd" and not re.match(r"[a-z] ?\d\d[.,]", found.group())
        if not starts or small:
            continue
        last = found.end()
        yield Code(f"{letter.upper()}{found['category']}" + (f".{rest}" if rest else ""), found.start(), found.end())


def _morphologies(text: str) -> Iterator[Code]:
    for found in _MORPHOLOGY.finditer(text):
        behaviour = found["behaviour"]
        yield Code(found["type"] + (f"/{behaviour}" if behaviour else ""), found.start(), found.end())


def _fits(value: str, system: str) -> bool:
    if system != "topography":
        return True
    return value[0] == "C" and value[:3] <= "C80" and len(value.partition(".")[2]) < 2


def _weighed(code: Code, context: Context, system: str, previous: int, follows: int) -> Code | None:
    """Return a code with what speaks for it; None where it is ruled out, or an example.

    Args:
        code: the code.
        context: of the text.
        system: asked.
        previous: where the code before it ends.
        follows: where the code behind it begins.
    """
    text, before = context.text, context.clause_before(code.start)
    behind = context.clause_behind(code.end)
    line = max(text.rfind("\n", 0, code.start) + 1, code.start - marks.FAR)
    tick = ticked(text[line : code.start], text[code.end : code.end + NEAR])
    if tick is False or ruled_out(before, behind):
        return None
    space = text[max(previous, line, code.start - LABELLED) : code.start]
    example = list(marks.EXAMPLE.finditer(space))
    if example and len(space) - example[-1].end() <= NEAR:
        return None
    weight = _label(space, text[line : code.start], system)
    code = replace(code, labelled=weight)
    if tick or said_right("", behind):
        return replace(code, weight=weight + DECIDED, decided=code.end)
    supposed = marks.SUPPOSED.search(before) or marks.SUPPOSED.search(behind[: max(0, follows - code.end)])
    if supposed or marks.CONDITION.search(context.sentence_before(code.start, previous)):
        return replace(code, weight=weight + SUPPOSED)
    decided = context.decided(code.start)
    doubted = decided >= 0 and marks.SUPPOSED.search(text, max(decided, code.start - marks.FAR), code.start)
    return replace(code, weight=weight + (DECIDED if decided >= 0 and not doubted else 0), decided=decided)


def _label(space: str, line: str, system: str) -> int:
    """Return what the last label before a code says: of its system, another one, or beside the answer."""
    at, last = max(
        ((found.start(), key) for key, pattern in _LABELS for found in pattern.finditer(space)), default=(-1, None)
    )
    if last is None and re.search(r"nebendiagn|exklu|\bexkl", line, re.IGNORECASE):
        last = ""
    if last is None:
        return 0
    if last == "icdo":
        last = system if system in ("topography", "morphology") else "icdo"
    if last != system and _SENTENCE.search(space, at):
        return 0
    return OWN if last == system else BESIDE if last == "" else OTHER


def _by_column(text: str) -> str:
    """Return a text whose table names its columns in each cell (| ICD | C61 |, icd10;morph, icd10,morph)."""
    for sign in ("|", ";", "\t", ","):
        rows = [line for line in text.split("\n") if line.count(sign)]
        heads = _cells(rows[0], sign) if len(rows) > 1 else []
        if len(heads) < 2 or not any(_is_label(head) for head in heads) or re.search(r"\d/\d|\d\.\d", rows[0]):
            continue
        lines = []
        for line in text.split("\n"):
            cells = _cells(line, sign)
            named = line in rows[1:] and len(cells) == len(heads)
            pairs = zip(heads, cells, strict=True) if named else ()
            lines.append("\n".join(f"{_spoken(head)}: {cell}" for head, cell in pairs) if named else line)
        return "\n".join(lines)
    return text


def _cells(line: str, sign: str) -> list[str]:
    return [cell.strip() for cell in line.strip().strip("|").split(sign)]


def _is_label(head: str) -> bool:
    return bool(_SHORT.match(head)) or any(pattern.search(head) for _, pattern in _LABELS[:3])


def _spoken(head: str) -> str:
    short = _SHORT.match(head)
    return {"t": "Topographie", "m": "Morphologie"}[short[1][0].lower()] if short else head


_SHORT = re.compile(r"(topo|morph)\w*$", re.IGNORECASE)
