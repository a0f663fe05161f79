"""The tree of a label space: the answers of training, token by token, and nothing else."""

from itertools import pairwise
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from onkocode.coders.answer_trie import AnswerTrie, TrieNode
from onkocode.models.prompts import encode_answers, encode_examples, prompt_format
from onkocode.records.errors import InputError

from .conftest import Parsed
from .test_real_templates import model, tokenizer  # noqa: F401

CHATML = (
    "{% for m in messages %}{{ '<|im_start|>' + m.role + '\n' + m.content + '<|im_end|>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
ICD10 = [f"C{number:02}" for number in range(98)] + [
    f"C{number:02}.{digit}" for number in range(98) for digit in "0123456789"
]
MORPHOLOGY = [f"{number}/{behaviour}" for number in range(8000, 8100) for behaviour in "0123"]
LABEL_SPACES = {
    "icd10": ICD10,
    "morphology": MORPHOLOGY,
    "tumour": ["Ja", "Nein"],
    "tumour-icd10": ["Nein", *(f"Ja, {code}" for code in ICD10)],
}


def merging_digits(texts: list[str]) -> Any:
    """Return a tokenizer that takes up to three digits as one token, as those of Llama 3."""
    trained = Tokenizer(models.BPE())
    trained.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(r"\d{1,3}|\n|[^\d\n]+"), "isolated"),
            pre_tokenizers.ByteLevel(False, use_regex=False),
        ]
    )
    trained.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=900,
        special_tokens=["<|im_start|>", "<|im_end|>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    trained.train_from_iterator(texts, trainer)
    fast: Any = PreTrainedTokenizerFast(tokenizer_object=trained, eos_token="<|im_end|>")  # noqa: S106
    fast.chat_template = CHATML
    return fast


def nodes(trie: AnswerTrie) -> list[TrieNode]:
    found, waiting = [], [trie.root]
    while waiting:
        found.append(waiting.pop())
        waiting += found[-1].children
    return found


@pytest.mark.parametrize("space", LABEL_SPACES)
def test_answers_are_the_tokens_of_training(tokenizer: Any, model: str, space: str) -> None:  # noqa: F811
    answers = LABEL_SPACES[space]
    form = prompt_format(tokenizer)
    trie = AnswerTrie.build(tokenizer, form, answers)
    found = dict(trie.answers())
    assert set(found) == set(answers)
    assert trie.size == len(answers)
    for answer, example in zip(
        answers, encode_examples(tokenizer, form, ["?"] * len(answers), answers, "answer", 512), strict=True
    ):
        assert [token for token in example["labels"] if token != -100] == list(found[answer])
    ids = [tokenizer.convert_tokens_to_ids(token) for token in tokenizer.all_special_tokens]
    assert all(tokenizer.eos_token_id == whole[-1] and not set(whole[:-1]) & set(ids) for whole in found.values())


def test_codes_of_merged_digits_are_told_apart() -> None:
    merging = merging_digits(ICD10 + MORPHOLOGY)
    form = prompt_format(merging)
    ids = encode_answers(merging, form, ["C50", "C50.9", "C50.1", "8140/3"])
    assert len({len(part) for part in ids.values()}) > 1
    assert len(ids["8140/3"]) < len("8140/3") + 1  # digits are merged
    found = dict(AnswerTrie.build(merging, form, ICD10 + MORPHOLOGY).answers())
    assert all(merging.decode(found[code]) == f"{code}<|im_end|>" for code in ICD10 + MORPHOLOGY)


def test_nodes_part_answers_and_children_stand_in_the_order_of_their_tokens() -> None:
    trie = AnswerTrie.of_tokens(
        {"C50": [7, 1, 0], "C50.9": [7, 1, 2, 9, 0], "C50.1": [7, 1, 2, 8, 0], "C61": [7, 3, 0]}
    )
    assert trie.root.forced == (7,)
    for node in nodes(trie):
        assert (node.answer is None) == (len(node.children) > 1)
        assert not node.children or node.answer is None
        assert all(left.prefix < right.prefix for left, right in pairwise(node.children))
        assert all(child.prefix[:-1] == node.prefix + node.forced for child in node.children)
    assert [answer for answer, _ in trie.answers()] == ["C50", "C50.1", "C50.9", "C61"]


def test_tail_of_several_tokens_and_spaces_before_the_answer_belong_to_every_answer() -> None:
    merging = merging_digits(ICD10)
    merging.chat_template = (
        "{% for m in messages %}{{ '<|im_start|>' + m.role + '\n' }}{% if m.role == 'assistant' %}{{ ' ' }}{% endif %}"
        "{{ m.content }}{% if m.role == 'assistant' %}{{ ' .' }}{% endif %}{{ '\n<|im_end|>' }}{% endfor %}"
        "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
    )
    form = prompt_format(merging)
    assert (form.answer_before, form.answer_after) == (" ", " .\n<|im_end|>")
    found = dict(AnswerTrie.build(merging, form, ["C50", "C50.9", "C61"]).answers())
    assert {answer: merging.decode(ids) for answer, ids in found.items()} == {
        answer: f" {answer} .\n<|im_end|>" for answer in ("C50", "C50.9", "C61")
    }


def test_one_answer_alone_and_answers_that_stand_twice() -> None:
    trie = AnswerTrie.of_tokens({"Ja": [5, 6, 0]})
    assert (trie.root.prefix, trie.root.forced, trie.root.answer, trie.size) == ((), (5, 6, 0), "Ja", 1)
    merging = merging_digits(ICD10)
    assert AnswerTrie.build(merging, prompt_format(merging), ["C50", "C61", "C50"]).size == 2


@pytest.mark.parametrize(
    ("tokens", "message"),
    [
        ({}, "label space is empty"),
        ({"C50": [1, 2], "C50.9": [1, 2, 3]}, "„C50“ are the beginning of those of „C50.9“"),
        ({"Ä": [1, 2], "Ö": [1, 2], "A": [0]}, "„Ä“ are the same as those of „Ö“"),
        ({"C50": [], "C61": [1]}, "no token of the answer „C50“"),
    ],
)
def test_answers_that_tokens_do_not_tell_apart_are_an_error(tokens: dict[str, list[int]], message: str) -> None:
    with pytest.raises(InputError, match=message):
        AnswerTrie.of_tokens(tokens)


def test_beginnings_are_found_wherever_they_stand() -> None:
    with pytest.raises(InputError, match="beginning"):
        AnswerTrie.of_tokens({"a": [1, 2], "b": [1, 1], "c": [1, 2, 0], "d": [1, 2, 0, 5], "e": [3]})


def test_label_spaces_of_catalogues(parsed_catalogues: Parsed, tiny_models: dict[str, Path]) -> None:
    from onkocode.models.tokenizing import load_tokenizer

    mixtral = load_tokenizer(tiny_models["mixtral"])
    for name in ("icd10gm", "icdo3", "ops"):
        codes = parsed_catalogues[name][1].filter(pl.col("terminal"))["code"].to_list()
        trie = AnswerTrie.build(mixtral, prompt_format(mixtral), codes)
        assert sorted(answer for answer, _ in trie.answers()) == sorted(set(codes))
