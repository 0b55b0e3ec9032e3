"""The mean of a table whose rows and columns are both drawn at random: texts of R nets, each after the same C prompts.

    y[i, j] = μ + a[i] + b[j] + e[i, j],        Var(mean) = σ_a² / R + σ_b² / C + σ_e² / (R C)

Neither the R C entries nor the C columns are independent units: an interval over either of them is too narrow. With the
variances s_a² of the R row means, s_b² of the C column means and s_e² of what is left,

    half² = t²_{R-1} s_a² / R + t²_{C-1} s_b² / C - t²_{(R-1)(C-1)} s_e² / (R C),

but no less than either of the first two terms: each of them contains the residual's share once. Where one of the factors does
nothing, this is Student's interval over the other's means.

Why not Satterthwaite's degrees of freedom: at 3 × 24 with σ_a = σ_b = σ_e they cover 92.7 % in place of 95, and 98.5 % in place
of 99.7. These ends cover at least as often as they say, 95 to 99 % there, depending on the components (the tests simulate them).
Source of the first two terms: Banerjee, Sankhyā 22 (1960), who shows that they cover at least as often as they say.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from erlangen.statistics.intervals import Interval

ROUNDING = 1e-13  # a spread below this share of the largest entry is rounding


def crossed_interval(table: ArrayLike, level: float = 0.95) -> Interval:
    """The mean of a table (R, C) and its interval over both factors; n is the number of rows or columns, whichever is smaller.

    A column with an entry that is not finite is left out of every row. With fewer than two rows or columns, or without any
    spread, the ends are NaN. Raises ValueError for what is not a table.
    """
    values = np.asarray(table, dtype=np.float64)
    if values.ndim != 2:
        raise ValueError(f"crossed_interval: a table (rows, columns) is needed, not an array of shape {values.shape}")
    values = values[:, np.isfinite(values).all(0)]  # (R, C)
    n = min(values.shape)
    if not values.size:
        return Interval(math.nan, math.nan, math.nan, n)
    mean = float(values.mean())
    half = _half_width(values, level) if n > 1 else math.nan
    return Interval(mean, mean - half, mean + half, n)


def _half_width(values: np.ndarray, level: float) -> float:
    """See the module; NaN where the table has no spread but rounding."""
    rows, columns = values.shape
    row_means, column_means = values.mean(1), values.mean(0)  # (R,), (C,)
    rest = values - row_means[:, None] - column_means + values.mean()  # (R, C)
    degrees = np.array([rows - 1, columns - 1, (rows - 1) * (columns - 1)])
    shares = np.array(
        [row_means.var(ddof=1) / rows, column_means.var(ddof=1) / columns, (rest**2).sum() / degrees[2] / rest.size]
    )
    if max(shares[0], shares[1]) <= (ROUNDING * np.abs(values).max()) ** 2:
        return math.nan
    of_rows, of_columns, of_rest = stats.t.ppf((1 + level) / 2, degrees) ** 2 * shares
    return math.sqrt(max(of_rows + of_columns - of_rest, of_rows, of_columns))
