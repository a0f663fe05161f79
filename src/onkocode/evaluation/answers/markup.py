"""An answer without markup: HTML, Markdown, LaTeX and what they strike out."""

import re

ANSWER = " Antwort: "  # what a tag or a box says of its content
_STRUCK = re.compile(
    r"~~.*?~~|<(del|s|strike)>.*?</\1>|<(\w+)[^<>]*line-through[^<>]*>.*?</\2>|<!--.*?-->|"
    r"\\(?:sout|st|cancel|xcancel)\{[^{}]*\}|\[(s|strike)\].*?\[/\3\]",
    re.DOTALL | re.IGNORECASE,
)
_FRAME = re.compile(r"\s*<s>(?!.*</s>\s*[^\s<\[])", re.DOTALL)  # the beginning of a text, not what is struck out
_INLINE = re.compile(
    r"(?:</?(?:b|i|em|strong|span|u|font|sub|small|big|mark|tt|wbr|kbd|ins|bdi|var|samp)\b[^<>]{0,80}>)+", re.IGNORECASE
)
_OPEN_CODE = re.compile(r"(?:(?<![A-Za-z0-9])[A-Za-z]\d?|\d[./])$", re.ASCII)
_FOOTNOTE = re.compile(r"<sup>\s*[\[(]?[\d*]{1,3}[\])]?\s*</sup>", re.IGNORECASE)
_TAG = re.compile(
    r"<(/?)([A-Za-z][\w-]{0,40})[^<>]{0,80}>|\[(/?)(answer|antwort|solution|lösung|final|output)\]", re.IGNORECASE
)
_BRACKETS = re.compile(r"\[/?(?:b|i|u|code|color|size)(?:=[^\]]{0,20})?\]", re.IGNORECASE)
_SAYS = re.compile(
    r"(?:final|best)?[_-]?(?:answer|antwort|solution|lösung|final|output|response|ergebnis)$", re.IGNORECASE
)
_SAID = re.compile(r"(?:[A-Z]\d\d|ja$|nein$|yes$|no$)", re.IGNORECASE)  # in place of a name
_LABELS = re.compile(r"icd|topo|morph|histo|code|answer|antwort|tumou?r", re.IGNORECASE)


def without_struck(answer: str) -> str:
    """Return an answer without what it strikes out."""
    framed = _FRAME.match(answer)
    text = answer[framed.end() :] if framed else answer
    return _STRUCK.sub(lambda struck: "" if struck.group().startswith("<!") else " ", text)


def without_tags(text: str) -> str:
    """Return a text without tags; those that name a system or the answer become labels, those within a code vanish."""
    if "<" in text:
        text = _FOOTNOTE.sub("", text)
        text = _INLINE.sub(lambda tags: _between(text, tags), text)
    return _TAG.sub(_label, _BRACKETS.sub("", text) if "[" in text else text)


def _between(text: str, tags: re.Match[str]) -> str:
    """Return nothing for tags within a code, else a blank."""
    before, behind = text[max(0, tags.start() - 3) : tags.start()], text[tags.end() : tags.end() + 2]
    within = _OPEN_CODE.search(before) and behind[:1].isdigit()
    return "" if within or (before[-1:].isdigit() and re.match(r"[.,/·](?:\d|<|$)", behind)) else " "


def _label(tag: re.Match[str]) -> str:
    name, closes = tag[2] or tag[4], bool(tag[1] or tag[3])
    if _SAID.match(name):
        return f" {tag.group()[1:-1]} "
    if _SAYS.match(name):
        return "\n" if closes else ANSWER
    return f" {name}: " if _LABELS.match(name) and not closes else " "


_COMMAND = re.compile(r"\\([A-Za-z]+)\s*\{([^{}\\]*)\}")
_LATEX: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern), plain)
    for pattern, plain in (
        (r"\\[nrt](?=[A-Z]\d\d|[89]\d{3}|\s|$)", "\n"),  # written out
        (r"\\(?:begin|end)\{[^{}]*\}", " "),
        (r"\\(?:[dtcs]|nice)?frac\s*\{([^{}]*)\}\s*\{([^{}]*)\}", r"\1/\2"),
        (r"\s*\\(?:slash|div)(?![A-Za-z])\s*", "/"),
        (r"\\[,;:!]", ""),
    )
)
_SUNK: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern), plain)
    for pattern, plain in (
        (r"(?<![A-Za-z0-9])([A-Za-z])\s*[_^]\s*\{([^{}]*)\}", r"\1\2"),
        (r"_\{([\d.,/]*)\}", r"\1"),
        (r"\^\{[^{}]*\}", ""),
        (r"(?<=[A-Za-z0-9.,/])\{([\d.,/]+)\}(?![A-Za-z])", r"\1"),
        (r"(?<![A-Za-z0-9_])([A-Za-z])_(?=\d\d(?![\dA-Za-z]))", r"\1"),
        (r"(?<![\w.])([89]\d{3})_(?=\d(?!\w))", r"\1/"),
    )
)


def without_latex(text: str) -> str:
    """Return a text without LaTeX; a box holds the answer, what is set low is a part of a code."""
    if "\\" in text:
        for pattern, plain in _LATEX:
            text = pattern.sub(plain, text)
        for _ in range(4):
            text = _COMMAND.sub(_content, text)
    if "_" in text or "{" in text:
        for pattern, plain in _SUNK:
            text = pattern.sub(plain, text)
    return text


def _content(command: re.Match[str]) -> str:
    return f"{ANSWER}{command[2]}\n" if command[1] in ("boxed", "fbox", "framebox") else command[2]
