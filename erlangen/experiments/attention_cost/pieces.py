"""What binds attention on a device: its pieces on whole matrices, and on tiles that stay in cache.

The same products and the same exponentials are computed both ways, into buffers that exist before. On tiles next to nothing is
read from memory or written to it, so the difference is what reads and writes cost. `copy` is a control: it is nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from erlangen.experiments.attention_cost.allocator import keep_pages
from erlangen.experiments.attention_cost.costs import clocked
from erlangen.experiments.attention_cost.forms import DTYPES
from erlangen.experiments.attention_cost.tasks import Pieces
from erlangen.records.runs import Job, Measurement

TILES = {"cpu": (256, 512), "cuda": (2048, 2048)}  # queries and keys; on a processor those of torch's kernel, 1/2 MiB in float32
AT_ONCE = 16  # tiles between two looks at the clock
COPIED = 2**26  # numbers, 256 MiB in float32: a copy moves twice that, more than most caches hold
SQUARE = 1024  # rows of the matrices whose product gives the peak
Piece = Callable[[], object]


def pieces(task: Pieces, job: Job) -> list[Measurement]:
    """Seconds of each piece for each number of features, whole and on tiles; then the peaks of copies and of products."""
    keep_pages(4 * task.length**2)
    torch.manual_seed(job.seed)
    found: dict[str, list[float]] = {}
    for features in task.features:
        for name, value in both_ways(task, features, job).items():
            found.setdefault(name, []).append(value)
    measured = [Measurement(name, tuple(values), "s") for name, values in found.items()]
    return [*measured, *peaks(task.budget, job)]


def both_ways(task: Pieces, features: int, job: Job) -> dict[str, float]:
    """Seconds of each piece for all pairs."""
    n = task.length
    rows, columns = (min(size, n) for size in TILES[torch.device(job.device).type])
    tiles = (n / rows) * (n / columns)
    whole = {name: seconds(piece, task.budget, job.device) for name, piece in parts(n, n, features, job).items()}
    tiled = {
        name: tiles / AT_ONCE * seconds(repeated(piece), task.budget, job.device)
        for name, piece in parts(rows, columns, features, job).items()
    }
    return {
        **{f"{name} whole": value for name, value in whole.items()},
        **{f"{name} tiled": value for name, value in tiled.items()},
    }


def parts(queries: int, keys: int, features: int, job: Job) -> Mapping[str, Piece]:
    """The pieces for so many queries and keys, and a copy of the scores; none of them allocates."""

    def draw(*shape: int) -> Tensor:
        return torch.randn(shape, dtype=DTYPES[job.precision], device=job.device)

    q, k, v = draw(queries, features), draw(keys, features), draw(keys, features)
    scores, weights, out = draw(queries, keys), draw(queries, keys), draw(queries, features)
    return {
        "scores": lambda: torch.mm(q, k.T, out=scores),
        "softmax": lambda: torch.softmax(scores, -1, out=weights),
        "values": lambda: torch.mm(weights, v, out=out),
        "copy": lambda: weights.copy_(scores),
    }


def repeated(piece: Piece) -> Piece:
    """The piece AT_ONCE times."""

    def several() -> None:
        for _ in range(AT_ONCE):
            piece()

    return several


def seconds(piece: Piece, budget: float, device: str) -> float:
    """The median seconds of a call."""
    return clocked(piece, budget, device)[0]


def peaks(budget: float, job: Job) -> list[Measurement]:
    """Bytes read and written a second by a large copy, and multiply-adds a second of a product of matrices in cache."""
    dtype = DTYPES[job.precision]
    source, target = (torch.ones(COPIED, dtype=dtype, device=job.device) for _ in range(2))
    left, out = (torch.ones(SQUARE, SQUARE, dtype=dtype, device=job.device) for _ in range(2))
    copying = seconds(lambda: target.copy_(source), budget, job.device)
    multiplying = seconds(lambda: torch.mm(left, left, out=out), budget, job.device)
    return [
        Measurement("copy peak", 2 * COPIED * source.element_size() / copying, "bytes/s"),
        Measurement("product peak", SQUARE**3 / multiplying, "multiply-adds/s"),
    ]
