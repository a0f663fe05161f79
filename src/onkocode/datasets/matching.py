"""Labels inside questions whose formulations are not known.

A known label with the same answer is looked for in every question; what is left of the question is its formulation. A
formulation that recurs with many labels then shows which label the other questions ask about, known or not.
"""

from dataclasses import dataclass

import polars as pl

from onkocode.records.ids import text_key

SLICE = 50_000  # questions that are searched at once
MOST = 300  # formulations that are looked for
# A formulation must recur with this share of the labels that the most frequent one has.
LEAST_SHARE = 0.001
# A formulation within a more frequent one comes from a known label inside a longer unknown one, unless it is common.
NESTED_SHARE = 0.05
LOCATED = {"question": pl.String, "key": pl.String, "before": pl.String, "label": pl.String, "after": pl.String}


@dataclass(frozen=True)
class Template:
    """The words of a formulation before and after the label."""

    before: str
    after: str

    def holds(self, other: "Template") -> bool:
        """Tell whether the other one says the same and more."""
        return other.before.startswith(self.before) and other.after.endswith(self.after)


def locate(questions: pl.DataFrame, known: pl.DataFrame) -> pl.DataFrame:
    """Return the label of each question.

    Args:
        questions: distinct pairs of question and key (the answer in its normal form).
        known: distinct pairs of text (a label) and key.

    Returns:
        Columns question, key, before, label, after: the questions in which a label was found, upper and lower case
        being told apart, then those in which one was found by text key; their formulations are then text keys too.
    """
    found = _locate(questions, known)
    rest = questions.join(found, on=["question", "key"], how="anti")
    if rest.is_empty():
        return found
    folded = rest.with_columns(folded=_text_keys(rest["question"]))
    keys = known.select("key", text=_text_keys(known["text"])).unique()
    again = _locate(folded.select("key", question="folded").unique(), keys)
    joined = folded.join(again.rename({"question": "folded"}), on=["folded", "key"])
    return pl.concat([found, joined.select(*LOCATED)])


def _locate(questions: pl.DataFrame, known: pl.DataFrame) -> pl.DataFrame:
    split = pl.concat([pl.DataFrame(schema=LOCATED), *_with_known_labels(questions, known)])
    templates = formulations(split)
    words = [(template.before, template.after) for template in templates]
    accepted = pl.DataFrame(words, schema={"before": pl.String, "after": pl.String}, orient="row")
    sure = split.join(accepted, on=["before", "after"], how="semi")
    rest = questions.join(sure, on=["question", "key"], how="anti")
    return pl.concat([sure, *_with_templates(rest, templates)])


def _with_known_labels(questions: pl.DataFrame, known: pl.DataFrame) -> list[pl.DataFrame]:
    """Split each question at the longest known label with its key that stands there as whole words."""
    patterns = known["text"].unique().sort().to_list()
    before, after = (pl.col("parts").struct.field(f"field_{place}") for place in (0, 1))
    whole = ~before.str.contains(r"[\p{L}\p{N}]$") & ~after.str.contains(r"^[\p{L}\p{N}]")
    parts: list[pl.DataFrame] = []
    for chunk in questions.iter_slices(SLICE) if patterns else ():
        hits = chunk.with_columns(label=pl.col("question").str.extract_many(patterns, overlapping=True))
        same = (
            hits.explode("label")
            .drop_nulls("label")
            .join(known, left_on=["label", "key"], right_on=["text", "key"], how="semi")
        )
        cut = same.unique().with_columns(parts=pl.col("question").str.splitn(pl.col("label"), 2)).filter(whole)
        longest = cut.sort(pl.col("label").str.len_chars(), "label").unique(["question", "key"], keep="last")
        parts.append(longest.select("question", "key", before=before, label="label", after=after))
    return parts


def formulations(split: pl.DataFrame) -> list[Template]:
    """Return the formulations among what is left of questions, the most frequent one first.

    Args:
        split: columns before, label, after.
    """
    counted = split.group_by("before", "after").agg(labels=pl.col("label").n_unique())
    ordered = counted.sort("labels", "before", "after", descending=[True, False, False])
    most = ordered["labels"][0] if ordered.height else 0
    least = max(2, round(LEAST_SHARE * most))
    accepted: list[tuple[Template, int]] = []
    for before, after, labels in ordered.filter(pl.col("labels") >= least).iter_rows():
        template = Template(before, after)
        if not any(other.holds(template) and labels < NESTED_SHARE * count for other, count in accepted):
            accepted.append((template, labels))
        if len(accepted) == MOST:
            break
    return [template for template, _ in accepted]


def _with_templates(questions: pl.DataFrame, templates: list[Template]) -> list[pl.DataFrame]:
    """Split the questions by formulations, the longest one that fits."""
    parts, rest = [], questions
    asked = pl.col("question")
    for template in sorted(templates, key=lambda item: -len(item.before + item.after)):
        outside = len(template.before) + len(template.after)
        if not outside and len(templates) > 1:
            continue  # would take every question for a label
        longer = asked.str.len_chars() > outside
        fits = asked.str.starts_with(template.before) & asked.str.ends_with(template.after) & longer
        parts.append(
            rest.filter(fits).select(
                "question",
                "key",
                before=pl.lit(template.before),
                label=asked.str.slice(len(template.before), asked.str.len_chars() - outside),
                after=pl.lit(template.after),
            )
        )
        rest = rest.filter(~fits)
    return parts


def _text_keys(texts: pl.Series) -> pl.Series:
    return pl.Series([text_key(text) for text in texts], dtype=pl.String)
