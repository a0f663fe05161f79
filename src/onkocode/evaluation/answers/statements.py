"""Yes and no by a statement on the tumour."""

import re

from onkocode.tasks import NO, YES

_TUMOUR = re.compile(
    r"(?:(?<!nicht)(?<!nicht-)tumou?r(?!mark|konf|board|dok|nach|reg|frei|verd|anamn|ausschl|such|zentr|"
    r" (?:marker|board|free|regist))|tumeur|tumorös|onkolog|oncolog|"
    r"krebs(?!reg|vors|früh|angst)|karzinom|carcinom|cancer|cáncer|(?<!nicht)(?<!non)(?<!non-)neoplas|"
    r"neubildung|malignom|malignan[ct]y|"
    r"malignität|sarkom|sarcom|lymphom|leuk[äa]e?mi|melanom|blastom|adenom(?!y)|myelom(?!en)|gliom|basaliom|"
    r"seminom|mening[ei]om|lipom|"
    r"fibrom(?!y)|\bmyom|angiom|papillom|neurinom|schwannom|teratom|thymom|chondrom|metasta)\w*|\bbösartig\w*|"
    r"\bmalign\w*|肿瘤|癌|恶性|腫瘍|опух\w+",
    re.IGNORECASE,
)
_GENERIC = re.compile(r"tum[oe]u?r|onkolog|oncolog|neubild|neoplas|malignom|肿瘤|腫瘍|krebs|cancer|опух", re.IGNORECASE)
_ADJECTIVE = re.compile(r"(?:bösartig(?:e[rsnm]?)?|malign(?:e[rsnm]?|ant)?)$", re.IGNORECASE)
_FREE = re.compile(
    r"\b(?:tumor(?:frei|free)|tumou?r[- ]free|(?:nicht|non)[- ]?(?:neoplas|tumor|onkolog|oncolog)\w*|(?:nicht|"
    r"not) (?:neoplas|"
    r"tumorös|tumorbed)\w*|frei von tumor)",
    re.IGNORECASE,
)
_OTHER = re.compile(
    r"\b(?:das|dies|es|hier|it|this|die diagnose|the diagnosis)\s+(?:ist|is|handelt sich|liegt|beschreibt|"
    r"describes|bezeichnet)\s+(?:hier\s+)?"
    r"(?:\w+\s+)?(?:um\s+)?(?:an?\s+|ein\w*\s+)(?:\w+\s+){0,2}\w*(?:entzünd|infekt|infect|inflamm|fraktur|"
    r"fractur|abszess|abscess|hernie|hernia|"
    r"verletz|injur|diabet|hyperton|hypertens|pneumon|itis\b|hämatom|haematoma|hematoma|degenerat|thrombos|"
    r"ulkus|ulcer)",
    re.IGNORECASE,
)
_ASKS = re.compile(  # what makes nothing of a sentence certain
    r"\b(?:ob|whether|falls|wenn|if|unklar|unclear|fraglich|beurteilen|stellen|bestimmen|entscheiden|"
    r"(?:keine|ohne|weitere) angaben|cannot|can't|bitte|please|zum ausschluss|z\. ?a\.|fragen|frage|"
    r"benötige\w*|need)\b|"
    r"\?\s*$|是否",
    re.IGNORECASE,
)
_MAY = re.compile(  # of a clause
    r"\b(?:könnte\w*|could|might|may|möglicherweise|vielleicht|maybe|perhaps|possibly|eventuell|wäre|würde|would|"
    r"nicht auszuschl\w*|nicht ausgeschl\w*|not (?:be )?(?:excluded|ruled out))\b",
    re.IGNORECASE,
)
_SENTENCE = re.compile(r"(?<=[.!?。？！;])\s*|\n+")
_CLAUSE = re.compile(r",\s*|\s-\s|:\s|(?=\b(?:sondern|but|aber|jedoch|rather|doch)\b)|(?=而是)", re.IGNORECASE)
_INSTEAD = re.compile(r"\W*(?:sondern|but|aber|jedoch|rather|doch|而是)", re.IGNORECASE)
_NOT_BEFORE = re.compile(
    r"\b(?:kein\w*|nichts|nicht(?! nur)|no|not(?! only)|without|ohne|weder|noch|neither|nor|free of|frei von|"
    r"absence of|pas|he|ausschluss)\b|\b(?:rather than|instead of|statt|anstelle)\s+(?:an?\s+|"
    r"ein\w*\s+)?(?:\w+\s+)?\w{0,30}$|n't\b|不是|没有|無|не\b",
    re.IGNORECASE,
)
_NOT_BEHIND = re.compile(
    r"\b(?:nicht (?:\w+ )?(?:vor|nachweisbar|nachgewiesen|gefunden|vorhanden|gegeben|erkennbar|bestätigt|"
    r"gesehen)|liegt nicht|ausgeschlossen|"
    r"excluded|ruled out|(?:is|was|are|were) not|not (?:found|present|seen|identified|detected)|fehlt|absent|"
    r"negativ\w*|"
    r"widerlegt|unwahrscheinlich|trifft (?:\w+ )?nicht|stimmt nicht|kein\w* (?:\w+ )?(?:anhalt|hinweis\w*|"
    r"nachweis|beleg)|no (?:evidence|sign))\b",
    re.IGNORECASE,
)
_STATES = re.compile(
    r"\b(?:ist|sind|is|are|liegt|liegen|handelt|entspricht|beschreibt|bezeichnet|spricht|zeigt|describes|"
    r"indicates|represents|denotes|means|"
    r"bedeutet|gilt|zählt|wird|wurde|was|has|hat|haben|leidet|suffers|besteht|findet|lautet|nennt|enthält|"
    r"contains|mentions|gehört|counts|qualifies|constitutes|confirms|"
    r"bestätigt|presence|es un\w*|c'est|è|это)\b|这是|です",
    re.IGNORECASE,
)
_GIVEN = re.compile(
    r"\b(?:vor|gegeben|vorhanden|present|confirmed|bestätigt|nachgewiesen|gesichert|positiv)\W*$", re.IGNORECASE
)
_SHORT = 6  # words of an answer that names the tumour and nothing else


