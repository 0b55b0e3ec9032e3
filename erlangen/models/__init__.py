"""Architectures, one per file: a frozen config and a plain module beside it.

from erlangen.models import GPT, GPTConfig, GraphNetwork, GraphNetworkConfig
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from erlangen._lazy import attach

if TYPE_CHECKING:
    from erlangen.models.deep_graph_network import (
        DeepGraphNetwork as DeepGraphNetwork,
        DeepGraphNetworkConfig as DeepGraphNetworkConfig,
    )
    from erlangen.models.gpt import GPT as GPT, GPTConfig as GPTConfig
    from erlangen.models.gpt2 import load_gpt2 as load_gpt2
    from erlangen.models.graph_network import GraphNetwork as GraphNetwork, GraphNetworkConfig as GraphNetworkConfig
    from erlangen.models.graph_transformer import (
        BlockConfig as BlockConfig,
        GraphTransformer as GraphTransformer,
        GraphTransformerConfig as GraphTransformerConfig,
        TransformerBlock as TransformerBlock,
    )
    from erlangen.models.padded_cnn import PaddedCNN as PaddedCNN, PaddedCNNConfig as PaddedCNNConfig
    from erlangen.models.rotation_cnn import RotationCNN as RotationCNN, RotationCNNConfig as RotationCNNConfig
else:
    __getattr__, __dir__, __all__ = attach(__name__, __file__)
