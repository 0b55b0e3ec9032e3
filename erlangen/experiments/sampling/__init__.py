"""Claim T10: whether temperature and top-p change what a small GPT writes.

The source's four pairs of temperature and top-p, then a range far wider; the same prompts for all of them. "No significant
difference" is shown by a test of equivalence against a stated margin, not by a difference that four texts could not show.
The margin is 0.2 standard deviations between passages of the book itself, a small effect by Cohen's convention.
`standard` takes about 25 minutes on two cores with `--precision bfloat16`, 35 without.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from annotated_types import Ge, Le

from erlangen.records.files import Scalar
from erlangen.records.runs import Claim, Job

TITLE = "Temperature and top-p"
MEMORY_MB = 1500

Setting = tuple[float, float]  # temperature, top-p

SOURCE: tuple[Setting, ...] = ((0.65, 0.85), (0.7, 0.9), (0.75, 0.95), (1.0, 0.9))
WIDE: dict[str, tuple[Setting, Setting]] = {"temperature": ((0.3, 1.0), (1.5, 1.0)), "top-p": ((1.0, 0.5), (1.0, 1.0))}
SETTINGS: tuple[Setting, ...] = (
    *SOURCE, (0.3, 1.0), (0.5, 1.0), (1.0, 1.0), (1.25, 1.0), (1.5, 1.0), (1.0, 0.5), (1.0, 0.7),
)  # fmt: skip
OUTCOMES = {
    "distinct": "distinct two-word phrases, of all in a text",
    "repetition": "words in four-word phrases that come twice in a text",
    "verbatim": "strings of 20 characters found in the training text",
    "words": "words that are words",
    "loss": "nats per character of the text under the net that wrote it",
    "other-loss": "nats per character of the text under a net of another seed",
}


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """corpus: split into 0.77 to train, 0.03 to stop by and 0.2 for prompts.

    other_steps: of a second net with each, of another seed and trained for less long, which only reads what the first writes.
    prompts: passages of the test part, `prompt` characters each, after which every net writes `length` in every setting.
    margin: in standard deviations between the book's own passages.
    """

    corpus: Literal["grimm", "tales"] = "grimm"
    dictionary: Literal["english", "training"] = "english"
    seeds: Annotated[int, Ge(2), Le(100)] = 4
    steps: Annotated[int, Ge(10), Le(1_000_000)] = 2300
    other_steps: Annotated[int, Ge(10), Le(1_000_000)] = 800
    layers: Annotated[int, Ge(1), Le(48)] = 4
    heads: Annotated[int, Ge(1), Le(64)] = 4
    width: Annotated[int, Ge(8), Le(4096)] = 96
    block: Annotated[int, Ge(16), Le(4096)] = 128
    batch: Annotated[int, Ge(1), Le(100_000)] = 16
    lr: Annotated[float, Ge(1e-6), Le(1)] = 3e-3
    prompts: Annotated[int, Ge(8), Le(10_000)] = 200
    prompt: Annotated[int, Ge(4), Le(1000)] = 48
    length: Annotated[int, Ge(40), Le(10_000)] = 300
    margin: Annotated[float, Ge(0), Le(5)] = 0.2

    def __post_init__(self) -> None:
        if self.width % (2 * self.heads):
            raise ValueError(f"width {self.width}: an even number for each of {self.heads} heads")
        if self.corpus == "tales" and self.block < 256:
            raise ValueError(f"block {self.block}: the longest tale has 256 characters")


PRESETS = {
    "quick": Recipe(
        corpus="tales", dictionary="training", seeds=3, steps=200, other_steps=70, layers=2, heads=2, width=48, block=256,
        batch=4, prompts=24, prompt=24, length=120,
    ),
    "standard": Recipe(),
    "full": Recipe(seeds=8, steps=9600, other_steps=3200, width=128, prompts=220),
}  # fmt: skip

CLAIMS = (
    Claim(
        id="T10",
        statement="Temperature and top-p make no significant difference.",
        how="Nets stopped at their least validation loss write after the same prompts in every setting. Differences paired by "
        "net and prompt, both drawn at random; equivalence by two one-sided tests against a margin of 0.2 standard deviations "
        "between passages of held-out text; Holm over the outcomes. The source's range: all six pairs of its four settings.",
        parts={
            **{f"source/{name}": f"{text}; the source's four settings" for name, text in OUTCOMES.items()},
            **{
                f"wide/{knob}/{name}": f"{text}; {knob} {WIDE[knob][0][i]:g} against {WIDE[knob][1][i]:g}"
                for i, knob in enumerate(WIDE)
                for name, text in OUTCOMES.items()
            },
        },
    ),
)


def label(setting: Setting) -> str:
    """(0.7, 0.9) -> '0.7/0.9': temperature / top-p."""
    return f"{setting[0]:g}/{setting[1]:g}"


def fetch(recipe: Recipe) -> None:
    """Have book and word list at hand before any job starts. Raises ErlangenError where they are not to be had."""
    if recipe.dictionary == "english":
        from erlangen.measure.text_statistics import english_words

        english_words()
    if recipe.corpus == "grimm":
        from erlangen.data.grimm import grimm

        grimm()


def jobs(recipe: Recipe, precision: str = "float32", device: str = "cpu") -> list[Job]:
    """A net a job: trained, then asked in every setting, and another that reads what it writes."""
    params: dict[str, Scalar] = {
        name: getattr(recipe, name)
        for name in (
            "corpus",
            "dictionary",
            "steps",
            "other_steps",
            "layers",
            "heads",
            "width",
            "block",
            "batch",
            "lr",
            "prompts",
            "prompt",
            "length",
        )
    }
    faster = 0.62 if precision == "bfloat16" else 1.0
    tokens = (recipe.steps + recipe.other_steps) * recipe.batch * recipe.block
    training = tokens * recipe.layers * (2e-7 * recipe.width + 8e-6) * faster
    written = len(SETTINGS) * recipe.prompts * recipe.length
    return [
        Job(
            experiment="sampling",
            params=params,
            seed=seed,
            precision=precision,  # type: ignore[arg-type]
            device=device,
            seconds=training + 4e-4 * written + 3,
        )
        for seed in range(recipe.seeds)
    ]
