"""Answers out of a label space: the same as by scoring each of them alone, and never another one."""

import heapq
import math
import random
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM, LlamaConfig, MambaConfig, MistralConfig

from onkocode.coders import prefix_scores
from onkocode.coders.answer_trie import AnswerTrie, TrieNode
from onkocode.coders.constrained import Ranking, rank_candidates
from onkocode.coders.prefix_scores import PrefixScorer
from onkocode.coders.searches import GREEDY, Beam, BestFirst, Search
from onkocode.models.loading import load_base
from onkocode.models.prompts import encode_prompts, prompt_format
from onkocode.models.tokenizing import load_tokenizer
from onkocode.tasks import NO, TASKS, YES, YES_WITH_CODE

from .conftest import ARCHITECTURES

CODES = {
    "icd10gm": ["C50", *(f"C50.{digit}" for digit in "01234569"), "C61", "C64", "C16.9", "C18.0", "D05.1", "D41.4"],
    "topography": ["C50.4", "C50.9", "C61.9", "C64.9"],
    "morphology": ["8140/3", "8140/6", "8500/2", "8500/3", "9522/3"],
}
QUESTIONS = [
    "ICD-10-Code zu: Krebs der Niere",
    "Prostatakrebs?",
    "Wie lautet der ICD-10-Code für die Diagnose „Magenkrebs, im unteren Drittel, mit Blutung“?",
    "Ist „Hautkrebs am Ohr“ eine Tumordiagnose?",
    "Welche Topographie nach ICD-O hat Gurlam?",
]


def label_space(task: str) -> list[str]:
    """Return what may be answered to a task."""
    row = TASKS[task]
    if row.system is None:
        return [YES, NO]
    codes = CODES[row.system]
    return [NO, *(YES_WITH_CODE.format(code=code) for code in codes)] if row.decides else codes


class Asked:
    """A loaded tiny model with its prompts, and what brute force says of them."""

    def __init__(self, path: Path) -> None:
        self.tokenizer = load_tokenizer(path)
        self.model = load_base(path, "none", "fp32").eval()
        self.form = prompt_format(self.tokenizer)
        self.prompts = encode_prompts(self.tokenizer, self.form, QUESTIONS)
        self.rank = partial(rank_candidates, self.model, self.tokenizer.pad_token_id, self.prompts)

    def trie(self, task: str) -> AnswerTrie:
        return AnswerTrie.build(self.tokenizer, self.form, label_space(task))


@pytest.fixture(scope="module", params=ARCHITECTURES)
def asked(request: pytest.FixtureRequest, tiny_models: dict[str, Path]) -> Asked:
    return Asked(tiny_models[request.param])


@pytest.fixture(scope="module")
def llama(tiny_models: dict[str, Path]) -> Asked:
    return Asked(tiny_models["llama"])


@torch.inference_mode()  # type: ignore[untyped-decorator]
def brute_force(model: Any, prompt: list[int], trie: AnswerTrie) -> dict[str, float]:
    """Return the log-probability of every answer by a pass of its own over prompt and answer, best first."""
    found = {}
    for answer, ids in trie.answers():
        logits = model(input_ids=torch.tensor([[*prompt, *ids]])).logits[0].double().log_softmax(-1)
        found[answer] = sum(float(logits[len(prompt) - 1 + place, token]) for place, token in enumerate(ids))
    return dict(sorted(found.items(), key=lambda pair: -pair[1]))


def check_against(truth: Mapping[str, float], ranking: Ranking, tolerance: float = 1e-4) -> None:
    """Check all that a ranking says against the log-probabilities of the whole label space."""
    mass = math.fsum(map(math.exp, truth.values()))
    assert ranking.lower <= mass * (1 + tolerance)
    assert ranking.upper >= mass * (1 - tolerance)
    assert ranking.lower <= ranking.upper <= 1
    assert all(left.log_probability >= right.log_probability for left, right in pairwise(ranking.candidates))
    assert len({each.answer for each in ranking.candidates}) == len(ranking.candidates)
    for answer, log_probability, probability in ranking.candidates:
        assert log_probability == pytest.approx(truth[answer], abs=tolerance)
        share = math.exp(truth[answer]) / mass
        assert probability <= share * (1 + tolerance)
        assert probability * ranking.upper / ranking.lower >= share * (1 - tolerance)
    proven = [each.log_probability for each in ranking.candidates[: ranking.proven]]
    assert proven == pytest.approx(list(truth.values())[: ranking.proven], abs=tolerance)


