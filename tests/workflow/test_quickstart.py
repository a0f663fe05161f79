import json
import re
import shlex
import shutil
import stat

import polars as pl
import pytest

from onkocode.records.provenance import read_provenance
from onkocode.records.schemas import read_table
from onkocode.reporting.registry import ITEMS
from tests.workflow.conftest import Project, job_counts
from tests.workflow.test_docs import ON_A_COPY, ON_THE_QUICKSTART

CONFIG_FILES = ("config/config.yaml", "config/quickstart.yaml")
CONFIG = ("--configfile", "config/quickstart.yaml", "--cores", "2")
MODELS = ["tiny-qwen3-s", "tiny-qwen3-m", "tiny-llama"]
FITTED = {  # recipe: kind
    "majority-code": "majority-code",
    "nearest-label": "nearest-label",
    "nearest-normal-form": "nearest-label",
    "lexicon": "lexicon",
}


@pytest.fixture(scope="module")
def metrics(quickstart):
    return pl.read_parquet(quickstart.root / "results/metrics.parquet")


@pytest.mark.parametrize("model", MODELS)
def test_every_model_learns(metrics, model):
    # The gain in exact ICD-10 accuracy over the base model, on held-out formulations of trained labels.
    gain = metrics.filter(
        (pl.col("model") == model)
        & (pl.col("epoch") == 3)
        & (pl.col("condition") == "free")
        & (pl.col("dataset") == "catalogue")
        & (pl.col("task") == "icd10")
        & (pl.col("stratum") == "heldout_formulation")
        & (pl.col("metric") == "gain_accuracy")
    )
    assert gain.height == 1
    assert gain["clusters"][0] >= 100
    assert gain["method"][0] == "cluster-t"
    assert gain["low"][0] >= 0.30, gain.row(0, named=True)


@pytest.mark.parametrize("model", MODELS)
def test_heldout_labels_are_reported_beside(metrics, model):
    rows = metrics.filter(
        (pl.col("model") == model)
        & (pl.col("stratum") == "heldout_label")
        & (pl.col("task") == "icd10")
        & (pl.col("condition") == "free")
    )
    assert sorted(rows["epoch"].unique().to_list()) == [0, 1, 2, 3]
    # Of the valid answers there may be few: base models hardly give one.
    asked = rows.filter((pl.col("metric") == "accuracy") & (pl.col("denominator") == "all"))
    assert asked["n"].min() > 100


@pytest.mark.parametrize("model", MODELS)
def test_specificity_is_measured_on_labels_that_were_not_trained(metrics, model):
    rows = metrics.filter(
        (pl.col("model") == model) & (pl.col("stratum") == "heldout_negative") & (pl.col("metric") == "specificity")
    )
    assert sorted(rows["epoch"].unique().to_list()) == [0, 1, 2, 3]
    assert rows["clusters"].unique().to_list() == [30]


def test_similar_labels_code_better_than_the_commonest_code(metrics):
    accuracy = metrics.filter(
        (pl.col("task") == "icd10") & (pl.col("metric") == "accuracy") & (pl.col("denominator") == "all")
    )
    rows = accuracy.filter(pl.col("stratum") == "heldout_label").unique(["model", "epoch"]).sort("epoch")
    found = {model: rows.filter(pl.col("model") == model).select("epoch", "value").rows() for model in FITTED}
    ((epoch, commonest),) = found["majority-code"]
    ((_, nearest),) = found["nearest-label"]
    ((_, read),) = found["lexicon"]
    assert epoch == 1
    assert commonest < 0.05 < 0.3 < nearest < read


def test_all_outputs_are_there(quickstart):
    results = quickstart.root / "results"
    figures = ("loss_curves", "accuracy_by_epoch", "heldout_by_epoch", "size_accuracy", "thinking_mode")
    for figure in (*figures, "coverage", "reliability"):
        for suffix in (".svg", ".png", ".tsv"):
            assert (results / "figures" / f"{figure}{suffix}").stat().st_size > 500, figure
    tables = [item.key for item in ITEMS if item.kind == "table" and item.key not in ("questions-{data}", "replicates")]
    for table in ("questions-example", *tables):
        assert (results / "tables" / f"{table}.html").stat().st_size > 500, table
        assert (results / "tables" / f"{table}.tsv").stat().st_size > 100, table
    for model in MODELS:
        for epoch in range(4):
            assert (results / f"evaluation/{model}/epoch-{epoch}/summary.html").is_file()
        for epoch in range(1, 4):
            folder = results / f"training/{model}/epoch-{epoch}"
            assert (folder / "adapter/adapter_model.safetensors").is_file()
            assert (folder / "state/optimizer.pt").is_file()
    for model, kind in FITTED.items():
        assert (results / f"evaluation/{model}/epoch-1/summary.html").is_file()
        assert (results / f"training/{model}/epoch-1/coder/settings.json").is_file()
        assert json.loads((results / f"models/{model}/model.json").read_text())["kind"] == kind


