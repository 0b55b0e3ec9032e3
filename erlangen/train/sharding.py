"""Weights, gradients and moments of a large model divided among the devices of a `torchrun` (FSDP2).

    each of P processes keeps 1/P of every tensor; a block's weights are gathered before its forward and its backward pass, and
    freed after it; its gradients are averaged and divided again

A training needs 16 bytes per parameter, for the weight, its gradient and two moments in float32; divided, 16 / P bytes and one
block. Checkpoints hold whole tensors and are the same files as without sharding.

Source: Zhao et al., "PyTorch FSDP", VLDB 2023; `torch.distributed.fsdp.fully_shard`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from erlangen.models.gpt import GPT

BYTES = 16  # per parameter: weight, gradient, two moments, all float32
SHARE = 0.7  # of a device's free memory that these may take; the remainder is for activations


def must_shard(parameters: int, device: str) -> bool:
    """Whether a model with so many parameters does not fit, with its gradients and moments, on a CUDA device."""
    if not device.startswith("cuda"):
        return False
    free, _ = torch.cuda.mem_get_info(torch.device(device))
    return BYTES * parameters > SHARE * free


def is_sharded(model: nn.Module) -> bool:
    """Whether `shard` was applied to the model."""
    from torch.distributed.tensor import DTensor

    return any(isinstance(parameter, DTensor) for parameter in model.parameters())


def shard(model: GPT, device: torch.device) -> None:
    """Divide the model's parameters among all processes, in place. All of them must call it.

    Rank 0's weights count; in the other processes the model may be on the meta device, where it takes no memory.
    """
    import torch.distributed as dist
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import fully_shard

    weights = {name: parameter.detach() for name, parameter in model.named_parameters()}
    to_meta(model)
    mesh = init_device_mesh(device.type, (dist.get_world_size(),))
    for block in model.blocks:
        fully_shard(block, mesh=mesh)
    fully_shard(model, mesh=mesh, reshard_after_forward=True)  # else evaluations leave the embeddings gathered
    empty = dict(model.named_parameters())
    shards: dict[str, Tensor] = {}
    for name in empty:
        shards[name] = nn.Parameter(divided(weights.pop(name), empty[name], device))
    if model.config.tied:
        shards["head.weight"] = shards["embed.weight"]
    model.load_state_dict(shards, assign=True)


def to_meta(model: nn.Module) -> None:
    """Replace the parameters by empty ones on the meta device; those that are shared stay so."""
    made: dict[int, nn.Parameter] = {}
    for module in model.modules():
        for name, parameter in module.named_parameters(recurse=False):
            made.setdefault(id(parameter), nn.Parameter(torch.empty_like(parameter, device="meta")))
            setattr(module, name, made[id(parameter)])


def divided(whole: Tensor, like: Tensor, device: torch.device) -> Tensor:
    """This process's part of rank 0's tensor, divided among the processes as the sharded tensor `like` is."""
    from torch.distributed.tensor import DTensor, distribute_tensor

    assert isinstance(like, DTensor)
    own = torch.empty_like(whole, device=device) if whole.is_meta else whole.to(device)
    return distribute_tensor(own, like.device_mesh, like.placements)


def whole(x: Tensor) -> Tensor:
    """A tensor, gathered if it is divided. All processes must call it."""
    from torch.distributed.tensor import DTensor

    return x.full_tensor() if isinstance(x, DTensor) else x


def load_whole(model: nn.Module, weights: Mapping[str, Tensor]) -> None:
    """Copy whole weights into a sharded model, in place; rank 0's count."""
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter.copy_(divided(weights[name], parameter, parameter.device))


def gathered_weights(model: nn.Module, keep: bool) -> dict[str, Tensor]:
    """The whole weights of a sharded model on the CPU, tied ones under each of their names; {} unless `keep`.

    All processes must call it; one tensor at a time is whole on a device.
    """
    weights: dict[str, Tensor] = {}
    for name, weight in model.state_dict().items():
        full = whole(weight)
        if keep:
            weights[name] = full.cpu()
    return weights
