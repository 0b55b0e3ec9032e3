"""Keys and values of the tokens that a decoder has read, kept in a ring: new tokens overwrite the oldest of `size` tokens.

Up to `size` tokens, reading with the cache gives the same result as reading all tokens at once. Beyond, each layer attends to the
newest `size` tokens of its input, so that a stack of L layers still has some information from tokens up to L · size back. Such a
sliding cache differs from reading only the last `size` tokens of the text again. Positions can slide if they encode only
distances: rotary, ALiBi, none.
"""

from __future__ import annotations

import torch
from torch import Tensor


class KeyValueCache:
    """A ring of keys and values (layers, B, heads, size, head_dim). length: tokens read so far, including overwritten ones."""

    def __init__(
        self,
        layers: int,
        batch: int,
        heads: int,
        size: int,
        head_dim: int,
        dtype: torch.dtype,
        device: torch.device | str = "cpu",
    ) -> None:
        self.keys = torch.zeros(layers, batch, heads, size, head_dim, dtype=dtype, device=device)
        self.values = torch.zeros_like(self.keys)
        self.length = 0

    @property
    def size(self) -> int:
        """The number of tokens that the ring can hold."""
        return self.keys.shape[3]

    def extend(self, layer: int, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        """Write keys and values (B, heads, T, head_dim) of the next T tokens; return those of all cached tokens, by slot.

        `length` does not change until all layers are written and `advance` is called. Raises ValueError for another batch, and if
        the T tokens would overwrite tokens that the first of them still attends to: past `size`, tokens must be read one at a
        time.
        """
        t = keys.shape[2]
        if len(keys) != self.keys.shape[1]:
            raise ValueError(f"a cache for {self.keys.shape[1]} texts cannot take tokens of {len(keys)}: make another")
        start, held = self.length % self.size, min(self.length + t, self.size)
        if t > 1 and self.length + t > self.size:
            raise ValueError(
                f"a ring of {self.size} that has read {self.length} tokens cannot take {t} at once: read them one at a time"
            )
        self.keys[layer, :, :, start : start + t] = keys
        self.values[layer, :, :, start : start + t] = values
        return self.keys[layer, :, :, :held], self.values[layer, :, :, :held]

    def positions(self, new: int) -> Tensor:
        """The position of the token in each slot that `extend` with `new` tokens returns, (held,)."""
        total = self.length + new
        slots = torch.arange(min(total, self.size), device=self.keys.device)
        return slots + (total - 1 - slots) // self.size * self.size

    def advance(self, tokens: int) -> None:
        """Count `tokens` more tokens, after all layers have written them."""
        self.length += tokens

    def reset(self) -> None:
        """Forget all tokens, but keep the memory."""
        self.length = 0


class StaticCache:
    """A ring like `KeyValueCache` for a captured step: no shape and no address ever changes, and the position is on the device.

    memory: (layers, 2, B, heads, size, head_dim), keys and then values. position: (1,) int64 on the device, the tokens read so
    far; `length` is the same number on the host, so that nobody has to wait for the device to know it.
    """

    def __init__(
        self,
        layers: int,
        batch: int,
        heads: int,
        size: int,
        head_dim: int,
        dtype: torch.dtype,
        device: torch.device | str = "cpu",
    ) -> None:
        self.memory = torch.zeros(layers, 2, batch, heads, size, head_dim, dtype=dtype, device=device)
        self.position = torch.zeros(1, dtype=torch.int64, device=device)
        self.slots = torch.arange(size, device=device)
        self.length = 0

    @property
    def size(self) -> int:
        """The number of tokens that the ring can hold."""
        return self.memory.shape[4]

    def begin(self, tokens: int) -> None:
        """Forget what was read; `fill` then writes the first `tokens` tokens of a new text, at most `size`."""
        self.length = tokens
        self.position.fill_(tokens)

    def reset(self) -> None:
        """Forget all tokens, but keep the memory."""
        self.begin(0)

    def fill(self, layer: int, keys: Tensor, values: Tensor) -> None:
        """Write keys and values (B, heads, T, head_dim) of the first T tokens of a text."""
        self.memory[layer, 0, :, :, : keys.shape[2]] = keys
        self.memory[layer, 1, :, :, : keys.shape[2]] = values

    def slot(self) -> Tensor:
        """The slot of the next token, (1,) int64."""
        return self.position.remainder(self.size)

    def extend(self, layer: int, pair: Tensor, slot: Tensor, read: int) -> tuple[Tensor, Tensor]:
        """Write keys and values (2, B, heads, 1, head_dim) of the next token; return the first `read` slots of each.

        Some of these may be empty: see `distance`.
        """
        self.memory[layer].index_copy_(3, slot, pair)
        keys, values = self.memory[layer, :, :, :, :read].unbind(0)
        return keys, values

    def distance(self, read: int) -> tuple[Tensor, Tensor]:
        """How far back the token in each of the first `read` slots is, (read,) int64, and whether the slot is still empty.

        The next token is at distance 0, as after `extend`.
        """
        distance = (self.position - self.slots[:read]).remainder(self.size)
        return distance, distance > self.position

    def advance(self) -> None:
        """Count the next token on the device, after all layers have written it; the caller counts `length`."""
        self.position.add_(1)