def said_by_statement(text: str, coded: bool) -> str | None:
    """Return yes or no as statements on the tumour say it.

    Args:
        text: plain.
        coded: a code may stand there, which says yes; only tumours altogether are denied then.
    """
    if _FREE.search(text):
        return NO
    short = len(text.split()) <= _SHORT and not re.search(r"[:={?]", text)
    sentences = _SENTENCE.split(text.replace("nicht, dass", "nicht dass"))
    found = [said for sentence in sentences if sentence.strip() for said in _of_sentence(sentence, short)]
    instead = [said for said, _, turned in found if turned]
    if YES in instead:
        return YES
    if any(said == NO and generic for said, generic, _ in found):
        return NO
    if any(said == YES for said, _, _ in found):
        return YES
    if any(said == NO for said, _, _ in found) and not coded:
        return NO
    return NO if _OTHER.search(text) and not _TUMOUR.search(text) else None


def _of_sentence(sentence: str, short: bool) -> list[tuple[str, bool, bool]]:
    """Return what the clauses of a sentence say, whether of any tumour, and whether instead of something else."""
    if _ASKS.search(sentence):
        return []
    said: list[tuple[str, bool, bool]] = []
    denied = False
    for clause in _CLAUSE.split(sentence):
        hits = list(_TUMOUR.finditer(clause))
        tumour = next((hit for hit in hits if not _ADJECTIVE.fullmatch(hit.group())), hits[0] if hits else None)
        turned = bool(_INSTEAD.match(clause)) and (denied or bool(said) or "sondern" in clause.lower())
        denied = denied or bool(_NOT_BEFORE.search(clause))
        if not tumour or _MAY.search(clause):
            continue
        before, behind = clause[: tumour.start()], clause[tumour.end() :]
        if _NOT_BEFORE.search(before) or _NOT_BEHIND.search(behind):
            if not re.search("metasta", tumour.group(), re.IGNORECASE) and not _ADJECTIVE.fullmatch(tumour.group()):
                said.append((NO, bool(_GENERIC.search(clause)), turned))
        elif turned or _STATES.search(before) or _GIVEN.search(behind) or short:
            said.append((YES, False, turned))
    return said
