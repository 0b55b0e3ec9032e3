"""G6: what keeps a median from being a matrix, and how far from one it is."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product

import numpy as np
import torch
from torch import Tensor

from erlangen.data.graphs import karate_club
from erlangen.experiments.convolution_forms.drawing import drawn_graphs, kinds
from erlangen.experiments.convolution_forms.tasks import Additivity, Residual, Selection
from erlangen.nn.graph.aggregate import Aggregation, aggregate
from erlangen.nn.graph.algebra import adjacency
from erlangen.records.runs import Job, Measurement

DEGREES = range(1, 6)
RESIDUALS: tuple[Aggregation, ...] = ("mean", "median", "midpoint", "max")


def at_one_node(how: Aggregation) -> Callable[[Tensor], Tensor]:
    """Values of the neighbors (degree, cases) -> what one node makes of them, (cases,)."""
    return lambda values: aggregate(values, torch.zeros(len(values), dtype=torch.int64), 1, how)[0]


RULES: dict[str, Callable[[Tensor], Tensor]] = {
    "sum": at_one_node("sum"),
    "mean": at_one_node("mean"),
    "median": at_one_node("median"),
    "midpoint": at_one_node("midpoint"),
    "max": at_one_node("max"),
    "sum of |h|": lambda values: at_one_node("sum")(values.abs()),
}


def signals(degree: int) -> Tensor:
    """Every way to put -1, 0 or 1 on each neighbor, (degree, 3^degree); sums and medians of them are exact."""
    return torch.tensor(list(product((-1.0, 0.0, 1.0), repeat=degree)), dtype=torch.float64).T


def additivity(task: Additivity, job: Job) -> list[Measurement]:
    """f(x + y) against f(x) + f(y) for all pairs, by rule and degree; on how many neighbors f depends; a small counterexample."""
    made, counterexamples = [], {}
    for name, rule in RULES.items():
        violated, matter = [], []
        for degree in DEGREES:
            all_x = signals(degree)
            count = all_x.shape[1]
            one, other = (index.flatten() for index in torch.meshgrid(*2 * [torch.arange(count)], indexing="ij"))
            x, y = all_x[:, one], all_x[:, other]
            both = rule(x + y)
            apart = (both - rule(x) - rule(y)).abs() > 1e-9  # a mean of thirds is rounded, no other rule is
            violated.append(int(apart.sum()))
            matter.append(sum(bool((rule(pushed(all_x, row)) - rule(all_x)).abs().max() > 1e-9) for row in range(degree)))
            if degree == 3 and violated[-1]:
                size = x.abs().sum(0) + y.abs().sum(0) - (x + y).sum(0) / 100  # of equal ones the positive
                least = torch.where(apart, size, torch.inf).argmin()
                found = (*x[:, least], *y[:, least], rule(x)[least], rule(y)[least], both[least])
                counterexamples[name] = tuple(float(value) for value in found)
        made.append(Measurement(f"{name}_violations", tuple(map(float, violated)), "pairs, by degree"))
        made.append(Measurement(f"{name}_rows", tuple(map(float, matter)), "neighbors that matter, by degree"))
        made.append(Measurement(f"{name}_not_associative", not_associative(rule), "triples, of 27"))
    made.append(Measurement("pairs", tuple(9.0**degree for degree in DEGREES), "pairs, by degree"))
    return made + [
        Measurement(f"{name}_counterexample", found, "x, y, f(x), f(y), f(x + y)") for name, found in counterexamples.items()
    ]


def not_associative(rule: Callable[[Tensor], Tensor]) -> int:
    """Triples (a, b, c) of -1, 0 and 1 for which f(f(a, b), c) is not f(a, b, c): they cannot be aggregated group by group."""
    triples = signals(3)
    grouped = rule(torch.stack([rule(triples[:2]), triples[2]]))
    return int(((grouped - rule(triples)).abs() > 1e-9).sum())


def pushed(values: Tensor, row: int) -> Tensor:
    """One neighbor's value raised by 2."""
    other = values.clone()
    other[row] += 2
    return other


