"""Answers out of a label space: what greedy, beam and best-first search find, and what they cost.

    ONKOCODE_CATALOGUES=/path/to/catalogues python benchmarks/constrained_decoding.py
    python benchmarks/constrained_decoding.py --model DIR --adapter DIR --questions QUESTIONS [--split SPLIT]

QUESTIONS is a table of questions (build-questions), of which those of the task icd10 and of a split are asked. Without
a model, a tiny one is built and trained on labels of Alpha-ID, less a tenth that is asked, for a minute or two; without
catalogues on those of the example, in the repository. Label spaces are the codes that the questions have for answers,
those with all terminal codes of C00–D48, and with all of ICD-10-GM. The number of a best-first search is its tolerance.

All searches answer the same batches by turns, so that what else the machine does concerns them alike. Printed are, in
percent of the questions: the right code, the right category, answers that are the most probable of the label space, and
those known to be from the search itself; the mean probability of the answer within the label space, which should be as
high as the share of right ones, and of the label space itself, each at least; rows that the model read for a question
beside the prompt; milliseconds a question, and as a multiple of greedy search. `free` generates without a label space.
"""

import argparse
import math
import os
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl
import torch

from onkocode.catalogues.formats.parse import parse_catalogue
from onkocode.catalogues.vocabulary.codes import is_tumour
from onkocode.coders.answer_trie import AnswerTrie
from onkocode.coders.constrained import Ranking, rank_candidates
from onkocode.coders.generation import stop_tokens
from onkocode.coders.searches import GREEDY, Beam, BestFirst
from onkocode.config.schema import TinyModel
from onkocode.models.prompts import encode_prompts, prompt_format
from onkocode.records.ids import shuffled

EXAMPLE = Path(__file__).parents[1] / "example/catalogues"
FORMULATION = "ICD-10-Code zu: {}"
SHARE = 0.1
FREE, BEST = "free", "best-first, 0.01"
SPACES = ("codes of the questions", "C00–D48", "ICD-10-GM")
SEARCHES = {
    "greedy": GREEDY,
    "beam 4": Beam(4),
    "best-first, any mass": BestFirst(1, math.inf),
    "best-first, 0.1": BestFirst(1, 0.1),
    BEST: BestFirst(1, 0.01),
}


@dataclass
class Answered:
    """What a search answered, and what it cost."""

    answers: list[str] = field(default_factory=list)
    rankings: list[Ranking] = field(default_factory=list)
    seconds: float = 0.0


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, help="directory of a base model; none = a tiny one is trained")
    parser.add_argument("--adapter", type=Path, help="directory of an adapter on it")
    parser.add_argument("--questions", type=Path, help="table of questions")
    parser.add_argument("--split", default="heldout_label", help="of the questions")
    parser.add_argument("--quantisation", default="none")
    parser.add_argument("--precision", default="fp32")
    parser.add_argument("--asked", type=int, default=200, help="questions, chosen by SHA-256")
    parser.add_argument("--steps", type=int, default=600, help="of the tiny model's training")
    parser.add_argument("--batch", type=int, default=8, help="questions that are answered together")
    parser.add_argument("--rows", type=int, default=64, help="beginnings in one pass")
    parser.add_argument("--spaces", nargs="+", choices=SPACES, default=SPACES, help="label spaces")
    parser.add_argument("--alphaid", default="alphaid2024_tumour_subset.csv", help="name of the file with labels")
    parser.add_argument("--icd10gm", default="icd10gm2024syst_kodes.txt", help="name of the file with classes")
    options = parser.parse_args()
    asked, known = from_table(options) if options.questions else from_labels(options)
    tokenizer, model = load(options) if options.model else train(known, options.steps)
    for name, codes in label_spaces(options, pl.concat([asked, known])["answer"].to_list()).items():
        print(f"{name}: {len(codes)} codes, {asked.height} questions")
        print_table(asked["answer"].to_list(), measure(model, tokenizer, asked["question"].to_list(), codes, options))


