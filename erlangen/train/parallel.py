"""Data-parallel training, started by `torchrun`: one process per device, each with an equal slice of every batch.

    gradient of the batch = mean over processes of the gradient of their slices

Every process draws the same starts from the same generator and takes its own rows, so N processes take the same steps as one.
Decisions that depend on a clock or a signal are made by one process for all. Source: Li et al., "PyTorch Distributed", VLDB 2020.
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
    """This process among the processes of a training. With size 1 it is the only one; rank 0 writes and prints."""

    rank: int = 0
    size: int = 1

    def rows(self, x: Tensor) -> Tensor:
        """This process's rows of x (B, ...): (B / size, ...)."""
        share = len(x) // self.size
        return x[self.rank * share : (self.rank + 1) * share]

    def mean(self, value: float) -> float:
        """The mean of `value` over all processes."""
        return value if self.size == 1 else sum(float(other) for other in self.gathered(_number(value))) / self.size

    def any(self, flag: bool) -> bool:
        """Whether `flag` is true in any process."""
        return flag if self.size == 1 else any(bool(other) for other in self.gathered(_number(float(flag))))

    def first(self, value: float) -> float:
        """The value of rank 0, in float64."""
        if self.size == 1:
            return value
        number = _number(value)
        dist.broadcast(number, 0)
        return float(number)

    def gathered(self, x: Tensor) -> list[Tensor]:
        """The tensors x of all processes, by rank. x is on the CPU and has the same shape everywhere."""
        if self.size == 1:
            return [x]
        everybody = [torch.empty_like(x) for _ in range(self.size)]
        dist.all_gather(everybody, x.contiguous())
        return everybody

    def wrapped(self, model: nn.Module) -> nn.Module:
        """The model, wrapped so that its backward pass averages gradients over all processes; unwrapped for one process."""
        return model if self.size == 1 else DistributedDataParallel(model)


def unsynced(net: nn.Module, wanted: bool) -> AbstractContextManager[object]:
    """A context that, if `wanted`, adds up gradients without averaging them over processes, as all slices but the last need."""
    return net.no_sync() if wanted and isinstance(net, DistributedDataParallel) else nullcontext()


@contextmanager
def joined(device: str) -> Iterator[tuple[Workers, str]]:
    """The processes that torchrun started, and the device of this one; without torchrun one process and `device` itself.

    Tensors on the CPU are exchanged by gloo, those on CUDA devices by nccl. Raises ErlangenError for any other device, or, in
    every process at once and before any waits for another, if there are more processes than CUDA devices.
    """
    size = int(os.environ.get("WORLD_SIZE", "1"))
    if size == 1:
        yield Workers(), device
        return
    if "RANK" not in os.environ:
        raise ErlangenError(f"WORLD_SIZE is {size}, but RANK is not set: start with torchrun, or unset WORLD_SIZE")
    rank, local = int(os.environ["RANK"]), int(os.environ.get("LOCAL_RANK", "0"))
    if device == "cuda":
        here, count = max(int(os.environ.get("LOCAL_WORLD_SIZE", "1")), local + 1), torch.cuda.device_count()
        if here > count:
            raise ErlangenError(
                f"--nproc-per-node {here}: there are {count} CUDA devices: start at most {count} processes per node, or give "
                f"--device cpu"
            )
        device = f"cuda:{local}"
        torch.cuda.set_device(local)
    elif device != "cpu":
        raise ErlangenError(f"--device {device}: under torchrun give cuda or cpu, and each process gets a device of that kind")
    if os.environ.get("MASTER_ADDR") in LOOPBACK:  # otherwise gloo looks up the host's name, which may not resolve
        os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo" if os.path.exists("/sys/class/net/lo") else "lo0")
    dist.init_process_group("cpu:gloo,cuda:nccl" if device.startswith("cuda") else "gloo")
    try:
        yield Workers(rank=rank, size=size), device
    except RuntimeError as error:
        if "connection" not in str(error).lower():
            raise
        raise ErlangenError(
            f"process {rank} of {size} stopped because another process did: see the message of that process"
        ) from None
    finally:
        dist.destroy_process_group()


def _number(value: float) -> Tensor:
    return torch.tensor(value, dtype=torch.float64)
