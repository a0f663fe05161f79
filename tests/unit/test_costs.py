"""Parameters, operations and memory of LoRA training: against numbers by hand, PEFT, and real training steps."""

import math
import random
import weakref
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from peft.utils.constants import TRANSFORMERS_MODELS_TO_LORA_TARGET_MODULES_MAPPING as PEFT_DEFAULTS
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from transformers import LlamaConfig, MistralConfig, MixtralConfig, Qwen2Config, Qwen3Config
from transformers.models.auto.modeling_auto import AutoModelForCausalLM
from trl.trainer.utils import add_fused_lm_head, get_peak_flops

from onkocode.config.training import Training
from onkocode.models import costs
from onkocode.models.architectures import Architecture, Matrix, architecture_from, known, known_architecture
from onkocode.models.gpus import GPUS, find_gpu, named_gpu, peak_flops
from onkocode.models.loading import load_base
from onkocode.paper import ReportedModel, paper
from onkocode.planning import memory
from onkocode.planning.calibration import geometric_mean, leave_one_out, paper_checks, paper_rates
from onkocode.planning.lengths import counted_lengths, table_lengths
from onkocode.records.errors import InputError
from onkocode.training import order
from onkocode.training.trainer import add_lora, keep_float32

CONFIGS = {
    "qwen2": Qwen2Config,
    "qwen3": Qwen3Config,
    "llama": LlamaConfig,
    "mistral": MistralConfig,
    "mixtral": MixtralConfig,
}
ATTENTION = ["q_proj", "v_proj"]
# LoRA of rank 8 on q_proj and v_proj by hand: layers · 8 · (hidden + queries + hidden + values).
ADAPTED = {
    "Qwen/Qwen2.5-7B-Instruct-1M": 28 * 8 * (3584 + 3584 + 3584 + 512),
    "meta-llama/Llama-3.1-8B-Instruct": 32 * 8 * (4096 + 4096 + 4096 + 1024),
    "Qwen/Qwen3-8B": 36 * 8 * (4096 + 4096 + 4096 + 1024),
    "mistralai/Mistral-Nemo-Instruct-2407": 40 * 8 * (5120 + 4096 + 5120 + 1024),
    "Qwen/Qwen3-14B": 40 * 8 * (5120 + 5120 + 5120 + 1024),
    "Qwen/Qwen3-32B": 64 * 8 * (5120 + 8192 + 5120 + 1024),
    "mistralai/Mixtral-8x7B-Instruct-v0.1": 32 * 8 * (4096 + 4096 + 4096 + 1024),
    "meta-llama/Llama-3.3-70B-Instruct": 80 * 8 * (8192 + 8192 + 8192 + 1024),
}


def config_of(architecture: str, **changes: Any) -> Any:
    values: dict[str, Any] = {
        "vocab_size": 64,
        "hidden_size": 32,
        "intermediate_size": 80,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "tie_word_embeddings": False,
    }
    if architecture == "mixtral":
        values |= {"num_local_experts": 4, "num_experts_per_tok": 2}
    if architecture in ("qwen3", "mistral"):
        values["head_dim"] = 12  # queries that are wider than the model, as in Qwen3-32B, or narrower, as in NeMo
    return CONFIGS[architecture](**(values | changes))


def model_of(config: Any, dtype: torch.dtype = torch.float32) -> Any:
    torch.manual_seed(0)
    return AutoModelForCausalLM.from_config(config, dtype=dtype)


def shape_of(config: Any) -> Architecture:
    return architecture_from(config.to_dict(), "test")


def settings(**values: Any) -> Training:
    return Training.model_validate({"lora_dropout": 0.0, **values})


def trainable(model: Any) -> int:
    return sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)


# -- parameters -----------------------------------------------------------------------------------------------------


def test_the_table_holds_the_models_of_the_paper() -> None:
    assert list(known()["models"]) == list(ADAPTED) == [run.hub for run in paper().models.rows]


@pytest.mark.parametrize("model", paper().models.rows, ids=lambda model: model.label)
def test_parameters_of_the_papers_models(model: ReportedModel) -> None:
    architecture = known_architecture(model.hub)
    assert architecture is not None
    assert architecture.parameters / 1e9 == pytest.approx(model.parameters, rel=0.01)
    assert 8 * costs.lora_unit(architecture.matrices(), ATTENTION) == ADAPTED[model.hub]