def from_table(options: argparse.Namespace) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return what is asked, and all others, of a table of questions."""
    table = pl.read_parquet(options.questions).filter(pl.col("task") == "icd10").select("question", "answer", "split")
    questions = table.filter(pl.col("split") == options.split).unique("question", maintain_order=True)
    return chosen(questions, options.asked).drop("split"), table.drop("split")


def from_labels(options: argparse.Namespace) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return questions on held-out labels of Alpha-ID, and on the others."""
    entries = parse_catalogue("alphaid", "2024", catalogue(options.alphaid, "*alphaidse*"))[0].drop_nulls("code")
    labels = entries.filter([is_tumour(code) for code in entries["code"]]).select("text", answer="code")
    questions = labels.select(pl.format(FORMULATION, "text").alias("question"), "answer").unique("question")
    held = chosen(questions, round(SHARE * questions.height))
    return chosen(held, options.asked), questions.join(held, on="question", how="anti").sort("question")


def chosen(questions: pl.DataFrame, count: int) -> pl.DataFrame:
    """Return so many of the questions, chosen and put in order by SHA-256."""
    texts = questions["question"].to_list()
    order = pl.DataFrame(
        {"question": shuffled(texts, 0, "constrained decoding", texts)[:count]}, schema={"question": pl.String}
    )
    return order.join(questions, on="question", how="left", maintain_order="left")


def catalogue(name: str, example: str) -> Path:
    """Return the file of a name in the folder of catalogues, or else the one of the example."""
    folder = os.environ.get("ONKOCODE_CATALOGUES")
    found = sorted(Path(folder).rglob(name)) if folder else sorted(EXAMPLE.rglob(example))
    if len(found) != 1:
        raise SystemExit(f"{len(found)} files {name if folder else example} in {folder or EXAMPLE}, not one")
    return found[0]


def label_spaces(options: argparse.Namespace, answers: Sequence[str]) -> dict[str, list[str]]:
    """Return the codes that may be answered, by the name of the label space; all hold those of the questions."""
    codes = parse_catalogue("icd10gm", "2024", catalogue(options.icd10gm, "icd10gm*syst_kodes*"))[1].filter("terminal")
    others = dict(zip(SPACES, (codes.clear(), codes.filter("tumour"), codes), strict=True))
    return {name: sorted({*answers, *others[name]["code"]}) for name in options.spaces}


def load(options: argparse.Namespace) -> tuple[Any, Any]:
    """Return the tokenizer and the model of a directory, with its adapter."""
    from onkocode.models.loading import load_adapter, load_base
    from onkocode.models.tokenizing import load_tokenizer

    model = load_base(options.model, options.quantisation, options.precision)
    return load_tokenizer(options.model), (load_adapter(model, options.adapter) if options.adapter else model).eval()


def train(known: pl.DataFrame, steps: int) -> tuple[Any, Any]:
    """Return a tiny model that has learned questions with their answers, and its tokenizer."""
    from onkocode.models.tiny import build_model, build_tokenizer, pretrain

    shape = {"architecture": "qwen3", "data": "labels", "hidden_size": 128, "layers": 2, "heads": 4, "batch_size": 32}
    settings = TinyModel.model_validate(shape | {"steps": steps, "learning_rate": 3e-3, "seed": 0})
    texts = shuffled(known["question"].to_list(), 0, "training", known["question"].to_list())
    answers = dict(known.iter_rows())
    tokenizer = build_tokenizer("qwen3", [f"{text} {answers[text]}" for text in texts], 2000)
    model = build_model(settings, tokenizer)
    pretrain(model, tokenizer, [(text, answers[text], None) for text in texts], settings)
    return tokenizer, model.eval()


