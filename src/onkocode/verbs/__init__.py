"""All verbs, in the order of the stages. Nothing heavy is imported here, so that `--help` answers at once."""

from onkocode.verbs import (
    catalogues,
    configuration,
    evaluation,
    export,
    models,
    planning,
    questions,
    reporting,
    training,
)
from onkocode.verbs.options import Option, Verb

__all__ = ["VERBS", "Option", "Verb"]

VERBS: tuple[Verb, ...] = (
    *catalogues.VERBS,
    *questions.VERBS,
    *models.VERBS,
    *planning.VERBS,
    *training.VERBS,
    *evaluation.VERBS,
    *reporting.VERBS,
    *export.VERBS,
    *configuration.VERBS,
)
