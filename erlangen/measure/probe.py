"""Linear probes: how well a linear map can predict a quantity from features."""

from __future__ import annotations

import torch
from torch import Tensor


def linear_r2(features: Tensor, target: Tensor, ridge: float = 1e-3) -> float:
    """The share of the target's variance in the second half of the rows that a ridge regression on the first half explains.

        w = argmin ‖Z w - t‖² / n + ridge · ‖w‖²,     R² = 1 - Σ (t - ẑ w)² / Σ (t - t̄)²

    features (N, d), target (N,). Z: the features, standardized by the first half, in float64. 1: the prediction is exact; 0: no
    better than the mean; below 0: worse. Shuffle sorted rows first, since their order determines the halves. Raises ValueError if
    the shapes do not fit, there are fewer than 4 rows, or the target does not vary.
    """
    if features.ndim != 2 or target.shape != features.shape[:1] or len(target) < 4:
        raise ValueError(
            f"linear_r2: features must be (N, d) and target (N,) with N >= 4, but are {tuple(features.shape)} and "
            f"{tuple(target.shape)}"
        )
    features, target = features.double(), target.double()
    half = len(target) // 2
    mean, std = features[:half].mean(0), features[:half].std(0)
    varies = std > 1e-9 * mean.abs()  # rounding alone gives a constant feature a nonzero spread
    z = (features - mean) * varies / torch.where(varies, std, 1.0)  # (N, d)
    center = target[:half].mean()
    fitted, held_out = z[:half], z[half:]
    gram = fitted.T @ fitted / half + ridge * torch.eye(z.shape[1], dtype=z.dtype, device=z.device)  # (d, d)
    w = torch.linalg.solve(gram, fitted.T @ (target[:half] - center) / half)  # (d,)
    residual = target[half:] - center - held_out @ w
    spread = target[half:] - target[half:].mean()
    if not spread.any():
        raise ValueError("linear_r2: the target does not vary in the second half of the rows: shuffle the rows")
    return float(1 - residual.square().sum() / spread.square().sum())
