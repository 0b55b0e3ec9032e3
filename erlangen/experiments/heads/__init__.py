"""Claim T4: whether several attention heads, at the cost of one, give an output of higher rank and learn better.

Parameters and matrix products do not depend on the number of heads; both are counted. The learning rate is tuned for each number.
`standard` takes about 20 minutes on two cores.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from annotated_types import Ge, Le

from erlangen.claims import statement_of
from erlangen.experiments.heads.tasks import OFFSETS, Copy, Learn, Ranks, Sum
from erlangen.experiments.kit.tasks import job, task_of
from erlangen.experiments.kit.texts import require_text, text_parameters
from erlangen.records.runs import Claim, Job

TITLE = "Attention heads"
QUESTION = "At equal cost, do several attention heads give an output of higher rank than one head, and do they learn better?"
MEMORY_MB = 700

Heads = Annotated[int, Ge(1), Le(64)]
Rate = Annotated[float, Ge(1e-6), Le(1)]


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """corpus: grimm, tales (generated) or a UTF-8 text file. heads: numbers of heads, rising, 1 first.

    several: the one of these numbers that is compared with 1. rates: learning rates, rising; each number of heads is compared at
    the best of them by validation loss. layers: of the nets. width: of their states; they see 4 · width characters at once.
    batch: windows per update. steps: updates. windows: held-out windows whose attention output is decomposed. copy_steps: updates
    of the nets that copy four tokens. draws: matrices of each kind whose exact rank is counted, for each seed. fit: nats per
    character by which a net must be better than pairs of characters are. factor: the least ratio of effective ranks that matters.
    edge: the least difference of losses that matters, in nats per character. points: how far apart one head and several must be
    where one head cannot do the task, in percent of positions.
    """

    corpus: str = "grimm"
    seeds: Annotated[int, Ge(1), Le(1000)] = 6
    heads: tuple[Heads, ...] = (1, 2, 4, 8, 16)
    several: Heads = 4
    rates: tuple[Rate, ...] = (2e-3, 5e-3, 8e-3, 1.25e-2, 3e-2)
    layers: Annotated[int, Ge(1), Le(48)] = 2
    width: Annotated[int, Ge(8), Le(4096)] = 64
    batch: Annotated[int, Ge(1), Le(10_000)] = 2
    steps: Annotated[int, Ge(10), Le(1_000_000)] = 1000
    windows: Annotated[int, Ge(1), Le(1000)] = 8
    copy_steps: Annotated[int, Ge(10), Le(100_000)] = 400
    draws: Annotated[int, Ge(1), Le(10_000)] = 40
    fit: Annotated[float, Ge(0), Le(20)] = 0.1
    factor: Annotated[float, Ge(1), Le(100)] = 1.1
    edge: Annotated[float, Ge(0), Le(20)] = 0.02
    points: Annotated[float, Ge(0), Le(100)] = 60.0

    def __post_init__(self) -> None:
        if len(self.heads) < 2 or list(self.heads) != sorted(set(self.heads)) or self.heads[0] != 1:
            raise ValueError("heads: name two numbers or more in rising order, the first of them 1, as in heads=1,4")
        if self.several not in self.heads[1:]:
            raise ValueError(f"several: choose one of the numbers of heads above 1, {', '.join(map(str, self.heads[1:]))}")
        if odd := [heads for heads in self.heads if self.width % (2 * heads)]:
            raise ValueError(f"width {self.width} is not an even number of features for each of {odd[0]} heads")
        if not self.rates or list(self.rates) != sorted(set(self.rates)):
            raise ValueError("rates: name learning rates in rising order, as in rates=0.002,0.005,0.0125")


PRESETS = {
    "quick": Recipe(
        corpus="tales", seeds=3, heads=(1, 4), rates=(4e-3, 1.6e-2, 6e-2), width=32, steps=350, windows=4, copy_steps=350,
        draws=10,
    ),
    "standard": Recipe(),
}  # fmt: skip

CLAIMS = (
    Claim(
        id="T4",
        statement=statement_of("T4"),
        how="GPTs that differ only in their number of heads learn the same text, at learning rates tuned for each number. The "
        "effective rank of what their attention layers give (Roy & Vetterli, 2007: exp of the entropy of the singular values' "
        "shares) is taken over held-out windows with four times as many tokens as features. Exact ranks are counted over the "
        "integers. A task that asks for four tokens at once shows that the nets can profit from heads where one must fail.",
        parts={
            "effective rank": "After training, the attention output of several heads has a higher effective rank than of one.",
            "learning": "Several heads reach a lower loss on held-out text than one head does.",
            "rank formula": "The rank of a head's output is the smaller of the ranks of its weights and its values.",
            "rank bound": "The rank of a head's output is never above the smaller of the two ranks.",
            "causal weights": "Causal attention weights are invertible, so that a head's output has the rank of its values.",
            "first layer, one head": "In the first layer, one head's output has at most the rank of its tokens: how many differ.",
            "later layers, one head": "From the second layer on, one head's output already has full rank.",
            "saturation": "From the last number of heads but one to the last, the effective rank no longer rises.",
            "most heads": "The largest number of heads reaches a higher loss than several heads do.",
            "four sources": "Several heads copy four tokens at once, and one head does not.",
            "order of heads": "An attention layer is the sum of its heads, each computed alone.",
            "equal cost": "All nets have the same number of parameters and of multiply-adds.",
        },
    ),
)
REPORT = ("effective rank", "learning", "rank formula")
QUOTES = dict.fromkeys(
    REPORT, "Several heads at equal cost give a higher-rank output and learn better; rank = min(rank A, rank V)"
)


def tasks(recipe: Recipe) -> list[Learn]:
    """A training for each number of heads and each rate."""
    text = text_parameters(recipe.corpus)
    return [task_of(Learn, recipe, heads=heads, lr=rate, **text) for heads in recipe.heads for rate in recipe.rates]


def fetch(recipe: Recipe) -> None:
    """Have the text at hand before any job starts. Raises DataError where it cannot be had or is too short."""
    require_text(recipe.corpus, tasks(recipe)[0].span, "training", "a smaller width or fewer windows")


def jobs(recipe: Recipe) -> list[Job]:
    """Every rate of every number of heads for each seed, the longest first; the control task; what is counted."""
    copies = [
        Copy(heads=heads, lr=3e-3, width=64, values=32, length=3 * max(OFFSETS) + 3, batch=32, steps=recipe.copy_steps)
        for heads in dict.fromkeys((1, recipe.several))
    ]
    learned = [job(task, seed=seed, seconds=seconds(task)) for task in tasks(recipe) for seed in range(recipe.seeds)]
    copied = [job(task, seed=seed, seconds=0.01 * task.steps) for task in copies for seed in range(recipe.seeds)]
    exact = [job(Ranks(draws=recipe.draws), seed=seed, seconds=0.02 * recipe.draws) for seed in range(recipe.seeds)]
    sums = [job(Sum(heads=heads, width=recipe.width), seconds=0.1) for heads in recipe.heads]
    return [*sorted(learned, key=lambda job: -job.seconds), *copied, *exact, *sums]


def seconds(task: Learn) -> float:
    """Of one training, on one core: products, and a softmax over the whole window for every head."""
    tokens = task.steps * task.batch * task.block
    return 2 + tokens * task.layers * (1.8e-7 * task.width + 2.7e-9 * task.heads * task.block)
