"""Depth, and the node itself: what is measured against plainer programs, and what figures are made of."""

from __future__ import annotations

import math
import os
from dataclasses import replace
from pathlib import Path

import networkx as nx
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from scipy import stats
from support.figures import assert_drawn
from support.results import evidence_of
from torch import Tensor

from erlangen.data.files import DataError
from erlangen.data.planetoid import cora
from erlangen.experiments import planned_jobs
from erlangen.experiments.kit.evidence import Evidence
from erlangen.experiments.kit.tasks import read_task
from erlangen.experiments.oversmoothing import OF_NETS, PRESETS, Recipe, fetch
from erlangen.experiments.oversmoothing.figures import figures
from erlangen.experiments.oversmoothing.graphs import graph_of
from erlangen.experiments.oversmoothing.itself import sees_itself
from erlangen.experiments.oversmoothing.judge import answers, verdicts
from erlangen.experiments.oversmoothing.nets import net_of
from erlangen.experiments.oversmoothing.run import run
from erlangen.experiments.oversmoothing.tasks import KINDS, Propagate, Start, Train
from erlangen.experiments.oversmoothing.training import train_until
from erlangen.measure.smoothness import dirichlet_energy
from erlangen.nn.graph.algebra import adjacency
from erlangen.nn.graph.convolution import GraphConvolution
from erlangen.records.runs import Job, Verdict
from erlangen.train.node_classifier import accuracy, evaluate

TINY = Recipe(data="blocks", seeds=2, depths=(1, 3), deep=3, rates=(1e-2,), epochs=5, width=8, nodes=120)
CORA = Path(os.environ.get("ERLANGEN_DATA", Path(__file__).parents[3] / "shared" / "data")) / "planetoid/Cora/raw"


def jobs_of(recipe: Recipe, kind: type, **fields: object) -> list[Job]:
    jobs = [job for job in planned_jobs("oversmoothing", recipe) if job.params["task"] == kind.__name__.lower()]
    return [job for job in jobs if all(job.params[name] == value for name, value in fields.items())]


@pytest.fixture(scope="module")
def measured() -> Evidence:
    return evidence_of(planned_jobs("oversmoothing", TINY), run)


def judged(evidence: Evidence, recipe: Recipe) -> dict[str, Verdict]:
    return {verdict.part: verdict for verdict in verdicts(recipe, evidence)}


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


def test_what_is_counted_is_as_it_is(measured: Evidence):
    found = judged(measured, TINY)
    assert [found[part].verdict for part in ("one layer", "two layers")] == ["supported"] * 2
    assert found["one layer"].quote == "Without B the update is independent of h_v"
    assert found["weight scale, relu"].verdict == "supported"  # measured, not made up


def test_features_have_equal_size_and_the_giant_component_is_what_is_trained_on(own_graph: str):
    job = jobs_of(replace(TINY, data=own_graph), Train)[0]
    giant, whole = (graph_of(own_graph, 0, str(job.params["digest"]), 0, giant=giant) for giant in (True, False))
    assert [graph.num_nodes for graph in (giant, whole)] == [30, 50]
    for graph in (giant, whole):
        torch.testing.assert_close(graph.x.square().mean(1), torch.ones(graph.num_nodes))


def test_propagation_is_the_matrix_power():
    for component in ("giant", "whole"):
        graph = graph_of("blocks", 120, "", 0, giant=component == "giant")
        n, x = graph.num_nodes, graph.x.double()
        a, eye = adjacency(graph.edge_index, n).double(), torch.eye(n, dtype=torch.float64)
        walk = a / a.sum(1, keepdim=True).clamp(min=1)
        looped = (a + eye) / (a + eye).sum(1, keepdim=True)
        for arm, step in (("none", walk), ("root", walk + eye), ("loops", looped)):
            (job,) = (job for job in jobs_of(TINY, Propagate, arm=arm, component=component) if job.seed == 0)
            energies = next(m.value for m in run(job) if m.name == "energy")
            expected = [dirichlet_energy(torch.linalg.matrix_power(step, depth) @ x, graph.edge_index) for depth in (0, 1, 3)]
            assert energies == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("rounds", [4, pytest.param(32, marks=pytest.mark.slow)])
