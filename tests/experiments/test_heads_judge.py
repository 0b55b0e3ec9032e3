"""Attention heads: the verdicts in worlds whose answer is known, and faults that must turn one."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from support.results import evidence_of, spoiled

from erlangen.experiments import planned_jobs
from erlangen.experiments.heads import QUOTES, Recipe
from erlangen.experiments.heads.judge import answers, verdicts
from erlangen.experiments.kit.evidence import Evidence
from erlangen.records.runs import Job, Measurement, Verdict

RECIPE = Recipe(corpus="tales", heads=(1, 4, 8), rates=(1e-3, 1e-2, 1e-1), windows=2, draws=4)
NETS = ("effective rank", "learning", "saturation", "most heads")
DRAWS, MOST = 200, 11  # worlds, and how many of them may be wrong: 2.5 % and three standard errors

Measured = dict[str, float | tuple[float, ...]]
Change = Callable[[Job, Measured], Measured | None]


def keep(job: Job, made: Measured) -> Measured:
    return made


def world(
    *, rank: float = 1.5, gain: float = 0.05, most: float = 0.05, last: float = 1.0, noise: float = 0.005, draw: int = 0,
    change: Change = keep, recipe: Recipe = RECIPE,
) -> Evidence:  # fmt: skip
    """As if 4 heads had `rank` times one head's effective rank and `gain` nats less loss; 8 heads `last` and `most` more."""
    rng = np.random.default_rng(draw)

    def measure(job: Job) -> list[Measurement] | None:
        made = change(job, {"learn": learned, "copy": copied, "ranks": counted, "sum": summed}[str(job.params["task"])](job))
        return None if made is None else [Measurement(name, value) for name, value in made.items()]

    def learned(job: Job) -> Measured:
        heads = int(str(job.params["heads"]))
        level = {1: 10.0, 4: 10.0 * rank, 8: 10.0 * rank * last}[heads] * math.exp(noise * rng.normal())
        loss = {1: 2.0, 4: 2.0 - gain, 8: 2.0 - gain + most}[heads] + noise * rng.normal()
        loss += 0.0 if job.params["lr"] == 1e-2 else 0.3
        full = float(recipe.width)
        return {
            "parameters": 1000.0, "products": 5000.0, "attention_weights": 100.0 * heads, "pair_loss": 2.5,
            "effective_rank_before": 8.0, "effective_rank_after": level, "validation_loss": loss, "test_loss": loss,
            "layer_ranks_after": (level, level), "distinct_tokens": (30.0, 31.0),
            "exact_ranks": (30.0, 31.0, full, full) if heads == 1 else (full,) * 4,
            "planted_exact_ranks": (20.0,) * 4,
        }  # fmt: skip

    def copied(job: Job) -> Measured:
        done = 99.0 - abs(rng.normal()) if job.params["heads"] != 1 else 2.0 + rng.normal()
        return {"copied": done, "copied_with_heads_swapped": 1.0}

    def counted(job: Job) -> Measured:
        made: Measured = {}
        for kind in ("causal", "bidirectional", "cancelling", "planted"):
            made |= {
                f"{kind}_draws": 4.0,
                f"{kind}_above": 4.0 * (kind == "planted"),
                f"{kind}_below": 4.0 * (kind == "cancelling"),
            }
            made[f"{kind}_singular"] = 4.0 * (kind == "cancelling")
        return made

    def summed(job: Job) -> Measured:
        return {"error": 1e-16, "error_with_heads_swapped": 1.0 if job.params["heads"] != 1 else 1e-16}

    return evidence_of(planned_jobs("heads", recipe), measure)


def judged(evidence: Evidence, recipe: Recipe = RECIPE) -> dict[str, Verdict]:
    return {verdict.part: verdict for verdict in verdicts(recipe, evidence)}


def outcomes(evidence: Evidence, recipe: Recipe = RECIPE) -> dict[str, str]:
    return {part: verdict.verdict for part, verdict in judged(evidence, recipe).items()}


