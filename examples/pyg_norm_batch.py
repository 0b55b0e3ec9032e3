"""PyTorch Geometric's norms without the `batch` vector mix the graphs of a batch: what is said of one depends on the others.

python examples/pyg_norm_batch.py [PAGE.html]
"""

import sys
import tempfile
from pathlib import Path

import torch
from torch import Tensor, nn
from torch_geometric.nn import GraphNorm, SAGEConv

import erlangen
from erlangen.auditing.audit import Audit
from erlangen.auditing.inputs import generated


class Normed(nn.Module):
    """A convolution and a norm over the nodes: of each graph, where it is told which node belongs to which."""

    def __init__(self) -> None:
        super().__init__()
        self.layer, self.norm = SAGEConv(4, 5), GraphNorm(5)

    def forward(self, x: Tensor, edge_index: Tensor) -> Tensor:
        return self.norm(self.layer(x, edge_index))


class Told(Normed):
    """The same, and it passes `batch` on."""

    def forward(self, x: Tensor, edge_index: Tensor, batch: Tensor) -> Tensor:  # type: ignore[override]
        return self.norm(self.layer(x, edge_index), batch)


def find(told: bool = False) -> Audit:
    """Ten small graphs, their nodes' outputs."""
    torch.manual_seed(0)
    return erlangen.audit((Told() if told else Normed()).eval(), generated("graphs", (12, 4), n=10), ["batch-composition"])


if __name__ == "__main__":
    audit = find()
    print(audit)
    print(find(told=True))
    print(audit.save(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(tempfile.mkdtemp()) / "norm.html"))
