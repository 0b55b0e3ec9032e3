"""Models of points (B, 7, 3)."""

from collections.abc import Callable
from typing import Any

import torch
from auditing.oracles.case import BROKEN, EXACT, HOLDS, SHIFTED, UNMEASURED, Case, served
from torch import Tensor, nn

from erlangen.symmetries.point_rotation import PointRotation


def clouds(seed: int, dtype: torch.dtype, n: int = 16, d: int = 3) -> Tensor:
    """(n, 7, d)"""
    rng = torch.Generator().manual_seed(4000 + seed)
    return torch.randn(n, 7, d, generator=rng, dtype=torch.float64).to(dtype)


class Net(nn.Module):
    """A small perceptron between two plain functions."""

    def __init__(self, before: Callable[[Tensor], Tensor], width: int, after: Callable[[Tensor], Tensor] = lambda h: h):
        super().__init__()
        self.before, self.after = before, after
        self.mix = nn.Sequential(nn.Linear(width, 12), nn.Tanh(), nn.Linear(12, 5))

    def forward(self, x: Tensor) -> Tensor:
        return self.after(self.mix(self.before(x)))


class Vectors(nn.Module):
    """Each point: the sum over the others of the way to it, times a function of its length; (B, N, 3)."""

    def __init__(self) -> None:
        super().__init__()
        self.size = nn.Sequential(nn.Linear(1, 8), nn.Tanh(), nn.Linear(8, 1))

    def forward(self, x: Tensor) -> Tensor:
        ways = x[:, None] - x[:, :, None]  # (B, N, N, 3)
        return (ways * self.size(ways.square().sum(-1, keepdim=True))).sum(2)


class Means(nn.Module):
    """Four means of the points, weighted by what each point is like, (B, 4, 3); `ordered`: also by its place in the list."""

    def __init__(self, ordered: bool = False) -> None:
        super().__init__()
        self.weigh, self.ordered = nn.Linear(3, 4), ordered

    def forward(self, x: Tensor) -> Tensor:
        weights = self.weigh(x)  # (B, N, 4)
        if self.ordered:
            weights = weights + torch.linspace(0, 3, x.shape[1]).to(x)[:, None]
        return weights.softmax(1).mT @ x


def ways(x: Tensor) -> Tensor:
    return x[:, None] - x[:, :, None]  # (B, N, N, d)


def distances(x: Tensor) -> Tensor:
    return ways(x).square().sum(-1, keepdim=True)  # (B, N, N, 1)


def centered(x: Tensor) -> Tensor:
    return x - x.mean(1, keepdim=True)


def by_first_coordinate(x: Tensor) -> Tensor:
    """Points listed from left to right, flat."""
    return torch.stack([one[one[:, 0].argsort()] for one in x]).flatten(1)


def volumes(x: Tensor) -> Tensor:
    """The signed volume (B, 1) that three sums of vectors span, each weighed by a function of length: they turn along."""
    c = centered(x)
    lengths = c.norm(dim=-1, keepdim=True)
    frame = torch.stack([(c * (k * lengths).sin()).sum(1) for k in (1, 2, 3)], 1)  # (B, 3, 3)
    return torch.linalg.det(frame)[:, None] / 5


def both(h: Tensor) -> Tensor:
    return h.mean((1, 2))


def rows(h: Tensor) -> Tensor:
    return h.mean(2)


def case(name: str, make: Callable[[], nn.Module], expected: dict[str, Any], **more: Any) -> Case:
    return Case(
        name=f"points: {name}",
        domain="points",
        build=lambda dtype: served(make(), dtype),
        expected=expected,
        **{"inputs": clouds, **more},
    )


TURNS = "point-rotation-vector"
ALL = {"point-permutation": EXACT, "point-rotation": EXACT, "point-translation": EXACT}

CASES = [
    # Distances know neither place nor direction; means over pairs no order.
    case("distances", lambda: Net(distances, 1, both), ALL),
    case("distances, a row a point", lambda: Net(distances, 1, rows), ALL),
    case("distances in the plane", lambda: Net(distances, 1, both), ALL, inputs=lambda seed, dtype: clouds(seed, dtype, d=2)),
    case("ways between points", lambda: Net(ways, 3, both), {**ALL, "point-rotation": BROKEN}),
    # A set of coordinates has no order, but a place and a direction.
    case(
        "deep set",
        lambda: Net(lambda x: x, 3, lambda h: h.mean(1)),
        {"point-permutation": EXACT, "point-rotation": BROKEN, "point-translation": BROKEN},
    ),
    case(
        "deep set, a row a point",
        lambda: Net(lambda x: x, 3),
        {"point-permutation": EXACT, "point-rotation": BROKEN, "point-translation": BROKEN},
    ),
    case("centered deep set", lambda: Net(centered, 3, lambda h: h.mean(1)), {**ALL, "point-rotation": BROKEN}),
    case(
        "centered, flattened",
        lambda: Net(lambda x: centered(x).flatten(1), 21),
        {"point-permutation": BROKEN, "point-rotation": BROKEN, "point-translation": EXACT},
    ),
    # Lengths from the origin turn along and know the origin.
    case(
        "lengths",
        lambda: Net(lambda x: x.square().sum(-1, keepdim=True), 1, lambda h: h.mean(1)),
        {**ALL, "point-translation": SHIFTED},
    ),
    # Listed from left to right: whatever the order was, but left is a direction.
    case(
        "sorted by the first coordinate",
        lambda: Net(by_first_coordinate, 21),
        {"point-permutation": EXACT, "point-rotation": BROKEN, "point-translation": BROKEN},
    ),
    # Sums of ways times functions of length turn along as vectors; taken for scalars they do not stay.
    case("vectors", Vectors, {**ALL, "point-rotation": BROKEN, TURNS: EXACT}, symmetries=(PointRotation("vector"),)),
    case("no vectors", lambda: Net(lambda x: x, 3, lambda h: h[..., :3]), {TURNS: BROKEN}, symmetries=(PointRotation("vector"),)),
    # A row of five numbers is no vector of space: no action.
    case("five numbers as a vector", lambda: Net(distances, 1, both), {TURNS: UNMEASURED}, symmetries=(PointRotation("vector"),)),
    # A determinant of vectors that turn along keeps its value, and its sign but for mirrors, which are no rotations. Points ten
    # spreads away have lost a digit before the model sees them.
    case("signed volume", lambda: Net(volumes, 1), {**ALL, "point-translation": frozenset((EXACT, HOLDS))}),
    # Four weighted means of the points are no points. In order of the list, they look like points that were selected.
    case("four means", Means, {"point-permutation": EXACT}),
    case("four means, declared", Means, {"point-permutation": EXACT}, options={"output": "vector"}),
    case("four means in order", lambda: Means(True), {"point-permutation": UNMEASURED}),
    case("four means in order, declared", lambda: Means(True), {"point-permutation": BROKEN}, options={"output": "vector"}),
    # There is no turn in four dimensions here.
    case(
        "four dimensions",
        lambda: Net(distances, 1, both),
        {**ALL, "point-rotation": UNMEASURED},
        inputs=lambda seed, dtype: clouds(seed, dtype, d=4),
    ),
]
