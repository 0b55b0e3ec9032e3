"""Intervals, and the one rule by which a verdict is reached.

from erlangen.statistics import paired_interval, within

within(0.5).decide(paired_interval(left, right))  # 'supported', 'refuted' or 'inconclusive'
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from erlangen._lazy import attach

if TYPE_CHECKING:
    from erlangen.statistics.clustered import (
        FlipRate as FlipRate,
        Moments as Moments,
        RelativeError as RelativeError,
        flip_rate as flip_rate,
        relative_error as relative_error,
    )
    from erlangen.statistics.crossed import crossed_interval as crossed_interval
    from erlangen.statistics.intervals import (
        Interval as Interval,
        accuracy_difference as accuracy_difference,
        accuracy_interval as accuracy_interval,
        holm as holm,
        mean_interval as mean_interval,
        paired_interval as paired_interval,
        paired_p_value as paired_p_value,
        proportion_interval as proportion_interval,
    )
    from erlangen.statistics.regions import (
        Region as Region,
        at_least as at_least,
        at_most as at_most,
        between as between,
        exceeds as exceeds,
        falls_below as falls_below,
        simultaneous_level as simultaneous_level,
        units_needed as units_needed,
        within as within,
    )
else:
    __getattr__, __dir__, __all__ = attach(__name__, __file__)