def test_a_world_in_which_all_is_as_it_should_be():
    found = outcomes(world())
    assert found.pop("rank formula") == "refuted"
    assert set(found.values()) == {"supported"}
    assert {part for part, verdict in judged(world()).items() if verdict.of == "report"} == set(QUOTES)


@pytest.mark.parametrize(
    ("part", "name", "value", "outcome"),
    [
        ("effective rank", "rank", 1.2, "supported"),
        ("effective rank", "rank", 1.1, "inconclusive"),
        ("effective rank", "rank", 1.0, "refuted"),
        ("effective rank", "rank", 0.5, "refuted"),
        ("learning", "gain", 0.04, "supported"),
        ("learning", "gain", 0.02, "inconclusive"),
        ("learning", "gain", 0.0, "refuted"),
        ("learning", "gain", -0.1, "refuted"),
        ("saturation", "last", 1.0, "supported"),
        ("saturation", "last", 0.9, "supported"),
        ("saturation", "last", 1.1, "inconclusive"),
        ("saturation", "last", 1.3, "refuted"),
        ("most heads", "most", 0.05, "supported"),
        ("most heads", "most", 0.02, "inconclusive"),
        ("most heads", "most", -0.01, "refuted"),
    ],
)
def test_both_ways_and_on_the_edge(part: str, name: str, value: float, outcome: str):
    assert outcomes(world(**{name: value}))[part] == outcome  # type: ignore[arg-type]


def test_on_the_edge_few_worlds_are_decided():
    """Each quantity exactly on its edge, where either decision is wrong; 200 worlds with noise as large as the edges."""
    counts = {(part, wrong): 0 for part in NETS for wrong in ("supported", "refuted")}
    for draw in range(DRAWS):
        found = outcomes(world(rank=1.1, gain=0.02, most=0.02, last=1.1, noise=0.02, draw=draw))
        for part, wrong in counts:
            counts[part, wrong] += found[part] == wrong
    assert max(counts.values()) <= MOST, counts


@pytest.mark.parametrize(("gain", "rank", "most", "last"), [(0.3, 3.0, 0.3, 0.8), (-0.3, 0.5, -0.3, 2.0), (0.02, 1.1, 0.02, 1.1)])
def test_nets_no_better_than_pairs_of_characters_decide_nothing(gain: float, rank: float, most: float, last: float):
    def weak(job: Job, made: Measured) -> Measured:
        return {**made, "pair_loss": float(str(made["test_loss"])) + 0.05} if job.params["task"] == "learn" else made

    found = judged(world(gain=gain, rank=rank, most=most, last=last, change=weak))
    for part in NETS:
        assert found[part].verdict == "inconclusive"
        assert found[part].next_step.startswith("not trained: ")


