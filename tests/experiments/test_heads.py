"""Attention heads: what is measured against plainer programs, and exactness in float64."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from support.figures import assert_drawn
from support.results import evidence_of
from torch import Tensor

from erlangen.data.corpora import load_corpus
from erlangen.data.files import DataError
from erlangen.errors import ErlangenError
from erlangen.experiments import planned_jobs
from erlangen.experiments.heads import CLAIMS, PRESETS, Recipe, fetch, learning
from erlangen.experiments.heads.copying import FIRST, all_right, logits, sources, swap_value_heads
from erlangen.experiments.heads.exact import TOKENS, compare, draw, multiply, rank
from erlangen.experiments.heads.figures import figures
from erlangen.experiments.heads.judge import answers, verdicts
from erlangen.experiments.heads.learning import attention_outputs, cost, exact_ranks, held_out, pair_loss, ranks, text
from erlangen.experiments.heads.run import run
from erlangen.experiments.heads.spectrum import effective_rank, energy_rank
from erlangen.experiments.heads.summing import compare_with_sum
from erlangen.experiments.heads.tasks import OFFSETS, Copy, Learn, Sum
from erlangen.experiments.kit.evidence import Evidence
from erlangen.experiments.kit.tasks import job, read_task
from erlangen.models.gpt import GPT, GPTConfig
from erlangen.nn.attention import CausalSelfAttention, Context, context
from erlangen.records.runs import Measurement

TINY = Recipe(
    corpus="tales", seeds=2, heads=(1, 2), several=2, rates=(1e-3, 1e-2), width=16, batch=2, steps=10, windows=3, copy_steps=10,
    draws=5,
)  # fmt: skip
LEARN = Learn(heads=2, lr=1e-2, corpus="tales", digest="", layers=2, width=16, batch=2, steps=10, windows=3)


def net(heads: int = 2, width: int = 16, block: int = 64, vocabulary: int = 30, layers: int = 2) -> GPT:
    torch.manual_seed(0)
    return GPT(GPTConfig(vocabulary=vocabulary, block=block, layers=layers, heads=heads, width=width, dropout=0.0)).eval()


def named(measured: list[Measurement]) -> dict[str, object]:
    return {one.name: one.value for one in measured}


@pytest.fixture(scope="module", autouse=True)
def few_tales() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(learning, "TALES", 200)
        yield


@pytest.fixture(scope="module")
def measured(few_tales: None) -> Evidence:
    return evidence_of(planned_jobs("heads", TINY), run)


def orthogonal(n: int, k: int) -> Tensor:
    return torch.linalg.qr(torch.randn(n, k, dtype=torch.float64, generator=torch.Generator().manual_seed(n + k)))[0]


@pytest.mark.parametrize("values", [(1.0,), (1.0, 1.0, 1.0), (3.0, 1.0), (5.0, 4.0, 1e-9, 2.0)])
def test_effective_rank_is_the_perplexity_of_the_singular_values(values: tuple[float, ...]):
    matrix = orthogonal(12, len(values)) @ torch.diag(torch.tensor(values, dtype=torch.float64)) @ orthogonal(7, len(values)).T
    for measure, power in ((effective_rank, 1), (energy_rank, 2)):
        shares = [value**power / sum(other**power for other in values) for value in values]
        perplexity = math.prod(share**-share for share in shares)
        assert float(measure(matrix)) == pytest.approx(perplexity, rel=1e-6)
        assert float(measure(100 * matrix)) == pytest.approx(perplexity, rel=1e-6)  # whatever the scale


def test_effective_rank_lies_between_1_and_the_rank():
    matrices = torch.randn(5, 20, 8, generator=torch.Generator().manual_seed(0))
    found = effective_rank(matrices)
    assert found.shape == (5,)
    assert ((found > 1) & (found < 8)).all()
    assert math.isnan(float(effective_rank(torch.zeros(4, 3))))


def test_the_outputs_are_those_of_the_attention_layers():
    model, rows = net(), torch.randint(30, (3, 64))
    states = model.states(rows)
    shared = context(model.config.layer(), 64, states[0])
    for layer, found in enumerate(attention_outputs(model, rows)):
        block = model.blocks[layer]
        torch.testing.assert_close(found, block.attention(block.norm1(states[layer]), shared, layer))  # type: ignore[operator]


@pytest.mark.parametrize(("heads", "width", "layers"), [(1, 16, 2), (2, 16, 1), (4, 16, 2), (8, 32, 3)])
def test_parameters_and_products_are_those_of_the_closed_form(heads: int, width: int, layers: int):
    n, vocabulary = 4 * width, 30
    found = named(cost(net(heads, width, n, vocabulary, layers), torch.randint(vocabulary, (1, n))))
    assert found["parameters"] == layers * (12 * width**2 + 2 * width) + width + 2 * width * vocabulary
    assert found["products"] == layers * (12 * n * width**2 + 2 * n * n * width) + n * width * vocabulary
    assert found["attention_weights"] == layers * heads * n * n


def test_ranks_are_means_over_layers_and_windows():
    model, rows = net(), torch.randint(30, (3, 64))
    found = named(ranks("before", model, rows))
    each = [[float(effective_rank(out[window])) for window in range(3)] for out in attention_outputs(model, rows)]
    assert found["layer_ranks_before"] == pytest.approx([np.mean(layer) for layer in each])
    assert found["effective_rank_before"] == pytest.approx(np.mean(each))


def test_one_head_has_the_rank_of_its_different_tokens_in_the_first_layer_and_several_have_more():
    rows = torch.randint(9, (3, 64))  # 9 different tokens, 16 features
    for heads, first in ((1, 9.0), (2, 16.0)):
        found = named(exact_ranks(net(heads), rows))
        assert found["distinct_tokens"] == (9.0,) * 3
        assert found["exact_ranks"] == (first,) * 3 + (16.0,) * 3
        assert found["planted_exact_ranks"] == (8.0,) * 6


def test_pairs_of_characters_are_counted():
    corpus = load_corpus("tales", block=256, tales=100)
    train, test = corpus.train.tolist(), corpus.test.tolist()
    size = corpus.tokenizer.size
    counts = np.ones((size, size))
    for a, b in pairwise(train):
        counts[a, b] += 1
    loss = -np.mean([math.log(counts[a, b] / counts[a].sum()) for a, b in pairwise(test)])
    assert pair_loss(corpus) == pytest.approx(float(loss), rel=1e-9)


def test_held_out_windows_do_not_overlap():
    corpus = text(LEARN)
    rows = held_out(corpus, LEARN)
    assert rows.shape == (3, LEARN.block) == (3, 64)
    stride = (len(corpus.test) - 1) // 3
    assert stride > LEARN.block
    for window in range(3):
        assert rows[window].tolist() == corpus.test[window * stride : window * stride + 64].tolist()


def test_sources_stand_where_they_are_said_to():
    rows = torch.arange(24).expand(2, 24)
    found = sources(rows)
    assert found.shape == (2, 24 - FIRST, 4)
    for t in range(FIRST, 24):
        assert found[0, t - FIRST].tolist() == [t - offset for offset in OFFSETS]


def test_only_positions_with_all_four_tokens_count(monkeypatch: pytest.MonkeyPatch):
    rows = torch.randint(8, (4, 24), generator=torch.Generator().manual_seed(0))
    perfect = torch.nn.functional.one_hot(sources(rows), 8).float()
    perfect[:, ::2, 2] = 1 / 8  # the third token is unknown at every other position
    monkeypatch.setattr("erlangen.experiments.heads.copying.logits", lambda model, given: perfect)
    assert 50 <= all_right(net(), rows) < 70  # argmax of ties is token 0, right by chance


def test_swapping_gives_each_head_the_values_of_the_next():
    model = net(heads=4)
    before = [block.get_parameter("attention.qkv.weight").clone() for block in model.blocks]
    swap_value_heads(model)
    for block, old in zip(model.blocks, before, strict=True):
        new = block.get_parameter("attention.qkv.weight")
        assert torch.equal(new[:32], old[:32])
        assert torch.equal(new[32:].view(4, 4, 16), old[32:].view(4, 4, 16).roll(1, 0))


def test_logits_are_those_of_four_readouts():
    model = net(vocabulary=8, block=24, layers=1)
    model.head = torch.nn.Linear(16, 4 * 8, bias=False)
    rows = torch.randint(8, (2, 24))
    whole = model.unembed(model.states(rows)[-1])
    torch.testing.assert_close(logits(model, rows), whole[:, FIRST:].unflatten(-1, (4, 8)))


@pytest.mark.slow
def test_one_head_fails_the_task_that_four_heads_do():
    found = {}
    for heads in (1, 4):
        task = Copy(heads=heads, lr=3e-3, width=64, values=32, length=24, batch=32, steps=400)
        found[heads] = named(run(replace(job(task), experiment="heads")))
    assert float(str(found[4]["copied"])) > 95
    assert float(str(found[1]["copied"])) < 35
    assert float(str(found[4]["copied_with_heads_swapped"])) < 35


def test_exact_ranks_agree_with_numpy_on_small_integers():
    rng = np.random.default_rng(0)
    for _ in range(50):
        inner = rng.integers(1, 6)
        matrix = rng.integers(-3, 4, (6, inner)) @ rng.integers(-3, 4, (inner, 5))
        assert rank(matrix.tolist()) == np.linalg.matrix_rank(matrix)
    assert rank([[2**90, 2**90], [2**90, 2**90 + 1]]) == 2  # which float64 does not see
    assert rank([[Fraction(0), Fraction(0)]]) == 0  # type: ignore[list-item]


@pytest.mark.parametrize("kind", ["causal", "bidirectional", "cancelling"])
def test_drawn_products_are_products_of_positive_weights(kind: str):
    weights, values, product = draw(kind, np.random.default_rng(1))
    assert product == multiply(weights, values)
    seen = np.tril(np.ones((TOKENS, TOKENS), bool)) if kind == "causal" else np.ones((TOKENS, TOKENS), bool)
    assert [[entry > 0 for entry in row] for row in weights] == seen.tolist()
    if kind == "cancelling":
        assert not any(any(row) for row in product)


def test_integer_weights_are_a_softmax_in_base_2():
    weights, values, product = draw("bidirectional", np.random.default_rng(2))
    scores = np.array([[entry.bit_length() - 1 for entry in row] for row in weights])
    shares = [[Fraction(entry, sum(row)) for entry in row] for row in weights]
    softmax = torch.tensor(scores, dtype=torch.float64).mul(math.log(2)).softmax(-1)
    torch.testing.assert_close(softmax, torch.tensor([[float(one) for one in row] for row in shares], dtype=torch.float64))
    assert compare(weights, values, product) == (False, False, False)


@pytest.mark.parametrize("heads", [1, 2, 4, 8])
def test_an_attention_layer_is_the_sum_of_its_heads(heads: int):
    found = named(compare_with_sum(Sum(heads=heads, width=16), job(Sum(heads=heads, width=16), seed=3)))
    assert float(str(found["error"])) <= 1e-12
    assert heads == 1 or float(str(found["error_with_heads_swapped"])) > 0.01


def test_a_swapped_order_of_heads_refutes_the_control(monkeypatch: pytest.MonkeyPatch):
    honest = CausalSelfAttention.project

    def swapped(self: CausalSelfAttention, x: Tensor, context: Context) -> tuple[Tensor, Tensor, Tensor]:
        q, k, v = honest(self, x, context)
        return q, k, v.roll(1, 1)

    def order(recipe: Recipe) -> str:
        jobs = [one for one in planned_jobs("heads", recipe) if one.params["task"] == "sum"]
        judged = {verdict.part: verdict for verdict in verdicts(recipe, evidence_of(jobs, run))}
        return judged["order of heads"].verdict

    four = replace(TINY, heads=(1, 4), several=4, width=16)
    assert order(four) == order(TINY) == "supported"
    monkeypatch.setattr(CausalSelfAttention, "project", swapped)
    assert order(four) == "refuted"
    assert order(TINY) == "inconclusive"  # with two heads the check is swapped back: never supported


def test_every_part_is_judged_once_and_says_whose_it_is(measured: Evidence):
    found = verdicts(TINY, measured)
    left_out = {"saturation", "most heads"}  # of a third number of heads
    assert len(found) == len({verdict.part for verdict in found})
    assert {verdict.part for verdict in found} == set(CLAIMS[0].parts) - left_out
    assert all((verdict.of == "report") == bool(verdict.quote) for verdict in found)
    assert all(verdict.statement == CLAIMS[0].parts[verdict.part] for verdict in found)
    judged = {verdict.part: verdict.verdict for verdict in found}
    assert judged["rank formula"] == "refuted"
    for part in ("rank bound", "causal weights", "order of heads", "equal cost"):
        assert judged[part] == "supported", part
    assert judged["learning"] == "inconclusive"  # nets of ten steps
    assert judged["first layer, one head"] == "inconclusive"  # more different characters than 16 features: nothing to exceed


def test_a_training_that_diverges_is_recorded(monkeypatch: pytest.MonkeyPatch):
    def diverge(*given: object) -> None:
        raise ErlangenError("the loss is no longer finite at step 3")

    monkeypatch.setattr(learning, "fit", diverge)
    found = named(learning.learn(LEARN, job(LEARN)))
    assert math.isnan(float(str(found["validation_loss"])))
    assert "test_loss" not in found


@pytest.mark.parametrize("kept", [0, 1, 4, 9, 99])
def test_figures_are_made_of_whatever_there_is(measured: Evidence, kept: int):
    some = Evidence(measured.results[:kept])
    made = figures(TINY, some)
    assert_drawn(made)
    answers(TINY, some, verdicts(TINY, some))
    if kept == 99:
        assert [figure.name for figure in made] == ["heads", "rates", "layers", "copying", "ranks"]


def test_a_text_of_the_users_own(tmp_path: Path):
    book = tmp_path / "book.txt"
    book.write_text("A dog ran to the old mill. It was cold and wet there, so it ran home again. " * 60, encoding="utf-8")
    recipe = replace(TINY, corpus=str(book), seeds=1)
    fetch(recipe)
    jobs = planned_jobs("heads", recipe)
    evidence = evidence_of(jobs, run)
    found = {verdict.part: verdict for verdict in verdicts(recipe, evidence)}
    assert not any(verdict.of == "report" for verdict in found.values())
    (made,) = answers(recipe, evidence, list(found.values()))
    assert made.beyond == "on your text (book.txt): does not judge the report's statement"
    book.write_text("Something else. " * 500, encoding="utf-8")
    with pytest.raises(DataError, match="has changed since this run began"):
        run(next(one for one in jobs if one.params["task"] == "learn"))
    book.write_text("Too short.", encoding="utf-8")
    with pytest.raises(DataError, match="choose a longer text or a smaller width"):
        fetch(recipe)


def test_the_same_nets_see_the_same_text_in_the_same_order():
    tasks = [read_task(Learn, one) for one in planned_jobs("heads", TINY) if one.params["task"] == "learn"]
    assert {replace(task, heads=1, lr=1.0) for task in tasks} == {replace(tasks[0], heads=1, lr=1.0)}
    assert {(task.heads, task.lr) for task in tasks} == {(h, lr) for h in TINY.heads for lr in TINY.rates}


@pytest.mark.parametrize(
    ("key", "value"),
    [("heads", (2, 4)), ("heads", (1,)), ("heads", (1, 4, 2)), ("several", 3), ("width", 20), ("rates", (2.0, 1.0))],
)
def test_recipes_that_cannot_be_judged_are_refused(key: str, value: object):
    with pytest.raises(ValueError, match=key):
        replace(PRESETS["quick"], **{key: value})  # type: ignore[arg-type]
