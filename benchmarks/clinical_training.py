"""Does clinical language teach? One small model, equal steps: catalogue labels alone, or with composed clinical texts.

    python benchmarks/clinical_training.py --model DIR --arm catalogue --labels LABELS --clinical CLINICAL --texts TEXTS
        --output DIR
    python benchmarks/clinical_training.py --model DIR --arm mixed ...

LABELS and CLINICAL are tables of questions (build-questions); of the task icd10, the split train is learned, the
split heldout_label of LABELS is asked. TEXTS are files with the columns text and icd10, which no arm has seen. A
plain loop with LoRA on all linear layers, one short formulation, batches of one length, a rate that falls to zero; it
saves as it goes and goes on from there when it is started again. `answers.csv` in DIR holds, for each point of the
learning curve, which questions were answered right; points that hold no answer to a text yet are asked it when the arm
is started again, with more TEXTS. `compare` prints paired differences of two of them.
"""

import argparse
import csv
import hashlib
import json
import math
import random
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import polars as pl
import torch

FORMULATION = "Diagnose: {text}\nICD-10:"
LENGTH_WINDOW = 64  # batches that are sorted by length together
ASKED = 200  # held-out labels
NEW_TOKENS = 8
RESAMPLES = 1_000


def main() -> None:
    """Train and ask an arm, or compare two."""
    if sys.argv[1:2] == ["compare"]:
        compare(Path(sys.argv[2]), Path(sys.argv[3]))
        return
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--arm", choices=("catalogue", "mixed"), required=True)
    parser.add_argument("--labels", type=Path, required=True)
    parser.add_argument("--clinical", type=Path, required=True)
    parser.add_argument("--texts", type=Path, nargs="+", required=True)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--examples", type=int, default=40_000)
    parser.add_argument("--every", type=int, default=10_000)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--rate", type=float, default=1e-3)
    parser.add_argument("--threads", type=int, default=1)
    run(parser.parse_args())


def run(options: argparse.Namespace) -> None:
    """Train an arm and ask it at every point of its learning curve."""
    torch.set_num_threads(options.threads)
    options.output.mkdir(parents=True, exist_ok=True)
    tokenizer, model = load(options.model)
    batches = list(examples(options, tokenizer))
    optimizer = torch.optim.AdamW((p for p in model.parameters() if p.requires_grad), lr=options.rate, weight_decay=0.0)
    start = resume(options.output, model, optimizer)
    began, tokens = time.time(), 0
    points = {math.ceil(count / options.batch) for count in range(options.every, options.examples + 1, options.every)}
    for step in range(start, len(batches)):
        for group in optimizer.param_groups:
            group["lr"] = options.rate * (1 - step / len(batches))
        loss, count = train(model, optimizer, batches[step], tokenizer.pad_token_id)
        tokens += count
        if step % 50 == 49:
            speed = (step + 1 - start) * options.batch / (time.time() - began)
            print(f"step {step + 1} of {len(batches)}, loss {loss:.3f}, {speed:.1f} examples/s", flush=True)
        if step + 1 in points or step + 1 == len(batches):
            torch.save(trained(model), options.output / f"point-{(step + 1) * options.batch}.pt")
        if step % 250 == 249 or step + 1 == len(batches):
            save(options.output, model, optimizer, step + 1)
    asked = questions(options)
    for path in sorted(options.output.glob("point-*.pt"), key=lambda path: int(path.stem.split("-")[1])):
        model.load_state_dict(torch.load(path, weights_only=True), strict=False)
        ask(model, tokenizer, asked, int(path.stem.split("-")[1]), options.output)


def load(path: Path) -> tuple[Any, Any]:
    """Return the tokenizer and the model with an untrained adapter."""
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM, AutoTokenizer

    torch.manual_seed(0)
    tokenizer = AutoTokenizer.from_pretrained(path)
    tokenizer.pad_token = tokenizer.pad_token or tokenizer.eos_token
    base = AutoModelForCausalLM.from_pretrained(path, dtype=torch.float32, attn_implementation="eager")
    return tokenizer, get_peft_model(base, LoraConfig(r=16, lora_alpha=32, target_modules="all-linear"))


