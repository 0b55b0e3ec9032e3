"""How the nets of `word-order` are trained, and the edges of its verdicts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from annotated_types import Ge, Gt, Le

Rate = Annotated[float, Ge(1e-6), Le(1)]
Depth = Annotated[int, Ge(1), Le(6)]
DEPTHS = (1, 2, 6)


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How the nets are trained, and the edges of the verdicts.

    corpus: grimm, tales (generated) or a UTF-8 text file. depths: layers of the nets that learn a puzzle. text_depths: layers of
    those that learn a text. sentence_steps: updates on the two sentences. marks_steps: updates on marks. reverse_steps: updates
    on reverse. text_steps: updates on a text. batch: cases per update. text_batch: windows of a text per update. block:
    characters in a window. tests: held-out cases, or at most so many windows. lr: learning rate on the sentences and puzzles.
    rates: those tried with two layers on reverse, which neither succeed as deeper nets do nor fail by a theorem. text_lr:
    learning rate on a text. bag_rates: those tried for the predictor that sees no order, whose loss is the bound on a text.
    poor: share of the way from the best unordered predictor to the same net with rotary positions, up to which a net performs
    very poorly. seen: error / spread above which two texts are not alike. fit: points by which rotary positions must beat the
    bound on a puzzle; without that nothing can be compared. text_fit: the same on a text, in nats. plateau: gain since two thirds
    of the training, in points of accuracy, above which a net is still learning and its poor score decides nothing.
    text_plateau: the same on a text, in nats.
    """

    corpus: str = "grimm"
    seeds: Annotated[int, Ge(1), Le(1000)] = 5
    depths: tuple[Depth, ...] = DEPTHS
    text_depths: tuple[Depth, ...] = (1, 2)
    width: Annotated[int, Ge(8), Le(1024)] = 64
    heads: Annotated[int, Ge(1), Le(64)] = 4
    sentence_steps: Annotated[int, Ge(3), Le(100_000)] = 100
    marks_steps: Annotated[int, Ge(3), Le(100_000)] = 250
    reverse_steps: Annotated[int, Ge(3), Le(100_000)] = 600
    text_steps: Annotated[int, Ge(3), Le(1_000_000)] = 3000
    batch: Annotated[int, Ge(1), Le(10_000)] = 32
    text_batch: Annotated[int, Ge(1), Le(10_000)] = 16
    block: Annotated[int, Ge(4), Le(4096)] = 32
    tests: Annotated[int, Ge(32), Le(100_000)] = 1000
    lr: Rate = 3e-3
    rates: tuple[Rate, ...] = (1e-3, 3e-3, 1e-2)
    text_lr: Rate = 6e-3
    bag_rates: tuple[Rate, ...] = (2e-3, 6e-3, 2e-2)
    poor: Annotated[float, Gt(0), Le(1)] = 0.1
    seen: Annotated[float, Gt(0), Le(1)] = 0.01
    fit: Annotated[float, Gt(0), Le(100)] = 20.0
    text_fit: Annotated[float, Gt(0), Le(20)] = 0.1
    plateau: Annotated[float, Ge(0), Le(100)] = 2.0
    text_plateau: Annotated[float, Ge(0), Le(20)] = 0.02

    def __post_init__(self) -> None:
        if self.width % (2 * self.heads):
            raise ValueError(f"width {self.width} is not an even number for each of {self.heads} heads")
        for name in ("depths", "text_depths"):
            if [depth for depth in DEPTHS if depth in getattr(self, name)] != list(getattr(self, name)):
                raise ValueError(f"{name}: 1, 2, 6 or some of them, rising, each once")
        for name in ("rates", "bag_rates"):
            if len(set(rates := getattr(self, name))) < max(len(rates), 1):
                raise ValueError(f"{name}: name at least one learning rate, and none twice")