def measure(
    model: Any, tokenizer: Any, questions: Sequence[str], codes: Sequence[str], options: argparse.Namespace
) -> dict[str, Answered]:
    """Return what each search answers, and without a label space; in the order of the questions."""
    form = prompt_format(tokenizer)
    trie, pad = AnswerTrie.build(tokenizer, form, codes), tokenizer.pad_token_id
    longest = max(len(ids) for _, ids in trie.answers())
    prompts = encode_prompts(tokenizer, form, questions)
    order = sorted(range(len(prompts)), key=lambda place: len(prompts[place]))
    found: dict[str, Answered] = defaultdict(Answered)
    rank_candidates(model, pad, prompts[: options.batch], trie, batch_size=options.batch)  # the first is the slowest
    for batch in batches([prompts[place] for place in order], options.batch):
        began = time.perf_counter()
        found[FREE].answers += generate(model, tokenizer, batch, longest)
        found[FREE].seconds += time.perf_counter() - began
        for name, search in SEARCHES.items():
            began = time.perf_counter()
            part = rank_candidates(model, pad, batch, trie, search, batch_size=options.batch, rows=options.rows)
            found[name].seconds += time.perf_counter() - began
            found[name].rankings += part
            found[name].answers += [ranking.candidates[0].answer for ranking in part]
    places = sorted(range(len(order)), key=order.__getitem__)
    for answered in found.values():
        answered.answers = [answered.answers[place] for place in places]
    return found


def batches(prompts: Sequence[list[int]], size: int) -> Iterator[Sequence[list[int]]]:
    """Yield prompts that are answered together."""
    for start in range(0, len(prompts), size):
        yield prompts[start : start + size]


@torch.inference_mode()
def generate(model: Any, tokenizer: Any, prompts: Sequence[list[int]], longest: int) -> list[str]:
    """Return what the model says by itself, the most probable token each time."""
    width, pad = max(map(len, prompts)), tokenizer.pad_token_id
    ids = torch.tensor([[pad] * (width - len(row)) + row for row in prompts], device=model.device)
    mask = torch.tensor([[0] * (width - len(row)) + [1] * len(row) for row in prompts], device=model.device)
    sampling = {"do_sample": False, "temperature": None, "top_p": None, "top_k": None, "repetition_penalty": 1.0}
    stops = {"eos_token_id": stop_tokens(model, tokenizer), "pad_token_id": pad, "max_new_tokens": longest}
    made = model.generate(input_ids=ids, attention_mask=mask, **sampling, **stops)
    return [text.strip() for text in tokenizer.batch_decode(made[:, width:], skip_special_tokens=True)]


def print_table(expected: Sequence[str], found: dict[str, Answered]) -> None:
    """Print a row for each way to answer."""
    heads = ("exact", "category", "best", "proven", "probability", "mass", "rows", "ms", "times greedy")
    print(f"  {'':20}{''.join(f'{head:>13}' for head in heads)}")
    for name, answered in found.items():
        cells = [*rates(expected, answered.answers), share(map(str.__eq__, answered.answers, found[BEST].answers))]
        cells += of_rankings(answered.rankings) if answered.rankings else [""] * 4
        cells += [f"{1000 * answered.seconds / len(expected):.1f}", f"{answered.seconds / found['greedy'].seconds:.2f}"]
        print(f"  {name:20}{''.join(f'{cell:>13}' for cell in cells)}", flush=True)


def rates(expected: Sequence[str], answers: Sequence[str]) -> list[str]:
    """Return the shares of right codes and categories."""
    pairs = list(zip(expected, answers, strict=True))
    return [share(answer[:length] == code[:length] for code, answer in pairs) for length in (None, 3)]


def of_rankings(rankings: Sequence[Ranking]) -> list[str]:
    """Return the share of first answers that are proven, the mean probabilities, and the rows."""
    firsts = [ranking.candidates[0].probability for ranking in rankings]
    masses = [ranking.lower for ranking in rankings]
    rows = sum(ranking.expanded for ranking in rankings) / len(rankings)
    return [share(ranking.proven > 0 for ranking in rankings), share(firsts), share(masses), f"{rows:.1f}"]


def share(values: Any) -> str:
    """Return a mean in percent."""
    numbers = [float(value) for value in values]
    return f"{100 * sum(numbers) / len(numbers):.1f}"


if __name__ == "__main__":
    main()
