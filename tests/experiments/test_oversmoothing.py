"""Depth, and the node itself: what is measured against plainer programs, the verdicts in worlds whose answer is known."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from support.figures import assert_drawn
from support.results import evidence_of

from erlangen.data.files import DataError
from erlangen.experiments import planned_jobs
from erlangen.experiments.kit.evidence import Evidence
from erlangen.experiments.kit.tasks import read_task
from erlangen.experiments.oversmoothing import CLAIMS, OF_NETS, PRESETS, Recipe, fetch
from erlangen.experiments.oversmoothing.figures import figures
from erlangen.experiments.oversmoothing.judge import answers, verdicts
from erlangen.experiments.oversmoothing.run import graph_of, run, sees_itself
from erlangen.experiments.oversmoothing.tasks import ARMS, Itself, Propagate, Train
from erlangen.measure.smoothness import dirichlet_energy
from erlangen.nn.graph.algebra import adjacency
from erlangen.nn.graph.convolution import GraphConvolution
from erlangen.records.runs import Answer, Job, Measurement, Verdict

TINY = Recipe(data="blocks", seeds=2, depths=(1, 3), deep=3, epochs=2, patience=2, width=8, nodes=100)
MADE_UP = Recipe(data="blocks", seeds=8, depths=(2, 32), deep=32)
LEADS = {"deep, B against none": "none", "deep, B against self-loops": "loops", "deep, B against parameters": "wide"}
TRAINED = ("energy after training", "accuracy of deep nets", *LEADS, "depth alone")

Measured = dict[str, float | tuple[float, ...]]


def jobs_of(recipe: Recipe, kind: type) -> list[Job]:
    return [job for job in planned_jobs("oversmoothing", recipe) if job.params["task"] == kind.__name__.lower()]


@pytest.fixture(scope="module")
def measured() -> Evidence:
    return evidence_of(planned_jobs("oversmoothing", TINY), run)


@cache
def seen(seed: int) -> tuple[Measurement, ...]:
    return tuple(run(next(job for job in jobs_of(MADE_UP, Itself) if job.seed == seed)))


def world(
    deep: dict[str, float] | None = None,
    *,
    energy: float = 1.0,
    fit: float = 100.0,
    deep_fit: float = 100.0,
    scatter: float = 0.5,
    recipe: Recipe = MADE_UP,
    change: Callable[[Train, int, Measured], Measured | None] = lambda task, seed, made: made,
) -> Evidence:
    """As if every arm scored 80 % when shallow, so much when deep, and kept so much of its energy.

    change: the last word on what a net measured; None where its job failed.
    """
    scores = dict.fromkeys(ARMS, 80.0) | (deep or {})
    rng = np.random.default_rng(0)

    def measure(job: Job) -> list[Measurement] | None:
        if job.params["task"] == "itself":
            return list(seen(job.seed))
        if job.params["task"] == "propagate":
            return [Measurement("energy", (4.0, 1.0, energy)), Measurement("distance", (1.0, 0.5, 0.1))]
        task: Train = read_task(Train, job)
        shallow = task.depth == recipe.depths[0]
        level = (1.0 if shallow else energy) * math.exp(0.05 * rng.normal())
        made = change(task, job.seed, {
            "train_accuracy": fit if shallow else deep_fit + (0.1 * rng.normal() if deep_fit < 100 else -0.1 * abs(rng.normal())),
            "test_accuracy": (80.0 if shallow else scores[task.arm]) + scatter * rng.normal(),
            "random_energy": level, "trained_energy": level, "random_distance": level, "trained_distance": level,
            "classes_predicted": 4.0, "commonest_class": 25.0,
        })  # fmt: skip
        return None if made is None else [Measurement(name, value) for name, value in made.items()]

    return evidence_of(planned_jobs("oversmoothing", recipe), measure)


def judged(evidence: Evidence, recipe: Recipe = MADE_UP) -> dict[str, Verdict]:
    return {verdict.part: verdict for verdict in verdicts(recipe, evidence)}


def answered(evidence: Evidence, recipe: Recipe = MADE_UP) -> Answer:
    (only,) = answers(recipe, evidence, verdicts(recipe, evidence))
    return only


def test_who_sees_itself_is_told_by_the_powers_of_the_adjacency():
    """Without B the output at v holds h_v after n layers only if a walk of n edges leads back: (Aⁿ)vv > 0."""
    edges = torch.tensor([[0, 1, 2, 3, 3, 5, 6], [1, 2, 0, 4, 3, 6, 5]])  # a triangle, a loop, a pair, node 7 and others alone
    a = adjacency(edges, 20)
    layers = [GraphConvolution(4, 4, root_weight=False).double() for _ in range(3)]
    for depth in (1, 2, 3):
        back = torch.linalg.matrix_power(a, depth).diagonal() > 0
        assert [sees_itself(layers[:depth], edges, node) for node in range(20)] == back.tolist()
    with_b = [GraphConvolution(4, 4).double()]
    assert all(sees_itself(with_b, edges, node) for node in range(20))


def test_propagation_is_the_matrix_power():
    by_arm = {str(job.params["arm"]): job for job in jobs_of(TINY, Propagate) if job.seed == 0}
    graph = graph_of(read_task(Propagate, by_arm["none"]), 0)
    n, x = graph.num_nodes, graph.x.double()
    a, eye = adjacency(graph.edge_index, n).double(), torch.eye(n, dtype=torch.float64)
    walk = a / a.sum(1, keepdim=True).clamp(min=1)
    looped = (a + eye) / (a + eye).sum(1, keepdim=True)
    for arm, step in (("none", walk), ("root", walk + eye), ("loops", looped)):
        energies = next(m.value for m in run(by_arm[arm]) if m.name == "energy")
        expected = [dirichlet_energy(torch.linalg.matrix_power(step, depth) @ x, graph.edge_index) for depth in (0, 1, 3)]
        assert energies == pytest.approx(expected, rel=1e-9)


def test_equal_parameters_are_nearly_equal(measured: Evidence):
    count = {str(r.params["arm"]): r.value("convolution_parameters") for r in measured.of(Train, depth=3)}
    assert count["wide"] == pytest.approx(count["root"], rel=0.1)
    assert count["none"] == count["loops"] == count["alone"] < 0.6 * count["root"]


def test_what_is_counted_is_as_it_is(measured: Evidence):
    found = judged(measured, TINY)
    assert [found[part].verdict for part in ("one layer", "two layers")] == ["supported"] * 2
    assert [found[part].of for part in ("one layer", "two layers")] == ["report", "extension"]
    assert found["one layer"].quote == "Without B the update is independent of h_v"


def test_every_part_is_judged_once_and_says_whose_it_is(measured: Evidence):
    found = verdicts(TINY, measured)
    assert [verdict.part for verdict in found] == list(CLAIMS[0].parts)
    assert all((verdict.of == "report") == bool(verdict.quote) for verdict in found)
    assert all(verdict.statement == CLAIMS[0].parts[verdict.part] for verdict in found)


@pytest.mark.parametrize(
    ("name", "count", "part", "outcome"),
    [
        ("undirected_none_1", 1, "one layer", "refuted"),  # a node that sees itself without B
        ("acyclic_root_1", 19, "one layer", "inconclusive"),  # the probe does not see a node that it must see
        ("acyclic_none_2", 2, "two layers", "refuted"),
        ("undirected_none_2", 0, "two layers", "refuted"),
        ("undirected_root_2", 19, "two layers", "inconclusive"),
        ("undirected_none_1", math.nan, "one layer", "not measured"),
    ],
)
def test_counts_and_their_positive_controls(name: str, count: float, part: str, outcome: str):
    honest = world()
    results = [
        replace(r, measurements=tuple(Measurement(name, count) if m.name == name else m for m in r.measurements))
        if r.params["task"] == "itself" and r.seed == 3
        else r
        for r in honest.results
    ]
    assert judged(honest)[part].verdict == "supported"
    assert judged(Evidence(tuple(results)))[part].verdict == outcome


@pytest.mark.parametrize(
    ("energy", "trained", "random", "averaging"),
    [
        (1.0, "supported", "refuted", "refuted"),
        (0.6, "supported", "refuted", "refuted"),
        (0.5, "inconclusive", "inconclusive", "supported"),  # exactly half is not more
        (0.4, "refuted", "supported", "supported"),
        (0.0, "refuted", "supported", "supported"),
    ],
)
def test_energy_kept(energy: float, trained: str, random: str, averaging: str):
    found = judged(world(energy=energy))
    assert found["energy after training"].verdict == trained
    assert found["energy with random weights"].verdict == random
    assert found["energy without weights"].verdict == averaging


@pytest.mark.parametrize(
    ("deep", "outcome"), [(80.0, "supported"), (78.4, "supported"), (77.0, "inconclusive"), (75.6, "refuted"), (40.0, "refuted")]
)
def test_accuracy_kept(deep: float, outcome: str):
    assert judged(world({"root": deep}))["accuracy of deep nets"].verdict == outcome


@pytest.mark.parametrize(("part", "rival"), LEADS.items())
@pytest.mark.parametrize(
    ("score", "outcome"),
    [(60.0, "supported"), (75.6, "supported"), (77.0, "inconclusive"), (78.4, "refuted"), (80.0, "refuted"), (90.0, "refuted")],
)
def test_b_against_each_rival(part: str, rival: str, score: float, outcome: str):
    assert judged(world({rival: score}))[part].verdict == outcome
    assert judged(world({rival: 79.0}, scatter=9.0))[part].verdict == "inconclusive"


@pytest.mark.parametrize(("deep_fit", "outcome"), [(100.0, "supported"), (97.0, "inconclusive"), (92.0, "refuted")])
def test_depth_alone(deep_fit: float, outcome: str):
    assert judged(world(deep_fit=deep_fit))["depth alone"].verdict == outcome


@pytest.mark.parametrize("deep", [25.0, 80.0, 95.0])
@pytest.mark.parametrize("energy", [1.0, 1e-9])
@pytest.mark.parametrize("deep_fit", [25.0, 89.5])
def test_nets_that_did_not_train_where_they_are_compared_decide_nothing(deep: float, energy: float, deep_fit: float):
    """Deep nets at chance, or just short of the fit: never supported, never refuted, whatever they score."""
    found = judged(world({"root": deep}, energy=energy, deep_fit=deep_fit))
    for part in TRAINED:
        assert found[part].verdict == "inconclusive", part
        assert found[part].next_step.startswith("not trained: ")
        assert ("no neighbors" if part == "depth alone" else "with B") + ", 32 layers seed 0" in found[part].next_step


def test_the_fit_itself_is_enough():
    at_the_edge = world({"root": 40.0}, change=lambda task, seed, made: {**made, "train_accuracy": 90.0})
    assert judged(at_the_edge)["accuracy of deep nets"].verdict == "refuted"


@pytest.mark.parametrize(
    ("arm", "depth", "open_parts"),
    [
        ("root", 32, {"energy after training", "accuracy of deep nets", *LEADS}),
        ("root", 2, {"energy after training", "accuracy of deep nets"}),
        ("none", 32, {"deep, B against none"}),
        ("wide", 32, {"deep, B against parameters"}),
        ("alone", 2, {"depth alone"}),
        ("none", 2, set()),  # nobody compares it
    ],
)
def test_one_net_short_of_its_fit_opens_what_compares_it(arm: str, depth: int, open_parts: set[str]):
    def spoil(task: Train, seed: int, made: Measured) -> Measured:
        return {**made, "train_accuracy": 89.9} if (task.arm, task.depth, seed) == (arm, depth, 5) else made

    found = judged(world(dict.fromkeys(("none", "loops", "wide"), 60.0), change=spoil))
    assert {part for part in TRAINED if found[part].verdict == "inconclusive"} == open_parts
    assert all("89.9 %, needs 90" in found[part].next_step for part in open_parts)


def test_missing_jobs_are_not_measured():
    lacking = world(change=lambda task, seed, made: None if (task.arm, seed) == ("root", 3) else made)
    found = judged(lacking)
    for part in ("energy with random weights", "energy after training", "accuracy of deep nets", *LEADS):
        assert found[part].verdict == "not measured"
        assert "root" in found[part].next_step
        assert "run the same command again" in found[part].next_step
    assert found["depth alone"].verdict == "supported"
    assert {verdict.verdict for verdict in judged(Evidence(())).values()} == {"not measured"}


def test_a_number_that_is_not_finite_names_its_seed_and_a_remedy():
    def dead(task: Train, seed: int, made: Measured) -> Measured:
        return {**made, "trained_energy": math.nan} if (task.arm, task.depth, seed) == ("root", 32, 4) else made

    found = judged(world(change=dead))["energy after training"]
    assert found.verdict == "not measured"
    assert "seed 4; the features are all 0" in found.next_step


def test_one_seed_and_no_spread_decide_nothing():
    one = replace(MADE_UP, seeds=1)
    found = judged(world({"root": 40.0}, energy=0.01, recipe=one), one)
    same = judged(world({"root": 40.0}, change=lambda task, seed, made: {**made, "trained_energy": 0.1, "random_energy": 0.1}))
    for part in ("energy with random weights", *TRAINED):
        assert found[part].verdict == "inconclusive"
    for part in ("energy with random weights", "energy after training"):
        assert same[part].verdict == "inconclusive"
        assert "same value" in same[part].next_step


def test_the_published_number_stands_beside_cora_alone():
    cora = replace(MADE_UP, data="cora")
    found = judged(world({"root": 40.0}, recipe=cora), cora)
    assert found["accuracy of deep nets"].published == 31.9
    assert found["accuracy of deep nets"].measured == pytest.approx(40, abs=1)
    assert found["depth alone"].published is None
    assert judged(world({"root": 40.0}))["accuracy of deep nets"].published is None


def test_the_answer_is_made_of_numbers_and_says_when_nets_did_not_train():
    good = answered(world({"root": 60.0, "none": 50.0}))
    assert (good.claim, good.figure) == ("G3", "accuracy")
    assert good.answer == "partly"  # more accurate than without B, less than a shallow net
    assert good.sentence.startswith(
        "One layer without B sees the node itself at 0 of 320 nodes. On block models, nets with B score "
    )
    assert "80 % with 2 layers and 60 % with 32; nets without B score 80 % and 50 %." in good.sentence
    chance = answered(world({"root": 25.0, "none": 25.0}, deep_fit=25.0))
    assert chance.answer == "inconclusive"
    assert "did not train well enough to tell whether B helps: they fit 25 % (with B) and 25 % (without)" in chance.sentence
    assert answered(Evidence(())).answer == "not measured"


@pytest.fixture
def own_graph(tmp_path: Path) -> str:
    """A graph of the user's: two rings of 30 nodes, whose features tell them apart."""
    ring = torch.stack([torch.arange(30), (torch.arange(30) + 1) % 30])
    edges = torch.cat([ring, ring.flip(0), ring + 30, ring.flip(0) + 30], dim=1)
    y = torch.arange(60) // 30
    x = torch.nn.functional.one_hot(y).float() + 0.1 * torch.randn(60, 2, generator=torch.Generator().manual_seed(0))
    masks = {name: torch.arange(60) % 3 == place for place, name in enumerate(("train_mask", "val_mask", "test_mask"))}
    path = tmp_path / "rings.npz"
    np.savez(path, **{name: value.numpy() for name, value in {"x": x, "edge_index": edges, "y": y, **masks}.items()})
    return str(path)


