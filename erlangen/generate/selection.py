"""The choice of the next token on the model's device, without waiting for it: the rules of erlangen.generate.filters.

With the weights w_i = exp((x_i - max x) / T) in the order of their logits, top-k and top-p keep the tokens down to one of them:

    top-k   x_i ≥ x_{k-1};   the others' weights are 0
    top-p   x_i ≥ x_j,  with the first j for which  w_0 + ... + w_j ≥ p Σ w

The logits are sorted in their own dtype: in bfloat16 these are 16 bits, which a radix sort on a GPU passes over twice, while
weights and sums are float64. The draw inverts the distribution function in the order of the tokens' indices, as `filters.choose`
does, so that equal logits and equal numbers give the same token.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from erlangen.generate.filters import OUT, ROUNDING, likeliest, typical
from erlangen.generate.settings import Settings

BELOW_ONE = 1 - 2**-50  # as in filters.inverse_distribution


def select(
    logits: Tensor, settings: Settings, uniform: Tensor, seen: Tensor | None = None, banned: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Logits (B, V) -> tokens (B,) int64, and the largest score of each row (B,), of which the caller checks that it is finite.

    uniform: numbers (B,) float64 in [0, 1), not used at temperature 0. seen, banned: (B, V) bool, the tokens that occurred
    before, if there is a repetition penalty, and those that would repeat an n-gram, never all of a row. Every operation has
    fixed shapes and leaves its result on the device. Where logits are not finite, a token may be V.
    """
    scores = logits
    if settings.repetition_penalty != 1 and seen is not None:
        scores, penalty = logits.double(), settings.repetition_penalty
        scores = torch.where(seen, torch.where(scores > 0, scores / penalty, scores * penalty), scores)
    if banned is not None:
        scores = scores.masked_fill(banned, OUT)
    best, first = scores.max(-1)
    if settings.temperature == 0:
        return first, best
    odds = scores.double() - best[:, None]  # (B, V) float64
    if settings.temperature != 1:
        odds = odds / settings.temperature
    cumulative = weigh(odds, scores, settings).cumsum(-1)
    at = uniform[:, None] * cumulative[:, -1:] * BELOW_ONE
    return torch.searchsorted(cumulative, at, right=True)[:, 0], best


def weigh(odds: Tensor, scores: Tensor, settings: Settings) -> Tensor:
    """The weights exp(odds) (B, V) with those set to 0 that a filter removes. scores: (B, V), by which tokens are ordered."""
    least = settings.min_tokens_to_keep
    weights = nucleus(odds.exp(), scores, settings.top_k, settings.top_p, least)
    if settings.min_p:
        keep = odds >= math.log(settings.min_p)
        weights = weights.where(keep if least == 1 else keep | likeliest(scores, least), 0.0)
    if settings.typical_p is not None and settings.typical_p < 1:
        log_probabilities = torch.where(weights > 0, odds, OUT) - weights.sum(-1, keepdim=True).log()
        weights = weights.where(typical(log_probabilities, settings.typical_p, least), 0.0)
    return weights


def nucleus(weights: Tensor, scores: Tensor, top_k: int | None, top_p: float | None, least: int) -> Tensor:
    """The weights (B, V) with those set to 0 that top-k and top-p do not keep; the `least` likeliest are kept."""
    vocabulary = scores.shape[-1]
    k = vocabulary if top_k is None else min(max(top_k, least), vocabulary)
    all_of_p = top_p is None or top_p >= 1
    if k == vocabulary and all_of_p:
        return weights
    values, order = scores.sort(dim=-1, descending=True)  # (B, V)
    if k < vocabulary:
        weights = weights.where(scores >= values[:, k - 1 : k], 0.0)
    if not all_of_p and top_p is not None:
        cumulative = weights.gather(-1, order).cumsum(-1)
        last = torch.searchsorted(cumulative, cumulative[:, -1:] * (top_p - ROUNDING))  # (B, 1), which crosses p
        weights = weights.where(scores >= values.gather(-1, last.clamp(min(least, vocabulary) - 1, vocabulary - 1)), 0.0)
    return weights
