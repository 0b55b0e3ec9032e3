"""Causality: what comes later changes nothing of what came before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
from torch import Tensor

from erlangen.symmetries.symmetry import Symmetry
from erlangen.symmetries.text import Text
from erlangen.symmetries.tokens import has_rows, others, real

CUTS = 16  # generators; a text of up to CUTS + 1 tokens is cut everywhere


@dataclass(frozen=True)
class Future:
    """The tokens after position t, replaced by others that `seed` gives; only_next: the first of them alone."""

    t: int
    seed: int
    only_next: bool = False

    def places(self, x: Text) -> Tensor:
        """Of the tokens that are replaced, (R,)."""
        later = real(x)
        later = later[later > self.t]
        return later[:1] if self.only_next else later


@dataclass(frozen=True)
class Causality(Symmetry):
    """y[: t + 1] is the same whatever tokens stand after t: y (T, D) is compared up to t only.

    That position t sees t + 1 and nothing else shows only where the text is cut just there. So elements go through all t, in
    random order, before any comes again: T - 1 of them miss no such leak, and n of each of many inputs hardly any.
    A vector (D,) has seen all of the text: nothing can be asked of it. Every token is replaced by another one, and by the
    padding token only where the vocabulary has no other. Rows of padding are not compared.
    """

    name: ClassVar[str] = "causality"
    strict: ClassVar[bool] = True
    unit: ClassVar[str] = "last position kept"

    def generators(self, x: Text) -> Sequence[Future]:
        """Cuts everywhere, or spread from the first position to the last but one; at the first and middle also t + 1 alone."""
        cuts = self._cuts(x)
        if not len(cuts):
            return ()
        spread = cuts[np.unique(np.linspace(0, len(cuts) - 1, CUTS).round().astype(int))] if len(cuts) > CUTS else cuts
        single = {int(cuts[0]), int(cuts[len(cuts) // 2])} - {int(cuts[-1])}  # there t + 1 is all that comes later
        return [*(Future(int(t), seed=1) for t in spread), *(Future(t, seed=2, only_next=True) for t in sorted(single))]

    def elements(self, x: Text, n: int, rng: np.random.Generator) -> Sequence[Future]:
        """All t once with everything after t replaced, then once with t + 1 alone, and so on."""
        cuts = self._cuts(x)
        drawn: list[Future] = []
        while len(cuts) and len(drawn) < n:
            only_next = bool(len(drawn) // len(cuts) % 2)
            ts = rng.permutation(cuts)[: n - len(drawn)]
            drawn += [Future(int(t), int(rng.integers(2**63)), only_next) for t in ts]
        return drawn

    def _cuts(self, x: Text) -> np.ndarray:
        """Every t that has a real token at or before it, and one behind."""
        return real(x).cpu().numpy()[: -1 if x.vocabulary > 1 else 0]

    def act(self, x: Text, g: Future) -> Text:
        ids, places = x.ids.clone(), g.places(x)
        ids[places] = others(ids[places], x, g.seed)
        return replace(x, ids=ids)

    def act_output(self, y: Tensor, g: Future, x: Text) -> Tensor | None:
        """The rows of y up to t, the only ones that g leaves alone."""
        if not has_rows(y, x):
            return None
        kept = real(x).to(y.device)
        return y[kept[kept <= g.t]]

    def align(self, y: Tensor, y_g: Tensor, g: Future, x: Text) -> tuple[Tensor, Tensor] | None:
        expected, actual = self.act_output(y, g, x), self.act_output(y_g, g, x)
        return None if expected is None or actual is None else (expected, actual)

    def size(self, g: Future) -> float:
        return float(g.t)

    def label(self, g: Future) -> str:
        return f"only the token after position {g.t} replaced" if g.only_next else f"tokens after position {g.t} replaced"