def test_a_graph_of_the_users_own(own_graph: str):
    recipe = replace(TINY, data=own_graph)
    fetch(recipe)
    jobs = planned_jobs("oversmoothing", recipe)
    assert len([job for job in jobs if job.params["task"] == "propagate"]) == 3  # the graph is the same for every seed
    evidence = evidence_of(jobs, run)
    found = judged(evidence, recipe)
    assert {verdict.of for verdict in found.values() if verdict.part in OF_NETS} == {"extension"}  # the report did not mean it
    assert not any(found[part].quote for part in OF_NETS)
    assert found["one layer"].of == "report"
    made = answered(evidence, recipe)
    assert "On rings.npz, nets with B score " in made.sentence
    assert made.beyond == "on your graph (rings.npz): does not judge the report's statement"
    assert made.answer == "inconclusive"  # that one layer is blind says nothing about this graph
    assert_drawn(figures(recipe, evidence))


def test_an_edited_file_is_computed_anew(own_graph: str):
    recipe = replace(TINY, data=own_graph)
    before = planned_jobs("oversmoothing", recipe)
    digests = {job.params.get("digest") for job in before if job.params["task"] != "itself"}
    assert [len(str(digest)) for digest in digests] == [16]
    Path(own_graph).write_bytes(Path(own_graph).read_bytes() + b" ")
    after = planned_jobs("oversmoothing", recipe)
    assert {job.key("") for job in before}.isdisjoint(job.key("") for job in after if job.params["task"] != "itself")
    with pytest.raises(DataError, match="has changed since this run began"):
        run(next(job for job in before if job.params["task"] == "train"))


