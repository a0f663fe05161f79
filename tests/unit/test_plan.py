"""The verb `plan`: from the configuration alone, from a directory of results, and what it refuses."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import yaml

from onkocode.cli import main
from onkocode.config import Config, load_config_files
from onkocode.config.data import Data
from onkocode.config.loading import merge_files
from onkocode.config.models import HubBase, LocalBase
from onkocode.config.schema import TinyModel
from onkocode.config.training import Training
from onkocode.models import tiny
from onkocode.models.architectures import known_architecture, read_architecture
from onkocode.models.corpus import Document
from onkocode.models.gpus import named_gpu
from onkocode.paper import paper
from onkocode.planning import available
from onkocode.planning.calibration import Speed, paper_speed
from onkocode.planning.lengths import table_lengths
from onkocode.planning.past_runs import PastRun, compare_with_plans, measured_speed, rates_by_device
from onkocode.planning.plan import Plan, Subject, make_plan
from onkocode.records.endings import Ending
from onkocode.records.errors import InputError
from onkocode.records.schemas import write_table
from onkocode.steps.planning import plan
from onkocode.study import Study, requests

from .conftest import make_tiny

ROOT = Path(__file__).parents[2]
CONFIGURED = [ROOT / "config/config.yaml"]


@pytest.fixture(scope="module")
def config() -> Config:
    return load_config_files(CONFIGURED)


LLAMA, MIXTRAL = "meta-llama/Llama-3.1-8B-Instruct", "mistralai/Mixtral-8x7B-Instruct-v0.1"


def numbers(path: Path) -> dict[tuple[str, str, str, str], Any]:
    """The written table: value by section, item, measure and unit."""
    rows = pl.read_csv(path, separator="\t", infer_schema=False).iter_rows(named=True)
    return {(row["section"], row["item"], row["measure"], row["unit"]): row["value"] for row in rows}


def subject(hub: str, questions: int | None = 1000) -> Subject:
    architecture = known_architecture(hub)
    assert architecture is not None
    return Subject(architecture, 2.0 * architecture.parameters, questions, "test", table_lengths("llama3", None))


# -- the whole verb -------------------------------------------------------------------------------------------------


def test_plan_of_the_study_without_weights_or_torch(tmp_path: Path) -> None:
    code = (
        "import sys; from onkocode.cli import main; status = main(sys.argv[1:]); "
        "print('torch loaded' if 'torch' in sys.modules else ''); sys.exit(status)"
    )
    arguments = ["plan", "--results", str(tmp_path), "--output", str(tmp_path / "plan.tsv")]
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], cwd=ROOT, capture_output=True, text=True, check=True, timeout=60
    )
    assert "torch loaded" not in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 120
    found = numbers(tmp_path / "plan.tsv")
    item = "qwen2.5-7b on 1 x A40"
    assert found["plan", item, "trainable", "parameters"] == "2523136"
    assert found["plan", item, "questions", "per epoch"] == str(paper().questions.total)
    assert found["plan", item, "steps", "per epoch"] == "86353"  # 518,116 / 6, the step of a published checkpoint / 2
    assert float(found["memory", item, "weights", "bytes"]) == 2 * 7_615_616_512
    assert "2,523,136" in done.stdout
    assert "mixtral-8x7b" in done.stdout
    assert json.loads((tmp_path / "plan.tsv.provenance.json").read_text())["verb"] == "plan"


def test_what_tries_ask_for_is_what_the_jobs_ask_for(
    in_root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The plan's limits are those of the rule, for as many tries as the profile for SLURM allows."""
    profile = yaml.safe_load((ROOT / "profiles/slurm/config.yaml").read_text(encoding="utf-8"))
    tries = range(profile["retries"] + 1)
    ceiling = tmp_path / "ceiling.yaml"
    ceiling.write_text("recipes: {qwen3-8b: {resources: {max_hours: 50}}}\n")
    files = [*CONFIGURED, ceiling]
    study = Study(merge_files(files), files)
    arguments = ["plan", "--config", *map(str, files), "--results", str(tmp_path)]
    assert main([*arguments, "--output", str(tmp_path / "plan.tsv")]) == 0
    text = capsys.readouterr().out
    time = text.split("\nTime\n")[1].split("\nDisk")[0]
    found = numbers(tmp_path / "plan.tsv")
    assert "majority-code is fitted in one job" in text
    for model in study.trained_models:
        item = next(key[1] for key in found if key[1].startswith(f"{model} on"))
        late = [Ending("time")]
        limits = [requests.minutes(study, model, "training", late * count) / 60 for count in tries]
        assert (limits[-1] == 50) == (model == "qwen3-8b")
        (row,) = [line for line in time.splitlines() if line.startswith(f"{model} ")]
        assert " ".join(f"{hours:g}" for hours in dict.fromkeys(limits)) in row
        named = ["hours asked", *(f"hours asked, retry {number}" for number in tries[1:])]
        assert [float(found["time", item, name, "per epoch"]) for name in named] == limits
        assert ("time", item, f"hours asked, retry {len(tries)}", "per epoch") not in found
        assert float(found["time", item, "hours at most", "per epoch"]) == sum(limits)
    words = " ".join(time.split())
    assert "it goes on from the last save" in words
    assert "had saved 20 minutes before, at most" in words
    assert "doubles" not in words


