"""An attention layer against the sum of its heads, each computed alone: a swapped order of heads shows here.

    MultiHead(x) = Σ_h A_h X W_V,hᵀ W_O,hᵀ,   A_h = Softmax(X W_Q,hᵀ W_K,h Xᵀ / √d + causal mask)

Source: Vaswani et al., "Attention is all you need", 2017, section 3.2.2.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from erlangen.experiments.heads.tasks import Sum
from erlangen.nn.attention import AttentionConfig, CausalSelfAttention, context
from erlangen.records.runs import Job, Measurement

TOKENS = 12


@torch.no_grad()
def compare_with_sum(task: Sum, job: Job) -> list[Measurement]:
    """Largest difference over the largest entry, with each head in its place and with the values of the next one."""
    torch.manual_seed(job.seed)
    config = AttentionConfig(width=task.width, heads=task.heads, positions="none")
    layer = CausalSelfAttention(config).double()
    x = torch.randn(TOKENS, task.width, dtype=torch.float64)
    out = layer(x[None], context(config, TOKENS, x))[0]  # (TOKENS, width)
    return [
        Measurement("error", distance(out, sum_of_heads(layer, x)), "of the largest entry"),
        Measurement("error_with_heads_swapped", distance(out, sum_of_heads(layer, x, shift=1)), "of the largest entry"),
    ]


def sum_of_heads(layer: CausalSelfAttention, x: Tensor, shift: int = 0) -> Tensor:
    """Σ_h of the heads' own outputs, x (T, width) -> (T, width). shift: give head h the values of head h + shift."""
    heads, d = layer.config.heads, layer.config.head_dim
    query, key, value = layer.qkv.weight.view(3, heads, d, -1)  # (heads, d, width) each
    out = torch.zeros_like(x)
    for h in range(heads):
        scores = (x @ query[h].T) @ (x @ key[h].T).T / math.sqrt(d)  # (T, T)
        weights = scores.masked_fill(torch.ones_like(scores).triu(1).bool(), -math.inf).softmax(-1)
        out += weights @ (x @ value[(h + shift) % heads].T) @ layer.out.weight[:, h * d : (h + 1) * d].T
    return out


def distance(left: Tensor, right: Tensor) -> float:
    """Largest difference over the largest entry."""
    return float((left - right).abs().max() / left.abs().max())
