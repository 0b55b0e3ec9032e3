"""The shape of the MLP: the verdicts in worlds whose answer is known, and faults that must turn one."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from support.results import evidence_of, spoiled

from erlangen.experiments import planned_jobs
from erlangen.experiments.kit.evidence import Evidence
from erlangen.experiments.mlp_shape import QUOTES, Recipe
from erlangen.experiments.mlp_shape.judge import answers, verdicts
from erlangen.records.runs import Job, Measurement, Verdict

RECIPE = Recipe(corpus="tales", rates=(1e-3, 1e-2, 1e-1))
LOSSES = ("loss", "loss, two hidden layers", "loss, inner residuals", "loss, start of He", "loss, start of GPT-2")
TRAINED = (*LOSSES, "vanishing gradients", "signal in training", "instability")
DRAWS, MOST = 200, 11  # worlds, and how many of them may be wrong: 2.5 % and three standard errors

Measured = dict[str, float | tuple[float, ...]]
Change = Callable[[Job, Measured], Measured | None]


def keep(job: Job, made: Measured) -> Measured:
    return made


def world(
    *, gap: float = 0.05, weights: float = 0.01, signal: float = 0.1, cost: float = 0.1, faster: float = 1.2, he: float = 0.9,
    gpt2: float = 0.001, noise: float = 0.003, draw: int = 0, change: Change = keep, recipe: Recipe = RECIPE,
) -> Evidence:  # fmt: skip
    """As if deeper shapes had `gap` more loss, these shares of the wide one's gradients, `cost` more lost by a poor rate."""
    rng = np.random.default_rng(draw)

    def measure(job: Job) -> list[Measurement] | None:
        task = str(job.params["task"])
        made = change(job, {"learn": learned, "shake": shaken, "vanish": vanished, "speed": timed}[task](job))
        return None if made is None else [Measurement(name, value) for name, value in made.items()]

    def learned(job: Job) -> Measured:
        depth = int(str(job.params["depth"]))
        deep = depth > 1
        loss = 2.0 + gap * deep + noise * rng.normal()
        poor = 0.0 if job.params["lr"] == 1e-2 else 0.3 + 1.5 * cost * deep  # at two of three rates
        start = {"default": 1.0, "he": he, "gpt2": gpt2}[str(job.params["start"])]

        def share(of: float) -> float:
            return 0.4 * (of if deep else 1.0) * math.exp(noise * rng.normal())

        return {
            "parameters": 1000.0, "pair_loss": 2.5, "validation_loss": loss + poor, "test_loss": loss + poor,
            "bounded_loss": loss + poor, "diverged": 0.0, "weight_ratio_in_training": share(weights),
            "signal_ratio_in_training": share(signal), "signal_ratio_at_start": share(start), "weight_ratio_at_start": share(1.0),
            **{
                f"{what}_{when}": tuple(1.0 + layer for layer in range(depth + 1))
                for what in ("weight_gradients", "signal")
                for when in ("at_start", "in_training")
            },
        }  # fmt: skip

    def shaken(job: Job) -> Measured:
        return {**learned(job), "bounded_loss": 3.2 + noise * rng.normal()}

    def vanished(job: Job) -> Measured:
        ratio = 0.1 if job.params["depth"] == 1 else 0.0005
        return {"weight_ratio_at_start": ratio, "signal_ratio_at_start": ratio}

    def timed(job: Job) -> Measured:
        speeds = [1000 * share * math.exp(noise * rng.normal()) for share in (faster, 1.0, 1.0)]
        return {
            "tokens_per_second": tuple(speeds), "slowdown": 1.1,
            "threads": float(str(job.params["threads"])),
        }  # fmt: skip

    return evidence_of(planned_jobs("mlp-shape", recipe), measure)


def judged(evidence: Evidence, recipe: Recipe = RECIPE) -> dict[str, Verdict]:
    return {verdict.part: verdict for verdict in verdicts(recipe, evidence)}


def outcomes(evidence: Evidence, recipe: Recipe = RECIPE) -> dict[str, str]:
    return {part: verdict.verdict for part, verdict in judged(evidence, recipe).items()}


def test_a_world_in_which_the_report_is_right():
    found = judged(world())
    assert {verdict.verdict for verdict in found.values()} == {"supported"}
    assert {part for part, verdict in found.items() if verdict.of == "report"} == set(QUOTES)


