"""The order of an input's axes: what the user's arrays have -> what symmetries act on, images (C, H, W) and series (C, T)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, TypeAlias

from torch import Tensor

from erlangen.auditing.calling import ModelError
from erlangen.auditing.spelling import option

Channels: TypeAlias = Literal["first", "last", "none", "time-first"]  # where an array has its axis of channels
COLORS = (1, 3, 4)  # channels of pictures: gray, RGB, RGBA
PLACES: dict[str, Channels] = {  # by layout
    "chw": "first", "ct": "first", "cdhw": "first", "hwc": "last", "tc": "last", "dhwc": "last", "tbc": "time-first",
}  # fmt: skip
WORDS = {  # by domain: layouts with the channels first, and last
    "images": ("chw", "hwc"), "series": ("ct", "tc"), "volumes": ("cdhw", "dhwc"),
}  # fmt: skip
AXES = {  # by domain: with the channels first, last, and without any
    "images": ("(C, H, W)", "(H, W, C)", "(H, W)"),
    "series": ("(C, T)", "(T, C)", "(T,)"),
    "volumes": ("(C, D, H, W)", "(D, H, W, C)", "(D, H, W)"),
}


def to_channels_first(tensors: Sequence[Tensor], domain: str, layout: str | None) -> tuple[list[Tensor], Channels]:
    """Images as (C, H, W), series as (C, T) or volumes as (C, D, H, W), and where they had their channels: without any, they get
    one.

    Raises ModelError if the place of the channels was not declared and cannot be told from the sizes.
    """
    full = AXES[domain][0].count(",") + 1
    if all(tensor.ndim == full - 1 for tensor in tensors):
        return [tensor[None] for tensor in tensors], "none"
    if any(tensor.ndim != full for tensor in tensors):
        shapes = sorted({tuple(tensor.shape) for tensor in tensors})
        first, last, none = AXES[domain]
        raise ModelError(
            f"{domain} must have shape {first}, {last} or {none} each, but these have {', '.join(map(str, shapes[:3]))}"
        )
    channels = PLACES[layout] if layout else guess_channels([tuple(tensor.shape) for tensor in tensors], domain)
    return [tensor if channels == "first" else tensor.movedim(-1, 0) for tensor in tensors], channels


def doubtful_layout(arranged: Sequence[Tensor], given: Sequence[Tensor], domain: str, layout: str | None) -> tuple[str, ...]:
    """A sentence if a declared layout gives images an unusual number of channels where the other one would not."""
    if layout is None or domain != "images" or given[0].ndim != 3 or len(arranged[0]) in COLORS:
        return ()
    other = given[0].shape[-1 if PLACES[layout] == "first" else 0]
    if other not in COLORS:
        return ()
    opposite = WORDS[domain][PLACES[layout] == "first"]
    return (f"Check the layout: {layout} gives these images {len(arranged[0])} channels, {opposite} would give {other}.",)


def guess_channels(shapes: Sequence[tuple[int, ...]], domain: str) -> Channels:
    """Where inputs of these shapes have their channels. Raises ModelError if that cannot be told, or differs between them."""
    guess_of = {"images": guess_of_image, "series": guess_of_series, "volumes": guess_of_volume}[domain]
    guesses = {guess_of(shape) for shape in shapes} - {None}
    if len(guesses) == 1 and (guess := guesses.pop()) is not None:
        return guess
    first, last = WORDS[domain]
    shown = " and ".join(str(shape) for shape in sorted(set(shapes))[:2])
    choice = f"{option('layout', first)} or {last}"
    raise ModelError(f"cannot tell which axis of {domain} of shape {shown} has the channels: give {choice}")


def guess_of_image(shape: tuple[int, ...]) -> Channels | None:
    """The end at which the size is one of `COLORS`. If both are, or none: the end that leaves a square; then a smallest first
    axis. None if that does not decide.
    """
    first, last = shape[0] in COLORS, shape[-1] in COLORS
    if first != last:
        return "first" if first else "last"
    squares = shape[1] == shape[2], shape[0] == shape[1]
    if squares[0] != squares[1]:
        return "first" if squares[0] else "last"
    return "first" if not first and shape[0] < min(shape[1:]) else None


def guess_of_series(shape: tuple[int, ...]) -> Channels | None:
    """Channels come first unless there are more of them than steps, which looks like the other order."""
    return "first" if shape[0] <= shape[1] else None


def guess_of_volume(shape: tuple[int, ...]) -> Channels | None:
    """The end at which the size is smaller than all others; None if neither is, or if it is one that a thin volume may have."""
    first, last = shape[0] < min(shape[1:]), shape[-1] < min(shape[:-1])
    return "first" if first else "last" if last and shape[-1] <= max(COLORS) else None
