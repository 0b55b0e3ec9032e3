"""Classes that a symmetry permutes: what points left in a picture points right in its mirror image."""

from collections.abc import Callable
from typing import Any

import torch
from auditing.oracles.case import BROKEN, EXACT, UNMEASURED, Case, served
from auditing.oracles.images import noise, pooled, strong
from torch import Tensor, nn

from erlangen.symmetries.graph import Graph

Move = Callable[[Tensor], Tensor]


def mirror(x: Tensor) -> Tensor:
    return x.flip(-1)


class Arrows(nn.Module):
    """One score of each moved picture, (B, moves), and one that no move changes."""

    def __init__(self, moves: list[Move], ids: bool = False) -> None:
        super().__init__()
        self.moves, self.ids, self.net = moves, ids, pooled(strong(nn.Conv2d(3, 8, 3, padding=1)), nn.SiLU())

    def forward(self, x: Tensor) -> Tensor:
        scores = torch.stack([self.net(move(x))[:, 0] for move in self.moves], 1)
        y = torch.cat([scores, scores.square().mean(1, keepdim=True)], 1)
        return scores.argmax(1) if self.ids else y


class Sides(nn.Module):
    """A map (B, 2, H, W) of what faces left and what faces right; `ids`: which of them, (B, H, W)."""

    def __init__(self, ids: bool = False, last: bool = False) -> None:
        super().__init__()
        self.ids, self.last, self.layer = ids, last, strong(nn.Conv2d(3, 1, 3, padding=1))

    def forward(self, x: Tensor) -> Tensor:
        y = torch.cat([self.layer(x).sin(), mirror(self.layer(mirror(x))).sin()], 1)
        return y.argmax(1) if self.ids else y.permute(0, 2, 3, 1) if self.last else y


def case(name: str, make: Callable[[], nn.Module], cycles: dict[str, Any], expected: dict[str, Any], **more: Any) -> Case:
    return Case(
        name=f"permuted: {name}",
        domain="images",
        build=lambda dtype: served(make(), dtype),
        expected=expected,
        options={"permuted_classes": cycles, **more.pop("options", {})},
        **{"inputs": noise, **more},
    )


def molecules(seed: int, dtype: torch.dtype) -> list[Graph]:
    """Rings of six nodes in space."""
    rng = torch.Generator().manual_seed(8500 + seed)
    ring = torch.stack([torch.arange(6), torch.arange(1, 7) % 6])
    return [
        Graph(torch.randn(6, 2, generator=rng).to(dtype), ring, {"pos": torch.randn(6, 3, generator=rng).to(dtype)})
        for _ in range(12)
    ]


class Handed(nn.Module):
    """The volume that the first four nodes span, for the left hand, the right one, and both; `each`: for each node, (N, 3)."""

    def __init__(self, each: bool = False) -> None:
        super().__init__()
        self.each = each

    def forward(self, x: Tensor, edge_index: Tensor, pos: Tensor, batch: Tensor) -> Tensor:
        corners = pos.unflatten(0, (-1, 6))
        volume = torch.linalg.det(corners[:, 1:4] - corners[:, :1])
        y = torch.stack([volume.tanh(), -volume.tanh(), volume.square().tanh()], 1)
        return y[batch] * x.sum(1, keepdim=True) if self.each else y


def hands(name: str, each: bool, cycles: dict[str, Any], expected: dict[str, Any]) -> Case:
    return Case(
        name=f"permuted: {name}",
        domain="graphs",
        build=lambda dtype: served(Handed(each), dtype),
        inputs=molecules,
        expected=expected,
        options={"permuted_classes": cycles},
    )


LEFT_RIGHT: list[Move] = [lambda x: x, mirror]
TURNS: list[Move] = [lambda x, k=k: torch.rot90(x, k, (-2, -1)) for k in range(4)]  # type: ignore[misc]
BOTH = {"reflection": EXACT, "quarter-turns": BROKEN}

CASES = [
    case("arrows", lambda: Arrows(LEFT_RIGHT), {"reflection": [(0, 1)]}, BOTH),
    case("arrows, in words", lambda: Arrows(LEFT_RIGHT), {"reflection": "0:1"}, BOTH),
    case("arrows, another class", lambda: Arrows(LEFT_RIGHT), {"reflection": [(0, 2)]}, {"reflection": BROKEN}),
    case("arrows, not declared", lambda: Arrows(LEFT_RIGHT), {}, {"reflection": BROKEN}),
    case(
        "no arrows",
        lambda: pooled(strong(nn.Conv2d(3, 8, 3, padding=1)), nn.SiLU()),
        {"reflection": [(0, 1)]},
        {"reflection": BROKEN},
    ),
    case("a class that is not there", lambda: Arrows(LEFT_RIGHT), {"reflection": [(0, 7)]}, {"reflection": UNMEASURED}),
    case("class ids", lambda: Arrows(LEFT_RIGHT, ids=True), {"reflection": [(0, 1)]}, BOTH),
    # f(rᵏ x): a picture turned once gives class k what class k + 1 had.
    case("four ways", lambda: Arrows(TURNS), {"quarter-turns": [(3, 2, 1, 0)]}, {"quarter-turns": EXACT, "reflection": BROKEN}),
    case("four ways, backward", lambda: Arrows(TURNS), {"quarter-turns": [(0, 1, 2, 3)]}, {"quarter-turns": BROKEN}),
    # Channels of a map change places while the map is mirrored.
    case("a map", Sides, {"reflection": [(0, 1)]}, {"reflection": EXACT}),
    case("a map, not declared", Sides, {}, {"reflection": BROKEN}),
    case("a map, classes last", lambda: Sides(last=True), {"reflection": [(0, 1)]}, {"reflection": EXACT}),
    case("a map of ids", lambda: Sides(ids=True), {"reflection": [(0, 1)]}, {"reflection": EXACT}, options={"output": "pixels"}),
    case("a map of ids, not declared", lambda: Sides(ids=True), {}, {"reflection": BROKEN}, options={"output": "pixels"}),
    # A mirror makes a left-handed molecule a right-handed one, by each node as by the whole.
    hands("hands", False, {"node-reflection": [(0, 1)]}, {"node-reflection": EXACT, "node-rotation": EXACT}),
    hands("hands, not declared", False, {}, {"node-reflection": BROKEN, "node-rotation": EXACT}),
    hands("hands, another class", False, {"node-reflection": [(1, 2)]}, {"node-reflection": BROKEN}),
    hands("hands of nodes", True, {"node-reflection": [(0, 1)]}, {"node-reflection": EXACT, "node-rotation": EXACT}),
    hands("hands of nodes, not declared", True, {}, {"node-reflection": BROKEN, "node-rotation": EXACT}),
]
