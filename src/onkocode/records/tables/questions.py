"""Questions, and test texts that stand in training."""

import dataframely as dy
import polars as pl

from onkocode.records.tables.values import SPLIT, TASK, one_of


class Questions(dy.Schema):
    """Questions with their answers."""

    question_id = dy.String(primary_key=True, min_length=1)  # entry_id/block/formulation_id
    entry_id = dy.String(min_length=1)
    cluster = dy.String()
    block = dy.String(min_length=1)
    formulation_id = dy.String(min_length=1)
    task = dy.String(regex=TASK)
    question = dy.String(min_length=1)
    text = dy.String(min_length=1)  # the label or text that is asked about
    answer = dy.String(min_length=1)
    code = dy.String(nullable=True)  # expected code; null for yes/no
    accepted = dy.List(dy.String())
    split = dy.String(check=SPLIT)
    origin_id = dy.String(min_length=1)  # entry that an augmented row comes from; entry_id otherwise
    flags = dy.List(dy.String(), nullable=True)  # what a composed text does not tell; null for all others
    rules = dy.String(nullable=True)  # rows of tables that a composed text and its codes come from; null for all others


class Leakage(dy.Schema):
    """Pairs of a test text and a label of the training that are equal or near."""

    test_set = dy.String(primary_key=True, min_length=1)  # key of the user's test set, or the held-out split
    test_id = dy.String(primary_key=True)  # entry
    training_id = dy.String(primary_key=True)  # entry
    kind = dy.String(check=one_of("exact", "normalised", "near"))
    similarity = dy.Float64(min=0, max=100)
    code_agreement = dy.String(check=one_of("same", "category", "other", "unknown"))

    @dy.rule()
    def equal_is_100(cls) -> pl.Expr:
        """Only near pairs are less than equal."""
        return (pl.col("kind") == "near") | (pl.col("similarity") == 100)