@pytest.mark.parametrize("task", TASKS)
def test_every_answer_has_the_probability_that_it_has_alone(asked: Asked, task: str) -> None:
    trie = asked.trie(task)
    for prompt, ranking in zip(asked.prompts, asked.rank(trie, BestFirst(trie.size, 0.0), batch_size=4), strict=True):
        truth = brute_force(asked.model, prompt, trie)
        assert {each.answer for each in ranking.candidates} == set(label_space(task))
        assert ranking.proven == trie.size
        assert ranking.lower == ranking.upper
        assert math.fsum(each.probability for each in ranking.candidates) == pytest.approx(1)
        check_against(truth, ranking)


@pytest.mark.parametrize(
    "search",
    [
        BestFirst(),
        BestFirst(3),
        BestFirst(5, 0.001),
        BestFirst(2, 0.3),
        BestFirst(4, math.inf),
        GREEDY,
        Beam(2),
        Beam(5),
    ],
    ids=str,
)
def test_what_is_said_of_the_best_answers_and_the_label_space_is_true(asked: Asked, search: Search) -> None:
    trie = asked.trie("icd10")
    for prompt, ranking in zip(asked.prompts, asked.rank(trie, search), strict=True):
        check_against(brute_force(asked.model, prompt, trie), ranking)
        assert len(ranking.candidates) == search.top or isinstance(search, Beam)
        if isinstance(search, BestFirst):
            assert ranking.proven == search.top
            assert ranking.upper <= ranking.lower * (1 + search.tolerance) * (1 + 1e-9)


def same(one: Sequence[Ranking], other: Sequence[Ranking]) -> None:
    for left, right in zip(one, other, strict=True):
        assert [each.answer for each in left.candidates] == [each.answer for each in right.candidates]
        for first, second in zip(left.candidates, right.candidates, strict=True):
            assert first.log_probability == pytest.approx(second.log_probability, abs=1e-4)
        assert (left.proven, left.expanded) == (right.proven, right.expanded)


@pytest.mark.parametrize("search", [BestFirst(3), Beam(3)], ids=str)
def test_batches_and_rows_of_a_pass_change_nothing(asked: Asked, search: Search) -> None:
    trie = asked.trie("tumour-icd10")
    together = asked.rank(trie, search, batch_size=8, rows=64)
    assert len({len(prompt) for prompt in asked.prompts}) > 2  # so that some are padded
    for batch_size, rows in ((1, 1), (1, 64), (2, 3), (5, 2)):
        same(asked.rank(trie, search, batch_size=batch_size, rows=rows), together)


def test_prompts_are_read_once_and_what_was_read_is_left_as_it_was(llama: Asked) -> None:
    read: list[int] = []

    class Counting(SimpleNamespace):
        def __call__(self, input_ids: torch.Tensor, **options: Any) -> Any:
            read.append(input_ids.shape[1])
            return llama.model(input_ids=input_ids, **options)

    counting = Counting(device=llama.model.device, forward=llama.model.forward)
    trie = llama.trie("icd10")
    rank_candidates(counting, llama.tokenizer.pad_token_id, llama.prompts, trie, BestFirst(trie.size, 0.0), rows=4)
    longest = max(len(ids) for _, ids in trie.answers())
    assert read[0] == max(map(len, llama.prompts)) - 1
    assert len(read) > 10
    assert max(read[1:]) <= longest
    scorer = PrefixScorer(llama.model, llama.tokenizer.pad_token_id, 64)
    scorer.read(llama.prompts)
    first = scorer.score([(0, trie.root), (3, trie.root)])
    again = scorer.score([(3, trie.root), (0, trie.root)])
    for (_, left), (_, right) in zip(first, reversed(again), strict=True):
        assert left == pytest.approx(right, abs=1e-5)


def random_model(config: Any) -> Any:
    torch.manual_seed(0)
    return AutoModelForCausalLM.from_config(config, dtype=torch.float32).eval()


