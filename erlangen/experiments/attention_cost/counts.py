"""Multiply-adds, counted: of each form over rising sizes, and of torch's kernel as the matrix library logs them."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from erlangen.experiments.attention_cost.forms import draw, passes
from erlangen.experiments.attention_cost.matrix_log import logged_multiply_adds
from erlangen.experiments.attention_cost.tasks import Count, Kernel
from erlangen.measure.products import Product, count_products, multiply_adds
from erlangen.records.runs import Job, Measurement


def count(task: Count, job: Job) -> list[Measurement]:
    """Forward, and forward and backward, at each size; how often each operation ran at the last."""
    counted = [counted_at(task, shape, job) for shape in task.shapes()]
    sums = [tuple(float(sum(p.multiply_adds for p in products)) for products in column) for column in zip(*counted, strict=True)]
    number = [tuple(float(len(products)) for products in column) for column in zip(*counted, strict=True)]
    return [
        Measurement("forward", sums[0], "multiply-adds"),
        Measurement("both", sums[1], "multiply-adds"),
        Measurement("forward products", number[0], "operations"),
        Measurement("both products", number[1], "operations"),
        *ran([product for products in counted[-1] for product in products]),
    ]


def counted_at(task: Count, shape: tuple[int, int, int], job: Job) -> tuple[tuple[Product, ...], tuple[Product, ...]]:
    """The products of a forward pass, and of a forward and backward pass."""
    length, features, window = shape
    forward, both = passes(task.form, length, features, window, job)
    return count_products(forward), count_products(both)


def ran(products: list[Product], prefix: str = "ran ") -> list[Measurement]:
    """How often each operation ran: which kernel it was is part of the result."""
    names = sorted({product.name for product in products})
    return [Measurement(f"{prefix}{name}", sum(product.name == name for product in products), "times") for name in names]


def kernel(task: Kernel, job: Job) -> list[Measurement]:
    """torch's kernel at each length, forward and backward, by formula and by the log; full attention, then causal."""
    found: dict[str, list[float]] = {
        name: [] for name in ("forward", "both", "forward logged", "both logged", "causal", "causal logged")
    }
    for length in task.lengths:
        (q, k, v), out = draw(length, task.features, job)
        forward, both = passes("fused", length, task.features, 1, job)

        def causal() -> object:
            return torch.autograd.grad(F.scaled_dot_product_attention(q, k, v, is_causal=True), (q, k, v), out)  # noqa: B023

        for name, step in (("forward", forward), ("both", both), ("causal", causal)):
            found[name].append(float(multiply_adds(step)))
            found[f"{name} logged"].append(logged_multiply_adds(step))
    return [Measurement(name, tuple(values), "multiply-adds") for name, values in found.items()]
