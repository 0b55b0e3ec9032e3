"""Intervals from pairs that are clustered in inputs: an input is drawn, then elements for it. Only the inputs are independent."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import brentq
from scipy.special import bdtr, betainc, ndtri, stdtr, stdtrit

from erlangen.statistics.intervals import Interval

Numbers = NDArray[np.float64]
LARGEST = 709.0  # exp of more is no float64


@dataclass(frozen=True, eq=False)
class Moments:
    """How far outputs scatter around their mean row, with all inputs and with each input left out. Build it with `of`.

    spread² = Σ_i Σ_s ‖y_is - ȳ‖² / (D Σ_i S_i), over inputs i and their S_i sites; RMS² = Σ_i Σ_s ‖y_is‖² / (D Σ_i S_i).
    """

    sites: Numbers  # (n,)
    features: int
    spread: float
    rms: float
    spreads_without: Numbers  # (n,); NaN where no other input is left

    @classmethod
    @np.errstate(invalid="ignore", divide="ignore", over="ignore")
    def of(cls, outputs: Iterable[ArrayLike]) -> Moments:
        """From the rows (S_i, D) of each input, arrays or tensors on the CPU; D in common. O(D) memory beyond theirs.

        Deviations are squared, never subtracted from squares, so that outputs may have a constant part far beyond their spread.
        NaN or infinite rows give NaN. Raises ValueError where there is no row, or D differs.
        """
        kept = list(outputs)  # walked twice: the mean row, then what deviates from it
        if not kept:
            raise ValueError("Moments.of: no outputs")
        pivot = as_rows(kept[0])[0]  # (D,); constant outputs become exact zeros
        features = pivot.size
        total: Numbers = np.zeros(features)
        sites: Numbers = np.zeros(len(kept))
        for index, rows in enumerate(kept):
            shape = tuple(np.shape(rows))
            if len(shape) != 2 or shape[1] != features or 0 in shape:
                raise ValueError(f"Moments.of: output {index} has rows of shape {shape}, output 0 has D = {features}")
            total += (as_rows(rows) - pivot).sum(0)
            sites[index] = shape[0]
        n = sites.sum()
        mean = total / n  # (D,)
        within, offset = np.zeros(len(kept)), np.zeros(len(kept))
        for index, rows in enumerate(kept):
            centered = as_rows(rows) - pivot - mean  # (S, D)
            own = centered.mean(0)  # (D,)
            within[index], offset[index] = ((centered - own) ** 2).sum(), own @ own
        squares = within + sites * offset  # (n,)
        # The mean row moves away from an input that goes: by S_i / (N - S_i) of its offset.
        left = squares.sum() - within - sites * offset * n / (n - sites)  # (n,)
        left[sites == n] = math.nan
        lost = np.flatnonzero((left < 1e-6 * squares.sum()) & (sites < n))  # one input, or both of two, holds nearly all
        for gone in lost.tolist():
            left[gone] = features * (n - sites[gone]) * cls.of(kept[:gone] + kept[gone + 1 :]).spread ** 2
        level = pivot + mean  # (D,)
        return cls(
            sites=sites,
            features=features,
            spread=math.sqrt(squares.sum() / (n * features)),
            rms=math.sqrt(squares.sum() / (n * features) + level @ level / features),
            spreads_without=np.sqrt(left / (features * np.where(sites < n, n - sites, math.nan))),
        )


def as_rows(rows: ArrayLike) -> Numbers:
    """In float64, without importing torch: a tensor casts itself, as its bfloat16 is no dtype of numpy's."""
    double = getattr(rows, "double", None)
    return np.asarray(rows if double is None else double().numpy(), dtype=np.float64)  # (S, D)


@dataclass(frozen=True)
class RelativeError:
    """Mean error / spread, with what its interval was made of, so that other questions can be put to it.

    center, error, skewness: the jackknife's bias-corrected logarithm (`on_log`) or ratio, its standard error, and the skewness
    of what inputs contribute to it.
    """

    interval: Interval
    center: float = math.nan
    error: float = math.nan
    skewness: float = 0.0
    jackknifed: int = 0
    on_log: bool = True

    def p_value(self, threshold: float) -> float:
        """Two-sided p of H0: the true ratio is `threshold`, > 0. It is < 1 - level just where the interval leaves it out.

        NaN where the interval's ends are.
        """
        estimate, df = self.interval.estimate, self.interval.n - 1
        if math.isnan(self.center):
            return math.nan
        if not self.on_log:
            # Shares of inputs with an error that one such input in n would be a surprise for; see `lone_error`.
            share = threshold / (estimate * (df + 1))
            binomial = min(1.0, 2 * float(bdtr(1, df + 1, min(share, 1.0)))) if share > 0 else 1.0
            return max(two_sided(abs(self.center - threshold) / self.error, df), binomial)
        at, to = math.log(threshold), math.log(estimate)
        if min(self.center, to) <= at <= max(self.center, to):
            return 1.0
        if self.error == 0:
            return 0.0
        t = (self.center - at) / self.error
        return max(two_sided(t, df), two_sided(without_skewness(t, self.skewness, self.jackknifed), df))

    def detectable(self, threshold: float, power: float = 0.8) -> float:
        """The ratio nearest below `threshold` that this n and scatter tell from it with about this power.

        log r = log δ - (upper arm of the interval) - z_power · error: a t (or Hall) arm that has to fit below δ, and a normal
        quantile for where the center falls. Of one test alone, before Holm. NaN where the scatter of logarithms is unknown.
        """
        if math.isnan(self.center) or not self.on_log:
            return math.nan
        arm = math.log(self.interval.high) - self.center
        return math.exp(math.log(threshold) - arm - float(ndtri(power)) * self.error)


