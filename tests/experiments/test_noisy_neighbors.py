"""Attention among noisy neighbors: what is measured, against plainer programs and expectations."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import cache
from itertools import product
from pathlib import Path

import numpy as np
import pytest
import torch
from support.figures import assert_drawn
from support.results import evidence_of

from erlangen.data.files import DataError
from erlangen.data.graphs import Graph, karate_club
from erlangen.experiments import planned_jobs
from erlangen.experiments.kit.evidence import Evidence
from erlangen.experiments.kit.tasks import read_task
from erlangen.experiments.noisy_neighbors import PRESETS, Recipe, fetch, training
from erlangen.experiments.noisy_neighbors.claims import HEARD, LOSES, REGIMES
from erlangen.experiments.noisy_neighbors.evidence import under
from erlangen.experiments.noisy_neighbors.figures import figures
from erlangen.experiments.noisy_neighbors.judge import answers, verdicts
from erlangen.experiments.noisy_neighbors.listening import attention_on
from erlangen.experiments.noisy_neighbors.noise import DEGREE, graph_of, noisy, reduced, two_classes
from erlangen.experiments.noisy_neighbors.run import run
from erlangen.experiments.noisy_neighbors.tasks import LAYERS, NOISES, PlantedSeparate, Train
from erlangen.experiments.noisy_neighbors.trained_weights import first_layer, network
from erlangen.experiments.noisy_neighbors.training import probe, trained
from erlangen.experiments.noisy_neighbors.weights import edge_weights
from erlangen.nn.graph.gcn import gcn_weights
from erlangen.records.runs import Job, Measurement
from erlangen.train.node_classifier import NodeHistory

TINY = Recipe(
    data=("blocks",), seeds=2, shares=(0.3,), nodes=160, dropouts=(0.3,), epochs=3, patience=3, distances=(0.25, 4.0),
    others=(0.2, 0.4), two_class_nodes=100,
)  # fmt: skip
OF_A_GRAPH = len(HEARD) + len(LOSES) + 2


def jobs_of(recipe: Recipe, task: str) -> list[Job]:
    return [job for job in planned_jobs("noisy-neighbors", recipe) if job.params["task"] == task]


@pytest.fixture(scope="module")
def measured() -> Evidence:
    return evidence_of(planned_jobs("noisy-neighbors", TINY), run)


@cache
def counted() -> tuple[Measurement, ...]:
    return tuple(run(jobs_of(TINY, "weights")[0]))


def test_what_is_listened_to_is_counted_edge_by_edge():
    rng = np.random.default_rng(0)
    edges = karate_club().edge_index
    noisy_edges = torch.from_numpy(rng.random(156) < 0.4)
    listening = torch.from_numpy(rng.random(34) < 0.7)
    weight = torch.from_numpy(rng.random((156, 3)))
    loops = torch.arange(34).expand(2, 34)
    masses, shares = [], []
    for node in range(34):
        arriving = [e for e in range(156) if edges[1, e] == node]
        bad = [e for e in arriving if noisy_edges[e]]
        if listening[node] and 0 < len(bad) < len(arriving):
            masses.append(float(weight[bad].mean(1).sum() / weight[arriving].mean(1).sum()))
            shares.append(len(bad) / len(arriving))
    everything = torch.cat([weight, torch.rand(34, 3).double()])  # loops count for nothing
    mass, share = attention_on(noisy_edges, everything, torch.cat([edges, loops], dim=1), listening)
    assert (mass, share) == pytest.approx((np.mean(masses), np.mean(shares)), rel=1e-12)


def test_every_layer_of_a_seed_meets_the_same_noise():
    tasks = [(read_task(Train, job), job.seed) for job in jobs_of(TINY, "train") if job.seed == 1]
    for noise in ("loud", "edges"):
        graphs = [noisy(graph_of(task, seed), noise, 0.5, seed)[0] for task, seed in tasks]
        assert len(graphs) == len(LAYERS)
        for graph in graphs[1:]:
            assert torch.equal(graph.x, graphs[0].x)
            assert torch.equal(graph.edge_index, graphs[0].edge_index)
        for other in (noisy(graph_of(tasks[0][0], 1), noise, 0.5, 0), noisy(graph_of(tasks[0][0], 1), noise, 0.5, 1, draw=1)):
            assert not (torch.equal(other[0].x, graphs[0].x) and torch.equal(other[0].edge_index, graphs[0].edge_index))


def test_noise_on_features_reaches_the_same_nodes_whatever_its_kind():
    graph = graph_of(read_task(Train, jobs_of(TINY, "train")[0]), 0)
    drawn = {noise: noisy(graph, noise, 0.3, 0) for noise in NOISES}
    for noise in NOISES[:4]:
        changed, nodes, marked = drawn[noise]
        assert torch.equal(nodes, drawn["swapped"][1])
        assert torch.equal((changed.x != graph.x).any(1), nodes)
        assert torch.equal(marked, nodes[graph.edge_index[0]])  # an edge is noise where it comes from a noisy node
    assert not drawn["edges"][1].any()
    assert 0 < int(drawn["edges"][2].sum()) < len(drawn["edges"][2])


def test_two_classes_lie_as_far_apart_and_mix_as_much_as_they_should():
    task = PlantedSeparate(distance=2.0, other=0.2, two_class_nodes=2000)
    graph, direction = two_classes(task, 0)
    along = graph.x @ direction
    apart = float(along[graph.y == 1].mean() - along[graph.y == 0].mean())
    assert apart == pytest.approx(2 * math.sqrt(math.log(2000)), rel=0.05)
    assert float(along[graph.y == 1].std()) == pytest.approx(1, rel=0.1)
    source, target = graph.edge_index
    assert float((graph.y[source] != graph.y[target]).double().mean()) == pytest.approx(0.2, abs=0.02)
    assert len(source) / 2000 == pytest.approx(DEGREE, rel=0.05)


def test_features_are_reduced_to_their_principal_components(tmp_path: Path):
    rng = np.random.default_rng(0)
    low = rng.normal(size=(90, 3)) @ rng.normal(size=(3, 20))  # of rank 3
    masks = {name: np.arange(90) % 3 == place for place, name in enumerate(("train_mask", "val_mask", "test_mask"))}
    ring = np.stack([np.arange(90), (np.arange(90) + 1) % 90])
    edges = np.concatenate([ring, ring[::-1]], axis=1)
    path = str(tmp_path / "low.npz")
    np.savez(path, x=low.astype(np.float32), edge_index=edges, y=np.arange(90) // 30, **masks)
    few, all_of_them = reduced(path, "", 3), reduced(path, "", 64)
    assert (few.x.shape, all_of_them.x.shape) == ((90, 3), (90, 20))
    for graph in (few, all_of_them):
        assert float(graph.x.std()) == pytest.approx(1, abs=1e-4)
        distances = torch.pdist(graph.x.double()) / torch.pdist(torch.from_numpy(low))  # nothing is lost but the scale
        assert float(distances.max() / distances.min()) == pytest.approx(1, abs=1e-4)


@pytest.mark.parametrize("name", ["mean", "gcn"])
def test_probed_weights_are_those_of_the_formula(name: str):
    edges = karate_club().edge_index
    x = torch.randn(34, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    found = edge_weights(name, x, edges, seed=0)[1][:, 0]
    degree = torch.bincount(edges[1], minlength=34).double()
    if name == "mean":
        expected = 1 / degree[edges[1]]
    else:
        looped = torch.cat([edges, torch.arange(34).expand(2, 34)], dim=1)
        expected = gcn_weights(looped, 34, torch.ones(190, dtype=torch.float64))[:156]
        assert torch.allclose(expected, 1 / ((degree[edges[0]] + 1) * (degree[edges[1]] + 1)).sqrt(), atol=1e-12)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("form", ["mean", "gcn"])
def test_weights_of_a_trained_layer_are_those_of_the_formula(form: str):
    """Whatever W is: the formula has none in it."""
    graph = replace(karate_club(), x=torch.randn(34, 8, generator=torch.Generator().manual_seed(0)).double())
    net = network(form, graph, seed=3).double().eval()
    weight = first_layer(net, graph.x, graph.edge_index)[:, 0]
    torch.testing.assert_close(weight, edge_weights(form, graph.x, graph.edge_index, seed=0)[1][:, 0], rtol=0, atol=1e-12)


def test_weights_as_they_are(measured: Evidence):
    found = {v.part: (v.verdict, v.of) for v in verdicts(TINY, measured) if v.claim == "G7"}
    assert found == {
        "equal weights, mean form": ("supported", "report"),
        "unequal weights, Kipf and Welling": ("supported", "extension"),
        "feature-dependent weights": ("supported", "report"),
        "order of neighbors, GAT": ("supported", "rival"),
        "order of neighbors, GATv2": ("supported", "rival"),
        "equal weights after training": ("supported", "report"),
        "feature-dependent weights after training": ("supported", "report"),
    }


@pytest.mark.parametrize(
    ("name", "count", "part", "outcome"),
    [
        ("mean_unequal", 1, "equal weights, mean form", "refuted"),
        ("gcn_unequal", 0, "equal weights, mean form", "inconclusive"),  # a probe that sees nothing supports nothing
        ("gcn_unequal", 0, "unequal weights, Kipf and Welling", "refuted"),
        ("gcn_changed", 1, "feature-dependent weights", "refuted"),
        ("gat_changed", 0, "feature-dependent weights", "refuted"),
        ("gat_turned", 2, "order of neighbors, GAT", "refuted"),
        ("gatv2_turned", 0, "order of neighbors, GAT", "inconclusive"),
        ("gatv2_turned", 0, "order of neighbors, GATv2", "refuted"),
        ("gat_pairs", math.nan, "order of neighbors, GAT", "not measured"),
    ],
)
def test_counts_and_their_positive_controls(name: str, count: float, part: str, outcome: str):
    changed = [Measurement(name, count) if m.name == name else m for m in counted()]
    evidence = evidence_of(jobs_of(TINY, "weights"), lambda job: changed)
    assert {v.part: v for v in verdicts(TINY, evidence)}[part].verdict == outcome


@pytest.mark.parametrize(
    ("form", "changes", "equal", "follow"),
    [
        ("mean", {}, "supported", "supported"),
        ("mean", {"unequal": 1.0}, "refuted", "supported"),
        ("gcn", {"unequal": 0.0}, "inconclusive", "supported"),  # a probe that sees nothing supports nothing
        ("gcn", {"changed": 1.0}, "supported", "refuted"),
        ("gat", {"changed": 99.0}, "supported", "refuted"),
        ("gatv2", {"changed": 0.0}, "supported", "refuted"),
        ("gat", {"train_accuracy": 89.99999761581421}, "supported", "supported"),  # 54 of 60 in float32
        ("gat", {"train_accuracy": 89.0}, "inconclusive", "inconclusive"),  # not trained
        ("gat", {"train_accuracy": math.nan}, "inconclusive", "inconclusive"),
        ("gat", {"changed": math.nan}, "supported", "not measured"),
        ("mean", {"nodes": math.nan}, "not measured", "supported"),
    ],
)
def test_counts_after_training(form: str, changes: dict[str, float], equal: str, follow: str):
    def count(job: Job) -> list[Measurement]:
        attentive = job.params["form"] in ("gat", "gatv2")
        unequal = 0.0 if job.params["form"] == "mean" else 60.0
        made = {"train_accuracy": 100.0, "nodes": 60.0, "unequal": unequal, "edges": 100.0, "changed": 100.0 * attentive,
                "largest_over_smallest": 2.0}  # fmt: skip
        made |= changes if job.params["form"] == form else {}
        return [Measurement(name, value) for name, value in made.items()]

    found = {v.part: v.verdict for v in verdicts(TINY, evidence_of(jobs_of(TINY, "trained-weights"), count))}
    assert (found["equal weights after training"], found["feature-dependent weights after training"]) == (equal, follow)


def test_a_job_measures_every_noise(measured: Evidence):
    for one in measured.of(Train):
        for regime, noise in product(REGIMES, NOISES):
            assert math.isfinite(under("lost", regime, (noise,))(one))
            assert all(0 <= under(what, regime, (noise,))(one) <= 100 for what in ("accuracy", "fit", "probe"))
            if one.params["layer"] == "uniform":  # equal attention is the share, exactly
                assert under("attention", regime, (noise,))(one) == pytest.approx(1, abs=1e-5)


def test_what_noise_costs_is_counted_at_the_same_nodes():
    """In a plainer program: a net's accuracy on the clean graph less that on the noisy one, at nodes with clean features."""
    job = next(job for job in jobs_of(TINY, "train") if job.params["layer"] == "gcn")
    task: Train = read_task(Train, job)
    clean = graph_of(task, job.seed)
    (net, _), lost = trained(task, job.seed, clean, 0.3), []
    for draw in (0, 1):
        graph, nodes, _ = noisy(clean, "swapped", 0.3, job.seed, draw)
        assert clean.test_mask is not None
        at = clean.test_mask & ~nodes
        right = [(net(one.x, one.edge_index).argmax(1) == clean.y)[at].double().mean() for one in (clean, graph)]
        lost.append(100 * float(right[0] - right[1]))
    assert {m.name: m.value for m in run(job)}["test_noise_lost"][0] == pytest.approx(np.mean(lost), abs=1e-4)