def test_parameters_of_one_model_by_hand() -> None:
    architecture = known_architecture("mistralai/Mixtral-8x7B-Instruct-v0.1")
    assert architecture is not None
    layer = 2 * 4096 * (4096 + 1024) + 8 * 3 * 4096 * 14336 + 4096 * 8 + 2 * 4096
    assert architecture.parameters == 2 * 32000 * 4096 + 32 * layer + 4096
    assert architecture.active == 32 * (2 * 4096 * (4096 + 1024) + 2 * 3 * 4096 * 14336 + 4096 * 8)


def test_all_linear_on_qwen_by_hand() -> None:
    architecture = known_architecture("Qwen/Qwen2.5-7B-Instruct-1M")
    assert architecture is not None
    attention = (3584 + 3584) + 2 * (3584 + 512) + (3584 + 3584)
    assert 16 * costs.lora_unit(architecture.matrices(), "all-linear") == 28 * 16 * (attention + 3 * (3584 + 18944))


@pytest.mark.parametrize("tied", [False, True])
@pytest.mark.parametrize("architecture", CONFIGS)
def test_all_parameters_are_counted(architecture: str, tied: bool) -> None:
    config = config_of(architecture, tie_word_embeddings=tied)
    assert shape_of(config).parameters == model_of(config).num_parameters()


@pytest.mark.parametrize("architecture", ["llama", "qwen3"])
def test_biases_are_counted(architecture: str) -> None:
    config = config_of(architecture, attention_bias=True)
    assert shape_of(config).parameters == model_of(config).num_parameters()


@pytest.mark.parametrize(
    ("architecture", "targets"),
    [
        *[(name, ATTENTION) for name in CONFIGS],
        *[(name, "all-linear") for name in CONFIGS],
        *[(name, None) for name in CONFIGS if name != "mixtral"],
        ("llama", ["down_proj", "lm_head", "embed_tokens"]),
        ("llama", ["model.layers.1.self_attn.o_proj"]),
        ("mixtral", ["w1", "w2", "w3"]),
        ("mixtral", ["w2", "o_proj"]),
        ("mixtral", ["gate", "k_proj"]),
    ],
)
def test_trainable_parameters_are_those_of_peft(architecture: str, targets: Any) -> None:
    config = config_of(architecture)
    model = model_of(config)
    chosen = targets or costs.default_targets(architecture)
    expected = [
        4 * costs.lora_unit(shapes, chosen) for shapes in (shape_of(config).matrices(), costs.model_shapes(model))
    ]
    found = trainable(add_lora(model, settings(target_modules=targets, lora_rank=4)))
    assert expected == [found, found]


@pytest.mark.parametrize("quantisation", ["8bit", "4bit"])
def test_quantised_layers_keep_their_shapes(quantisation: str, tmp_path: Path) -> None:
    config = config_of("llama", hidden_size=64, num_attention_heads=4)
    model_of(config, torch.bfloat16).save_pretrained(tmp_path)
    model = load_base(tmp_path, quantisation, "bf16")
    expected = 4 * costs.lora_unit(costs.model_shapes(model), "all-linear")
    chosen = settings(target_modules="all-linear", lora_rank=4, quantisation=quantisation)
    assert (
        trainable(add_lora(model, chosen)) == expected == 4 * costs.lora_unit(shape_of(config).matrices(), "all-linear")
    )


def test_defaults_are_those_of_peft() -> None:
    assert {name: list(value) for name, value in costs.DEFAULT_TARGETS.items()} == {
        name: PEFT_DEFAULTS[name] for name in costs.DEFAULT_TARGETS
    }
    assert costs.default_targets("phi") == PEFT_DEFAULTS["phi"]


def test_no_default_for_mixtral_here_or_in_peft() -> None:
    with pytest.raises(InputError, match="q_proj, v_proj"):
        costs.default_targets("mixtral")
    with pytest.raises(ValueError, match="target_modules"):
        add_lora(model_of(config_of("mixtral")), settings())


@pytest.mark.parametrize("targets", ["all-linear", ["gate", "q_proj"], ["w1", "w3"], ["w1"]])
def test_experts_are_refused_where_peft_refuses_them(targets: Any) -> None:
    config = config_of("mixtral")
    dropout = 0.0 if targets == ["w1"] else 0.1
    with pytest.raises(InputError, match="target_modules"):
        costs.check_experts(costs.target_names(shape_of(config).matrices(), targets), dropout)
    with pytest.raises(ValueError, match=r"dropout|fused"):
        add_lora(model_of(config), settings(target_modules=targets, lora_dropout=dropout))


