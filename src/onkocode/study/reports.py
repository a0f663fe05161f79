"""Which figures and tables a study has."""

from collections.abc import Callable, Mapping

from onkocode.reporting.registry import ITEMS, Condition, Kind
from onkocode.study.jobs import Study

HAS: Mapping[Condition, Callable[[Study], bool]] = {
    "always": lambda study: True,
    "trained models": lambda study: bool(study.trained_models),
    "thinking models": lambda study: bool(study.thinking_models),
    "replicates": lambda study: study.has_replicates,
    "test sets": lambda study: bool(study.test_sets),
    "held-out labels": lambda study: any(study.data[key].heldout_labels > 0 for key in study.data_keys),
    "scores": lambda study: bool(study.fitted_models) or "constrained" in study.further,
    "swapped": lambda study: "swapped" in study.further and bool(study.test_sets),
    "single": lambda study: "single" in study.further and bool(study.test_sets),
    "constrained": lambda study: "constrained" in study.further and bool(study.test_sets),
}


def names(study: Study, kind: Kind) -> list[str]:
    """Return the names of the figures or tables that the study has."""
    return [
        name
        for item in ITEMS
        if item.kind == kind and HAS[item.condition](study)
        for name in item.names(study.data_keys)
    ]


def possible(study: Study, kind: Kind) -> list[str]:
    """Return the names of all figures or tables that can be asked for, of any data key of the configuration."""
    return [name for item in ITEMS if item.kind == kind for name in item.names(list(study.config.data))]