def relative_error(sums: Sequence[float], counts: Sequence[int], moments: Moments, level: float = 0.95) -> RelativeError:
    """Mean error over inputs / spread of their outputs, by a delete-one-input jackknife of its logarithm.

    sums (n,): Σ_j e_ij ≥ 0 over an input's pairs; counts (n,): how many. mean error = mean_i(sums_i / counts_i); an input without
    pairs counts in the spread alone. With θ the logarithm and θ_i that without input i, in error and in spread:

        center = n θ - (n - 1) mean θ_i        error² = (n - 1)/n Σ (θ_i - mean θ_i)²

    The interval is exp of Student's center ± t_{n-1} · error, or of Hall's, which allows for skewness (J. R. Statist. Soc. B 54,
    1992), at either end whichever is further out: Student's alone covers 90 % with 10 inputs and log-normal errors of σ = 1. It
    always holds the estimate, mean error / spread as it is, which a small n biases upwards as it does spread downwards.

    The ends are NaN with fewer than two inputs, or where the others' outputs do not spread. No error at all: 0, from 0 to NaN,
    as the data have no scale that could bound errors not seen. One input with an error alone: see `lone_error`. What is not
    finite, a spread of 0 and no pairs give NaN. Raises ValueError where lengths differ or something is negative.
    """
    total, pairs = np.asarray(sums, dtype=np.float64), np.asarray(counts, dtype=np.float64)  # (n,)
    if not total.shape == pairs.shape == moments.sites.shape:
        raise ValueError(f"relative_error: {total.size} sums, {pairs.size} counts and outputs of {moments.sites.size} inputs")
    if (total < 0).any() or (pairs < 0).any():
        raise ValueError("relative_error: a sum of errors or a count is negative")
    used = pairs > 0
    means = np.divide(total, pairs, out=np.zeros_like(total), where=used)  # (n,)
    n, spread, rest = int(used.sum()), moments.spread, moments.spreads_without
    if n == 0 or not (np.isfinite(means).all() and 0 < spread < math.inf):
        return RelativeError(Interval(math.nan, math.nan, math.nan, n))
    estimate = float(means.sum() / n / spread)
    if n == 1 or not (rest > 0).all():
        return RelativeError(Interval(estimate, math.nan, math.nan, n))
    if estimate == 0:
        return RelativeError(Interval(0.0, 0.0, math.nan, n))
    left = np.maximum(means.sum() - means, 0.0) / (n - used) / rest  # (n,)
    if not left.all():
        return lone_error(estimate, left, n, level)
    center, error, skewness = jackknife(math.log(estimate), np.log(left))
    t, size = float(stdtrit(n - 1, (1 + level) / 2)), total.size
    below = max(t, with_skewness(t, skewness, size)) * error
    above = max(t, -with_skewness(-t, skewness, size)) * error
    high = math.exp(center + above) if center + above < LARGEST else math.inf
    interval = Interval(estimate, min(math.exp(center - below), estimate), max(high, estimate), n)
    return RelativeError(interval, center, error, skewness, size)


def lone_error(estimate: float, left: Numbers, n: int, level: float) -> RelativeError:
    """One input alone has an error: its logarithm has no jackknife. From 0 to the further of two ends, on the plain scale:

    Student's, and the error of that input times Clopper & Pearson's largest share of inputs with an error, for 1 in n. Nothing in
    the data says how much larger than this one the next error may be.
    """
    _, error, _ = jackknife(estimate, left)
    student = estimate + float(stdtrit(n - 1, (1 + level) / 2)) * error
    share = brentq(lambda p: bdtr(1, n, p) - (1 - level) / 2, 0.0, 1.0)
    return RelativeError(Interval(estimate, 0.0, max(student, share * estimate * n), n), estimate, error, on_log=False)


def jackknife(whole: float, left: Numbers) -> tuple[float, float, float]:
    """Bias-corrected estimate, standard error, and skewness (unbiased under normality) of what each of n inputs contributes."""
    n = left.size
    deviation = left.mean() - left  # (n,)
    squares = float(deviation @ deviation)
    skewness = 0.0
    if n > 2 and squares > 0:
        skewness = float((deviation**3).mean()) / (squares / n) ** 1.5 * math.sqrt(n * (n - 1)) / (n - 2)
    return n * whole - (n - 1) * float(left.mean()), math.sqrt((n - 1) / n * squares), skewness


