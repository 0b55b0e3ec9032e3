"""Keys and values of the tokens that a decoder has read, kept in a ring: the newest `size` of them, the oldest overwritten.

Up to `size` tokens, reading with the cache gives what reading all tokens at once gives. Beyond, each layer attends to the
`size` newest tokens of its own input, so that a stack of L layers still hears, faintly, of tokens up to L · size back: it
slides, and is not the same as cropping the text to its last `size` tokens and reading it anew. Positions that slide are those
that tell distances alone: rotary, ALiBi, none.
"""

from __future__ import annotations

import torch
from torch import Tensor


class KeyValueCache:
    """keys, values: (layers, B, heads, size, head_dim). `length`: tokens read so far, also those that the ring has let go."""

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
        """How many tokens the ring holds."""
        return self.keys.shape[3]

    def extend(self, layer: int, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        """Write keys and values (B, heads, T, head_dim) of the next T tokens; return those of all that are held, in slots' order.

        `length` moves only when every layer has been written: by `advance`. Raises ValueError where T tokens would overwrite
        ones that the first of them still attends to: past `size`, read one at a time.
        """
        t = keys.shape[2]
        start, held = self.length % self.size, min(self.length + t, self.size)
        if t > 1 and self.length + t > self.size:
            raise ValueError(f"a ring of {self.size} that has read {self.length} tokens cannot take {t} at once: one at a time")
        self.keys[layer, :, :, start : start + t] = keys
        self.values[layer, :, :, start : start + t] = values
        return self.keys[layer, :, :, :held], self.values[layer, :, :, :held]

    def positions(self, new: int) -> Tensor:
        """The position of the token in each slot that `extend` with `new` tokens returns, (held,)."""
        total = self.length + new
        slots = torch.arange(min(total, self.size), device=self.keys.device)
        return slots + (total - 1 - slots) // self.size * self.size

    def advance(self, tokens: int) -> None:
        """All layers have read `tokens` more."""
        self.length += tokens

    def reset(self) -> None:
        """Forget everything; keep the memory."""
        self.length = 0
