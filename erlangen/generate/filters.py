"""From logits (B, V) to the next token (B,): filters that remove tokens, and the draw among those that are left.

The filters are applied in this order, each to the result of the previous one (-inf: removed):

1. repetition penalty r   a token that occurred before gets logit / r if its logit is positive, logit · r if it is negative
2. temperature T          (logit - max) / T. T = 0 is greedy: the likeliest token, or the lowest of equally likely ones; then
                          filters 3 to 5 have no effect
3. top-k                  keeps the k likeliest tokens; of equally likely tokens at the edge the lower ones, so exactly k stay
4. top-p (nucleus)        keeps the smallest set of likeliest tokens whose probability is at least p, including the one that
                          crosses p
5. min-p                  keeps tokens that are at least min_p times as likely as the likeliest

The draw inverts the distribution function: it takes the first token whose cumulative probability exceeds u ∈ [0, 1).

Sources: Keskar et al., "CTRL", 2019 (penalty; they always divide, but the rule by sign is the common one, since dividing a
negative logit would raise it); Fan et al., 2018 (top-k); Holtzman et al., "The Curious Case of Neural Text Degeneration", ICLR
2020 (top-p); Nguyen et al., 2024 (min-p).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from erlangen.errors import ErlangenError

OUT = float("-inf")
NOT_FINITE = "the model's logits are not finite, because its weights are damaged or its training diverged: use another checkpoint"
ROUNDING = 2**-22  # of probabilities from float32 logits: a sum this close to p counts as having reached p


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How to choose tokens; the default is a draw from the model's distribution.

    Raises ErlangenError, which names the option, for a value out of range.
    """

    temperature: float = 1.0
    top_k: int | None = None
    top_p: float | None = None
    min_p: float | None = None
    repetition_penalty: float = 1.0
    seed: int = 0

    def __post_init__(self) -> None:
        if not (math.isfinite(self.temperature) and self.temperature >= 0):
            raise ErlangenError(f"--temperature {self.temperature}: must be 0 (greedy) or a positive number")
        if self.top_k is not None and self.top_k < 1:
            raise ErlangenError(f"--top-k {self.top_k}: must be at least 1; leave it out to keep all tokens")
        if self.top_p is not None and not 0 < self.top_p <= 1:
            raise ErlangenError(
                f"--top-p {self.top_p}: must be a probability above 0 and at most 1; use --temperature 0 for the likeliest token"
            )
        if self.min_p is not None and not 0 <= self.min_p <= 1:
            raise ErlangenError(f"--min-p {self.min_p}: must be a share of the likeliest token's probability, from 0 to 1")
        if not (math.isfinite(self.repetition_penalty) and self.repetition_penalty > 0):
            raise ErlangenError(f"--repetition-penalty {self.repetition_penalty}: must be a positive number; 1 has no effect")
        if self.seed < 0:
            raise ErlangenError(f"--seed {self.seed}: must be 0 or more")


def sample(
    logits: Tensor, settings: Settings, generator: torch.Generator | None = None, previous: Tensor | None = None
) -> Tensor:
    """Draw a token for each row of logits (B, V) -> (B,) int64. previous (B, t): earlier tokens, for the repetition penalty."""
    return choose(logits, settings, torch.rand(len(logits), dtype=torch.float64, generator=generator), previous)


def choose(logits: Tensor, settings: Settings, uniform: Tensor, previous: Tensor | None = None) -> Tensor:
    """Like `sample`, but with given numbers `uniform` (B,) in [0, 1). Computed on the CPU in float64 for every device and dtype.

    Raises ErlangenError if the largest logit of a row is NaN or infinite.
    """
    scores = logits.detach().to("cpu", torch.float64)  # (B, V)
    best = scores.amax(-1)
    if not bool(best.isfinite().all()):  # amax returns NaN if there is one; rows of -inf, or with +inf, have no distribution
        raise ErlangenError(NOT_FINITE)
    if settings.repetition_penalty != 1 and previous is not None:
        scores = repetition_penalty(scores, previous.cpu(), settings.repetition_penalty)
    if settings.temperature == 0:
        return scores.argmax(-1).to(logits.device)
    return inverse_distribution(filtered(scores, settings).softmax(-1), uniform).to(logits.device)


def filtered(scores: Tensor, settings: Settings) -> Tensor:
    """The scores after filters 2 to 5, for a positive temperature."""
    if settings.temperature != 1:
        scores = temperature(scores, settings.temperature)
    if settings.top_k is not None:
        scores = top_k(scores, settings.top_k)
    if settings.top_p is not None:
        scores = top_p(scores, settings.top_p)
    if settings.min_p is not None:
        scores = min_p(scores, settings.min_p)
    return scores


def repetition_penalty(logits: Tensor, previous: Tensor, penalty: float) -> Tensor:
    """Make the tokens in `previous` (B, t) less likely: logit / penalty, or logit · penalty if negative.

    The penalty is applied once, however often a token occurred.
    """
    seen = logits.gather(-1, previous)  # (B, t)
    return logits.scatter(-1, previous, torch.where(seen > 0, seen / penalty, seen * penalty))


def temperature(logits: Tensor, t: float) -> Tensor:
    """(logit - max) / t. The likeliest token stays at 0 however small t is, so nothing overflows."""
    return (logits - logits.amax(-1, keepdim=True)) / t


def top_k(logits: Tensor, k: int) -> Tensor:
    """Keep the k largest logits of each row, or all if the row has no more than k."""
    if k >= logits.shape[-1]:
        return logits
    edge = logits.topk(k, -1).values[..., -1:]  # (B, 1)
    above, at = logits > edge, logits == edge
    keep = above | (at & (at.cumsum(-1) <= k - above.sum(-1, keepdim=True)))
    return logits.masked_fill(~keep, OUT)


def top_p(logits: Tensor, p: float) -> Tensor:
    """Keep the likeliest tokens, up to the one with which their total probability reaches p (to within `ROUNDING`)."""
    if p >= 1:
        return logits
    values, order = logits.sort(dim=-1, descending=True, stable=True)
    probabilities = values.double().softmax(-1)
    before = probabilities.cumsum(-1) - probabilities  # the total probability of the likelier tokens
    drop = before >= p - ROUNDING
    drop[..., 0] = False  # for p below the rounding
    return logits.masked_fill(torch.empty_like(drop).scatter_(-1, order, drop), OUT)


def min_p(logits: Tensor, share: float) -> Tensor:
    """Keep the tokens whose probability is at least `share` times that of the likeliest."""
    if share == 0:
        return logits
    return logits.masked_fill(logits < logits.amax(-1, keepdim=True) + math.log(share), OUT)


def inverse_distribution(probabilities: Tensor, uniform: Tensor) -> Tensor:
    """The token of each row at which the cumulative probability exceeds `uniform` (B,) in [0, 1).

    It is never a token of probability 0.
    """
    cumulative = probabilities.cumsum(-1)  # (B, V)
    at = uniform[:, None] * cumulative[:, -1:] * (1 - 2**-50)  # below the sum, also after rounding
    return torch.searchsorted(cumulative, at, right=True)[:, 0]
