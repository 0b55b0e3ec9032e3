"""Claims T1, T2 and T11: what attention costs, what a window saves, and what FlashAttention saves and why.

A clock cannot refute a count: what grows with which exponent is judged on multiply-adds, counted as they run. Times and memory
stand beside them. One head, one text, one core; with `--device cuda` everything is measured, and judged, on the GPU instead.
`standard` takes about 11 minutes, and needs the machine for itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from annotated_types import Ge, Le

from erlangen.experiments.attention_cost.tasks import Count, Equal, Form, Kernel, Memory, Over, Pieces, Time, Windows
from erlangen.experiments.attention_cost.words import CLAIMS as CLAIMS, QUOTES as QUOTES
from erlangen.experiments.kit.tasks import job, task_of
from erlangen.records.runs import Job

TITLE = "What attention costs"
QUESTION = "How do time and memory of attention grow with the text, what does a window save, and what binds: products or memory?"
MEMORY_MB = 4000
PRECISIONS = ("float32", "bfloat16")
DEVICES = ("cpu", "cuda")

Size = Annotated[int, Ge(1), Le(1_000_000)]

TIMED: tuple[Form, ...] = ("naive", "fused", "local")
HELD: tuple[Form, ...] = ("naive", "fused", "local", "masked", "alibi", "dropout")
START = 2.0  # seconds until a process can begin


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """lengths: numbers of tokens at which everything is counted and timed; memory is measured at the last three.

    apart_from: lengths from this one on have a process each; shorter ones, and all forms at them, share one.
    settled: the length from which on exponents of the time are judged; before it, calls and caches weigh in.
    features: d of the one head. widths: numbers of features for the counts and the pieces. window: of the local form. windows:
    that are timed at the longest length. pieces: the length at which the pieces are timed. budget: seconds for which each is
    timed; three calls are timed in any case.

    tolerance: by how much an exponent of the time may miss 1 or 2. saving: the share of time that must be saved to matter.
    faults: page faults a call, up to which a time is one of computation.
    """

    seeds: Annotated[int, Ge(1), Le(100)] = 5
    lengths: tuple[Size, ...] = (128, 256, 512, 1024, 2048, 4096, 8192)
    apart_from: Size = 1024
    settled: Size = 2048
    features: Annotated[int, Ge(8), Le(256)] = 64
    widths: tuple[Size, ...] = (16, 32, 64, 128)
    window: Annotated[int, Ge(8), Le(4096)] = 128
    windows: tuple[Size, ...] = (32, 64, 128, 256, 512)
    pieces: Size = 4096
    budget: Annotated[float, Ge(0), Le(60)] = 0.3
    tolerance: Annotated[float, Ge(0), Le(1)] = 0.2
    saving: Annotated[float, Ge(0), Le(0.9)] = 0.1
    faults: Annotated[int, Ge(0), Le(1_000_000)] = 1000

    def __post_init__(self) -> None:
        for name in ("lengths", "widths", "windows"):
            sizes = getattr(self, name)
            if len(sizes) < 3 or list(sizes) != sorted(set(sizes)):
                raise ValueError(f"{name}: give three sizes or more, in rising order")
        if self.features not in self.widths:
            raise ValueError(f"widths: {self.features} (features) must be among them")
        if sum(length >= self.settled for length in self.lengths) < 2:
            raise ValueError(f"lengths: at least two must be {self.settled} (settled) or more")


PRESETS = {
    "quick": Recipe(
        seeds=3, lengths=(256, 512, 1024, 2048), apart_from=4096, settled=1024, windows=(64, 128, 256), pieces=2048, budget=0.05
    ),
    "standard": Recipe(),
}


def jobs(recipe: Recipe) -> list[Job]:
    """The counts, then what is timed, alone on the machine, and what memory is measured of."""
    return [*counting(recipe), *clocks(recipe), *memories(recipe)]


def counting(recipe: Recipe) -> list[Job]:
    """Multiply-adds over each size, the kernel's against its log, and equality with the mask."""
    w, long = recipe.window, 128 * recipe.window
    sweeps: tuple[tuple[Form, Over, tuple[int, ...]], ...] = (
        ("scores", "length", recipe.lengths),
        ("scores", "features", recipe.widths),
        ("naive", "length", recipe.lengths),
        ("fused", "length", recipe.lengths),
        ("local", "length", recipe.lengths),  # all scores at once, which are kept for the gradient, if they are few
        ("local", "length", (long, 2 * long, 4 * long)),  # a few at a time, which are computed again
        ("local", "features", recipe.widths),
        ("local", "window", (w // 4 or 1, w // 2, w)),
    )
    counted = [
        job(
            Count(form=form, over=over, sizes=sizes, length=16 * w, features=recipe.features, window=w),
            portable=form != "local",
            seconds=0.1 + cost(form, over, sizes[-1]),
        )
        for form, over, sizes in sweeps
    ]
    exact = [Equal(lengths=(1, 2, 7, 24, 33), windows=(), features=4), Equal(lengths=(2500,), windows=(499, 500), features=4)]
    kernel = Kernel(lengths=(100, 200, 700, 1024), features=recipe.features)
    return [*counted, *(job(task, seconds=1.5) for task in exact), job(kernel, seconds=1)]


def cost(form: Form, over: Over, largest: int) -> float:
    """Seconds of counting up to the largest size."""
    return 6e-8 * largest**2 if over == "length" and form != "local" else 3e-5 * largest


def clocks(recipe: Recipe) -> list[Job]:
    """Times of the forms over the length, of the local form over the window, and of the pieces; one process of the control."""
    apart = tuple(length for length in recipe.lengths if length >= recipe.apart_from)
    shared = tuple(length for length in recipe.lengths if length < recipe.apart_from)
    groups = [(TIMED, shared)] * bool(shared) + [((form,), (length,)) for form in TIMED for length in apart]
    pieces = Pieces(length=recipe.pieces, features=recipe.widths, budget=recipe.budget)
    windows = Windows(windows=recipe.windows, length=recipe.lengths[-1], features=recipe.features, budget=recipe.budget)
    faulting = task_of(Time, recipe, forms=("naive",), lengths=recipe.lengths[-2:], kept=False)
    timed = [
        job(task, seed=seed, portable=True, exclusive=True, seconds=seconds)
        for seed in range(recipe.seeds)
        for task, seconds in [
            *(
                (task_of(Time, recipe, forms=forms, lengths=lengths, kept=True), of_clock(recipe, forms, lengths))
                for forms, lengths in groups
            ),
            (windows, START + len(recipe.windows) * (recipe.budget + 1e-4 * recipe.lengths[-1])),
            (pieces, START + len(recipe.widths) * (8 * recipe.budget + 1e-7 * recipe.pieces**2)),
        ]
    ]
    return [*timed, job(faulting, exclusive=True, seconds=of_clock(recipe, ("naive",), recipe.lengths[-2:]))]


def of_clock(recipe: Recipe, forms: tuple[Form, ...], lengths: tuple[int, ...]) -> float:
    """Seconds of a job that times: a call of naive attention takes 3e-8 s a pair of tokens."""
    calls = sum(max(2 * recipe.budget, 1.2e-7 * length**2 * (form != "local")) for form in forms for length in lengths)
    return START + calls + 0.05 * len(forms) * len(lengths)


def memories(recipe: Recipe) -> list[Job]:
    """Peak memory of each form: a process each for long texts, so that none finds what another has left."""
    lengths = recipe.lengths[-3:]
    apart = lengths[0] >= recipe.apart_from
    groups = [((form,), (length,)) for form in HELD for length in lengths] if apart else [(HELD, lengths)]
    return [
        job(
            task_of(Memory, recipe, forms=forms, lengths=sizes),
            portable=True,
            exclusive=True,
            seconds=START + 1.5e-7 * sum(sizes) * sizes[-1] * len(forms),
        )
        for forms, sizes in groups
    ]
