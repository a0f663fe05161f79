"""What a text says: the tumour that it is about, its codes, and the words and rules that they come from."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from onkocode.language.facts import tumour_in_situ, tumour_papillary
from onkocode.language.lexicon import Lexicon
from onkocode.language.mentions import Mention, find_considered, find_mentions, preferred
from onkocode.language.nodes import ANY, Named, find_nodes
from onkocode.language.rows import Histology
from onkocode.language.sites import SiteFinder
from onkocode.language.subject import subject_of
from onkocode.language.text import Text, take_apart
from onkocode.language.tissues import UNKNOWN

NO_NEOPLASM = "-"  # in the place of a code
UROTHELIAL = ("8120", "8130")
BENIGN_TOO = ("mesothelial", "soft", "nerve", "vascular", "bone", "cartilage", "thymic")
NO_NODES = ("epithelial", "skin", "melanocytic", "salivary", "thymic", "neuroendocrine")
OPEN = ("8000", "8001", "8010")  # morphologies that say no more than tumour or carcinoma
URINARY = ("C65", "C66", "C67", "C68")
BILE_DUCT = ("8160", "8161", "8162")


@dataclass(frozen=True)
class Reason:
    """A step to a code: what it decides, the words, and the place of the row or the name of the rule."""

    decides: str
    words: str
    rule: str


@dataclass(frozen=True)
class Finding:
    """A tumour with its codes; None where the text does not tell one.

    Attributes:
        kind: primary or metastasis.
        icd10: code of ICD-10-GM.
        topography: of the primary.
        morphology: of the primary.
        basis: how its site was found (see `Named`).
        reasons: the steps to the codes.
        others: further topographies that are named.
        alternatives: further codes of ICD-10-GM that are defensible, the likelier first.
    """

    kind: str
    icd10: str | None
    topography: str | None
    morphology: str | None
    basis: str
    reasons: tuple[Reason, ...] = ()
    others: tuple[str, ...] = ()
    alternatives: tuple[str, ...] = ()


@dataclass(frozen=True)
class Reading:
    """What a text says.

    Attributes:
        subject: the tumour that it is about; None where it speaks of none.
        others: further tumours.
        text: taken apart.
    """

    subject: Finding | None
    others: tuple[Finding, ...]
    text: Text


def read(lexicon: Lexicon, written: str) -> Reading:
    """Read a text."""
    text = take_apart(lexicon, written)
    mentions = find_mentions(lexicon, text)
    subject = subject_of(lexicon, text, mentions)
    reader = _Reader(lexicon, text, mentions)
    others = tuple(reader.finding(other) for other in mentions if other is not subject and other.kind != "origin")
    return Reading(reader.subject(subject) if subject else None, others, text)


def normal_form(lexicon: Lexicon, written: str) -> str:
    """Return a text as its stems in order, abbreviations in full, compounds apart, without facts like stage and size.

    Texts that say the same in other spellings have one normal form; coders that compare texts may compare these.
    """
    text = take_apart(lexicon, written)
    return " ".join(min((feature for feature in unit if not feature.endswith("~")), key=len) for unit in text.features)


@dataclass(frozen=True)
class _Reader:
    lexicon: Lexicon
    text: Text
    mentions: Sequence[Mention]

    def subject(self, mention: Mention) -> Finding:
        """Return what a text is about, with the codes of what it names as alternatives."""
        found = self.finding(mention)
        named = set(mention.histology.places) if mention.histology else set()
        beside = [place for place in mention.places if place not in named]
        considered = find_considered(self.lexicon, self.text)
        codes = [self.finding(replace(other, places=sorted({*other.head, *beside}))).icd10 for other in considered]
        alternatives = (code for code in (*found.alternatives, *codes) if code not in (None, found.icd10, NO_NEOPLASM))
        return replace(found, alternatives=tuple(dict.fromkeys(filter(None, alternatives))))

    def finding(self, mention: Mention) -> Finding:
        return self._metastasis(mention) if mention.kind == "metastasis" else self._primary(mention)

    def _primary(self, mention: Mention) -> Finding:
        row = self._histology(mention)
        behaviour, why = self._behaviour(mention, row)
        morphology = f"{row.code[:5]}{behaviour}"
        site = self._source_site(mention, row) or SiteFinder(self.lexicon, self.text, mention, row).find()
        urothelial = row.code[:4] in UROTHELIAL or (row.code[:4] in ("8000", "8010") and site.code[:3] in URINARY)
        if tumour_papillary(self.text.facts) and urothelial:
            morphology = "8130/2"
        if row.code[:4] in BILE_DUCT and site.code == "C22.0":
            site = replace(site, code="C22.1")
        icd10, rule = self._icd10(mention, row, site, morphology)
        if site.code.startswith("C77") and row.kind in NO_NODES and morphology.endswith("3"):
            site, icd10, rule = (
                replace(site, code=UNKNOWN),
                site.code,
                "a carcinoma in lymph nodes comes from elsewhere",
            )
        words = self._words(mention.histology.places if mention.histology else ())
        reasons = (
            Reason("morphology", words, str(row.place)),
            *why,
            Reason("topography", self._words(site.words), str(site.place) if site.place else site.basis),
            Reason("icd10", f"{site.code} {morphology}", rule),
        )
        alternatives = self._alternatives(icd10, site, morphology)
        return Finding("primary", icd10, site.code, morphology, site.basis, reasons, site.others, alternatives)

    def _alternatives(self, icd10: str | None, site: Named, morphology: str) -> tuple[str, ...]:
        """Return further codes: those that rules dispute, then those of other sites that are named."""
        combinations = self.lexicon.combinations
        codes = [*combinations.alternatives(site.code, morphology)]
        codes += [code for other in site.others if (code := combinations.icd10(other, morphology)[0])]
        return tuple(dict.fromkeys(code for code in codes if code != icd10))

    def _histology(self, mention: Mention) -> Histology:
        places = [place for place in mention.places if not self.text.roles.has(place, "alternative")]
        matches = self.text.matches(self.lexicon.histologies, places or mention.places)
        match = preferred(matches, self.text.units) if matches else mention.histology
        if match is None:
            raise ValueError("a mention of a primary tumour has a name")
        mention.histology = match
        return self.lexicon.histologies.rows[match.row]

    def _behaviour(self, mention: Mention, row: Histology) -> tuple[str, tuple[Reason, ...]]:
        own = row.code[5]
        if tumour_in_situ(self.text.facts) and own == "3":
            return "2", (Reason("behaviour", "Tis", "T category"),)
        for match in sorted(
            self.text.matches(self.lexicon.behaviours, mention.places), key=lambda match: -match.weight
        ):
            said = self.lexicon.behaviours.rows[match.row]
            if mention.histology and self._tokens(match.places) <= self._tokens(mention.histology.places):
                continue  # Lentigo maligna
            if _changes(own, said.behaviour, row.kind):
                return said.behaviour, (Reason("behaviour", self._words(match.places), str(said.place)),)
        return own, ()

    def _tokens(self, places: Sequence[int]) -> set[tuple[int, int]]:
        """Return where the words stand in the text; all words of an abbreviation stand in one place."""
        tokens = (self.text.tokens[self.text.units[place].token] for place in places)
        return {(token.start, token.end) for token in tokens}

    def _icd10(self, mention: Mention, row: Histology, site: Named, morphology: str) -> tuple[str | None, str]:
        if row.icd10 and morphology[5] == row.code[5]:
            code, rule = self.lexicon.combinations.icd10(site.code, morphology)
            if rule and code and row.icd10.endswith("9") and code[:3] == row.icd10[:3]:
                return code, str(rule.place)  # the site says more
            return self._remission(row.icd10), str(row.place)
        if site.code == UNKNOWN and morphology[5] == "3":
            return ("C80.0", "unknown primary") if self._is_unknown() else ("C80.9", "no site")
        code, rule = self.lexicon.combinations.icd10(site.code, morphology)
        for match in self.text.matches(self.lexicon.finer, mention.places) if code else ():
            if self.lexicon.finer.rows[match.row].icd10 == code:
                return self.lexicon.finer.rows[match.row].finer, str(self.lexicon.finer.rows[match.row].place)
        return code, str(rule.place) if rule else "code of the site"

    def _is_unknown(self) -> bool:
        return bool(self.text.roles.cues.get("unknown"))

    def _remission(self, code: str) -> str:
        digits = code.partition(".")[2]
        if len(digits) == 2 and digits[1] == "0" and code[:3] in ("C88", "C90", "C91", "C92", "C93", "C94", "C95"):
            return code[:-1] + "1" if self._in_remission() else code
        return code

    def _in_remission(self) -> bool:
        spans = self.text.roles.cues.get("remission", [])
        return any(not self.text.roles.has(start, "negated") for start, _ in spans)

    def _metastasis(self, mention: Mention) -> Finding:
        site = SiteFinder(self.lexicon, self.text, mention, None).find()
        if site.basis in ("unknown", "loose region"):
            site = self._before(mention) or self._taken(mention, site) or site
        if (site.basis == "procedure" or site.code == ANY) and (nodes := self._nodes_taken(mention, site)):
            site = nodes
        source = self._source(mention)
        topography = source.topography if source else self._origin()
        if site.basis == "unknown" and topography == UNKNOWN:
            return Finding("metastasis", "C80.0", UNKNOWN, None, "unknown", (Reason("icd10", "", "unknown primary"),))
        code, rule = self.lexicon.combinations.metastasis(site.code)
        reasons = (
            Reason("metastasis", self._words(site.words), str(site.place) if site.place else site.basis),
            Reason("icd10", site.code, str(rule.place) if rule else "other site"),
            *(source.reasons if source else ()),
        )
        morphology = source.morphology if source else None if topography == UNKNOWN else "8000/3"
        if morphology and morphology.startswith("8000"):
            morphology = "8000/3"  # what spreads is malignant
        return Finding("metastasis", code, topography, morphology, site.basis, reasons, site.others)

    def _source(self, mention: Mention) -> Finding | None:
        """Return the tumour that a metastasis comes from: one with a site of its own, and the kind that is said."""
        others = [other for other in self.mentions if other is not mention.explains and self._is_source(other)]
        found = [self._primary(other) for other in others]
        if not found:
            return None
        best = min(found, key=lambda source: (source.topography == UNKNOWN, source.basis == "procedure"))
        kinds = [source.morphology for source in found if source.morphology and not source.morphology.startswith(OPEN)]
        return replace(best, morphology=next(iter(kinds), best.morphology))

    def _taken(self, mention: Mention, site: Named) -> Named | None:
        """Return the organ that was taken; beside a region only if it stands before (Hirnresektat parietal)."""
        taken = SiteFinder(self.lexicon, self.text, mention, None).by_procedure()
        before = taken is not None and all(place < mention.head[0] for place in taken.words)
        return taken if site.basis == "unknown" or before else None

    def _nodes_taken(self, mention: Mention, site: Named) -> Named | None:
        """Return the region of the lymph nodes that were taken (Lymphknotenstanze axillär)."""
        first = site.words[0] if site.words else 0
        part = next((part for part in self.text.parts if part.start <= first < part.end), None)
        beside = range(part.start, part.end) if part else ()
        taken = (place for place, roles in enumerate(self.text.roles.of_unit) if "procedure" in roles)
        places = sorted({*mention.places, *beside, *taken})
        return find_nodes(self.lexicon, self.text, places, False) if site.code.startswith("C77") else None

    def _source_site(self, mention: Mention, row: Histology) -> Named | None:
        """Return where a tumour comes from that is a metastasis by its name (Krukenberg, Pseudomyxoma)."""
        sources = [other for other in self.mentions if other is not mention and self._is_source(other)]
        if not row.code.endswith("/6") or not sources:
            return None
        return SiteFinder(self.lexicon, self.text, sources[0], self._histology(sources[0])).find()

    def _origin(self) -> str:
        """Return the site that a metastasis is said to come from."""
        mention = next((other for other in self.mentions if other.kind == "origin"), None)
        return SiteFinder(self.lexicon, self.text, mention, None).find().code if mention else UNKNOWN

    def _is_source(self, mention: Mention) -> bool:
        if mention.kind != "primary" or mention.histology is None:
            return False
        if "origin" in mention.roles:
            return True
        row = self.lexicon.histologies.rows[mention.histology.row]
        return row.kind != "placeholder" or row.code.endswith("/3")

    def _before(self, mention: Mention) -> Named | None:
        """Return the site of a lesion that is said to be a metastasis (Rundherde, vereinbar mit Metastasen)."""
        at = next((number for number, other in enumerate(self.mentions) if other is mention), 0)
        lesions = [other for other in self.mentions[:at] if other.kind == "primary" and not self._is_source(other)]
        lesions += [mention.explains] if mention.explains else []
        site = SiteFinder(self.lexicon, self.text, lesions[-1], None).find() if lesions else None
        return site if site and site.basis != "unknown" else None

    def _words(self, places: Sequence[int]) -> str:
        tokens = dict.fromkeys(self.text.units[place].token for place in places)
        spans = dict.fromkeys((self.text.tokens[token].start, self.text.tokens[token].end) for token in tokens)
        return " … ".join(self.text.written[start:end] for start, end in spans)


def _changes(own: str, said: str, kind: str) -> bool:
    """Tell whether words on the behaviour change that of a kind of tumour."""
    if own == said or said == "6":
        return False
    if kind == "placeholder":
        return True
    if own == "3":
        return said == "2" or (said == "0" and kind in BENIGN_TOO)
    if own in "01":
        return said in "13" if own == "0" else said in "03"
    return said == "3"