def test_a_world_in_which_shapes_make_no_difference():
    found = outcomes(world(gap=0.0, weights=1.0, signal=1.0, cost=0.0, faster=1.0, he=1.0, gpt2=1.0))
    controls = ("signal, start of He", "vanishing is seen", "instability is seen", "equal size")
    assert all(found.pop(part) == "supported" for part in controls)
    assert set(found.values()) == {"refuted"}


@pytest.mark.parametrize(
    ("part", "name", "value", "outcome"),
    [
        *((part, "gap", value, outcome) for part in LOSSES for value, outcome in (
            (0.04, "supported"), (0.02, "inconclusive"), (0.0, "refuted"), (-0.1, "refuted"))),
        ("vanishing gradients", "weights", 0.05, "supported"),
        ("vanishing gradients", "weights", 0.1, "inconclusive"),
        ("vanishing gradients", "weights", 0.2, "refuted"),
        ("signal in training", "signal", 0.4, "supported"),
        ("signal in training", "signal", 0.5, "inconclusive"),
        ("signal in training", "signal", 0.6, "refuted"),
        ("signal, start of He", "he", 0.6, "supported"),
        ("signal, start of He", "he", 0.5, "inconclusive"),
        ("signal, start of He", "he", 0.4, "refuted"),
        ("signal, start of GPT-2", "gpt2", 0.1, "inconclusive"),
        ("signal, start of GPT-2", "gpt2", 0.5, "refuted"),
        ("instability", "cost", 0.06, "supported"),
        ("instability", "cost", 0.02, "inconclusive"),
        ("instability", "cost", -0.05, "refuted"),
        ("speed, 1 thread", "faster", 1.1, "supported"),
        ("speed, 1 thread", "faster", 1.05, "inconclusive"),
        ("speed, 2 threads", "faster", 1.0, "refuted"),
        ("speed, wider nets", "faster", 0.8, "refuted"),
    ],
)  # fmt: skip
def test_both_ways_and_on_the_edge(part: str, name: str, value: float, outcome: str):
    assert outcomes(world(**{name: value}))[part] == outcome  # type: ignore[arg-type]


def test_on_the_edge_few_worlds_are_decided():
    """Each quantity exactly on its edge, where either decision is wrong; 200 worlds with noise as large as the edges."""
    few = replace(RECIPE, arms=("wide", "deep", "wide-he", "deep-he"))
    nets = ("loss", "loss, start of He", "vanishing gradients", "signal in training", "instability")
    parts = (*nets, "speed, 1 thread", "signal, start of He")
    counts = {(part, wrong): 0 for part in parts for wrong in ("supported", "refuted")}
    for draw in range(DRAWS):
        evidence = world(gap=0.02, weights=0.1, signal=0.5, cost=0.02, faster=1.05, he=0.5, noise=0.02, draw=draw, recipe=few)
        found = outcomes(evidence, few)
        for part, wrong in counts:
            counts[part, wrong] += found[part] == wrong
    assert max(counts.values()) <= MOST, counts


@pytest.mark.parametrize(("gap", "weights", "cost"), [(0.3, 0.01, 0.3), (-0.3, 1.0, -0.1), (0.02, 0.1, 0.02)])
def test_nets_no_better_than_pairs_of_characters_decide_nothing(gap: float, weights: float, cost: float):
    def weak(job: Job, made: Measured) -> Measured:
        return {**made, "pair_loss": float(str(made["test_loss"])) + 0.05} if job.params["task"] == "learn" else made

    found = judged(world(gap=gap, weights=weights, cost=cost, change=weak))
    for part in TRAINED:
        assert found[part].verdict == "inconclusive"
        assert found[part].next_step.startswith("not trained: ")


