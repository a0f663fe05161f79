"""German texts in many encodings: the right letters or an error, never wrong letters unseen."""

from pathlib import Path

import pytest

from onkocode.catalogues.formats.code_pages import blocks, find_doubt
from onkocode.catalogues.formats.encodings import find_encoding
from onkocode.records.errors import InputError

PATH = Path("texts.csv")
LIST = """
ältere ähnliche äußerer ätiologisch ärztlich ängstlich ästhetisch äquivalent ätzend äonenlang ächzend
Änderung Äste Äther Ätiologie Ärztin Äpfel Äquator Äderchen Ägypten Ära Äonen Äskulap Äußeres
öffnen ödematös örtlich östlich ökonomisch öfter Ödem Ösophagus Österreich Östrogen Öl Ökonomie Öse Öhr
über übel üppig übertragen Übelkeit Überlappung Übergang
groß Fuß Gefäß Straße Gauß heiß weiß süß außen Größe Blöße Füße großzellig
Brustdrüse Männer Höhle Diarrhö Menü prä präoperativ präaurikulär Homöopathie gastroösophageal Lipoödem Hirnödem
infektiös biliäre nukleär Diät Urämie Anämie Leukämie Tuberkulös Angiödem glutäal präartikulär Pyämie
Geschwür Küche Drüse häufig Säugling Bläschen Körper Knöchel Mäuse Rückfall Böig Bö dünn Lähmung Wärme Schädel Zähne
"""
WORDS = LIST.split() + [word for word in LIST.upper().split() if not word.isascii()] + ["STRAßE", "GRÖßE", "FUß"]
PLACES = [
    "{}",
    "{} Karzinom",
    "Karzinom {}",
    "Z. n. {}, G2",
    "({})",
    '"{}"',
    "Karzinom-{}",
    "{}-Karzinom",
    "a/{}",
    "{}.",
]
PLACES += ["1;{};C50.9", "{} rechts – links", "{} §", "{} 5 €"]
ONE_BYTE = ["cp850", "cp437", "mac_roman", "cp1252", "latin-1", "iso8859-15"]
MORE_BYTES = ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"]
RIGHT = ["cp1252", "latin-1", "iso8859-15", "utf-8", "utf-8-sig"]


def read(data: bytes) -> str | None:
    """Return what is read, None where it is refused."""
    try:
        return find_encoding(data, PATH).text()
    except InputError:
        return None


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("encoding", ONE_BYTE + MORE_BYTES)
def test_every_word_is_read_right_or_refused(encoding: str, place: str) -> None:
    for word in WORDS:
        text = f"id;text\n1;Lunge\n{place.format(word)}\n"
        try:
            data = text.encode(encoding)
        except UnicodeEncodeError:  # the sign beside the word
            continue
        refused = encoding not in RIGHT or (encoding == "iso8859-15" and "€" in text)
        assert read(data) == (None if refused else text), word


@pytest.mark.parametrize("between", ["cp850", "cp1252", "latin-1", "mac_roman"])
def test_every_word_that_was_encoded_twice_is_refused(between: str) -> None:
    for word in WORDS:
        data = f"Lunge\n{word}\n".encode().decode(between, "surrogateescape").encode("utf-8", "surrogateescape")
        with pytest.raises(InputError, match=r"texts\.csv:2: the letters were encoded twice"):
            find_encoding(data, PATH)


@pytest.mark.parametrize("encoding", ["cp850", "mac_roman"])
@pytest.mark.parametrize(
    "text", ["Tumor o. ä.", "Tumor u.ä.", "Tumor u. Ä.", "ß-HCG erhöht", "ß-HCG", "Befund\nFuß", "38,5 °C, öfter"]
)
def test_abbreviations_and_first_letters(encoding: str, text: str) -> None:
    assert read(text.encode(encoding)) is None
    assert read(text.encode("cp1252")) == text


