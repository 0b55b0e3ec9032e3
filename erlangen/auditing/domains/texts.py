"""Texts: sequences of token ids (T,)."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from erlangen.auditing.calling import ModelError, argument_names, split_batch
from erlangen.auditing.domain import Domain
from erlangen.symmetries.causality import Causality
from erlangen.symmetries.left_padding import LeftPadding
from erlangen.symmetries.prefix_shift import PositionShift, PrefixShift
from erlangen.symmetries.text import Text
from erlangen.symmetries.token_permutation import TokenPermutation

ARGUMENTS = {"mask": "an attention mask", "positions": "position ids"}
SHOWN = 40  # tokens of a text on a page


@dataclass(frozen=True)
class Texts:
    """The adapter for language models: token ids as the first argument; mask and positions by the names that the model has.

    mask, positions: these names; None if the model has no such argument. extra: constant arguments, such as use_cache=False.
    """

    mask: str | None = None
    positions: str | None = None
    extra: tuple[tuple[str, Any], ...] = ()
    separates_inputs: ClassVar[bool] = True

    def key(self, x: Text) -> Hashable:
        return len(x), x.mask is None, x.positions is None

    def collate(self, batch: Sequence[Text]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        named = dict(self.extra)
        for field, name in (("mask", self.mask), ("positions", self.positions)):
            values = [getattr(text, field) for text in batch]
            if values[0] is not None:
                if name is None:
                    raise ModelError(f"this check passes {ARGUMENTS[field]}, but the model takes none")
                named[name] = torch.stack(values)
        return (torch.stack([text.ids for text in batch]),), named

    def split(self, y: Tensor, batch: Sequence[Any]) -> list[Tensor]:
        return split_batch(y, len(batch))

    def sites(self, y: Tensor) -> Tensor:
        return y if y.ndim == 2 else y.reshape(1, -1) if y.ndim < 2 else y.flatten(1)


def adapter(function: Callable[..., Any]) -> Texts:
    """Finds the model's names for mask and positions; Hugging Face's models are asked for no cache."""
    names = argument_names(function)
    extra = (("use_cache", False),) if "use_cache" in names and "input_ids" in names else ()
    mask = next((name for name in ("attention_mask", "mask", "padding_mask") if name in names), None)
    positions = next((name for name in ("position_ids", "positions") if name in names), None)
    return Texts(mask, positions, extra)


def recognize(given: Any) -> list[Text] | None:
    """A `Text`, or a tokenizer's `input_ids` and `attention_mask`. Padding is cut off, since it is itself under test."""
    if isinstance(given, Text):
        return [given]
    if not isinstance(given, Mapping) or "input_ids" not in given:
        return None
    ids = [torch.as_tensor(row) for row in given["input_ids"]]
    masks = given.get("attention_mask")
    size = 1 + max(int(row.max()) for row in ids)
    kept = ids if masks is None else [row[torch.as_tensor(mask) != 0] for row, mask in zip(ids, masks, strict=True)]
    return [Text(row.long(), size) for row in kept]


def read(tensors: Sequence[Tensor], vocabulary: int | None) -> list[Text]:
    """By default, the vocabulary ends at the largest token."""
    if any(tensor.ndim != 1 or tensor.is_floating_point() for tensor in tensors):
        raise ModelError("texts must be sequences of integers, (T,) each")
    size = vocabulary or 1 + max(int(tensor.max()) for tensor in tensors if tensor.numel())
    return [Text(tensor.long(), size) for tensor in tensors]


def generate(shape: Sequence[int], vocabulary: int, rng: np.random.Generator) -> Text:
    """Uniformly random tokens."""
    return Text(torch.from_numpy(rng.integers(vocabulary, size=shape[0])), vocabulary)


def pictures(x: Text, moved: Text) -> tuple[str, ...]:
    """The first tokens of both."""
    return tuple(" ".join(map(str, text.ids[:SHOWN].tolist())) + (" …" if len(text) > SHOWN else "") for text in (x, moved))


DOMAIN = Domain(
    name="texts",
    axes=("T",),
    symmetries=(Causality(), TokenPermutation(), PrefixShift(), PositionShift(), LeftPadding()),
    recognize=recognize,
    read=read,
    generate=generate,
    adapter=adapter,
    describe=lambda x: f"{len(x)} tokens",
    pictures=pictures,
    site="position",
)
