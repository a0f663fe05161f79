"""Other spellings of a label: the versioned tables of abbreviations (TSV files beside this one), compounds, slips."""

from onkocode.questions.abbreviations.spelling import Pick, mistype, split_compounds
from onkocode.questions.abbreviations.table import Abbreviations, abbreviate, load_abbreviations

__all__ = ["Abbreviations", "Pick", "abbreviate", "load_abbreviations", "mistype", "split_compounds"]
