"""How many tokens the training questions have, with and without the padding of a batch."""

from collections.abc import Sequence
from dataclasses import dataclass

from onkocode.models.architectures import known

CHARACTERS_PER_TOKEN = 3.5  # assumed, for a system prompt where there is no tokenizer
TURN = 5  # tokens around a system prompt


@dataclass(frozen=True)
class Lengths:
    """Tokens of a question with its answer.

    Attributes:
        mean: tokens of both.
        answer: mean tokens of the answer and the end of its turn.
        longest: of all questions.
        spread: equally likely lengths, ascending, each the middle of its share.
        source: where the numbers are from.
    """

    mean: float
    answer: float
    longest: int
    spread: tuple[float, ...]
    source: str

    def padded(self, batch: int, window: int | None = None) -> float:
        """Return the expected tokens per question when each batch is padded to its longest question.

        Args:
            batch: questions computed at once.
            window: batches whose questions are sorted by length together; None = batches are drawn at random.
        """
        if window is None:
            count = len(self.spread)
            above = [((i + 1) / count) ** batch - (i / count) ** batch for i in range(count)]
            return sum(share * length for share, length in zip(above, self.spread, strict=True))
        # The longest of the n-th batch is the (n · batch)-th of the whole window.
        places = [(n + 1) * batch / (window * batch + 1) for n in range(window)]
        return sum(self._quantile(place) for place in places) / window

    def _quantile(self, place: float) -> float:
        position = place * len(self.spread) - 0.5
        if position <= 0:
            return self.spread[0]
        lower = int(position)
        if lower + 1 < len(self.spread):
            low, high = self.spread[lower], self.spread[lower + 1]
            return low + (position - lower) * (high - low)
        return self.spread[-1]


def table_lengths(tokenizer: str, system_prompt: str | None) -> Lengths:
    """Return the lengths of a tokenizer of the table; a system prompt of the recipe is estimated."""
    row = known()["tokens"][tokenizer]
    more, source = 0.0, f"table ({tokenizer})"
    if system_prompt is not None:
        more = len(system_prompt) / CHARACTERS_PER_TOKEN + TURN - row["replaced"]
        source += ", system prompt estimated"
    spread = tuple(length + more for length in row["spread"])
    return Lengths(row["mean"] + more, row["answer"], round(row["longest"] + more), spread, source)


def counted_lengths(lengths: Sequence[int], answers: Sequence[int], longest: int, source: str) -> Lengths:
    """Return the lengths of tokenised questions.

    Args:
        lengths: tokens of a question with its answer, of a random choice of questions or of all.
        answers: tokens of their answers.
        longest: of all questions.
        source: says how many were tokenised.
    """
    spread = tuple(float(length) for length in sorted(lengths))
    return Lengths(sum(lengths) / len(lengths), sum(answers) / len(answers), longest, spread, source)
