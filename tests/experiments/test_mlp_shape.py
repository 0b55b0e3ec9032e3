"""The shape of the MLP: what is measured against plainer programs, and exactness in float64."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from itertools import chain
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from support.figures import assert_drawn
from support.results import evidence_of
from torch import Tensor

from erlangen.data.files import DataError
from erlangen.errors import ErlangenError
from erlangen.experiments import planned_jobs
from erlangen.experiments.kit.evidence import Evidence
from erlangen.experiments.kit.tasks import job, read_task
from erlangen.experiments.mlp_shape import ARMS, CLAIMS, PRESETS, Recipe, fetch, learning, speed
from erlangen.experiments.mlp_shape.figures import figures
from erlangen.experiments.mlp_shape.gradients import gradients
from erlangen.experiments.mlp_shape.judge import answers, verdicts
from erlangen.experiments.mlp_shape.run import run
from erlangen.experiments.mlp_shape.shapes import DeepMLP, build, mlp_of
from erlangen.experiments.mlp_shape.tasks import Learn, Speed, Start, Vanish, inner_width
from erlangen.models.gpt import GPT, GPTConfig
from erlangen.records.runs import Measurement

TINY = Recipe(
    corpus="tales", seeds=2, arms=("wide", "deep"), rates=(1e-3, 1e-2), width=12, heads=2, block=16, batch=2, steps=50,
    threads=(1,), timed=0.01, wider=24,
)  # fmt: skip
LEARN = Learn(
    depth=4, residual=False, start="default", lr=1e-2, corpus="tales", digest="", layers=2, heads=2, width=12, block=16, batch=2,
    steps=50,
)  # fmt: skip
CONFIG = GPTConfig(vocabulary=20, block=16, layers=2, heads=2, width=12, dropout=0.0)


def named(measured: list[Measurement]) -> dict[str, object]:
    return {one.name: one.value for one in measured}


@pytest.fixture(scope="module", autouse=True)
def few_tales() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(learning, "TALES", 200)
        yield


@pytest.fixture(scope="module")
def measured(few_tales: None) -> Evidence:
    return evidence_of(planned_jobs("mlp-shape", TINY), run)


@pytest.mark.parametrize(("depth", "inner"), [(1, 256), (2, 128), (4, 85)])
def test_shapes_at_width_64(depth: int, inner: int):
    assert inner_width(64, depth) == inner
    count = sum(p.numel() for p in DeepMLP(64, depth).parameters())
    assert count == 2 * 64 * inner + (depth - 1) * inner**2
    assert count == pytest.approx(8 * 64**2, rel=0.01)


@pytest.mark.parametrize("width", [48, 64, 96, 128, 256])
@pytest.mark.parametrize("depth", [2, 3, 4, 8])
def test_all_shapes_have_the_parameters_of_the_wide_one(width: int, depth: int):
    k = inner_width(width, depth)
    assert 2 * width * k + (depth - 1) * k**2 == pytest.approx(8 * width**2, rel=0.02)


@pytest.mark.parametrize("residual", [False, True])
@pytest.mark.parametrize("depth", [1, 2, 4])
def test_the_mlp_is_the_plain_loop(depth: int, residual: bool):
    mlp = DeepMLP(12, depth, residual=residual).double()
    x = torch.randn(5, 12, dtype=torch.float64)
    weights = [linear.get_parameter("weight") for linear in mlp.linears]
    h = F.gelu(x @ weights[0].T, approximate="tanh")
    for weight in weights[1:-1]:
        new = F.gelu(h @ weight.T, approximate="tanh")
        h = new + h if residual else new
    torch.testing.assert_close(mlp(x), h @ weights[-1].T, rtol=1e-12, atol=1e-12)


def test_one_hidden_layer_is_the_gpts_own():
    plain = GPT(CONFIG)
    ours = build(CONFIG, 1, seed=0)
    for block, other in zip(ours.blocks, plain.blocks, strict=True):
        mlp_of(block).linears[0].get_parameter("weight").data = other.get_parameter("mlp.up.weight").data
        mlp_of(block).linears[1].get_parameter("weight").data = other.get_parameter("mlp.down.weight").data
        block.attention.load_state_dict(other.attention.state_dict())  # type: ignore[union-attr]
    ours.embed.load_state_dict(plain.embed.state_dict())
    ours.head.load_state_dict(plain.head.state_dict())
    tokens = torch.randint(20, (2, 16))
    torch.testing.assert_close(ours(tokens), plain(tokens))


@pytest.mark.parametrize(("start", "spread"), [("default", 1 / math.sqrt(3 * 256)), ("he", math.sqrt(2 / 256)), ("gpt2", 0.02)])
def test_the_first_weights_have_the_spread_that_they_are_said_to(start: Start, spread: float):
    config = replace(CONFIG, width=256, layers=2)
    mlp = mlp_of(build(config, 1, seed=0, start=start).blocks[0])
    first, last = (linear.get_parameter("weight") for linear in mlp.linears)
    assert float(first.detach().std()) == pytest.approx(spread, rel=0.02)
    of_last = {"default": 1 / math.sqrt(3 * 1024), "he": math.sqrt(2 / 1024) / 2, "gpt2": 0.01}
    assert float(last.detach().std()) == pytest.approx(of_last[start], rel=0.02)
    assert start != "default" or float(first.detach().abs().max()) <= 1 / 16


def test_everything_but_the_mlp_starts_alike():
    wide, deep = (dict(build(CONFIG, depth, seed=3).named_parameters()) for depth in (1, 4))
    shared = [name for name in wide if "mlp" not in name]
    assert shared == [name for name in deep if "mlp" not in name]
    assert all(torch.equal(wide[name], deep[name]) for name in shared)


def plain_gradients(model: GPT, rows: Tensor) -> tuple[list[list[float]], list[list[float]]]:
    """Norms of the gradients of weights and of outputs, (blocks, layers): weights from autograd, outputs from planted zeros."""
    planted: list[list[Tensor]] = [[] for _ in model.blocks]
    hooks = []
    for block, zeros in zip(model.blocks, planted, strict=True):
        for linear in mlp_of(block).linears:
            shape = (len(rows), rows.shape[1] - 1, linear.get_parameter("weight").shape[0])
            zeros.append(torch.zeros(shape, dtype=torch.float64, requires_grad=True))
            hooks.append(linear.register_forward_hook(lambda layer, given, out, zero=zeros[-1]: out + zero))
    logits = model(rows[:, :-1])
    loss = F.cross_entropy(logits.flatten(0, 1), rows[:, 1:].flatten())
    weights = [[linear.get_parameter("weight") for linear in mlp_of(block).linears] for block in model.blocks]
    flat = torch.autograd.grad(loss, [*chain(*weights), *chain(*planted)])
    for hook in hooks:
        hook.remove()
    sizes, layers = [float(one.norm()) for one in flat], len(weights[0])
    half = len(sizes) // 2
    return tuple(  # type: ignore[return-value]
        [[*part[at : at + layers]] for at in range(0, half, layers)] for part in (sizes[:half], sizes[half:])
    )


@pytest.mark.parametrize("depth", [1, 2, 4])
def test_gradients_are_those_of_autograd(depth: int):
    model = build(CONFIG, depth, seed=1).double()
    rows = torch.randint(20, (3, 17))
    found = gradients(model, rows)
    for ours, plain in zip((found.weights, found.signal), plain_gradients(model, rows), strict=True):
        expected = [math.prod(column) ** (1 / len(column)) for column in zip(*plain, strict=True)]
        assert ours == pytest.approx(expected, rel=1e-6)  # the head of the net takes its loss in float32
    assert found.weight_ratio == pytest.approx(found.weights[0] / found.weights[-1])


def test_measuring_gradients_leaves_no_trace():
    model = build(CONFIG, 4, seed=1).train()
    before = {name: p.clone() for name, p in model.named_parameters()}
    gradients(model, torch.randint(20, (3, 17)))
    assert model.training
    assert all(p.grad is None for p in model.parameters())
    assert all(torch.equal(p, before[name]) for name, p in model.named_parameters())
    assert not any(linear._forward_hooks for block in model.blocks for linear in mlp_of(block).linears)


def test_gradients_of_sigmoids_are_seen_to_vanish_and_of_gelus_from_the_start_of_he_are_not():
    sizes = {"layers": 2, "heads": 4, "width": 64, "block": 32}
    ratios = {}
    for activation, start in (("sigmoid", "default"), ("gelu", "he"), ("gelu", "gpt2")):
        for depth in (1, 4):
            task = Vanish(activation=activation, depth=depth, start=start, **sizes)  # type: ignore[arg-type]
            ratios[activation, start, depth] = named(run(replace(job(task), experiment="mlp-shape")))

    def relative(activation: str, start: str, name: str) -> float:
        deep, wide = (float(str(ratios[activation, start, depth][f"{name}_ratio_at_start"])) for depth in (4, 1))
        return deep / wide

    assert relative("sigmoid", "default", "weight") < 0.05
    assert relative("sigmoid", "default", "signal") < 0.05
    assert 0.5 < relative("gelu", "he", "signal") < 2
    assert relative("gelu", "gpt2", "signal") < 0.01  # the signal vanishes ...
    assert relative("gelu", "gpt2", "weight") > 0.5  # ... and the weights' ratio does not show it


def test_the_largest_rise_is_that_of_means_over_ten_steps():
    falling = [3 - 0.01 * step for step in range(100)]
    assert learning.largest_rise(falling) == 0
    spike = [*falling[:50], *[5.0] * 10, *falling[60:]]
    assert learning.largest_rise(spike) == pytest.approx(5.0 - (3 - 0.01 * 44.5))
    one = [*falling[:50], 5.0, *falling[51:]]
    assert learning.largest_rise(one) == pytest.approx((5.0 - falling[50]) / 10 - 0.1)
    assert learning.largest_rise([1.0]) == 0


def test_a_net_that_diverges_counts_as_a_uniform_guess(monkeypatch: pytest.MonkeyPatch):
    def diverge(*given: object, **more: object) -> None:
        raise ErlangenError("the loss is no longer finite at step 3")

    monkeypatch.setattr(learning, "fit", diverge)
    found = named(learning.learn(LEARN, job(LEARN)))
    assert found["diverged"] == 1
    assert found["bounded_loss"] == pytest.approx(math.log(learning.text(LEARN).tokenizer.size))
    assert "validation_loss" not in found


def test_a_training_records_what_it_reached():
    found = named(learning.learn(LEARN, job(LEARN)))
    assert found["diverged"] == 0
    assert float(str(found["validation_loss"])) <= float(str(found["bounded_loss"])) < math.log(80)
    assert len(found["weight_gradients_in_training"]) == len(found["signal_at_start"]) == 5  # type: ignore[arg-type]


def test_speeds_are_those_of_steps_that_take_turns():
    calls, now = list[str](), [0.0]

    def step(name: str, seconds: float) -> None:
        calls.append(name)
        now[0] += seconds

    steps = [lambda: step("wide", 1.0), lambda: step("deep", 2.0)]
    times = speed.taking_turns(steps, 0.0, clock=lambda: now[0])
    assert times == [[1.0] * speed.LEAST, [2.0] * speed.LEAST]
    assert calls == ["wide", "deep"] * (speed.WARM + speed.LEAST)


@pytest.mark.parametrize("threads", [1, 2])
def test_timings_use_as_many_threads_as_they_say_and_give_them_back(threads: int):
    before = torch.get_num_threads()
    task = Speed(threads=threads, depths=(1, 2, 4), layers=1, heads=2, width=12, block=16, batch=2, seconds=0.001)
    found = named(run(replace(job(task), experiment="mlp-shape")))
    assert found["threads"] == threads
    assert torch.get_num_threads() == before
    assert len(found["tokens_per_second"]) == 3  # type: ignore[arg-type]
    assert min(found["tokens_per_second"]) > 0  # type: ignore[call-overload]
    assert float(str(found["slowdown"])) >= 1


def test_every_part_is_judged_once_and_says_whose_it_is(measured: Evidence):
    found = verdicts(TINY, measured)
    left_out = {"loss, two hidden layers", "loss, inner residuals", "speed, 2 threads"}
    left_out |= {f"{what}, start of {whose}" for what in ("loss", "signal") for whose in ("He", "GPT-2")}
    assert len(found) == len({verdict.part for verdict in found})
    assert {verdict.part for verdict in found} == set(CLAIMS[0].parts) - left_out
    assert all((verdict.of == "report") == bool(verdict.quote) for verdict in found)
    assert all(verdict.statement == CLAIMS[0].parts[verdict.part] for verdict in found)
    judged = {verdict.part: verdict.verdict for verdict in found}
    assert judged["vanishing is seen"] == "supported"
    assert judged["loss"] == "inconclusive"  # nets of fifty steps
    whole = verdicts(Recipe(), Evidence((), tuple(planned_jobs("mlp-shape", replace(Recipe(), corpus="tales")))))
    assert {verdict.part for verdict in whole} == set(CLAIMS[0].parts)


def test_timings_run_alone_and_trainings_do_not():
    jobs = planned_jobs("mlp-shape", TINY)
    assert {one.exclusive for one in jobs if one.params["task"] == "speed"} == {True}
    assert {one.exclusive for one in jobs if one.params["task"] != "speed"} == {False}
    tasks = [read_task(Learn, one) for one in jobs if one.params["task"] == "learn" and one.seed == 0]
    assert {(task.depth, task.lr) for task in tasks} == {(ARMS[arm][0], lr) for arm in TINY.arms for lr in TINY.rates}


@pytest.mark.parametrize("kept", [0, 1, 3, 9, 99])
def test_figures_are_made_of_whatever_there_is(measured: Evidence, kept: int):
    some = Evidence(measured.results[:kept])
    made = figures(TINY, some)
    assert_drawn(made)
    answers(TINY, some, verdicts(TINY, some))
    if kept == 99:
        assert [figure.name for figure in made] == ["losses", "gradients", "rates", "speed"]


def test_a_text_of_the_users_own(tmp_path: Path):
    book = tmp_path / "book.txt"
    book.write_text("A dog ran to the old mill. It was cold and wet there, so it ran home again. " * 30, encoding="utf-8")
    recipe = replace(TINY, corpus=str(book), seeds=1)
    fetch(recipe)
    jobs = planned_jobs("mlp-shape", recipe)
    evidence = evidence_of([one for one in jobs if one.params["task"] in ("learn", "speed")], run)
    found = verdicts(recipe, evidence)
    assert not any(verdict.of == "report" for verdict in found)
    (made,) = answers(recipe, evidence, found)
    assert made.beyond == "on your text (book.txt): does not judge the report's statement"
    book.write_text("Something else. " * 200, encoding="utf-8")
    with pytest.raises(DataError, match="has changed since this run began"):
        run(next(one for one in jobs if one.params["task"] == "learn"))
    book.write_text("Too short.", encoding="utf-8")
    with pytest.raises(DataError, match="choose a longer text or a smaller batch"):
        fetch(recipe)


@pytest.mark.parametrize(("key", "value"), [("arms", ("broad",)), ("width", 30), ("wider", 32), ("rates", (2.0, 1.0))])
def test_recipes_that_cannot_be_judged_are_refused(key: str, value: object):
    with pytest.raises(ValueError, match=key):
        replace(PRESETS["quick"], **{key: value})  # type: ignore[arg-type]