@pytest.mark.skipif(not CORA.is_dir(), reason=f"needs Cora in {CORA}")
def test_what_averaging_leaves_on_cora_by_a_second_program(rounds: int, monkeypatch: pytest.MonkeyPatch):
    """networkx and NumPy; of the energy of 2 rounds, 32 leave 0.016 and 0.044 on the giant component, 0.253 and 0.033 on all."""
    monkeypatch.setenv("ERLANGEN_DATA", str(CORA.parents[2]))
    data = cora()
    whole = nx.Graph(data.edge_index.T.tolist())
    whole.add_nodes_from(range(data.num_nodes))
    for component in ("giant", "whole"):
        kept = sorted(max(nx.connected_components(whole), key=len)) if component == "giant" else range(data.num_nodes)
        a = nx.to_scipy_sparse_array(whole, nodelist=list(kept), format="csr", dtype=float)
        x = data.x.numpy()[list(kept)].astype(float)
        x /= np.sqrt((x**2).mean(1, keepdims=True))
        degree = a.sum(1)
        for arm in ("none", "root"):
            h, energies = x, []
            for depth in range(1, rounds + 1):
                mean = (a @ h) / degree[:, None]
                h = (mean + h) / 2 if arm == "root" else mean
                if depth in (2, rounds):
                    energies.append((degree @ (h**2) - (h * (a @ h)).sum(0)).sum() / (h**2).sum())  # tr(Hᵀ (D - A) H) / ‖H‖²
            recipe = replace(PRESETS["standard"], depths=(2, rounds), deep=rounds)
            values = {m.name: m.value for m in run(jobs_of(recipe, Propagate, arm=arm, component=component)[0])}
            assert values["nodes"] == len(kept)
            assert values["energy"][1:] == pytest.approx(energies, rel=1e-6)  # type: ignore[index]


def plainly_trained(arm: str, seed: int, depth: int, lr: float) -> list[float]:
    """Plain torch, dense matrices, other random numbers: log energy before and after training, test accuracy, epochs."""
    graph = graph_of("blocks", 200, "", seed)
    a = torch.zeros(graph.num_nodes, graph.num_nodes)
    a[graph.edge_index[1], graph.edge_index[0]] = 1.0
    degree = a.sum(1, keepdim=True)
    draw = torch.Generator().manual_seed(1000 + seed)
    width, (_, features) = 16, graph.x.shape
    two = math.sqrt(2 / (2 * width if arm == "root" else width))
    shapes = [(features, width, features**-0.5), *[(width, width, two)] * (2 * depth), (width, width, two)]
    encoder, *inner = [(torch.randn(rows, columns, generator=draw) * std).requires_grad_() for rows, columns, std in shapes]
    decoder = torch.nn.Linear(width, 4)
    biases = [torch.zeros(width, requires_grad=True) for _ in range(depth + 1)]

    def hidden() -> Tensor:
        h = (graph.x @ encoder + biases[0]).relu()
        for layer in range(depth):
            own = h @ inner[2 * layer + 1] if arm == "root" else 0.0
            h = ((a @ h / degree) @ inner[2 * layer] + own + biases[layer + 1]).relu()
        return h

    def energy() -> float:
        h = hidden().detach().double()
        return float(((degree * h**2).sum() - (h * (a.double() @ h)).sum()) / (h**2).sum())

    before, epoch = energy(), 0
    optimizer = torch.optim.Adam([encoder, *inner, *biases, *decoder.parameters()], lr=lr)
    for epoch in range(1, 201):
        optimizer.zero_grad()
        F.cross_entropy(decoder(hidden())[graph.train_mask], graph.y[graph.train_mask]).backward()
        optimizer.step()
        if epoch % 5 == 0 and F.cross_entropy(decoder(hidden())[graph.train_mask], graph.y[graph.train_mask]) <= 0.05:
            break
    right = (decoder(hidden()).argmax(1) == graph.y)[graph.test_mask]
    return [math.log(before), math.log(energy()), 100 * float(right.float().mean()), math.log(epoch)]


