"""Seeding."""

from __future__ import annotations

import torch


def seed_everything(seed: int) -> None:
    """Seed torch on every device and ask for deterministic convolutions."""
    torch.manual_seed(seed)
    torch.backends.cudnn.benchmark = False
    torch.backends.cudnn.deterministic = True
