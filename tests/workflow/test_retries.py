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

left = Path("{ways}")
now, *later = json.loads(left.read_text())
left.write_text(json.dumps(later))
errors = {{"stopped": StoppedError(""), "memory": MemoryError(), "gpu-memory": ShortageError("", "gpu-memory")}}
with recorded(Path(sys.argv[sys.argv.index("--scratch") + 1])):
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
    # The next run begins with what the tries before have shown.
    planned = project.run(*QUICKSTART, "-n", "--allowed-rules", rule, "--", FILES[rule]).stdout
    assert re.findall(r"resources:.*?mem_mb=(\d+)", planned) == ["8000"]
