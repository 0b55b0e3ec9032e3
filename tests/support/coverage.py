"""How often the intervals of `erlangen.clustered` hold the truth: `python tests/support/coverage.py` prints every cell.

Two populations whose truth is known. Flips: an input's rate is drawn from a beta of mean `rate` whose pairs correlate by `icc`.
Errors: log-normal around an input's own level, itself log-normal of sigma `between`; outputs are normal rows with an offset,
their spread estimated from as many inputs. Draws are vectorized; each interval comes from the public function.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy import stats
from scipy.special import betaincinv

from erlangen.statistics.clustered import FlipRate, Moments, flip_rate, relative_error

INPUTS, ELEMENTS = (10, 20, 50, 100, 200), (1, 5, 20)
WITHIN, FEATURES = 0.3, 4


@dataclass(frozen=True)
class FlipCell:
    """`inputs` inputs, as many pairs each as `elements`; unequal: half of the inputs have only one."""

    inputs: int
    elements: int
    icc: float
    rate: float
    unequal: bool = False

    @property
    def exacting(self) -> bool:
        """Whether 95 ± 2 % is asked, not just 92 %."""
        return self.inputs >= 50 and self.rate >= 0.1


@dataclass(frozen=True)
class ErrorCell:
    """none: the share of inputs without any error."""

    inputs: int
    elements: int
    between: float
    sites: int = 1
    none: float = 0.0

    @property
    def exacting(self) -> bool:
        return self.inputs >= 50 and self.between <= 0.5


def flip_cells() -> Iterator[FlipCell]:
    """One pair an input has nothing to correlate with: there icc = 0 stands for all."""
    for inputs in INPUTS:
        for elements in ELEMENTS:
            for icc in (0.0, 0.3, 0.9) if elements > 1 else (0.0,):
                for rate in (0.02, 0.1, 0.3, 0.5):
                    yield FlipCell(inputs, elements, icc, rate)


def error_cells() -> Iterator[ErrorCell]:
    for inputs in INPUTS:
        for elements in ELEMENTS:
            for between in (0.25, 0.5, 1.0):
                yield ErrorCell(inputs, elements, between)


def flip_coverage(cell: FlipCell, replicates: int, seed: int = 0) -> tuple[float, float]:
    """Shares of intervals that hold the rate: `flip_rate`'s, and plain Clopper & Pearson's at the same effective n."""
    rng = np.random.default_rng([seed, cell.inputs, cell.elements, round(100 * cell.icc), round(100 * cell.rate)])
    shape = (replicates, cell.inputs)
    pairs = np.where(cell.unequal & (np.arange(cell.inputs) % 2 == 0), 1, cell.elements)  # (n,)
    weight = 1 / cell.icc - 1 if cell.icc else math.inf
    rates = rng.beta(cell.rate * weight, (1 - cell.rate) * weight, shape) if cell.icc else np.full(shape, cell.rate)
    flips = rng.binomial(pairs, rates)  # (R, n)
    found = [flip_rate(row, pairs) for row in flips]
    covered = [result.interval.low <= cell.rate <= result.interval.high for result in found]
    return float(np.mean(covered)), clopper_pearson_coverage(cell.rate, found)


def clopper_pearson_coverage(rate: float, found: list[FlipRate]) -> float:
    n = np.array([result.effective for result in found])  # (R,)
    k = n * np.array([result.interval.estimate for result in found])
    with np.errstate(invalid="ignore"):
        low = np.where(k > 0, betaincinv(k, n - k + 1, 0.025), 0.0)
        high = np.where(k < n, betaincinv(k + 1, np.maximum(n - k, 1e-300), 0.975), 1.0)
    return float(np.mean((low <= rate) & (rate <= high)))


@lru_cache(maxsize=4)
def drawn_moments(inputs: int, sites: int, replicates: int) -> tuple[Moments, ...]:
    """Rows of variance 1 around 3; those of one input share half of it. Cells of other errors see the same outputs."""
    rng = np.random.default_rng([inputs, sites])
    own, shared = rng.normal(size=(2, replicates, inputs, sites, FEATURES))
    rows = 3 + math.sqrt(0.5) * (own + shared[:, :, :1])  # (R, n, S, D)
    return tuple(Moments.of(list(outputs)) for outputs in rows)


def error_coverage(cell: ErrorCell, replicates: int, seed: int = 0) -> tuple[float, float]:
    """Shares of intervals that hold the true ratio, E[error] / 1: `relative_error`'s, and plain Student's on the logarithm.

    Of those that claim an upper end: samples without any error claim none.
    """
    rng = np.random.default_rng([seed, cell.inputs, cell.elements, round(100 * cell.between)])
    level = cell.between * rng.normal(size=(replicates, cell.inputs, 1))  # (R, n, 1)
    errors = np.exp(level + WITHIN * rng.normal(size=(replicates, cell.inputs, cell.elements)))  # (R, n, m)
    errors *= rng.random((replicates, cell.inputs, 1)) >= cell.none
    truth = (1 - cell.none) * math.exp((cell.between**2 + WITHIN**2) / 2)
    counts = [cell.elements] * cell.inputs
    outputs = drawn_moments(cell.inputs, cell.sites, replicates)
    found = [relative_error(row, counts, moments) for row, moments in zip(errors.sum(-1), outputs, strict=True)]
    found = [result for result in found if not math.isnan(result.interval.high)]
    covered = [result.interval.low <= truth <= result.interval.high for result in found]
    student = [abs(result.center - math.log(truth)) <= result.error * student_quantile(cell.inputs) for result in found]
    return float(np.mean(covered)), float(np.mean(student))


@lru_cache
def student_quantile(inputs: int) -> float:
    return float(stats.t.ppf(0.975, inputs - 1))


def asked(cell: FlipCell | ErrorCell) -> tuple[float, float]:
    """What coverage the cell has to have."""
    return (0.93, 0.97) if cell.exacting else (0.92, 1.0)


def main(replicates: int = 2000) -> None:
    print("flips: inputs pairs/input icc rate | coverage % | Clopper-Pearson at the same n | asked")
    for cell in flip_cells():
        ours, plain = flip_coverage(cell, replicates)
        print_cell((cell.inputs, cell.elements, cell.icc, cell.rate), ours, plain, asked(cell))
    print("errors: inputs pairs/input sigma | coverage % | plain Student | asked")
    for cell in error_cells():
        ours, plain = error_coverage(cell, replicates)
        print_cell((cell.inputs, cell.elements, cell.between), ours, plain, asked(cell))


def print_cell(names: tuple[float, ...], ours: float, plain: float, bounds: tuple[float, float]) -> None:
    verdict = "" if bounds[0] <= ours <= bounds[1] else "  OUTSIDE"
    print(f"{' '.join(f'{name:5g}' for name in names)} | {ours:6.1%} | {plain:6.1%} | {bounds[0]:.0%}-{bounds[1]:.0%}{verdict}")


if __name__ == "__main__":
    main()
