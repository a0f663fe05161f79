"""Test texts that occur in training: exactly, exactly after normalisation, or nearly.

Two texts are compared by their letters and digits (see `normal_forms`). The similarity is 100 × (1 − edits / length of
the longer one); an edit inserts, deletes or replaces a character, or swaps two neighbours (optimal string alignment,
the restricted Damerau–Levenshtein distance: Boytsov 2011, ACM J. Exp. Algorithmics 16). So 90 means: one edit in ten
characters, and two texts of fewer than ten are never near. An umlaut counts as the two letters that it is written with.

- Mammakarzinom, Mammakarzinon: 1 edit in 13, 92.3, near.
- Lipom, Liopm: 1 edit in 5, 80, not near. In a short word one letter can make another diagnosis.
- Myosarkom, Myxosarkom: 1 edit in 10, 90, near; and so are Karzinom des Colon ascendens and … descendens, 92.3. Such
  pairs have to be told by their codes (`CODE_AGREEMENTS`): near a label of another code, a text is a trap, not leakage.

Against the Indel ratio (`rapidfuzz.fuzz.ratio`), where a replaced or swapped letter costs two edits of the lengths of
both texts together: among the labels of the catalogues, which are different texts, 90 joins three times as many pairs,
and finds hardly more single typing errors.
"""

import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from rapidfuzz import process
from rapidfuzz.distance import OSA
from tqdm import tqdm

from onkocode.catalogues.vocabulary.codes import CATEGORY_LENGTHS
from onkocode.records.ids import text_key
from onkocode.tasks import NO, TASKS, YES

KINDS = ("exact", "normalised", "near")  # from the strongest to the weakest
# The label's code is the text's; is of the same category; is another one; cannot be compared with it.
CODE_AGREEMENTS = ("same", "category", "other", "unknown")
TRAINING = ("train", "heldout_formulation")
UNSEEN = ("heldout_label", "heldout_negative")

YES_NO = "yes-no"
SYSTEMS = {task.key: task.system for task in TASKS.values() if task.system}

UMLAUTS = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue"})  # case-folding writes ß as ss
WORD = re.compile(r"[^\W_]+")
COMPARED = {"key": pl.String, "label": pl.String, "similarity": pl.Float64}
SLACK = 1e-3  # rapidfuzz compares many texts at once in single precision
CHUNK = 256  # test texts that are compared at once; 32 MB with 30,000 labels


@dataclass(frozen=True)
class Texts:
    """Texts to be compared, and what is to be answered to them."""

    texts: pl.DataFrame  # id, text; an id may have several texts
    codes: pl.DataFrame  # id, system, code; the system `YES_NO` holds yes or no

    @property
    def count(self) -> int:
        """Number of ids."""
        return self.texts["id"].n_unique()


def texts_of_questions(questions: pl.DataFrame, splits: Sequence[str]) -> Texts:
    """Return the labels behind the questions of some splits, with their codes; ids are those of the entries."""
    asked = questions.filter(pl.col("split").is_in(splits)).unique(["entry_id", "text", "task", "code", "answer"])
    coded = asked.filter(pl.col("code").is_not_null()).select(
        pl.col("entry_id").alias("id"),
        pl.col("task").replace(SYSTEMS).alias("system"),
        pl.concat_list(pl.col("code").str.split(" "), pl.col("accepted").fill_null([])).alias("code"),
    )
    coded = coded.explode("code", empty_as_null=False).with_columns(
        system=pl.when(pl.col("system") != "icdo")  # topography and morphology in one answer
        .then("system")
        .when(pl.col("code").str.contains("/", literal=True))
        .then(pl.lit("morphology"))
        .otherwise(pl.lit("topography"))
    )
    yes_no = asked.filter(pl.col("code").is_null() & pl.col("answer").is_in([YES, NO]))
    yes_no = yes_no.select(
        pl.col("entry_id").alias("id"), pl.lit(YES_NO).alias("system"), pl.col("answer").alias("code")
    )
    texts = asked.select(pl.col("entry_id").alias("id"), "text").unique()
    return Texts(texts, pl.concat([coded, yes_no]).unique())


