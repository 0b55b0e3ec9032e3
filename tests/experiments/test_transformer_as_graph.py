"""Transformers as graph networks: what is measured against plainer programs, the verdicts against made-up results."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from itertools import combinations

import networkx
import numpy as np
import pytest
import torch
from support.results import result

from erlangen.data.graphs import Graph, karate_club
from erlangen.experiments.transformer_as_graph import ARMS, CLAIMS, COMPARED, PRESETS, Recipe, jobs, layers, masks, relabelings
from erlangen.experiments.transformer_as_graph.evidence import LISTENED, PAIRS, WORDS, Compared, Trained, comparisons, log_ratio
from erlangen.experiments.transformer_as_graph.judge import findings, verdicts
from erlangen.experiments.transformer_as_graph.mask_verdicts import attention
from erlangen.experiments.transformer_as_graph.orders import opposite_orders
from erlangen.experiments.transformer_as_graph.relabelings import graphs, keeps, relabel
from erlangen.experiments.transformer_as_graph.run import run
from erlangen.nn.graph.algebra import adjacency, complete_graph, in_degree, is_symmetric, multi_edges, self_loops
from erlangen.records.runs import Job, JobResult, Measurement, Verdict
from erlangen.statistics.intervals import Interval
from erlangen.train.node_classifier import NodeHistory, NodeSchedule

TINY = Recipe(sizes=(1, 2, 4), draws=2, classes=(2,), homophilies=(0.1, 0.9), seeds=2, nodes=120, epochs=2, patience=2)
MADE_UP = replace(TINY, draws=1, classes=(2, 4), homophilies=(0.1, 0.75), seeds=8)
EVERYWHERE = dict.fromkeys(ARMS, 70.0)
AS_EXPECTED = EVERYWHERE | {
    "graph": 95.0, "diluted": 80.0, "graph/eigenvectors": 97.0, "complete/eigenvectors": 90.0, "self/eigenvectors": 90.0,
}  # fmt: skip


@pytest.fixture(scope="module")
def measured() -> list[JobResult]:
    return [result(job, run(job)) for job in jobs(TINY)]


def judged(results: list[JobResult], recipe: Recipe = TINY) -> dict[str, Verdict]:
    return {f"{verdict.claim}/{verdict.part}": verdict for verdict in verdicts(recipe, results)}


def spoiled(results: list[JobResult], name: str, value: float) -> list[JobResult]:
    """The results with one measurement changed, in the first job that has it."""
    changed, done = [], False
    for one in results:
        names = [m.name for m in one.measurements]
        if name in names and not done:
            done = True
            one = replace(one, measurements=tuple(Measurement(name, value) if m.name == name else m for m in one.measurements))
        changed.append(one)
    assert done
    return changed


def test_the_layer_is_a_graph_network(measured: list[JobResult]) -> None:
    found = judged(measured)
    assert {part: found[f"G9/{part}"].verdict for part in CLAIMS[0].parts} == dict.fromkeys(CLAIMS[0].parts, "supported")
    compared = 2 * 3 * 3 * 2 * (2 + 1 + 12)  # draws, sizes, heads, norms; output and attention, input, torch's 12 parameters
    assert found["G9/complete"].n == compared
    assert found["G9/causal"].n == compared + 2 * 3 * 2 * sum(n * (n - 1) // 2 for n in TINY.sizes)
    assert found["G9/loops"].n == 2 * 2 * 3 * 2  # not the layers of one token


def layer_counts(monkeypatch: pytest.MonkeyPatch, **changed: object) -> dict[str, float]:
    """What a layer job counts with some functions of its module replaced."""
    for name, function in changed.items():
        monkeypatch.setattr(layers, name, function)
    found = layers.layer(Job(experiment="e", params={"task": "layer", "sizes": "3"}))
    return {m.name: float(m.value) for m in found if isinstance(m.value, (int, float))}


def test_other_graphs_are_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    cases = layer_counts(monkeypatch)["complete_cases"]

    def reversed_graph(n: int, loops: bool = True, causal: bool = False) -> torch.Tensor:
        return complete_graph(n, loops=loops, causal=causal).flip(0)

    backwards = layer_counts(monkeypatch, complete_graph=reversed_graph)
    assert (backwards["complete_wrong"], backwards["edges_back"]) == (0, 0)  # nobody can tell on a symmetric graph
    assert backwards["causal_wrong"] > cases / 2
    everyone = layer_counts(monkeypatch, complete_graph=lambda n, loops=True, causal=False: complete_graph(n))
    assert everyone["causal_wrong"] > cases / 2
    assert everyone["edges_back"] == everyone["edges"] > 0
    assert everyone["loops_equal"] == everyone["loops_cases"] == 6


def test_a_wrong_gradient_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    def doubled(*inputs: object) -> list[torch.Tensor]:
        *others, last = over_edges(*inputs)
        return [*others, 2 * last]

    over_edges = layers.over_edges
    assert layer_counts(monkeypatch, over_edges=doubled)["complete_wrong"] == 6


def test_orders_are_compared_pair_by_pair() -> None:
    attention = torch.rand(5, 6, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    attention[0, 3] = attention[0, 2]  # equal: the first row prefers neither, so nobody disagrees with it
    rows = attention.tolist()
    expected = sum(
        (first[a] - first[b]) * (second[a] - second[b]) < 0
        for first, second in combinations(rows, 2)
        for a, b in combinations(range(6), 2)
    )
    assert opposite_orders(attention) == expected > 0


def test_relabelings_that_keep_a_graph_are_networkxs() -> None:
    found = {m.name: m.value for m in relabel(Job(experiment="e", params={}))}
    for name, edges in graphs().items():
        peer = networkx.DiGraph(edges.T.tolist())
        automorphisms = sum(1 for _ in networkx.isomorphism.DiGraphMatcher(peer, peer).isomorphisms_iter())
        assert found[f"{name}_keeping"] == found[f"{name}_commuting"] == automorphisms
        assert found[f"{name}_cases"] == 120
    assert not keeps(torch.tensor([[0], [1]]), (1, 0))


def test_a_layer_that_reads_its_place_commutes_with_less(monkeypatch: pytest.MonkeyPatch) -> None:
    """Positions added to the tokens: the complete graph's symmetry is gone, and counted as such."""

    class Placed:
        @staticmethod
        def of_torch(layer):
            inner = original.of_torch(layer)
            place = torch.linspace(-1, 1, 5, dtype=torch.float64)[:, None]
            return lambda x, edges: inner(x + place, edges)

    original = relabelings.TransformerBlock
    monkeypatch.setattr(relabelings, "TransformerBlock", Placed)
    found = {m.name: m.value for m in relabel(Job(experiment="e", params={}))}
    assert found["complete_commuting"] == 1
    assert found["complete_wrong"] == 119


