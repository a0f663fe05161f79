"""Answers, what they are worth, and the rates of a checkpoint."""

import dataframely as dy
import polars as pl

from onkocode.records.tables.values import CONDITIONS, SPLIT, TASK, one_of

METHODS = ("clopper-pearson", "korn-graubard", "cluster-t", "cluster-bootstrap", "too-few-clusters", "none")

ROUNDING = 1e-9  # by which a rate may lie outside its interval


class Predictions(dy.Schema):
    """Answers to the questions of a data set."""

    model = dy.String(primary_key=True, min_length=1)
    epoch = dy.Int64(primary_key=True, min=0)
    condition = dy.String(primary_key=True, check=CONDITIONS)
    dataset = dy.String(primary_key=True, min_length=1)
    question_id = dy.String(primary_key=True, min_length=1)
    rank = dy.Int64(primary_key=True, min=1)  # 1 = first choice
    answer = dy.String()  # raw; may repeat a user's text
    score = dy.Float64(nullable=True)  # null where the coder gives none
    tokens = dy.Int64(nullable=True, min=0)  # generated
    seconds = dy.Float64(nullable=True, min=0)  # the batch's seconds divided by its questions
    batch = dy.Int64(nullable=True, min=1)
    truncated = dy.Bool(nullable=True)  # the answer is as long as the limit on tokens allows


class Answers(dy.Schema):
    """Answers that are kept."""

    key = dy.String(primary_key=True, min_length=1)  # hash of model, decoding and prompt; see coders.answers
    rank = dy.Int64(primary_key=True, min=1)
    answer = dy.String()  # raw; may repeat a user's text
    score = dy.Float64(nullable=True)
    tokens = dy.Int64(nullable=True, min=0)
    seconds = dy.Float64(nullable=True, min=0)
    batch = dy.Int64(nullable=True, min=1)


class Judged(dy.Schema):
    """What the first answers are worth."""

    model = dy.String(primary_key=True, min_length=1)
    epoch = dy.Int64(primary_key=True, min=0)
    condition = dy.String(primary_key=True, check=CONDITIONS)
    dataset = dy.String(primary_key=True, min_length=1)
    question_id = dy.String(primary_key=True, min_length=1)
    entry_id = dy.String(min_length=1)
    cluster = dy.String()
    task = dy.String(regex=TASK)
    formulation_id = dy.String(min_length=1)
    split = dy.String(check=SPLIT)
    expected = dy.String(min_length=1)
    predicted = dy.String(nullable=True)  # null = no answer of the asked form could be read
    valid = dy.Bool()
    exact = dy.Bool()
    partial = dy.Bool()
    single = dy.Bool(nullable=True)  # exact, or the category of the right code has no other; null before version 5
    exists = dy.Bool(nullable=True)  # null where invalid or yes/no
    terminal = dy.Bool(nullable=True)
    admissible = dy.Bool(nullable=True)  # does not exist, but registries admit it; null: no code, or no list
    several = dy.Bool()  # several different answers; the first counts
    cut = dy.Bool(nullable=True)  # invalid, since a thought does not end, as where the limit on tokens cut it
    kind = dy.String(nullable=True)  # what is said, or why nothing (docs/evaluation.md); null in files before version 4
    strict_valid = dy.Bool(nullable=True)  # by the strict reading
    strict_exact = dy.Bool(nullable=True)
    strict_partial = dy.Bool(nullable=True)
    tokens = dy.Int64(nullable=True, min=0)
    seconds = dy.Float64(nullable=True, min=0)
    batch = dy.Int64(nullable=True, min=1)
    truncated = dy.Bool(nullable=True)
    thought = dy.Bool(nullable=True)  # the answer holds a thought that is not empty; null in files before version 5
    score = dy.Float64(nullable=True)  # of the first answer; null where the coder gives none
    score_total = dy.Float64(nullable=True)  # of all ranked answers; above 1, scores are no probabilities
    right_rank = dy.Int64(nullable=True, min=0)  # of the first right one up to 10; 0 = none, null = no lists

    @dy.rule()
    def valid_is_predicted(cls) -> pl.Expr:
        """An answer is valid where a code or yes/no could be read."""
        return pl.col("valid") == pl.col("predicted").is_not_null()

    @dy.rule()
    def right_is_valid(cls) -> pl.Expr:
        """Invalid answers are not right, not in part either, and do not exist."""
        return pl.col("valid") | ~(pl.col("exact") | pl.col("partial") | pl.col("exists").fill_null(value=False))

    @dy.rule()
    def exact_is_partial(cls) -> pl.Expr:
        """What is right is right in part."""
        return pl.col("partial") | ~pl.col("exact")

    @dy.rule()
    def cut_is_invalid(cls) -> pl.Expr:
        """A thought that does not end has no answer."""
        return ~(pl.col("cut") & pl.col("valid"))

    @dy.rule()
    def terminal_exists(cls) -> pl.Expr:
        """Only codes that exist are terminal."""
        return pl.col("exists") | ~pl.col("terminal")


