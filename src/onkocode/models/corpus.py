"""The text that tiny models are pre-trained on: words without codes, codes without words.

A tiny model must know the language of labels and the look of codes before LoRA has anything to adapt, and must know
nothing of which belongs to which. So a document holds either labels or codes, never both: labels are repeated and
listed, codes are listed, and questions for a code are asked about invented words.
"""

from collections.abc import Iterable, Mapping, Sequence

from onkocode.questions.formulations import PLACE
from onkocode.records.ids import digest

ONSETS = ("b", "d", "f", "g", "h", "k", "l", "m", "n", "p", "r", "s", "t", "w", "z", "br", "gr", "kl", "st", "tr")
NUCLEI = ("a", "e", "i", "o", "u", "au", "ei", "ä", "ö", "ü")
CODAS = ("", "", "l", "m", "n", "r", "s", "t")
ASKS = {
    "icd10gm": ("Welcher Code der ICD-10 steht für {word}?", "Gesucht wird der ICD-10-Code von {word}."),
    "topography": ("Welche Topographie nach ICD-O hat {word}?", "Gesucht wird der Topographiecode von {word}."),
    "morphology": ("Welche Morphologie nach ICD-O hat {word}?", "Gesucht wird der Morphologiecode von {word}."),
    "ops": ("Welche Kategorie hat {word} im OPS?", "Gesucht wird der OPS-Code von {word}."),
}
YES_NO = ("Ist {word} ein Tumor?", "Tumor, ja oder nein: {word}")
THOUGHT = "Zu {word} kenne ich keinen Eintrag. Ich nenne einen Code, der der Form nach passt."
# How often each formulation counts in the vocabulary: enough that its words become single tokens.
FORMULATION_WEIGHT = 60
Document = tuple[str, str, str | None]  # question, answer, thought


class Choice:
    """Seeded choice by hashing: the same on every machine and in every version."""

    def __init__(self, seed: int) -> None:
        self.seed, self.count = seed, 0

    def below(self, n: int) -> int:
        """Return a whole number in 0…n-1."""
        self.count += 1
        return int(digest(self.seed, "corpus", self.count)[:12], 16) % n

    def of(self, options: Sequence[str]) -> str:
        """Return one of the options."""
        return options[self.below(len(options))]


def vocabulary_texts(corpus: Sequence[Document], formulations: Iterable[str]) -> list[str]:
    """Return the texts that a tokenizer is trained on: the corpus, and the formulations without any label.

    The formulations, held-out ones too, give the tokenizer its words as real tokenizers have them; the model sees none
    of them before training.
    """
    spoken = [f"{question} {answer} {thought or ''}" for question, answer, thought in corpus]
    return spoken + [formulation.replace(PLACE, "") for formulation in formulations] * FORMULATION_WEIGHT


def build_corpus(
    labels: Sequence[str], codes: Mapping[str, Sequence[str]], documents: int, thinking: bool, seed: int
) -> list[Document]:
    """Return documents as (question, answer, thought or None), in training order.

    Args:
        labels: texts of the catalogues, without their codes.
        codes: all codes per system (icd10gm, topography, morphology, ops), without their titles.
        documents: how many.
        thinking: give half of the coding questions a thought, for models with a thinking template.
        seed: seed of every choice.
    """
    choice = Choice(seed)
    systems = [system for system in ASKS if codes.get(system)]
    made: list[Document] = []
    for number in range(documents):
        kind = number % 5
        if kind in (0, 1):
            made.append(_question(choice, systems, codes, thinking and kind == 1))
        elif kind == 2:
            made.append(_codes_in_order(choice, systems, codes))
        elif kind == 3:
            label = choice.of(labels)
            made.append((f"Bitte wiederhole: {label}", label, None))
        else:
            made.append(("Nenne einige Begriffe.", ", ".join(choice.of(labels) for _ in range(3)), None))
    return made


def _question(choice: Choice, systems: Sequence[str], codes: Mapping[str, Sequence[str]], thinking: bool) -> Document:
    word = " ".join(invented_word(choice) for _ in range(1 + choice.below(3)))
    thought = THOUGHT.format(word=word) if thinking else None
    if choice.below(4) == 0:
        return choice.of(YES_NO).format(word=word), choice.of(("Ja", "Nein")), thought
    system = choice.of(systems)
    return choice.of(ASKS[system]).format(word=word), choice.of(codes[system]), thought


def _codes_in_order(choice: Choice, systems: Sequence[str], codes: Mapping[str, Sequence[str]]) -> Document:
    listed = codes[choice.of(systems)]
    start = choice.below(max(1, len(listed) - 6))
    return f"Zähle ab {listed[start]} weiter.", " ".join(listed[start : start + 6]), None


def invented_word(choice: Choice) -> str:
    """Return a pronounceable word of two to four syllables that means nothing."""
    syllables = [choice.of(ONSETS) + choice.of(NUCLEI) + choice.of(CODAS) for _ in range(2 + choice.below(3))]
    return "".join(syllables).capitalize()