@pytest.mark.parametrize(("classes", "homophily"), [(2, 0.1), (4, 0.75)])
def test_block_models_are_as_asked_for(classes: int, homophily: float) -> None:
    alike, degrees = [], []
    for seed in range(20):
        graph = masks.block_graph(classes, homophily, 200, seed)
        source, target = graph.edge_index
        alike.append(float((graph.y[source] == graph.y[target]).double().mean()))
        degrees.append(graph.edge_index.shape[1] / graph.num_nodes)
    assert np.mean(alike) == pytest.approx(homophily, abs=0.02)
    assert np.mean(degrees) == pytest.approx(masks.DEGREE, abs=0.4)


def test_masks_are_what_they_are_called() -> None:
    graph = masks.block_graph(2, 0.9, 120, 3)
    n, edges = graph.num_nodes, graph.edge_index.shape[1]
    seen = {mask: masks.attended(graph, mask, 3) for mask in ("self", "graph", "diluted", "random", "complete")}
    for attended in seen.values():
        assert is_symmetric(attended, n)
        assert not multi_edges(attended).any()
        assert int(self_loops(attended).sum()) == n
    counts = {mask: attended.shape[1] - n for mask, attended in seen.items()}
    assert counts == {"self": 0, "graph": edges, "diluted": 4 * edges, "random": edges, "complete": n * (n - 1)}
    true = adjacency(graph.edge_index, n) > 0
    assert (adjacency(seen["diluted"], n)[true] == 1).all()
    overlap = float((adjacency(seen["random"], n)[true] > 0).double().mean())
    assert overlap < 3 * edges / n**2  # chance
    assert sorted(in_degree(seen["random"], n).tolist()) == sorted(in_degree(seen["graph"], n).tolist())
    assert not torch.equal(masks.attended(graph, "random", 4), seen["random"])