def test_a_probe_reads_what_hidden_states_hold():
    """On classes that no edge mixes and whose features lie far apart it is right; on features without a class it is not."""
    y = torch.arange(120) % 2
    edges = torch.stack([torch.arange(120), torch.arange(120)])
    masks = [torch.arange(120) % 3 == place for place in range(3)]
    x = 6.0 * y[:, None] - 3 + torch.randn(120, 4, generator=torch.Generator().manual_seed(0))
    clear = Graph(x=x, edge_index=edges, y=y, train_mask=masks[0], validation_mask=masks[1], test_mask=masks[2])
    task: Train = read_task(Train, jobs_of(TINY, "train")[0])
    at = masks[2].nonzero().flatten()
    assert probe(trained(task, 0, clear, 0.0)[0], clear, at) == 100
    blind = replace(clear, x=torch.randn(120, 4, generator=torch.Generator().manual_seed(1)))
    assert probe(trained(task, 0, blind, 0.0)[0], blind, at) < 80


def test_a_probe_is_ridge_regression_with_an_intercept():
    """By least squares on the training nodes with √λ I below them, on hidden states far from 0 and classes of unequal sizes."""

    class Hidden:
        layers = (lambda x, edges: x,)
        activation = staticmethod(lambda h: h)

    rng = np.random.default_rng(0)
    y = (rng.random(300) < 0.2).astype(int)
    h = 5.0 + rng.normal(size=(300, 6)) + 0.8 * y[:, None]
    train, test = np.arange(60), np.arange(60, 300)
    mask = torch.arange(300) < 60
    graph = Graph(x=torch.from_numpy(h), edge_index=torch.zeros(2, 0).long(), y=torch.from_numpy(y), train_mask=mask)
    centered, classes = h[train] - h[train].mean(0), np.eye(2)[y[train]]
    ridge = 0.01 * (centered**2).sum(0).mean()
    rows = np.concatenate([centered, np.sqrt(ridge) * np.eye(6)])
    weight = np.linalg.lstsq(rows, np.concatenate([classes - classes.mean(0), np.zeros((6, 2))]), rcond=None)[0]
    right = ((h[test] - h[train].mean(0)) @ weight + classes.mean(0)).argmax(1) == y[test]
    assert probe(Hidden(), graph, torch.from_numpy(test)) == pytest.approx(100 * right.mean(), abs=1e-9)  # type: ignore[arg-type]
    assert 75 < 100 * right.mean() < 99