SIZES: dict[str, Any] = {
    "vocab_size": 40,
    "hidden_size": 16,
    "intermediate_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "initializer_range": 0.4,
}
ANSWERS = {
    str(number): [*ids, 1] for number, ids in enumerate(([2], [2, 3], [2, 3, 4, 5], [6, 7, 8], [6, 7, 9], [5], [5, 5]))
}
PROMPTS = [[7, 20, 30, 12, 9, 3, 33, 8, 22], [11], [5, 31, 9], [39, 38, 37, 36, 35, 34, 33, 32, 31, 30, 29]]


def check_random(model: Any, reuses: bool) -> None:
    trie = AnswerTrie.of_tokens(ANSWERS)
    scorer = PrefixScorer(model, 0, 4)
    scorer.read(PROMPTS)
    assert scorer.reuses == reuses
    rankings = rank_candidates(model, 0, PROMPTS, trie, BestFirst(len(ANSWERS), 0.0), batch_size=3, rows=4)
    for prompt, ranking in zip(PROMPTS, rankings, strict=True):
        assert len(ranking.candidates) == len(ANSWERS)
        check_against(brute_force(model, prompt, trie), ranking)


@pytest.mark.parametrize("window", [2, 4, 6, 100])
def test_sliding_window_shorter_than_the_prompt(window: int) -> None:
    check_random(random_model(MistralConfig(**SIZES, sliding_window=window)), reuses=True)


def test_prompt_is_read_again_where_a_cache_cannot_be_reused(monkeypatch: pytest.MonkeyPatch) -> None:
    config = MambaConfig(vocab_size=40, hidden_size=16, num_hidden_layers=2, state_size=4, initializer_range=0.4)
    check_random(random_model(config), reuses=False)
    monkeypatch.setattr(prefix_scores, "REUSABLE", ())
    check_random(random_model(LlamaConfig(**SIZES)), reuses=False)


def test_prompts_of_one_token_alone() -> None:
    model, trie = random_model(LlamaConfig(**SIZES)), AnswerTrie.of_tokens(ANSWERS)
    for prompt, ranking in zip([[7], [9]], rank_candidates(model, 0, [[7], [9]], trie, BestFirst(7, 0.0)), strict=True):
        check_against(brute_force(model, prompt, trie), ranking)


def test_adapter_and_lower_precision(llama: Asked) -> None:
    from peft import LoraConfig, get_peft_model

    model = random_model(LlamaConfig(**SIZES))
    torch.manual_seed(1)
    adapted = get_peft_model(model, LoraConfig(r=4, target_modules="all-linear", init_lora_weights=False)).eval()
    trie = AnswerTrie.of_tokens(ANSWERS)
    with adapted.disable_adapter():
        plain = brute_force(adapted, PROMPTS[0], trie)
    assert brute_force(adapted, PROMPTS[0], trie) != pytest.approx(plain, abs=0.01)
    check_random(adapted, reuses=True)
    half = random_model(LlamaConfig(**SIZES)).to(torch.bfloat16)
    for prompt, ranking in zip(PROMPTS, rank_candidates(half, 0, PROMPTS, trie, BestFirst(3)), strict=True):
        check_against(brute_force(half, prompt, trie), ranking, tolerance=0.3)


class FixedModel:
    """A stand-in for a model: the probability of every token by what was said since the prompt, which ends with 0."""

    device = torch.device("cpu")

    def __init__(self, probabilities: Mapping[tuple[int, ...], Mapping[int, float]], vocabulary: int = 20) -> None:
        self.probabilities, self.vocabulary = probabilities, vocabulary

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> Any:
        rows = []
        for row in input_ids.tolist():
            said = row[1:]
            places = [self.probabilities.get(tuple(said[:end]), {0: 1.0}) for end in range(len(row))]
            rows.append([[place.get(token, 0.0) for token in range(self.vocabulary)] for place in places])
        return SimpleNamespace(logits=torch.tensor(rows, dtype=torch.float64).log())

    __call__ = forward


