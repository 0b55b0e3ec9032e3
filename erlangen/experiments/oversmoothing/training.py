"""Training that ends at a given training loss, so that nets of all depths are compared at equal fit.

Choosing the epoch that is best on the validation nodes would stop nets of different depths at different fits: deep ones often
score best on them long before they know their training nodes.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from erlangen.data.graphs import Graph
from erlangen.train.node_classifier import features, nodes

EVERY = 5  # epochs from one look at the training loss to the next: a look costs a third of an epoch


def train_until(net: nn.Module, graph: Graph, *, lr: float, loss: float, epochs: int) -> tuple[int, bool]:
    """Train net(x, edge_index) -> logits (N, classes) with full-batch Adam until its training loss, in eval mode, is `loss`.

    Ends after `epochs` at the latest, or where the net diverged: its loss is not finite, or a layer refused features that are
    NaN. Leaves the net in eval mode. Returns the epochs run, and whether it diverged.
    """
    x, train = features(graph), nodes(graph, "train_mask")
    optimizer = torch.optim.Adam(net.parameters(), lr=lr, fused=True)

    def training_loss() -> Tensor:
        return F.cross_entropy(net(x, graph.edge_index)[train], graph.y[train])

    epoch, reached = 0, math.inf
    try:
        while epoch < epochs and reached > loss:
            epoch += 1
            net.train()
            optimizer.zero_grad()
            training_loss().backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            if epoch % EVERY == 0 or epoch == epochs:
                net.eval()
                with torch.no_grad():
                    reached = float(training_loss())
    except ValueError:  # from a graph convolution
        reached = math.nan
    net.eval()
    return epoch, not math.isfinite(reached)
