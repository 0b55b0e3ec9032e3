"""Claim G9: torch's Transformer layer and the layer over edges, number by number."""

from __future__ import annotations

from itertools import product

import torch
from torch import Tensor, nn

from erlangen.models.graph_transformer import TransformerBlock
from erlangen.nn.graph.algebra import complete_graph
from erlangen.records.runs import Job, Measurement

WIDTH, HIDDEN, HEADS = 16, 24, (1, 2, 4)
EQUAL = 1e-12  # relative, in float64
APART = 1e-6  # further apart than rounding can explain


def layer(job: Job) -> list[Measurement]:
    """Outputs, attention and gradients, complete and causal; then the complete layer without its loops.

    For each kind: tensors compared, how many are further apart than EQUAL, and the largest relative error.
    """
    generator = torch.Generator().manual_seed(job.seed)
    sizes = [int(size) for size in str(job.params["sizes"]).split(",")]
    errors: dict[str, list[float]] = {"complete": [], "causal": []}
    without_loops, back, forward = [], 0, 0
    for n, heads, norm_first in product(sizes, HEADS, (False, True)):
        theirs = random_layer(heads, norm_first, generator)
        x, direction = (torch.randn(n, WIDTH, generator=generator, dtype=torch.float64) for _ in range(2))
        mask = nn.Transformer.generate_square_subsequent_mask(n, dtype=torch.float64)
        for kind, causal in (("complete", False), ("causal", True)):
            edges = complete_graph(n, causal=causal)
            expected = results(theirs, x, direction, mask if causal else None)
            actual = over_edges(TransformerBlock.of_torch(theirs), x, direction, edges)
            errors[kind] += [relative_error(a, b) for a, b in zip(expected, actual, strict=True)]
            if causal:
                there, again = back_edges(edges)
                forward, back = forward + there, back + again
        if n > 1:
            with torch.no_grad():
                looped = TransformerBlock.of_torch(theirs)(x, complete_graph(n, loops=False))
                without_loops.append(relative_error(theirs(x[None])[0], looped))
    return [
        *(
            measurement
            for kind, found in errors.items()
            for measurement in (
                Measurement(f"{kind}_cases", len(found), "tensors"),
                Measurement(f"{kind}_wrong", sum(not error <= EQUAL for error in found), "tensors"),
                Measurement(f"{kind}_error", max(found), "of the largest entry"),
            )
        ),
        Measurement("edges", forward, "edges between two tokens"),
        Measurement("edges_back", back, "edges between two tokens"),
        Measurement("loops_cases", len(without_loops), "layers"),
        Measurement("loops_equal", sum(not error > APART for error in without_loops), "layers"),
        Measurement("loops_error", min(without_loops), "of the largest entry"),
    ]


def random_layer(heads: int, norm_first: bool, generator: torch.Generator) -> nn.TransformerEncoderLayer:
    """A layer whose every parameter is random, also those that torch starts at 0 or 1: nothing is equal by being absent."""
    made = nn.TransformerEncoderLayer(
        WIDTH, heads, HIDDEN, dropout=0.0, norm_first=norm_first, batch_first=True, dtype=torch.float64
    )
    with torch.no_grad():
        for parameter in made.parameters():
            scale = parameter.shape[-1] ** -0.5 if parameter.ndim > 1 else 0.5
            parameter.copy_(scale * torch.randn(parameter.shape, generator=generator, dtype=torch.float64))
    return made


def results(theirs: nn.TransformerEncoderLayer, x: Tensor, direction: Tensor, mask: Tensor | None) -> list[Tensor]:
    """torch's output (N, width), its attention (heads, N, N), and the gradients of output · direction, input first."""
    x = x.clone().requires_grad_()
    out = theirs(x[None], src_mask=mask)[0]
    attention = theirs.self_attn(x[None], x[None], x[None], attn_mask=mask, average_attn_weights=False)[1][0]
    grads = torch.autograd.grad((out * direction).sum(), [x, *theirs.parameters()])
    return [out.detach(), attention.detach(), *grads]


def over_edges(ours: TransformerBlock, x: Tensor, direction: Tensor, edges: Tensor) -> list[Tensor]:
    """The same of the layer over edges, its gradients packed as torch packs its parameters."""
    x = x.clone().requires_grad_()
    out = ours(x, edges)
    weight = ours.attention(x, edges, return_attention_weights=True)[1][1]  # (E, heads)
    attention = x.new_zeros(len(x), len(x), weight.shape[1]).index_put((edges[1], edges[0]), weight.detach()).permute(2, 0, 1)
    names, parameters = zip(*ours.named_parameters(), strict=True)
    of_input, *grads = torch.autograd.grad((out * direction).sum(), [x, *parameters])
    by_name = dict(zip(names, grads, strict=True))
    packed = [
        torch.cat([by_name[f"attention.lin_{part}.{kind}"] for part in ("query", "key", "value")]) for kind in ("weight", "bias")
    ]
    others = [
        by_name[f"{part}.{kind}"] for part in ("out_proj", "linear1", "linear2", "norm1", "norm2") for kind in ("weight", "bias")
    ]
    return [out.detach(), attention, of_input, *packed, *others]


def relative_error(expected: Tensor, actual: Tensor) -> float:
    """Largest difference over the largest entry expected; infinite where the shapes differ."""
    if expected.shape != actual.shape:
        return float("inf")
    return float((actual - expected).abs().max() / expected.abs().max())


def back_edges(edges: Tensor) -> tuple[int, int]:
    """Edges between two nodes, and those of them that also lead back."""
    pairs = {(u, v) for u, v in edges.T.tolist() if u != v}
    return len(pairs), sum((v, u) in pairs for u, v in pairs)
