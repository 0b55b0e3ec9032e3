"""Transformers as graph networks: what is measured, against plainer programs; the verdicts in worlds of known answer."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from typing import get_args

import networkx
import numpy as np
import pytest
import torch
from support.figures import assert_drawn
from support.results import evidence_of, result, with_measurement

from erlangen.data.files import DataError
from erlangen.data.graphs import Graph, karate_club
from erlangen.errors import ErlangenError
from erlangen.experiments import planned_jobs
from erlangen.experiments.kit.evidence import Evidence
from erlangen.experiments.kit.recipe import choose_recipe
from erlangen.experiments.kit.tasks import job
from erlangen.experiments.transformer_as_graph import (
    CLAIMS,
    PRESETS,
    Recipe,
    arms,
    fetch,
    heard,
    layers,
    masks,
    relabelings,
    training,
)
from erlangen.experiments.transformer_as_graph.figures import figures
from erlangen.experiments.transformer_as_graph.judge import answers, verdicts
from erlangen.experiments.transformer_as_graph.orders import opposite_orders
from erlangen.experiments.transformer_as_graph.relabelings import graphs, keeps, relabel
from erlangen.experiments.transformer_as_graph.run import run
from erlangen.experiments.transformer_as_graph.structure import CLASSES, SHARE, log_ratio
from erlangen.experiments.transformer_as_graph.tasks import ArmName, Cora, CoraArm, Layer, Relabel
from erlangen.nn.graph.algebra import adjacency, complete_graph, in_degree, is_symmetric, multi_edges, self_loops
from erlangen.records.runs import Job, JobResult, Measurement, Verdict
from erlangen.train.node_classifier import NodeHistory

ARMS = get_args(ArmName)
TINY = Recipe(
    sizes=(1, 2, 4), draws=2, classes=(2,), homophilies=(0.1, 0.9), seeds=1, nodes=120, epochs=2, patience=2, cora_seeds=0
)
G9 = tuple(CLAIMS[0].parts)


@pytest.fixture(scope="module")
def measured() -> Evidence:
    return evidence_of(planned(TINY), run)


def planned(recipe: Recipe) -> list[Job]:
    return planned_jobs("transformer-as-graph", recipe)


def judged(evidence: Evidence, recipe: Recipe = TINY) -> dict[str, Verdict]:
    return {verdict.part: verdict for verdict in verdicts(recipe, evidence)}


def outcomes(judged: dict[str, Verdict], *parts: str) -> tuple[str, ...]:
    return tuple(judged[part].verdict for part in parts)


EVERY = 10_000  # jobs


def without(evidence: Evidence, gone: Callable[[JobResult], bool]) -> Evidence:
    """The evidence as if the jobs of some results had failed."""
    jobs = {job.key(""): job for job in planned(TINY)}
    lost = tuple(jobs[result.key] for result in evidence.results if gone(result))
    return Evidence(tuple(result for result in evidence.results if not gone(result)), (*evidence.missing, *lost))


def test_the_layer_is_a_graph_network(measured: Evidence) -> None:
    found = judged(measured)
    assert outcomes(found, *G9) == ("supported",) * 5
    compared = 2 * 3 * 3 * 2 * (2 + 1 + 12)  # draws, sizes, heads, norms; output and attention, input, torch's 12 parameters
    assert found["complete graph"].n == compared
    assert found["causal mask"].n == compared + 2 * 3 * 2 * sum(n * (n - 1) // 2 for n in TINY.sizes)
    assert found["self-loops"].n == 2 * 2 * 3 * 2  # not the layers of one token
    assert "120 (complete), 1 (causal), 10 (ring), 24 (star), 120 (self)" in found["relabeling"].note


def layer_counts(monkeypatch: pytest.MonkeyPatch, **changed: object) -> dict[str, float]:
    """What a layer job counts with some functions of its module replaced."""
    for name, function in changed.items():
        monkeypatch.setattr(layers, name, function)
    found = layers.compare_layers(Layer(sizes=(3,)), Job(params={}))
    return {m.name: float(m.value) for m in found if isinstance(m.value, (int, float))}


def test_other_graphs_are_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    cases = layer_counts(monkeypatch)["complete_cases"]

    def reversed_graph(n: int, loops: bool = True, causal: bool = False) -> torch.Tensor:
        return complete_graph(n, loops=loops, causal=causal).flip(0)

    backwards = layer_counts(monkeypatch, complete_graph=reversed_graph)
    assert (backwards["complete_wrong"], backwards["edges_back"]) == (0, 0)  # a symmetric graph reversed is itself
    assert backwards["causal_wrong"] > cases / 2
    everyone = layer_counts(monkeypatch, complete_graph=lambda n, loops=True, causal=False: complete_graph(n))
    assert everyone["causal_wrong"] > cases / 2
    assert everyone["edges_back"] == everyone["edges"] > 0
    assert everyone["loops_equal"] == everyone["loops_cases"] == 6
    assert everyone["crossed_apart"] == 0


def test_the_positive_control_tells_the_graphs_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    counts = layer_counts(monkeypatch)
    assert counts["crossed_cases"] == counts["complete_cases"]
    assert 75 < counts["crossed_apart"] <= 90 - 6  # the gradient of one bias is the direction in each layer, whatever the mask


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
    found = {m.name: m.value for m in relabel(Relabel(), Job(params={}))}
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
    found = {m.name: m.value for m in relabel(Relabel(), Job(params={}))}
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
    seen = {mask: masks.mask_edges(graph, mask, 3) for mask in ("self", "graph", "diluted", "random", "complete")}
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
    assert not torch.equal(masks.mask_edges(graph, "random", 4), seen["random"])


def test_arms_differ_in_edges_and_encodings_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same first weights for every arm of a seed, and the same places in the input."""
    starts = []

    def record(net, graph, schedule):
        starts.append({name: p.clone() for name, p in net.state_dict().items()})
        return fit(net, graph, schedule)

    fit = training.fit
    monkeypatch.setattr(training, "fit", record)
    for each in planned(TINY):
        if each.params["task"] == "train" and each.params["homophily"] == 0.9:
            run(each)
    transformers = [start for start in starts if start.keys() == starts[0].keys()]
    assert len(transformers) == 2 * (len(ARMS) - 1)  # two settings of dropout
    assert len(starts) - len(transformers) == 3  # GAT's two, and the fit that it can reach
    assert all(torch.equal(start[name], starts[0][name]) for start in transformers for name in starts[0])


