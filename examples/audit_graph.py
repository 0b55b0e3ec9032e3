"""A graph network in plain PyTorch: the mean over neighbors keeps every renaming of nodes; numbering the nodes does not."""

import sys

import torch
from torch import Tensor, nn

import erlangen
from erlangen.auditing import Audit, generated


class Mean(nn.Module):
    """relu(W₁ h_v + W₂ mean of neighbors); numbered: with each node's place in the list as a further feature."""

    def __init__(self, numbered: bool = False) -> None:
        super().__init__()
        self.numbered = numbered
        self.own, self.neighbors = (nn.Linear(4 + numbered, 8) for _ in range(2))

    def forward(self, x: Tensor, edge_index: Tensor) -> Tensor:
        if self.numbered:
            x = torch.cat([x, torch.arange(len(x), dtype=x.dtype)[:, None] / len(x)], 1)
        source, target = edge_index
        degree = torch.zeros(len(x), 1, dtype=x.dtype).index_add(0, target, x.new_ones(len(target), 1)).clamp(min=1)
        mean = torch.zeros_like(x).index_add(0, target, x[source]) / degree
        return (self.own(x) + self.neighbors(mean)).relu()


def find(numbered: bool = False) -> Audit:
    torch.manual_seed(0)
    return erlangen.audit(Mean(numbered).eval(), generated("graphs", (12, 4), n=16))


if __name__ == "__main__":
    audit = find()
    print(audit)
    if len(sys.argv) > 1:
        print(audit.save(sys.argv[1]))
