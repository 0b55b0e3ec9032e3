"""Depth, and the node itself: the verdicts in worlds whose answer is known, and faults that must turn one."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from support.results import evidence_of, spoiled

from erlangen.experiments import planned_jobs
from erlangen.experiments.kit.evidence import Evidence
from erlangen.experiments.oversmoothing import CLAIMS, OF_NETS, Recipe
from erlangen.experiments.oversmoothing.accuracy_parts import lead_in_words, prevented_in_words
from erlangen.experiments.oversmoothing.judge import answers, verdicts
from erlangen.experiments.oversmoothing.run import run
from erlangen.records.runs import Answer, Job, Measurement, Verdict
from erlangen.statistics.intervals import Interval

ARMS = ("root", "none", "loops", "wide", "normalized", "alone")
RECIPE = Recipe(data="blocks", seeds=8, arms=ARMS, depths=(2, 16), deep=16, rates=(1e-4, 1e-3, 1e-2))
FEW = replace(RECIPE, seeds=5, arms=("root", "none", "loops", "alone"))
IN_PLACE = {"deep, self-loops": "loops", "deep, equal parameters": "wide", "deep, LayerNorm": "normalized"}
LOSS, LEAD = "loss with depth, B against none", "deep, B against none"
TRAINED = ("energy after training", "accuracy of deep nets", LOSS, LEAD, *IN_PLACE)
UNTRAINED = ("energy before training", "identity", "weight scale, tanh")
TO_PREVENT = "deep nets without B are seen to over-smooth"
DRAWS, MOST = 200, 11  # worlds, and how many of them may be wrong: 2.5 % and three standard errors

Measured = dict[str, float | tuple[float, ...]]
Change = Callable[[Job, Measured], Measured | None]


def keep(job: Job, made: Measured) -> Measured:
    return made


@cache
def plan(recipe: Recipe) -> tuple[Job, ...]:
    return tuple(planned_jobs("oversmoothing", recipe))


@cache
def seen(seed: int) -> Measured:
    job = next(job for job in plan(RECIPE) if job.params["task"] == "itself" and job.seed == seed)
    return {measurement.name: measurement.value for measurement in run(job)}


def kind(job: Job) -> str:
    """'root', or 'none tanh 4' for an arm with another activation or scale."""
    arm, activation, scale = (job.params[name] for name in ("arm", "activation", "scale"))
    return str(arm) if (activation, scale) == ("relu", 1.0) else f"{arm} {activation} {scale:g}"


def world(
    scores: dict[str, float] | None = None, *, before: float = 0.1, after: float = 0.3, identity: float = 5.0, large: float = 5.0,
    averaged: float = 0.05, noise: float = 0.02, scatter: float = 0.5, draw: int = 1, change: Change = keep,
    recipe: Recipe = RECIPE, shallow: dict[str, float] | None = None, without: tuple[float, float] = (0.008, 0.3),
) -> Evidence:  # fmt: skip
    """As if shallow nets scored 70 % and deep ones so much, 60 % but for `alone`; with these shares of energies kept.

    shallow: what shallow nets of an arm score, where it is not 70 %. without: shares of energy that nets without B keep, before
    and after training. identity, large: how many times as much the arms `residual` and `tanh large` keep before training as
    those beside them.
    noise: of logarithms of energies; scatter: of scores, in points. change: the last word on what a job measured.
    """
    deep = dict.fromkeys(ARMS, 60.0) | {"alone": 20.0} | (scores or {})
    rng = np.random.default_rng(draw)
    shares = {"root": before, "residual": identity * before, "none tanh 4": 0.02 * large, "none tanh 1": 0.02}

    def level(share: float) -> float:
        return 0.5 * share * math.exp(noise * rng.normal())

    def started(job: Job) -> Measured:
        if kind(job) in ("none", "none relu 4"):
            return {"energy": (0.5, 0.5 * without[0] + 1e-9 * job.seed), "distance": (0.5, 0.01)}
        return {"energy": (level(1.0), level(shares.get(kind(job), 0.1))), "distance": (0.5, 0.01)}

    def trained(job: Job) -> Measured:
        first, poor, arm = job.params["depth"] == 2, 0.0 if job.params["lr"] == 1e-3 else 5.0, str(job.params["arm"])
        score = ((shallow or {}).get(arm, 70.0) if first else deep[arm]) + scatter * rng.normal()
        energy = level(1.0 if first else without[1] if kind(job) == "none" else after)
        return {
            "train_accuracy": 100.0, "test_accuracy": score, "validation_accuracy": score - poor, "energy": energy,
            "distance": energy, "epochs": 50.0, "classes_predicted": 4.0, "commonest_class": 25.0,
        }  # fmt: skip

    def propagated(job: Job) -> Measured:
        nodes = 90.0 if job.params["component"] == "giant" else 100.0
        kept = averaged if nodes == 90 else 10 * averaged
        return {"nodes": nodes, "energy": (4.0, 1.0, kept), "distance": (1.0, 0.5, 0.1)}

    makers = {"itself": lambda job: seen(job.seed), "start": started, "train": trained, "propagate": propagated}

    def measure(job: Job) -> list[Measurement] | None:
        made = change(job, makers[str(job.params["task"])](job))
        return None if made is None else [Measurement(name, value) for name, value in made.items()]

    return evidence_of(plan(recipe), measure)


def judged(evidence: Evidence, recipe: Recipe = RECIPE) -> dict[str, Verdict]:
    return {verdict.part: verdict for verdict in verdicts(recipe, evidence)}


def outcomes(evidence: Evidence, recipe: Recipe = RECIPE) -> dict[str, str]:
    return {part: verdict.verdict for part, verdict in judged(evidence, recipe).items()}


def answered(evidence: Evidence, recipe: Recipe = RECIPE) -> Answer:
    (only,) = answers(recipe, evidence, verdicts(recipe, evidence))
    return only


def test_a_world_in_which_the_report_is_right():
    found = judged(world({"root": 70.0, "loops": 70.0, "wide": 70.0, "normalized": 70.0}, before=0.8, after=0.8))
    assert {verdict.verdict for verdict in found.values()} == {"supported"}
    assert list(found) == list(CLAIMS[0].parts)  # in this order, each once
    quotes = {"one layer": "Without B the update is independent of h_v", **dict.fromkeys(OF_NETS, "B prevents over-smoothing.")}
    assert {part: verdict.quote for part, verdict in found.items() if verdict.quote} == quotes
    assert all((verdict.of == "report") == bool(verdict.quote) for verdict in found.values())


def test_a_world_in_which_b_does_harm():
    found = outcomes(world({"root": 40.0}, before=0.01, after=0.05, identity=1.0, large=1.0))
    refuted = {*OF_NETS, LEAD, "identity", "weight scale, tanh"}
    assert {part for part, outcome in found.items() if outcome == "refuted"} == refuted
    assert {outcome for part, outcome in found.items() if part not in refuted} == {"supported"}


@pytest.mark.parametrize(
    ("part", "name", "value", "outcome"),
    [
        ("energy before training", "before", 0.6, "supported"),
        ("energy before training", "before", 0.5, "inconclusive"),
        ("energy before training", "before", 0.4, "refuted"),
        ("energy after training", "after", 0.6, "supported"),
        ("energy after training", "after", 0.5, "inconclusive"),
        ("energy after training", "after", 0.4, "refuted"),
        ("identity", "identity", 2.4, "supported"),
        ("identity", "identity", 2.0, "inconclusive"),
        ("identity", "identity", 1.0, "refuted"),
        ("weight scale, tanh", "large", 2.4, "supported"),
        ("weight scale, tanh", "large", 2.0, "inconclusive"),
        ("weight scale, tanh", "large", 0.5, "refuted"),
        ("energy without weights", "averaged", 0.6, "refuted"),
        ("energy without weights", "averaged", 0.5, "supported"),  # exactly half is not more
    ],
)
def test_energies_both_ways_and_on_the_edge(part: str, name: str, value: float, outcome: str):
    assert outcomes(world(**{name: value}))[part] == outcome  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("part", "scores", "outcome"),
    [
        ("accuracy of deep nets", {"root": 80.0}, "supported"),
        ("accuracy of deep nets", {"root": 68.8}, "supported"),
        ("accuracy of deep nets", {"root": 67.0}, "inconclusive"),
        ("accuracy of deep nets", {"root": 65.2}, "refuted"),
        (LOSS, {"root": 65.5}, "supported"),
        (LOSS, {"root": 63.0}, "inconclusive"),
        (LOSS, {"root": 60.0}, "refuted"),
        ("deep, B against none", {"root": 64.8}, "supported"),
        ("deep, B against none", {"root": 63.0}, "inconclusive"),
        ("deep, B against none", {"root": 61.2}, "refuted"),
        ("deep, B against none", {"root": 30.0}, "refuted"),
        *((part, {arm: 58.8}, "supported") for part, arm in IN_PLACE.items()),
        *((part, {arm: 57.0}, "inconclusive") for part, arm in IN_PLACE.items()),
        *((part, {arm: 55.2}, "refuted") for part, arm in IN_PLACE.items()),
    ],
)
def test_scores_both_ways_and_on_the_edge(part: str, scores: dict[str, float], outcome: str):
    assert outcomes(world(scores))[part] == outcome


def test_on_the_edge_few_worlds_are_decided():
    """Each quantity exactly on its edge, where either decision is wrong; 200 worlds with noise as large as the edges."""
    parts = (*UNTRAINED, "energy after training", "accuracy of deep nets", LOSS, LEAD, "deep, self-loops")
    counts = {(part, wrong): 0 for part in parts for wrong in ("supported", "refuted")}
    for draw in range(DRAWS):
        evidence = world(
            {"root": 67.0, "none": 64.0, "loops": 64.0}, before=0.5, after=0.5, identity=2.0, large=2.0, noise=0.5, scatter=3.0,
            draw=draw, recipe=FEW,
        )  # fmt: skip
        found = outcomes(evidence, FEW)
        for part, wrong in counts:
            counts[part, wrong] += found[part] == wrong
    assert max(counts.values()) <= MOST, counts


@pytest.mark.parametrize("root", [20.0, 60.0, 95.0])
@pytest.mark.parametrize("after", [1.0, 1e-9])
@pytest.mark.parametrize("fit", [25.0, 57.0, 94.5])
def test_nets_that_did_not_train_at_the_depth_compared_decide_nothing(root: float, after: float, fit: float):
    """Deep nets at chance, or just short of the fit: never supported, never refuted, whatever they score."""
    found = judged(world({"root": root}, after=after, change=spoiled("train", "train_accuracy", fit, depth=16, arm="root")))
    for part in TRAINED:
        assert found[part].verdict == "inconclusive", part
        assert found[part].next_step.startswith("not trained: ")
        assert "with B, 16 layers seed 0" in found[part].next_step


@pytest.mark.parametrize(
    ("arm", "depth", "opened"),
    [
        ("root", 16, set(TRAINED)),
        ("root", 2, {"energy after training", "accuracy of deep nets", LOSS}),
        ("none", 16, {"energy after training", "accuracy of deep nets", LOSS, LEAD}),  # whether there is anything to prevent
        ("wide", 16, {"deep, equal parameters"}),
        ("none", 2, {"energy after training", "accuracy of deep nets", LOSS}),
        ("wide", 2, set()),  # nobody compares it
    ],
)
def test_one_net_short_of_its_fit_opens_what_compares_it(arm: str, depth: int, opened: set[str]):
    short = spoiled("train", "train_accuracy", 94.9, arm=arm, depth=depth, seed=5)
    found = judged(world({"root": 75.0, "loops": 75.0, "wide": 75.0, "normalized": 75.0}, after=0.9, change=short))
    assert {part for part in TRAINED if found[part].verdict == "inconclusive"} == opened
    steps = [found[part].next_step for part in opened]
    assert all("94.9 %, needs 95" in step or step == "a check was not measured: " + TO_PREVENT for step in steps)


def test_the_fit_itself_is_enough():
    found = outcomes(world({"root": 40.0}, change=spoiled("train", "train_accuracy", 95.0)))
    assert found["accuracy of deep nets"] == "refuted"


def test_a_rate_at_which_nets_did_not_train_is_not_chosen_however_well_they_score():
    """At the middle rate one net of eight falls short and all others are best: the next rate is compared, and is outermost."""
    found = judged(world(change=spoiled("train", "train_accuracy", 50.0, arm="root", depth=16, lr=1e-3, seed=2)))
    assert "with B, 16 layers at 0.0001 is an outermost one" in found["deep, B against none"].next_step


def test_a_rate_at_which_a_net_diverged_is_not_chosen():
    def diverge(job: Job, made: Measured) -> Measured:
        mine = (job.params.get("arm"), job.params.get("depth"), job.params.get("lr"), job.seed) == ("root", 16, 1e-2, 2)
        return {"epochs": 3.0, "diverged": 1.0} if mine else made

    found = judged(world({"root": 75.0}, change=diverge))["accuracy of deep nets"]
    assert found.verdict == "supported"
    assert "Best learning rates: 0.001 with B, 16 layers" in found.note


@pytest.mark.parametrize(
    ("part", "change", "outcome"),
    [
        ("one layer", spoiled("itself", "undirected_none_1", 1, seed=3), "refuted"),  # a node sees itself without B
        ("one layer", spoiled("itself", "acyclic_root_1", 19, seed=3), "inconclusive"),  # the probe misses one that it must see
        ("one layer", spoiled("itself", "undirected_none_1", math.nan, seed=3), "not measured"),
        ("two layers", spoiled("itself", "acyclic_none_2", 2, seed=3), "refuted"),
        ("two layers", spoiled("itself", "undirected_none_2", 0, seed=3), "refuted"),
        ("two layers", spoiled("itself", "undirected_root_2", 19, seed=3), "inconclusive"),
        ("energy before training", spoiled("propagate", "energy", (4.0, 1.0, 0.9), arm="none"), "inconclusive"),  # no control
        ("energy after training", spoiled("propagate", "energy", (4.0, 1.0, 0.9), arm="none"), "inconclusive"),
        ("energy before training", spoiled("start", "energy", (0.5, math.nan), arm="root", seed=1), "not measured"),
        ("energy before training", spoiled("start", "energy", (0.5, 0.3), arm="root"), "inconclusive"),  # no spread at all
        ("energy before training", spoiled("start", "energy", (0.5,), arm="root", seed=1), "not measured"),
        ("energy after training", spoiled("train", "energy", math.nan, arm="root", depth=16, seed=4), "not measured"),
        ("energy after training", spoiled("train", "energy", 0.3, arm="root"), "inconclusive"),
        ("energy after training", spoiled("train", "validation_accuracy", 99.0, arm="root", depth=2, lr=1e-2), "inconclusive"),
        ("accuracy of deep nets", spoiled("train", "test_accuracy", 70.0, arm="alone"), "inconclusive"),  # no control
        ("accuracy of deep nets", spoiled("train", "test_accuracy", 60.0, arm="root"), "inconclusive"),  # no spread at all
        ("accuracy of deep nets", spoiled("train", "test_accuracy", math.nan, arm="root", seed=0), "not measured"),
        ("accuracy of deep nets", spoiled("train", "validation_accuracy", 99.0, arm="root", depth=16, lr=1e-4), "inconclusive"),
        ("deep, B against none", spoiled("train", "test_accuracy", 70.0, arm="alone"), "inconclusive"),
        ("deep, B against none", spoiled("train", "validation_accuracy", 99.0, arm="none", lr=1e-2), "inconclusive"),
        ("deep, self-loops", spoiled("train", "test_accuracy", 70.0, arm="alone"), "inconclusive"),
        ("deep, LayerNorm", spoiled("train", "validation_accuracy", 99.0, arm="normalized", lr=1e-2), "inconclusive"),
        ("identity", spoiled("start", "energy", (0.5, 0.0), arm="residual", seed=1), "not measured"),
        ("weight scale, tanh", spoiled("start", "energy", (0.0, 0.1), activation="tanh", seed=1), "not measured"),
        ("weight scale, relu", spoiled("start", "energy", (0.5, 0.005), activation="relu", scale=4.0, seed=1), "refuted"),
        ("weight scale, relu", spoiled("start", "energy", (0.5, 0.01), activation="tanh"), "inconclusive"),  # no control
        ("weight scale, relu", spoiled("start", "energy", (0.5, math.nan), arm="none", scale=4.0), "not measured"),
        ("energy without weights", spoiled("propagate", "energy", (4.0, 1.0, math.nan), arm="root", seed=0), "not measured"),
        ("energy without weights", spoiled("propagate", "energy", (4.0, 0.0, 0.0), arm="root", seed=0), "not measured"),
        ("small components", spoiled("propagate", "energy", (4.0, 1.0, 0.05), arm="none"), "refuted"),
        ("small components", spoiled("propagate", "energy", (4.0, 1.0, 0.0), component="giant", seed=0), "not measured"),
        ("depth alone", spoiled("train", "train_accuracy", 94.0, arm="alone", depth=16, seed=2), "refuted"),
        ("depth alone", spoiled("train", "train_accuracy", math.nan, arm="alone", depth=16, seed=2), "not measured"),
    ],
)
def test_faults_turn_a_verdict(part: str, change: Change, outcome: str):
    right = {"root": 70.0, "loops": 70.0, "wide": 70.0, "normalized": 70.0, "none": 60.0}
    assert outcomes(world(right, before=0.8, after=0.8, change=change))[part] == outcome


def test_a_graph_of_one_component_has_no_small_ones():
    assert "small components" not in judged(world(change=spoiled("propagate", "nodes", 100.0)))


def test_missing_jobs_are_not_measured():
    def fail(job: Job, made: Measured) -> Measured | None:
        return None if (job.params.get("arm"), job.seed) == ("root", 3) else made

    found = judged(world(change=fail))
    for part in (*TRAINED, "energy before training", "identity", "energy without weights"):
        assert found[part].verdict == "not measured"
        assert "run the same command again" in found[part].next_step
    assert found["depth alone"].verdict == "supported"
    assert {verdict.verdict for verdict in judged(Evidence(())).values()} == {"not measured"}


@pytest.mark.parametrize("root", [20.0, 90.0])
def test_one_seed_decides_nothing_about_nets(root: float):
    one = replace(RECIPE, seeds=1)
    found = outcomes(world({"root": root}, before=0.01, after=0.01, recipe=one), one)
    assert {found[part] for part in (*TRAINED, *UNTRAINED)} == {"inconclusive"}


def test_nets_at_chance_that_trained_are_told_from_nets_that_did_not():
    """Deep nets at the level of those without neighbors have nothing left to differ in. What depth cost them is seen."""
    found = outcomes(world(dict.fromkeys(ARMS, 25.0)))
    assert {found[part] for part in (LEAD, *IN_PLACE)} == {"inconclusive"}
    assert found["accuracy of deep nets"] == found[LOSS] == "refuted"
    seen_alone = outcomes(world(dict.fromkeys(ARMS, 25.0), shallow=dict.fromkeys(ARMS, 25.0)))
    assert {seen_alone[part] for part in TRAINED if part != "energy after training"} == {"inconclusive"}


def test_b_prevents_nothing_where_nets_without_it_do_not_over_smooth():
    """All keep energy and accuracy alike; then nets with B are better, or worse, at every depth by as much."""
    for ahead in (0.0, 15.0, -15.0):
        level = {"root": 70 + ahead}
        found = judged(world(level | {"none": 70.0}, shallow=level, before=0.8, after=0.8, without=(0.8, 0.8)))
        assert {found[part].verdict for part in OF_NETS} == {"inconclusive"}
        assert {found[part].next_step for part in OF_NETS} == {"a check failed: " + TO_PREVENT}
    lost = outcomes(world({"root": 40.0, "none": 70.0}, before=0.2, after=0.2, without=(0.8, 0.8)))
    assert {lost[part] for part in OF_NETS} == {"refuted"}  # whatever nets without B do, B did not prevent it


def test_a_loss_that_b_prevents_is_told_from_a_lead_at_every_depth():
    """Nets with B worse at every depth, but none the worse for depth; and better at every depth, yet they lose as much."""
    prevented = outcomes(world({"root": 55.0, "none": 60.0}, shallow={"root": 55.0}))
    assert (prevented[LOSS], prevented[LEAD]) == ("supported", "refuted")
    ahead = outcomes(world({"root": 70.0, "none": 60.0}, shallow={"root": 80.0}))
    assert (ahead[LOSS], ahead[LEAD]) == ("refuted", "supported")


def test_what_is_clearest_is_supported():
    """Without B deep nets fall below those without neighbors: the control must not ask them for more."""
    found = outcomes(world({"root": 70.0, "none": 25.0, "alone": 45.0}, before=0.8, after=0.8, without=(0.01, 0.01)))
    assert {found[part] for part in (*OF_NETS, LEAD)} == {"supported"}


@pytest.mark.parametrize("root", [50.0, 60.0, 70.0])
def test_a_control_that_did_not_train_shows_nothing(root: float):
    """Nets without neighbors at 20 %, because they did not learn even their training nodes."""
    found = outcomes(world({"root": root}, change=spoiled("train", "train_accuracy", 40.0, arm="alone", depth=16)))
    assert {found[part] for part in ("accuracy of deep nets", LOSS, LEAD, *IN_PLACE)} == {"inconclusive"}


def test_the_published_number_stands_beside_cora_at_its_depth_alone():
    cora = replace(RECIPE, data="cora", depths=(2, 32), deep=32)
    change = spoiled("train", "classes_predicted", 4.0)
    found = judged(world({"root": 40.0}, recipe=cora, change=change), cora)["accuracy of deep nets"]
    assert found.published == 31.9
    assert found.measured == pytest.approx(40, abs=1)
    assert judged(world({"root": 40.0}))["accuracy of deep nets"].published is None


def test_the_answer_is_made_of_numbers():
    good = answered(world({"root": 62.0, "none": 50.0}, before=0.04))
    assert (good.claim, good.answer, good.figure) == ("G3", "partly", "accuracy")
    assert good.sentence.startswith(
        "Without B, one layer sees the node itself at 0 of 320 nodes. B does not prevent over-smoothing before training: 16 "
        "layers keep "
    )
    assert "of 2 layers with B, and 0.8 % without; trained on block models, nets with B score 70 % with 2 " in good.sentence
    assert good.sentence.endswith("layers and 62 % with 16, nets without B 70 and 50 %.")
    assert ". B prevents over-smoothing before training: 16 layers" in answered(world(before=0.8)).sentence
    assert ". Whether B prevents over-smoothing before training is not decided: " in answered(world(before=0.5)).sentence
    assert answered(Evidence(())).answer == "not measured"


def test_the_answer_says_which_nets_did_not_train():
    short = spoiled("train", "train_accuracy", 57.0, depth=16, arm="none")
    made = answered(world(change=short))
    assert "cannot be compared, because only 16 of 16 with B and 8 of 16 without learned 95 % of their training" in made.sentence
    assert "score" not in made.sentence
    deeper = replace(RECIPE, depths=(2, 16, 32))
    longer = world(recipe=deeper, change=spoiled("train", "train_accuracy", 57.0, depth=32, arm="none"))
    assert judged(longer, deeper)[LOSS].note.endswith(
        "With 32 layers, 8 of 8 nets with B and 0 of 8 without learned their training nodes."
    )


@pytest.mark.parametrize("task", ["itself", "start", "train"])
@pytest.mark.parametrize("seed", [None, 3])
def test_the_answer_leaves_out_what_was_not_measured(task: str, seed: int | None):
    """All jobs of a task failed, or those of one seed: no number is quoted that no part judges."""

    def fail(job: Job, made: Measured) -> Measured | None:
        return None if job.params["task"] == task and seed in (None, job.seed) else made

    sentence = answered(world({"root": 40.0}, before=0.04, change=fail)).sentence
    assert "nan" not in sentence
    assert ("rained on" in sentence) == (task == "start")
    broken = answered(world({"root": 40.0}, change=spoiled("train", "test_accuracy", math.nan, seed=2, arm="none", depth=16)))
    assert "nan" not in broken.sentence


def test_what_is_less_accurate_is_not_called_at_most_so_much_more_accurate():
    assert "less accurate than deep nets without it, by 9.2 points" in lead_in_words(Interval(-9.2, -15.4, -2.9, 10))
    assert "at most 1.5 points more" in lead_in_words(Interval(-1.0, -3.5, 1.5, 10))
    assert "lose 5.0 points more" in prevented_in_words(Interval(-5.0, -9.0, -1.0, 10))
    assert "at most 2.0 points less" in prevented_in_words(Interval(-1.0, -4.0, 2.0, 10))
