"""Step of the stage coders."""

from __future__ import annotations

from pathlib import Path

from onkocode.records.endings import recorded
from onkocode.records.files import located, new_directory
from onkocode.records.ownership import owning
from onkocode.records.progress import Progress
from onkocode.records.provenance import Provenance
from onkocode.records.stopping import forget_stop
from onkocode.steps.app import step
from onkocode.steps.options import Json


@step()
def fit_coder(*, questions: Path, codes: list[Path] | None = None, settings: Json, scratch: Path, output: Path) -> None:
    """Fit a coder that is no language model, in one job.

    Args:
        questions: table of build-questions
        codes: label spaces of parse-catalogue; a coder that reads texts answers their codes too
        settings: kind and its own keys: JSON, or @FILE; keys left out have their defaults (see `onkocode settings`)
        scratch: directory for a record of how the job ends
        output: directory to write
    """
    forget_stop(scratch)
    with owning(scratch, output.parent), recorded(scratch):
        from onkocode.coders.fitted import fit_coder as fit
        from onkocode.config.coders import read_fit_settings, table_folders
        from onkocode.records.schemas import read_table

        chosen = read_fit_settings(settings)
        spaces = {f"codes {number}": path for number, path in enumerate(codes or [], 1)}
        tables = {str(path): path for folder in table_folders(chosen) for path in sorted(located(folder).glob("*.tsv"))}
        record = Provenance("fit-coder", chosen.model_dump(mode="json"), {"questions": questions, **spaces, **tables})
        Progress(scratch, "fitting", 1).advance(0)
        with new_directory(output) as folder:
            label_spaces = [read_table(path, "codes") for path in spaces.values()]
            record.add(**fit(chosen, read_table(questions, "questions"), folder, label_spaces))
            record.write(folder)
