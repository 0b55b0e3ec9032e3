"""Windows of a corpus on the device of a training, without a host that waits for the device.

The starts are drawn on the host from one generator, so a batch has the same tokens on every device. On a GPU the training part is
moved there once if it is small enough, and windows are gathered there; a longer one is gathered on the host, into pinned memory,
and copied while the device computes: the host is steps ahead, because nothing in a step waits for the device.
"""

from __future__ import annotations

import torch
from torch import Generator, Tensor

from erlangen.data.corpus import Corpus, random_starts, window_rows

RESIDENT = 2 << 30  # bytes of tokens on a GPU at most, and an eighth of its free memory


class Feed:
    """The training windows of a corpus, `block` + 1 tokens each, as rows on `device`."""

    def __init__(self, corpus: Corpus, block: int, device: torch.device) -> None:
        self.corpus, self.block, self.device = corpus, block, device
        self.resident = corpus.train.to(device) if fits(corpus.train, device) else None
        self.offsets = torch.arange(block + 1, device=device)

    def starts(self, batch: int, generator: Generator) -> Tensor:
        """The starts of the next batch, (batch,) on the host."""
        return random_starts(len(self.corpus.train), self.block, batch, generator, self.corpus.train_starts)

    def rows(self, starts: Tensor) -> Tensor:
        """The tokens from each start on, (B, block + 1) int64, on the device: inputs and, one further, targets."""
        if self.resident is not None:
            return self.resident[moved(starts, self.device)[:, None] + self.offsets].long()
        return moved(window_rows(self.corpus.train, starts, self.block), self.device)


def moved(x: Tensor, device: torch.device) -> Tensor:
    """x on the device. A copy to a GPU is queued and not waited for, which needs pinned memory."""
    return x.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else x.to(device)


def fits(tokens: Tensor, device: torch.device) -> bool:
    """Whether all tokens are to be kept on the device: only on a GPU, and only if they take a small part of its memory."""
    if device.type != "cuda":
        return False
    free, _ = torch.cuda.mem_get_info(device)
    return tokens.numel() * tokens.element_size() <= min(RESIDENT, free // 8)
