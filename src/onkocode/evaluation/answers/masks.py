"""What looks like a code and is none: markers, places, numbers of cases, other systems, mixtures and groups."""

import re

MASKED = re.compile(
    "|".join(
        (
            r"\bt\(\d+;\d+\)(?:\([^)]*\))?|\b(?:del|inv|add|ins|dup)\(\d+[pq]?\)(?:\([^)]*\))*",
            r"\b(?:CD|CK|BCL|MUC|SOX|PAX|GATA|TTF|HER|HPV|WT|IDH|MSH|MLH|PMS)-?\d+\w*",
            r"\b[Pp](?:16|27|40|53|63)\b(?!\.\d)|\bS-?100\w*|\bKi-?67|\b[Vv]itamin\s+[A-Z]\d+|\bD2-40",
            r"\b(?:L858R|T790M|C797S|C228T|C250T|V600[EKR]|K27M|G34[RVW]|G1[23][A-Z]|Q61[A-Z]|R132[A-Z]|"
            r"R172[A-Z]|D816V)\b",
            r"\b(?:V617F|H1047[A-Z]|E545K|E542K)\b|\bPugh\s+[ABC]\s?\d*|\b[A-Z]\d\d[A-Z]{2}\d\d\b|\b[A-Z]\d{5,}\b",
            r"(?<![\w.])\d[A-Z]\d\d(?:\.\w+)?|(?<![\w.])\d-\d{2,3}[.\w]*|\b[A-LN-Z]-\d{4,5}\b|"
            r"(?<![\w.])\d{1,2}\.\d{1,2}\.(?:\d{2,4})?\b",
            r"\b(?:Tel|Fax|Telefon)\W{0,3}[\d/ -]{5,}|\bGPT-\w+|\b[A-Z] \d\d-(?:year|jähr)\w*",
            r"(?<![A-Za-z\d])\d{1,3}\s?(?:beta|β|ß|b)-?\s?[A-Z]\d+|\bCAM\s?5\.2|\bB72\.3|\bN1\.5\w*|\bC4d|"
            r"\bM2A|\b(?:[Kk]lon|[Cc]lone)\W{0,3}\w+",
            r"\b[CF]1[1348][- ](?=PET|FDG|PSMA|Chol|DOPA|Atem|markiert)|\bC14-\w+|\bI-?1(?:23|24|25|"
            r"31)[- ](?=\w*(?:[Tt]herap|[Ss]zinti|scint|MIBG|Iod))\w+",
            r"\b[Vv]it\.?\s?[A-Z]\d+|\bB(?:6|12)-(?:Mangel|Spiegel|Wert)\w*|\b(?:p\.|(?:KRAS|NRAS|HRAS|BRAF|"
            r"IDH[12]|EGFR|PIK3CA|TP53|GNAQ|GNA11|GNAS|KIT|"
            r"PDGFRA|ALK|RET|MET|AKT1|CTNNB1|FGFR[1-4]|FLT3|JAK2|MYD88|ESR1|"
            r"NPM1)[- ](?:p\.)?)(?:[A-Z]\d{2,4}[A-Z*]|[A-Z]\d{3,4}\b)",
            r"\bNr\.?\s+[A-Z]\s?\d+/\d{2}\b|\b[CF]1[18]-\w+|\bQLQ-?\w+|\bBR23\b|\bDRG\W{0,3}[A-Z]\d\d[A-Z]?\b",
            r"(?:[Mm]utation(?:en)?|[Vv]ariant[es]?)\s+(?:p\.)?[A-Z]\d{2,4}[A-Z*]?\b",
            r"\b(?:NCIt?|UMLS|SNOMED(?: CT)?|CUI|MeSH)\W{0,3}[A-Z]?\d+",
        )
    )
)
JOINED = re.compile(r"(\b[A-Z]\d\d(?:\.\d{1,2})?) ?[/-] ?(?=[89]\d{3})")
GROUP = re.compile(
    r"\b[A-Z]\d\d(?:\.\d{1,2})?(?: ?- ?| (?:bis|to|through|until) )(?:[A-Z]\d\d(?:\.\d{1,2})?|\d\d)(?![\d/])"
    r"|\b[89]\d{2,3}(?:/\d)?(?: ?- ?| (?:bis|to) )[89]\d{2,3}(?:/\d)?(?!\d)",
    re.IGNORECASE,
)
MIXED = re.compile(
    r"\b[89]\d{3}/[A-Z]\d\d\S*|"
    r"\b[A-Z]\d\d/\d{4}\.\S*|\b[A-LN-Z]\d{4}/\d|\b[A-Z]?\d\d/\d\.\d{4}|\bM?\d{4}\.[A-Z]\d\d\S*|\b[A-Z]\d\d\.\d{4}/\d|"
    r"\b[A-Z]\d\d(?:\.\d{1,2})?/\d(?!\d)"
)
INVENTED = re.compile(
    r"\b[A-Z]\d?\.\d[\d.]*|\b[A-Z]\d\d\.\d{3,}|\b[89]\d{3} ?/ ?\d\d|\b[1-9]\d{2}/\d\b|\b[A-Z]\d{3,}\b"
)
OTHER = re.compile(
    r"(?<![\w.])\d-\d{3}[.\w]*|\bp?T[0-4is]\w* ?p?N[0-3X]|\b[A-Z]\d\d[A-Z]{2}\d\d\b|(?<![\w.])\d[A-Z]\d\d(?:\.\w+)?|"
    r"\bDRG\W{0,3}[A-Z]\d\d|\b[TM]-\d{4,5}\b|\b\d{7,9}\b|\bpT\d"
)
# Rooms, houses, cases, specimens, clones and levels of the spine are named like codes.
_CODE = r"[A-Z]\s?\d[\w./-]*"
_PLACE = (
    r"(?:[A-Z]?[a-zäöü]*(?:[Zz]immer|[Rr]aum|[Rr]äume|[Hh]aus|[Gg]ebäude|[Ss]tation|[Aa]mbulanz)|Bett|"
    r"Bettplatz|Ebene|Etage|Flur|Trakt|"
    r"Flügel|Turm|Bau|Saal|OP-Saal|Tor|Tür|Schalter|Parkplatz|Parkdeck|Eingang|Aufgang|Box|Kabine|Schrank|Fach|Regal|"
    r"[Rr]ooms?|[Bb]eds?|[Ww]ards?|[Bb]uilding|[Ff]loor|[Ww]ing|[Ss]uite|[Gg]ate|[Hh]ouse|[Uu]nit|[Oo]ffice|"
    r"Block|Blöcke|Paraffinblock|Schnitt|Objektträger|Kassette|Kapsel|Abbildung|Anhang|Anlage|Seite|"
    r"Fußnote|[Ss]lide|[Cc]assette|[Ff]igure|[Aa]ppendix|[Pp]age)"
)
_CASE = (
    r"(?:[Hh]isto\w*|[Zz]yto\w*|[Pp]atho\w*|[Ll]abor\w*|[Ff]all|[Pp]roben?|[Ee]ingangs\w*|[Ee]ingang|"
    r"[Jj]ournal|[Pp]räparat\w*|[Aa]uftrags\w*|"
    r"[Bb]efund|[Aa]kten\w*|[Ee]insende\w*|[Pp]atient\w*|[Pp]at|[Bb]uchungs\w*|[Uu]ntersuchungs\w*|[Cc]ase|"
    r"[Aa]ccession|[Ss]pecimen|[Ss]ample|"
    r"[Oo]rder|[Ll]ab|[Rr]eport|[Bb]iopsy|[Bb]iopsie|[Ss]urgical|[Pp]athology)"
)
_LEVEL = r"(?:[CLS]\d|Th?(?:\d|1[0-2]))(?![.\w])"
_ROOM = r"(?:[A-Z]?[a-zäöü]*(?:[Zz]immer|[Rr]aum|[Ss]tation))"
NAMED = re.compile(
    "|".join(
        (
            rf"\b(?:{_ROOM}:|{_PLACE}\b|(?:Zi|Stat|Tab|Abb|Abt)\.)\s+(?:Nr\.?\s*|No\.?\s*)?{_CODE}"
            r"(?:\s*(?:und|and|bis|to|/|-)\s*[A-Z]\d{1,3}(?![.\w]))*",
            rf"\b{_CASE}[- ]?(?:[Nn]r|[Nn]ummer|[Nn]o|[Nn]umber|ID|#|Id)\b\.?\W{{0,3}}{_CODE}",
            r"\b[A-Z]\d\d[-/](?![89]\d{3}\b)\d{3,6}(?![\d/.])",
            r"\b(?:Th?|C|L|S)\d{1,2}-(?:[Ff]rakt|[Ff]ract|[Ww]irbel|[Ss]yndrom|[Ww]urzel|[Rr]adiku|[Ff]usion)\w*",
            r"\b[Aa]ccession\W{1,3}[A-Z]\s?\d[\w./-]*",
            r"\bCD\d+[a-z]?\s?\([A-Z]{0,3}\d{1,3}\)",
            r"\b(?:HWK|BWK|LWK|SWK|HWS|BWS|LWS|[Ww]irbel\w*|[Vv]ertebra\w*|[Hh]öhe(?: von)?|[Ss]egment\w*|"
            r"[Ll]evels?)\s+"
            rf"[A-Z]\d{{1,2}}(?![.\w])(?:\s*(?:,|/|-|und|bis|and|to|sowie)\s*(?:{_LEVEL}|\d{{1,2}}(?![.\w])))*",
            rf"(?<!\w){_LEVEL}\s?[/-]\s?{_LEVEL}",
        )
    )
)


def blank(pattern: re.Pattern[str], text: str) -> str:
    """Return a text with blanks where a pattern stood."""
    return pattern.sub(lambda found: " " * len(found.group()), text)


def without_others(text: str) -> str:
    """Return a text of the same length in which what only looks like a code, mixtures and groups are blanks."""
    masked = JOINED.sub(r"\1 ; ", blank(MIXED, blank(NAMED, text)))
    return blank(MASKED, blank(GROUP, masked))


def reason(text: str, masked: str, said: bool, others: bool) -> str:
    """Return why a text holds no code of the asked form.

    Args:
        text: plain.
        masked: the text without what only looks like a code.
        said: a code of the system stands there that is not meant.
        others: codes of other systems stand there.
    """
    if said:
        return "no code"
    if MIXED.search(text):
        return "mixture"
    if GROUP.search(text):
        return "group"
    if others or OTHER.search(text):
        return "other system"
    return "invented" if INVENTED.search(masked) else "no code"
