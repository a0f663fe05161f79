"""Words that tell what stands beside them: a decision, or what is ruled out, an example, another system."""

import re
from bisect import bisect_left, bisect_right
from collections.abc import Sequence

FAR = 200  # letters within which words tell something of a code
# What follows is what was decided, as behind a correction.
FINAL = re.compile(
    r"richtig\w*|correct\w*|sondern|besser|genauer|präziser|exakter|spezifischer|vielmehr|stattdessen|instead(?! of)|"
    r"daher|deshalb|somit|folglich|demnach|therefore|thus|hence|endgültig\w*|abschließend\w*|letztlich|"
    r"final\w*|fazit|festlegung|"
    r"antwort|answer|ergebnis|result|lösung|solution|kodiert wird|kodiere|ergibt sich|entscheide\w*|"
    r"gemeint (?:ist|war):?|bleibt es|bleibe (?:bei|ich)|also|gewählt|auswahl|chosen|selected|"
    r"insgesamt|unterm strich|alles in allem|overall|in conclusion|zusammenfassend|schlussendlich|"
    r"(?<!nicht )(?<!nicht ganz )(?<!not )(?<!\w)(?:sicher|eindeutig|zweifelsfrei|zweifellos|definitiv|"
    r"gesichert|definitely|certainly|certain|"
    r"undoubtedly|am wahrscheinlichsten|most likely|most probably)(?!\w| not| nicht)|"
    r"\bich nehme\b|\bnehme ich\b|\beher(?! nicht| un)\b|lege mich|\btendiere\b|bevorzug\w*|(?:treffend|passend)ste\w*|"
    r"\bi(?:'d| would|'ll| will)? (?:choose|go with|pick|prefer)|best (?:fit|match|choice)|preferred|"
    r"am besten|passt|zutreffend\w*|nein,? doch|actually|rather(?! than)|\bsino\b|\bmais\b|\bdonc\b|réponse|"
    r"(?:am ende|schließlich|dann|letztlich) doch\b|ersetzt durch|replaced (?:by|with)|geändert (?:zu|in|auf)|"
    r"changed (?:to|into)|\bneu:|"
    r"respuesta|而是|答案|=>|→|->|⟶",
    re.IGNORECASE,
)
# All that follows takes back what stands before.
CORRECTION = re.compile(
    r"korrektur\w*|korrigier\w*|correction|entschuldig\w*|\bsorry\b|verzeihung|\bmoment\b|\bhalt\b|\bupdate\b|"
    r"\bwarte\b|\bwait\b|"
    r"\bi meant?\b|\bich meine\b|erneut\w*|nochmal\w*|\bach ne(?:in|e)?\b|quatsch|tippfehler|\btypo\b|"
    r"verschrieben|verwechs\w*|soll(?:te)? heißen|gemeint:|\bups\b|\boops\b|hoppla|"
    r"(?:scratch|strike) that|"
    r"on (?:second thought|reflection)|my (?:mistake|bad)\b|mein fehler|revidier\w*|berichtig\w*|"
    r"bei (?:genauer\w*|näher\w*|erneuter) (?:betracht\w*|hinsehen|prüf\w*|lesen)|upon (?:closer|further)|on closer|"
    r"\b(?:stimmt|passt) (?:\w+ )?nicht\b|\bwar (?:ein )?(?:falsch|fehler|irrtum)|\birrtum|\bdoch (?:eher|"
    r"lieber|besser)\b",
    re.IGNORECASE,
)
# What follows in the clause is ruled out.
DENIED = re.compile(
    r"\b(?:nicht|kein\w*|statt|anstatt|anstelle(?: von)?|not|instead of|rather than|weder|noch|neither|nor|außer|ohne|"
    r"keinesfalls|keineswegs|niemals|mitnichten|never|by no means|ersetze|replace|pas|niet|no es|não é|non è|"
    r"exkl\w*|ausgenommen|ausschluss|ausgeschlossen|verworfen\w*|falsch\w*|wrong\w*|abgelehnt\w*)\b",
    re.IGNORECASE,
)
# What follows, or stands before, is only considered.
SUPPOSED = re.compile(
    r"\b(?:wären?|würde\w*|könnte\w*|hätte\w*|dachte\w*|vermutete|would|could|might|thought|zunächst|zuerst|"
    r"erst|anfangs|"
    r"frühere?\w*|vorherig\w*|ursprünglich\w*|previous\w*|eventuell|differenti?aldiagnos\w*|"
    r"differenzialdiagnos\w*|alternativ\w*|unspezifisch\w*|allgemein\w*)\b",
    re.IGNORECASE,
)
# What follows holds under a condition.
CONDITION = re.compile(r"\b(?:falls|wenn|sofern|if)\b", re.IGNORECASE)
# What follows is no answer.
EXAMPLE = re.compile(
    r"\b(?:z\. ?b\.|zum beispiel|beispiel\w*|bspw\.?|e\. ?g\.|for example|for instance|etwa|such as|"
    r"nach dem muster|muster|im format|in der form|der form)",
    re.IGNORECASE,
)
_CLAUSE = re.compile(
    r"[.;:!?](?=\s|$)|[,\n()\[\]{}|]|\s-\s|\b(?:aber|but|jedoch|doch|sondern|and|und zwar)\b|→|=>", re.IGNORECASE
)
_SENTENCE = re.compile(r"(?<!\b[a-zA-Z])[.!?;](?=\s|$)|\n")  # no sentence ends in "z. B."


class Context:
    """A text, and where its clauses, sentences and marks are.

    Args:
        text: plain.
        taken_back: a pattern of further corrections.
        settled: a pattern of what decides on what stands before; no words of a decision within it reach further.
    """

    def __init__(
        self, text: str, taken_back: re.Pattern[str] | None = None, settled: re.Pattern[str] | None = None
    ) -> None:
        self.text = text
        clauses = list(_CLAUSE.finditer(text))
        self._clause_starts = [found.end() for found in clauses]
        self._clause_ends = [found.start() for found in clauses]
        self._sentences = [found.end() for found in _SENTENCE.finditer(text)]
        open_text = settled.sub(lambda found: " " * len(found.group()), text) if settled else text
        self._finals = [found.start() for found in FINAL.finditer(open_text)]
        back = [found.end() for found in taken_back.finditer(text)] if taken_back else []
        self._corrections = sorted([*back, *(found.start() for found in CORRECTION.finditer(text))])

    def clause_before(self, at: int) -> str:
        """Return what stands in the same clause before a place."""
        return self.text[max(_last(self._clause_starts, at, 0), at - FAR) : at]

    def clause_behind(self, at: int) -> str:
        """Return what stands in the same clause behind a place."""
        number = bisect_left(self._clause_ends, at)
        end = self._clause_ends[number] if number < len(self._clause_ends) else len(self.text)
        return self.text[at : min(end, at + FAR)]

    def sentence_before(self, at: int, behind: int = 0) -> str:
        """Return what stands in the same sentence before a place, and behind another one."""
        return self.text[max(behind, _last(self._sentences, at, 0), at - FAR) : at]

    def decided(self, at: int) -> int:
        """Return where the last word of a decision stands before a place; -1 for none.

        A correction reaches to the end, other words to the end of their sentence.
        """
        final = _last(self._finals, at, -1)
        return max(final if final >= _last(self._sentences, at, 0) else -1, _last(self._corrections, at, -1))


def _last(places: Sequence[int], at: int, default: int) -> int:
    """Return the last of sorted places that is not behind another one."""
    number = bisect_right(places, at)
    return places[number - 1] if number else default