def without_skewness(t: float, skewness: float, n: int) -> float:
    """Hall's monotone cubic of a studentized mean of skew data: nearly symmetric; T + aT²/3 + a²T³/27 + a/6, a = skewness/√n."""
    a = skewness / math.sqrt(n)
    return t + a * t**2 / 3 + a**2 * t**3 / 27 + a / 6


def with_skewness(x: float, skewness: float, n: int) -> float:
    """Its inverse: (3/a) ((1 + a(x - a/6))^⅓ - 1)."""
    a = skewness / math.sqrt(n)
    return x if abs(a) < 1e-6 else 3 / a * (math.cbrt(1 + a * (x - a / 6)) - 1)


def two_sided(t: float, df: int) -> float:
    """Student's p of |t| and more."""
    return 2 * float(stdtr(df, -abs(t)))


@dataclass(frozen=True)
class FlipRate:
    """A rate with its interval over inputs. effective: as many independent pairs would say as much."""

    interval: Interval
    effective: float


def flip_rate(flips: Sequence[int], pairs: Sequence[int], level: float = 0.95) -> FlipRate:
    """Share of pairs that flipped, pairs clustered in inputs: a binomial interval at an effective n.

    flips (n,), pairs (n,) of each input; those without pairs are left out. With r = Σ flips / Σ pairs and M = Σ pairs, the design
    effect is the linearized variance of the ratio r over that of M independent pairs (Kish, Survey Sampling, 1965),

        deff = n/(n - 1) Σ (flips_i - r pairs_i)² / (M r (1 - r))

    and effective n = M / deff · (t_{M-1} / t_k)², at most M, and no less than that of wholly dependent pairs, M² / Σ pairs_i²:
    n, where inputs have equally many. The t's are Korn & Graubard's (Survey Methodology 24, 1998), as deff is an estimate too.
    Theirs has the df of all inputs; where flips are rare, few inputs tell it, so k is the number of inputs that flipped
    somewhere or that stayed somewhere, whichever is less, at most n - 1. No flip or all flips: effective n = inputs.

    The interval is Clopper & Pearson's at rates 0 and 1. Between them it is its mid-P form (Lancaster, JASA 56, 1961), as
    theirs covers up to 98 % at rates of 0.1. Raises ValueError where lengths differ, or flips do not lie in [0, pairs].
    """
    hits, sizes = np.asarray(flips, dtype=np.float64), np.asarray(pairs, dtype=np.float64)  # (n,)
    if hits.shape != sizes.shape:
        raise ValueError(f"flip_rate: flips of {hits.size} inputs, pairs of {sizes.size}")
    if (hits < 0).any() or (hits > sizes).any():
        raise ValueError("flip_rate: an input has fewer flips than 0 or more than pairs")
    hits, sizes = hits[sizes > 0], sizes[sizes > 0]
    n, total = hits.size, float(sizes.sum())
    if n == 0:
        return FlipRate(Interval(math.nan, math.nan, math.nan, 0), 0.0)
    rate, tail = float(hits.sum() / total), (1 - level) / 2
    if rate in (0.0, 1.0):
        reach = 1 - tail ** (1 / n)
        return FlipRate(Interval(rate, rate * (1 - reach), reach + rate * (1 - reach), n), float(n))
    effective = effective_pairs(hits, sizes, rate, level)
    return FlipRate(Interval(rate, *mid_p_ends(rate, effective, tail), n), effective)


def effective_pairs(hits: Numbers, sizes: Numbers, rate: float, level: float) -> float:
    """`flip_rate`'s effective n, for a rate within (0, 1)."""
    n, total = hits.size, float(sizes.sum())
    least = total**2 / float(sizes @ sizes)
    if n == 1:
        return least
    residual = hits - rate * sizes  # (n,)
    design = n / (n - 1) * float(residual @ residual) / (total * rate * (1 - rate))
    telling = min(int((hits > 0).sum()), int((hits < sizes).sum()), n - 1)
    t_pairs, t_inputs = stdtrit([total - 1, telling], (1 + level) / 2)
    return max(least, min(total, total / max(design, 1e-9) * float(t_pairs / t_inputs) ** 2))


def mid_p_ends(rate: float, n: float, tail: float) -> tuple[float, float]:
    """Where P(K > k) + P(K = k)/2 of a binomial K is `tail` and 1 - tail; k = rate · n and n need not be whole."""
    k = rate * n

    def excess(p: float, target: float) -> float:
        return float(betainc(k, n - k + 1, p) + betainc(k + 1, n - k, p)) / 2 - target

    return brentq(excess, 0.0, 1.0, args=(tail,)), brentq(excess, 0.0, 1.0, args=(1 - tail,))


def chance_flips(class_counts: Sequence[int]) -> float:
    """1 - Σ p²: how often the classes of two unrelated inputs differ; p: shares of the classes. NaN without inputs."""
    counts = np.asarray(class_counts, dtype=np.float64)  # (classes,)
    total = counts.sum()
    return float(1 - ((counts / total) ** 2).sum()) if total > 0 else math.nan
