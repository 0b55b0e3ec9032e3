"""Several nets of one architecture as one function of stacked weights, computed in one of three forms.

    weights (B, ...) of B nets, x (N, ...) that all nets see -> (B, N, ...)

The forms agree up to rounding. Which is fastest depends on the device and the size of the nets (`benchmarks/gpu_padding.py`).

    in turn     one net after another: B times the kernels of one net
    vmap        all nets together, with the convolutions in groups, one group a net
    products    all nets together, with each convolution as one batched matrix product (`erlangen.train.stacked_convolution`)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from typing import Literal

import torch
from torch import Tensor, nn
from torch.func import functional_call

from erlangen.train.classifier import slices
from erlangen.train.precision import arithmetic
from erlangen.train.stacked_convolution import StackedConvolutions

Form = Literal["in turn", "vmap", "products"]
FORM: Form = "products"


def stack(models: Sequence[nn.Module]) -> dict[str, Tensor]:
    """The parameters of the models, (B, ...) each, without gradients and contiguous.

    Otherwise weights that are channels-last would impose this layout on libraries, whatever that of the images.
    """
    states = [dict(model.named_parameters()) for model in models]
    return {name: torch.stack([state[name].detach().contiguous() for state in states]) for name in states[0]}


def outputs(model: nn.Module, weights: Mapping[str, Tensor], x: Tensor, form: Form = FORM) -> Tensor:
    """What each net returns for x (N, ...), (B, N, ...). model: any of the nets; its own parameters are not used."""
    if form == "in turn":
        rows = {name: weight.unbind() for name, weight in weights.items()}
        nets = ({name: row[net] for name, row in rows.items()} for net in range(len(next(iter(weights.values())))))
        return torch.stack([functional_call(model, own, (x,)) for own in nets])
    with StackedConvolutions() if form == "products" else nullcontext():
        mapped: Tensor = torch.vmap(lambda own: functional_call(model, own, (x,)))(dict(weights))
        return mapped


@torch.no_grad()
def predict_many(
    models: Sequence[nn.Module], x: Tensor, precision: str = "float32", size: int = 200, form: Form = FORM
) -> Tensor:
    """What each model returns for x in float32, (B, N, ...): `predict` of each, computed `size` rows at a time."""
    weights = stack(models)
    with arithmetic(x.device, precision):
        return torch.cat([outputs(models[0], weights, rows, form) for (rows,) in slices(x, size=size)], 1).float()
