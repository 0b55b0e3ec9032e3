"""From logits (B, V) to the next token (B,): filters that remove tokens, and the draw among those that are left.

The filters are applied in this order, each to the result of the previous one (-inf: removed):

1. repetition penalty r   a token that occurred before gets logit / r if its logit is positive, logit · r if it is negative
2. no repeated n-grams    removes the tokens that would complete an n-gram of the text (erlangen.generate.ngrams)
3. temperature T          (logit - max) / T. T = 0 is greedy: the likeliest token, or the lowest of equally likely ones; then
                          filters 4 to 7 have no effect
4. top-k                  keeps the k likeliest tokens
5. top-p (nucleus)        keeps the likeliest tokens up to the one with which their probability reaches p
6. min-p                  keeps tokens that are at least min_p times as likely as the likeliest
7. typical-p              keeps tokens whose information -ln p is closest to the entropy H of the distribution, up to a
                          probability of at least typical_p. The likeliest token may go

min_tokens_to_keep = m: filters 4 to 6 keep the m likeliest tokens in any case, and filter 7 the m most typical ones.

No filter tells equally likely tokens apart: those that are as likely as the last one that top-k, top-p or m keeps stay as well
(filter 7: those as typical). A renumbered vocabulary therefore gives the same distribution. With logits in bfloat16, of which
many are equal, top-k 50 may keep 55 tokens.

The draw inverts the distribution function: it takes the first token whose cumulative probability exceeds u ∈ [0, 1).

Sources: Keskar et al., "CTRL", 2019 (penalty; they always divide, but the rule by sign is the common one, since dividing a
negative logit would raise it); Fan et al., 2018 (top-k); Holtzman et al., "The Curious Case of Neural Text Degeneration", ICLR
2020 (top-p); Nguyen et al., 2024 (min-p); Meister et al., "Locally Typical Sampling", TACL 2023 (typical-p).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from erlangen.errors import ErlangenError
from erlangen.generate.ngrams import nothing_left, removable, repeated_ngrams
from erlangen.generate.settings import Settings

OUT = float("-inf")
NOT_FINITE = "the model's logits are not finite, because its weights are damaged or its training diverged: use another checkpoint"
PADDING = 2**31 - 1  # stands in a text for padding, which is no token of it
ROUNDING = 2**-22  # of probabilities from float32 logits: a sum this close to p counts as having reached p


def sample(
    logits: Tensor, settings: Settings, generator: torch.Generator | None = None, previous: Tensor | None = None
) -> Tensor:
    """Draw a token for each row of logits (B, V) -> (B,) int64. previous (B, t): earlier tokens, for filters 1 and 2.

    Raises ErlangenError as `choose` does.
    """
    return choose(logits, settings, torch.rand(len(logits), dtype=torch.float64, generator=generator), previous)


def choose(
    logits: Tensor, settings: Settings, uniform: Tensor, previous: Tensor | None = None, ended: Tensor | None = None
) -> Tensor:
    """Like `sample`, but with given numbers `uniform` (B,) in [0, 1). Computed on the CPU in float64 for every device and dtype.

    ended: rows (B,) whose token does not matter. Raises ErlangenError if the largest logit of a row is NaN or infinite, and if
    every token of a row that has not ended would repeat an n-gram.
    """
    scores = logits.detach().to("cpu", torch.float64)  # (B, V)
    if not bool(scores.amax(-1).isfinite().all()):  # NaN if there is one; rows of -inf, or with +inf, have no distribution
        raise ErlangenError(NOT_FINITE)
    if previous is not None:
        scores = without_repetition(scores, settings, previous.cpu(), ended)
    if settings.temperature == 0:
        return scores.argmax(-1).to(logits.device)
    return inverse_distribution(filtered(scores, settings).softmax(-1), uniform).to(logits.device)


def without_repetition(scores: Tensor, settings: Settings, previous: Tensor, ended: Tensor | None) -> Tensor:
    """The scores after filters 1 and 2. previous: (B, t), with PADDING anywhere but at the end.

    Rows that have ended keep all tokens where none would be left.
    """
    if settings.repetition_penalty != 1:
        occurred = torch.where(previous == PADDING, previous[:, -1:], previous)  # once more or less makes no difference
        scores = repetition_penalty(scores, occurred, settings.repetition_penalty)
    if settings.no_repeat_ngram_size is None:
        return scores
    banned, stuck = removable(repeated_ngrams(previous, settings.no_repeat_ngram_size, scores.shape[-1]))  # (B, V), (B,)
    if bool((stuck if ended is None else stuck & ~ended.cpu()).any()):
        raise nothing_left(settings.no_repeat_ngram_size)
    return scores.masked_fill(banned, OUT)


def filtered(scores: Tensor, settings: Settings) -> Tensor:
    """The scores after filters 3 to 7, for a positive temperature."""
    least = settings.min_tokens_to_keep
    if settings.temperature != 1:
        scores = temperature(scores, settings.temperature)
    if settings.top_k is not None:
        scores = top_k(scores, settings.top_k, least)
    if settings.top_p is not None:
        scores = top_p(scores, settings.top_p, least)
    if settings.min_p is not None:
        scores = min_p(scores, settings.min_p, least)
    if settings.typical_p is not None:
        scores = typical_p(scores, settings.typical_p, least)
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


def likeliest(logits: Tensor, k: int) -> Tensor:
    """Which tokens of each row have the k largest logits, (B, V) bool; all that are equal to the k-th are among them."""
    return logits >= logits.topk(min(k, logits.shape[-1]), -1).values[..., -1:]


def top_k(logits: Tensor, k: int, min_tokens_to_keep: int = 1) -> Tensor:
    """Keep the k largest logits of each row, and those equal to the k-th; all if the row has no more than k."""
    k = max(k, min_tokens_to_keep)
    return logits if k >= logits.shape[-1] else logits.masked_fill(~likeliest(logits, k), OUT)


def top_p(logits: Tensor, p: float, min_tokens_to_keep: int = 1) -> Tensor:
    """Keep the likeliest tokens, up to the one with which their total probability reaches p (to within `ROUNDING`).

    Tokens as likely as that one stay as well.
    """
    if p >= 1:
        return logits
    values = logits.sort(dim=-1, descending=True).values
    reached = values.double().softmax(-1).cumsum(-1) >= p - ROUNDING
    last = (~reached).sum(-1, keepdim=True).clamp(min(min_tokens_to_keep, reached.shape[-1]) - 1, reached.shape[-1] - 1)
    return logits.masked_fill(logits < values.gather(-1, last), OUT)


def min_p(logits: Tensor, share: float, min_tokens_to_keep: int = 1) -> Tensor:
    """Keep the tokens whose probability is at least `share` times that of the likeliest."""
    if share == 0:
        return logits
    drop = logits < logits.amax(-1, keepdim=True) + math.log(share)
    if min_tokens_to_keep > 1:
        drop &= ~likeliest(logits, min_tokens_to_keep)
    return logits.masked_fill(drop, OUT)


def typical_p(logits: Tensor, mass: float, min_tokens_to_keep: int = 1) -> Tensor:
    """Keep the tokens of smallest |ln p + H|, H = -Σ p ln p, up to the one with which their total probability reaches `mass`.

    Tokens as far from H as that one (to within `ROUNDING`) stay as well, as in the authors' code, so that the result does not
    depend on the order of the vocabulary.
    """
    if mass >= 1:
        return logits
    return logits.masked_fill(~typical(logits.double().log_softmax(-1), mass, min_tokens_to_keep), OUT)


def typical(log_probabilities: Tensor, mass: float, min_tokens_to_keep: int) -> Tensor:
    """Which tokens `typical_p` keeps, (B, V) bool, from ln p (B, V) float64, -inf for tokens that were removed before."""
    probabilities = log_probabilities.exp()
    entropy = -torch.where(probabilities > 0, log_probabilities * probabilities, 0.0).sum(-1, keepdim=True)  # (B, 1)
    distance, order = (log_probabilities + entropy).abs().sort(dim=-1, stable=True)  # infinite for removed tokens
    reached = probabilities.gather(-1, order).cumsum(-1) >= mass - ROUNDING
    last = (~reached).sum(-1, keepdim=True).clamp(min(min_tokens_to_keep, reached.shape[-1]) - 1, reached.shape[-1] - 1)
    return (log_probabilities + entropy).abs() <= distance.gather(-1, last) + ROUNDING


def inverse_distribution(probabilities: Tensor, uniform: Tensor) -> Tensor:
    """The token of each row at which the cumulative probability exceeds `uniform` (B,) in [0, 1).

    It is never a token of probability 0.
    """
    cumulative = probabilities.cumsum(-1)  # (B, V)
    at = uniform[:, None] * cumulative[:, -1:] * (1 - 2**-50)  # below the sum, also after rounding
    return torch.searchsorted(cumulative, at, right=True)[:, 0]