@pytest.mark.parametrize(
    ("accuracies", "losses", "expected"),
    [((70.0, 71.0), (0.1, 0.9), 0.5), ((72.0, 71.0), (0.9, 0.1), 0.2), ((70.0, 70.0), (0.9, 0.1), 0.5)],
)
def test_arms_are_tuned_by_the_validation_nodes(
    monkeypatch: pytest.MonkeyPatch, accuracies: tuple[float, ...], losses: tuple[float, ...], expected: float
) -> None:
    """Most of them right; of equal settings the least loss."""

    def train_network(graph: object, dropout: float, schedule: object, seed: int, network: object) -> tuple[float, NodeHistory]:
        place = training.DROPOUTS.index(dropout)
        return dropout, NodeHistory(1, 1, 100.0, accuracies[place], losses[place])

    monkeypatch.setattr(training, "train_network", train_network)
    net, history, dropout = training.tune(karate_club(), 1, 1, 0, training.TRANSFORMER)
    assert net == dropout == expected
    assert history.validation_accuracy == max(accuracies)


def test_what_gat_could_fit_is_chosen_by_its_training_nodes(monkeypatch: pytest.MonkeyPatch) -> None:
    graph, seen = masks.block_graph(2, 0.9, 120, 0), []

    def record(net, given, schedule):
        seen.append((given, schedule))
        return NodeHistory(1, 1, 87.5, 50.0, 1.0)

    monkeypatch.setattr(training, "fit", record)
    assert training.reachable_fit(graph, 5, 3, 0, training.GAT) == 87.5
    ((given, schedule),) = seen
    assert torch.equal(given.validation_mask, graph.train_mask)
    assert (schedule.epochs, schedule.patience, schedule.lr) == (10, 6, training.GAT.lr)  # the schedule that it is tuned with


