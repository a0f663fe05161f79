"""The tables that cross a boundary between stages: columns, types and what always holds, each table declared once.

dataframely states this in classes that polars evaluates natively, and depends on polars and numpy alone; pandera would
be a second layer over several kinds of frames. It is imported by what writes a table or needs its types: importing it
takes 0.2 s, two thirds of that for SQLAlchemy, which it takes up where it is installed.
"""

import dataframely as dy

from onkocode.records.tables.catalogues import Codes, Crosswalk, Entries, Transitions
from onkocode.records.tables.evaluation import Answers, Judged, Metrics, Predictions
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
    "leakage": Leakage,
}
