"""Inputs that are plain tensors: images, points and series."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from erlangen.auditing.calling import ModelError, split_batch
from erlangen.auditing.domain import Domain
from erlangen.auditing.layout import Channels
from erlangen.symmetries.symmetry import Symmetry


@dataclass(frozen=True)
class Arrays:
    """The adapter for models that are called with one stacked tensor: f(x) with x (B, ...).

    channels_first: an output (C, T) has one site per column; otherwise, an output (N, D) has one site per row.
    channels: where the model takes its axis of channels, and returns it: x is (C, ...) here, and the model is called with
    (B, C, ...), (B, ..., C) or, for a single channel, (B, ...). `time-first`: series go in and come out as (T, B, C).
    """

    channels_first: bool = False
    channels: Channels = "first"
    separates_inputs: ClassVar[bool] = True

    def key(self, x: Tensor) -> Hashable:
        return tuple(x.shape), x.dtype

    def collate(self, batch: Sequence[Tensor]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        x = torch.stack(list(batch))  # (B, C, ...)
        if self.channels == "none":
            return (x[:, 0],), {}
        if self.channels == "time-first":
            return (x.permute(2, 0, 1).contiguous(),), {}
        return (x.movedim(1, -1).contiguous() if self.channels == "last" else x,), {}

    def split(self, y: Tensor, batch: Sequence[Any]) -> list[Tensor]:
        if self.channels == "time-first" and y.ndim == 3 and y.shape[1] == len(batch):
            return list(y.permute(1, 2, 0).unbind())
        rows = split_batch(y, len(batch))
        if self.channels == "last" and rows[0].ndim == batch[0].ndim:
            return [row.movedim(-1, 0) for row in rows]
        if self.channels == "none" and rows[0].shape == batch[0].shape[1:]:
            return [row[None] for row in rows]
        return rows

    def sites(self, y: Tensor) -> Tensor:
        if y.ndim >= 3 or (y.ndim == 2 and self.channels_first):  # (C, ...) -> (sites, C)
            return y.flatten(1).T
        return y if y.ndim == 2 else y.reshape(1, -1)


def array_domain(name: str, axes: tuple[str, ...], symmetries: tuple[Symmetry, ...], channels_first: bool = False) -> Domain:
    """A domain of plain tensors; integers become float32, and made-up inputs are standard normal."""

    def read(tensors: Sequence[Tensor], vocabulary: int | None) -> list[Tensor]:
        for tensor in tensors:
            if tensor.ndim != len(axes):
                raise ModelError(f"{name} must have shape ({', '.join(axes)}) each, but one has shape {tuple(tensor.shape)}")
        return [to_float(tensor) for tensor in tensors]

    return Domain(
        name=name,
        axes=axes,
        symmetries=symmetries,
        read=read,
        generate=lambda shape, vocabulary, rng: torch.from_numpy(rng.standard_normal(tuple(shape))).float(),
        adapter=array_adapter("first", channels_first),
        describe=lambda x: " × ".join(map(str, x.shape)),
    )


def array_adapter(channels: Channels, channels_first: bool) -> Callable[[Callable[..., Any]], Arrays]:
    """What makes the adapter of a model that takes its channels in this place."""
    return lambda function: Arrays(channels_first, channels)


def to_float(tensor: Tensor) -> Tensor:
    """Numbers of any kind as floating-point numbers, or complex ones; integers keep their values."""
    return tensor if tensor.is_floating_point() or tensor.is_complex() else tensor.float()
