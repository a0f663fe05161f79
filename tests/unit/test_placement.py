"""GPUs that cannot compute in bf16, and models that do not fit onto GPUs, are refused before anything is answered."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import polars as pl
import pytest
import torch

from onkocode.cli import main
from onkocode.models.loading import load_base
from onkocode.records.errors import InputError
from onkocode.records.schemas import write_table

from .conftest import question_rows, schema_of
from .training_jobs import train

ON_GPUS = {"model.embed_tokens": 0, "model.layers.0": 0, "model.layers.1": 1, "lm_head": 1}
REMEDIES = ("resources.gpus_testing", "resources.gpus_training", "quantisation")


class Gpus:
    """GPUs as torch would show them, and what was asked of transformers meanwhile."""

    def __init__(self, patch: pytest.MonkeyPatch, count: int, capabilities: tuple[tuple[int, int], ...]) -> None:
        self.loaded: list[dict[str, Any]] = []
        self.model: Any = SimpleNamespace(hf_device_map=ON_GPUS, device=torch.device("cuda", 0))
        self.error: Exception | None = None
        patch.delenv("LOCAL_RANK", raising=False)
        patch.setattr(torch.cuda, "device_count", lambda: count)
        patch.setattr(torch.cuda, "get_device_capability", lambda gpu: capabilities[gpu])
        patch.setattr(torch.cuda, "get_device_name", lambda gpu: ["Tesla T4", "NVIDIA A40"][capabilities[gpu][0] >= 8])
        patch.setattr(torch.version, "hip", None)
        patch.setattr("onkocode.models.loading.AutoModelForCausalLM.from_pretrained", self.load)

    def load(self, path: Path, **options: Any) -> tuple[Any, dict[str, list[str]]]:
        self.loaded.append(options)
        if self.error is not None:
            raise self.error
        return self.model, {"missing_keys": []}


T4, A40 = (7, 5), (8, 6)


@pytest.fixture
def gpus(monkeypatch: pytest.MonkeyPatch) -> Gpus:
    return Gpus(monkeypatch, 2, (A40, A40))


@pytest.fixture
def base(tiny_models: dict[str, Path]) -> Path:
    return tiny_models["llama"]


# -- spilling --


def test_a_model_that_lies_on_gpus_is_taken(gpus: Gpus, base: Path) -> None:
    assert load_base(base, "none", "bf16") is gpus.model
    assert gpus.loaded[0]["device_map"] == "auto"


@pytest.mark.parametrize(
    ("places", "said"),
    [
        ({"lm_head": "cpu"}, "of its 4 modules, 1 in main memory"),
        ({"lm_head": torch.device("cpu")}, "of its 4 modules, 1 in main memory"),
        ({"lm_head": "disk", "model.layers.1": "disk"}, "of its 4 modules, 2 on the disk"),
        ({"lm_head": "disk", "model.layers.1": "cpu"}, "of its 4 modules, 1 in main memory and 1 on the disk"),
    ],
)
def test_a_model_that_spills_is_refused(gpus: Gpus, base: Path, places: dict[str, Any], said: str) -> None:
    gpus.model.hf_device_map = ON_GPUS | places
    with pytest.raises(InputError, match=rf"2 GPU.*{said}") as caught:
        load_base(base, "none", "bf16")
    assert str(caught.value).startswith(f"{base}: ")
    assert all(remedy in str(caught.value) for remedy in REMEDIES)


def test_a_model_that_lies_in_main_memory_as_a_whole_is_refused(gpus: Gpus, base: Path) -> None:
    """It has no map then."""
    gpus.model = SimpleNamespace(device=torch.device("cpu"))
    with pytest.raises(InputError, match="of its 1 modules, 1 in main memory"):
        load_base(base, "none", "bf16")


@pytest.mark.parametrize(
    "words",
    [
        "Some modules are dispatched on the CPU or the disk. Make sure you have enough GPU RAM to fit the model.",
        "The current `device_map` had weights offloaded to the disk, which needed to be re-saved.",
        "We need an `offload_dir` to dispatch this model, the following submodules need to be offloaded: lm_head.",
    ],
)
def test_what_transformers_refuses_as_too_large_is_said_alike(gpus: Gpus, base: Path, words: str) -> None:
    gpus.error = ValueError(words)
    with pytest.raises(InputError, match="in main memory or on the disk") as caught:
        load_base(base, "8bit", "bf16")
    assert all(remedy in str(caught.value) for remedy in REMEDIES)


def test_other_errors_of_transformers_go_through(gpus: Gpus, base: Path) -> None:
    gpus.error = ValueError("Unrecognized configuration class")
    with pytest.raises(ValueError, match="Unrecognized") as caught:
        load_base(base, "none", "bf16")
    assert caught.value is gpus.error


def test_evaluation_is_refused_before_it_answers(
    gpus: Gpus, base: Path, tmp_path: Path, usual_umask: None, capsys: pytest.CaptureFixture[str]
) -> None:
    gpus.model.hf_device_map = ON_GPUS | {"lm_head": "cpu"}
    rows = pl.DataFrame(question_rows("clinic", "test"), schema=schema_of("questions"))
    write_table(rows, "questions", tmp_path / "clinic.parquet")
    (tmp_path / "base.json").write_text(json.dumps({"path": str(base)}), encoding="utf-8")
    output = tmp_path / "predictions" / "clinic.parquet"
    command = ["evaluate-checkpoint", "--model", "tiny", "--epoch", "0", "--condition", "free", "--settings", "{}"]
    command += ["--base", str(tmp_path / "base.json"), "--questions", f"clinic={tmp_path / 'clinic.parquet'}"]
    command += ["--scratch", str(tmp_path / "scratch"), "--answers", str(tmp_path / "answers")]
    assert main([*command, "--output", f"clinic={output}"]) == 2
    assert "1 in main memory" in capsys.readouterr().err
    assert not output.exists()


# -- bf16 --


def test_a_gpu_without_bf16_is_told_before_loading(monkeypatch: pytest.MonkeyPatch, base: Path) -> None:
    gpus = Gpus(monkeypatch, 1, (T4,))
    with pytest.raises(InputError, match=r"bf16, which Tesla T4 cannot compute") as caught:
        load_base(base, "none", "bf16")
    assert gpus.loaded == []
    assert str(caught.value).startswith(f"{base}: ")
    for remedy in ("testing.precision", "training.precision", "fp32", "resources.gpu_model"):
        assert remedy in str(caught.value)
    assert load_base(base, "none", "fp32") is gpus.model


@pytest.mark.parametrize("capabilities", [(A40, T4), (T4, A40)])
def test_every_gpu_that_a_model_is_split_over_counts(
    monkeypatch: pytest.MonkeyPatch, base: Path, capabilities: tuple[tuple[int, int], ...]
) -> None:
    gpus = Gpus(monkeypatch, 2, capabilities)
    with pytest.raises(InputError, match=r"which Tesla T4 cannot"):
        load_base(base, "none", "bf16")
    # A data-parallel process has one of them to itself.
    monkeypatch.setenv("LOCAL_RANK", str(capabilities.index(A40)))
    assert load_base(base, "none", "bf16") is gpus.model
    monkeypatch.setenv("LOCAL_RANK", str(capabilities.index(T4)))
    with pytest.raises(InputError, match=r"which Tesla T4 cannot"):
        load_base(base, "none", "bf16")


def test_gpus_of_amd_have_bf16(monkeypatch: pytest.MonkeyPatch, base: Path) -> None:
    gpus = Gpus(monkeypatch, 1, (T4,))
    monkeypatch.setattr(torch.version, "hip", "6.4")
    assert load_base(base, "none", "bf16") is gpus.model


def test_training_is_refused_in_the_same_way(
    monkeypatch: pytest.MonkeyPatch, base: Path, small_questions: pl.DataFrame, tmp_path: Path
) -> None:
    gpus = Gpus(monkeypatch, 1, (T4,))
    with pytest.raises(InputError, match=r"training\.precision"):
        train(base, small_questions, tmp_path, precision="bf16")
    assert gpus.loaded == []
    assert not (tmp_path / "epoch-1").exists()
