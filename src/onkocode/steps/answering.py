"""Steps of the stage evaluation in which coders answer; the rest is in `evaluation`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from onkocode.models.record import read_visible_model
from onkocode.records.endings import recorded
from onkocode.records.errors import InputError
from onkocode.records.offline import close_hub
from onkocode.records.ownership import check_owned, common_folder, owning
from onkocode.records.private import restrict_to_owner
from onkocode.records.progress import Progress
from onkocode.records.provenance import Provenance
from onkocode.records.stopping import forget_stop
from onkocode.steps.app import step
from onkocode.steps.common import check_adapter, remove_scratch
from onkocode.steps.options import SETTINGS, Condition, SomeNamedPaths
from onkocode.terminal import say

if TYPE_CHECKING:
    from onkocode.coders.interface import Coder
    from onkocode.evaluation.asking import Asking


@step()
def evaluate_checkpoint(
    *,
    model: str,
    epoch: int,
    condition: Condition,
    base: Path | None = None,
    adapter: Path | None = None,
    coder: Path | None = None,
    questions: SomeNamedPaths,
    settings: Annotated[Asking, SETTINGS],
    scratch: Path,
    answers: Path,
    output: SomeNamedPaths,
) -> None:
    """Let a coder answer all data sets; the base of a language model is loaded once.

    Args:
        model: the {model} key
        epoch: 0 is the base model
        condition: how it is asked
        base: base.json of prepare-model, for a language model
        adapter: its adapter directory (from epoch 1 on)
        coder: directory of fit-coder, for a coder that is no language model
        questions: question tables
        settings: testing, evaluation, thinking: JSON, or @FILE; keys left out have their defaults (`onkocode settings`)
        scratch: directory for saves within the evaluation
        answers: directory of answers that are kept, so that nothing is asked twice
        output: predictions; they hold raw answers
    """
    close_hub()
    outputs, asked_for = dict(output), dict(questions)
    if set(outputs) != set(asked_for):
        raise InputError("--questions and --output must have the same names")
    if (base is None) == (coder is None):
        raise InputError("give --base, of a language model, or --coder, a directory of fit-coder")
    if base is not None:
        check_adapter(epoch, adapter)
    for path in [*outputs.values(), scratch / "answers"]:
        restrict_to_owner(path)

    forget_stop(scratch)
    place = common_folder(outputs.values())
    with owning(scratch, place):
        with recorded(scratch):  # closed first: it writes to scratch
            from onkocode.evaluation.asking import ask, choose_questions
            from onkocode.evaluation.checking import check_questions
            from onkocode.records.schemas import read_table, write_table

            if coder is not None:
                asked, made_of = _fitted(coder, scratch)
            else:
                asked, made_of = _language_model(base, adapter, condition, settings, answers, scratch)
            record = Provenance(
                "evaluate-checkpoint", settings.model_dump(), made_of | asked_for, settings.thinking.seed
            )
            tables = {name: read_table(path, "questions") for name, path in asked_for.items()}
            for name, table in tables.items():
                check_questions(table, asked_for[name])
            predictions = ask(asked, choose_questions(tables, condition, settings), model, epoch, condition)
            record.add(**asked.facts)
            check_owned(scratch, place)
            for name, frame in predictions.items():
                record.write(outputs[name])
                write_table(frame, "predictions", outputs[name])
            account = asked.finish()
        remove_scratch(scratch)
    say(account)


@step()
def evaluate_conditions(
    *,
    model: str,
    epoch: int,
    base: Path | None = None,
    adapter: Path | None = None,
    questions: SomeNamedPaths,
    icd10gm: Path | None = None,
    icdo3: Path | None = None,
    settings: Annotated[Asking, SETTINGS],
    scratch: Path,
    answers: Path,
    output: SomeNamedPaths,
) -> None:
    """Let a language model answer under further conditions; it is loaded once.

    Args:
        model: the {model} key
        epoch: 0 is the base model
        base: base.json of prepare-model
        adapter: its adapter directory (from epoch 1 on)
        questions: question tables
        icd10gm: label space of ICD-10-GM that constrained answers come from
        icdo3: label space of ICD-O-3 that constrained answers come from
        settings: testing, evaluation, conditions: JSON, or @FILE; keys left out have defaults (`onkocode settings`)
        scratch: directory for saves within the evaluation
        answers: directory of answers that are kept, a folder per condition
        output: predictions by <condition>/<questions>; they hold raw answers
    """
    close_hub()
    outputs, asked_for = dict(output), dict(questions)
    if wrong := [name for name in outputs if name.partition("/")[2] not in asked_for]:
        raise InputError(f"--output {wrong[0]}: not of the form <condition>/<name of --questions>")
    if base is None:
        raise InputError("give --base: a language model alone is asked under further conditions")
    check_adapter(epoch, adapter)
    if any(name.startswith("constrained/") for name in outputs) and None in (icd10gm, icdo3):
        raise InputError("give --icd10gm and --icdo3: constrained answers are codes of these label spaces")
    for path in [*outputs.values(), scratch / "answers", answers / "answers"]:
        restrict_to_owner(path)

    forget_stop(scratch)
    place = common_folder(outputs.values())
    with owning(scratch, place):
        with recorded(scratch):  # closed first: it writes to scratch
            from onkocode.coders.language_model import Checkpoint
            from onkocode.evaluation.conditions import answer_under
            from onkocode.records.schemas import read_table, write_table

            checkpoint = Checkpoint(read_visible_model(base), adapter)
            spaces = {name: path for name, path in {"icd10gm": icd10gm, "icdo3": icdo3}.items() if path}
            files = {"base": base} | ({"adapter": adapter} if adapter else {})
            record = Provenance("evaluate-conditions", settings.model_dump(), files | spaces | asked_for)
            tables = {name: read_table(path, "questions") for name, path in asked_for.items()}
            codes = [read_table(path, "codes") for path in spaces.values()]
            found = answer_under(checkpoint, list(outputs), tables, codes, settings, (model, epoch), (answers, scratch))
            check_owned(scratch, place)
            for name, frame in found.predictions.items():
                record.write(outputs[name])
                write_table(frame, "predictions", outputs[name])
            account = found.finish()
        remove_scratch(scratch)
    say(account)


def _language_model(
    base: Path | None, adapter: Path | None, condition: str, settings: Asking, kept: Path, scratch: Path
) -> tuple[Coder, dict[str, Path]]:
    """Return a language model as a coder, and the files that make it."""
    restrict_to_owner(kept / "answers")
    from onkocode.coders.language_model import Checkpoint, LanguageModel

    inputs = {"base": base, "adapter": adapter}
    files = {role: path for role, path in inputs.items() if path is not None}
    checkpoint, shard = Checkpoint(read_visible_model(files["base"]), adapter), settings.evaluation.shard
    return LanguageModel(checkpoint, condition, settings, kept, scratch, shard), files


def _fitted(folder: Path, scratch: Path) -> tuple[Coder, dict[str, Path]]:
    """Return a fitted coder, and the files that make it."""
    from onkocode.coders.fitted import FittedCoder, files_of

    files = {f"coder {name}": path for name, path in files_of(folder).items()}
    return FittedCoder(folder, Progress(scratch, "answering")), files
