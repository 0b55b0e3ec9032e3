"""The library models of the atlas: small models of each domain with random weights, as name -> function that builds the model."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

Builders = dict[str, Callable[[], nn.Module]]
SIDE, LENGTH, VOCABULARY, FEATURES = 64, 16, 100, 8  # pixels of an image; tokens of a text; tokens in all; features of a node


def vision() -> Builders:
    """Models of timm without the classifier, whose initial zeros would hide the features."""
    import timm
    from timm.layers import BlurPool2d

    plain = (
        "resnet18", "convnext_atto", "efficientnet_b0", "mobilenetv3_small_050", "regnety_002", "densenet121", "ghostnet_100",
        "poolformer_s12", "mobilevit_xxs", "mambaout_femto",
    )  # fmt: skip
    sized = (
        "vit_tiny_patch16_224", "deit_tiny_distilled_patch16_224", "swin_tiny_patch4_window7_224", "mixer_s16_224",
        "resmlp_12_224", "xcit_nano_12_p16_224", "pit_ti_224", "cait_xxs24_224",
    )  # fmt: skip
    make = partial(timm.create_model, num_classes=0)
    builders: Builders = {name: partial(make, name) for name in plain}
    builders["resnet18, blurred strides"] = partial(make, "resnet18", aa_layer=BlurPool2d)
    builders["vgg11_bn, narrow head"] = partial(make, "vgg11_bn", mlp_ratio=1 / 16)
    return builders | {name: partial(make, name, img_size=SIDE) for name in sized}


SHAPE = {"vocab_size": VOCABULARY, "hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 128}
MAMBA2 = {"num_heads": 8, "head_dim": 16, "state_size": 8, "n_groups": 2, "chunk_size": 8}
TEXTS: dict[str, tuple[str, dict[str, Any]]] = {  # name -> class, and settings of its config in addition to SHAPE
    "GPT-2": ("GPT2LMHeadModel", {}),
    "OPT": ("OPTForCausalLM", {"ffn_dim": 128, "word_embed_proj_dim": 64}),
    "GPT-NeoX": ("GPTNeoXForCausalLM", {}),
    "BLOOM": ("BloomForCausalLM", {}),
    "MPT": ("MptForCausalLM", {}),
    "Falcon": ("FalconForCausalLM", {"ffn_hidden_size": 128}),
    "Phi": ("PhiForCausalLM", {}),
    "Llama": ("LlamaForCausalLM", {}),
    "Mistral": ("MistralForCausalLM", {"num_key_value_heads": 2, "sliding_window": 8}),
    "Mixtral": ("MixtralForCausalLM", {"num_key_value_heads": 2, "num_local_experts": 4}),
    "Qwen2": ("Qwen2ForCausalLM", {"num_key_value_heads": 2}),
    "Gemma 2": ("Gemma2ForCausalLM", {"num_key_value_heads": 2, "head_dim": 16}),
    "Mamba": ("MambaForCausalLM", {"state_size": 8}),
    "Mamba 2": ("Mamba2ForCausalLM", MAMBA2),
    "RWKV": ("RwkvForCausalLM", {"attention_hidden_size": 64}),
    "BERT": ("BertModel", {}),
    "RoBERTa": ("RobertaModel", {}),
    "ALBERT": ("AlbertModel", {"embedding_size": 64}),
    "XLNet": ("XLNetModel", {"d_head": 16, "d_inner": 128}),
    "DeBERTa v2": ("DebertaV2Model", {"relative_attention": True, "pos_att_type": ["p2c", "c2p"], "position_buckets": 8}),
    "FNet": ("FNetModel", {}),
    "Longformer": ("LongformerModel", {"attention_window": [4, 4]}),
    "Nyströmformer": ("NystromformerModel", {"segment_means_seq_len": LENGTH, "num_landmarks": 4, "conv_kernel_size": 3}),
}


def language() -> Builders:
    """Models of Hugging Face with two layers of width 64, whose initial weights are scaled as strongly as those of width 768."""
    import transformers

    def build(name: str, more: dict[str, Any]) -> nn.Module:
        kind = getattr(transformers, name)
        config = {**SHAPE, "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2, "initializer_range": 0.02 * (768 / 64) ** 0.5}
        return kind(kind.config_class(**config, **more))

    return {name: partial(build, *entry) for name, entry in TEXTS.items()}


class Net(nn.Module):
    """Two convolutions with an optional norm after the first, and an optional pooling for one output per graph."""

    def __init__(
        self, conv: Callable[[int, int], nn.Module], norm: nn.Module | None = None, pool: nn.Module | None = None
    ) -> None:
        super().__init__()
        self.convs = nn.ModuleList([conv(FEATURES, 16), conv(16, 16)])
        self.norm, self.pool = norm, pool

    def rows(self, x: Tensor, edge_index: Tensor, batch: Tensor | None) -> Tensor:
        x = self.convs[0](x, edge_index)
        if self.norm is not None:
            x = self.norm(x) if batch is None else self.norm(x, batch)
        return self.convs[1](x.relu(), edge_index)  # (N, 16)


class Plain(Net):
    """A net whose norm does not know where a graph ends."""

    def forward(self, x: Tensor, edge_index: Tensor) -> Tensor:
        return self.rows(x, edge_index, None)


class Batched(Net):
    """A net whose norm and pooling get the graph of each node."""

    def forward(self, x: Tensor, edge_index: Tensor, batch: Tensor) -> Tensor:
        rows = self.rows(x, edge_index, batch)
        return rows if self.pool is None else self.pool(rows, batch)


def graph() -> Builders:
    """Layers of PyTorch Geometric in nets of two convolutions of width 16."""
    from torch_geometric import nn as pyg

    def mlp(width: int, out: int) -> nn.Module:
        return nn.Sequential(nn.Linear(width, out), nn.ReLU(), nn.Linear(out, out))

    pna = {
        "aggregators": ["mean", "max", "std"],
        "scalers": ["identity", "amplification"],
        "deg": torch.tensor([0, 1, 4, 8, 8, 4]),
    }
    convs: dict[str, Callable[[int, int], nn.Module]] = {
        "GCN": pyg.GCNConv,
        "GAT": pyg.GATConv,
        "GATv2": pyg.GATv2Conv,
        "SAGE, mean": pyg.SAGEConv,
        "SAGE, max": partial(pyg.SAGEConv, aggr="max"),
        "SAGE, median": partial(pyg.SAGEConv, aggr="median"),
        "SAGE, LSTM": partial(pyg.SAGEConv, aggr="lstm"),
        "GIN": lambda width, out: pyg.GINConv(mlp(width, out)),
        "Transformer": pyg.TransformerConv,
        "PNA": partial(pyg.PNAConv, **pna),
        "EdgeConv": lambda width, out: pyg.EdgeConv(mlp(2 * width, out)),
        "Cheb, K = 3": partial(pyg.ChebConv, K=3),
    }
    norms = {"GraphNorm": pyg.GraphNorm, "InstanceNorm": pyg.InstanceNorm, "LayerNorm": pyg.LayerNorm}
    pools = {
        "sum": pyg.SumAggregation(),
        "max": pyg.MaxAggregation(),
        "median": pyg.MedianAggregation(),
        "sort, k = 6": pyg.SortAggregation(6),
    }
    builders: Builders = {name: partial(Plain, conv) for name, conv in convs.items()}
    builders["GCN + PairNorm, no batch"] = lambda: Plain(pyg.GCNConv, pyg.PairNorm())
    builders["GCN + PairNorm"] = lambda: Batched(pyg.GCNConv, pyg.PairNorm())
    for name, norm in norms.items():
        builders[f"GCN + {name}, no batch"] = lambda norm=norm: Plain(pyg.GCNConv, norm(16))
        builders[f"GCN + {name}"] = lambda norm=norm: Batched(pyg.GCNConv, norm(16))
    return builders | {f"GCN, pooled by {name}": partial(Batched, pyg.GCNConv, None, pool) for name, pool in pools.items()}
