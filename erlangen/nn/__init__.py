"""Layers, one concept per file: padding, attention, positions, norms; `graph` has those of graph networks.

from erlangen.nn import PaddedConv2d, RMSNorm
from erlangen.nn.graph import GATConv
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from erlangen._lazy import attach

if TYPE_CHECKING:
    from erlangen.nn import graph as graph
    from erlangen.nn.attention import (
        AttentionConfig as AttentionConfig,
        CausalSelfAttention as CausalSelfAttention,
        fused_attention as fused_attention,
        local_attention as local_attention,
        naive_attention as naive_attention,
    )
    from erlangen.nn.cache import KeyValueCache as KeyValueCache
    from erlangen.nn.dropout import dropout as dropout
    from erlangen.nn.group_convolution import (
        GroupConv2d as GroupConv2d,
        group_pool as group_pool,
        turned_basis as turned_basis,
    )
    from erlangen.nn.norm import RMSNorm as RMSNorm
    from erlangen.nn.padded_convolution import PaddedConv2d as PaddedConv2d
    from erlangen.nn.padding import PADDINGS as PADDINGS, Padding as Padding, output_size as output_size, pad as pad
    from erlangen.nn.positions import Rotary as Rotary, alibi_bias as alibi_bias, alibi_slopes as alibi_slopes, rotate as rotate
else:
    __getattr__, __dir__, __all__ = attach(__name__, __file__)