END = 19
MISLEADING = {
    (): {1: 0.4, 2: 0.35, 3: 0.25},
    (1,): dict.fromkeys(range(10), 0.1),
    (2,): {5: 0.5, 6: 0.5},
    (3,): {7: 1.0},
} | {(first, second): {END: 1.0} for first in (1, 2, 3) for second in range(10)}
MISLED = AnswerTrie.of_tokens(
    {f"1{digit}": [1, digit, END] for digit in range(10)} | {"25": [2, 5, END], "26": [2, 6, END], "37": [3, 7, END]}
)


def ask_fixed(search: Search, trie: AnswerTrie = MISLED, table: Any = None) -> Ranking:
    return rank_candidates(FixedModel(table or MISLEADING), 0, [[0]], trie, search)[0]


def test_greedy_search_goes_down_the_wrong_branch_and_exact_scoring_does_not() -> None:
    found = [ask_fixed(search) for search in (GREEDY, Beam(2), Beam(3), BestFirst(tolerance=math.inf))]
    assert [each.candidates[0].answer for each in found] == ["10", "25", "37", "37"]
    chances = [math.exp(each.candidates[0].log_probability) for each in found]
    assert chances == pytest.approx([0.04, 0.175, 0.25, 0.25])
    assert [each.proven for each in found] == [0, 0, 3, 1]
    assert found[0].lower == pytest.approx(0.04)
    assert found[0].upper == pytest.approx(1.0)


def test_what_is_less_probable_than_the_answer_is_not_looked_at() -> None:
    loose, strict = ask_fixed(BestFirst(1, math.inf)), ask_fixed(BestFirst(1, 0.0))
    assert loose.expanded < strict.expanded
    # The root, 1, 2, and 37 as a whole; what is below 1 and 2 is less probable.
    assert loose.expanded == 4
    assert strict.lower == strict.upper == pytest.approx(1.0)


def test_whole_answers_keep_their_place_in_the_beam() -> None:
    table = {(): {1: 1.0}, (1,): {END: 0.6, 2: 0.4}, (1, 2): {END: 0.3, 3: 0.7}, (1, 2, 3): {END: 1.0}}
    trie = AnswerTrie.of_tokens({"1": [1, END], "12": [1, 2, END], "123": [1, 2, 3, END]})
    assert [each.answer for each in ask_fixed(GREEDY, trie, table).candidates] == ["1"]
    assert [each.answer for each in ask_fixed(Beam(2), trie, table).candidates] == ["1", "123"]
    table[(1,)] = {END: 0.4, 2: 0.6}
    assert [each.answer for each in ask_fixed(GREEDY, trie, table).candidates] == ["123"]


def test_equal_answers_stand_in_the_order_of_their_tokens() -> None:
    found = ask_fixed(BestFirst(20, 0.0))
    assert [each.answer for each in found.candidates] == ["37", "25", "26", *(f"1{digit}" for digit in range(10))]


def test_impossible_answers_are_found_last_and_have_no_share() -> None:
    table = {(): {1: 1.0}, (1,): {3: 0.5, 4: 0.5}, (1, 3): {END: 1.0}, (1, 4): {5: 1.0}}
    trie = AnswerTrie.of_tokens({"13": [1, 3, END], "14": [1, 4, END], "2": [2, END], "27": [2, 7, END]})
    found = ask_fixed(BestFirst(4, 0.0), trie, table)
    assert found.candidates[0].answer == "13"
    assert [each.probability for each in found.candidates] == [1.0, 0.0, 0.0, 0.0]
    nothing = ask_fixed(BestFirst(2), AnswerTrie.of_tokens({"2": [2, END], "27": [2, 7, END]}), table)
    assert [each.probability for each in nothing.candidates] == [0.0, 0.0]
    assert (nothing.lower, nothing.upper) == (0.0, 0.0)


def test_probabilities_below_the_smallest_number_are_shared_out_all_the_same() -> None:
    length = 60
    table: dict[tuple[int, ...], dict[int, float]] = {(1,) * end: {1: 1e-20, 0: 1.0} for end in range(length)}
    table[(1,) * length] = {2: 0.3, 3: 0.1, 0: 0.6}
    table |= {(*(1,) * length, last): {END: 1.0} for last in (2, 3)}
    trie = AnswerTrie.of_tokens({name: [*(1,) * length, last, END] for name, last in (("a", 2), ("b", 3))})
    found = ask_fixed(BestFirst(2), trie, table)
    assert (found.lower, found.upper) == (0.0, 0.0)
    assert [each.probability for each in found.candidates] == pytest.approx([0.75, 0.25])