def test_what_is_compared(quickstart):
    comparisons = read_table(quickstart.root / "results/comparisons.parquet", "comparisons")
    primary = comparisons.filter("primary").row(0, named=True)
    assert (primary["left_model"], primary["kind"], primary["p_holm"]) == ("tiny-qwen3-m", "training", None)
    assert primary["low"] > 0
    kinds = set(comparisons["kind"])
    assert {"training", "prompt", "thinking", "constrained", "epochs", "coders"} <= kinds
    coders = comparisons.filter(pl.col("kind") == "coders", pl.col("metric") == "accuracy", pl.col("task") == "icd10")
    assert {"lexicon", "nearest-label"} <= set(coders["left_model"]) | set(coders["right_model"])
    sides = coders.select("left_model", "right_model").rows()
    assert len(sides) == len(set(sides)) == 21  # seven coders with each other


def test_constrained_answers_exist_and_have_probabilities(quickstart):
    for model in MODELS:
        judged = read_table(
            quickstart.root / f"results/evaluation/{model}/epoch-3/constrained/example.parquet", "judged"
        )
        codes = judged.filter(pl.col("task") != "tumour")
        assert codes["terminal"].all()
        assert codes["score"].is_between(0, 1).all()
        assert (codes["score_total"] <= 1 + 1e-9).all()


def test_training_log_goes_on_over_the_epochs(quickstart):
    steps, rates, losses = [], [], []
    for epoch in (1, 2, 3):
        path = quickstart.root / f"results/training/tiny-llama/epoch-{epoch}/metrics.jsonl"
        rows = [json.loads(line) for line in path.read_text().splitlines()]
        assert {"step", "epoch", "loss", "grad_norm", "learning_rate", "tokens", "seconds", "peak_memory_mb"} <= set(
            rows[0]
        )
        assert rows[-1]["epoch"] == epoch
        steps += [row["step"] for row in rows]
        rates += [row["learning_rate"] for row in rows]
        losses.append(rows[-1]["loss"])
    assert steps == sorted(set(steps))
    assert rates[-1] < 1e-5 < max(rates)
    assert losses == sorted(losses, reverse=True)


def test_quantised_recipes_were_quantised(quickstart):
    llama = json.loads((quickstart.root / "results/models/tiny-llama/model.json").read_text())
    small = json.loads((quickstart.root / "results/models/tiny-qwen3-s/model.json").read_text())
    assert (llama["quantisation_training"], llama["quantisation_testing"]) == ("4bit", "none")
    assert (small["quantisation_training"], small["quantisation_testing"]) == ("none", "8bit")


def test_provenance_stands_beside_results(quickstart):
    results = quickstart.root / "results"
    adapter = read_provenance(results / "training/tiny-llama/epoch-2/adapter")
    assert adapter["settings"]["quantisation"] == "4bit"
    assert set(adapter["inputs"]) == {"base", "questions", "previous"}
    assert adapter["versions"]["trl"] != "absent"
    assert adapter["seconds"] > 0
    for path in [*results.glob("figures/*.svg"), *results.glob("tables/*.html"), results / "metrics.parquet"]:
        assert read_provenance(path)["inputs"], path


def test_no_text_leaves_the_private_folder(quickstart):
    texts = pl.read_csv(quickstart.root / "example/texts.csv", separator=";")["text"].to_list()
    needles = [text.encode() for text in texts if len(text) > 12]
    assert len(needles) > 100
    for folder in ("results", "logs", ".snakemake/log"):
        for path in (quickstart.root / folder).rglob("*"):
            if path.is_file():
                # Parquet files may be compressed, so their columns are read instead.
                data = path.read_bytes()
                if path.suffix == ".parquet":
                    data = "\n".join(
                        value
                        for column in pl.read_parquet(path).select(pl.col(pl.String)).iter_columns()
                        for value in column.unique().drop_nulls().to_list()
                    ).encode()
                assert not [needle for needle in needles if needle in data], path


def test_training_takes_no_test_set(quickstart):
    command = ["onkocode", "train-epoch", "--model", "tiny-llama", "--epoch", "1", "--settings", "{}"]
    command += ["--base", "results/models/tiny-llama/base.json", "--scratch", "wrong-scratch", "--output", "wrong"]
    done = quickstart.command([*command, "--questions", "private/texts/example/questions.parquet"], check=False)
    assert done.returncode == 2
    assert "no training questions" in done.stderr
    assert not (quickstart.root / "wrong").exists()


def test_private_folder_is_closed(quickstart):
    private = quickstart.root / "private"
    assert stat.S_IMODE(private.stat().st_mode) == 0o700
    predictions = list((private / "predictions").rglob("*.parquet"))
    further = 4  # swapped, single, constrained on texts and held-out labels
    assert len(predictions) == 3 * 4 * (2 + further) + 2 * 2 + 2 * len(FITTED)
    for path in predictions:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path


def test_scratch_is_cleared(quickstart):
    left = [
        path
        for name in ("scratch", "private/scratch")
        for path in (quickstart.root / name).rglob("*")
        if path.is_file()
    ]
    assert left == []