@pytest.mark.parametrize("target", ["qkv", "proj", "q_proj.weight"])
def test_unknown_targets(target: str) -> None:
    with pytest.raises(InputError, match=target):
        costs.target_names(shape_of(config_of("llama")).matrices(), [target])
    with pytest.raises(ValueError, match="not found"):
        add_lora(model_of(config_of("llama")), settings(target_modules=[target]))


def test_config_that_cannot_be_counted() -> None:
    with pytest.raises(InputError, match="gemma"):
        architecture_from({"model_type": "gemma"}, "here")
    with pytest.raises(InputError, match="hidden_size"):
        architecture_from({"model_type": "llama", "num_attention_heads": 2}, "here")


# -- rank by parameters ---------------------------------------------------------------------------------------------

MATRICES = st.dictionaries(
    st.sampled_from(["a", "b", "c"]), st.tuples(*[st.integers(1, 99)] * 2).map(lambda pair: Matrix(*pair)), min_size=1
)


@given(MATRICES, st.integers(1, 10**6))
def test_no_rank_comes_closer(shapes: Mapping[str, Matrix], wanted: int) -> None:
    rank, unit = costs.lora_rank_for(wanted, shapes, "all-linear"), costs.lora_unit(shapes, "all-linear")
    assert rank >= 1
    assert all(abs(rank * unit - wanted) <= abs(other * unit - wanted) for other in (rank - 1, rank + 1) if other)


def test_rank_for_equal_parameters_across_models() -> None:
    ranks = {}
    for hub in ADAPTED:
        architecture = known_architecture(hub)
        assert architecture is not None
        ranks[hub] = costs.lora_rank_for(16_384_000, architecture.matrices(), ATTENTION)
    assert list(ranks.values()) == [52, 38, 34, 27, 25, 13, 38, 8]  # 16,384,000 is rank 8 of the largest


@pytest.mark.parametrize("architecture", ["llama", "mixtral"])
def test_wanted_parameters_reach_the_adapter(architecture: str) -> None:
    model = model_of(config_of(architecture))
    chosen = settings(target_modules=ATTENTION, lora_rank=8, lora_alpha=12, lora_parameters=3000)
    adapted = add_lora(model, chosen)
    config = adapted.peft_config["default"]
    # Rank 1 has 2 · (32 + 32 + 32 + 16) = 224 parameters; 3,000 / 224 = 13.4, and alpha stays 1.5 times the rank.
    assert (config.r, config.lora_alpha, trainable(adapted)) == (13, 19.5, 13 * 224)


def test_without_wanted_parameters_the_rank_stays() -> None:
    adapted = add_lora(model_of(config_of("llama")), settings(lora_rank=8, lora_alpha=12))
    assert (adapted.peft_config["default"].r, adapted.peft_config["default"].lora_alpha) == (8, 12)


def test_alpha_stays_a_whole_number_where_it_can() -> None:
    shapes = shape_of(config_of("llama")).matrices()
    found = costs.rank_and_alpha(settings(lora_parameters=3000, lora_rank=8, lora_alpha=16), "llama", shapes)
    assert found == (13, 26)
    assert isinstance(found[1], int)


# -- operations -----------------------------------------------------------------------------------------------------


def test_operations_by_hand() -> None:
    architecture = shape_of(config_of("llama"))
    active = 2 * (2 * 32 * 32 + 2 * 32 * 16 + 3 * 32 * 80)
    head = 64 * 32
    assert costs.flop_per_token(architecture, 100) == 4 * active + 600 + 4 * head
    assert costs.flop_per_token(architecture, 100, recomputed=True) == 6 * active + 800 + 4 * head
    assert costs.flop_per_token(architecture, 100, labelled=0.5, tiled_head=True) == 4 * active + 600 + 3 * head


def test_throughput_by_hand() -> None:
    assert costs.throughput(6000, 100, 20.0, 2e9, 1e13) == {
        "tokens_per_second": 300.0,
        "examples_per_second": 5.0,
        "model_flop_utilisation": 0.06,
    }
    assert costs.throughput(6000, 100, 20.0, 2e9, None)["model_flop_utilisation"] is None
    assert set(costs.throughput(6000, 100, 0.0, 2e9, 1e13).values()) == {None}


