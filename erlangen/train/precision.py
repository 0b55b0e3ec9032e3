"""The devices and number formats in which networks are trained.

    float32    products and convolutions in float32, on every device
    tf32       float32 numbers whose products and convolutions round the factors to TF32 (`erlangen.nn.tf32`); CUDA devices only
    bfloat16   products in bfloat16 by autocast; weights, norms and sums in float32
    float16    the same in float16, whose gradients a scaler keeps in range; CUDA devices only

Source: Micikevicius et al., "Mixed Precision Training", ICLR 2018.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Literal

import torch

from erlangen.errors import ErlangenError
from erlangen.nn.tf32 import tf32

Precision = Literal["float32", "tf32", "bfloat16", "float16"]
HALVES = {"bfloat16": torch.bfloat16, "float16": torch.float16}


@contextmanager
def arithmetic(device: torch.device | str, precision: str) -> Iterator[None]:
    """A context in which products on `device` run in `precision`, with weights and sums in float32.

    It also governs what a backward pass inside it computes. Nested contexts are allowed; the innermost one counts.
    """
    kind = torch.device(device).type
    half = HALVES.get(precision)
    # The settings of TF32 belong to the process, and replicas on a CPU run in threads: leave them alone there.
    products = tf32(precision == "tf32") if kind == "cuda" else nullcontext()
    with products, torch.autocast(kind, half, enabled=half is not None):
        yield


def best_device() -> str:
    """The fastest device of this machine: cuda if there is one, else cpu. (Not mps, which has no float64.)"""
    return "cuda" if torch.cuda.is_available() else "cpu"


def resolve_device(device: str) -> str:
    """`device`, or the best one for "auto"."""
    return best_device() if device == "auto" else device


def best_precision(device: str) -> Precision:
    """The fastest precision that trains as well as float32: bfloat16 where `device` has it in hardware, else float32."""
    return "bfloat16" if has_bfloat16(device) else "float32"


def has_bfloat16(device: str) -> bool:
    """Whether `device` multiplies bfloat16 in hardware. Emulation is slower than float32 and does not count."""
    if device.startswith("cuda"):
        return torch.cuda.is_available() and torch.cuda.is_bf16_supported(including_emulation=False)
    if device.startswith("mps"):
        return torch.backends.mps.is_available()
    if not hasattr(torch.cpu, "get_capabilities"):  # torch 2.10
        return torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
    features = torch.cpu.get_capabilities()
    return any(features.get(name, False) for name in ("avx512_bf16", "amx_bf16", "bf16"))


def check_device(device: str, precision: str) -> None:
    """Raise ErlangenError if this machine lacks the device, or the device lacks the precision in hardware."""
    kind = device.split(":")[0]
    present = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if kind not in present:
        raise ErlangenError(f"--device {device} is unknown: choose auto, cpu, cuda, cuda:N or mps")
    if not present[kind]:
        raise ErlangenError(
            f"--device {device} is not available on this machine or in this build of torch ({torch.__version__}): use cpu"
        )
    index = device.partition(":")[2]
    if kind != "cuda" and ":" in device:
        raise ErlangenError(f"--device {device}: only CUDA devices have a number: use {kind}")
    if kind == "cuda" and index and (not index.isdigit() or int(index) >= torch.cuda.device_count()):
        raise ErlangenError(
            f"--device {device} does not exist: there are {torch.cuda.device_count()} CUDA devices, counted from 0"
        )
    if precision == "bfloat16" and not has_bfloat16(device):
        raise ErlangenError(
            f"--precision bfloat16: {device} has no bfloat16 in hardware, and emulating it would be slower than float32: "
            "leave the option out"
        )
    if precision in ("tf32", "float16") and kind != "cuda":
        raise ErlangenError(f"--precision {precision} needs a CUDA device, not {device}: use bfloat16 or float32")
    if precision == "tf32" and torch.cuda.get_device_capability(device)[0] < 8:
        raise ErlangenError(f"--precision tf32: {torch.cuda.get_device_name(device)} has no TF32: use float32")
