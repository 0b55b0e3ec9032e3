"""Texts: sequences of token ids (T,)."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from erlangen.auditing.calling import CannotBeAskedError, ModelError, argument_names, split_batch
from erlangen.auditing.domain import Domain
from erlangen.symmetries.causality import Causality
from erlangen.symmetries.left_padding import LeftPadding
from erlangen.symmetries.prefix_shift import PositionShift, PrefixShift
from erlangen.symmetries.text import Text
from erlangen.symmetries.token_permutation import TokenPermutation

ARGUMENTS = {"mask": "an attention mask", "positions": "position ids"}
DECODER, DECODER_MASKS = "decoder_input_ids", ("decoder_attention_mask", "decoder_mask")
SHOWN = 40  # tokens of a text on a page


@dataclass(frozen=True)
class Texts:
    """The adapter for language models: token ids as the first argument; mask and positions by the names that the model has.

    mask, positions: these names; None if the model has no such argument. extra: constant arguments, such as use_cache=False.
    Texts with `fixed` arguments belong to a decoder: its own arguments are then named `decoder_input_ids` and the like.
    """

    mask: str | None = None
    positions: str | None = None
    extra: tuple[tuple[str, Any], ...] = ()
    decoder_mask: str | None = None
    decoder_positions: str | None = None
    separates_inputs: ClassVar[bool] = True

    def key(self, x: Text) -> Hashable:
        fixed = tuple((name, tuple(part.shape), part.dtype) for name, part in x.fixed.items())
        return len(x), x.mask is None, x.positions is None, fixed

    def collate(self, batch: Sequence[Text]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        named = dict(self.extra)
        names = (self.decoder_mask, self.decoder_positions) if batch[0].fixed else (self.mask, self.positions)
        for field, name in zip(("mask", "positions"), names, strict=True):
            values = [getattr(text, field) for text in batch]
            if values[0] is not None:
                if name is None:
                    raise CannotBeAskedError(f"this check passes {ARGUMENTS[field]}, but the model takes none")
                named[name] = torch.stack(values)
        ids = torch.stack([text.ids for text in batch])
        if not batch[0].fixed:
            return (ids,), named
        named |= {name: torch.stack([text.fixed[name] for text in batch]) for name in batch[0].fixed}
        return (), {**named, DECODER: ids}

    def split(self, y: Tensor, batch: Sequence[Any]) -> list[Tensor]:
        return split_batch(y, len(batch))

    def sites(self, y: Tensor) -> Tensor:
        return y if y.ndim == 2 else y.reshape(1, -1) if y.ndim < 2 else y.flatten(1)


def adapter(function: Callable[..., Any]) -> Texts:
    """Finds the model's names for mask and positions; Hugging Face's models are asked for no cache."""
    names = argument_names(function)
    extra = (("use_cache", False),) if "use_cache" in names and {"input_ids", DECODER} & set(names) else ()
    mask = next((name for name in ("attention_mask", "mask", "padding_mask") if name in names), None)
    positions = next((name for name in ("position_ids", "positions") if name in names), None)
    decoder_mask = next((name for name in DECODER_MASKS if name in names), None)
    decoder_positions = "decoder_position_ids" if "decoder_position_ids" in names else None
    return Texts(mask, positions, extra, decoder_mask, decoder_positions)


def recognize(given: Any) -> list[Text] | None:
    """A `Text`, or a tokenizer's `input_ids` and `attention_mask`. Padding is cut off, since it is itself under test.

    With `decoder_input_ids`, these are the texts, and everything else, the encoder's input, is passed along unchanged.
    """
    if isinstance(given, Text):
        return [given]
    if not isinstance(given, Mapping):
        return None
    if DECODER in given:
        return decoder_texts(given)
    if "input_ids" not in given:
        return None
    ids = [torch.as_tensor(row) for row in given["input_ids"]]
    masks = given.get("attention_mask")
    size = 1 + max(int(row.max()) for row in ids)
    kept = ids if masks is None else [row[torch.as_tensor(mask) != 0] for row, mask in zip(ids, masks, strict=True)]
    return [Text(row.long(), size) for row in kept]


def decoder_texts(given: Mapping[str, Any]) -> list[Text]:
    """The decoder's texts, each with its row of all other arguments, such as `input_ids` (B, S) or `input_features` (B, F, S)."""
    ids = torch.as_tensor(given[DECODER]).long()
    fixed = {name: torch.as_tensor(rows) for name, rows in given.items() if name not in (DECODER, *DECODER_MASKS)}
    uneven = [name for name, rows in fixed.items() if rows.ndim == 0 or len(rows) != len(ids)]
    if uneven:
        raise ModelError(f"{uneven[0]} must have a row for each of the {len(ids)} rows of {DECODER}")
    masks = next((torch.as_tensor(given[name]) for name in DECODER_MASKS if name in given), torch.ones_like(ids))
    size = 1 + int(ids.max())
    return [
        Text(row[mask != 0], size, fixed={name: rows[i] for name, rows in fixed.items()})
        for i, (row, mask) in enumerate(zip(ids, masks, strict=True))
    ]


def special_tokens(model: object) -> tuple[int | None, int | None]:
    """The ids of the padding token and of the end token in the config of a Hugging Face model; None where it has none."""
    config = getattr(model, "config", None)
    return token_id(getattr(config, "pad_token_id", None)), token_id(getattr(config, "eos_token_id", None))


def token_id(value: object) -> int | None:
    """A token's id, or the first of several; None for anything else."""
    if isinstance(value, (list, tuple)) and value:
        value = value[0]
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def with_special(items: Sequence[Text], padding: int | None, end: int | None) -> list[Text]:
    """Texts that know these tokens. None changes nothing, and a text that has tokens of its own keeps them."""
    return [
        replace(
            text,
            padding=text.padding if padding is None or text.padding else padding,
            end=end if text.end is None else text.end,
        )
        for text in items
    ]


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