@pytest.mark.parametrize(
    ("name", "gpu"),
    [
        ("NVIDIA A40", "A40"),
        ("a40", "A40"),
        ("NVIDIA A100-SXM4-80GB", "A100-80"),
        ("NVIDIA A100 80GB PCIe", "A100-80"),
        ("NVIDIA A100-PCIE-40GB", "A100-40"),
        ("a100_80gb", "A100-80"),
        ("NVIDIA H100 80GB HBM3", "H100-80"),
        ("NVIDIA H100 PCIe", "H100-80 PCIe"),
        ("NVIDIA H200", "H200"),
        ("NVIDIA L40S", "L40S"),
        ("NVIDIA L4", "L4"),
        ("NVIDIA GeForce RTX 4090", "RTX 4090"),
        ("rtx4090", "RTX 4090"),
        ("NVIDIA RTX A6000", "RTX A6000"),
        ("NVIDIA RTX 6000 Ada Generation", "RTX 6000 Ada"),
        ("Tesla V100-SXM2-32GB", "V100-32"),
        ("Tesla T4", "T4"),
        ("NVIDIA A400", None),
        ("nvidia_a100_1g.10gb", None),
        ("a100_3g.20gb", None),
        ("NVIDIA A100-SXM4-40GB MIG 1g.5gb", None),
        ("nvidia_h100_80gb_hbm3_1g.10gb+me", None),
        ("1g.10gb", None),
        ("NVIDIA A10G", None),
        ("gpu", None),
    ],
)
def test_names_of_gpus(name: str, gpu: str | None) -> None:
    found = find_gpu(name)
    assert (None if found is None else found.name) == gpu


@pytest.mark.parametrize("gpu", GPUS, ids=lambda gpu: gpu.name)
def test_a_gpu_is_found_by_its_own_name(gpu: Any) -> None:
    assert find_gpu(gpu.name) is gpu


@pytest.mark.parametrize(
    "name",
    ["NVIDIA H100 80GB HBM3", "NVIDIA H100 PCIe", "NVIDIA H200", "NVIDIA A100-SXM4-80GB", "NVIDIA L40S", "NVIDIA L4"],
)
def test_peaks_agree_with_those_of_trl(name: str) -> None:
    assert peak_flops(name) == pytest.approx(get_peak_flops(name, "bfloat16"), rel=0.002)


def test_peaks() -> None:
    assert peak_flops("NVIDIA A40") == 149.7e12
    assert peak_flops("NVIDIA A40", "fp32") == 37.4e12
    assert peak_flops("Tesla T4") is None
    assert peak_flops("AMD EPYC") is None
    with pytest.raises(InputError, match="A40"):
        named_gpu("B52")
    with pytest.raises(InputError, match=r"'a100_3g\.20gb' is a MIG slice"):
        named_gpu("a100_3g.20gb")
    assert peak_flops("NVIDIA A100-SXM4-40GB MIG 1g.5gb") is None


# -- lengths and speed ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("grouped", [False, True])
@pytest.mark.parametrize("batch", [2, 6, 32])
def test_padding_is_that_of_the_trainers_order(batch: int, grouped: bool) -> None:
    draw = random.Random(1)  # noqa: S311
    lengths = [30 + int(draw.gammavariate(4, 6)) for _ in range(9600)]
    ids = [str(number) for number in range(len(lengths))]
    indexes = order.epoch_order(ids, lengths, 0, 0, batch, grouped)
    batches = [[lengths[i] for i in indexes[start : start + batch]] for start in range(0, len(indexes), batch)]
    real = sum(max(rows) * len(rows) for rows in batches) / len(lengths)
    found = counted_lengths(lengths, [1], max(lengths), "test").padded(batch, order.GROUP_BATCHES if grouped else None)
    assert found == pytest.approx(real, rel=0.01)


def test_a_system_prompt_lengthens_the_questions() -> None:
    plain, longer = table_lengths("qwen3", None), table_lengths("qwen3", "x" * 350)
    assert longer.mean - plain.mean == 105  # 350 / 3.5 characters and the turn around them
    assert longer.padded(6) - plain.padded(6) == pytest.approx(105)
    assert table_lengths("qwen2.5", "").mean < table_lengths("qwen2.5", None).mean  # takes the place of the template's


