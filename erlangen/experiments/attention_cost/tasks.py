"""The tasks of `attention-cost`. A length is a number of tokens; `features` is the width of one head, the report's d."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

Form: TypeAlias = Literal["scores", "naive", "fused", "local", "masked", "alibi", "dropout"]
"""What is computed.

scores   Q Kᵀ alone
naive    the whole matrix of weights, full attention
fused    torch's kernel, full attention
local    each token sees the `window` tokens up to itself, computed in blocks along the diagonal (on a GPU by FlexAttention)
masked   the same window, given to torch's kernel as a mask
alibi    ALiBi, given to torch's kernel as a mask
dropout  torch's kernel with dropout of the weights
"""
Over: TypeAlias = Literal["length", "features", "window"]


@dataclass(frozen=True, kw_only=True)
class Count:
    """Count the multiply-adds of a form as one size rises; the two others stay."""

    form: Form
    over: Over
    sizes: tuple[int, ...]
    length: int
    features: int
    window: int

    def shapes(self) -> list[tuple[int, int, int]]:
        """(length, features, window), one for each size."""
        fixed = {"length": self.length, "features": self.features, "window": self.window}
        rising = ({**fixed, self.over: size} for size in self.sizes)
        return [(shape["length"], shape["features"], shape["window"]) for shape in rising]


@dataclass(frozen=True, kw_only=True)
class Kernel:
    """Compare what the counter says of torch's kernel on a CPU with the products that the matrix library logs."""

    lengths: tuple[int, ...]
    features: int


@dataclass(frozen=True, kw_only=True)
class Equal:
    """Compare the local form with the masked one, outputs and gradients, in float64, at every window; at `windows` if given."""

    lengths: tuple[int, ...]
    windows: tuple[int, ...]
    features: int

    def cases(self) -> list[tuple[int, int]]:
        """(length, window), case after case."""
        return [(length, window) for length in self.lengths for window in self.windows or range(1, length + 1)]


@dataclass(frozen=True, kw_only=True)
class Time:
    """Time forms at lengths, forward and forward + backward, each at least for `budget` seconds.

    kept: whether the allocator keeps its pages, so that none is faulted in again while the clock runs.
    """

    forms: tuple[Form, ...]
    lengths: tuple[int, ...]
    features: int
    window: int
    budget: float
    kept: bool


@dataclass(frozen=True, kw_only=True)
class Windows:
    """Time the local form at rising windows."""

    windows: tuple[int, ...]
    length: int
    features: int
    budget: float


@dataclass(frozen=True, kw_only=True)
class Memory:
    """Measure the most memory that forms hold at lengths, and the numbers that they store for the gradient."""

    forms: tuple[Form, ...]
    lengths: tuple[int, ...]
    features: int
    window: int


@dataclass(frozen=True, kw_only=True)
class Pieces:
    """Time Q Kᵀ, softmax and weights · V apart for each number of `features`: whole, and on tiles that stay in cache."""

    length: int
    features: tuple[int, ...]
    budget: float