def test_the_best_dropout_is_that_of_the_best_validation(monkeypatch: pytest.MonkeyPatch):
    tried = {0.1: (80.0, 0.5), 0.3: (90.0, 0.7), 0.5: (90.0, 0.6), 0.7: (70.0, 0.1)}  # accuracy, loss
    monkeypatch.setattr(
        training, "trained", lambda task, seed, graph, dropout: (dropout, NodeHistory(1, 1, 0.0, *tried[dropout])), raising=True
    )
    task: Train = replace(read_task(Train, jobs_of(TINY, "train")[0]), dropouts=tuple(tried))
    assert training.best_net(task, 0, karate_club())[0] == 0.5


def test_planted_attention_is_seen(measured: Evidence):
    """Marked neighbors get e⁻⁸ of another's attention; constructed attention ends at neighbors of the other class far apart."""
    (shut,) = {tuple(round(m.value, 3) for m in one.measurements) for one in measured.results if one.params["task"] == "planted"}
    assert max(shut) < 2e-3
    attention = {
        distance: [one.value("attention") for one in measured.of(PlantedSeparate, distance=distance)] for distance in (0.25, 4.0)
    }
    assert max(attention[4.0]) < 0.01
    assert min(attention[0.25]) > 0.6


@pytest.fixture
def own_graph(tmp_path: Path) -> str:
    """A graph of the user's: a ring of 90 nodes and its chords, of three classes."""
    ring = torch.stack([torch.arange(90), (torch.arange(90) + 1) % 90])
    chords = torch.stack([torch.arange(90), (torch.arange(90) + 3) % 90])
    edges = torch.cat([ring, ring.flip(0), chords, chords.flip(0)], dim=1)
    y = torch.arange(90) // 30
    x = torch.nn.functional.one_hot(y).float() + 0.1 * torch.randn(90, 3, generator=torch.Generator().manual_seed(0))
    masks = {name: torch.arange(90) % 3 == place for place, name in enumerate(("train_mask", "val_mask", "test_mask"))}
    path = tmp_path / "my ring.npz"
    np.savez(path, **{name: value.numpy() for name, value in {"x": x, "edge_index": edges, "y": y, **masks}.items()})
    return str(path)