def test_arms_differ_in_edges_and_encodings_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same first weights for every arm of a seed, and the same places in the input."""
    starts = []

    def record(net, graph, schedule):
        starts.append({name: p.clone() for name, p in net.state_dict().items()})
        return fit(net, graph, schedule)

    fit = masks.fit
    monkeypatch.setattr(masks, "fit", record)
    for job in jobs(TINY):
        if job.params["task"] == "train" and job.seed == 1 and job.params["homophily"] == 0.9:
            run(job)
    assert len(starts) == 2 * len(ARMS)
    assert all(torch.equal(start[name], starts[0][name]) for start in starts for name in starts[0])


@pytest.mark.parametrize(
    ("accuracies", "losses", "expected"),
    [((70.0, 71.0), (0.1, 0.9), 0.5), ((72.0, 71.0), (0.9, 0.1), 0.2), ((70.0, 70.0), (0.9, 0.1), 0.5)],
)
def test_arms_are_tuned_by_the_validation_nodes(
    monkeypatch: pytest.MonkeyPatch, accuracies: tuple[float, ...], losses: tuple[float, ...], expected: float
) -> None:
    """Most of them right; of equal settings the least loss."""

    def trained(graph: object, dropout: float, schedule: object, seed: int) -> tuple[float, NodeHistory]:
        place = masks.SETTINGS.index(dropout)
        return dropout, NodeHistory(1, 1, 100.0, accuracies[place], losses[place])

    monkeypatch.setattr(masks, "trained", trained)
    net, history, dropout = masks.tuned(karate_club(), NodeSchedule(), 0)
    assert net == dropout == expected
    assert history.validation_accuracy == max(accuracies)


def test_encodings_have_places_of_their_own() -> None:
    graph = masks.block_graph(2, 0.9, 120, 0)
    plain, walks, vectors = (masks.told(graph, encoding) for encoding in ("", "walks", "eigenvectors"))
    assert plain.shape == walks.shape == vectors.shape == (120, masks.FEATURES + 2 * masks.ENCODED)
    assert all(torch.equal(x[:, : masks.FEATURES], graph.x) for x in (plain, walks, vectors))
    assert not plain[:, masks.FEATURES :].any()
    for told, columns in ((walks, slice(16, 24)), (vectors, slice(24, 32))):
        others = torch.ones(32, dtype=torch.bool)
        others[: masks.FEATURES] = False
        others[columns] = False
        assert not told[:, others].any()
        spread = told[:, columns].double().std(0, correction=0)
        assert ((spread - 1).abs() < 1e-4).sum() >= 7  # nobody is back after one step: a column of zeros
        assert (told[:, columns].mean(0).abs() < 1e-5).all()
    assert not walks[:, 16].any()
    slow, fast = vectors[:, 24], vectors[:, 28]
    agreement = [abs(float(((column > 0) == (graph.y == 0)).double().mean()) - 0.5) for column in (slow, fast)]
    assert agreement[0] > 0.4 > 0.25 > agreement[1]


class Listener:
    """A network whose attention is given: by target, weights over the edges it is asked about."""

    def __init__(self, weight: torch.Tensor) -> None:
        self.weight = weight  # (N, N, heads): who asks, whom

    def attention(self, x: torch.Tensor, edge_index: torch.Tensor) -> list[torch.Tensor]:
        return [self.weight[edge_index[1], edge_index[0]]]


def listened(weight: torch.Tensor, graph: Graph) -> dict[str, object]:
    seen = replace(graph, edge_index=complete_graph(graph.num_nodes))
    return {m.name: m.value for m in masks.listened(Listener(weight), seen, graph)}  # type: ignore[arg-type]


def test_even_attention_gives_edges_their_share() -> None:
    club = karate_club()
    found = listened(torch.full((34, 34, 2), 1 / 34), club)
    assert found["share_of_edges"] == pytest.approx(156 / 34**2)
    assert found["attention_on_edges"] == found["attention_on_same_classes"] == pytest.approx((156 / 34**2,))
    assert found["nodes_attended"] == pytest.approx((34,))


def test_attention_on_edges_is_counted_node_by_node() -> None:
    """A plain program, on random attention, with a node that nobody knows: it counts for nothing."""
    club = karate_club()
    edges = club.edge_index[:, (club.edge_index != 11).all(0)]  # member 12 had one tie
    graph = replace(club, edge_index=edges)
    weight = torch.rand(34, 34, 2, generator=torch.Generator().manual_seed(0)).softmax(1)
    mean = weight.mean(2).tolist()
    ties, y = {(u, v) for u, v in edges.T.tolist()}, graph.y.tolist()
    mass, matched, spread = [], [], []
    for node in range(34):
        neighbors = [u for u in range(34) if (u, node) in ties]
        if not neighbors:
            continue
        mass.append(sum(mean[node][u] for u in neighbors))
        fair = 0.0
        for u in neighbors:
            strangers = [w for w in range(34) if w != node and w not in neighbors and y[w] == y[u]]
            fair += sum(mean[node][w] for w in strangers) / len(strangers)
        matched.append(fair)
        for head in range(2):
            p = weight[node, :, head].tolist()
            spread.append(math.exp(-sum(q * math.log(q) for q in p)))
    assert len(mass) == 33
    found = listened(weight, graph)
    assert found["attention_on_edges"] == pytest.approx((np.mean(mass),), rel=1e-5)
    assert found["attention_on_same_classes"] == pytest.approx((np.mean(matched),), rel=1e-5)
    assert found["nodes_attended"] == pytest.approx((np.mean(spread),), rel=1e-5)


def test_attention_by_class_alone_stands_out_from_its_share_but_not_from_the_class() -> None:
    graph = masks.block_graph(2, 0.9, 120, 0)
    same = (graph.y[:, None] == graph.y).double()
    weight = (0.2 + same) / (0.2 + same).sum(1, keepdim=True)
    found = listened(weight[:, :, None], graph)
    one = result(Job(experiment="e", params={}), [Measurement(name, value) for name, value in found.items()])  # type: ignore[arg-type]
    assert log_ratio(one, "share_of_edges") > 0.3
    assert log_ratio(one, "attention_on_same_classes") == pytest.approx(0, abs=1e-6)


def made_up(
    accuracy: Mapping[str, float],
    heard: float = 1.0,
    by_class: float = 1.0,
    fit: float = 100.0,
    scatter: float = 0.5,
    at_chance: Mapping[str, float] = EVERYWHERE,
    recipe: Recipe = MADE_UP,
) -> list[JobResult]:
    """As if arms were so accurate, and edges got `heard` times the attention of others of their class, that its share times
    `by_class`; where an edge says nothing, `at_chance`.
    """
    rng = np.random.default_rng(0)
    found: list[JobResult] = []
    for job in jobs(recipe):
        if job.params["task"] != "train":
            continue
        arm, chance = str(job.params["arm"]), job.params["homophily"] == 1 / int(str(job.params["classes"]))
        level = (at_chance if chance else accuracy)[arm] + scatter * rng.normal()
        matched = tuple(0.03 * by_class * math.exp(0.005 * rng.normal()) for _ in range(2))
        mass = tuple(value * heard * math.exp(0.005 * rng.normal()) for value in matched)
        measurements = [
            Measurement("test_accuracy", level, "%"),
            Measurement("train_accuracy", fit, "%"),
            Measurement("test_nodes", 50.0),
            Measurement("dropout", 0.2),
            Measurement("share_of_edges", 0.03),
            Measurement("attention_on_same_classes", matched),
            Measurement("attention_on_edges", mass),
            Measurement("nodes_attended", (30.0, 20.0)),
        ]
        found.append(result(job, measurements))
    return found


def outcomes(found: dict[str, Verdict], *parts: str) -> dict[str, str]:
    return {part: found[f"G11/{part}"].verdict for part in parts}


def test_every_part_of_a_claim_is_judged_and_no_other() -> None:
    assert [verdict.part for verdict in verdicts(MADE_UP, [])] == [part for claim in CLAIMS for part in claim.parts]
    assert set(PAIRS) == set(COMPARED)
    assert set(WORDS) == set(ARMS)
    assert {arm for left, right, _ in PAIRS.values() for arm in (left, right)} == set(ARMS)


def test_what_was_expected_comes_out_as_such() -> None:
    found = judged(made_up(AS_EXPECTED), MADE_UP)
    for classes in (2, 4):
        parts = [f"{part}/{classes}" for part in COMPARED]
        refuted = {f"{part}/{classes}" for part in ("uninformative", "everyone", "walks", "listening")}
        assert outcomes(found, *parts) == {part: "refuted" if part in refuted else "supported" for part in parts}
    assert outcomes(found, *LISTENED) == dict.fromkeys(LISTENED, "supported")
    overall = found["G11/overall"]
    assert overall.verdict == "refuted"
    said = str(overall.corrected)
    better_at, not_at = said.split("; not here: ")
    assert "(homophilous/2)" in better_at
    assert "(uninformative/2)" in not_at.split(". ")[0]
    assert "three random edges beside each true one cost 1" in said
    assert "1.00 times their share" in said
    assert "attention to oneself alone makes no less of them" in said
    assert found["G11/homophilous/2"].effect == pytest.approx(25, abs=1)
    assert found["G11/gap/4"].effect == pytest.approx(5, abs=1)
    for part, share in (("homophilous/2", 75), ("heterophilous/2", 10), ("uninformative/2", 50), ("uninformative/4", 25)):
        assert f" {share} % of the edges within one" in found[f"G11/{part}"].statement


def test_edges_that_are_better_everywhere_support_the_claim() -> None:
    found = judged(made_up(AS_EXPECTED, at_chance=AS_EXPECTED), MADE_UP)
    assert found["G11/overall"].verdict == "supported"
    assert found["G11/overall"].corrected is None
    assert found["G11/overall"].effect == pytest.approx(25, abs=1)


def test_edges_that_are_worse_are_said_to_be() -> None:
    turned = made_up(EVERYWHERE | {"complete": 90.0, "complete/eigenvectors": 99.0})
    found = judged(turned, MADE_UP)
    assert outcomes(found, "homophilous/2", "everyone/2", "gap/2") == {
        "homophilous/2": "refuted", "everyone/2": "supported", "gap/2": "refuted",
    }  # fmt: skip
    worse = found["G11/homophilous/2"]
    assert worse.effect == pytest.approx(-20, abs=1)
    assert worse.corrected == f"It is less accurate there, by {-worse.effect:.1f} points."
    assert "beyond the edges" in str(found["G11/overall"].corrected)
    assert "every node, is not here: -" in str(found["G11/overall"].corrected)
    assert "better here" not in str(found["G11/overall"].corrected)


def test_equal_is_refuted_and_unclear_is_inconclusive() -> None:
    equal = judged(made_up(EVERYWHERE), MADE_UP)["G11/homophilous/2"]
    assert (equal.verdict, equal.corrected) == ("refuted", "The two are equally accurate there, to within 2 points.")
    unclear = judged(made_up(EVERYWHERE | {"graph": 73.0}, scatter=8.0), MADE_UP)
    assert outcomes(unclear, "homophilous/2", "overall") == {"homophilous/2": "inconclusive", "overall": "inconclusive"}
    partly = judged(made_up(AS_EXPECTED, at_chance=EVERYWHERE | {"graph": 73.0}, scatter=3.0), MADE_UP)
    assert outcomes(partly, "homophilous/2", "uninformative/2", "overall") == {
        "homophilous/2": "supported", "uninformative/2": "inconclusive", "overall": "inconclusive",
    }  # fmt: skip
    assert "more seeds" in unclear["G11/homophilous/2"].next_step


def test_what_is_not_better_though_perhaps_worse_is_refuted() -> None:
    at_chance = EVERYWHERE | {"graph": 66.0}
    found = judged(made_up(AS_EXPECTED, at_chance=at_chance, scatter=2.5), MADE_UP)["G11/uninformative/2"]
    assert found.verdict == "refuted"
    assert found.interval is not None
    assert found.interval[0] < -2
    lower = f"It is less accurate there, by {-float(str(found.effect)):.1f} points."
    assert found.corrected in ("It is more accurate there by less than 2 points, if at all.", lower)


@pytest.mark.parametrize(
    ("heard", "by_class", "expected"),
    [
        (1.0, 1.0, ("supported", "supported", "supported")),
        (1.2, 1.0, ("refuted", "refuted", "refuted")),
        (1.0, 1.2, ("refuted", "supported", "supported")),
        (0.8, 1.0, ("supported", "supported", "supported")),
        (1.05, 1.0, ("refuted", "refuted", "refuted")),
    ],
)
def test_attention_on_edges(heard: float, by_class: float, expected: tuple[str, ...]) -> None:
    found = judged(made_up(AS_EXPECTED, heard, by_class), replace(MADE_UP, tolerance=0.04))
    assert tuple(outcomes(found, *LISTENED).values()) == expected
    assert found["G11/dilution"].effect == pytest.approx(heard * by_class, rel=0.01)


@pytest.mark.parametrize(
    ("low", "high", "p", "expected"),
    [
        (-0.2, 0.3, 0.6, "inconclusive"),
        (-0.2, 0.04, 0.3, "supported"),
        (0.01, 0.04, 0.01, "supported"),  # more, but by less than the tolerance
        (0.01, 0.3, 0.01, "refuted"),
        (0.01, 0.3, 0.2, "inconclusive"),  # after Holm
        (-0.3, -0.01, 0.01, "supported"),
    ],
)
def test_attention_is_judged_by_its_interval(low: float, high: float, p: float, expected: str) -> None:
    compared = Compared(Interval((low + high) / 2, low, high, 8), p / 20, (), True, adjusted=p)
    assert attention(Trained.of(MADE_UP, made_up(AS_EXPECTED)), "dilution", compared).verdict == expected


def test_holm_counts_every_comparison() -> None:
    trained = Trained.of(MADE_UP, made_up(AS_EXPECTED))
    found = comparisons(trained)
    assert len(found) == len(LISTENED) + 2 * len(PAIRS)
    least = min(found.values(), key=lambda compared: compared.p)
    assert least.adjusted == pytest.approx(len(found) * least.p)


def test_what_sees_no_edges_is_compared_over_all_homophilies() -> None:
    """Better by 9 points at one homophily of three is better by 3 over all; there, one that was not fitted spoils it."""
    results = made_up(EVERYWHERE, at_chance=EVERYWHERE | {"complete": 79.0})
    found = judged(results, MADE_UP)["G11/everyone/4"]
    assert (found.verdict, found.effect) == ("supported", pytest.approx(3, abs=0.5))
    assert "whatever the edges" in found.statement
    unfit = [
        replace(one, measurements=tuple(replace(m, value=60.0) if m.name == "train_accuracy" else m for m in one.measurements))
        if (one.params["arm"], one.params["homophily"], one.params["classes"]) == ("self", 0.1, 4)
        else one
        for one in results
    ]
    assert judged(unfit, MADE_UP)["G11/everyone/4"].verdict == "inconclusive"
    assert judged(unfit, MADE_UP)["G11/everyone/2"].verdict == "supported"


def test_arms_that_did_not_fit_are_not_compared() -> None:
    found = judged(made_up(AS_EXPECTED, fit=60.0), MADE_UP)
    assert outcomes(found, "homophilous/2", "dilution", "overall") == dict.fromkeys(
        ("homophilous/2", "dilution", "overall"), "inconclusive"
    )
    assert "graph, complete did not reach 75 % in training" in found["G11/homophilous/2"].next_step


def test_one_seed_is_inconclusive() -> None:
    recipe = replace(MADE_UP, seeds=1)
    found = judged(made_up(AS_EXPECTED, recipe=recipe), recipe)
    assert {v.verdict for name, v in found.items() if name.startswith("G11")} == {"inconclusive"}


@pytest.mark.parametrize("name", ["test_accuracy", "attention_on_edges", "train_accuracy"])
def test_what_is_no_number_is_not_measured(name: str) -> None:
    results = made_up(AS_EXPECTED)
    changed = [
        replace(one, measurements=tuple(Measurement(name, math.nan) if m.name == name else m for m in one.measurements))
        for one in results
    ]
    found = judged(changed, MADE_UP)
    expected = {
        "test_accuracy": ("not measured", "supported"),
        "attention_on_edges": ("supported", "not measured"),
        "train_accuracy": ("inconclusive", "inconclusive"),
    }
    assert (found["G11/homophilous/2"].verdict, found["G11/dilution"].verdict) == expected[name]


def test_missing_jobs_are_not_measured(measured: list[JobResult]) -> None:
    assert {verdict.verdict for verdict in judged([]).values()} == {"not measured"}
    results = made_up(AS_EXPECTED)
    lacking = [one for one in results if (one.params.get("arm"), one.seed) != ("graph", 3)]
    found = judged(lacking, MADE_UP)
    assert outcomes(found, "homophilous/2", "mask/4", "overall", "eigenvectors/2") == {
        "homophilous/2": "not measured", "mask/4": "not measured", "overall": "not measured", "eigenvectors/2": "supported",
    }  # fmt: skip
    elsewhere = [one for one in results if (one.params.get("arm"), one.params["homophily"], one.seed) != ("complete", 0.25, 3)]
    assert outcomes(judged(elsewhere, MADE_UP), "everyone/4", "everyone/2", "homophilous/4") == {
        "everyone/4": "not measured", "everyone/2": "refuted", "homophilous/4": "supported",
    }  # fmt: skip
    for task, parts in (("layer", ("complete", "causal", "loops")), ("order", ("additive",)), ("relabel", ("permutation",))):
        fewer = [one for one in measured if (one.params["task"], one.seed) != (task, 1)]
        silent = {v.part for v in judged(fewer).values() if v.claim == "G9" and v.verdict == "not measured"}
        assert silent == set(parts)


@pytest.mark.parametrize(
    ("name", "value", "part"),
    [
        ("complete_wrong", 1, "complete"),
        ("causal_wrong", 1, "causal"),
        ("edges_back", 1, "causal"),
        ("loops_equal", 1, "loops"),
        ("gat_turned", 1, "additive"),
        ("dot_fixed", 1, "additive"),
        ("star_wrong", 1, "permutation"),
        ("causal_commuting", 3, "permutation"),
    ],
)
def test_one_counterexample_refutes(measured: list[JobResult], name: str, value: float, part: str) -> None:
    found = judged(spoiled(measured, name, value))
    refuted = {v.part for v in found.values() if v.claim == "G9" and v.verdict == "refuted"}
    assert refuted == {part}


@pytest.mark.parametrize("name", ["complete_wrong", "loops_equal", "gat_turned", "ring_wrong"])
def test_a_count_that_is_no_number_is_not_measured(measured: list[JobResult], name: str) -> None:
    found = judged(spoiled(measured, name, math.nan))
    assert sum(v.claim == "G9" and v.verdict == "not measured" for v in found.values()) == 1


def test_figures_are_made_of_whatever_there_is(measured: list[JobResult]) -> None:
    for kept in ([], measured[:1], measured[:5], measured[:8], measured[-3:], measured):
        shown = findings(TINY, kept, verdicts(TINY, kept))
        assert all(len(row) == len(figure.columns) for figure in shown.figures for row in figure.rows)
    names = ["accuracy", "differences", "listening", "club", "checks", "relabelings", "arms"]
    assert [figure.name for figure in shown.figures] == names
    assert "5 of 5 parts supported" in shown.found
    assert "against attention to every node, is " in shown.found


def test_the_club_is_drawn_once_a_pair(measured: list[JobResult]) -> None:
    shown = findings(TINY, measured, verdicts(TINY, measured))
    rows = next(figure for figure in shown.figures if figure.name == "club").rows
    assert sum(row[0] == "edges" for row in rows) == 78
    assert sum(row[0] == "everyone" for row in rows) == 34 * 33 // 2
    assert sum(row[0] == "everyone" and row[4] == "tie" for row in rows) == 78


def test_recipes_say_what_they_need() -> None:
    assert Recipe(homophilies=(0.1, 0.9)).points(4) == (0.1, 0.25, 0.9)
    assert Recipe(homophilies=(0.1, 0.5, 0.9)).points(2) == (0.1, 0.5, 0.9)
    for change, message in (
        ({"homophilies": (0.5, 0.9)}, "with 2 classes, one below 0.5 and one above"),
        ({"homophilies": (0.9, 0.1)}, "rising"),
        ({"classes": ()}, "2, 4 or both"),
        ({"sizes": (1,)}, "ask for 2 or more"),
    ):
        with pytest.raises(ValueError, match=message):
            replace(PRESETS["standard"], **change)


def test_presets_run_every_task_and_arm() -> None:
    for preset in PRESETS.values():
        planned = jobs(preset)
        assert {job.params["task"] for job in planned} == {"layer", "order", "relabel", "picture", "train"}
        assert {job.params["arm"] for job in planned if job.params["task"] == "train"} == set(ARMS)
        assert len({job.key("") for job in planned}) == len(planned)
