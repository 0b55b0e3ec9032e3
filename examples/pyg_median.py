"""PyTorch Geometric's aggr='median' works or raises, depending on how the nodes are numbered.

It raises if node 0 receives no message, and which node has number 0 is arbitrary.

    python examples/pyg_median.py [PAGE.html]
"""

import sys
import tempfile
from pathlib import Path

import torch
from torch import Tensor, nn
from torch_geometric.nn import SAGEConv

import erlangen
from erlangen.auditing.audit import Audit
from erlangen.auditing.inputs import generated
from erlangen.symmetries.graph import Graph


class Median(nn.Module):
    """A single convolution with the median."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = SAGEConv(4, 5, aggr="median")

    def forward(self, x: Tensor, edge_index: Tensor) -> Tensor:
        return self.layer(x, edge_index)


def without_incoming(graph: Graph) -> Graph:
    """The graph without the incoming edges of its last node."""
    kept = graph.edge_index[1] != len(graph) - 1
    return graph.with_edges(kept.nonzero()[:, 0])


def find() -> Audit:
    """Audit ten graphs of six nodes. In a sixth of the relabelings, the node without incoming edges becomes node 0."""
    torch.manual_seed(0)
    graphs = [without_incoming(graph) for graph in generated("graphs", (6, 4), n=10)]
    return erlangen.audit(Median().eval(), graphs, ["node-permutation", "edge-order"])


if __name__ == "__main__":
    audit = find()
    print(audit)
    print(audit.save(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(tempfile.mkdtemp()) / "median.html"))