def texts_of_entries(entries: pl.DataFrame) -> Texts:
    """Return a user's test set, of which every text is a tumour, with its codes."""
    expected = {task.system: pl.concat_list(task.column) for task in TASKS.values() if task.system and task.column}
    expected["icd10gm"] = pl.concat_list(pl.col("code"), pl.col("accepted").fill_null([]))
    expected[YES_NO] = pl.concat_list(pl.lit(YES))
    codes = [
        entries.select(pl.col("entry_id").alias("id"), pl.lit(system).alias("system"), code.alias("code"))
        for system, code in expected.items()
    ]
    known = pl.concat(codes).explode("code", empty_as_null=False).filter(pl.col("code").is_not_null())
    return Texts(entries.select(pl.col("entry_id").alias("id"), "text"), known.unique())


def normal_forms(text: str) -> tuple[str, str, str]:
    """Return the letters and digits of a text in three orders; texts that share a form count as equal.

    Case, accents, umlauts (ä or ae, ß or ss) and punctuation are levelled. The orders are: as written (so that
    Mamma-Karzinom, Mamma Karzinom and Mammakarzinom are equal), words sorted with the hyphen parting them, and words
    sorted with parts joined (links Mamma-Karzinom, Mammakarzinom links). A text without letters stands for itself.
    """
    folded = unicodedata.normalize("NFKC", text).casefold().translate(UMLAUTS)
    folded = "".join(part for part in unicodedata.normalize("NFKD", folded) if not unicodedata.combining(part))
    words = WORD.findall(folded)
    compounds = ["".join(WORD.findall(chunk)) for chunk in folded.split()]
    return "".join(words) or text, "".join(sorted(words)) or text, "".join(sorted(compounds)) or text


def find_pairs(tests: Texts, training: Texts, near: float) -> pl.DataFrame:
    """Return the pairs of a test text and a label of the training that are equal or near.

    Args:
        tests: a test set.
        training: what is trained on.
        near: similarity, 50…100, from which a pair is near.

    Returns:
        test_id, training_id, kind, similarity, code_agreement: a row per pair of ids, sorted by test_id and from the
        strongest pair of a text to its weakest. Kind and agreement are enumerations, sorted as `KINDS` and
        `CODE_AGREEMENTS`.
    """
    test_keys, labels = _with_key(tests.texts), _with_key(training.texts)
    found = list(_compare(test_keys["key"].unique().sort().to_list(), labels["key"].unique().sort().to_list(), near))
    pairs = pl.concat([pl.DataFrame(schema=COMPARED), *found])
    pairs = pairs.join(test_keys.select(key="key", test_id="id"), on="key")
    pairs = pairs.join(labels.select(label="key", training_id="id"), on="label")
    equal, alike = pl.col("key") == pl.col("label"), pl.col("similarity") == 100
    kind = pl.when(equal).then(pl.lit("exact")).when(alike).then(pl.lit("normalised")).otherwise(pl.lit("near"))
    pairs = pairs.select("test_id", "training_id", kind.cast(pl.Enum(KINDS)).alias("kind"), "similarity")
    pairs = pairs.sort("kind", "similarity", descending=[False, True]).unique(
        ["test_id", "training_id"], keep="first", maintain_order=True
    )
    pairs = pairs.join(_agreements(pairs, tests.codes, training.codes), on=["test_id", "training_id"], how="left")
    pairs = pairs.with_columns(pl.col("code_agreement").fill_null("unknown"))
    order = ["test_id", "kind", "code_agreement", "similarity", "training_id"]
    return pairs.sort(order, descending=[False, False, False, True, False])


def count_pairs(pairs: pl.DataFrame, texts: int) -> dict[str, Any]:
    """Return how many texts of a test set have a pair of each kind, every text counted once, under its strongest pair.

    Args:
        pairs: result of `find_pairs`.
        texts: number of texts in the test set.
    """
    strongest = pairs.unique("test_id", keep="first", maintain_order=True)
    counted = {(kind, agreement): n for kind, agreement, n in strongest.group_by("kind", "code_agreement").len().rows()}
    agreements = {
        kind: {agreement: counted.get((kind, agreement), 0) for agreement in CODE_AGREEMENTS} for kind in KINDS
    }
    return {"texts": texts, **{kind: sum(agreements[kind].values()) for kind in KINDS}, "code_agreement": agreements}