@pytest.mark.parametrize(
    ("part", "change", "outcome"),
    [
        ("equal size", spoiled("learn", "parameters", 1020.0, depth=4), "refuted"),
        ("loss", spoiled("learn", "parameters", 1020.0, depth=4), "inconclusive"),
        ("vanishing gradients", spoiled("learn", "parameters", 1020.0, depth=4), "inconclusive"),
        ("loss", spoiled("learn", "validation_loss", 1.0, depth=1, lr=1e-1), "inconclusive"),  # outermost rate
        ("vanishing is seen", spoiled("vanish", "weight_ratio_at_start", 0.05, depth=4), "refuted"),
        ("vanishing is seen", spoiled("vanish", "signal_ratio_at_start", math.nan, depth=4), "refuted"),
        ("vanishing gradients", spoiled("vanish", "weight_ratio_at_start", 0.05, depth=4), "inconclusive"),
        ("signal in training", spoiled("vanish", "signal_ratio_at_start", 0.05, depth=4), "inconclusive"),
        ("instability is seen", spoiled("shake", "bounded_loss", 2.0), "refuted"),
        ("instability", spoiled("shake", "bounded_loss", 2.0), "inconclusive"),
        ("instability", spoiled("learn", "bounded_loss", math.nan, depth=4, start="default"), "not measured"),
        ("speed, 1 thread", spoiled("speed", "slowdown", 1.6, threads=1), "inconclusive"),
        ("speed, 2 threads", spoiled("speed", "threads", 1.0, threads=2), "inconclusive"),
        ("speed, 1 thread", spoiled("speed", "tokens_per_second", (1.0, 2.0)), "not measured"),
        ("speed, 1 thread", spoiled("speed", "tokens_per_second", (2.0, 1.5, 1.0)), "inconclusive"),  # no spread at all
        ("loss", spoiled("learn", "test_loss", math.nan, depth=1), "not measured"),
        ("loss", spoiled("learn", "test_loss", 2.0), "inconclusive"),  # no spread at all
        ("signal, start of He", spoiled("learn", "signal_ratio_at_start", 0.0), "not measured"),
    ],
)  # fmt: skip
def test_faults_turn_a_verdict(part: str, change: Change, outcome: str):
    assert outcomes(world())[part] == "supported"
    assert outcomes(world(change=change))[part] == outcome


def test_nets_that_diverge_at_a_rate_count_as_unstable_and_do_not_stop_the_rest():
    def diverge(job: Job, made: Measured) -> Measured:
        if job.params["task"] == "learn" and job.params["depth"] == 4 and job.params["lr"] == 1e-1:
            kept = {name: made[name] for name in ("parameters", "pair_loss", "signal_ratio_at_start")}
            return {**kept, "bounded_loss": 3.3, "diverged": 1.0}
        return made

    found = judged(world(cost=0.0, change=diverge))
    assert found["instability"].verdict == found["loss"].verdict == "supported"
    assert "Nets that diverged: 6 of 18 (4 × 85) and 0 of 18 (1 × 256)." in found["instability"].note


@pytest.mark.parametrize(
    ("task", "part"),
    [
        ("learn", "loss"),
        ("shake", "instability is seen"),
        ("vanish", "vanishing is seen"),
        ("speed", "speed, 1 thread"),
    ],
)
def test_missing_jobs_are_not_measured(task: str, part: str):
    gone = world(change=lambda job, made: None if job.params["task"] == task and job.seed == 0 else made)
    assert judged(gone)[part].verdict == "not measured"
    assert "run the same command again" in judged(gone)[part].next_step
    assert {verdict.verdict for verdict in judged(Evidence(())).values()} == {"not measured"}


def test_one_seed_decides_nothing_about_nets():
    one = replace(RECIPE, seeds=1)
    for gap in (-0.5, 0.5):
        found = outcomes(world(gap=gap, recipe=one), one)
        assert {found[part] for part in (*TRAINED, "speed, 1 thread")} == {"inconclusive"}


def test_the_answer_is_made_of_numbers():
    evidence = world(gap=-0.05, weights=1.5, faster=1.1)
    (made,) = answers(RECIPE, evidence, verdicts(RECIPE, evidence))
    assert (made.claim, made.answer, made.figure) == ("T5", "partly", "losses")
    assert re.match(
        r"At equal parameters, on generated tales, the loss is [12]\.\d{3} nats per character with 1 hidden", made.sentence
    )
    assert re.search(r"layer of 256 and 1\.9\d\d with 4 of 85\.", made.sentence)
    assert made.sentence.endswith("On 1 thread, the wide net trains 1.10 times as fast as the deep one.")
    (none,) = answers(RECIPE, Evidence(()), verdicts(RECIPE, Evidence(())))
    assert none.answer == "not measured"
