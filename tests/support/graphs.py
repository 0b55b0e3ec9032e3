"""Directed graphs with all that goes wrong: isolated nodes, self-loops, multi-edges, no edges at all."""

from dataclasses import dataclass

import torch
from hypothesis import strategies as st
from torch import Tensor, nn


@dataclass(frozen=True)
class Drawn:
    """edge_index (2, E) on `n` nodes (sources) and `m` targets."""

    edge_index: Tensor
    n: int
    m: int
    seed: int

    def randn(self, *shape: int, dtype: torch.dtype = torch.float64, salt: int = 0) -> Tensor:
        generator = torch.Generator().manual_seed(1000 * salt + self.seed)
        return torch.randn(*shape, dtype=torch.float64, generator=generator).to(dtype)

    @property
    def num_edges(self) -> int:
        return self.edge_index.shape[1]


@st.composite
def directed_graphs(draw: st.DrawFn, loops: bool = True, bipartite: bool = False, most: int = 7) -> Drawn:
    n = draw(st.integers(1, most))
    m = draw(st.integers(1, most)) if bipartite else n
    edges = draw(st.lists(st.tuples(st.integers(0, n - 1), st.integers(0, m - 1)), max_size=24))
    edges = [(u, v) for u, v in edges if loops or u != v]
    edge_index = torch.tensor(edges, dtype=torch.int64).reshape(-1, 2).T.contiguous()
    return Drawn(edge_index, n, m, draw(st.integers(0, 999)))


def assert_near(actual: Tensor, expected: Tensor, bound: float) -> None:
    """Within `bound` of the larger of 1 and the largest expected value."""
    assert actual.shape == expected.shape
    scale = max(1.0, float(expected.detach().abs().max())) if expected.numel() else 1.0
    torch.testing.assert_close(actual, expected, rtol=0, atol=bound * scale, check_dtype=False)


def gradients(y: Tensor, *leaves: Tensor) -> tuple[Tensor, ...]:
    """Of a weighted sum of y: no two outputs count alike. Leaves that y does not depend on get zeros."""
    weights = torch.linspace(-1, 1, y.numel(), dtype=y.dtype, device=y.device).view_as(y)
    return torch.autograd.grad((y * weights).sum(), leaves, allow_unused=True, materialize_grads=True)


def with_random_bias(layer: nn.Module) -> nn.Module:
    """Biases start at 0, where a layer that forgets its own looks right."""
    generator = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for name, parameter in layer.named_parameters():
            if "bias" in name:
                parameter.copy_(torch.randn(parameter.shape, generator=generator))
    return layer
