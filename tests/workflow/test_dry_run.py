import re
import subprocess
from collections import Counter
from pathlib import Path

import pytest
import yaml

from onkocode.cluster.expected import study_jobs
from onkocode.config.loading import merge_files
from onkocode.study import Study
from tests.workflow.conftest import ROOT, job_counts

PAPER_MODELS = [
    "qwen2.5-7b",
    "llama-3.1-8b",
    "qwen3-8b",
    "mistral-nemo",
    "qwen3-14b",
    "qwen3-32b",
    "mixtral-8x7b",
    "llama-3.3-70b",
]


def test_paper_study_has_all_its_jobs(project):
    counts = job_counts(project.run("-n").stdout)
    assert counts["train_epoch"] == 40
    assert counts["fit_coder"] == 5
    assert counts["evaluate_checkpoint"] == 48 + 5
    assert counts["evaluate_thinking"] == 2 * 3  # the base, and whether the last epoch still thinks
    assert counts["evaluate_conditions"] == counts["score_conditions"] == 48
    assert counts["prepare_model"] == 8
    assert counts["score_checkpoint"] == 48 + 5
    assert counts["score_thinking"] == 2 * 3
    assert counts["compare_checkpoints"] == counts["break_down"] == counts["measure_certainty"] == 1
    assert counts["draw_figure"] == 5 + 2


@pytest.mark.parametrize("config", [[], ["config/quickstart.yaml"]])
def test_status_knows_the_jobs_that_are_planned(project, monkeypatch, config):
    monkeypatch.chdir(project.root)
    files = [Path("config/config.yaml"), *map(Path, config)]
    jobs = study_jobs(Study(merge_files(files), files))
    chosen = ["--configfile", *config] if config else []
    counts = job_counts(project.run("-n", *chosen).stdout)
    assert Counter(job.rule for job in jobs) == {rule: counts[rule] for rule in counts if rule not in ("all", "total")}
    assert len({job.name for job in jobs}) == len(jobs)
    lines = project.run(*chosen, "--summary").stdout.splitlines()
    planned = {line.split("\t")[0] for line in lines[1:] if "\t" in line}
    assert {file for job in jobs for file in job.outputs} == planned


def test_no_training_job_is_given_a_test_set(project):
    output = project.run("--configfile", "config/quickstart.yaml", "-n").stdout
    for verb, count in (("pretrain-model", 3), ("train-epoch", 9), ("fit-coder", 4)):
        commands = [line for line in output.splitlines() if f"onkocode {verb}" in line]
        assert len(commands) == count
        assert not [line for line in commands if "private/" in line or "texts" in line]
    assert "private/texts/example/questions.parquet" in output  # that is where the test set is


def test_fitted_coders_have_one_job_and_no_base(project):
    quickstart = ("--configfile", "config/quickstart.yaml", "-n")
    counts = job_counts(project.run(*quickstart, "results/nearest-label.done").stdout)
    assert counts["fit_coder"] == counts["evaluate_checkpoint"] == counts["score_checkpoint"] == 1
    assert not {"prepare_model", "pretrain_model", "train_epoch", "evaluate_thinking"} & set(counts)
    commands = [line for line in project.run(*quickstart).stdout.splitlines() if "/nearest-label/" in line]
    (asked,) = [line for line in commands if "onkocode evaluate-checkpoint" in line]
    assert "--condition free --coder results/training/nearest-label/epoch-1/coder --questions" in asked
    assert "--base" not in asked
    (fitted,) = [line for line in commands if "onkocode fit-coder" in line]
    assert "private/" not in fitted
    (measured,) = [line for line in commands if "onkocode score-answers" in line]
    assert "epoch-0" not in measured  # there is no base to gain on


def test_slurm_profile_is_found_by_its_name(project):
    counts = job_counts(project.run("--profile", "slurm", "-n").stdout)
    assert counts["train_epoch"] == 40