class Metrics(dy.Schema):
    """Rates and means with their intervals."""

    model = dy.String(primary_key=True, min_length=1)
    epoch = dy.Int64(primary_key=True, min=0)
    condition = dy.String(primary_key=True, check=CONDITIONS)
    dataset = dy.String(primary_key=True, min_length=1)
    task = dy.String(primary_key=True, regex=TASK)
    stratum = dy.String(primary_key=True, min_length=1)  # all, or a split
    metric = dy.String(primary_key=True, min_length=1)
    denominator = dy.String(primary_key=True, check=one_of("valid", "all"))
    k = dy.Float64()
    n = dy.Int64(min=0)
    clusters = dy.Int64(min=0)
    value = dy.Float64(nullable=True)  # a rate in 0…1, a difference of rates, or seconds
    low = dy.Float64(nullable=True)
    high = dy.Float64(nullable=True)
    method = dy.String(primary_key=True, check=one_of(*METHODS))  # the last two: there is no interval

    @dy.rule()
    def clusters_up_to_n(cls) -> pl.Expr:
        """A cluster has a row at least."""
        return pl.col("clusters") <= pl.col("n")

    @dy.rule()
    def low_up_to_high(cls) -> pl.Expr:
        """An interval has an inside."""
        return pl.col("low") <= pl.col("high")

    @dy.rule()
    def exact_interval_holds_value(cls) -> pl.Expr:
        """An exact interval holds its rate, which lies in 0…1."""
        inside = pl.col("value").is_between(pl.col("low") - ROUNDING, pl.col("high") + ROUNDING)
        return (pl.col("method") != "clopper-pearson") | (inside & pl.col("low").ge(0) & pl.col("high").le(1))


class Comparisons(dy.Schema):
    """Differences between two checkpoints on the same questions, left minus right."""

    dataset = dy.String(primary_key=True, min_length=1)
    task = dy.String(primary_key=True, regex=TASK)
    metric = dy.String(primary_key=True, min_length=1)  # of all answers
    kind = dy.String(primary_key=True, min_length=1)  # what it is for
    left_model = dy.String(primary_key=True, min_length=1)
    left_epoch = dy.Int64(primary_key=True, min=0)
    left_condition = dy.String(primary_key=True, check=CONDITIONS)
    right_model = dy.String(primary_key=True, min_length=1)
    right_epoch = dy.Int64(primary_key=True, min=0)
    right_condition = dy.String(primary_key=True, check=CONDITIONS)
    left = dy.Float64(min=0, max=1)
    right = dy.Float64(min=0, max=1)
    difference = dy.Float64(min=-1, max=1)
    low = dy.Float64(nullable=True)
    high = dy.Float64(nullable=True)
    p = dy.Float64(min=0, max=1)  # two-sided, by flipping signs
    p_holm = dy.Float64(nullable=True, min=0, max=1)  # corrected for the number of comparisons; null: primary endpoint
    primary = dy.Bool()
    n = dy.Int64(min=1)  # questions that both answered
    clusters = dy.Int64(min=1)
    method = dy.String(check=one_of("cluster-t", "too-few-clusters"))

    @dy.rule()
    def one_primary(cls) -> pl.Expr:
        """There is one primary endpoint at most."""
        return pl.col("primary").sum() <= 1

    @dy.rule()
    def corrected_is_no_smaller(cls) -> pl.Expr:
        """A correction makes no p smaller."""
        return pl.col("p_holm") >= pl.col("p") - ROUNDING


class Certainty(dy.Schema):
    """What the scores of answers are worth, a case per text."""

    model = dy.String(primary_key=True, min_length=1)
    epoch = dy.Int64(primary_key=True, min=0)
    condition = dy.String(primary_key=True, check=CONDITIONS)
    dataset = dy.String(primary_key=True, min_length=1)
    task = dy.String(primary_key=True, regex=TASK)
    measure = dy.String(
        primary_key=True,
        check=one_of(
            "coverage",  # at a share of the cases, the most certain ones: their accuracy
            "reliability",  # at a mean score: accuracy
            "reliability_scaled",
            "calibration_error",
            "calibration_error_scaled",
            "temperature",
            "unattended",  # at an allowed error: share of cases that need no human
            "unattended_error",  # at an allowed error: share of wrong ones among them
            "threshold",  # at an allowed error: the score from which on cases need no human
        ),
    )
    at = dy.Float64(primary_key=True)
    value = dy.Float64()
    low = dy.Float64(nullable=True)
    high = dy.Float64(nullable=True)
    n = dy.Int64(nullable=True, min=0)
    clusters = dy.Int64(nullable=True, min=0)
    method = dy.String()