def simple_directed(rng: np.random.Generator, nodes: int = 30, degree: float = 5) -> Tensor:
    """A directed graph without self-loops or multi-edges, every edge with the same probability."""
    there = rng.random((nodes, nodes)) < degree / (nodes - 1)
    np.fill_diagonal(there, False)
    return torch.from_numpy(np.stack(np.nonzero(there)))


def residual(task: Residual, job: Job) -> list[Measurement]:
    """Least squares fits of one N×N matrix, with and without an offset per node, to each aggregator of white signals.

    Σ (aggregate(X) - M X)² over all nodes of held-out X, by their variance. Beside it how far M is from the mean's D⁻¹ A.
    """
    rng = np.random.default_rng(job.seed)
    draws, karate, made = task.draws, karate_club(), []
    for name, edges, n in (("karate", karate.edge_index, karate.num_nodes), ("directed", simple_directed(rng), 30)):
        fit, held_out = (torch.from_numpy(rng.normal(size=(n, draws))) for _ in range(2))  # (N, draws)
        a = adjacency(edges, n).double()
        mean = a / a.sum(1, keepdim=True).clamp(min=1)
        y, truth = (torch.cat([aggregate(x[edges[0]], edges[1], n, how) for how in RESIDUALS]) for x in (fit, held_out))
        for arm, ones in (("matrix", fit[:0]), ("matrix and offset", torch.ones_like(fit[:1]))):
            given = torch.cat([fit, ones]).T  # of full rank, which the driver asks for; the default one varies from run to run
            solved = torch.linalg.lstsq(given, y.T, driver="gels").solution.T  # (4 N, N) or (4 N, N + 1)
            left = (truth - solved @ torch.cat([held_out, ones])).square().mean(1).reshape(-1, n).sum(1)
            share = left / truth.var(1, correction=0).reshape(-1, n).sum(1)
            made += [Measurement(f"{name}_{how}_{arm}", float(share[k]), "of the variance") for k, how in enumerate(RESIDUALS)]
        for how, m in zip(RESIDUALS, solved[:, :n].reshape(-1, n, n), strict=True):
            made.append(Measurement(f"{name}_{how}_from_mean", float((m - mean).norm() / mean.norm()), "‖M - D⁻¹A‖ / ‖D⁻¹A‖"))
    return made


def selection_matrix(edge_index: Tensor, x: Tensor) -> Tensor:
    """S (N, N) of one feature x (N,): row v has a 1 at the neighbor that holds the lower median, or none."""
    s = torch.zeros(len(x), len(x), dtype=x.dtype)
    for v in range(len(x)):
        by_value = sorted((float(x[u]), u) for u, target in edge_index.T.tolist() if target == v)
        if by_value:
            s[v, by_value[(len(by_value) - 1) // 2][1]] = 1
    return s


def selection(task: Selection, job: Job) -> list[Measurement]:
    """S_f(X) X_f against the median of every feature, bit by bit; then the S of one feature used for the next."""
    cases = list(drawn_graphs(task, job.seed))
    wrong, moved, elsewhere = 0, 0, 0
    for case in cases:
        x = case.x.double()
        source, target = case.edge_index
        median = aggregate(x[source], target, case.n, "median")
        chosen = [selection_matrix(case.edge_index, column) for column in x.T]
        for feature, s in enumerate(chosen):
            after = (feature + 1) % len(chosen)
            wrong += not torch.equal(s @ x[:, feature], median[:, feature])
            moved += not torch.equal(s, chosen[after])
            elsewhere += not torch.equal(s @ x[:, after], median[:, after])
    return [
        Measurement("cases", len(cases) * 3, "features of a graph"),
        Measurement("wrong", wrong, "features of a graph"),
        Measurement("moved", moved, "features whose S is not the next one's"),
        Measurement("wrong_elsewhere", elsewhere, "features whose S is wrong for the next one"),
        kinds(cases),
    ]