def test_a_file_that_is_missing_or_no_graph_is_named_before_anything_starts(tmp_path: Path):
    missing = replace(TINY, data=str(tmp_path / "none.pt"))
    with pytest.raises(DataError, match=r"none\.pt: No such file or directory: .*--set data=graph\.pt"):
        planned_jobs("oversmoothing", missing)
    (tmp_path / "none.pt").write_text("hello")
    with pytest.raises(DataError, match=r"none\.pt: not a graph that can be read"):
        fetch(missing)


@pytest.mark.parametrize("kept", [0, 2, 5, 12, 99])
def test_figures_are_made_of_whatever_there_is(measured: Evidence, kept: int):
    some = Evidence(measured.results[:kept])
    made = figures(TINY, some)
    assert_drawn(made)
    answers(TINY, some, verdicts(TINY, some))
    if kept == 99:
        assert [figure.name for figure in made] == ["accuracy", "smoothness", "propagation"]


def test_no_accuracy_is_drawn_outside_0_to_100():
    (accuracy, *_) = figures(MADE_UP, world({"root": 99.0, "none": 1.0}, scatter=30.0))
    ends = [float(str(end)) for row in accuracy.rows for end in row[4:] if end is not None]
    assert min(ends) == 0
    assert max(ends) == 100


@pytest.mark.parametrize(
    ("key", "value"), [("depths", (2,)), ("depths", (8, 2)), ("deep", 16), ("data", "corra"), ("data", "graph.pkl")]
)
def test_recipes_that_cannot_be_judged_are_refused(key: str, value: object):
    with pytest.raises(ValueError, match=key):
        replace(PRESETS["quick"], **{key: value})  # type: ignore[arg-type]
