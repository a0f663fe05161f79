"""An answer in plain letters: without markup, look-alike characters and blanks within codes."""

import html
import re

from onkocode.evaluation.answers.letters import in_plain_letters
from onkocode.evaluation.answers.markup import without_latex, without_struck, without_tags
from onkocode.evaluation.answers.spelt import in_digits

_PLAIN: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern, re.IGNORECASE), plain)
    for pattern, plain in (
        (r"\\(?:boxed|text|mathrm|mathbf|textbf)\s*\{", "{"),
        (r"(?<=\d)\s*\\(?:cdot|bullet)\b\s*(?=\d)", "."),
        (r"(?<=\b[a-z])~(?=\d\d)", " "),
        (r"(?<=\d)\\(?=\d)", "/"),
        (r"\\(?=[^\w\s])", ""),  # an escaped sign of Markdown
        (r"\\[a-z]+\b", " "),
        (r"[*`$]|(?<!\w)_+|_+(?!\w)", ""),
        (r"\blcd(?=-?10)", "icd"),
        (r"(?<![\w.,])([89])[., ](\d{3})(?=/\d(?!\d))", r"\1\2"),
        (r"(?<=\d)[·•‧∙。](?=\d)", "."),
        (r"(?<=\d) (?:punkt|dot|point) (?=\d)", "."),
        (r"(?<=\b[89]\d{3}) ?// ?(?=\d\b)", "/"),
        (r"(?<![\w.,/-])([89]\d{3})(?: ?- ?|[.,|])(?=[01236](?![\w/-]|[.,]\d))", r"\1/"),
        (r"(?<![\w.,/-])([89]) (\d) (\d) (\d) ?/ ?(\d)(?![\w./])", r"\1\2\3\4/\5"),
        (r"\b([a-z]) (\d) (\d)(?: ?([.,]) ?(\d)(?: (\d))?)?(?!\d)", r"\1\2\3\4\5\6"),  # every character apart
        (r"(?<![\w.])([cd])[.-](?=\d\d[.,]\d)", r"\1"),
        (r"(?<=\b[a-z]\d\d)(?:\.\.| \.)(?=\d)", "."),
        (r"\b([a-z] ?\d\d) [.,] (\d)(?![\w.,])", r"\1.\2"),
        (r"\b([cd])(\d) (\d[.,]\d)(?=\s*(?:$|\n|[),;]|\.(?!\d)))", r"\1\2\3"),
        (r"\b([a-z] ?\d\d)\. (\d)(?=\s*(?:$|\n|[),;]))", r"\1.\2"),
        (r"icd[- ]?10(?:[- ]?gm)?(?:[- ](?:version )?20\d\d)?(?=[^\d]|$)", " ICD-X "),
        (r"icd[- ]?o(?:[- ]?3)?(?:[- ]20\d\d)?(?=[^\d]|$)", " ICD-O "),
    )
)
_DOUBTFUL = re.compile(  # a code with letters for digits; beside them stands a digit, or a point and a digit
    r"(?<![^\W_])(?P<letter>[A-Za-z]|[CcDd] (?=..[.,]))(?P<category>(?=[^\s.]?\d|[\dA-Za-z|]{2}[.,]\d)[\dOoIlSBZ|]{2})"
    r"(?:(?P<sign>[.,])(?P<rest>[\dOoIl]{1,2}))?(?!\w|[.,]\d)"
)
_DOUBTFUL_MORPHOLOGY = re.compile(
    r"(?<![^\W_])(?P<type>[89B](?=[\dOoIlSB]*\d)[\dOoIlSB]{3}) ?/ ?(?P<behaviour>[\dOoIl])(?![\w./])"
    r"|(?<![^\W_])(?P<alone>[89]\d{2}[Oo])(?![\w./])"
)
_M = re.compile(r"\bM-?(?=[89B][\dOoIlSB]{3} ?/)")
_MEANT = str.maketrans("OoIl|SBZ", "00111582")


def plain(answer: str) -> str:
    """Return an answer without markup, in letters and signs of one kind; words that are struck out are gone."""
    text = answer
    for _ in range(2) if "&" in text else ():
        text = html.unescape(text)
    text = without_latex(without_tags(in_plain_letters(without_struck(text))))
    text = in_digits(text)
    for pattern, written in _PLAIN:
        text = pattern.sub(written, text)
    text = _DOUBTFUL_MORPHOLOGY.sub(_morphology_in_digits, _M.sub("", text))
    return _DOUBTFUL.sub(_in_digits, text)


def _in_digits(found: re.Match[str]) -> str:
    """Return a code in digits; without a point only where its letter is that of a tumour."""
    category, rest = found["category"], found["rest"] or ""
    if category.isdigit() and (not rest or rest.isdigit()):
        return found.group()
    if len(rest) > 1 and rest[-1] in "Il" and category[0] not in "89":  # rather a mark behind
        return found.group()
    if not rest and (
        "|" in category
        or category[0] in "Oo"
        or found["letter"] not in "CcDd"
        or not re.search(r"\d", category)
        or re.search("[SBZ]", category)
    ):
        return found.group()
    digits = category.translate(_MEANT)
    return found["letter"].strip() + digits + (f".{rest.translate(_MEANT)}" if rest else "")


def _morphology_in_digits(found: re.Match[str]) -> str:
    if found["alone"]:
        return found["alone"].translate(_MEANT)
    return found["type"].translate(_MEANT) + "/" + found["behaviour"].translate(_MEANT)


_OPTION = re.compile(r"^[ \t]*(?:[-•]|\(?(?P<name>\d|[a-h])[.)])[ \t]+(?P<text>.+)$", re.MULTILINE | re.IGNORECASE)
_ORDINALS = ("erste", "zweite", "dritte", "vierte", "fünfte"), ("first", "second", "third", "fourth", "fifth")
_BY_NAME = re.compile(
    r"(?:antwort|answer|option|variante|möglichkeit|lösung|auswahl|entscheide mich für|wähle|nummer|nr\.?|"
    r"buchstabe|punkt|(?:richtig|korrekt|zutreffend) ist|passt)\W{0,4}"
    r"(?:nr\.?|nummer|ist|is)?\W{0,3}"
    r"(?P<name>\d|[a-h])\W*$",
    re.IGNORECASE | re.MULTILINE,
)
_BY_ORDER = re.compile(
    rf"\b(?P<order>{'|'.join((*_ORDINALS[0], *_ORDINALS[1]))}|letzte|last)\w{{0,2}} "
    r"(?:option|antwort|variante|möglichkeit|code|answer)",
    re.IGNORECASE,
)


def chosen_option(text: str) -> str:
    """Return the option that is chosen by its name or place, where an answer lists some; else the answer as it is."""
    options = list(_OPTION.finditer(text))
    if len(options) < 2:
        return text
    rest = text[options[-1].end() :]
    named, ordered = _BY_NAME.search(rest), _BY_ORDER.search(rest)
    if named:
        by_name = {option["name"].lower(): option["text"] for option in reversed(options) if option["name"]}
        return by_name.get(named["name"].lower(), text)
    if ordered:
        word = ordered["order"].lower()
        at = next((names.index(word) for names in _ORDINALS if word in names), len(options) - 1)
        return options[at]["text"] if at < len(options) else text
    return text
