"""From logits (B, V) to the next token (B,): which tokens stay, and the draw among them.

Applied in this order, each to what the one before left (-inf: out):

1. repetition penalty r   a token seen before gets logit / r where its logit is positive, logit · r where it is negative
2. temperature T          (logit - max) / T; T = 0 is greedy: the likeliest token, the lowest of equals; 3 to 5 change nothing
3. top-k                  the k likeliest; of equals at the edge the lower tokens, so that exactly k stay
4. top-p (nucleus)        the smallest set of likeliest tokens whose probability is p or more: the token that crosses p stays
5. min-p                  tokens at least min_p times as likely as the likeliest

The draw inverts the distribution function: token = the first whose cumulated probability exceeds u ∈ [0, 1).

Sources: Keskar et al., "CTRL", 2019 (penalty; they divide only: the rule by sign is the one in use, without it a negative logit
would gain); Fan et al., 2018 (top-k); Holtzman et al., "The Curious Case of Neural Text Degeneration", ICLR 2020 (top-p); Nguyen
et al., 2024 (min-p).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from erlangen.errors import ErlangenError

OUT = float("-inf")
ROUNDING = 2**-22  # of probabilities from float32 logits: a sum this near p has reached p


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How to choose tokens; by default a draw from the model's own distribution. Raises ErlangenError naming the option."""

    temperature: float = 1.0
    top_k: int | None = None
    top_p: float | None = None
    min_p: float | None = None
    repetition_penalty: float = 1.0
    seed: int = 0

    def __post_init__(self) -> None:
        if not (math.isfinite(self.temperature) and self.temperature >= 0):
            raise ErlangenError(f"--temperature {self.temperature}: 0 (greedy) or a positive number")
        if self.top_k is not None and self.top_k < 1:
            raise ErlangenError(f"--top-k {self.top_k}: keep 1 token or more, or leave it out to keep all")
        if self.top_p is not None and not 0 < self.top_p <= 1:
            raise ErlangenError(
                f"--top-p {self.top_p}: a probability above 0, up to 1; for the likeliest token alone --temperature 0"
            )
        if self.min_p is not None and not 0 <= self.min_p <= 1:
            raise ErlangenError(f"--min-p {self.min_p}: a share between 0 and 1 of the likeliest token's probability")
        if not (math.isfinite(self.repetition_penalty) and self.repetition_penalty > 0):
            raise ErlangenError(f"--repetition-penalty {self.repetition_penalty}: a positive number; 1 changes nothing")
        if self.seed < 0:
            raise ErlangenError(f"--seed {self.seed}: 0 or more")


def sample(
    logits: Tensor, settings: Settings, generator: torch.Generator | None = None, previous: Tensor | None = None
) -> Tensor:
    """Draw a token for each row of logits (B, V) -> (B,) int64. previous (B, t): what the repetition penalty looks at."""
    return choose(logits, settings, torch.rand(len(logits), dtype=torch.float64, generator=generator), previous)


def choose(logits: Tensor, settings: Settings, uniform: Tensor, previous: Tensor | None = None) -> Tensor:
    """As `sample`, by given numbers `uniform` (B,) in [0, 1). On the CPU in float64, whatever the model's device and format.

    Raises ErlangenError where logits are not numbers, or none is finite.
    """
    scores = logits.detach().to("cpu", torch.float64)  # (B, V)
    best = scores.amax(-1)
    if not bool(best.isfinite().all()):  # NaN wins amax; all -inf and +inf are no distribution
        raise ErlangenError("the model's logits are not finite: its weights are damaged, or its training diverged")
    if settings.repetition_penalty != 1 and previous is not None:
        scores = repetition_penalty(scores, previous.cpu(), settings.repetition_penalty)
    if settings.temperature == 0:
        return scores.argmax(-1).to(logits.device)
    return inverse_distribution(filtered(scores, settings).softmax(-1), uniform).to(logits.device)


def filtered(scores: Tensor, settings: Settings) -> Tensor:
    """Steps 2 to 5; a positive temperature."""
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
    """Tokens in `previous` (B, t) made less likely, once however often they came: logit / penalty, or · penalty if negative."""
    seen = logits.gather(-1, previous)  # (B, t)
    return logits.scatter(-1, previous, torch.where(seen > 0, seen / penalty, seen * penalty))


def temperature(logits: Tensor, t: float) -> Tensor:
    """(logit - max) / t: the likeliest token stays at 0 however small t is, so that nothing overflows."""
    return (logits - logits.amax(-1, keepdim=True)) / t


def top_k(logits: Tensor, k: int) -> Tensor:
    """The k largest of each row, all where the row has no more."""
    if k >= logits.shape[-1]:
        return logits
    edge = logits.topk(k, -1).values[..., -1:]  # (B, 1)
    above, at = logits > edge, logits == edge
    keep = above | (at & (at.cumsum(-1) <= k - above.sum(-1, keepdim=True)))
    return logits.masked_fill(~keep, OUT)


def top_p(logits: Tensor, p: float) -> Tensor:
    """The likeliest tokens up to the one with which their probability reaches p (to within `ROUNDING`)."""
    if p >= 1:
        return logits
    values, order = logits.sort(dim=-1, descending=True, stable=True)
    probabilities = values.double().softmax(-1)
    before = probabilities.cumsum(-1) - probabilities  # what the likelier ones have together
    drop = before >= p - ROUNDING
    drop[..., 0] = False  # for p below the rounding
    return logits.masked_fill(torch.empty_like(drop).scatter_(-1, order, drop), OUT)


def min_p(logits: Tensor, share: float) -> Tensor:
    """Tokens of probability ≥ share · that of the likeliest."""
    if share == 0:
        return logits
    return logits.masked_fill(logits < logits.amax(-1, keepdim=True) + math.log(share), OUT)


def inverse_distribution(probabilities: Tensor, uniform: Tensor) -> Tensor:
    """The token of each row at which cumulated probability passes `uniform` (B,) in [0, 1): never one of probability 0."""
    cumulated = probabilities.cumsum(-1)  # (B, V)
    at = uniform[:, None] * cumulated[:, -1:] * (1 - 2**-50)  # below the sum, also after rounding
    return torch.searchsorted(cumulated, at, right=True)[:, 0]
