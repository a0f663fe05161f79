"""An answer in plain letters: without markup, look-alike characters and what a model goes on to ask itself."""

import html
import re
import unicodedata

_INVISIBLE = re.compile("[\u00ad\u200b-\u200f\u2060\ufeff]")
_RAISED = re.compile("[\u00b2\u00b3\u00b9\u2070-\u2079\u2080-\u2089]")  # footnotes
_ALIKE = str.maketrans("АВСЕНІЈКМОРТХ", "ABCEHIJKMOPTX")  # Cyrillic
_SIGNS = str.maketrans(
    {"⁄": "/", "∕": "/", "–": "-", "—": "-", "‐": "-", "‑": "-", "‒": "-", "−": "-", "⇒": "→", "➜": "→", "➔": "→"}
)
_STRUCK = re.compile(r"~~.*?~~|<(del|s|strike)>.*?</\1>", re.DOTALL | re.IGNORECASE)
_CHAT = re.compile(r"<\|(?:im_end|eot_id|end_of_text|endoftext|return|end|eom_id)\|>|</s>|<end_of_turn>|\[/INST\]")
_CHAT_START = re.compile(r"<\|[^|<>]{0,40}\|>(?:assistant\b)?|<s>|<start_of_turn>(?:model\b)?")
_TAG = re.compile(r"</?([A-Za-z][\w-]{0,40})[^<>]{0,80}>")
_LABELS = re.compile(r"icd|topo|morph|histo|code|answer|antwort|tumou?r", re.IGNORECASE)
_PLAIN: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern, re.IGNORECASE), plain)
    for pattern, plain in (
        (r"\\frac\{([^{}]*)\}\{([^{}]*)\}", r"\1/\2"),
        (r"\\(?:boxed|text|mathrm|mathbf|textbf)\s*\{", "{"),
        (r"(?<=\d)\\(?=\d)", "/"),
        (r"\\(?=[^\w\s])", ""),  # an escaped sign of Markdown
        (r"\\[a-z]+\b", " "),
        (r"[*`$]|(?<!\w)_+|_+(?!\w)", ""),
        (r"\blcd(?=-?10)", "icd"),
        (r"(?<=\b[a-z]\d)[oO](?=\.?\d|\b)|(?<=\b[a-z])[oO](?=\d\.\d)", "0"),
        (r"\b([89])\.(\d{3})(?=/\d)", r"\1\2"),
        (r"(?<=\d)[·•‧∙](?=\d)", "."),
        (r"(?<=\d) (?:punkt|dot|point) (?=\d)", "."),
        (r"(?<=[a-z]\d\d) (?=\.\d)", ""),
        (r"\b([a-z]) (\d) (\d)(?: ?([.,]) ?(\d)(?: (\d))?)?(?!\d)", r"\1\2\3\4\5\6"),  # every character apart
        (r"icd[- ]?10(?:[- ]?gm)?(?:[- ](?:version )?20\d\d)?(?=[^\d]|$)", " ICD-X "),
        (r"icd[- ]?o(?:[- ]?3)?(?:[- ]20\d\d)?(?=[^\d]|$)", " ICD-O "),
    )
)


def plain(answer: str) -> str:
    """Return an answer without markup, in letters and signs of one kind; words that are struck out are gone."""
    text = _STRUCK.sub(" ", _RAISED.sub("", html.unescape(answer)))
    text = unicodedata.normalize("NFKC", _INVISIBLE.sub("", text)).translate(_ALIKE).translate(_SIGNS)
    text = _TAG.sub(lambda tag: f" {tag[1]}: " if _LABELS.match(tag[1]) and tag[0][1] != "/" else " ", text)
    if not re.search(r"\d", text):
        text = _NUMBERS.sub(lambda found: _in_digits(found.group()), text)
    for pattern, written in _PLAIN:
        text = pattern.sub(written, text)
    return text


_ONES = ("null", "ein", "zwei", "drei", "vier", "fünf", "sechs", "sieben", "acht", "neun")
_TENS = ("zehn", "zwanzig", "dreißig", "vierzig", "fünfzig", "sechzig", "siebzig", "achtzig", "neunzig")
_SPELT = {word: str(10 * (number + 1)) for number, word in enumerate(_TENS)}
_SPELT |= {
    f"{one}und{ten}": str(10 * (tens + 1) + ones)
    for tens, ten in enumerate(_TENS[1:], 1)
    for ones, one in enumerate(_ONES[1:], 1)
}
_SPELT |= {one: str(number) for number, one in enumerate(_ONES)} | {"eins": "1"}
_SPOKEN = {"punkt": ".", "komma": ",", "schrägstrich": "/"}
_WORD = "|".join(sorted((*_SPELT, *_SPOKEN), key=len, reverse=True))
_NUMBERS = re.compile(rf"(?<![^\W_])(?:{_WORD})(?:[ -](?:{_WORD}))*(?![^\W_])", re.IGNORECASE)


def _in_digits(words: str) -> str:
    """Return spelt numbers in digits (einundachtzig vierzig Schrägstrich drei); one word alone stays."""
    parts = re.split(r"[ -]", words.lower())
    return "".join(_SPELT.get(part) or _SPOKEN[part] for part in parts) if len(parts) > 1 else words


_MARKER = re.compile(
    r"^[\W_]*(?:befund|bericht|frage|question|q|nächste frage|neue frage|diagnose(?:text)?|text|aufgabe|instruction|"
    r"input|user|human|nutzer|beispiel|example|patient|fall)\s*(?:\d+)?\s*:",
    re.IGNORECASE | re.MULTILINE,
)


def turns(answer: str) -> list[str]:
    """Return the parts of an answer: what stands before a question that the model asks itself, then each such question.

    What stands behind the end of the turn is dropped, unless nothing stands before it.
    """
    own = next((part for part in _CHAT.split(answer) if part.strip()), "")
    own = _CHAT_START.sub("\n", own)
    starts = [found.start() for found in _MARKER.finditer(own)]
    ends = [*starts, len(own)]
    parts = [own[: ends[0]], *(own[start:end] for start, end in zip(starts, ends[1:], strict=True))]
    return [part for part in parts if part.strip()]


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
