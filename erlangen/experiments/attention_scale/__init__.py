"""Claim T3: what the scale 1/√d of attention does to the variance of q · k, to the softmax, to gradients and to training.

Products are drawn, softmax attention is measured before any training, and small nets learn to copy a token with the scale,
without it, and without it but from a start that is the same (`matched`). `standard` takes about half an hour on one core.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from annotated_types import Ge, Le

from erlangen.experiments.attention_scale.statements import CLAIMS as CLAIMS, QUOTES as QUOTES
from erlangen.experiments.attention_scale.tasks import (
    ARMS,
    OPTIMIZERS,
    POSITIONS,
    Copy,
    Language,
    Optimizer,
    Products,
    Start,
)
from erlangen.experiments.kit.tasks import job, task_of
from erlangen.experiments.kit.texts import require_text, text_parameters
from erlangen.records.runs import Job

TITLE = "The scale of attention"
QUESTION = "What goes wrong if attention does not divide q · k by √d?"
MEMORY_MB = 700
LONGEST_TALE = 256  # characters

Width = Annotated[int, Ge(2), Le(4096)]
Rate = Annotated[float, Ge(1e-6), Le(100)]
Count = Annotated[int, Ge(1), Le(1_000_000)]
Share = Annotated[float, Ge(0), Le(1)]


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """widths: of queries and keys whose products are drawn, rising. draws: seeds of these. pairs: products in each, at least.

    keys: in a drawn head, as many as queries. values: width of its values. repeats: heads per draw.
    trained: widths of the nets that learn to copy, rising. contexts: tokens that they see, rising. seeds: nets of each kind.
    optimizers: each is tuned over its rates for each arm, width and context apart. adam_rates: learning rates of Adam, rising.
    sgd_rates: learning rates of SGD with momentum, rising.
    steps: updates of the copy task. tokens: per update. vocabulary: different tokens of the copy task.
    corpus: the text of the small GPT: grimm, tales (generated) or a UTF-8 file. layers: of the GPT. heads: of the GPT, per layer.
    width: of the GPT's states. block: tokens that the GPT sees. gpt_steps: updates of the GPT. gpt_batch: texts per update.
    gpt_lr: the GPT's learning rate. gpt_fit: validation loss, in nats per character, above which a GPT is not looked at.

    deviation: relative deviation of a variance that matters. saturated: share of the largest possible entropy, ln(keys), below
    which a softmax counts as saturated. vanished: share of the gradient with the scale below which one without it has vanished.
    margin: difference of two losses, in nats, that matters. learned: loss, in nats, that counts as having learned to copy.
    jump: rise of the training loss over an earlier one, in nats, that matters.
    shifted: mean of q · k, in standard deviations, that counts as different from 0. due: share of the second moment that counts.
    """

    widths: tuple[Width, ...] = (16, 32, 64, 128, 256, 512)
    draws: Annotated[int, Ge(1), Le(10_000)] = 40
    pairs: Annotated[int, Ge(10), Le(1_000_000)] = 2000
    keys: Annotated[int, Ge(2), Le(4096)] = 64
    values: Width = 64
    repeats: Count = 32
    trained: tuple[Width, ...] = (64, 128, 256)
    contexts: tuple[Annotated[int, Ge(8), Le(256)], ...] = (16, 32)
    seeds: Annotated[int, Ge(1), Le(1000)] = 8
    optimizers: tuple[Optimizer, ...] = OPTIMIZERS
    adam_rates: tuple[Rate, ...] = (1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1)
    sgd_rates: tuple[Rate, ...] = (3e-3, 1e-2, 3e-2, 1e-1, 3e-1, 1.0)
    steps: Annotated[int, Ge(20), Le(100_000)] = 250
    tokens: Annotated[int, Ge(32), Le(65_536)] = 256
    vocabulary: Annotated[int, Ge(2), Le(256)] = 16
    corpus: str = "grimm"
    layers: Annotated[int, Ge(1), Le(48)] = 3
    heads: Annotated[int, Ge(1), Le(64)] = 2
    width: Annotated[int, Ge(8), Le(4096)] = 64
    block: Annotated[int, Ge(16), Le(4096)] = 64
    gpt_steps: Annotated[int, Ge(4), Le(100_000)] = 500
    gpt_batch: Annotated[int, Ge(1), Le(4096)] = 16
    gpt_lr: Rate = 6e-3
    gpt_fit: Annotated[float, Ge(0), Le(20)] = 2.5
    deviation: Annotated[float, Ge(0.001), Le(0.5)] = 0.05
    saturated: Share = 0.5
    vanished: Share = 0.5
    margin: Annotated[float, Ge(0), Le(10)] = 0.05
    learned: Annotated[float, Ge(0), Le(10)] = 0.1
    jump: Annotated[float, Ge(0), Le(100)] = 0.3
    shifted: Annotated[float, Ge(0), Le(10)] = 0.1
    due: Share = 0.2

    def __post_init__(self) -> None:
        for name in ("widths", "trained", "contexts", "adam_rates", "sgd_rates"):
            values = getattr(self, name)
            if not values or list(values) != sorted(set(values)):
                raise ValueError(f"{name}: name one or more in rising order, as in {name}={','.join(map(str, values[:2]))}")
        if not self.optimizers or len(set(self.optimizers)) < len(self.optimizers):
            raise ValueError(f"optimizers: name one or both of {', '.join(OPTIMIZERS)}, none twice")
        if self.width % (2 * self.heads):
            raise ValueError(f"width {self.width} is not an even number for each of {self.heads} heads")
        if self.tokens < self.contexts[-1]:
            raise ValueError(f"tokens: {self.tokens} per update hold no context of {self.contexts[-1]}")

    def rates(self, optimizer: Optimizer) -> tuple[float, ...]:
        """The learning rates that are tried with an optimizer."""
        return self.adam_rates if optimizer == "adam" else self.sgd_rates


PRESETS = {
    "quick": Recipe(
        widths=(16, 64, 256), draws=32, repeats=16, trained=(32, 128), contexts=(16,), optimizers=("adam",),
        adam_rates=(1e-3, 3e-3, 1e-2, 3e-2, 1e-1), seeds=5, steps=150, corpus="tales", layers=2, width=32, block=LONGEST_TALE,
        gpt_steps=100, gpt_batch=4, gpt_lr=1e-2,
    ),
    "standard": Recipe(),
}  # fmt: skip


def fetch(recipe: Recipe) -> None:
    """Have the text at hand before any job starts. Raises ErlangenError where it cannot be had."""
    require_text(recipe.corpus, 22 * (recipe.block + 1), "training", "a smaller block")  # the test part is a twentieth of it


def jobs(recipe: Recipe) -> list[Job]:
    """The draws, the GPTs and a job for each net that learns to copy, the longest first. Raises DataError."""
    entries = recipe.pairs * sum(width * min(4, recipe.widths[-1] // width) for width in recipe.widths)
    costs = {Products: 3.2e-7 * entries, Start: 4e-9 * recipe.repeats * recipe.keys * recipe.keys * sum(recipe.widths)}
    drawn = [job(task_of(task, recipe), seed=seed, seconds=cost) for seed in range(recipe.draws) for task, cost in costs.items()]
    gpt = {"steps": recipe.gpt_steps, "batch": recipe.gpt_batch, "lr": recipe.gpt_lr, **text_parameters(recipe.corpus)}
    language = [
        job(task_of(Language, recipe, positions=positions, **gpt), seed=seed, seconds=gpt_seconds(recipe))
        for positions in POSITIONS
        for seed in range(recipe.seeds)
    ]
    return sorted([*drawn, *language, *copies(recipe)], key=lambda job: -job.seconds)


def copies(recipe: Recipe) -> list[Job]:
    """Every net of the copy task: arms, optimizers, widths, contexts, learning rates and seeds."""
    return [
        job(
            task_of(Copy, recipe, arm=arm, optimizer=optimizer, width=width, keys=keys, lr=lr, batch=recipe.tokens // keys),
            seed=seed,
            seconds=(0.33 + 1.65e-5 * width**2) * recipe.steps / 250 * recipe.tokens / 256,
        )
        for seed in range(recipe.seeds)
        for keys in recipe.contexts
        for width in recipe.trained
        for optimizer in recipe.optimizers
        for arm in ARMS
        for lr in recipe.rates(optimizer)
    ]


def gpt_seconds(recipe: Recipe) -> float:
    """Of one GPT on one core."""
    return 1 + 8e-6 * recipe.layers * recipe.gpt_steps * recipe.gpt_batch * recipe.block * (recipe.width + 64) / 128
