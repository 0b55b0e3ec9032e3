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

        `length` does not change until all layers are written and `advance` is called. Raises ValueError if the T tokens would
        overwrite tokens that the first of them still attends to: past `size`, tokens must be read one at a time.
        """
        t = keys.shape[2]
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