def pairs(path: Path, split: str, block: str) -> list[tuple[str, str]]:
    """Return texts and codes of a block and split, each pair once."""
    table = pl.scan_parquet(path).filter((pl.col("block") == block) & (pl.col("split") == split))
    rows = table.select("text", "answer").unique().collect()
    return sorted(rows.iter_rows(), key=lambda pair: digest(*pair))


def digest(*parts: object) -> str:
    """Return a number for an order by chance that every machine finds."""
    return hashlib.sha256("\x1f".join(map(str, parts)).encode()).hexdigest()


def examples(options: argparse.Namespace, tokenizer: Any) -> Iterator[list[list[int]]]:
    """Yield batches of token ids, of similar length, prompt and answer divided by -1."""
    arms = [pairs(options.labels, "train", "icd10")]
    if options.arm == "mixed":
        arms.append(pairs(options.clinical, "train", "clinical-icd10"))
    chosen = [arm[number % len(arm)] for number in range(math.ceil(options.examples / len(arms))) for arm in arms]
    ids = [encode(tokenizer, *pair) for pair in chosen[: options.examples]]
    window = LENGTH_WINDOW * options.batch
    for start in range(0, len(ids), window):
        ordered = sorted(ids[start : start + window], key=len)
        groups = [ordered[at : at + options.batch] for at in range(0, len(ordered), options.batch)]
        random.Random(start).shuffle(groups)  # noqa: S311
        yield from groups


def encode(tokenizer: Any, text: str, code: str) -> list[int]:
    """Return the ids of prompt and answer with -1 between them."""
    prompt = tokenizer(FORMULATION.format(text=text))["input_ids"]
    return [*prompt[-120:], -1, *tokenizer(f" {code}")["input_ids"], tokenizer.eos_token_id]


def train(model: Any, optimizer: Any, batch: Sequence[list[int]], pad: int) -> tuple[float, int]:
    """Take a step; returns the loss and the tokens."""
    size = max(map(len, batch)) - 1
    ids = torch.full((len(batch), size), pad)
    labels = torch.full((len(batch), size), -100)
    for row, example in enumerate(batch):
        cut = example.index(-1)
        whole = torch.tensor(example[:cut] + example[cut + 1 :])
        ids[row, : len(whole)] = whole
        labels[row, cut : len(whole)] = whole[cut:]
    mask = (torch.arange(size) < torch.tensor([[len(example) - 1] for example in batch])).long()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        inner = model.get_base_model()
        hidden = inner.model(input_ids=ids, attention_mask=mask).last_hidden_state[:, :-1]
        scored = labels[:, 1:] != -100  # the vocabulary is scored where an answer is learned, not at every position
        logits = inner.lm_head(hidden[scored])
        loss = torch.nn.functional.cross_entropy(logits.float(), labels[:, 1:][scored])
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    optimizer.zero_grad()
    return loss.item(), int(mask.sum())


def questions(options: argparse.Namespace) -> list[tuple[str, str, str, str]]:
    """Return what is asked: kind, id, text, code."""
    labels = pairs(options.labels, "heldout_label", "icd10")[:ASKED]
    composed = pairs(options.clinical, "heldout_label", "clinical-icd10")[:ASKED]
    asked = [("heldout-label", digest(*pair)[:12], *pair) for pair in labels]
    asked += [("heldout-wording", digest(*pair)[:12], *pair) for pair in composed]
    for path in options.texts:
        with path.open(encoding="utf-8", newline="") as stream:
            for row in csv.DictReader(stream, delimiter=";"):
                if row["icd10"]:
                    asked.append((f"text {path.stem}", digest(row["text"])[:12], row["text"], row["icd10"]))
    return asked