@pytest.mark.parametrize("arm", get_args(CoraArm))
def test_arms_on_cora_attend_along_what_they_are_called_by(arm: CoraArm, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a small graph in Cora's place."""
    small, tuned = replace(masks.block_graph(2, 0.9, 120, 0), x=torch.rand(120, 30)), []
    original = training.tune

    def record(graph, epochs, patience, seed, network):
        tuned.append((graph, network))
        return original(graph, epochs, patience, seed, network)

    monkeypatch.setattr(arms, "cora", lambda: small)
    monkeypatch.setattr(arms, "tune", record)
    found = {m.name: m.value for m in run(job(Cora(arm=arm, epochs=1, patience=1)))}
    assert found["test_nodes"] == 50
    ((graph, network),) = tuned
    edges = {"self": 120, "graph": small.edge_index.shape[1] + 120, "gat": small.edge_index.shape[1], "complete": 120**2}
    assert graph.edge_index.shape[1] == edges[arm]
    assert network is {"gat": training.GAT, "complete": training.TRANSFORMER}.get(arm, training.ALONG_EDGES)
    torch.testing.assert_close(graph.x.square().mean(1), torch.ones(120))
    torch.testing.assert_close(graph.x / graph.x[:, :1], small.x / small.x[:, :1])  # rows are scaled, and nothing else


def test_a_row_of_zeros_stays_one() -> None:
    assert not arms.scaled(torch.zeros(2, 3)).any()


def test_cora_is_fetched_where_it_is_asked_for(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("ERLANGEN_DATA", str(tmp_path))
    fetch(TINY)
    with pytest.raises(DataError, match="planetoid/Cora/raw"):
        fetch(replace(TINY, cora_seeds=1))


def test_encodings_have_places_of_their_own() -> None:
    graph = masks.block_graph(2, 0.9, 120, 0)
    plain, walks, vectors = (masks.encoded(graph, encoding) for encoding in ("", "walks", "eigenvectors"))
    assert plain.shape == walks.shape == vectors.shape == (120, masks.FEATURES + 2 * masks.ENCODED)
    assert all(torch.equal(x[:, : masks.FEATURES], graph.x) for x in (plain, walks, vectors))
    assert not plain[:, masks.FEATURES :].any()
    for given, columns in ((walks, slice(16, 24)), (vectors, slice(24, 32))):
        others = torch.ones(32, dtype=torch.bool)
        others[: masks.FEATURES] = False
        others[columns] = False
        assert not given[:, others].any()
        spread = given[:, columns].double().std(0, correction=0)
        assert ((spread - 1).abs() < 1e-4).sum() >= 7  # no walk is back after one step: a column of zeros
        assert (given[:, columns].mean(0).abs() < 1e-5).all()
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
    masked = replace(graph, edge_index=complete_graph(graph.num_nodes))
    return {m.name: m.value for m in heard.attention_on_edges(Listener(weight), masked, graph)}  # type: ignore[arg-type]


def test_even_attention_gives_edges_their_share() -> None:
    club = karate_club()
    found = listened(torch.full((34, 34, 2), 1 / 34), club)
    assert found["share_of_edges"] == pytest.approx(156 / 34**2)
    assert found["attention_on_edges"] == found["attention_on_same_classes"] == pytest.approx((156 / 34**2,))
    assert found["nodes_attended"] == pytest.approx((34,))


def test_attention_planted_on_true_edges_is_seen() -> None:
    """Twice as much for each neighbor, before the attention is normalized: twice what others of its class get."""
    club = karate_club()
    found = listened(torch.full((34, 34, 2), 1 / 34), club)
    degrees = in_degree(club.edge_index, 34).double()
    expected = float((2 * degrees / (34 + degrees)).mean())
    assert found["planted_attention_on_edges"] == pytest.approx((expected,))
    assert found["planted_attention_on_same_classes"] == pytest.approx((expected / 2,))
    measured = result(Job(params={}), [Measurement(name, value) for name, value in found.items()])  # type: ignore[arg-type]
    assert log_ratio(measured, CLASSES, "planted_") == pytest.approx(math.log(2))
    assert log_ratio(measured, SHARE, "planted_") > math.log(1.5)


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
    measured = result(Job(params={}), [Measurement(name, value) for name, value in found.items()])  # type: ignore[arg-type]
    assert log_ratio(measured, SHARE) > 0.3
    assert log_ratio(measured, CLASSES) == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize(
    ("task", "lost"),
    [
        ("layer", {"complete graph", "causal mask", "self-loops"}),
        ("order", {"additive attention"}),
        ("relabel", {"relabeling"}),
    ],
)
def test_missing_jobs_are_not_measured(measured: Evidence, task: str, lost: set[str]) -> None:
    fewer = judged(without(measured, lambda kept: (kept.params["task"], kept.seed) == (task, 1)))
    assert {part for part in G9 if fewer[part].verdict == "not measured"} == lost


@pytest.mark.parametrize(
    ("name", "value", "part"),
    [
        ("complete_wrong", 1, "complete graph"),
        ("causal_wrong", 1, "causal mask"),
        ("edges_back", 1, "causal mask"),
        ("loops_equal", 1, "self-loops"),
        ("gat_turned", 1, "additive attention"),
        ("star_wrong", 1, "relabeling"),
        ("causal_commuting", 3, "relabeling"),
        ("complete_commuting", 119, "relabeling"),
    ],
)
def test_one_counterexample_refutes(measured: Evidence, name: str, value: float, part: str) -> None:
    found = judged(with_measurement(measured, name, value))
    assert {part for part in G9 if found[part].verdict == "refuted"} == {part}


@pytest.mark.parametrize(
    ("name", "value", "parts"),
    [
        ("crossed_apart", 0, {"complete graph", "causal mask"}),
        ("complete_wrong", 1, {"self-loops"}),
        ("dot_fixed", 1, {"additive attention"}),
    ],
)
def test_a_comparison_that_sees_nothing_proves_nothing(measured: Evidence, name: str, value: float, parts: set[str]) -> None:
    found = judged(with_measurement(measured, name, value, EVERY))
    assert {part for part in G9 if found[part].verdict == "inconclusive"} == parts


@pytest.mark.parametrize("name", ["complete_wrong", "loops_equal", "gat_turned", "ring_wrong"])
def test_a_count_that_is_not_a_number_is_not_measured(measured: Evidence, name: str) -> None:
    found = judged(with_measurement(measured, name, math.nan))
    assert sum(found[part].verdict == "not measured" for part in G9) == 1


def test_answers_are_made_of_the_numbers(measured: Evidence) -> None:
    exact, _ = answers(TINY, measured, verdicts(TINY, measured))
    assert (exact.answer, exact.figure) == ("supported", "checks")
    assert "differs from it in 0 of 540 outputs" in exact.sentence


def test_figures_are_made_of_whatever_there_is(measured: Evidence) -> None:
    for kept in ([], measured.results[:1], measured.results[:8], measured.results[-3:]):
        evidence = Evidence(tuple(kept))
        assert_drawn(figures(TINY, evidence))
        answers(TINY, evidence, verdicts(TINY, evidence))
    drawn = figures(TINY, measured)
    assert_drawn(drawn)
    assert [figure.name for figure in drawn] == ["gains", "accuracy", "checks", "attention", "club"]


def test_the_club_is_drawn_once_for_each_pair(measured: Evidence) -> None:
    rows = next(figure for figure in figures(TINY, measured) if figure.name == "club").rows
    assert sum(row[0] == "along the ties" for row in rows) == 78
    assert sum(row[0] == "to every member" for row in rows) == 34 * 33 // 2
    assert sum(row[0] == "to every member" and row[4] == "tie" for row in rows) == 78


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


def test_every_key_can_be_given_as_text() -> None:
    changed = choose_recipe(PRESETS, "standard", ["classes=2", "homophilies=0.1,0.9", "sizes=1,2", "cora_seeds=0"])
    assert (changed.classes, changed.homophilies, changed.sizes, changed.cora_seeds) == ((2,), (0.1, 0.9), (1, 2), 0)
    with pytest.raises(ErlangenError, match="2, 4 or both"):
        choose_recipe(PRESETS, "standard", ["classes=3"])


def test_presets_run_every_task_and_arm() -> None:
    for preset in PRESETS.values():
        jobs = planned(preset)
        tasks = {"layer", "order", "relabel", "picture", "train"} | ({"cora"} if preset.cora_seeds else set())
        assert {job.params["task"] for job in jobs} == tasks
        assert {job.params["arm"] for job in jobs if job.params["task"] == "train"} == set(ARMS)
        assert len({job.key("") for job in jobs}) == len(jobs)
