"""Claim G9: torch's Transformer layer and the layer over edges, number by number."""

from __future__ import annotations

from itertools import product

import torch
from torch import Tensor, nn

from erlangen.experiments.transformer_as_graph.tasks import Layer
from erlangen.models.graph_transformer import TransformerBlock
from erlangen.nn.graph.algebra import complete_graph
from erlangen.records.runs import Job, Measurement

KINDS = ("complete", "causal", "crossed", "loops")
WIDTH, HIDDEN, HEADS = 16, 24, (1, 2, 4)
EQUAL = 1e-12  # relative, in float64
APART = 1e-6  # further apart than rounding can explain


def compare_layers(task: Layer, job: Job) -> list[Measurement]:
    """Outputs, attention and gradients, complete and causal; then the complete layer without its self-loops.

    For each kind: tensors compared, how many differ by more than EQUAL, and the largest relative error. crossed: torch's complete
    layer against the causal graph, a positive control: how many tensors differ by more than APART.
    """
    generator = torch.Generator().manual_seed(job.seed)
    layers = list(product(task.sizes, HEADS, (False, True)))
    compared = [compare(n, random_layer(heads, norm_first, generator), generator) for n, heads, norm_first in layers]
    errors = {kind: [error for each in compared for error in each.get(kind, [])] for kind in KINDS}
    counted = [back_edges(complete_graph(n, causal=True)) for n, _, _ in layers]
    measured = [Measurement(f"{kind}_cases", len(found), "tensors") for kind, found in errors.items()]
    for kind in ("complete", "causal"):
        measured.append(Measurement(f"{kind}_wrong", sum(not error <= EQUAL for error in errors[kind]), "tensors"))
        measured.append(Measurement(f"{kind}_error", max(errors[kind]), "of the largest entry"))
    return [
        *measured,
        Measurement("crossed_apart", sum(error > APART for error in errors["crossed"]), "tensors"),
        Measurement("edges", sum(edges for edges, _ in counted), "edges between two tokens"),
        Measurement("edges_back", sum(back for _, back in counted), "edges between two tokens"),
        Measurement("loops_equal", sum(not error > APART for error in errors["loops"]), "outputs"),
        Measurement("loops_error", min(errors["loops"]), "of the largest entry"),
    ]


def compare(n: int, layer: nn.TransformerEncoderLayer, generator: torch.Generator) -> dict[str, list[float]]:
    """The relative errors of one layer on n random tokens, by kind; what needs two tokens is left out of one."""
    block = TransformerBlock.of_torch(layer)
    x, direction = (torch.randn(n, WIDTH, generator=generator, dtype=torch.float64) for _ in range(2))
    mask = nn.Transformer.generate_square_subsequent_mask(n, dtype=torch.float64)
    complete, causal = results(layer, x, direction, None), results(layer, x, direction, mask)
    on_causal = over_edges(block, x, direction, complete_graph(n, causal=True))
    errors = {
        "complete": relative_errors(complete, over_edges(block, x, direction, complete_graph(n))),
        "causal": relative_errors(causal, on_causal),
    }
    if n > 1:
        errors["crossed"] = relative_errors(complete, on_causal)
        with torch.no_grad():
            errors["loops"] = relative_errors([layer(x[None])[0]], [block(x, complete_graph(n, loops=False))])
    return errors


def random_layer(heads: int, norm_first: bool, generator: torch.Generator) -> nn.TransformerEncoderLayer:
    """A layer whose every parameter is random, also those that torch starts at 0 or 1: nothing is equal by being absent."""
    layer = nn.TransformerEncoderLayer(
        WIDTH, heads, HIDDEN, dropout=0.0, norm_first=norm_first, batch_first=True, dtype=torch.float64
    )
    with torch.no_grad():
        for parameter in layer.parameters():
            scale = parameter.shape[-1] ** -0.5 if parameter.ndim > 1 else 0.5
            parameter.copy_(scale * torch.randn(parameter.shape, generator=generator, dtype=torch.float64))
    return layer


def results(layer: nn.TransformerEncoderLayer, x: Tensor, direction: Tensor, mask: Tensor | None) -> list[Tensor]:
    """torch's output (N, width), its attention (heads, N, N), and the gradients of output · direction, input first."""
    x = x.clone().requires_grad_()
    out = layer(x[None], src_mask=mask)[0]
    attention = layer.self_attn(x[None], x[None], x[None], attn_mask=mask, average_attn_weights=False)[1][0]
    grads = torch.autograd.grad((out * direction).sum(), [x, *layer.parameters()])
    return [out.detach(), attention.detach(), *grads]


def over_edges(block: TransformerBlock, x: Tensor, direction: Tensor, edges: Tensor) -> list[Tensor]:
    """The same of the layer over edges, its gradients packed as torch packs its parameters."""
    x = x.clone().requires_grad_()
    out = block(x, edges)
    weight = block.attention(x, edges, return_attention_weights=True)[1][1]  # (E, heads)
    attention = x.new_zeros(len(x), len(x), weight.shape[1]).index_put((edges[1], edges[0]), weight.detach()).permute(2, 0, 1)
    names, parameters = zip(*block.named_parameters(), strict=True)
    of_input, *grads = torch.autograd.grad((out * direction).sum(), [x, *parameters])
    by_name = dict(zip(names, grads, strict=True))
    packed = [
        torch.cat([by_name[f"attention.lin_{part}.{kind}"] for part in ("query", "key", "value")]) for kind in ("weight", "bias")
    ]
    others = [
        by_name[f"{part}.{kind}"] for part in ("out_proj", "linear1", "linear2", "norm1", "norm2") for kind in ("weight", "bias")
    ]
    return [out.detach(), attention, of_input, *packed, *others]


def relative_errors(expected: list[Tensor], actual: list[Tensor]) -> list[float]:
    """For each tensor the largest difference over the largest entry expected; infinite where the shapes differ."""
    return [
        float((b - a).abs().max() / a.abs().max()) if a.shape == b.shape else float("inf")
        for a, b in zip(expected, actual, strict=True)
    ]


def back_edges(edges: Tensor) -> tuple[int, int]:
    """Edges between two nodes, and those of them that also lead back."""
    pairs = {(u, v) for u, v in edges.T.tolist() if u != v}
    return len(pairs), sum((v, u) in pairs for u, v in pairs)
