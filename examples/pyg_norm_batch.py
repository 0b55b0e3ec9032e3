"""PyTorch Geometric's norms without the `batch` vector mix the graphs of a batch: the output for one depends on the others.

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
    """A convolution and a norm over the nodes of the whole batch."""

    def __init__(self) -> None:
        super().__init__()
        self.layer, self.norm = SAGEConv(4, 5), GraphNorm(5)

    def forward(self, x: Tensor, edge_index: Tensor) -> Tensor:
        return self.norm(self.layer(x, edge_index))


class NormedPerGraph(Normed):
    """The same with `batch`, so that the norm is over the nodes of each graph."""

    def forward(self, x: Tensor, edge_index: Tensor, batch: Tensor) -> Tensor:  # type: ignore[override]
        return self.norm(self.layer(x, edge_index), batch)


def find(per_graph: bool = False) -> Audit:
    """Audit the node outputs for ten small graphs."""
    torch.manual_seed(0)
    model = NormedPerGraph() if per_graph else Normed()
    return erlangen.audit(model.eval(), generated("graphs", (12, 4), n=10), ["batch-composition"])


if __name__ == "__main__":
    audit = find()
    print(audit)
    print(find(per_graph=True))
    print(audit.save(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(tempfile.mkdtemp()) / "norm.html"))