@pytest.mark.parametrize("tokenizer", known()["tokens"])
def test_the_spread_of_the_table_has_its_mean(tokenizer: str) -> None:
    lengths = table_lengths(tokenizer, None)
    assert sum(lengths.spread) / len(lengths.spread) == pytest.approx(lengths.mean, rel=0.002)
    assert list(lengths.spread) == sorted(lengths.spread)
    assert lengths.spread[-1] < lengths.longest


def test_leave_one_out_by_hand() -> None:
    assert geometric_mean([1, 4]) == pytest.approx(2)
    assert leave_one_out({"a": 1.0, "b": 2.0, "c": 8.0}) == pytest.approx({"a": 4.0, "b": 8**0.5, "c": 2**0.5})
    assert leave_one_out({"a": 1.0}) == {}


def test_the_papers_hours_are_predicted_without_themselves() -> None:
    rates = paper_rates()
    for check in paper_checks():
        others = [rate for label, rate in rates.items() if label != check.name]
        logs = sum(math.log(rate) for rate in others) / len(others)
        assert check.predicted == pytest.approx(check.measured * rates[check.name] / math.exp(logs))


def test_the_error_of_the_papers_hours() -> None:
    """What was measured; the documentation and the plan quote it."""
    ratios = {check.name: round(check.ratio, 2) for check in paper_checks()}
    assert ratios == {
        "Qwen2.5-7B": 0.89,
        "Llama 3.1 8B": 1.09,
        "Qwen3-8B": 0.66,
        "Mistral NeMo": 0.74,
        "Qwen3-14B": 1.55,
        "Qwen3-32B": 1.96,
        "Mixtral 8x7B": 0.35,
        "Llama 3.3 70B": 2.0,
    }


# -- memory ---------------------------------------------------------------------------------------------------------


