"""Causality of series: later steps must not change earlier outputs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from erlangen.symmetries.future import Change, Future, describe, draw_futures, make_generators, swept
from erlangen.symmetries.reading import Output, Reading
from erlangen.symmetries.symmetry import Symmetry

ORDER: tuple[Change, ...] = ("others", "cut", "others", "next", "others", "zeros")  # as elements are drawn
WORDS = {
    "others": "steps after step {} replaced",
    "next": "only the step after step {} replaced",
    "zeros": "steps after step {} set to 0",
    "cut": "steps after step {} cut off",
}


@dataclass(frozen=True)
class SeriesCausality(Symmetry):
    """The steps after step t of x (C, T) must not change y[:, : t + 1], for an output y (C', T) with one column for each step.

    They are replaced by other values of the size of the series, all of them or only the next one, by zeros, and cut off:
    f(x[:, : t + 1]) = f(x)[:, : t + 1], which a model of series of a single length may refuse. `sweep` has every cut, up to 512.
    Rows (T, D) are compared likewise; outputs of any other shape cannot be compared.

    reading: whether the columns (`map`) or the rows (`steps`) of y are in time; by default, the columns if both can be.
    """

    reading: Reading | None = None

    name: ClassVar[str] = "causality"
    strict: ClassVar[bool] = True
    unit: ClassVar[str] = "last step kept"
    advice: ClassVar[str] = (
        "Some steps see later ones. Pad a causal convolution on the left alone, by dilation·(kernel - 1), and look for a norm or "
        "a mean over time."
    )

    def generators(self, x: Tensor) -> Sequence[Future]:
        """Evenly spread cuts with all that follows replaced; the next step alone and zeros at the first and the middle one; and
        prefixes of many lengths.
        """
        return make_generators(self.cuts(x), ("zeros",), lambda t, change: self.changes(x, t, change))

    def elements(self, x: Tensor, n: int, rng: np.random.Generator) -> Sequence[Future]:
        """Random cuts, with the changes by turns; half of them replace all later steps."""
        return draw_futures(self.cuts(x), n, ORDER, lambda t, change: self.changes(x, t, change), rng)

    def sweep(self, x: Tensor) -> Sequence[Future]:
        return swept(self.cuts(x))

    def optional(self, g: Future) -> bool:
        return g.change == "cut"

    def scope(self, x: Tensor) -> str:
        return describe(self.cuts(x), "series", x.shape[1], "steps")

    def cuts(self, x: Tensor) -> np.ndarray:
        """Every step that another one follows."""
        return np.arange(max(x.shape[1] - 1, 0) if len(x) else 0)

    def changes(self, x: Tensor, t: int, change: Change) -> bool:
        """Whether an element changes the series."""
        return change != "zeros" or bool(x[:, t + 1 :].any())

    def act(self, x: Tensor, g: Future) -> Tensor:
        if g.change == "cut":
            return x[:, : g.t + 1].clone()
        moved, end = x.clone(), g.t + 2 if g.change == "next" else x.shape[1]
        if g.change == "zeros":
            moved[:, g.t + 1 :] = 0
            return moved
        values = np.random.default_rng(g.seed).standard_normal((len(x), end - g.t - 1))
        size = float(x.double().square().mean().sqrt()) or 1.0
        moved[:, g.t + 1 : end] = torch.from_numpy(values * size).to(x)
        return moved

    def act_output(self, y: Tensor, g: Future, x: Tensor) -> Tensor | None:
        """y up to t; None for an output without one column, or row, for each step."""
        axis = self.time_axis(y, x)
        return None if axis is None else y.narrow(axis, 0, g.t + 1)

    def align(self, y: Tensor, y_g: Tensor, g: Future, x: Tensor) -> tuple[Tensor, Tensor] | None:
        axis, expected = self.time_axis(y, x), self.act_output(y, g, x)
        steps = g.t + 1 if g.change == "cut" else x.shape[1]
        if axis is None or expected is None or y_g.ndim != 2 or y_g.shape[axis] != steps:
            return None
        return expected, y_g.narrow(axis, 0, g.t + 1)

    def time_axis(self, y: Tensor, x: Tensor) -> int | None:
        """The axis of y that has an entry for each step of x, columns first; None if there is none."""
        likely = {"map": (1,), "steps": (0,), "vector": ()}
        covered = self.reading is not None and self.reading.covers(y)
        axes = likely.get(self.reading.output, ()) if self.reading is not None and covered else (1, 0)
        return next((axis for axis in axes if y.ndim == 2 and y.shape[axis] == x.shape[1]), None)

    def readings(self, x: Tensor, y: Tensor) -> Sequence[SeriesCausality]:
        numbers = y.ndim == 1 and len(y) == x.shape[1]  # one for each step
        kinds: tuple[Output, ...] = ("steps", "vector") if numbers else ("map", "steps", "vector") if y.ndim == 2 else ()
        return [replace(self, reading=Reading(kind, None, tuple(y.shape))) for kind in kinds]

    def size(self, g: Future) -> float:
        return float(g.t)

    def label(self, g: Future) -> str:
        return WORDS[g.change].format(g.t)