def test_status_says_that_all_is_done(quickstart):
    arguments = ["--config", *CONFIG_FILES, "--json", "status.json"]
    shown = quickstart.command(["onkocode", "status", *arguments], {"COLUMNS": "80"}).stdout
    jobs = json.loads((quickstart.root / "status.json").read_text())["jobs"]
    assert [job["name"] for job in jobs if job["state"] != "done"] == []
    assert [job["log"] for job in jobs if not (quickstart.root / job["log"]).is_file()] == []
    assert max(map(len, shown.splitlines())) <= 80
    assert "tiny-llama          done done done" in shown


def test_second_run_does_nothing(quickstart):
    assert "Nothing to be done" in quickstart.run(*CONFIG).stderr


def test_report_is_one_file_with_figures_tables_captions_and_labels(quickstart):
    quickstart.run("--configfile", "config/quickstart.yaml", "--report", "report.html")
    report = (quickstart.root / "report.html").read_text(encoding="utf-8")
    for expected in ("loss_curves.svg", "thinking_mode.svg", "performance.html", "summary.html", "tiny-qwen3-m"):
        assert expected in report
    for caption in ("Training loss per model", "Exact accuracy, partial accuracy", "Questions per block"):
        assert caption in report
    assert not [line for line in report.splitlines() if 'src="http' in line]


def test_changed_testing_repeats_no_training(quickstart):
    change = ("--config", "recipes={'tiny-llama': {'testing': {'batch_size': 32}}}")
    counts = job_counts(quickstart.run(*CONFIG, "-n", *change).stdout)
    assert counts["evaluate_checkpoint"] == 4
    assert "train_epoch" not in counts
    assert "pretrain_model" not in counts


def test_changed_training_of_one_model_repeats_only_that_model(quickstart):
    change = ("--config", "recipes={'tiny-llama': {'training': {'learning_rate': 0.001}}}")
    output = quickstart.run(*CONFIG, "-n", *change).stdout
    counts = job_counts(output)
    assert counts["train_epoch"] == 3
    assert "Training tiny-llama, epoch 1" in output
    assert "Training tiny-qwen3-s" not in output


def test_changed_test_set_repeats_no_training(quickstart):
    file = quickstart.root / "example/texts.csv"
    before = file.read_bytes()
    try:
        file.write_bytes(before + b"T999;Magen-Ca, Korpus;C16.2;C16.2;;P999\n")
        counts = job_counts(quickstart.run(*CONFIG, "-n").stdout)
    finally:
        file.write_bytes(before)
    assert counts["read_texts"] == 1
    assert counts["evaluate_checkpoint"] == 12 + len(FITTED)
    assert not {"train_epoch", "fit_coder"} & set(counts)


def test_mended_parser_repeats_no_generation(quickstart):
    counts = job_counts(quickstart.run(*CONFIG, "-n", "--forcerun", "score_checkpoint", "score_thinking").stdout)
    assert (counts["score_checkpoint"], counts["score_thinking"]) == (12 + len(FITTED), 2 * 2)
    assert not {"evaluate_checkpoint", "evaluate_thinking", "train_epoch"} & set(counts)


def test_config_is_saved_as_a_record(quickstart):
    text = (quickstart.root / "results/config.yaml").read_text(encoding="utf-8")
    assert "models:\n" + "".join(f"- {model}\n" for model in [*MODELS, *FITTED]) in text


def test_answers_of_earlier_predictions_are_taken_over(quickstart, tmp_path):
    for folder in ("results", "private", "config", "example"):
        shutil.copytree(quickstart.root / folder, tmp_path / folder)
    answers = tmp_path / "private/answers"
    # The study was moved, which makes no other model of its bases.
    # Of earlier versions; further conditions came with the answers that are kept.
    earlier = [path for path in answers.rglob("*.parquet") if path.parts[-2] in ("free", "thinking")]
    before = {path.relative_to(answers): read_table(path, "answers") for path in earlier}
    shutil.rmtree(answers)
    other = tmp_path / "results/training/tiny-llama/epoch-2/adapter/adapter_model.safetensors"
    other.write_bytes((tmp_path / "results/training/tiny-llama/epoch-1/adapter" / other.name).read_bytes())
    said = Project(tmp_path).command(["onkocode", "keep-answers", "--config", *CONFIG_FILES]).stdout
    assert re.search(r"tiny-llama, epoch 2, free: passed over \(.*adapter is not what they were made from\)", said)
    after = {path.relative_to(answers): read_table(path, "answers") for path in answers.rglob("*.parquet")}
    assert len(before) == 3 * 4 + 2 * 2
    assert set(before) - set(after) == {path for path in before if str(path).startswith("tiny-llama/epoch-2")}
    for path, table in after.items():
        assert table.sort("key").equals(before[path].sort("key"))


@pytest.mark.parametrize("command", sorted(ON_THE_QUICKSTART))
def test_command_on_the_quickstart(quickstart, command):
    assert quickstart.command(shlex.split(command)).returncode == 0


@pytest.mark.parametrize("command", sorted(ON_A_COPY))
def test_command_on_a_copy(quickstart, tmp_path, command):
    shutil.copytree(quickstart.root / "private", tmp_path / "private")
    done = Project(tmp_path).command([*shlex.split(command), "--yes"])
    assert "removed" in done.stdout
    assert list(tmp_path.iterdir()) == []
