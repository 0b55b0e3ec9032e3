"""A pytest plugin: PyG's own tests then import our layers under PyG's names.

python -m pytest -p peers.swap_pyg .../pytorch_geometric/test/nn/conv/test_gcn_conv.py
"""

from __future__ import annotations

import torch_geometric.nn
import torch_geometric.nn.aggr
import torch_geometric.utils

import erlangen.nn.graph as ours

LAYERS = ("GCNConv", "GATConv", "GATv2Conv", "TransformerConv", "SAGEConv", "GraphConv")
AGGREGATORS = (
    "SumAggregation", "MeanAggregation", "MaxAggregation", "MinAggregation", "MulAggregation", "VarAggregation", "StdAggregation",
    "SoftmaxAggregation", "PowerMeanAggregation", "MedianAggregation", "QuantileAggregation", "AttentionalAggregation",
    "MultiAggregation", "DegreeScalerAggregation",
)  # fmt: skip


def pytest_configure() -> None:
    """Put ours in the place of PyG's, before any test file is imported."""
    for name in LAYERS + AGGREGATORS:
        if hasattr(ours, name):
            setattr(torch_geometric.nn, name, getattr(ours, name))
            if name in AGGREGATORS:
                setattr(torch_geometric.nn.aggr, name, getattr(ours, name))
    torch_geometric.utils.softmax = ours.softmax
