"""A language model: a recurrent net reads causally, and everything that comes before matters in its order."""

import sys

import torch
from torch import Tensor, nn

import erlangen
from erlangen.auditing import Audit, generated


class Recurrent(nn.Module):
    """Embedding, GRU, logits; bidirectional: it sees what comes after, as no language model may."""

    def __init__(self, bidirectional: bool = False) -> None:
        super().__init__()
        self.embed = nn.Embedding(40, 16)
        self.gru = nn.GRU(16, 24, batch_first=True, bidirectional=bidirectional)
        self.head = nn.Linear(48 if bidirectional else 24, 40)

    def forward(self, ids: Tensor) -> Tensor:
        return self.head(self.gru(self.embed(ids))[0])


def find(bidirectional: bool = False) -> Audit:
    torch.manual_seed(0)
    texts = generated("texts", (12,), n=16, vocabulary=40)
    return erlangen.audit(Recurrent(bidirectional).eval(), texts, ["causality", "token-permutation"])


if __name__ == "__main__":
    audit = find()
    print(audit)
    if len(sys.argv) > 1:
        print(audit.save(sys.argv[1]))