@pytest.mark.parametrize(
    ("part", "change", "outcome"),
    [
        ("learning", spoiled("learn", "parameters", 1100.0, heads=4), "inconclusive"),
        ("learning", spoiled("learn", "products", 5100.0, heads=4), "inconclusive"),
        ("equal cost", spoiled("learn", "products", 5100.0, heads=4), "refuted"),
        ("equal cost", spoiled("learn", "attention_weights", 100.0), "inconclusive"),  # a counter that sees no softmax grow
        ("learning", spoiled("copy", "copied", 40.0, heads=4), "inconclusive"),
        ("learning", spoiled("copy", "copied", 98.0, heads=1), "inconclusive"),
        ("four sources", spoiled("copy", "copied", 98.0, heads=1), "refuted"),
        ("four sources", spoiled("copy", "copied_with_heads_swapped", 99.0, heads=4), "inconclusive"),
        ("order of heads", spoiled("sum", "error", 1e-3, heads=4), "refuted"),
        ("order of heads", spoiled("sum", "error_with_heads_swapped", 1e-16, heads=4), "inconclusive"),
        ("rank bound", spoiled("ranks", "bidirectional_above", 1.0, ), "refuted"),
        ("rank bound", spoiled("ranks", "planted_above", 0.0), "inconclusive"),
        ("rank formula", spoiled("ranks", "cancelling_below", 0.0), "supported"),
        ("rank formula", spoiled("ranks", "planted_above", 3.0), "inconclusive"),
        ("causal weights", spoiled("ranks", "causal_singular", 1.0), "refuted"),
        ("causal weights", spoiled("ranks", "causal_below", 1.0), "refuted"),
        ("causal weights", spoiled("ranks", "cancelling_singular", 0.0), "inconclusive"),
        ("first layer, one head", spoiled("learn", "exact_ranks", (31.0, 31.0, 64.0, 64.0), heads=1), "refuted"),
        ("first layer, one head", spoiled("learn", "exact_ranks", (30.0, 31.0, 64.0, 64.0), heads=4), "inconclusive"),
        ("later layers, one head", spoiled("learn", "exact_ranks", (30.0, 31.0, 64.0, 63.0), heads=1), "refuted"),
        ("later layers, one head", spoiled("learn", "planted_exact_ranks", (64.0,) * 4, heads=1), "inconclusive"),
        ("effective rank", spoiled("learn", "validation_loss", 1.0, heads=1, lr=1e-3), "inconclusive"),  # outermost rate
        ("learning", spoiled("learn", "validation_loss", 1.0, heads=4, lr=1e-1), "inconclusive"),
        ("most heads", spoiled("learn", "validation_loss", 1.0, heads=8, lr=1e-1), "inconclusive"),
        ("saturation", spoiled("learn", "validation_loss", 1.0, heads=8, lr=1e-1), "inconclusive"),
        ("effective rank", spoiled("learn", "effective_rank_after", math.nan, heads=1), "not measured"),
        ("learning", spoiled("learn", "test_loss", math.nan, heads=4), "not measured"),
        ("learning", spoiled("learn", "test_loss", 1.9, ), "inconclusive"),  # no spread at all
        ("rank bound", spoiled("ranks", "causal_draws", math.nan), "not measured"),
    ],
)  # fmt: skip
def test_faults_turn_a_verdict(part: str, change: Change, outcome: str):
    assert outcomes(world())[part] != outcome
    assert outcomes(world(change=change))[part] == outcome


def test_a_rate_that_diverges_is_left_out_and_the_others_decide():
    found = outcomes(world(change=spoiled("learn", "validation_loss", math.nan, lr=1e-1)))
    assert found["learning"] == "supported"


@pytest.mark.parametrize(
    ("task", "part"), [("learn", "learning"), ("copy", "four sources"), ("ranks", "rank formula"), ("sum", "order of heads")]
)
def test_missing_jobs_are_not_measured(task: str, part: str):
    gone = world(change=lambda job, made: None if job.params["task"] == task and job.seed == 0 else made)
    assert judged(gone)[part].verdict == "not measured"
    assert "run the same command again" in judged(gone)[part].next_step
    assert {verdict.verdict for verdict in judged(Evidence(())).values()} == {"not measured"}


def test_one_seed_decides_nothing_about_nets():
    one = replace(RECIPE, seeds=1)
    for gain in (-0.5, 0.5):
        found = outcomes(world(gain=gain, rank=3.0, recipe=one), one)
        assert {found[part] for part in (*NETS, "four sources")} == {"inconclusive"}


def test_two_numbers_of_heads_are_enough_for_the_report():
    two = replace(RECIPE, heads=(1, 4))
    found = outcomes(world(recipe=two), two)
    assert found["effective rank"] == found["learning"] == "supported"
    assert not {"saturation", "most heads"} & set(found)


def test_the_answer_is_made_of_numbers():
    (made,) = answers(RECIPE, world(), verdicts(RECIPE, world()))
    assert (made.claim, made.answer, made.figure) == ("T4", "partly", "heads")
    assert made.sentence.startswith(
        "At equal cost, on generated tales, the attention output of 4 heads has an effective rank of 15.0 of 64 and that of one "
        "head 10.0; their losses are 1.95"
    )
    assert made.sentence.endswith("and was below it in 24 of 72 products.")
    (none,) = answers(RECIPE, Evidence(()), verdicts(RECIPE, Evidence(())))
    assert none.answer == "not measured"
