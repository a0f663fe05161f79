"""The tables that cross a boundary between stages: columns, types and what always holds, each table declared once.

dataframely takes a declaration as a class, evaluates its rules as expressions of polars, all in one pass, and needs
polars and numpy alone; pandera has polars as one of several kinds of frames, behind a layer of its own. What only reads
tables does not import it: that takes 0.4 s, half of it for SQLAlchemy, which it takes up where it is installed.
"""

import dataframely as dy

from onkocode.records.tables.catalogues import Codes, Crosswalk, Entries, Transitions
from onkocode.records.tables.evaluation import Answers, Certainty, Comparisons, Judged, Metrics, Predictions
from onkocode.records.tables.questions import Leakage, Questions

SCHEMAS: dict[str, type[dy.Schema]] = {
    "entries": Entries,
    "codes": Codes,
    "transitions": Transitions,
    "crosswalk": Crosswalk,
    "questions": Questions,
    "predictions": Predictions,
    "answers": Answers,
    "judged": Judged,
    "metrics": Metrics,
    "comparisons": Comparisons,
    "certainty": Certainty,
    "leakage": Leakage,
}
