"""Seeding, and checks whether this machine has a device and its number formats."""

from __future__ import annotations

import torch

from erlangen.errors import ErlangenError


def seed_everything(seed: int) -> None:
    """Seed torch on every device and ask for deterministic convolutions."""
    torch.manual_seed(seed)
    torch.backends.cudnn.benchmark = False
    torch.backends.cudnn.deterministic = True


def has_bfloat16(device: str) -> bool:
    """Whether `device` multiplies bfloat16 in hardware. Emulation is slower than float32 and does not count."""
    if device.startswith("cuda"):
        return torch.cuda.is_available() and torch.cuda.is_bf16_supported(including_emulation=False)
    if device.startswith("mps"):
        return torch.backends.mps.is_available()
    features = torch.cpu.get_capabilities()
    return any(features.get(name, False) for name in ("avx512_bf16", "amx_bf16", "bf16"))


def check_device(device: str, precision: str) -> None:
    """Raise ErlangenError if this machine lacks the device, or the device lacks the precision in hardware."""
    kind = device.split(":")[0]
    present = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if kind not in present:
        raise ErlangenError(f"--device {device} is unknown: choose cpu, cuda, cuda:N or mps")
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
