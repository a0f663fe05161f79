"""The plan for the terminal."""

from collections.abc import Sequence
from dataclasses import asdict
from textwrap import fill

from onkocode.models.gpus import named_gpu
from onkocode.paper import paper
from onkocode.planning.calibration import Check, paper_checks, paper_rates, paper_utilisation
from onkocode.planning.past_runs import CPU, RunAndPlan
from onkocode.planning.plan import UNKNOWN_LENGTH, Plan
from onkocode.text_tables import Cell, text_table

GB, MB = 1e9, 1e6
WIDTH = 118
MEMORY_NOTE = (
    "GB of 10^9 bytes on the fullest GPU, with the longest questions in one batch. experts: as autograd keeps them, "
    "dequantised. moment: output layer, or backward pass of one layer, whichever is larger. sum: with 0.6 GB for the "
    "context of CUDA, which is assumed. loading: right after loading, where that is more. of: the GPU's memory. The "
    "formulas are tested on a CPU against the tensors of a training step; what a GPU's allocator wastes is not counted."
)
TIME_NOTE = (
    "FLOP of an epoch with padding, divided by the speed below. span: the hours with the largest error of the check "
    "below, either way. The GPUs of one process take turns, since the layers are split over them, so they save no "
    "time; those of several processes do."
)
RETRY_NOTE = (
    "asked: time limit in hours of an epoch's job (training_hours of the recipe), and where its retries may ask for "
    "more (max_hours) what they ask for at most. A limit reserves time, a job takes what it runs for. A retry asks for "
    "the same again, and for more only where the job was killed at its limit. It does not begin again: it goes on from "
    "the last save, so only the work since then is repeated, and none where the job saw the end of its time; one that "
    "is killed had saved {minutes} minutes before, at most. A recovery with another batch repeats its epoch. At most, "
    "with every try to its limit, an epoch takes the sum of its limits."
)
CHECK_NOTE = (
    "Each model's hours on A40 as the paper reports them, beside the hours that follow from the utilisation of the "
    "seven others (geometric mean). reached: share of one A40's peak. Tokens are those of the project's own "
    "formulations; whether the authors padded, recomputed activations or ran two GPUs at once is not known."
)
RUNS_NOTE = (
    "predicted s: with the rate of the other models on the same device. predicted MB: the tensors of training. On a "
    "CPU what was measured is the whole process (Python, torch, the base as it was loaded), so there it says nothing "
    "of the formula."
)


def plan_text(plans: Sequence[Plan], compared: Sequence[RunAndPlan], left_out: Sequence[str]) -> str:
    """Return the whole plan for the terminal, at most 120 columns wide."""
    sections = [
        ("What is trained", _subjects(plans), _sources(plans)),
        ("Memory while training", _memory(plans), MEMORY_NOTE),
        ("Time", _hours(plans), f"{TIME_NOTE}\n{_retries(plans)}\n{_speeds(plans)}"),
        ("Disk, in GB", _disk(plans), "scratch: while an epoch is trained; epochs: adapters and states, for good."),
        ("How far the hours can be trusted: the paper's eight models", _paper(), f"{CHECK_NOTE}\n{_errors()}"),
    ]
    if compared:
        sections.append(("Runs that are there", _runs(compared), RUNS_NOTE))
    text = "\n\n".join(f"{heading}\n\n{table}\n\n{wrapped(note)}" for heading, table, note in sections)
    return "\n\n".join([text, *(f"Left out: {reason}" for reason in left_out)])


def wrapped(note: str) -> str:
    """Return a note in lines that are no wider than the terminal's."""
    return "\n".join(
        fill(line, WIDTH, subsequent_indent="  ") if len(line) > WIDTH else line for line in note.split("\n")
    )


# -- sections -------------------------------------------------------------------------------------------------------


def _once(plans: Sequence[Plan]) -> list[Plan]:
    """Return one plan per recipe; the others differ in the GPU only."""
    return list({plan.model: plan for plan in reversed(plans)}.values())[::-1]


def _subjects(plans: Sequence[Plan]) -> str:
    header = ["recipe", "base 10^9", "quant.", "rank", "matrices", "trainable", "questions", "tok./qu."]
    rows: list[list[Cell]] = []
    for plan in _once(plans):
        lengths = plan.subject.lengths
        rows.append(
            [
                plan.model,
                _short(plan.subject.architecture.parameters / 1e9),
                plan.settings.quantisation,
                plan.rank,
                plan.targets,
                plan.trainable,
                plan.subject.questions,
                None if lengths is None else lengths.mean,
                None if plan.tokens is None else round(plan.tokens),
                plan.steps,
                plan.settings.epochs,
            ]
        )
    return text_table([*header, "tokens/epoch", "steps/epoch", "epochs"], rows)


def _sources(plans: Sequence[Plan]) -> str:
    lines = []
    for plan in _once(plans):
        lengths = plan.subject.lengths
        tokens = f"not known, memory for {UNKNOWN_LENGTH}" if lengths is None else lengths.source
        parts = [f"shape: {plan.subject.architecture.source}", f"questions: {plan.subject.questions_source}"]
        lines.append((plan.model, "; ".join([*parts, f"tokens: {tokens}"]), _remarks(plan)))
    width = max(len(model) for model, *_ in lines)
    return "\n".join("  ".join([model.ljust(width), text + remarks]) for model, text, remarks in lines)


def _remarks(plan: Plan) -> str:
    said = []
    lengths = plan.subject.lengths
    if plan.settings.lora_parameters is not None:
        said.append(f"rank chosen for {plan.settings.lora_parameters:,} parameters, alpha {plan.alpha:g}")
    if lengths is not None and lengths.longest > plan.settings.max_length:
        said.append(f"longest question {lengths.longest} tokens: raise max_length ({plan.settings.max_length})")
    return "".join(f"; {text}" for text in said)


