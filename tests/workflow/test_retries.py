"""What the next try of a job asks for, as Snakemake works it out between two tries."""

import json
import re
import sys

import pytest

QUICKSTART = ("--configfile", "config/quickstart.yaml")
# Ends the tries of a job one after the other in the given ways, and records it where the rule's own command would.
COMMAND = """#!{python}
import json, sys
from pathlib import Path
from onkocode.records.endings import recorded
from onkocode.records.errors import ShortageError, StoppedError
from onkocode.records.log_file import logged

left = Path("{ways}")
now, *later = json.loads(left.read_text())
left.write_text(json.dumps(later))
errors = {{"stopped": StoppedError(""), "memory": MemoryError(), "gpu-memory": ShortageError("", "gpu-memory")}}
with logged(f"onkocode {{sys.argv[1]}}"), recorded(Path(sys.argv[sys.argv.index("--scratch") + 1])):
    raise errors[now]
"""
FILES = {
    "train_epoch": "results/training/tiny-llama/epoch-1/metrics.jsonl",
    "fit_coder": "results/training/nearest-label/epoch-1/coder",
    "evaluate_checkpoint": "private/predictions/tiny-llama/epoch-0/free/catalogue.parquet",
    "evaluate_thinking": "private/predictions/tiny-qwen3-s/epoch-0/thinking/example.parquet",
    "evaluate_conditions": "private/predictions/tiny-qwen3-s/epoch-0/swapped/example.parquet",
}
INPUTS = [
    "results/models/tiny-llama/base.json",
    "results/models/tiny-qwen3-s/base.json",
    "results/models/tiny/llama/config.json",
    "results/models/tiny/qwen3-s/config.json",
    "results/questions/example.parquet",
    "results/catalogues/icd10gm-example/codes.parquet",
    "results/catalogues/icdo3-example/codes.parquet",
    "private/texts/example/questions.parquet",
    "results/inputs.json",
    "results/options/tracking.json",
]


@pytest.mark.parametrize("rule", FILES)
def test_a_retry_asks_for_more_memory_only_after_it_ran_out(project, rule):
    for name in INPUTS:
        (project.root / name).parent.mkdir(parents=True, exist_ok=True)
        (project.root / name).write_text("{}")
    # Without a message, Snakemake says what a job asks for.
    for file in (project.root / "workflow/rules").glob("*.smk"):
        file.write_text(re.sub(r"\n    message:\n        .*", "", file.read_text(encoding="utf-8")), encoding="utf-8")
    programs, ways = project.root / "programs", project.root / "ways.json"
    programs.mkdir()
    (programs / "onkocode").write_text(COMMAND.format(python=sys.executable, ways=ways))
    (programs / "onkocode").chmod(0o755)
    ways.write_text(json.dumps(["stopped", "memory", "gpu-memory", "memory"]))
    arguments = [*QUICKSTART, "--cores", "1", "--retries", "3", "--allowed-rules", rule, "--", FILES[rule]]
    command = ["sh", "-c", f'PATH="{programs}:$PATH" exec snakemake "$@"', "sh", *arguments]
    done = project.command(command, check=False)
    said = done.stdout + done.stderr
    assert done.returncode == 1
    assert json.loads(ways.read_text()) == [], said
    asked = [int(number) for number in re.findall(r"resources:.*?mem_mb=(\d+)", said)]
    assert list(dict.fromkeys(asked)) == [2000, 4000], said
    # Snakemake removed the log before each try, but under their other names all of them are there.
    (log,) = (project.root / "logs" / rule).rglob("*.log")
    tries = [log.with_name(f"{log.name}.{number}") for number in (1, 2, 3, 4)]
    assert sorted(log.parent.glob(f"{log.name}*")) == [log, *tries]
    verb = "evaluate-checkpoint" if rule == "evaluate_thinking" else rule.replace("_", "-")
    texts = [path.read_text(encoding="utf-8") for path in tries]
    for text, error in zip(texts, ("StoppedError", "MemoryError", "ShortageError", "MemoryError"), strict=True):
        assert re.match(rf"== onkocode {verb}, \d{{4}}-\d\d-\d\d .* UTC, node \S+\n", text)
        assert error in text
    assert log.read_text(encoding="utf-8") == texts[-1]
    # The next run begins with what the tries before have shown.
    planned = project.run(*QUICKSTART, "-n", "--allowed-rules", rule, "--", FILES[rule]).stdout
    assert re.findall(r"resources:.*?mem_mb=(\d+)", planned) == ["8000"]