def test_chosen_recipes_on_chosen_gpus(in_root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--model", "qwen3-8b", "--gpu", "T4", "H200", "--results", str(tmp_path)]
    assert main(["plan", *arguments, "--output", str(tmp_path / "plan.tsv")]) == 0
    found = numbers(tmp_path / "plan.tsv")
    assert {key[1] for key in found if key[0] == "plan"} == {"qwen3-8b on 1 x T4", "qwen3-8b on 1 x H200"}
    assert float(found["memory", "qwen3-8b on 1 x T4", "spare", "bytes"]) < 0
    assert float(found["memory", "qwen3-8b on 1 x H200", "spare", "bytes"]) > 0
    assert found["time", "qwen3-8b on 1 x T4", "hours", "per epoch"] is None  # no bf16 units
    text = capsys.readouterr().out
    assert "no, by" in text
    assert "no bf16 units" in text


def test_a_recipe_with_seeds_is_planned_once_per_seed(
    in_root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mine = tmp_path / "mine.yaml"
    mine.write_text("recipes: {qwen3-8b: {seeds: [0, 1]}}\n")
    files = ["--config", "config/config.yaml", str(mine), "--results", str(tmp_path)]
    assert main(["plan", *files, "--model", "qwen3-8b"]) == 0
    text = capsys.readouterr().out
    assert "qwen3-8b.s0 " in text
    assert "qwen3-8b.s1 costs what qwen3-8b.s0 does" in text
    assert "qwen3-14b" not in text.split("How far")[0]
    assert main(["plan", *files, "--model", "qwen3-8b.s1"]) == 0
    assert "qwen3-8b.s0" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [(["--model", "qwen4"], "qwen4"), (["--gpu", "B52"], "B52"), (["--config", "missing.yaml"], "missing.yaml")],
)
def test_what_is_not_known_is_refused(
    arguments: list[str], message: str, in_root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["plan", *arguments]) == 2
    assert message in capsys.readouterr().err


def test_refused_targets_name_the_recipe(in_root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    change = tmp_path / "change.yaml"
    change.write_text(yaml.safe_dump({"recipes": {"mixtral-8x7b": {"training": {"target_modules": "all-linear"}}}}))
    arguments = ["--config", "config/config.yaml", str(change), "--results", str(tmp_path)]
    assert main(["plan", *arguments]) == 2
    assert "recipes.mixtral-8x7b: target_modules" in capsys.readouterr().err


def test_wanted_parameters_are_planned(in_root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    change = tmp_path / "change.yaml"
    wanted = {"lora_parameters": 16_384_000}
    change.write_text(yaml.safe_dump({"presets": {"equal": {"training": wanted}}, "models": ["qwen3-8b"]}))
    with change.open("a", encoding="utf-8") as stream:
        stream.write("recipes: {qwen3-8b: {preset: equal}}\n")
    arguments = ["--config", "config/config.yaml", str(change), "--results", str(tmp_path)]
    assert main(["plan", *arguments, "--output", str(tmp_path / "plan.tsv")]) == 0
    found = numbers(tmp_path / "plan.tsv")
    assert found["plan", "qwen3-8b on 1 x A40", "rank", ""] == "34"
    assert found["plan", "qwen3-8b on 1 x A40", "trainable", "parameters"] == str(34 * 36 * 13312)
    assert "rank chosen for 16,384,000 parameters" in capsys.readouterr().out


def test_a_base_that_is_not_trained_is_left_out(
    in_root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    change = tmp_path / "change.yaml"
    change.write_text(yaml.safe_dump({"recipes": {"qwen3-8b": {"training": {"epochs": 0}}}}))
    arguments = ["--config", "config/config.yaml", str(change), "--results", str(tmp_path)]
    assert main(["plan", *arguments]) == 0
    assert "Left out: qwen3-8b is not trained here" in capsys.readouterr().out
    assert main(["plan", *arguments, "--model", "qwen3-8b"]) == 2


# -- runs that are there --------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory, corpus: list[Document], small_questions: pl.DataFrame) -> Path:
    """A directory with two tiny models, each trained for one epoch by the verb, and their configuration."""
    folder = tmp_path_factory.mktemp("planned")
    results = folder / "results"
    write_table(small_questions, "questions", results / "questions" / "example.parquet")
    values = {"epochs": 2, "target_modules": "all-linear", "lora_dropout": 0.0, "precision": "fp32", "batch_size": 4}
    shapes: dict[str, Any] = {}
    recipes: dict[str, Any] = {}
    for name in ("llama", "qwen2"):
        base = results / "models" / "tiny" / name
        make_tiny(name, [(question, answer, None) for question, answer, _ in corpus[:200]], base)
        recipe = {"label": name, "family": name, "base": {"built": name}, "data": "example", "training": values}
        shapes[name] = {"architecture": name, "data": "example", "hidden_size": 32, "layers": 1, "heads": 2}
        recipes[f"tiny-{name}"] = recipe
        record = results / "models" / f"tiny-{name}" / "base.json"
        settings = json.dumps({"base": {"built": name}})
        assert main(["prepare-model", "--settings", settings, "--built", str(base), "--output", str(record)]) == 0
        job = ["--model", f"tiny-{name}", "--epoch", "1", "--base", str(record)]
        job += ["--questions", str(results / "questions" / "example.parquet"), "--settings", json.dumps(values)]
        job += ["--scratch", str(folder / "scratch" / name)]
        assert main(["train-epoch", *job, "--output", str(results / "training" / f"tiny-{name}" / "epoch-1")]) == 0
    config = yaml.safe_load((ROOT / "config/quickstart.yaml").read_text(encoding="utf-8"))
    config |= {"models": list(recipes), "recipes": recipes, "tiny_models": shapes}
    (folder / "config.yaml").write_text(yaml.safe_dump(config, allow_unicode=True), encoding="utf-8")
    return folder


def run_plan(folder: Path, output: Path) -> None:
    plan(config=[folder / "config.yaml"], results=folder / "results", output=output)


def test_runs_stand_beside_what_is_predicted(
    trained: Path, in_root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run_plan(trained, tmp_path / "plan.tsv")
    found = numbers(tmp_path / "plan.tsv")
    for name in ("llama", "qwen2"):
        run = f"tiny-{name}, epoch 1"
        folder = trained / "results" / "training" / f"tiny-{name}" / "epoch-1"
        record = json.loads((folder / "adapter" / "provenance.json").read_text(encoding="utf-8"))
        last = json.loads((folder / "metrics.jsonl").read_text(encoding="utf-8").splitlines()[-1])
        assert found["run", run, "trainable", "parameters"] == str(record["trainable_parameters"])
        assert found["plan", f"tiny-{name}", "trainable", "parameters"] == str(record["trainable_parameters"])
        assert found["plan", f"tiny-{name}", "questions", "per epoch"] == str(record["questions"]) == "28"
        assert float(found["plan", f"tiny-{name}", "tokens", "per epoch"]) == pytest.approx(last["tokens"])
        assert float(found["run", run, "measured", "s"]) == last["seconds"]
        assert float(found["run", run, "predicted", "s"]) > 0
        assert int(found["plan", f"tiny-{name}", "steps", "per epoch"]) == record["steps"]
    text = capsys.readouterr().out
    assert "Runs that are there" in text
    assert "all tokenised" in text
    assert "measured here on CPU, by tiny-llama, tiny-qwen2" in text
    assert max(map(len, text.splitlines())) <= 120


def test_a_models_time_follows_from_the_others() -> None:
    """a runs on one process; b, with three times the questions, on two: its 60 s are 120 s of one process."""
    values = {"target_modules": ["q_proj", "v_proj"]}
    one, two = Training.model_validate(values), Training.model_validate(values | {"processes": 2})
    subjects = {"a": subject(LLAMA, 1000), "b": subject(LLAMA, 3000)}
    runs = [
        PastRun("a", 1, one, "A40", 1000, 3_407_872, 1, 20.0, 30e9),
        PastRun("a", 2, one, "A40", 1000, 3_407_872, 1, 45.0, 30e9),
        PastRun("b", 1, two, "A40", 3000, 3_407_872, 1, 60.0, 30e9),
        PastRun("b", 2, two, "L40S", 3000, 3_407_872, 1, 1.0, 30e9),
    ]
    a1, a2, b1, b2 = compare_with_plans(runs, subjects)
    times = [None if item.time is None else item.time.predicted for item in (a1, a2, b1, b2)]
    # An epoch of a takes a third of b's 120 s; one of b three times the 30 s (geometric mean) of a, on two processes.
    assert times == [pytest.approx(40), pytest.approx(40), pytest.approx(45), None]
    assert a1.memory.measured == 30e9
    assert a1.memory.predicted == a1.plan.memory.total > 16e9
    speed = measured_speed("A40", rates_by_device(runs, subjects))
    assert speed is not None
    assert sorted(speed.ratios) == pytest.approx([0.75, 4 / 3])


def test_runs_on_a_gpu_take_the_place_of_the_papers_hours(
    in_root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "training" / "qwen3-8b" / "epoch-1"
    (folder / "adapter").mkdir(parents=True)
    facts = {"questions": 518_116, "trainable_parameters": 3_833_856, "device": "cuda", "settings": {"batch_size": 6}}
    record = facts | {"hardware": {"gpus": ["NVIDIA A40"]}}
    (folder / "adapter" / "provenance.json").write_text(json.dumps(record))
    row = {"tokens": 24_874_749, "seconds": 36_000.0, "peak_memory_mb": 20_000.0}
    (folder / "metrics.jsonl").write_text(json.dumps(row) + "\n")
    chosen = ["--model", "qwen3-8b", "--gpu", "A40", "H100", "--results", str(tmp_path)]
    assert main(["plan", *chosen, "--output", str(tmp_path / "plan.tsv")]) == 0
    found = numbers(tmp_path / "plan.tsv")
    here, there = "qwen3-8b on 1 x A40", "qwen3-8b on 1 x H100-80"
    # The recipe trains with loss on the whole text, the recorded run on the answers; the layers make nearly all of it.
    assert float(found["time", here, "hours", "per epoch"]) == pytest.approx(10, rel=0.15)
    assert found["time", here, "hours, low", "all epochs"] is None
    assert float(found["time", there, "hours", "per epoch"]) < 3
    text = capsys.readouterr().out
    assert "measured here on A40, by qwen3-8b" in text
    assert "H100-80: 111 · 10^12 FLOP/s: 11.2 % of its bf16 peak" in text


def test_records_that_cannot_be_read_are_passed_over(trained: Path, in_root: Path, tmp_path: Path) -> None:
    log = trained / "results" / "training" / "tiny-llama" / "epoch-1" / "metrics.jsonl"
    before = log.read_text(encoding="utf-8")
    try:
        log.write_text(before + '{"step": 8, "ep', encoding="utf-8")
        run_plan(trained, tmp_path / "plan.tsv")
    finally:
        log.write_text(before, encoding="utf-8")
    runs = {key[1] for key in numbers(tmp_path / "plan.tsv") if key[0] == "run"}
    assert runs == {"tiny-qwen2, epoch 1"}


# -- what is at hand ------------------------------------------------------------------------------------------------


def test_questions_of_the_paper_stand_in(config: Config, tmp_path: Path) -> None:
    data = config.data["catalogues-2024"]
    missing = tmp_path / "missing.parquet"
    assert available.count_questions(missing, data)[0] == paper().questions.total
    held = data.model_copy(update={"heldout_labels": 0.5, "heldout_formulations": 2})
    blocks = 13_600 * 10 + 27_200 * (4 + 2) + 2_964 * (8 + 2) + 2_804 * 8 + 1_338 * 8
    assert available.count_questions(missing, held)[0] == blocks / 2


def test_nothing_stands_in_for_the_example(quickstart: Config, tmp_path: Path) -> None:
    count, reason = available.count_questions(tmp_path / "missing.parquet", quickstart.data["example"])
    assert count is None
    assert "missing.parquet" in reason


def test_counted_questions_are_those_of_training(small_questions: pl.DataFrame, tmp_path: Path) -> None:
    path = tmp_path / "questions.parquet"
    write_table(small_questions, "questions", path)
    data = Data.model_validate({"alphaid": "2024", "icd10gm": "2024", "icdo3": "2019", "ops": "2024"})
    assert available.count_questions(path, data) == (28, str(path))


@pytest.mark.parametrize("architecture", ["qwen2", "qwen3", "llama", "mistral", "mixtral"])
def test_shape_of_a_tiny_model_before_it_is_built(architecture: str, tmp_path: Path) -> None:
    shape = TinyModel.model_validate({"architecture": architecture, "data": "example", "hidden_size": 64, "heads": 4})
    tokenizer = tiny.build_tokenizer(architecture, ["Krebs der Niere"], 300)
    tiny.save(tiny.build_model(shape, tokenizer), tokenizer, tmp_path)
    built = read_architecture(tmp_path)
    expected = available.tiny_architecture(shape)
    same = {"vocabulary", "source"}
    assert {k: v for k, v in vars(built).items() if k not in same} == {
        k: v for k, v in vars(expected).items() if k not in same
    }


def test_a_base_that_is_not_available() -> None:
    with pytest.raises(InputError, match=r"config\.json"):
        available.find_base(LocalBase(path=Path("missing")), {}, Path("results"))
    with pytest.raises(InputError, match="some/model"):
        available.find_base(HubBase(hub="some/model"), {}, Path("results"))


def test_a_model_in_the_cache_counts_before_the_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = tmp_path / "hub"
    snapshot = cache / "models--Qwen--Qwen3-8B" / "snapshots" / "abc"
    snapshot.mkdir(parents=True)
    (snapshot.parents[1] / "refs").mkdir()
    (snapshot.parents[1] / "refs" / "main").write_text("abc")
    shape = {"model_type": "qwen3", "hidden_size": 64, "num_hidden_layers": 1, "num_attention_heads": 2}
    (snapshot / "config.json").write_text(json.dumps(shape | {"intermediate_size": 8, "vocab_size": 9}))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(cache))
    found = available.find_base(HubBase(hub="Qwen/Qwen3-8B"), {}, Path("results"))
    assert found.directory == snapshot
    assert found.architecture.hidden_size == 64


# -- one plan -------------------------------------------------------------------------------------------------------


def planned(hub: str, gpu: str, gpus: int, questions: int | None = 1000, **values: Any) -> Plan:
    speed = Speed(1e12, (0.5, 4.0), "test")
    chosen = Training.model_validate({"target_modules": ["q_proj", "v_proj"], "batch_size": 4} | values)
    return make_plan("m", subject(hub, questions), chosen, named_gpu(gpu), gpus, speed)


def test_hours_by_hand() -> None:
    found = planned(LLAMA, "A40", 2, loss="full")
    tokens = table_lengths("llama3", None)
    architecture = known_architecture(LLAMA)
    assert architecture is not None
    padded = 1000 * tokens.padded(4) * (4 * architecture.active + 6 * found.trainable)
    head = 1000 * tokens.mean * 6 * 128256 * 4096  # real tokens only, computed twice forward
    assert found.flop_per_epoch == pytest.approx(padded + head)
    assert found.hours == pytest.approx((padded + head) / 1e12 / 3600)
    assert found.gpu_hours == pytest.approx(2 * (padded + head) / 1e12 / 3600)  # both are held, one computes
    assert found.speed is not None
    assert found.speed.span(8.0) == (2.0, 16.0)


def test_processes_share_the_questions() -> None:
    one, two = planned(LLAMA, "A40", 1), planned(LLAMA, "A40", 2, processes=2)
    assert (one.steps, two.steps) == (250, 125)
    assert one.hours is not None
    assert two.hours == pytest.approx(one.hours / 2)
    assert two.gpu_hours == pytest.approx(one.gpu_hours)


def test_recomputation_takes_time_and_saves_memory() -> None:
    plain, less = planned(LLAMA, "A40", 1), planned(LLAMA, "A40", 1, activation_checkpointing=True)
    assert plain.hours is not None
    assert less.hours is not None
    assert 1.3 < less.hours / plain.hours < 1.5
    assert less.memory.activations < plain.memory.activations / 10


def test_the_answers_alone_spare_the_output_layer() -> None:
    full, answer = planned(LLAMA, "A40", 1, loss="full"), planned(LLAMA, "A40", 1, loss="answer")
    assert full.flop_per_epoch is not None
    assert answer.flop_per_epoch is not None
    assert answer.flop_per_epoch < full.flop_per_epoch


def test_experts_are_kept_dequantised_unless_recomputed() -> None:
    """Autograd keeps the experts of all layers in bf16: 2 bytes of 45 · 10^9 weights."""
    kept = planned(MIXTRAL, "A40", 2, quantisation="4bit")
    spared = planned(MIXTRAL, "A40", 2, quantisation="4bit", activation_checkpointing=True)
    assert kept.memory.experts == 32 * 8 * 3 * 4096 * 14336 * 2 / 2
    assert kept.spare is not None
    assert kept.spare < 0
    assert spared.memory.total < kept.memory.total - 40e9


def test_loading_can_need_more_than_training() -> None:
    found = planned(MIXTRAL, "A40", 2, quantisation="4bit", activation_checkpointing=True)
    assert found.loading > found.memory.total  # the experts are loaded in bf16 and quantised then
    assert found.needed == found.loading


def test_unknown_questions_leave_the_hours_open() -> None:
    found = planned(LLAMA, "A40", 1, questions=None)
    assert (found.tokens, found.steps, found.hours, found.gpu_hours) == (None, None, None, None)
    assert found.memory.total > 16e9


def test_speed_of_the_paper() -> None:
    a40, t4 = paper_speed(named_gpu("A40"), "bf16"), paper_speed(named_gpu("T4"), "bf16")
    h200 = paper_speed(named_gpu("H200"), "bf16")
    assert t4 is None
    assert a40 is not None
    assert h200 is not None
    assert h200.flop_per_second / a40.flop_per_second == pytest.approx(989.5 / 149.7)
    assert "untested" in h200.source
    assert "untested" not in a40.source


def test_plan_from_elsewhere_is_of_the_shipped_configuration(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["plan", "--model", "qwen3-8b"]) == 0
    assert "qwen3-8b" in capsys.readouterr().out
