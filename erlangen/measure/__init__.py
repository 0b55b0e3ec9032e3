"""Measures: pure functions (model, inputs, ...) -> numbers. They print nothing, assert nothing and need no model of ours.

from erlangen.measure import dirichlet_energy, lie_derivative, relative_change
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from erlangen._lazy import attach

if TYPE_CHECKING:
    from erlangen.measure.cost import median_seconds as median_seconds, peak_mib as peak_mib
    from erlangen.measure.equivariance import flipped as flipped, relative_change as relative_change
    from erlangen.measure.lens import look as look
    from erlangen.measure.lie_derivative import (
        lie_derivative as lie_derivative,
        local_equivariance_error as local_equivariance_error,
    )
    from erlangen.measure.memorization import longest_matches as longest_matches
    from erlangen.measure.probe import linear_r2 as linear_r2
    from erlangen.measure.receptive_field import (
        field_deviation as field_deviation,
        field_extent as field_extent,
        gradient_field as gradient_field,
    )
    from erlangen.measure.smoothness import dirichlet_energy as dirichlet_energy, mean_average_distance as mean_average_distance
    from erlangen.measure.text_statistics import (
        compression_ratio as compression_ratio,
        dictionary_share as dictionary_share,
        distinct_n as distinct_n,
        repetition as repetition,
    )
    from erlangen.measure.token_loss import (
        bits_per_byte as bits_per_byte,
        loss_interval as loss_interval,
        token_losses as token_losses,
    )
else:
    __getattr__, __dir__, __all__ = attach(__name__, __file__)
