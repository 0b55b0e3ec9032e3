"""Claim T5: whether a wide, shallow MLP in a Transformer is better than a narrow, deep one of as many parameters.

The learning rate is tuned for each shape: deep ones prefer a lower one. `standard` takes about a quarter of an hour on two cores.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from annotated_types import Ge, Le

from erlangen.claims import statement_of
from erlangen.experiments.kit.tasks import job, task_of
from erlangen.experiments.kit.texts import require_text, text_parameters
from erlangen.experiments.mlp_shape.tasks import Learn, Shake, Speed, Start, Vanish
from erlangen.records.runs import Claim, Job

TITLE = "The shape of the MLP"
QUESTION = "Is a wide, shallow MLP in a Transformer better, more stable and faster than a narrow, deep one of as many parameters?"
MEMORY_MB = 800

WIDE, DEEP = 1, 4  # hidden layers of an MLP
DEPTHS = (WIDE, 2, DEEP)
TOO_HIGH = 0.3  # a learning rate at which a training must be seen to be unstable
Arm = tuple[int, bool, Start]  # hidden layers, inner residuals, first weights
ARMS: dict[str, Arm] = {
    "wide": (1, False, "default"),
    "middle": (2, False, "default"),
    "deep": (4, False, "default"),
    "middle-residual": (2, True, "default"),
    "deep-residual": (4, True, "default"),
    "wide-he": (1, False, "he"),
    "deep-he": (4, False, "he"),
    "wide-gpt2": (1, False, "gpt2"),
    "deep-gpt2": (4, False, "gpt2"),
}
Rate = Annotated[float, Ge(1e-6), Le(1)]
Threads = Annotated[int, Ge(1), Le(64)]


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """corpus: grimm, tales (generated) or a UTF-8 text file. arms: shapes to train; those that a part needs decide it.

    rates: learning rates, rising; each shape is compared at the best of them by validation loss, and its stability over all of
    them. layers, heads, width, block: of the nets. batch: windows per update. steps: updates. threads: numbers of threads
    on which steps are timed. timed: seconds for each shape. wider: width of nets that are timed beside those that are trained.
    fit: nats per character by which a net must be better than pairs of characters are. edge: the least difference of losses
    that matters, in nats per character. vanished: share of the wide MLP's ratio of gradients, first layer over last, below which
    the deep one's count as vanished. faster: the least ratio of speeds that matters. slowdown: ratio of typical to least seconds
    of a step above which the machine was too busy to time it.
    """

    corpus: str = "grimm"
    seeds: Annotated[int, Ge(1), Le(1000)] = 6
    arms: tuple[str, ...] = tuple(ARMS)
    rates: tuple[Rate, ...] = (2e-3, 6e-3, 1.8e-2)
    layers: Annotated[int, Ge(1), Le(48)] = 2
    heads: Annotated[int, Ge(1), Le(64)] = 4
    width: Annotated[int, Ge(8), Le(4096)] = 64
    block: Annotated[int, Ge(16), Le(4096)] = 64
    batch: Annotated[int, Ge(1), Le(10_000)] = 16
    steps: Annotated[int, Ge(50), Le(1_000_000)] = 500
    threads: tuple[Threads, ...] = (1, 2)
    timed: Annotated[float, Ge(0.01), Le(100)] = 1.0
    wider: Annotated[int, Ge(8), Le(4096)] = 256
    fit: Annotated[float, Ge(0), Le(20)] = 0.1
    edge: Annotated[float, Ge(0), Le(20)] = 0.02
    vanished: Annotated[float, Ge(0), Le(1)] = 0.1
    faster: Annotated[float, Ge(1), Le(100)] = 1.05
    slowdown: Annotated[float, Ge(1), Le(100)] = 1.5

    def __post_init__(self) -> None:
        if unknown := [arm for arm in self.arms if arm not in ARMS]:
            raise ValueError(f"arms: {unknown[0]!r} is not one of {', '.join(ARMS)}")
        if self.wider == self.width:
            raise ValueError(f"wider: choose another width than that of the nets that are trained, {self.width}")
        for width in (self.width, self.wider):
            if width % (2 * self.heads):
                raise ValueError(f"width {width} is not an even number of features for each of {self.heads} heads")
        if not self.rates or list(self.rates) != sorted(set(self.rates)):
            raise ValueError("rates: name learning rates in rising order, as in rates=0.002,0.006,0.018")


PRESETS = {
    "quick": Recipe(
        corpus="tales", seeds=3, arms=("wide", "deep"), rates=(8e-3, 2.5e-2, 8e-2), width=32, heads=2, block=64, batch=8,
        steps=300, threads=(1,), timed=0.2, wider=64,
    ),
    "standard": Recipe(),
}  # fmt: skip

CLAIMS = (
    Claim(
        id="T5",
        statement=statement_of("T5"),
        how="GPTs whose MLPs have one, two or four hidden layers and as many parameters learn the same text, at learning rates "
        "tuned for each shape, with and without inner residuals, from the first weights of PyTorch, of He and of GPT-2. "
        "Gradients are measured layer by layer, at the start and in training: those of the weights, and the signal that reaches "
        "the first layer. Instability is sensitivity to the learning rate (Wortsman et al., 2024): the mean loss over all rates "
        "minus that at the best. Training steps are timed in turn, alone on the machine.",
        parts={
            "loss": "A narrow MLP with four hidden layers reaches a higher loss on held-out text than a wide one with one.",
            "vanishing gradients": "In training, the gradients of the deep MLP's first weights are far smaller than of its last.",
            "instability": "A learning rate that is too low or too high costs the deep MLP more loss than the wide one.",
            "speed, 1 thread": "On one thread, nets with the wide MLP train faster than nets with the deep one.",
            "speed, 2 threads": "On two threads, nets with the wide MLP train faster than nets with the deep one.",
            "loss, two hidden layers": "Two hidden layers reach a higher loss than one.",
            "loss, inner residuals": "Four hidden layers with inner residuals reach a higher loss than one hidden layer.",
            "loss, start of He": "From the start of He, four hidden layers reach a higher loss than one.",
            "loss, start of GPT-2": "From the start of GPT-2, four hidden layers reach a higher loss than one.",
            "signal in training": "In training, less of the gradient reaches the first layer of the deep MLP than of the wide.",
            "signal, start of He": "From the start of He, the gradient does not vanish on its way to the first layer.",
            "signal, start of GPT-2": "From the start of GPT-2, the gradient vanishes on its way to the first layer.",
            "speed, wider nets": "Wider nets with the wide MLP train faster than ones with the deep MLP, on one thread.",
            "vanishing is seen": "In deep MLPs of sigmoids, where gradients are known to vanish, the same ratio shows it.",
            "instability is seen": "Nets that learn at a rate that is far too high are seen to be unstable.",
            "equal size": "All shapes have the same number of parameters.",
        },
    ),
)
_GRADIENTS = "deep suffers vanishing gradients and instability"
QUOTES = {
    "loss": "Wide and shallow beats narrow and deep",
    "vanishing gradients": _GRADIENTS,
    "instability": _GRADIENTS,
    "speed, 1 thread": "wide runs faster",
    "speed, 2 threads": "wide runs faster",
}


def tasks(recipe: Recipe) -> list[Learn]:
    """A training for each shape and each rate."""
    text = text_parameters(recipe.corpus)
    return [
        task_of(Learn, recipe, depth=depth, residual=residual, start=start, lr=rate, **text)
        for depth, residual, start in (ARMS[arm] for arm in recipe.arms)
        for rate in recipe.rates
    ]


def fetch(recipe: Recipe) -> None:
    """Have the text at hand before any job starts. Raises DataError where it cannot be had or is too short."""
    require_text(recipe.corpus, max(task.span for task in tasks(recipe)), "training", "a smaller batch or block")


def timings(recipe: Recipe) -> list[Speed]:
    """Nets as they are trained, on each number of threads, and wider ones on one."""
    return [
        *(task_of(Speed, recipe, threads=threads, depths=DEPTHS, seconds=recipe.timed) for threads in recipe.threads),
        task_of(Speed, recipe, threads=1, depths=DEPTHS, seconds=recipe.timed, width=recipe.wider),
    ]


def jobs(recipe: Recipe) -> list[Job]:
    """Every rate of every shape for each seed, the control of the gradients, and the timings, alone on the machine."""
    seeds, text = range(recipe.seeds), text_parameters(recipe.corpus)
    learned = [job(task, seed=seed, seconds=seconds(task)) for task in tasks(recipe) for seed in seeds]
    controls = [
        job(task_of(Vanish, recipe, activation="sigmoid", depth=depth, start="default"), seed=seed, seconds=0.2)
        for depth in (WIDE, DEEP)
        for seed in seeds
    ]
    shaken = task_of(Shake, recipe, depth=WIDE, residual=False, start="default", lr=TOO_HIGH, **text)
    controls += [job(shaken, seed=seed, seconds=seconds(shaken)) for seed in seeds]
    timed = [job(task, seed=seed, seconds=2 + 3.5 * recipe.timed, exclusive=True) for task in timings(recipe) for seed in seeds]
    return [*learned, *controls, *timed]


def seconds(task: Learn | Shake) -> float:
    """Of one training, on one core."""
    return 2 + task.steps * (1e-3 * task.layers + task.batch * task.block * task.layers * 9e-8 * task.width)