class Living(TorchDispatchMode):  # type: ignore[misc]
    """Counts the bytes of tensors that are made while it is on; the most that live at once are the peak."""

    def __init__(self, there: set[int]) -> None:
        super().__init__()
        self.now, self.peak, self.sizes, self.there = 0, 0, dict[int, int](), there

    def __torch_dispatch__(self, operation: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = operation(*args, **(kwargs or {}))
        for tensor in tree_leaves(result):
            if isinstance(tensor, torch.Tensor):
                self.add(tensor.untyped_storage())
        return result

    def add(self, storage: Any) -> None:
        key = storage._cdata
        if key in self.sizes or key in self.there:
            return
        self.sizes[key] = storage.nbytes()
        self.now += storage.nbytes()
        self.peak = max(self.peak, self.now)
        weakref.finalize(storage, self.remove, key)

    def remove(self, key: int) -> None:
        self.now -= self.sizes.pop(key, 0)


def quantised_tensors(model: Any) -> list[torch.Tensor]:
    """Scales of quantised weights."""
    found = [getattr(getattr(module, "weight", None), "quant_state", None) for module in model.modules()]
    states = [state for state in found if state is not None]
    for module in model.modules():
        states += [chain[0].quant_state for chain in getattr(module, "parametrizations", {}).values()]
    tensors = [tensor for state in states for tensor in (state.absmax, state.code, state.offset)]
    return tensors + [tensor for state in states for tensor in (state.state2.absmax, state.state2.code)]


def measure_step(model: Any, chosen: Training, tokens: tuple[int, int]) -> tuple[int, int]:
    """Return bytes that lie there before a training step as trl takes it, and the peak of those that come on top."""
    add_fused_lm_head(model.get_base_model())
    model.train()
    if chosen.activation_checkpointing:
        model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
    optimizer = torch.optim.AdamW([parameter for parameter in model.parameters() if parameter.requires_grad])
    ids = torch.randint(0, 64, tokens)
    mask = torch.ones_like(ids)
    mask[0, -9:] = 0  # without padding, attention takes another path

    def step() -> None:
        with torch.autocast("cpu", dtype=torch.bfloat16):
            out = model(input_ids=ids, attention_mask=mask, labels=ids, fused_lm_head=True)
        (-out.log_probs.mean()).backward()
        optimizer.step()

    step()
    optimizer.zero_grad()
    moments = [value for state in optimizer.state.values() for value in state.values()]
    kept = [*model.parameters(), *moments, *quantised_tensors(model)]
    there = {tensor.untyped_storage()._cdata: tensor.untyped_storage().nbytes() for tensor in [*kept, *model.buffers()]}
    with Living(set(there)) as living:
        step()
    return sum(there.values()), living.peak


@pytest.mark.parametrize(
    ("architecture", "values"),
    [
        ("llama", {}),
        ("qwen3", {"target_modules": "all-linear"}),
        ("qwen2", {"activation_checkpointing": True}),
        ("mistral", {"quantisation": "4bit"}),
        ("llama", {"quantisation": "4bit", "activation_checkpointing": True}),
        ("mixtral", {"quantisation": "4bit"}),
    ],
    ids=lambda value: value if isinstance(value, str) else "-".join(map(str, value.values())) or "plain",
)
def test_memory_is_that_of_a_training_step(architecture: str, values: dict[str, Any], tmp_path: Path) -> None:
    heads = {"num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 64}
    config = config_of(architecture, hidden_size=256, intermediate_size=704, num_hidden_layers=6, **heads)
    model_of(config, torch.bfloat16).save_pretrained(tmp_path)
    chosen = settings(**{"target_modules": ATTENTION} | values)
    model = add_lora(load_base(tmp_path, chosen.quantisation, "bf16"), chosen)
    keep_float32(model)
    there, peak = measure_step(model, chosen, (6, 64))
    shapes = shape_of(config).matrices()
    names = costs.target_names(shapes, chosen.target_modules or [])
    found = memory.training_memory(
        shape_of(config), chosen, 8, {name: shapes[name] for name in names}, memory.Batch(6 * 64, 6 * 64), 0
    )
    assert found.context == 0
    # The tables of 4-bit values, a kilobyte per matrix, are not counted.
    assert found.weights + found.adapters + found.optimizer == pytest.approx(there, rel=0.02)
    on_top = found.gradients + found.activations + found.experts + found.moment
    assert on_top == pytest.approx(peak, rel=0.06)


def test_weights_by_hand() -> None:
    architecture = known_architecture("meta-llama/Llama-3.3-70B-Instruct")
    assert architecture is not None
    linear = 80 * (2 * 8192 * (8192 + 1024) + 3 * 8192 * 28672)
    rest = 2 * 128256 * 8192 + (2 * 80 + 1) * 8192
    assert architecture.parameters == linear + rest
    assert memory.weight_bytes(architecture, "none", "bf16") == 2 * (linear + rest)
    nf4 = linear / 2 + linear / 64 + 4 * linear / (64 * 256)  # four bits, a byte per block, a float per 256 of these
    assert memory.weight_bytes(architecture, "4bit", "bf16") == pytest.approx(nf4 + 4 * rest)
    rows = 80 * (8192 + 2 * 1024 + 8192 + 2 * 28672 + 8192)
    assert memory.weight_bytes(architecture, "8bit", "bf16") == linear + 4 * rows + 4 * rest


def test_experts_in_eight_bits_stay_whole() -> None:
    architecture = known_architecture("mistralai/Mixtral-8x7B-Instruct-v0.1")
    assert architecture is not None
    experts = 32 * 8 * 3 * 4096 * 14336
    assert memory.weight_bytes(architecture, "8bit", "bf16") > 4 * experts
    assert (
        memory.loading_bytes(architecture, "4bit", "bf16")
        > 2 * experts
        > memory.weight_bytes(architecture, "4bit", "bf16")
    )


def test_splitting_a_model_and_copying_it() -> None:
    architecture = known_architecture("Qwen/Qwen3-32B")
    assert architecture is not None
    shapes = architecture.matrices()
    targets = {name: shapes[name] for name in costs.target_names(shapes, ATTENTION)}
    batch = memory.Batch(600, 600)

    def total(gpus: int, processes: int = 1) -> float:
        return memory.training_memory(architecture, settings(processes=processes), 8, targets, batch, gpus).total

    assert total(2) < 0.6 * total(1)
    assert total(2) > total(1) / 2  # a layer stays whole, and each GPU has its context
    assert total(2, processes=2) > total(1)  # everything twice, and DDP's copy of the gradients


def test_disk_by_hand() -> None:
    found = memory.disk_bytes(1e9, 1000, 5)
    assert found["base"] == 1e9
    assert found["epochs"] == 5 * 1000 * 12
    assert found["scratch"] == 4 * (12_000 + memory.TOKENIZER)
