"""Claim G9: in which order attention ranks the tokens, for each node that asks."""

from __future__ import annotations

import torch
from torch import Tensor

from erlangen.experiments.transformer_as_graph.tasks import Order
from erlangen.nn.graph.algebra import complete_graph
from erlangen.nn.graph.gat import GATConv
from erlangen.nn.graph.transformer_conv import TransformerConv
from erlangen.records.runs import Job, Measurement

NODES, WIDTH, HEADS, LAYERS = 12, 8, 2, 20
EQUAL = 1e-12  # weights of about 0.1, in float64, that are no further apart count as equal


@torch.no_grad()
def count_orders(task: Order, job: Job) -> list[Measurement]:
    """Random layers on a complete graph: cases in which two nodes rank two tokens in opposite order.

    A case is a pair of tokens and a pair of nodes that ask, in one head of one layer. fixed: layers without such a case.
    """
    torch.manual_seed(job.seed)
    edges = complete_graph(NODES)
    measured = []
    for name, kind in (("gat", GATConv), ("dot", TransformerConv)):
        opposite = []
        for _ in range(LAYERS):
            layer, x = kind(WIDTH, WIDTH, HEADS).double(), torch.randn(NODES, WIDTH, dtype=torch.float64)
            edge_index, weight = layer(x, edges, return_attention_weights=True)[1]
            attention = weight.new_zeros(HEADS, NODES, NODES)  # [head, who asks, token]
            attention[:, edge_index[1], edge_index[0]] = weight.T
            opposite.append(sum(opposite_orders(head) for head in attention))
        measured += [
            Measurement(f"{name}_turned", sum(opposite), "cases"),
            Measurement(f"{name}_fixed", opposite.count(0), "layers"),
        ]
    pairs = NODES * (NODES - 1) // 2
    return [*measured, Measurement("cases", LAYERS * HEADS * pairs**2, "cases"), Measurement("layers", LAYERS, "layers")]


def opposite_orders(attention: Tensor) -> int:
    """Pairs of rows × pairs of columns of attention (N, N) on which the rows disagree."""
    apart = attention[:, :, None] - attention[:, None, :]  # (N, N, N): how far each row prefers one column to another
    sign = torch.where(apart.abs() > EQUAL, apart.sign(), 0)
    both = torch.triu_indices(attention.shape[1], attention.shape[1], 1)
    preferred = sign[:, both[0], both[1]]  # (N, pairs of columns)
    up, down = (preferred > 0).sum(0), (preferred < 0).sum(0)
    return int((up * down).sum())