def leaking(counts: Mapping[str, Any], refuse: str) -> int:
    """Return the number of a test set's texts that ``refuse`` (nothing, exact or near) does not allow.

    Exact includes exact after normalisation. Of the near ones, only those count whose label has the same code.
    """
    equal: int = counts["exact"] + counts["normalised"]
    near: int = counts["code_agreement"]["near"]["same"]
    return {"nothing": 0, "exact": equal, "near": equal + near}[refuse]


def _with_key(texts: pl.DataFrame) -> pl.DataFrame:
    keys = pl.Series("key", [text_key(text) for text in texts["text"]], dtype=pl.String)
    return texts.select("id", keys).unique()


def _compare(tests: list[str], labels: list[str], near: float) -> Iterator[pl.DataFrame]:
    """Yield the pairs (schema COMPARED) that reach ``near``, a chunk of the test texts at a time.

    The Indel ratio is never below the similarity and much faster to compute for all pairs, so it chooses those for
    which the similarity is computed.
    """
    if not tests or not labels:
        return
    forms = [(list(one), list(other)) for one, other in zip(_forms(tests), _forms(labels), strict=True)]
    with tqdm(total=len(tests), desc="comparing", unit="text", mininterval=2) as bar:
        for start in range(0, len(tests), CHUNK):
            candidates = np.zeros((len(tests[start : start + CHUNK]), len(labels)), dtype=bool)
            for one, other in forms:
                part = one[start : start + CHUNK]
                candidates |= process.cdist(part, other, score_cutoff=near - SLACK, dtype=np.float32, workers=1) > 0
            rows, columns = candidates.nonzero()
            similarity = np.zeros(len(rows))
            for one, other in forms:
                pair = [one[start + row] for row in rows], [other[column] for column in columns]
                score = process.cpdist(*pair, scorer=OSA.normalized_similarity, dtype=np.float64, workers=1)
                similarity = np.maximum(similarity, 100 * score)
            frame = {"key": [tests[start + row] for row in rows], "label": [labels[column] for column in columns]}
            found = pl.DataFrame(frame | {"similarity": similarity}, schema=COMPARED)
            yield found.filter(pl.col("similarity") >= near)
            bar.update(len(candidates))


def _forms(texts: list[str]) -> Iterator[tuple[str, ...]]:
    """Yield for each normal form that of all texts."""
    return zip(*map(normal_forms, texts), strict=True)


def _agreements(pairs: pl.DataFrame, test_codes: pl.DataFrame, training_codes: pl.DataFrame) -> pl.DataFrame:
    """Return test_id, training_id, code_agreement of the pairs that can be compared.

    Codes are compared within their system, and the best agreement counts; yes or no is compared where no codes can be.
    """
    shared = (
        pairs.select("test_id", "training_id")
        .join(test_codes.select("system", test_id="id", expected="code"), on="test_id")
        .join(training_codes.select("system", training_id="id", trained="code"), on=["training_id", "system"])
    )
    width = pl.col("system").replace_strict(CATEGORY_LENGTHS, default=None, return_dtype=pl.Int64)
    same = pl.col("expected") == pl.col("trained")
    category = pl.col("expected").str.head(width) == pl.col("trained").str.head(width)
    agreement = pl.when(same).then(pl.lit("same")).when(category).then(pl.lit("category")).otherwise(pl.lit("other"))
    ranked = shared.with_columns(
        yes_no=pl.col("system") == YES_NO, code_agreement=agreement.cast(pl.Enum(CODE_AGREEMENTS))
    )
    best = ranked.sort("yes_no", "code_agreement").unique(["test_id", "training_id"], keep="first", maintain_order=True)
    return best.select("test_id", "training_id", "code_agreement")