@pytest.mark.parametrize("arm", ["root", "none"])
def test_nets_are_as_a_second_program_has_them_to_the_interval(arm: str):
    recipe = replace(TINY, seeds=8, depths=(1, 4), deep=4, epochs=200, width=16, nodes=200)
    start, train = (jobs_of(recipe, kind, arm=arm, activation="relu", scale=1.0) for kind in (Start, Train))
    ours, plain = [], []
    for seed in range(recipe.seeds):
        first = {m.name: m.value for m in run(next(job for job in start if job.seed == seed))}
        made = {m.name: m.value for m in run(next(job for job in train if job.seed == seed and job.params["depth"] == 4))}
        energy = first["energy"][1]  # type: ignore[index]
        ours.append([math.log(energy), math.log(float(made["energy"])), made["test_accuracy"], math.log(float(made["epochs"]))])  # type: ignore[arg-type]
        plain.append(plainly_trained(arm, seed, 4, 1e-2))
    for left, right, most in zip(np.transpose(ours), np.transpose(plain), (1.5, 0.8, 25.0, 0.8), strict=True):
        low, high = stats.ttest_ind(left, right, equal_var=False).confidence_interval(0.995)
        assert low < 0 < high
        assert (high - low) / 2 < most  # narrow enough to see a net that differs


def test_a_training_ends_at_the_loss_or_at_the_last_epoch():
    task = read_task(Train, jobs_of(replace(TINY, width=16), Train, arm="root", depth=1)[0])
    graph = graph_of("blocks", 120, "", 0)

    def trained(lr: float, loss: float, epochs: int) -> tuple[int, float]:
        net = net_of(task, 1, graph, seed=0)
        ran, diverged = train_until(net, graph, lr=lr, loss=loss, epochs=epochs)
        assert not net.training
        assert not diverged
        logits = evaluate(net, graph)
        return ran, float(F.cross_entropy(logits[graph.train_mask], graph.y[graph.train_mask]))

    ran, loss = trained(1e-2, 0.05, 500)
    assert ran < 500
    assert ran % 5 == 0
    assert loss <= 0.05
    assert trained(1e-2, 0.05, ran - 5)[1] > 0.05  # it was the first look at which it was reached
    assert trained(1e-4, 0.05, 7)[0] == 7


@pytest.mark.parametrize("depth", [1, 3])
def test_a_training_that_diverges_is_a_result(depth: int):
    """With one layer the loss is not finite, with three a layer refuses what it is given."""
    job = jobs_of(TINY, Train, arm="root", depth=depth)[0]
    made = {m.name: m.value for m in run(replace(job, params={**job.params, "lr": 1e30, "epochs": 100}))}
    assert made == {"epochs": made["epochs"], "diverged": 1}
    assert float(made["epochs"]) <= 5  # type: ignore[arg-type]


def test_untrained_nets_are_those_that_are_trained():
    """The energies before training are of the very weights that training starts from, on the giant component."""
    start, train = (jobs_of(TINY, kind, arm="root")[0] for kind in (Start, Train))
    graph = graph_of("blocks", 120, "", 0)
    first, second = (net_of(read_task(kind, job), 3, graph, seed=0) for kind, job in ((Start, start), (Train, train)))
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), second.parameters(), strict=True))
    other = net_of(read_task(Train, train), 3, graph, seed=1)
    assert not torch.equal(first.encoder.weight, other.encoder.weight)
    energy = next(m.value for m in run(start) if m.name == "energy")
    h = first.eval().features(graph.x, graph.edge_index)
    assert energy[1] == pytest.approx(dirichlet_energy(h, graph.edge_index))  # type: ignore[index]


def test_accuracies_are_of_the_net_that_was_trained(measured: Evidence):
    (job,) = (job for job in jobs_of(TINY, Train, arm="root", depth=3) if job.seed == 1)
    task: Train = read_task(Train, job)
    graph = graph_of("blocks", 120, "", 1)
    net = net_of(task, 3, graph, seed=1)
    train_until(net, graph, lr=task.lr, loss=task.loss, epochs=task.epochs)
    result = measured.arm(Train, arm="root", depth=3).results[1]
    assert len({result.value(f"{split}_accuracy") for split in ("train", "validation", "test")}) == 3  # none for another
    for split in ("train", "validation", "test"):
        assert result.value(f"{split}_accuracy") == pytest.approx(accuracy(evaluate(net, graph), graph, f"{split}_mask"))  # type: ignore[arg-type]


def test_equal_parameters_are_nearly_equal(measured: Evidence):
    count = {str(r.params["arm"]): r.value("convolution_parameters") for r in measured.of(Train, depth=3)}
    assert count["wide"] == pytest.approx(count["root"], rel=0.1)
    assert count["none"] == count["loops"] == count["alone"] == count["residual"] < 0.6 * count["root"]


