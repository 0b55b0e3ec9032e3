"""Padding causes: differences of accuracies over seeds, and over the test images that all seeds share.

Nets of one arm err on the same images. Five of them may agree to a tenth of a point and still say little about other images: over
seeds alone, an arm would then lead as soon as it is right on one image more.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import fmean

from scipy.special import betaincinv

from erlangen.statistics.intervals import Interval, accuracy_difference, paired_interval, same_difference


def difference_over_images(left: Sequence[float], right: Sequence[float], images: float, level: float = 0.95) -> Interval:
    """mean(left - right) of accuracies in percent, paired by seed; every seed was tested on the same `images`.

        low = d - √(h² + (l - l_low)² + (r_high - r)²)        high = d + √(h² + (l_high - l)² + (r - r_low)²)

    d: the mean difference; h: half of Student's interval over seeds; l, r: both means, with the ends of Clopper and Pearson's
    interval over the images. Nets that err on the same images differ by less than this allows for. Where no difference varies
    over the seeds, see `accuracy_difference`. The ends are NaN if the number of images is.
    Source of the sum of squares: Zou & Donner, Statistics in Medicine 27, 2008.
    """
    if not math.isfinite(images):
        return paired_interval(left, right, level)._replace(low=math.nan, high=math.nan)
    paired = accuracy_difference(left, right, round(images), level)
    if paired.n < 2 or math.isnan(paired.low) or same_difference(left, right):
        return paired
    ours, theirs = (reach(fmean(side), images, level) for side in (left, right))
    half = (paired.high - paired.low) / 2
    below, above = math.hypot(half, ours[0], theirs[1]), math.hypot(half, ours[1], theirs[0])
    return paired._replace(low=max(paired.estimate - below, -100.0), high=min(paired.estimate + above, 100.0))


def reach(percent: float, images: float, level: float) -> tuple[float, float]:
    """How far Clopper and Pearson's interval of an accuracy reaches below it and above it, in points."""
    percent = min(max(percent, 0.0), 100.0)
    right, tail = percent / 100 * images, (1 - level) / 2
    low = betaincinv(right, images - right + 1, tail) if right > 0 else 0.0
    high = betaincinv(right + 1, images - right, 1 - tail) if right < images else 1.0
    return percent - 100 * float(low), 100 * float(high) - percent