SIGNS = """
Karzinom „links“|„befund“ links|„Befund”|“Befund”|‚rechts‘|‘rechts’|«links»|Karzinom – links|Karzinom — links|„Z. n.“
(‚Befund‘)|Typ „A“|„Ä“|• Karzinom|Karzinom …|Karzinom…|Ca…links|Crohn’s|Paget´s|† 2019|†2019|A00.0†|5 €|5€|€ 5|EUR/€
§ 3|§3|vgl. § 21 StGB|Herceptin®|Herceptin™|38°C|38 °C|5 µm|cm²|10³|5 × 3|± 2|½|¹/²|2 ‰|3 ¢|à 5 mg|ø 5 cm|Ø
Guérin|Café|Menière|Ångström|Barré|João|Peña|Curaçao|Œuvre|Præputium|Kovács|Sánchez|Halász|Vámos|Szabó
Šimek|Škoda|Štefan|Špela|Šaric|Žižek|Želj|Župan|Žak|Dušek|Dušan|Tomaš|Miloš|BOŽENA|ŠKODA|ŽUPAN
ß-HCG|o. ä.|Ü60|DIARRHÖ|größe|MÜLLER|Fuß|Straße
"""


@pytest.mark.parametrize("text", SIGNS.strip().replace("\n", "|").split("|"))
def test_signs_and_names_of_windows_are_no_false_alarm(text: str) -> None:
    assert read(f"id\n{text}\n".encode("cp1252")) == f"id\n{text}\n"


@pytest.mark.parametrize("word", ["Calvé", "Guérin", "Behçet", "Bouffée", "Liéou", "BEHÇET"])
def test_accents_of_other_code_pages_are_refused_within_words(word: str) -> None:
    assert read(word.encode("cp850")) is None
    assert read(word.encode("mac_roman")) is None
    assert read(word.encode("cp1252")) == word


@pytest.mark.parametrize("doubtful", ["…links", "CA…", "Juárez", "„ähnlich“", "Ždera"])
def test_an_umlaut_of_windows_elsewhere_settles_what_is_open(doubtful: str) -> None:
    for text in (f"{doubtful}\nDrüse\n", f"Drüse\n{doubtful}\n", f"Übel\n{doubtful}\n", f"{doubtful}\nFuß\n"):
        assert read(text.encode("cp1252")) == text


@pytest.mark.parametrize(("doubtful", "name"), [("…links", "old Macs"), ("Juárez", "DOS")])
def test_what_stays_open_is_refused_with_its_line(doubtful: str, name: str) -> None:
    message = (
        rf"texts\.csv:3: not UTF-8 .*; by its letters \(line 3\) it is Windows-1252 or of {name}.*iconv -f WINDOWS-12"
    )
    with pytest.raises(InputError, match=message) as caught:
        find_encoding(f"a\nb\n{doubtful}\n".encode("cp1252"), PATH)
    assert doubtful not in str(caught.value)


@pytest.mark.parametrize("encoding", ["cp850", "mac_roman"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_the_line_is_named_wherever_it_stands(encoding: str, end: str) -> None:
    for lines in (3, 60_000):  # in a later block as well
        data = end.join([*["Lunge links"] * (lines - 1), "Brustdrüse", "Höhle"]).encode(encoding)
        with pytest.raises(InputError, match=rf"texts\.csv:{lines}: not UTF-8 .* in line {lines}\)"):
            find_encoding(data, PATH)


@pytest.mark.parametrize("end", [b"\n", b"\r"])
def test_blocks_are_whole_lines(end: bytes) -> None:
    data = end.join([b"x" * 700 for _ in range(2000)])
    found = list(blocks(data, end))
    assert len(found) > 2
    assert b"".join(block for _, block in found) == data
    assert all(block.endswith(end) for _, block in found[:-1])
    assert found[-1][0] + found[-1][1].count(end) == 2000


def test_ascii_is_in_no_doubt() -> None:
    assert find_doubt(b"Karzinom\n" * 3) is None