def test_all_arms_are_trained_where_they_are_compared_and_three_at_every_depth():
    recipe = PRESETS["standard"]
    trained = {
        (job.params["arm"], job.params["activation"], job.params["scale"], job.params["depth"]) for job in jobs_of(recipe, Train)
    }
    by_depth = {depth: sum(job[3] == depth for job in trained) for depth in recipe.depths}
    assert by_depth == {2: len(KINDS), 8: 3, 16: len(KINDS), 32: 3}
    assert {job.params["lr"] for job in jobs_of(recipe, Train)} == set(recipe.rates)


@pytest.fixture
def own_graph(tmp_path: Path) -> str:
    """A graph of the user's: rings of 30 and of 20 nodes, whose features tell them apart."""
    rings = [[first + torch.arange(size), first + (torch.arange(size) + 1) % size] for first, size in ((0, 30), (30, 20))]
    ring = torch.cat([torch.stack(one) for one in rings], dim=1)
    edges = torch.cat([ring, ring.flip(0)], dim=1)
    y = torch.arange(50) % 2
    x = F.one_hot(y).float() + 0.1 * torch.randn(50, 2, generator=torch.Generator().manual_seed(0))
    masks = {name: torch.arange(50) % 3 == place for place, name in enumerate(("train_mask", "val_mask", "test_mask"))}
    path = tmp_path / "rings.npz"
    np.savez(path, **{name: value.numpy() for name, value in {"x": x, "edge_index": edges, "y": y, **masks}.items()})
    return str(path)


def test_a_graph_of_the_users_own(own_graph: str):
    recipe = replace(TINY, data=own_graph, seeds=1, arms=("root", "none", "alone"))
    fetch(recipe)
    jobs = planned_jobs("oversmoothing", recipe)
    assert len(jobs_of(replace(recipe, seeds=2), Propagate)) == 6  # the graph is the same for every seed
    evidence = evidence_of(jobs, run)
    assert [result.value("nodes") for result in evidence.of(Propagate, arm="none")] == [30, 50]
    found = judged(evidence, recipe)
    assert {verdict.of for part, verdict in found.items() if part in OF_NETS} == {"extension"}  # the report did not mean it
    assert not any(verdict.quote for verdict in found.values())
    (made,) = answers(recipe, evidence, verdicts(recipe, evidence))
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


@pytest.mark.parametrize("kept", [0, 1, 20, 60, 999])
def test_figures_are_made_of_whatever_there_is(measured: Evidence, kept: int):
    some = Evidence(measured.results[:kept])
    made = figures(TINY, some)
    assert_drawn(made)
    answers(TINY, some, verdicts(TINY, some))
    if kept == 999:
        assert [figure.name for figure in made] == ["accuracy", "depth", "energy", "propagation", "epochs"]


def test_no_accuracy_is_drawn_outside_0_to_100(measured: Evidence):
    made = {figure.name: figure for figure in figures(TINY, measured)}
    for name in ("accuracy", "depth"):
        columns = [made[name].columns.index(end) for end in ("low", "high")]
        ends = [float(str(row[column])) for row in made[name].rows for column in columns if row[column] is not None]
        assert ends
        assert min(ends) >= 0
        assert max(ends) <= 100
        assert made[name].spec


def test_nets_that_did_not_train_are_marked(measured: Evidence):
    """After five epochs few nets know their training nodes: the summary says so beside the accuracy."""
    (accuracy_figure, *_) = figures(TINY, measured)
    marks = {str(row[1]): str(row[5]) for row in accuracy_figure.rows if row[0] == "with B"}
    assert set(marks) == {"1 layers, not all trained", "3 layers, not all trained"}
    assert set(marks.values()) <= {"0 of 2", "1 of 2"}


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("depths", (2,)),
        ("depths", (8, 2)),
        ("deep", 16),
        ("data", "corra"),
        ("data", "graph.pkl"),
        ("arms", ("roots",)),
        ("arms", ("root", "root")),
        ("rates", (1e-2, 1e-3)),
        ("rates", ()),
    ],
)
def test_recipes_that_cannot_be_judged_are_refused(key: str, value: object):
    with pytest.raises(ValueError, match=key):
        replace(PRESETS["quick"], **{key: value})  # type: ignore[arg-type]
