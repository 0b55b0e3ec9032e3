"""Causality: later tokens must not change earlier outputs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
from torch import Tensor

from erlangen.symmetries.symmetry import Symmetry
from erlangen.symmetries.text import Text
from erlangen.symmetries.tokens import has_rows, other_tokens, real_tokens

CUTS = 16  # generators; texts of up to CUTS + 1 tokens are cut at every position


@dataclass(frozen=True)
class Future:
    """Replace all tokens after position t, or only the next one, by others drawn from `seed`."""

    t: int
    seed: int
    only_next: bool = False

    def places(self, x: Text) -> Tensor:
        """Positions of the tokens that are replaced, (R,)."""
        later = real_tokens(x)
        later = later[later > self.t]
        return later[:1] if self.only_next else later


@dataclass(frozen=True)
class Causality(Symmetry):
    """Replacing the tokens after position t must not change y[: t + 1]: rows of y (T, D) up to t are compared.

    A leak from position t + 1 to position t alone shows only if the text is cut exactly there. The elements therefore go through
    all t in random order before any t is repeated: T - 1 elements miss no such leak, and n for each of many inputs hardly any.
    A vector (D,) depends on the whole text, so there is nothing to compare. Tokens are replaced by different ones, and by the
    padding token only if the vocabulary has no other. Rows of padding are not compared.
    """

    name: ClassVar[str] = "causality"
    default: ClassVar[bool] = True
    strict: ClassVar[bool] = True
    unit: ClassVar[str] = "last position kept"
    advice: ClassVar[str] = (
        "Some positions see later tokens. Check the causal mask of the layer named: it is missing, or the mask or a shift is off "
        "by one."
    )

    def generators(self, x: Text) -> Sequence[Future]:
        """Cuts at all positions, evenly spread in a long text; at the first and the middle one also the next token alone."""
        cuts = self._cuts(x)
        if not len(cuts):
            return ()
        spread = cuts[np.unique(np.linspace(0, len(cuts) - 1, CUTS).round().astype(int))] if len(cuts) > CUTS else cuts
        single = {int(cuts[0]), int(cuts[len(cuts) // 2])} - {int(cuts[-1])}  # after that cut, only one token is left
        return [*(Future(int(t), seed=1) for t in spread), *(Future(t, seed=2, only_next=True) for t in sorted(single))]

    def elements(self, x: Text, n: int, rng: np.random.Generator) -> Sequence[Future]:
        """Every t once with all later tokens replaced, then every t once with the next token alone, and so on."""
        cuts = self._cuts(x)
        drawn: list[Future] = []
        while len(cuts) and len(drawn) < n:
            only_next = bool(len(drawn) // len(cuts) % 2)
            ts = rng.permutation(cuts)[: n - len(drawn)]
            drawn += [Future(int(t), int(rng.integers(2**63)), only_next) for t in ts]
        return drawn

    def _cuts(self, x: Text) -> np.ndarray:
        """Every position t of a real token that another one follows."""
        return real_tokens(x).cpu().numpy()[: -1 if x.vocabulary > 1 else 0]

    def act(self, x: Text, g: Future) -> Text:
        ids, places = x.ids.clone(), g.places(x)
        ids[places] = other_tokens(ids[places], x, g.seed)
        return replace(x, ids=ids)

    def act_output(self, y: Tensor, g: Future, x: Text) -> Tensor | None:
        """The rows of y up to t: those that must not change."""
        if not has_rows(y, x):
            return None
        kept = real_tokens(x).to(y.device)
        return y[kept[kept <= g.t]]

    def align(self, y: Tensor, y_g: Tensor, g: Future, x: Text) -> tuple[Tensor, Tensor] | None:
        expected, actual = self.act_output(y, g, x), self.act_output(y_g, g, x)
        return None if expected is None or actual is None else (expected, actual)

    def size(self, g: Future) -> float:
        return float(g.t)

    def label(self, g: Future) -> str:
        return f"only the token after position {g.t} replaced" if g.only_next else f"tokens after position {g.t} replaced"