@pytest.mark.parametrize(
    ("target", "present", "absent"),
    [
        ("questions", "build_questions", "prepare_model"),
        ("training", "train_epoch", "evaluate_checkpoint"),
        ("evaluation", "collect_metrics", "draw_figure"),
        ("figures", "draw_figure", "write_table"),
        ("tables", "write_table", "draw_figure"),
    ],
)
def test_named_targets_stop_where_they_say(project, target, present, absent):
    counts = job_counts(project.run("--configfile", "config/quickstart.yaml", "-n", target).stdout)
    assert present in counts
    assert absent not in counts


def test_target_is_made_although_an_option_changed(project):
    quickstart = ("--configfile", "config/quickstart.yaml", "--cores", "1")
    project.run(*quickstart, "results/options/consent.json")
    target = "results/catalogues/ops-example/entries.parquet"
    project.run(*quickstart, "--config", "catalogues={accept_terms: true}", "--", target)
    assert (project.root / "results/options/consent.json").read_text() == "true\n"
    assert (project.root / target).is_file()


def test_one_model_alone(project):
    counts = job_counts(project.run("-n", "results/qwen3-8b.done").stdout)
    assert counts["train_epoch"] == 5
    assert counts["evaluate_checkpoint"] == 6
    assert counts["prepare_model"] == 1


@pytest.mark.parametrize("config", ["quickstart", "sample"])
def test_second_config_file_never_adds_the_paper_models(project, config):
    extra = {} if config == "quickstart" else {"ONKOCODE_CATALOGUES": ""}
    output = project.run("--configfile", f"config/{config}.yaml", "-n", environment=extra).stdout
    assert "train_epoch" in job_counts(output)
    for model in PAPER_MODELS:
        assert f" {model}" not in output


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"recipies": {}}, "recipies: unknown key; did you mean 'recipes'?"),
        ({"models": ["tiny-llama", "tiny-llama"]}, "'tiny-llama' stands 2 times"),
        ({"recipes": {"tiny-llama": {"training": {"epochs": -1}}}}, "recipes.tiny-llama.training.epochs"),
        ({"models": ["tiny-lama"]}, "did you mean 'tiny-llama'?"),
        ({"data": {"example": {"ops": "1999"}}}, "no row for ops 1999"),
    ],
)
def test_mistakes_in_the_configuration_stop_everything(project, change, expected):
    (project.root / "mine.yaml").write_text(yaml.safe_dump(change))
    done = project.run("--configfile", "config/quickstart.yaml", "mine.yaml", "--cores", "1", check=False)
    assert done.returncode == 1
    assert expected in done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    assert not (project.root / "results").exists()


def test_repeated_recipe_key_is_found_although_yaml_keeps_the_last(project):
    path = project.root / "config/quickstart.yaml"
    path.write_text(path.read_text().replace("  tiny-qwen3-m:\n", "  tiny-qwen3-s:\n"))
    done = project.run("--configfile", "config/quickstart.yaml", "-n", check=False)
    assert done.returncode == 1
    assert "recipes.tiny-qwen3-s: stands twice" in done.stdout + done.stderr
    assert "config/quickstart.yaml:" in done.stdout + done.stderr


@pytest.mark.parametrize(
    ("edit", "expected"),
    [
        (("id;text;icd10;", "id;text;code;"), "no column 'icd10'"),
        ((";C50.4;C50.4;8010/3;P001", ";C50.7;C50.4;8010/3;P001"), "line 2: column 'icd10': 'C50.7' does not exist"),
    ],
)
def test_mistakes_in_a_test_set_show_before_any_training(project, edit, expected):
    path = project.root / "example/texts.csv"
    path.write_text(path.read_text(encoding="utf-8").replace(*edit, 1), encoding="utf-8")
    arguments = ("--configfile", "config/quickstart.yaml", "--cores", "2", "--keep-going", "check_inputs")
    done = project.run(*arguments, check=False)
    assert done.returncode == 1
    assert expected in done.stdout + done.stderr
    assert "Mamma-Ca" not in done.stdout + done.stderr
    plan = project.run("--configfile", "config/quickstart.yaml", "-n", "training").stdout
    assert "results/inputs.json" in plan.split("Training tiny-llama, epoch 1")[1].split("\n\n")[0]


