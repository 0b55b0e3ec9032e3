"""Softmax attention at the start of training: its entropy, and the gradients that come back through it.

P = softmax(S),   S = Q Kᵀ or Q Kᵀ / √d,   O = P V,   L = Σ G ∘ O;   entries of Q, K, V and G from N(0, 1)

dL/ds_i = (diag(p) - p pᵀ) V g_i,   E|dL/ds_i|² = width of V · (Σp² - 2 Σp³ + (Σp²)²) for given weights p
"""

from __future__ import annotations

import torch
from torch import Tensor

from erlangen.experiments.attention_scale.scores import entropy, scores
from erlangen.experiments.attention_scale.tasks import Arm, Start
from erlangen.records.runs import Job, Measurement

COMPARED: tuple[Arm, ...] = ("scaled", "unscaled")
SMALL = 1e-3  # of the root mean square gradient with the scale: a query below it receives practically none


def start(task: Start, job: Job) -> list[Measurement]:
    """All statistics for both arms, which see the same queries, keys, values and gradients, width by width."""
    generator = torch.Generator().manual_seed(job.seed)
    rows: dict[str, list[float]] = {}
    for width in task.widths:
        q, k = (torch.randn(task.repeats, task.keys, width, generator=generator) for _ in "qk")  # (R, n, d)
        v, g = (torch.randn(task.repeats, task.keys, task.values, generator=generator) for _ in "vg")
        norms = {arm: gradients(q, k, v, g, arm) for arm in COMPARED}
        reference = float(norms["scaled"][2].square().mean().sqrt())
        for arm, found in norms.items():
            for name, value in statistics(*found, reference, task.values).items():
                rows.setdefault(f"{arm} {name}", []).append(value)
    return [Measurement(name, tuple(values)) for name, values in rows.items()]


def gradients(q: Tensor, k: Tensor, v: Tensor, g: Tensor, arm: Arm) -> tuple[Tensor, Tensor, Tensor]:
    """The attention weights (R, n, n), and for each query the norms of dL/dq and dL/ds, (R, n) each."""
    q = q.clone().requires_grad_()
    s = scores(q, k, arm)
    s.retain_grad()
    weights = s.softmax(-1)
    (g * (weights @ v)).sum().backward()  # type: ignore[no-untyped-call]
    assert q.grad is not None
    assert s.grad is not None
    return weights.detach(), q.grad.norm(dim=-1), s.grad.norm(dim=-1)


def statistics(weights: Tensor, of_queries: Tensor, of_scores: Tensor, reference: float, values: int) -> dict[str, float]:
    """Entropy of the weights in nats and statistics over queries of the gradient's norm; reference: a norm to compare with."""
    squares = weights.double().square().sum(-1)  # (R, n)
    cubes = weights.double().pow(3).sum(-1)
    found = {
        "entropy": entropy(weights).mean(),
        "mean square of queries": of_queries.square().mean(),
        "median of queries": of_queries.median(),
        "mean square of scores": of_scores.square().mean(),
        "median of scores": of_scores.median(),
        "expected mean square of scores": values * (squares - 2 * cubes + squares.square()).mean(),
        "small": (of_scores < SMALL * reference).double().mean(),
        "half": torch.tensor(smallest_half(of_queries.square().flatten())),
    }
    return {name: float(value) for name, value in found.items()}


def smallest_half(energies: Tensor) -> float:
    """The smallest share of entries (N,) whose sum is half of the total: 0.5 where all are alike, near 0 where few dominate."""
    rising = energies.sort(descending=True).values.cumsum(0)
    needed = int(torch.searchsorted(rising, rising[-1] / 2)) + 1
    return needed / len(energies)