@torch.no_grad()
def ask(model: Any, tokenizer: Any, asked: Sequence[tuple[str, str, str, str]], seen: int, output: Path) -> None:
    """Append to answers.csv which questions are answered right; texts and answers are not kept."""
    model.eval()
    tokenizer.padding_side = "left"
    new = not (output / "answers.csv").exists()
    known = (
        set() if new else set(pl.read_csv(output / "answers.csv").select("examples", "kind", "question").iter_rows())
    )
    asked = [question for question in asked if (seen, *question[:2]) not in known]
    with (output / "answers.csv").open("a", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream)
        if new:
            writer.writerow(["examples", "kind", "question", "exact", "category"])
        for start in range(0, len(asked), 32):
            part = asked[start : start + 32]
            inputs = tokenizer(
                [FORMULATION.format(text=text) for _, _, text, _ in part], return_tensors="pt", padding=True
            )
            with torch.autocast("cpu", dtype=torch.bfloat16):
                made = model.generate(
                    **inputs, max_new_tokens=NEW_TOKENS, do_sample=False, pad_token_id=tokenizer.pad_token_id
                )
            said = tokenizer.batch_decode(made[:, inputs["input_ids"].shape[1] :], skip_special_tokens=True)
            for (kind, key, _, code), answer in zip(part, said, strict=True):
                first = answer.strip().split()[0] if answer.strip() else ""
                writer.writerow([seen, kind, key, int(first == code), int(first[:3] == code[:3])])
    model.train()
    summary(output, seen)


def summary(output: Path, seen: int) -> None:
    """Print the rates of a point."""
    rows = pl.read_csv(output / "answers.csv").filter(pl.col("examples") == seen)
    kinds = rows.with_columns(kind=pl.col("kind").str.split(" ").list.first())
    for (kind,), part in kinds.group_by("kind", maintain_order=True):
        rates = f"exact {part['exact'].mean():.3f}, category {part['category'].mean():.3f}"
        print(f"{seen} examples, {kind}: {rates}, n {part.height}", flush=True)


def trained(model: Any) -> dict[str, Any]:
    """Return the weights that are trained."""
    return {name: value for name, value in model.state_dict().items() if "lora_" in name}


def save(output: Path, model: Any, optimizer: Any, step: int) -> None:
    """Write the state, whole or not at all."""
    torch.save({"adapter": trained(model), "optimizer": optimizer.state_dict(), "step": step}, output / "state.new")
    (output / "state.new").rename(output / "state.pt")
    (output / "step.json").write_text(json.dumps({"step": step}), encoding="utf-8")


def resume(output: Path, model: Any, optimizer: Any) -> int:
    """Load the last state; returns its step."""
    if not (output / "state.pt").exists():
        return 0
    state = torch.load(output / "state.pt", weights_only=True)
    model.load_state_dict(state["adapter"], strict=False)
    optimizer.load_state_dict(state["optimizer"])
    return int(state["step"])


def compare(one: Path, other: Path) -> None:
    """Print, for each point and kind, both rates and their paired difference with a 95 % bootstrap interval."""
    keys = ["examples", "kind", "question"]
    tables = [pl.read_csv(path / "answers.csv").unique(keys, keep="last") for path in (one, other)]
    both = (
        tables[0]
        .join(tables[1], on=keys, suffix="_other")
        .with_columns(kind=pl.col("kind").str.split(" ").list.first())
    )
    for (seen, kind), part in both.sort("examples").group_by("examples", "kind", maintain_order=True):
        for measure in ("exact", "category"):
            gains = (part[f"{measure}_other"] - part[measure]).to_list()
            chance = random.Random(0)  # noqa: S311
            means = sorted(sum(chance.choices(gains, k=len(gains))) / len(gains) for _ in range(RESAMPLES))
            low, high = means[len(means) // 40], means[-len(means) // 40]
            rates = f"{part[measure].mean():.3f} {part[f'{measure}_other'].mean():.3f}"
            difference = f"{sum(gains) / len(gains):+.3f} ({low:+.3f} to {high:+.3f})"
            print(f"{seen} {kind} {measure}: {rates} difference {difference}, n {part.height}")


if __name__ == "__main__":
    main()
