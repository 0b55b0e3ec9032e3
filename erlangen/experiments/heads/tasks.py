"""The tasks of `heads`."""

from __future__ import annotations

from dataclasses import dataclass

VALIDATION, TEST = 0.05, 0.1  # shares of the text
OFFSETS = (1, 3, 5, 7)  # how far back the four tokens stand that `Copy` asks for


@dataclass(frozen=True, kw_only=True)
class Learn:
    """Train a GPT with so many heads on a text; measure its loss and the effective rank of what its attention gives.

    It sees 4 · width tokens at once, so that the outputs of a window are a matrix with four times as many rows as columns.
    digest: of a file, "" for a text of the package. windows: held-out windows whose rank is measured.
    """

    heads: int
    lr: float
    corpus: str
    digest: str
    layers: int
    width: int
    batch: int
    steps: int
    windows: int

    @property
    def block(self) -> int:
        """Tokens of a window, n."""
        return 4 * self.width

    @property
    def span(self) -> int:
        """Characters that a text must have: a window to validate, those whose rank is measured, and two gaps of a block."""
        needed = max((self.block + 1) / VALIDATION, (self.windows * self.block + 1) / TEST)
        return 2 * self.block + int(needed) + 1


@dataclass(frozen=True, kw_only=True)
class Copy:
    """Train one block to copy, at each position, the four tokens that stand 1, 3, 5 and 7 positions before it."""

    heads: int
    lr: float
    width: int
    values: int
    length: int
    batch: int
    steps: int


@dataclass(frozen=True, kw_only=True)
class Ranks:
    """Count, in exact arithmetic, how the rank of weights times values compares with the ranks of the two."""

    draws: int


@dataclass(frozen=True, kw_only=True)
class Sum:
    """Compare an attention layer in float64 with the sum of its heads, each computed by itself."""

    heads: int
    width: int
