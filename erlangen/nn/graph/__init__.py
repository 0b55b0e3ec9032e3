"""Graph layers: algebra, sparse products, aggregators, convolutions and attention, on `edge_index` (2, E): sources, targets.

from erlangen.nn.graph import GATConv, GCNConv, aggregate, laplacian
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from erlangen._lazy import attach

if TYPE_CHECKING:
    from erlangen.nn.graph.aggregate import Aggregation as Aggregation, aggregate as aggregate
    from erlangen.nn.graph.aggregators import (
        AttentionalAggregation as AttentionalAggregation,
        MaxAggregation as MaxAggregation,
        MeanAggregation as MeanAggregation,
        MedianAggregation as MedianAggregation,
        MinAggregation as MinAggregation,
        MulAggregation as MulAggregation,
        PowerMeanAggregation as PowerMeanAggregation,
        QuantileAggregation as QuantileAggregation,
        SoftmaxAggregation as SoftmaxAggregation,
        StdAggregation as StdAggregation,
        SumAggregation as SumAggregation,
        VarAggregation as VarAggregation,
    )
    from erlangen.nn.graph.algebra import (
        add_self_loops as add_self_loops,
        adjacency as adjacency,
        complete_graph as complete_graph,
        in_degree as in_degree,
        is_symmetric as is_symmetric,
        isolated_nodes as isolated_nodes,
        laplacian as laplacian,
        multi_edges as multi_edges,
        self_loops as self_loops,
        walk_counts as walk_counts,
    )
    from erlangen.nn.graph.convolution import GraphConvolution as GraphConvolution
    from erlangen.nn.graph.csr import CSR as CSR, neighbor_sum as neighbor_sum
    from erlangen.nn.graph.edge_operations import edge_softmax as edge_softmax
    from erlangen.nn.graph.encodings import (
        laplacian_eigenvectors as laplacian_eigenvectors,
        return_probabilities as return_probabilities,
    )
    from erlangen.nn.graph.features import SparseRows as SparseRows
    from erlangen.nn.graph.gat import GATConv as GATConv
    from erlangen.nn.graph.gatv2 import GATv2Conv as GATv2Conv
    from erlangen.nn.graph.gcn import GCNConv as GCNConv, gcn_weights as gcn_weights
    from erlangen.nn.graph.graph_conv import GraphConv as GraphConv
    from erlangen.nn.graph.message_passing import MessagePassing as MessagePassing
    from erlangen.nn.graph.multi_aggregation import (
        DegreeScalerAggregation as DegreeScalerAggregation,
        MultiAggregation as MultiAggregation,
    )
    from erlangen.nn.graph.sage import SAGEConv as SAGEConv
    from erlangen.nn.graph.softmax import softmax as softmax
    from erlangen.nn.graph.transformer_conv import TransformerConv as TransformerConv
else:
    __getattr__, __dir__, __all__ = attach(__name__, __file__)