def test_a_graph_of_the_users_own_beside_another(own_graph: str, measured: Evidence):
    recipe = replace(TINY, data=("blocks", own_graph))
    fetch(recipe)
    own = [job for job in planned_jobs("noisy-neighbors", recipe) if job.params.get("data") == own_graph]
    evidence = Evidence((*measured.results, *evidence_of(own, run).results))
    found = [verdict for verdict in verdicts(recipe, evidence) if verdict.part.startswith("my ring.npz, ")]
    assert len(found) == OF_A_GRAPH
    assert {(verdict.of, verdict.quote) for verdict in found} == {("extension", "")}  # the report did not mean it
    (_, g8) = answers(recipe, evidence, verdicts(recipe, evidence))
    assert " on my ring.npz" in g8.sentence
    assert g8.beyond == "", "block models are the report's business"
    alone = replace(recipe, data=(own_graph,))
    (_, g8) = answers(alone, evidence, verdicts(alone, evidence))
    assert g8.beyond == "on your graph (my ring.npz): does not judge the report's statement"
    made = figures(recipe, evidence)
    assert_drawn(made)
    assert "losses-my-ring-npz" in [figure.name for figure in made]


def test_an_edited_file_is_computed_anew_and_block_models_are_not(own_graph: str):
    recipe = replace(TINY, data=("blocks", own_graph))
    before = {job.key("") for job in planned_jobs("noisy-neighbors", recipe)}
    Path(own_graph).write_bytes(Path(own_graph).read_bytes() + b" ")
    again = [job for job in planned_jobs("noisy-neighbors", recipe) if job.key("") not in before]
    assert {job.params["data"] for job in again} == {own_graph}
    assert len(again) == TINY.seeds * (len(LAYERS) + 1)  # and the planted control


