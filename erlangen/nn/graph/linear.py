"""The linear layers inside the graph layers: their initialization, widths that the first input tells, and hooks."""

from __future__ import annotations

from torch import nn
from torch.nn.modules import module as torch_module


class _LazyGlorot(nn.LazyLinear):
    def reset_parameters(self) -> None:
        if not self.has_uninitialized_params() and self.in_features:
            nn.init.xavier_uniform_(self.weight)
            if self.bias is not None:
                nn.init.zeros_(self.bias)


def linear(in_channels: int, out_channels: int, bias: bool, glorot: bool = False) -> nn.Linear:
    """A linear layer. If in_channels is -1, it takes its input width from the first input.

    Initialized as torch initializes linear layers, or with `glorot` uniformly within ±√(6 / (in + out)), with bias 0.
    """
    if in_channels < 0:
        return (_LazyGlorot if glorot else nn.LazyLinear)(out_channels, bias)
    layer = nn.Linear(in_channels, out_channels, bias)
    if glorot:
        nn.init.xavier_uniform_(layer.weight)
        if bias:
            nn.init.zeros_(layer.bias)
    return layer


def widths(in_channels: int | tuple[int, int]) -> tuple[int, int]:
    """The input widths of sources and targets."""
    return in_channels if isinstance(in_channels, tuple) else (in_channels, in_channels)


def reset(layer: nn.Linear, glorot: bool = False) -> None:
    """Draw the weights anew, as `linear` does."""
    layer.reset_parameters()
    if glorot and not (isinstance(layer, nn.LazyLinear) and layer.has_uninitialized_params()):
        nn.init.xavier_uniform_(layer.weight)
        if layer.bias is not None:
            nn.init.zeros_(layer.bias)


def plain(layer: nn.Module) -> bool:
    """Whether the layer's weights may be used without calling it: its input width is known, and nobody listens to its calls."""
    own = (layer._forward_pre_hooks, layer._forward_hooks, layer._backward_hooks, layer._backward_pre_hooks)
    everywhere = (
        torch_module._global_forward_pre_hooks, torch_module._global_forward_hooks, torch_module._global_backward_hooks,
        torch_module._global_backward_pre_hooks,
    )  # fmt: skip
    return type(layer) is nn.Linear and not any(own) and not any(everywhere)
