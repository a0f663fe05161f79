"""What the words of a text say by the tables of clinical language, and behind it what the most similar labels have."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from onkocode.coders import nearest_label
from onkocode.coders.fitted import check_tasks
from onkocode.coders.interface import Answer
from onkocode.coders.spaces import allowed_answers, fitting
from onkocode.config.coders import Lexicon, NearestLabel
from onkocode.language import certainty
from onkocode.language.candidates import Said
from onkocode.language.reader import Reader, saved_reader
from onkocode.tasks import NO, TASKS, YES

Scored = list[tuple[str, float]]  # answers with their probabilities


def fit(settings: Lexicon, entries: pl.DataFrame, folder: Path) -> dict[str, Any]:
    """Write the tables as they are, and the labels with their normal forms."""
    return nearest_label.fit(_neighbours(settings), entries, folder)


def load(settings: Lexicon, folder: Path) -> Answer:
    """Return what answers texts by what they say."""
    reader = saved_reader(folder / nearest_label.TABLES)
    nearest = nearest_label.load(_neighbours(settings), folder)
    spelt = nearest_label.load(NearestLabel(kind="nearest-label", candidates=certainty.LABELS), folder)
    labels = pl.read_parquet(folder / nearest_label.LABELS)
    speakers = {
        task: _Speaker(task, reader, _of_forms(part), allowed_answers(task, part["answer"], folder))
        for (task,), part in labels.group_by("task")
    }

    def answer(texts: pl.DataFrame) -> pl.DataFrame:
        check_tasks(texts, labels["task"])
        weighed = texts.filter(pl.col("task").is_in(WEIGHED))
        alike = {} if weighed.is_empty() else _by_text(spelt(weighed))
        found = _answers(settings.candidates, speakers, nearest(texts), alike)
        return pl.DataFrame(found, schema=_SCHEMA, orient="row")

    return answer


WEIGHED = [key for key, task in TASKS.items() if task.system == "icd10gm"]  # where agreement with labels counts
_SCHEMA = {"task": pl.String, "text": pl.String, "rank": pl.Int64, "answer": pl.String, "score": pl.Float64}


def _neighbours(settings: Lexicon) -> NearestLabel:
    """Return the settings of what fills up the answers."""
    return NearestLabel(kind="nearest-label", candidates=settings.candidates, normalise=True, tables=settings.tables)


def _by_text(answers: pl.DataFrame) -> dict[tuple[str, str], Scored]:
    """Return ranked answers by task and text."""
    found: dict[tuple[str, str], Scored] = {}
    for task, text, answer, score in answers.select("task", "text", "answer", "score").iter_rows():
        found.setdefault((task, text), []).append((answer, score))
    return found


def _of_forms(labels: pl.DataFrame) -> dict[str, str]:
    """Return the answer of each normal form on which all labels agree."""
    agreed = labels.group_by("form").agg(pl.col("answer").unique()).filter(pl.col("answer").list.len() == 1)
    return dict(agreed.filter(pl.col("form") != "").select("form", pl.col("answer").list.first()).iter_rows())


def _answers(
    candidates: int,
    speakers: "Mapping[object, _Speaker]",
    near: pl.DataFrame,
    alike: Mapping[tuple[str, str], Scored],
) -> Iterator[tuple[object, object, int, str, float]]:
    """Yield ranked answers to every text: what it states, and behind it those of the nearest labels.

    Args:
        candidates: answers to each text, where there are as many.
        speakers: by task.
        near: ranked answers of the nearest labels to every text.
        alike: those of the labels that are spelt most alike, by task and text, where they count.
    """
    for (task, text), part in near.group_by("task", "text", maintain_order=True):
        found = dict(speakers[task].stated(str(text), alike.get((str(task), str(text)))))
        left = max(0.0, 1 - sum(found.values())) * certainty.NEIGHBOUR
        for answer, likeness in part.select("answer", "score").iter_rows():
            found.setdefault(answer, left * likeness)
        least = 1.0
        for rank, (answer, score) in enumerate(list(found.items())[:candidates], 1):
            least = min(least, score)
            yield task, text, rank, answer, least


@dataclass(frozen=True)
class _Speaker:
    """Says what a text says in the answers of one task.

    Args:
        task: key of the task.
        reader: of texts.
        of_forms: answers of training labels by their normal forms.
        allowed: answers by what they say.
    """

    task: str
    reader: Reader
    of_forms: Mapping[str, str]
    allowed: Mapping[str, str]

    def stated(self, text: str, alike: Scored | None) -> Scored:
        """Return the answers that a text states, the likeliest first; none where it names no tumour.

        Args:
            text: as written.
            alike: answers of labels that are spelt most alike, where they count.
        """
        read = self._read(self.reader.said(text), alike)
        same = self.of_forms.get(self.reader.forms(pl.Series([text]))[0])
        if same is None:
            return read
        rest = [(answer, score * (1 - certainty.SAME_FORM)) for answer, score in read if answer != same]
        return [(same, certainty.SAME_FORM), *rest]

    def _read(self, said: Said, alike: Scored | None) -> Scored:
        task = TASKS.get(self.task)
        if task is None:
            return []
        codes = self._codes(said, task.system, alike) if task.system else []
        if not task.decides:
            return [(self.allowed[code], score) for code, score in codes]
        if task.system and said.tumour and not codes:
            return []  # a tumour, and no code to say yes with
        sure = certainty.certainty_of_decision(said.tumour)
        yes, no = (sure, 1 - sure) if said.tumour else (1 - sure, sure)
        decided = [*(codes if task.system and said.tumour else [(YES, yes)]), (NO, no)]
        found = [(self.allowed[what], score) for what, score in decided if what in self.allowed]
        return sorted(found, key=lambda answer: -answer[1])

    def _codes(self, said: Said, system: str, alike: Scored | None) -> Scored:
        """Return the codes that a text says, as far as they may be answered."""
        if not said.kind:
            return []
        own, others = said.own.get(system), said.others.get(system, ())
        first = (fitting(own, self.allowed) if own else None) or ""
        labels = certainty.agreement(self.allowed.get(first, ""), alike) if alike is not None else None
        sure = certainty.certainty(system, first, said.basis, said.own.get("morphology"), labels)
        found: dict[str, float] = {}
        for code, score in zip([own, *others], certainty.falling(sure, len(others)), strict=True):
            fit = fitting(code, self.allowed) if code else None
            if fit:
                found.setdefault(fit, score)
        return list(found.items())
