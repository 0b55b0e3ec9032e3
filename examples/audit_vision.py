"""A vision model: which symmetries does an untrained residual network of zero-padded convolutions have?"""

import sys

import torch
from torch import Tensor, nn

import erlangen
from erlangen.auditing import Audit, generated


class Residual(nn.Module):
    """x + conv(relu(conv(x))), then the mean over pixels, then classes."""

    def __init__(self, padding_mode: str = "zeros") -> None:
        super().__init__()
        self.stem, self.first, self.second = (
            nn.Conv2d(width, 16, 3, padding=1, padding_mode=padding_mode) for width in (3, 16, 16)
        )
        self.head = nn.Linear(16, 10)

    def forward(self, x: Tensor) -> Tensor:
        y = self.stem(x).relu()
        y = y + self.second(self.first(y).relu())
        return self.head(y.mean((-2, -1)))


def find(padding_mode: str = "zeros") -> Audit:
    torch.manual_seed(0)
    return erlangen.audit(Residual(padding_mode).eval(), torch.stack(generated("images", (3, 24, 24), n=24)), threshold=0.1)


if __name__ == "__main__":
    audit = find()
    print(audit)
    if len(sys.argv) > 1:
        print(audit.save(sys.argv[1]))