def test_a_file_that_is_missing_is_named(tmp_path: Path):
    with pytest.raises(DataError, match=r"none\.npz: No such file or directory: .*--set data=graph\.pt"):
        planned_jobs("noisy-neighbors", replace(TINY, data=(str(tmp_path / "none.npz"),)))


@pytest.mark.parametrize("kept", [0, 1, 9, 999])
def test_figures_are_made_of_whatever_there_is(measured: Evidence, kept: int):
    some = Evidence(measured.results[:kept])
    made = figures(TINY, some)
    assert_drawn(made)
    answers(TINY, some, verdicts(TINY, some))
    if kept == 999:
        assert made[0].name == "attention-blocks"  # the figure that shows the answer
        drawn = {"losses-blocks", "lines-blocks", "node-blocks", "classes-attention", "classes-test-accuracy", "weights"}
        assert drawn <= {figure.name for figure in made}


@pytest.mark.parametrize(
    ("key", "value"),
    [("shares", (0.5, 0.1)), ("dropouts", ()), ("distances", (1.0,)), ("others", (0.4, 0.2)), ("listened", 0.5), ("data", ()),
     ("data", ("cora", "cora")), ("data", ("a/g.pt", "b/g.pt")), ("data", ("corra",))],
)  # fmt: skip
def test_recipes_that_cannot_be_judged_are_refused(key: str, value: object):
    with pytest.raises(ValueError, match=key):
        replace(PRESETS["standard"], **{key: value})  # type: ignore[arg-type]
