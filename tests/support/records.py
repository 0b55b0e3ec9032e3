"""Texts, graphs, points and series, and small models of which it is known what they keep. All in float64."""

import math
from typing import Literal

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from erlangen.symmetries.graph import Graph
from erlangen.symmetries.symmetry import Symmetry
from erlangen.symmetries.text import Text

EXACT = 1e-13  # rounding of some hundred float64 operations on numbers near 1
BROKEN = 1e-3


def noise(*shape: int, salt: int = 0) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(salt))


def text(length: int = 12, vocabulary: int = 20, salt: int = 0) -> Text:
    ids = np.random.default_rng([length, salt]).integers(1, vocabulary, length)
    return Text(torch.from_numpy(ids), vocabulary)


def padded(length: int = 9, front: int = 3, back: int = 2) -> Text:
    """A text between padding, with its mask."""
    x = text(length)
    mask = torch.tensor([0] * front + [1] * length + [0] * back)
    return Text(functional.pad(x.ids, (front, back), value=x.padding), x.vocabulary, mask)


def graph(n: int = 9, edges: int = 22, salt: int = 0) -> Graph:
    """Without an edge listed twice; with `pos` for nodes, `edge_weight` and `edge_attr` for edges."""
    rng = np.random.default_rng([n, salt])
    pairs = torch.from_numpy(rng.permutation(n * n)[:edges])
    index = torch.stack([pairs // n, pairs % n])
    count = index.shape[1]
    return Graph(
        noise(n, 4, salt=salt),
        index,
        {"pos": noise(n, 3, salt=salt + 1)},
        {"edge_weight": noise(count, salt=salt + 2), "edge_attr": noise(count, 2, salt=salt + 3)},
    )


def points(n: int = 10, d: int = 3) -> Tensor:
    return noise(n, d, salt=n) + torch.arange(d)


def series(channels: int = 2, steps: int = 24) -> Tensor:
    return noise(channels, steps, salt=steps)


def embedded(x: Text, width: int = 8) -> Tensor:
    """(T, D)."""
    return noise(x.vocabulary, width, salt=1)[x.ids]


def attention(
    x: Text,
    causal: bool = False,
    places: Literal["none", "learned", "rotary"] = "none",
    leaks: tuple[tuple[int, int], ...] = (),
    ahead: int = 0,
) -> Tensor:
    """One masked layer, (T, D). places: how position ids enter, which it numbers from the row's start unless it is given some.

    leaks: pairs (query, key) that are seen although the key comes later; ahead: how many later keys every query sees.
    """
    count, width = len(x), 8
    h = embedded(x, width)
    p = torch.arange(count) if x.positions is None else x.positions
    if places == "learned":
        h = h + noise(64, width, salt=2)[p]
    q, k, v = (h @ noise(width, width, salt=salt) / math.sqrt(width) for salt in (3, 4, 5))
    if places == "rotary":
        q, k = (turned_pairs(entry, p) for entry in (q, k))
    order = torch.arange(count)
    seen = (order[None] <= order[:, None] + ahead) if causal else torch.ones(count, count, dtype=torch.bool)
    for query, key in leaks:
        if max(query, key) < count:
            seen[query, key] = True
    if x.mask is not None:
        seen = seen & (x.mask != 0)[None]
    weights = (q @ k.T / math.sqrt(width)).masked_fill(~seen, -1e30).softmax(1)
    return (h + weights @ v).tanh()


def turned_pairs(x: Tensor, p: Tensor) -> Tensor:
    """Rotary positions: pair j of row i turned by p_i / 10^j."""
    angle = p[:, None] / 10.0 ** torch.arange(x.shape[1] // 2, dtype=torch.float64)
    a, b = x[:, ::2], x[:, 1::2]
    return torch.cat([a * angle.cos() - b * angle.sin(), a * angle.sin() + b * angle.cos()], 1)


def convolved(x: Graph) -> Tensor:
    """x_i W + sum over edges j -> i of w x_j V a, then tanh; (N, D)."""
    message = (x.x @ noise(4, 5, salt=6))[x.edge_index[0]] * x.edges["edge_weight"][:, None]  # (E, D)
    message = message * (x.edges["edge_attr"] @ noise(2, 5, salt=7))
    y = x.x @ noise(4, 5, salt=8) + x.nodes["pos"] @ noise(3, 5, salt=9)
    return y.index_add(0, x.edge_index[1], message).tanh()


def deep_set(x: Tensor) -> Tensor:
    """Rows that know of all rows only their mean, (N, D)."""
    h = (x @ noise(x.shape[1], 6, salt=10)).tanh()
    return (h + h.mean(0) @ noise(6, 6, salt=11)).tanh()


def numbered(y: Tensor) -> Tensor:
    """Rows (N, D) that know their number."""
    return y + torch.linspace(-1, 1, len(y), dtype=y.dtype)[:, None]


def pooled(y: Tensor) -> Tensor:
    return y.mean(0)


def used(symmetry: Symmetry, x: object, n: int = 12, seed: int = 0) -> list[object]:
    """Generators and n elements."""
    return [*symmetry.generators(x), *symmetry.elements(x, n, np.random.default_rng(seed))]
