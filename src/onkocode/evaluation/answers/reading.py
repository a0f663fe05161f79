"""What an answer says, read as a documentarist would who does not know the diagnosis."""

from dataclasses import replace

from onkocode.evaluation.answers.cleaning import chosen_option, plain
from onkocode.evaluation.answers.codes import chosen, find_codes
from onkocode.evaluation.answers.decisions import find_decision
from onkocode.evaluation.answers.dialogue import turns
from onkocode.evaluation.answers.markup import without_struck
from onkocode.evaluation.answers.thoughts import is_thinking_aloud, without_thoughts
from onkocode.evaluation.parsing import Parsed, parse_answer
from onkocode.tasks import NO, TASKS, YES, Task

SYSTEMS = (None, "icd10gm", "topography", "morphology")  # that are read so; None = yes or no


def read_answer(task: str, answer: str) -> Parsed:
    """Read the answer to a question of a task (a key of `TASKS`) by the rules of docs/evaluation.md."""
    if TASKS[task].system not in SYSTEMS:
        return _as_strictly(parse_answer(task, answer))
    said, endless = without_thoughts(answer)
    found = Parsed(None, kind="undecided" if TASKS[task].decides and not TASKS[task].system else "no code")
    aloud = [part for part in said if is_thinking_aloud(part)]
    for part in said:
        for turn in turns(without_struck(part)) if part not in aloud else ():
            read = _read(TASKS[task], chosen_option(plain(turn)))
            if read.value is not None:
                return read
            if read.kind != "no code" and found.kind in ("no code", "undecided"):
                found = read
    cut = endless or bool(aloud)
    return Parsed(None, cut=cut, kind="cut" if cut else found.kind)


def _as_strictly(found: Parsed) -> Parsed:
    """Return the strict reading, of codes of other systems than those of tumours, with its kind."""
    kind = "cut" if found.cut else "no code" if found.value is None else "several" if found.several else "code"
    return replace(found, kind=kind)


def _read(task: Task, text: str) -> Parsed:
    if not task.decides:
        return _code(task, text)
    decision, both = find_decision(text, coded=bool(task.system))
    if not task.system:
        kind = "undecided" if decision is None else "yes" if decision == YES else "no"
        return Parsed(decision, several=both and decision is None, kind=kind)
    if decision == NO:
        return Parsed(NO, kind="no")
    code = _code(task, text)
    return Parsed(None, kind="undecided") if both and None in (decision, code.value) else code


def _code(task: Task, text: str) -> Parsed:
    codes, why = find_codes(text, task.system or "")
    value, several = chosen(codes)
    return Parsed(value, several, kind=why if value is None else "several" if several else "code")