def random_tree(chance: random.Random) -> tuple[AnswerTrie, dict[tuple[int, ...], dict[int, float]]]:
    """Return a label space, and a model that is more or less sure at every place."""
    answers = {tuple(chance.choices(range(1, 5), k=chance.randint(1, 5))) for _ in range(chance.randint(1, 40))}
    trie = AnswerTrie.of_tokens({"".join(map(str, ids)): [*ids, END] for ids in answers})
    table = {}
    for prefix in {ids[:end] for ids in answers for end in range(len(ids) + 1)}:
        weights = {token: chance.random() ** chance.choice((1, 4, 20)) for token in (1, 2, 3, 4, 5, END)}
        table[prefix] = {token: weight / sum(weights.values()) for token, weight in weights.items()}
    return trie, table


def every_beginning(
    trie: AnswerTrie, table: Mapping[tuple[int, ...], Mapping[int, float]]
) -> Iterator[tuple[float, Any]]:
    """Yield what best-first search takes off its heap, one after the other: log-probability, and node or answer."""
    heap: list[tuple[float, tuple[int, ...], Any]] = [(0.0, (), trie.root)]

    def chance(ids: tuple[int, ...]) -> float:
        return -sum(math.log(table[ids[:end]][token]) for end, token in enumerate(ids))

    while heap:
        cost, _, node = heapq.heappop(heap)
        yield -cost, node
        if isinstance(node, TrieNode):
            whole = node.prefix + node.forced
            for child in node.children:
                ready = child.answer is not None and not child.forced
                heapq.heappush(heap, (chance(child.prefix), child.prefix, child.answer if ready else child))
            if node.answer is not None:
                heapq.heappush(heap, (chance(whole), whole, node.answer))


@pytest.mark.parametrize("seed", range(60))
def test_on_trees_by_chance(seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311
    trie, table = random_tree(chance)
    truth = {
        answer: sum(math.log(table[ids[:end]][token]) for end, token in enumerate(ids))
        for answer, ids in trie.answers()
    }
    truth = dict(sorted(truth.items(), key=lambda pair: -pair[1]))
    top, tolerance = chance.randint(1, 6), chance.choice((0.0, 0.001, 0.05, 0.5, math.inf))
    for search in (BestFirst(top, tolerance), GREEDY, Beam(3), Beam(trie.size)):
        ranking = ask_fixed(search, trie, table)
        check_against(truth, ranking)
        assert {each.answer for each in ranking.candidates} <= set(truth)
        assert ranking.candidates
    ranking = ask_fixed(BestFirst(top, math.inf), trie, table)
    assert [each.answer for each in ranking.candidates] == list(truth)[:top]
    # No more is looked at than by taking the best beginning each time.
    expanded = answers = 0
    for _, node in every_beginning(trie, table):
        expanded, answers = expanded + isinstance(node, TrieNode), answers + isinstance(node, str)
        if answers == min(top, trie.size):
            break
    assert ranking.expanded == expanded


def test_a_model_that_gives_no_numbers_is_an_error() -> None:
    broken = FixedModel({(): {1: math.nan, 2: math.nan}})
    with pytest.raises(ArithmeticError, match="no numbers"):
        rank_candidates(broken, 0, [[0]], MISLED)


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: BestFirst(0),
        lambda: BestFirst(1, -0.1),
        lambda: BestFirst(1, math.nan),
        lambda: Beam(0),
        lambda: rank_candidates(FixedModel({}), 0, [[]], MISLED),
        lambda: rank_candidates(FixedModel({}), 0, [[0]], MISLED, batch_size=0),
        lambda: rank_candidates(FixedModel({}), 0, [[0]], MISLED, rows=0),
    ],
)
def test_senseless_settings_are_an_error(wrong: Any) -> None:
    with pytest.raises(ValueError, match="must"):
        wrong()


def test_no_prompts_no_rankings() -> None:
    assert rank_candidates(FixedModel({}), 0, [], MISLED) == []
