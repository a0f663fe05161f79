"""Step of the stage coders."""

from __future__ import annotations

from pathlib import Path

from onkocode.records.endings import recorded
from onkocode.records.files import new_directory
from onkocode.records.provenance import Provenance
from onkocode.steps.app import step
from onkocode.steps.options import Json


@step()
def fit_coder(*, questions: Path, settings: Json, scratch: Path, output: Path) -> None:
    """Fit a coder that is no language model, in one job.

    Args:
        questions: table of build-questions
        settings: kind and its own keys: JSON, or @FILE; keys left out have their defaults (see `onkocode settings`)
        scratch: directory for a record of how the job ends
        output: directory to write
    """
    from onkocode.coders.fitted import fit_coder as fit
    from onkocode.config.coders import read_fit_settings
    from onkocode.records.schemas import read_table

    chosen = read_fit_settings(settings)
    record = Provenance("fit-coder", chosen.model_dump(), {"questions": questions})
    with recorded(scratch), new_directory(output) as folder:
        record.add(**fit(chosen, read_table(questions, "questions"), folder))
        record.write(folder)
