"""The layers as subclasses of PyG's `MessagePassing`, for PyG's tools that ask for it: `to_hetero`, explainers, its model zoo.

    from erlangen.nn.graph.pyg import GATConv, SAGEConv            # in place of: from torch_geometric.nn import ...

They compute what the layers in `erlangen.nn.graph` compute. Needs torch_geometric (`pip install torch_geometric`).
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch_geometric.nn import MessagePassing

from erlangen.nn import graph as ours


class Explained(MessagePassing):  # type: ignore[misc]  # PyG has no types
    """What PyG's tools read from and write to a layer; nothing of how PyG computes.

    An explainer sets `explain`, `_edge_mask` (E,), `_loop_mask` (E,) and `_apply_sigmoid`; messages are then multiplied by the
    mask, and those of added self-loops by 1.
    """

    explain: bool | None = None

    def __init__(self) -> None:
        nn.Module.__init__(self)
        self.node_dim = -2
        self._edge_mask: Tensor | None = None
        self._loop_mask: Tensor | None = None
        self._apply_sigmoid = True

    def __setstate__(self, state: dict[str, Any]) -> None:
        nn.Module.__setstate__(self, state)  # type: ignore[no-untyped-call]

    def message_factors(self, edge_index: Tensor) -> Tensor | None:
        """The mask of the explanation for the edges (2, E'), (E',): the given ones first, then added self-loops."""
        mask = self._edge_mask
        if not self.explain or mask is None:
            return None
        mask = mask.sigmoid() if self._apply_sigmoid else mask
        if getattr(self, "replace_self_loops", False) and self._loop_mask is not None:
            mask = mask[self._loop_mask]
        return torch.cat([mask, mask.new_ones(edge_index.shape[1] - len(mask))])


class GCNConv(ours.GCNConv, Explained):
    """`erlangen.nn.graph.GCNConv` for PyG's tools."""


class SAGEConv(ours.SAGEConv, Explained):
    """`erlangen.nn.graph.SAGEConv` for PyG's tools."""


class GraphConv(ours.GraphConv, Explained):
    """`erlangen.nn.graph.GraphConv` for PyG's tools."""


class GATConv(ours.GATConv, Explained):
    """`erlangen.nn.graph.GATConv` for PyG's tools."""


class GATv2Conv(ours.GATv2Conv, Explained):
    """`erlangen.nn.graph.GATv2Conv` for PyG's tools."""


class TransformerConv(ours.TransformerConv, Explained):
    """`erlangen.nn.graph.TransformerConv` for PyG's tools."""
