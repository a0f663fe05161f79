"""Yes and no in one word, or a fixed phrase, of many languages."""

import re

from onkocode.evaluation.answers.letters import in_plain_letters
from onkocode.tasks import NO, YES

_YES = (
    "oui sí si sì да так sim tak evet ano igen nai ναι kyllä 是 是的 对 有 はい 네 예 نعم "
    "jep yep yeah yup jup jo jawoll affirmative j y"
)
_NO = (
    "non нет ні não nao nie nee nej nö ne hayır hayir nem ei óchi όχι 否 不是 不 没有 否定 いいえ 아니요 아니오 لا "
    "nah keinesfalls keineswegs niemals mitnichten n"
)
_NO_PHRASES = (
    r"auf (?:gar )?keinen fall|unter keinen umständen|ganz (?:sicher|bestimmt) nicht|"
    r"(?:sicher|natürlich|definitiv|absolut|gewiss|bestimmt|eindeutig|selbstverständlich|überhaupt|gar|eher) nicht|"
    r"(?:definitely|certainly|absolutely|surely|of course|clearly|probably|most likely) not|"
    r"nicht (?:vorhanden|nachweisbar|gegeben|bestätigt|erkennbar)|not (?:present|detected|found|confirmed)|"
    r"not at all|by no means|no way"
)
_AGREES = (  # yes where nothing else stands there; else a way to begin
    "natürlich selbstverständlich definitiv eindeutig sicher absolut klar genau richtig korrekt wahr stimmt "
    "positiv zutreffend doch gewiss bestimmt absolutely definitely certainly sure correct true indeed exactly right "
    "positive confirmed bestätigt vorhanden gegeben present ✅ ✓ ✔ 👍"
)
_DENIES = "falsch negativ unwahr unzutreffend false incorrect wrong negative absent keine keiner keines ❌ ✗ ✘ 👎"


def _known(words: str) -> frozenset[str]:
    forms = [form for word in words.split() for form in (word, word.capitalize(), word.upper())]
    return frozenset(in_plain_letters(form).lower() for form in forms)


_SAYS = dict.fromkeys(_known(_YES), YES) | dict.fromkeys(_known(_NO), NO)
_ALONE = dict.fromkeys(_known(_AGREES), YES) | dict.fromkeys(_known(_DENIES), NO)
_LABEL = (
    r"(?:antwort|answer|réponse|reponse|respuesta|risposta|resposta|odpowiedź|cevap|答案|回答|OTBeT|Oтвет|ответ|"
    r"ergebnis|result|fazit|"
    r"tumou?r\w*(?: diagnosis)?)\W{0,3}[:=]\s*"
)
_MARKS = "✅✓✔👍❌✗✘👎"
_FIRST = re.compile(rf"[^\w{_MARKS}]+")
_WORD = re.compile(
    r"(?P<word>[^\s.,;:!?。、，()\[\]<>【】『』「」\"'„“-]+)\s*(?:$|[.,;:!。、，()\[\]<>】』」\n\"'“]|-(?!\w))"
)
_LABELLED = re.compile(_LABEL, re.IGNORECASE)
_PHRASE = re.compile(rf"(?:{_NO_PHRASES}|auf (?P<yes>jeden) fall)\s*(?:$|[.,;:!\n-])", re.IGNORECASE)
_VERDICT = re.compile(
    r"(?:(?:die|diese|das|dies|the|this|that)\s+)?(?:(?:aussage|antwort|behauptung|annahme|statement|"
    r"answer)\s+)?(?:ist|lautet|is)\s+"
    r"(?P<not>nicht\s+|not\s+)?(?:hier\s+)?(?:(?P<yes>richtig|wahr|korrekt|true|correct|positiv|positive)|"
    r"falsch|unwahr|false|incorrect|negativ|negative)"
    r"\W*$",
    re.IGNORECASE,
)
NEAR = 80  # letters in which a word and what ends it stand


def said_in_a_word(text: str) -> str | None:
    """Return yes or no as the first word says it, or the one behind a label, in one of many languages."""
    verdict = _VERDICT.match(text.strip())
    if verdict:
        return YES if bool(verdict["yes"]) != bool(verdict["not"]) else NO
    places = [(found.end(), True) for found in _LABELLED.finditer(text)]
    for at, labelled in (*places[:3], (0, False)):
        said = _word(_bare(text, at), labelled)
        if said:
            return said
    return None


def _bare(text: str, at: int) -> str:
    """Return a text from a place on, without the signs in front."""
    first = _FIRST.match(text, at)
    return text[first.end() if first else at :]


def _word(text: str, labelled: bool) -> str | None:
    phrase, found = _PHRASE.match(text), _WORD.match(text[:NEAR])
    if phrase and (not phrase["yes"] or not text[phrase.end() :].strip()):
        return YES if phrase["yes"] else NO
    word = found["word"].lower() if found else ""
    rest = text[found.end() :].strip() if found else ""
    if word in _SAYS and (len(word) > 1 or not word.isascii() or not rest):
        return _SAYS[word]
    return _ALONE[word] if word in _ALONE and (labelled or not rest) else None
