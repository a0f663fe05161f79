"""Tiny models of the architectures of the study, built and briefly pre-trained here.

They prove that the whole line works where there is no GPU and no model hub, and give LoRA something to adapt. They
are no models for coding.
"""

from importlib import resources
from pathlib import Path
from typing import Any

import torch
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from tqdm import tqdm
from transformers import (
    LlamaConfig,
    MistralConfig,
    MixtralConfig,
    PreTrainedTokenizerFast,
    Qwen2Config,
    Qwen3Config,
)
from transformers.models.auto.modeling_auto import AutoModelForCausalLM

from onkocode.config.schema import TinyModel
from onkocode.models.corpus import Document
from onkocode.models.cpu_memory import keep_freed_memory
from onkocode.models.prompts import encode_examples, prompt_format
from onkocode.models.tiny_shape import VOCABULARY, sizes

POSITIONS = 1024
CONFIGS = {
    "qwen2": Qwen2Config,
    "qwen3": Qwen3Config,
    "llama": LlamaConfig,
    "mistral": MistralConfig,
    "mixtral": MixtralConfig,
}
# Special tokens, end of turn, begin of text and template per architecture, named as in the published families.
CHAT: dict[str, tuple[list[str], str, str | None, str]] = {
    "qwen2": (["<|endoftext|>", "<|im_start|>", "<|im_end|>"], "<|im_end|>", None, "chatml"),
    "qwen3": (["<|endoftext|>", "<|im_start|>", "<|im_end|>"], "<|im_end|>", None, "chatml_thinking"),
    "llama": (
        ["<|begin_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>", "<|finetune_right_pad_id|>"],
        "<|eot_id|>",
        "<|begin_of_text|>",
        "llama",
    ),
    "mistral": (["<s>", "</s>", "[INST]", "[/INST]", "<pad>"], "</s>", "<s>", "mistral"),
    "mixtral": (["<s>", "</s>", "[INST]", "[/INST]", "<pad>"], "</s>", "<s>", "mistral"),
}
PAD = {"qwen2": "<|endoftext|>", "qwen3": "<|endoftext|>", "llama": "<|finetune_right_pad_id|>"}
THINK = ["<think>", "</think>"]


def build_tokenizer(architecture: str, texts: list[str], vocabulary: int = VOCABULARY) -> PreTrainedTokenizerFast:
    """Train a byte-level BPE tokenizer with single digits and the architecture's chat template."""
    special, eos, bos, template = CHAT[architecture]
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(r"\d|[./:-]|\n| ?\p{L}+| ?[^\s\p{L}\p{N}./:-]+"), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=special,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    if architecture == "qwen3":
        tokenizer.add_tokens(THINK)  # not special: a decoded answer shows its think block
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, eos_token=eos, bos_token=bos, pad_token=PAD.get(architecture, "<pad>")
    )
    folder = resources.files("onkocode.models").joinpath("templates")
    fast.chat_template = folder.joinpath(f"{template}.jinja").read_text(encoding="utf-8")
    return fast


def build_model(shape: TinyModel, tokenizer: PreTrainedTokenizerFast) -> Any:
    """Return a randomly initialised model of the given shape in float32."""
    config = CONFIGS[shape.architecture](
        **sizes(shape, len(tokenizer)),
        max_position_embeddings=POSITIONS,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        initializer_range=0.05,
    )
    torch.manual_seed(shape.seed)
    return AutoModelForCausalLM.from_config(config, dtype=torch.float32)


def pretrain(model: Any, tokenizer: PreTrainedTokenizerFast, corpus: list[Document], shape: TinyModel) -> list[float]:
    """Pre-train in place on the whole documents, batch after batch in the corpus' order; returns the loss per step."""
    examples = encode_corpus(tokenizer, corpus)
    optimizer = torch.optim.AdamW(model.parameters(), lr=shape.learning_rate, weight_decay=0.01)
    total = 11 if shape.steps == 10 else max(2, shape.steps)  # of 10 steps, torch would divide by a warm-up of 0
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, shape.learning_rate, total_steps=total, pct_start=0.1)
    keep_freed_memory()
    model.train()
    losses = []
    for step in tqdm(range(shape.steps), desc="pre-training", mininterval=2):
        batch = [examples[(step * shape.batch_size + row) % len(examples)] for row in range(shape.batch_size)]
        loss = model(**_pad(batch, tokenizer.pad_token_id)).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()
        losses.append(float(loss.detach()))
    return losses


def encode_corpus(tokenizer: PreTrainedTokenizerFast, corpus: list[Document]) -> list[list[int]]:
    """Return documents as token ids in the model's own chat format; thoughts stand in the think block."""
    plain, thinking = prompt_format(tokenizer), prompt_format(tokenizer, thinking=True)
    encoded: list[list[int]] = []
    for question, answer, thought in corpus:
        form = plain if thought is None else thinking
        said = answer if thought is None else f"<think>\n{thought}\n</think>\n\n{answer}"
        encoded += [
            example["input_ids"] for example in encode_examples(tokenizer, form, [question], [said], "full", POSITIONS)
        ]
    return encoded


def save(model: Any, tokenizer: PreTrainedTokenizerFast, directory: Path) -> None:
    """Write model and tokenizer as `from_pretrained` reads them."""
    model.save_pretrained(directory)
    tokenizer.save_pretrained(directory)


def _pad(batch: list[list[int]], pad: int) -> dict[str, torch.Tensor]:
    width = max(map(len, batch))
    ids = torch.tensor([row + [pad] * (width - len(row)) for row in batch])
    mask = torch.tensor([[1] * len(row) + [0] * (width - len(row)) for row in batch])
    return {"input_ids": ids, "attention_mask": mask, "labels": ids.masked_fill(mask == 0, -100)}
