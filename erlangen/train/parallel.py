"""Data-parallel training as `torchrun` starts it: one process a device, each with a slice of every batch.

    gradient of the batch = mean over processes of the gradient of their slices (equally long)

Every process draws the same starts from the same generator and takes its own rows, so N processes make the steps of one.
What is decided from a clock or a signal is decided once and told to all. Source: Li et al., "PyTorch Distributed", VLDB 2020.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from erlangen.errors import ErlangenError

LOOPBACK = ("127.0.0.1", "localhost", "::1")


@dataclass(frozen=True, kw_only=True)
class Workers:
    """This process among its equals; alone where size is 1. rank 0 writes and prints."""

    rank: int = 0
    size: int = 1

    def rows(self, x: Tensor) -> Tensor:
        """This process's rows of x (B, ...): (B / size, ...)."""
        share = len(x) // self.size
        return x[self.rank * share : (self.rank + 1) * share]

    def mean(self, value: float) -> float:
        """The mean of everybody's number."""
        return value if self.size == 1 else sum(float(other) for other in self.gathered(_number(value))) / self.size

    def any(self, flag: bool) -> bool:
        """Whether anybody says so."""
        return flag if self.size == 1 else any(bool(other) for other in self.gathered(_number(float(flag))))

    def first(self, value: float) -> float:
        """Rank 0's number, float64."""
        if self.size == 1:
            return value
        number = _number(value)
        dist.broadcast(number, 0)
        return float(number)

    def gathered(self, x: Tensor) -> list[Tensor]:
        """Everybody's x, by rank; a tensor on the CPU, of the same shape everywhere."""
        if self.size == 1:
            return [x]
        everybody = [torch.empty_like(x) for _ in range(self.size)]
        dist.all_gather(everybody, x.contiguous())
        return everybody

    def wrapped(self, model: nn.Module) -> nn.Module:
        """The model whose backward pass averages gradients over all processes; itself where there is one process."""
        return model if self.size == 1 else DistributedDataParallel(model)


def unsynced(net: nn.Module, wanted: bool) -> AbstractContextManager[object]:
    """Where wanted, gradients are only added up: for all slices of a batch but the last."""
    return net.no_sync() if wanted and isinstance(net, DistributedDataParallel) else nullcontext()


@contextmanager
def joined(device: str) -> Iterator[tuple[Workers, str]]:
    """The processes that torchrun started, and this one's device; one process and `device` as it is where it started none.

    gloo carries tensors of the CPU, nccl those of CUDA. Raises ErlangenError for a device that cannot be shared out so.
    """
    size = int(os.environ.get("WORLD_SIZE", "1"))
    if size == 1:
        yield Workers(), device
        return
    if "RANK" not in os.environ:
        raise ErlangenError(f"WORLD_SIZE is {size}, but there is no RANK: start with torchrun, or unset WORLD_SIZE")
    rank, local = int(os.environ["RANK"]), int(os.environ.get("LOCAL_RANK", "0"))
    if device == "cuda":
        if local >= torch.cuda.device_count():
            raise ErlangenError(f"--nproc-per-node: process {local} has no CUDA device, there are {torch.cuda.device_count()}")
        device = f"cuda:{local}"
        torch.cuda.set_device(local)
    elif device != "cpu":
        raise ErlangenError(f"--device {device}: torchrun shares out `cuda` or `cpu`, not one device or its kind")
    if os.environ.get("MASTER_ADDR") in LOOPBACK:  # else the host's own name is looked up, which need not lead anywhere
        os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo" if os.path.exists("/sys/class/net/lo") else "lo0")
    dist.init_process_group("cpu:gloo,cuda:nccl" if device.startswith("cuda") else "gloo")
    try:
        yield Workers(rank=rank, size=size), device
    except RuntimeError as error:
        if "connection" not in str(error).lower():
            raise
        raise ErlangenError(f"process {rank} of {size} ends, since another has ended: that one says why") from None
    finally:
        dist.destroy_process_group()


def _number(value: float) -> Tensor:
    return torch.tensor(value, dtype=torch.float64)
