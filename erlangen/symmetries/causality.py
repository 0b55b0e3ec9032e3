"""Causality: later tokens must not change earlier outputs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
from torch import Tensor

from erlangen.symmetries.future import Change, Future, describe, draw_futures, make_generators, swept
from erlangen.symmetries.symmetry import Symmetry
from erlangen.symmetries.text import Text
from erlangen.symmetries.tokens import has_rows, other_tokens, real_tokens

ORDER: tuple[Change, ...] = ("others", "cut", "others", "next", "others", "padding", "others", "end")  # as elements are drawn
WORDS = {
    "others": "tokens after position {} replaced",
    "next": "only the token after position {} replaced",
    "padding": "tokens after position {} replaced by padding",
    "end": "tokens after position {} replaced by the end token",
    "cut": "tokens after position {} cut off",
}


@dataclass(frozen=True)
class Causality(Symmetry):
    """The tokens after position t must not change y[: t + 1]: rows of y (T, D) up to t are compared.

    They are replaced by other tokens, all of them or only the next one; by the padding token and by the end token, which a model
    may count; and they are cut off: f(x[: t + 1]) = f(x)[: t + 1], which is what a cache relies on. A model that takes texts of a
    single length may refuse the last. A leak from position t + 1 to position t alone shows only if the text is cut exactly there:
    `sweep` has every cut of a text, up to 512, evenly spread beyond that.
    A leak may wait for a rare token. So texts are cut behind all tokens that they have before behind any again, the rarest first,
    and replacements go through the vocabulary likewise, without the padding token unless there is no other.
    A vector (D,) depends on the whole text, so there is nothing to compare. Rows of padding are not compared.
    """

    name: ClassVar[str] = "causality"
    default: ClassVar[bool] = True
    strict: ClassVar[bool] = True
    unit: ClassVar[str] = "last position kept"
    advice: ClassVar[str] = (
        "Some positions see later tokens, or how many there are. Check the causal mask of the layer named: it is missing, or the "
        "mask or a shift is off by one. If only texts that are cut off differ, look for a scale that depends on the length."
    )

    def generators(self, x: Text) -> Sequence[Future]:
        """Evenly spread cuts with all that follows replaced; the next token alone, padding and the end token at the first and the
        middle one; and prefixes of many lengths.
        """
        return make_generators(self.cuts(x), ("padding", "end"), lambda t, change: self.changes(x, t, change))

    def elements(self, x: Text, n: int, rng: np.random.Generator) -> Sequence[Future]:
        """Random cuts, with the changes by turns; half of them replace all later tokens."""
        return self.elements_of([x], n, rng)[0]

    def elements_of(self, xs: Sequence[Text], n: int, rng: np.random.Generator) -> Sequence[Sequence[Future]]:
        """The same for several texts, cut behind as many different tokens as can be."""
        often = Counter(token for x in xs for token in x.ids[self.cuts(x)].tolist())
        used: Counter[int] = Counter()
        return [self.draw(x, n, rng, often, used) for x in xs]

    def draw(self, x: Text, n: int, rng: np.random.Generator, often: Counter[int], used: Counter[int]) -> Sequence[Future]:
        """n cuts of a text. often: how many times each token could be cut behind; used: how many times it was, counted on."""
        ids = x.ids.tolist()

        def choose(cuts: Sequence[int]) -> int:
            best = min(cuts, key=lambda t: (used[ids[t]], often[ids[t]]))
            used[ids[best]] += 1
            return best

        return draw_futures(self.cuts(x), n, ORDER, lambda t, change: self.changes(x, t, change), rng, choose)

    def sweep(self, x: Text) -> Sequence[Future]:
        return swept(self.cuts(x))

    def optional(self, g: Future) -> bool:
        return g.change == "cut"

    def scope(self, x: Text) -> str:
        said = describe(self.cuts(x), "text", len(x), "tokens")
        fills = [f"{name} ({token})" for name, token in (("padding", x.padding), ("the end token", x.end)) if token is not None]
        return f"{said}, later tokens replaced by others and by {' and '.join(fills)}" if said else ""

    def cuts(self, x: Text) -> np.ndarray:
        """Every position t of a real token that another one follows."""
        return real_tokens(x).cpu().numpy()[: -1 if x.vocabulary > 1 else 0]

    def places(self, x: Text, g: Future) -> Tensor:
        """Positions of the tokens that g replaces, (R,)."""
        later = real_tokens(x)
        later = later[later > g.t]
        return later[:1] if g.change == "next" else later

    def changes(self, x: Text, t: int, change: Change) -> bool:
        """Whether an element changes the text."""
        if change not in ("padding", "end"):
            return True
        token = x.padding if change == "padding" else x.end
        return token is not None and bool((x.ids[self.places(x, Future(t))] != token).any())

    def act(self, x: Text, g: Future) -> Text:
        if g.change == "cut":
            parts = {name: None if part is None else part[: g.t + 1].clone() for name, part in row_parts(x).items()}
            return replace(x, **parts)  # type: ignore[arg-type]
        ids, places = x.ids.clone(), self.places(x, g)
        if g.change in ("padding", "end"):
            ids[places] = x.padding if g.change == "padding" else x.end  # type: ignore[assignment]
        else:
            ids[places] = other_tokens(x, places, g.seed)
        return replace(x, ids=ids)

    def act_output(self, y: Tensor, g: Future, x: Text) -> Tensor | None:
        """The rows of y up to t: those that must not change."""
        if not has_rows(y, x):
            return None
        kept = real_tokens(x).to(y.device)
        return y[kept[kept <= g.t]]

    def align(self, y: Tensor, y_g: Tensor, g: Future, x: Text) -> tuple[Tensor, Tensor] | None:
        length = g.t + 1 if g.change == "cut" else len(x)
        expected = self.act_output(y, g, x)
        if expected is None or y_g.ndim != 2 or len(y_g) != length:
            return None
        kept = real_tokens(x).to(y_g.device)
        return expected, y_g[kept[kept <= g.t]]

    def size(self, g: Future) -> float:
        return float(g.t)

    def label(self, g: Future) -> str:
        return WORDS[g.change].format(g.t)


def row_parts(x: Text) -> dict[str, Tensor | None]:
    """The parts of a text with an entry for each token."""
    return {"ids": x.ids, "mask": x.mask, "positions": x.positions}
