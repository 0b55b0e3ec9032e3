"""AdamW for a language model, and a learning rate that a CUDA graph can follow.

Weight decay applies to matrices, including the token and position embeddings, but not to norms and biases.
Source: Loshchilov & Hutter, "Decoupled Weight Decay Regularization", ICLR 2019.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from erlangen.train.language_schedule import LanguageSchedule


def adamw(model: nn.Module, schedule: LanguageSchedule) -> torch.optim.AdamW:
    """AdamW with weight decay for matrices only, fused if the device of the parameters supports it."""
    learning = [parameter for parameter in model.parameters() if parameter.requires_grad]
    groups = [
        {"params": [p for p in learning if p.ndim >= 2], "weight_decay": schedule.weight_decay},
        {"params": [p for p in learning if p.ndim < 2], "weight_decay": 0.0},
    ]
    fused = all(p.device.type in ("cpu", "cuda", "mps") for p in learning)
    return torch.optim.AdamW(groups, lr=schedule.lr_at(0), betas=schedule.betas, fused=fused)


def set_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    """Set the learning rate of all groups; a tensor keeps its place in memory, from which a captured step reads it."""
    for group in optimizer.param_groups:
        if isinstance(group["lr"], Tensor):
            group["lr"].fill_(rate)
        else:
            group["lr"] = rate


def keep_rate_on(optimizer: torch.optim.Optimizer, device: torch.device | None) -> None:
    """Keep the learning rate in a float32 tensor on `device`, as capturing a step needs, or in a Python number if it is None."""
    rate = float(optimizer.param_groups[0]["lr"])
    for group in optimizer.param_groups:
        group["lr"] = rate if device is None else torch.tensor(rate, dtype=torch.float32, device=device)
        group["capturable"] = device is not None
