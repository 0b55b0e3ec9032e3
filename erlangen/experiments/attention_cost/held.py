"""The most memory that a form holds, what it stores for the gradient, and what `erlangen.nn.backend` says of both."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from erlangen.experiments.attention_cost.counts import ran
from erlangen.experiments.attention_cost.forms import DROPOUT, attention, draw, passes
from erlangen.experiments.attention_cost.tasks import Form, Memory
from erlangen.measure.cost import peak_mib
from erlangen.measure.products import count_products
from erlangen.nn.attention_config import AttentionConfig
from erlangen.nn.backend import attention_backend
from erlangen.records.runs import Job, Measurement

UNITS = {"memory": "MiB above those before", "stored": "numbers kept for the gradient"}
WORD = "1 where attention_backend says that a matrix of queries × keys is held"


def memory(task: Memory, job: Job) -> list[Measurement]:
    """The most MiB held by a forward pass, and by both; the numbers stored for the gradient; which operations ran."""
    found: dict[str, list[float]] = {}
    measured = []
    for form in task.forms:
        small = passes(form, 4 * task.window, task.features, task.window, job)
        for step in small:
            step()  # the libraries load their parts
        for length in task.lengths:
            forward, both = passes(form, length, task.features, task.window, job)
            found.setdefault(f"{form} forward memory", []).append(peak(forward, job.device))
            found.setdefault(f"{form} both memory", []).append(peak(both, job.device))
            found.setdefault(f"{form} stored", []).append(float(numbers_stored(form, length, task, job)))
        words = tuple(foretold(form, length, task, job) for length in task.lengths)
        measured.append(Measurement(f"{form} foretold", words, WORD))
        if job.device == "cpu":
            measured += ran([product for step in small for product in count_products(step)], f"{form} ran ")
    return [*(Measurement(name, tuple(values), UNITS[name.rpartition(" ")[2]]) for name, values in found.items()), *measured]


def peak(step: Callable[[], object], device: str) -> float:
    """The most MiB that step() holds above those before it; the lesser of two, since what else is held only ever adds."""
    if device == "cpu":
        return min(peak_mib(step) for _ in range(2))
    torch.cuda.synchronize(device)
    before = torch.cuda.memory_allocated(device)
    torch.cuda.reset_peak_memory_stats(device)
    step()
    torch.cuda.synchronize(device)
    return (torch.cuda.max_memory_allocated(device) - before) / 2**20


def numbers_stored(form: Form, length: int, task: Memory, job: Job) -> int:
    """Numbers in the storages that the graph keeps for the gradient, each storage once: the inputs are among them."""
    kept: dict[int, int] = {}

    def keep(tensor: Tensor) -> Tensor:
        kept[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes() // tensor.element_size()
        return tensor

    inputs, _ = draw(length, task.features, job)
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        attention(form, length, task.window, inputs[0])(*inputs)
    return sum(kept.values())


def foretold(form: Form, length: int, task: Memory, job: Job) -> float:
    """1 where `attention_backend` says that a layer of this form holds a matrix of queries × keys, else 0."""
    config = AttentionConfig(
        width=task.features,
        heads=1,
        positions="alibi" if form == "alibi" else "none",
        form=form if form in ("naive", "local") else "fused",
        window=task.window if form in ("local", "masked") else None,
        dropout=DROPOUT if form == "dropout" else 0.0,
    )
    like = draw(1, task.features, job)[1]
    return float(attention_backend(config, length, length, like, training=form == "dropout").holds_matrix)
