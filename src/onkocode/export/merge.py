"""Merging an adapter into the original weights of its base, and how far the result is from base and adapter."""

import gc
import shutil
import warnings
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from transformers import AutoModelForCausalLM

from onkocode.models.base_check import check_files
from onkocode.models.loading import DTYPES, load_adapter, load_base
from onkocode.models.locate import TOKENIZER_FILES, weight_files
from onkocode.models.model_files import read_object
from onkocode.models.prompts import encode_prompts, prompt_format
from onkocode.models.tokenizing import load_tokenizer
from onkocode.questions.formulations import PLACE, load_formulations
from onkocode.records.errors import InputError
from onkocode.tasks import PROTOCOL, TASKS

# In words of the project's own; asked to compare models, not to score them.
TEXTS = ("Bösartiger Tumor der linken Niere", "Adenokarzinom im Sigma", "Gutartiges Muttermal am Rücken")
BLOCKS = tuple(TASKS[key].block for key in PROTOCOL)
# Largest difference in norm that is rounding: bfloat16 has eight bits of mantissa, and every layer rounds.
ROUNDING = {"fp32": 1e-3, "bf16": 0.1}
SHARD = "5GB"


@dataclass(frozen=True)
class Difference:
    """How far the logits of two models are apart, over all tokens of some prompts."""

    prompts: int
    positions: int
    largest: float  # of the absolute differences
    relative: float  # norm of the difference by the norm of the first
    same_token: int  # positions with the same likeliest token


def merge_adapter(
    base: Path, adapter: Path, output: Path, quantisation: str = "none", system_prompt: str | None = None
) -> dict[str, Any]:
    """Merge an adapter into its base on the CPU and save a whole model into an existing directory.

    The base is loaded as it was published: bfloat16, or float32 where any of its weights is finer than that.

    Args:
        base: directory of the base model.
        adapter: directory of the adapter.
        output: directory for the model, its tokenizer and chat template.
        quantisation: of the base while the adapter was trained; where it is not none, the merged model is compared with
            that base as well.
        system_prompt: of the prompts that are compared.

    Returns:
        Facts for provenance and card: precision, whether tied embeddings were untied, and differences.

    Raises:
        InputError: a base that is quantised on disk, weights that are not finite, or an adapter that cannot be merged.
    """
    precision = stored_precision(base)
    prompts = _prompts(base, system_prompt)
    model = load_adapter(_load(base, precision), adapter).eval()
    before = _logits(model, prompts)
    tied = bool(model.config.tie_word_embeddings)
    _untie(model)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that the embeddings are no longer tied
            merged = model.merge_and_unload(safe_merge=True)
    except ValueError as error:
        raise InputError(f"{adapter}: cannot be merged ({error}); evaluate it unmerged") from None
    untied = tied and not _tie_again(merged)
    after = _logits(merged, prompts)
    difference = compare_logits(before, after)
    if not difference.relative <= ROUNDING[precision]:
        raise InputError(
            f"{adapter}: the merged model does not answer like base and adapter (its logits differ by "
            f"{difference.relative:.2g} of their norm); nothing was written, use the adapter unmerged"
        )
    _save(merged, base, output)
    facts = {"precision": precision, "untied": untied, "difference": asdict(difference), "quantised": None}
    del model, merged
    gc.collect()
    if quantisation != "none":
        quantised = load_adapter(load_base(base, quantisation, precision), adapter).eval()
        facts["quantised"] = asdict(compare_logits(_logits(quantised, prompts), after)) | {"quantisation": quantisation}
    return facts


def stored_precision(base: Path) -> str:
    """Return the precision that loses nothing of a model's weights: bf16 or fp32.

    Raises:
        InputError: the weights are quantised.
    """
    check_files(base)
    config = read_object(base / "config.json")
    found: set[str] = set()
    for file in weight_files(base):
        with safe_open(str(file), framework="numpy") as tensors:
            found |= {tensors.get_slice(name).get_dtype() for name in tensors.keys()}  # noqa: SIM118
    if "quantization_config" in config or not found <= {"F32", "F16", "BF16"}:
        raise InputError(
            f"{base}: its weights are quantised ({', '.join(sorted(found))}); merging needs the original weights, "
            "prepare-model with the model that was not quantised"
        )
    return "bf16" if found == {"BF16"} else "fp32"


def compare_logits(one: Sequence[torch.Tensor], other: Sequence[torch.Tensor]) -> Difference:
    """Compare logits, a tensor (tokens × vocabulary) per prompt."""
    first, second = torch.cat(list(one)), torch.cat(list(other))
    apart = first - second
    return Difference(
        prompts=len(one),
        positions=first.shape[0],
        largest=float(apart.abs().max()),
        relative=float(apart.norm() / first.norm()),
        same_token=int((first.argmax(-1) == second.argmax(-1)).sum()),
    )


def _prompts(base: Path, system_prompt: str | None) -> list[list[int]]:
    tokenizer = load_tokenizer(base)
    blocks = load_formulations("v1")
    questions = [next(iter(blocks[name].templates.values())).replace(PLACE, text) for name in BLOCKS for text in TEXTS]
    return encode_prompts(tokenizer, prompt_format(tokenizer, system_prompt), questions)


def _load(base: Path, precision: str) -> Any:
    """Load the base whole into main memory; with a device map, PEFT would spread it over GPUs."""
    return AutoModelForCausalLM.from_pretrained(
        base, dtype=DTYPES[precision], use_safetensors=True, trust_remote_code=False
    )


@torch.inference_mode()  # type: ignore[untyped-decorator]
def _logits(model: Any, prompts: Sequence[list[int]]) -> list[torch.Tensor]:
    return [model(torch.tensor([ids], device=model.device)).logits[0].float().cpu() for ids in prompts]


def _untie(model: Any) -> None:
    """Give the output layer parameters of its own; else a change that is merged into one embedding is in both."""
    whole = model.get_base_model()
    head, embedding = whole.get_output_embeddings(), whole.get_input_embeddings()
    shared = {id(parameter) for parameter in embedding.parameters()}
    for module in head.modules():
        for name, parameter in module.named_parameters(recurse=False):
            if id(parameter) in shared:
                setattr(module, name, torch.nn.Parameter(parameter.detach().clone(), requires_grad=False))


def _tie_again(model: Any) -> bool:
    """Tie both embeddings where they are still equal; tells whether they are."""
    head, embedding = model.get_output_embeddings(), model.get_input_embeddings()
    equal = bool(torch.equal(head.weight, embedding.weight))
    if equal:
        head.weight = embedding.weight
    model.config.tie_word_embeddings = equal
    return equal


def _save(model: Any, base: Path, output: Path) -> None:
    """Save weights and configuration; what does not change is copied from the base as it is."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        kept = model.generation_config
        model.generation_config = type(kept)()  # checked on saving more strictly than some published ones stand it
        model.save_pretrained(output, max_shard_size=SHARD)
        model.generation_config = kept
    for pattern in ("generation_config.json", *TOKENIZER_FILES):
        for file in sorted(base.glob(pattern)):
            if file.is_file():
                shutil.copyfile(file, output / file.name)
