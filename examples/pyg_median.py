"""PyTorch Geometric's aggr='median' works or raises, as the nodes happen to be numbered.

It raises where node 0 receives no message. Whether the one node without incoming edges is number 0 is a matter of naming.

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
    """One convolution."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = SAGEConv(4, 5, aggr="median")

    def forward(self, x: Tensor, edge_index: Tensor) -> Tensor:
        return self.layer(x, edge_index)


def unheard(graph: Graph) -> Graph:
    """The same graph, its last node no longer receiving anything."""
    heard = graph.edge_index[1] != len(graph) - 1
    return graph.with_edges(heard.nonzero()[:, 0])


def find() -> Audit:
    """Ten graphs of six nodes: a sixth of the relabelings makes node 0 of the node that hears nothing."""
    torch.manual_seed(0)
    graphs = [unheard(graph) for graph in generated("graphs", (6, 4), n=10)]
    return erlangen.audit(Median().eval(), graphs, ["node-permutation", "edge-order"])


if __name__ == "__main__":
    audit = find()
    print(audit)
    print(audit.save(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(tempfile.mkdtemp()) / "median.html"))