def test_missing_catalogue_file_is_named(project):
    (project.root / "empty").mkdir()
    done = project.run("-n", environment={"ONKOCODE_CATALOGUES": "empty"}, check=False)
    assert done.returncode == 1
    assert "no file for alphaid 2024" in done.stdout + done.stderr


def test_download_without_consent_is_refused(project):
    done = project.run("--cores", "1", "results/catalogues/icdo3-2019/source", "--retries", "0", check=False)
    assert done.returncode == 1
    log = project.root / "logs/retrieve_catalogue/icdo3-2019.log"
    assert "accept_terms: true" in done.stdout + done.stderr + (log.read_text() if log.is_file() else "")


def rules_with_a_command() -> list[str]:
    text = "\n".join(path.read_text(encoding="utf-8") for path in sorted((ROOT / "workflow/rules").glob("*.smk")))
    return [block for block in re.split(r"^rule ", text, flags=re.MULTILINE)[1:] if "\n    shell:" in block]


@pytest.mark.parametrize("rule", rules_with_a_command(), ids=lambda block: block.split(":")[0])
def test_every_rule_is_complete_and_thin(rule):
    for directive in ("output:", "log:", "benchmark:", "message:"):
        assert f"\n    {directive}" in rule
    assert '"onkocode ' in rule
    assert "\n    run:" not in rule
    name = rule.split(":")[0]
    assert re.fullmatch(r"[a-z]+(_[a-z]+)+", name)


def test_jobs_on_gpus_name_what_they_need():
    text = (ROOT / "workflow/rules/common.smk").read_text(encoding="utf-8")
    (asked,) = re.findall(r"^def requested\(.*?^    \}", text, flags=re.MULTILINE | re.DOTALL)
    assert 'for name in ("gpu", "gpu_model", "gres", "mem_mb", "runtime")' in asked
    for name in ("train_epoch", "fit_coder", "evaluate_checkpoint"):
        (rule,) = [block for block in rules_with_a_command() if block.startswith(f"{name}:")]
        assert "    threads: threads_of_model" in rule
        assert "        **requested(" in rule
    defaults = yaml.safe_load((ROOT / "profiles/slurm/config.yaml").read_text())["default-resources"]
    assert {"mem_mb", "runtime", "gpu"} <= set(defaults)


def test_heavy_steps_are_jobs_of_the_cluster_and_local_ones_ask_for_nothing():
    blocks = {block.split(":")[0]: block for block in rules_with_a_command()}
    local = local_rules()
    heavy = ["build_questions", "check_leakage", "export_questions", "pretrain_model", "train_epoch", "fit_coder"]
    for name in [*heavy, "evaluate_checkpoint", "score_checkpoint"]:
        assert name not in local
        assert "mem_mb=" in blocks[name] or "**requested(" in blocks[name]
    assert {
        name for name in local & set(blocks) if "\n    resources:" in blocks[name]
    } == set()  # SLURM never sees them
    assert len(local) > 10


def local_rules() -> set[str]:
    """Return the rules that run where Snakemake runs."""
    texts = [path.read_text(encoding="utf-8") for path in (ROOT / "workflow/rules").glob("*.smk")]
    lists = [
        found for text in texts for found in re.findall(r"^localrules:\n((?:    \w+,\n)+)", text, flags=re.MULTILINE)
    ]
    assert not [text for text in texts if "localrule:" in text]
    return {name for found in lists for name in re.findall(r"\w+", found)}


def test_lint_and_format_are_clean():
    for command in (["snakefmt", "--check", "Snakefile", "workflow"], ["snakemake", "--lint"]):
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