def _memory(plans: Sequence[Plan]) -> str:
    header = ["recipe", "GPUs", "weights", "LoRA", "grad.", "AdamW", "activ.", "experts", "moment", "sum", "loading"]
    rows: list[list[Cell]] = []
    for plan in plans:
        loading = _gb(plan.loading) if plan.loading > plan.memory.total else None
        of = None if plan.gpu is None else _gb(plan.gpu.memory)
        parts = [_gb(part) for name, part in asdict(plan.memory).items() if name != "context"]
        rows.append([plan.model, _gpus(plan), *parts, _gb(plan.memory.total), loading, of, _verdict(plan)])
    return text_table([*header, "of", "fits"], rows, left=2)


def _verdict(plan: Plan) -> str | None:
    if plan.spare is None:
        return None
    return f"{'yes' if plan.spare >= 0 else 'no'}, by {_gb(abs(plan.spare))} GB"


def _hours(plans: Sequence[Plan]) -> str:
    rows: list[list[Cell]] = []
    for plan in plans:
        epochs = plan.settings.epochs
        span = None if plan.speed is None or plan.hours is None else plan.speed.span(plan.hours * epochs)
        rows.append(
            [
                plan.model,
                _gpus(plan),
                _short(plan.flop_per_token / 1e9),
                _times(plan.hours),
                " ".join(f"{hours:,.4g}" for hours in dict.fromkeys(plan.asked_hours)) or None,
                _times(plan.gpu_hours),
                _times(plan.hours, epochs),
                None if span is None else f"{_times(span[0])}–{_times(span[1])}",
                _times(plan.gpu_hours, epochs),
            ]
        )
    if len({plan.gpu for plan in plans}) == 1 and all(plan.gpu_hours is not None for plan in plans):
        rows.append(["all", *[None] * 7, _times(sum((plan.gpu_hours or 0) * plan.settings.epochs for plan in plans))])
    header = ["recipe", "GPUs", "GFLOP/token", "h/epoch", "asked", "GPU-h/epoch", "h, all epochs", "span", "GPU-h, all"]
    return text_table(header, rows, left=2)


def _retries(plans: Sequence[Plan]) -> str:
    minutes = sorted({plan.settings.save_minutes for plan in plans})
    return RETRY_NOTE.format(minutes=" or ".join(f"{value:g}" for value in minutes))


def _speeds(plans: Sequence[Plan]) -> str:
    lines = {}
    for plan in plans:
        device = CPU if plan.gpu is None else plan.gpu.name
        if plan.speed is not None:
            lines[device] = f"{device}: {plan.speed.flop_per_second / 1e12:.3g} · 10^12 FLOP/s: {plan.speed.source}"
        elif plan.gpu is not None:
            lines[device] = f"{device}: no hours, it has no bf16 units and training in bf16 was not tried there"
        else:
            lines[device] = f"{device}: no hours, no finished run here tells the speed; or name a GPU with --gpu"
    return "\n".join(lines.values())


def _disk(plans: Sequence[Plan]) -> str:
    rows: list[list[Cell]] = [[plan.model, *map(_gb, plan.disk.values())] for plan in _once(plans)]
    return text_table(["recipe", "base", "scratch", "epochs"], rows)


def _paper() -> str:
    rates, peak = paper_rates(), named_gpu(paper().models.gpu).peak("bf16") or 1
    rows: list[list[Cell]] = []
    for run, check in zip(paper().models.rows, paper_checks(), strict=True):
        share = f"{100 * rates[run.label] / peak:.1f} %"
        rows.append([run.label, run.gpus_training, share, check.predicted, check.measured, f"{check.ratio:.2f}"])
    return text_table(["model", "GPUs", "reached", "predicted h", "reported h", "ratio"], rows)


def _errors() -> str:
    ratios = [check.ratio for check in paper_checks()]
    near = sum(0.5 <= ratio <= 2 for ratio in ratios)
    return (
        f"All eight together: {100 * paper_utilisation():.1f} % of the peak. Ratios from {min(ratios):.2f} to "
        f"{max(ratios):.2f}; {near} of {len(ratios)} within a factor of two."
    )


def _runs(compared: Sequence[RunAndPlan]) -> str:
    rows: list[list[Cell]] = []
    for item in compared:
        run, time = item.run, item.time
        same = "yes" if item.plan.trainable == run.trainable else "NO"
        hours: list[Cell] = [None, round(run.seconds), None] if time is None else [*_seconds(time)]
        memory = [round(item.memory.predicted / MB), round(item.memory.measured / MB)]
        ratio = "process" if run.device == CPU else f"{item.memory.ratio:.2f}"
        rows.append([run.name, run.device, item.plan.trainable, run.trainable, same, *hours, *memory, ratio])
    header = [
        "run",
        "device",
        "trainable",
        "recorded",
        "equal",
        "predicted s",
        "s",
        "ratio",
        "predicted MB",
        "MB",
        "ratio",
    ]
    return text_table(header, rows, left=2)


def _seconds(time: Check) -> tuple[int, int, str]:
    return round(time.predicted), round(time.measured), f"{time.ratio:.2f}"


def _gpus(plan: Plan) -> str:
    return CPU if plan.gpu is None else f"{plan.gpus} x {plan.gpu.name}"


def _gb(value: float) -> str:
    return f"{value / GB:,.1f}" if value >= GB / 10 else f"{value / GB:.1g}"


def _short(value: float) -> str:
    return f"{value:,.2f}" if value >= 0.1 else f"{value:.2g}"


def _times(hours: float | None, times: int = 1) -> str | None:
    """Return hours, short ones with more digits."""
    if hours is None:
        return None
    value = hours * times
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 1 else f"{value:.2g}"
