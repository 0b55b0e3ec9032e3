"""The mean and the variance of q · k for entries that are drawn independently.

entries with mean μ and variance σ²:   E[q · k] = d μ²,   Var(q · k) = d (σ⁴ + 2 μ² σ²)
"""

from __future__ import annotations

import math

import torch
from torch import Generator, Tensor

from erlangen.experiments.attention_scale.scores import scores
from erlangen.experiments.attention_scale.tasks import DISTRIBUTIONS, MEANS, PLANTED, SPREADS, Products
from erlangen.records.runs import Job, Measurement

PLANTED_SEED = 1_000_003
CHUNK = 2_000  # pairs that are drawn at once
MORE = 4  # times as many pairs where queries are narrow: the products have heavier tails there, and cost less


def products(task: Products, job: Job) -> list[Measurement]:
    """Mean and variance of q · k, and variance of the scaled product, for each distribution, spread and mean, width by width."""
    generator = torch.Generator().manual_seed(job.seed)
    sizes = [(width, task.pairs * min(MORE, task.widths[-1] // width)) for width in task.widths]
    cases = [(kind, sigma, mu) for kind in DISTRIBUTIONS for sigma, mu in (*((sigma, 0.0) for sigma in SPREADS), *MEANS)]
    measured = []
    for kind, sigma, mu in cases:
        rows = [moments(kind, sigma, mu, *size, generator) for size in sizes]
        measured += record(f"{kind} {sigma:g} {mu:g}", rows)
    planted = torch.Generator().manual_seed(PLANTED_SEED + job.seed)
    rows = [moments("normal", math.sqrt(PLANTED), 0.0, *size, planted, 1.0) for size in sizes]
    return measured + record("planted", rows)


def record(case: str, rows: list[tuple[float, float, float]]) -> list[Measurement]:
    """One measurement for each moment, its entries by width."""
    names = ("mean", "variance", "scaled variance")
    return [Measurement(f"{case} {name}", column) for name, column in zip(names, zip(*rows, strict=True), strict=True)]


def moments(
    kind: str, sigma: float, mu: float, width: int, pairs: int, generator: Generator, sigma_of_keys: float | None = None
) -> tuple[float, float, float]:
    """Mean and variance of q · k over independent pairs, and the variance of the scaled product."""
    plain, scaled = [], []
    for start in range(0, pairs, CHUNK):
        shape = (min(CHUNK, pairs - start), width)
        q = mu + sigma * entries(kind, shape, generator)  # (pairs, d)
        k = mu + (sigma if sigma_of_keys is None else sigma_of_keys) * entries(kind, shape, generator)
        plain.append(scores(q[:, None], k[:, None], "unscaled").flatten().double())
        scaled.append(scores(q[:, None], k[:, None], "scaled").flatten().double())
    product = torch.cat(plain)
    return float(product.mean()), float(product.var()), float(torch.cat(scaled).var())


def entries(kind: str, shape: tuple[int, ...], generator: Generator) -> Tensor:
    """Independent entries with mean 0 and variance 1; their fourth moments range from 1 (two-point) to 9 (exponential)."""
    if kind == "normal":
        return torch.randn(shape, generator=generator)
    uniform = torch.rand(shape, generator=generator)  # [0, 1)
    if kind == "uniform":
        return (uniform - 0.5) * math.sqrt(12)
    if kind == "two-point":
        return (uniform < 0.5).float() * 2 - 1
    exponential = -torch.log1p(-uniform)  # mean 1, variance 1
    if kind == "exponential":
        return exponential - 1
    sign = (torch.rand(shape, generator=generator) < 0.5).float() * 2 - 1
    return sign * exponential / math.sqrt(2)
