"""The records of an evaluated language model: frozen, plain, JSON in and out, as those of `results`. Imports no torch."""

from __future__ import annotations

from dataclasses import dataclass

from erlangen.records.provenance import Provenance

Ends = tuple[float | None, float | None]


@dataclass(frozen=True, kw_only=True)
class Score:
    """The loss of one part of a text by one evaluation, in nats a token, its 95 % interval over contiguous blocks of the text.

    floor: of tales, the entropy on the same characters; above_floor: the loss less that, paired.
    """

    part: str
    evaluation: str
    tokens: int
    nats_per_token: float
    interval: Ends
    bits_per_byte: float
    floor: float | None = None
    above_floor: float | None = None
    above_floor_interval: Ends | None = None


@dataclass(frozen=True, kw_only=True)
class Point:
    """One evaluation of the training: train_loss, with the model's dropout, of the batches since the one before; nats a token."""

    step: int
    train_loss: float
    validation_loss: float


@dataclass(frozen=True, kw_only=True)
class Continuation:
    """How a held-out passage goes on: as the model writes, and as the text does.

    *_copied: (start, stop), in characters, of the stretches of each that stand in the training text.
    """

    prompt: str
    written: str
    written_copied: tuple[tuple[int, int], ...]
    own: str
    own_copied: tuple[tuple[int, int], ...]


@dataclass(frozen=True, kw_only=True)
class Share:
    """Share, 0 ... 1, of all n-grams of the texts that stand in the training text; 95 % interval over the texts.

    texts: "written" by the model, or "own", how the passages go on. unit: "words" or "characters".
    """

    texts: str
    n: int
    unit: str
    share: float | None
    interval: Ends


@dataclass(frozen=True, kw_only=True)
class Copying:
    """How much of what a model writes stands in its training text. stretch: characters that make a copied stretch."""

    tokens: int
    temperature: float
    seed: int
    stretch: int
    shares: tuple[Share, ...]
    continuations: tuple[Continuation, ...]


@dataclass(frozen=True, kw_only=True)
class Evaluated(Provenance):
    """A checkpoint, evaluated. view: training steps in which each token of the training text is seen once, on average.

    dropout: that of the training; 0 where it is not known.
    """

    corpus: str
    scores: tuple[Score, ...]
    history: tuple[Point, ...] = ()
    step: int | None = None
    view: float | None = None
    dropout: float = 0.0
    copying: Copying | None = None
