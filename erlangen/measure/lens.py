"""Look inside a language model: which token each layer predicts, and where each head looks.

    logit lens   softmax(head(norm(h_l))): the state after l layers, read as if it were the last; l = 0 is the embedding alone
    attention    a_l,h[t, s]: the weight that query t of a head gives to key s <= t

Sources: nostalgebraist, "interpreting GPT: the logit lens", 2020; Olsson et al., "In-context Learning and Induction Heads", 2022.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol, cast

import torch
from torch import Tensor

from erlangen.records.inspection import HeadSummary, Look, Prediction

DECIMALS = 5  # of an attention weight


class Transparent(Protocol):
    """A decoder whose intermediate states can be read."""

    def states(self, tokens: Tensor, *, weights: list[Tensor] | None = None) -> list[Tensor]:
        """tokens (B, T) -> layers + 1 states (B, T, width). Appends each layer's attention weights (B, H, T, T) to `weights`."""
        ...

    def unembed(self, h: Tensor) -> Tensor:
        """The logits (..., vocabulary) of a state, through the final norm and the head."""
        ...


@torch.no_grad()
def look(model: Transparent, tokens: Tensor, top: int = 5, maps: int = 128) -> Look:
    """The logit lens and the attention for a prompt, tokens (T,) int64.

    The caller adds the texts of the tokens and the model's name. top: likeliest tokens to keep per prediction. maps: attention
    maps are kept for this many of the last tokens, since they grow quadratically; the summaries are over all tokens. Raises
    ValueError for no tokens, and for a model in training mode, because of its dropout.
    """
    if tokens.ndim != 1 or not len(tokens):
        raise ValueError(f"look: tokens must have shape (T,) with at least one token, but have {tuple(tokens.shape)}")
    if getattr(model, "training", False):
        raise ValueError("look: the model is in training mode: call eval() first")
    weights: list[Tensor] = []
    states = model.states(tokens[None], weights=weights)
    lens = [predictions(model.unembed(h[0]), tokens, top) for h in states]
    begin = max(len(tokens) - maps, 0)
    heads, queries = [], int(induction_targets(tokens).any(1).sum())
    for layer, a in enumerate(weights):
        heads += head_summaries(a[0], tokens, layer)
    return Look(
        tokens=tuple(tokens.tolist()),
        lens=tuple(lens),
        heads=tuple(heads),
        even=head_summaries(even_attention(len(tokens), tokens.device)[None], tokens)[0],
        induction_queries=queries,
        attention=tuple(tuple(_rows(head[begin:, begin:]) for head in a[0]) for a in weights),
        begin=begin,
        vocabulary=model.unembed(states[-1][0, -1]).shape[-1],
    )


def predictions(logits: Tensor, tokens: Tensor, top: int = 5) -> tuple[Prediction, ...]:
    """The predictions of logits (T, V) after each of tokens (T,), compared with the token that follows: T predictions.

    rank = 1 + number of tokens with a larger logit; entropy = -Σ p ln p. top: likeliest tokens to keep, at most V.
    """
    logp = logits.log_softmax(-1, torch.promote_types(logits.dtype, torch.float32))  # (T, V)
    entropy = torch.special.entr(logp.exp()).sum(-1)  # (T,)
    best = logp.topk(min(top, logp.shape[-1]), -1)
    true = logp[:-1].gather(1, tokens[1:, None])  # (T - 1, 1)
    ranks = (1 + (logp[:-1] > true).sum(-1)).tolist()
    surprisals, probabilities = true[:, 0].abs().tolist(), true[:, 0].exp().tolist()
    following = tokens[1:].tolist()
    rows = zip(entropy.tolist(), best.indices.tolist(), best.values.exp().tolist(), strict=True)
    return tuple(
        Prediction(
            next=following[t] if t < len(following) else None,
            probability=probabilities[t] if t < len(following) else None,
            rank=ranks[t] if t < len(following) else None,
            surprisal=surprisals[t] if t < len(following) else None,
            entropy=h, top=tuple(likeliest), probabilities=tuple(p),
        )
        for t, (h, likeliest, p) in enumerate(rows)
    )  # fmt: skip


def head_summaries(weights: Tensor, tokens: Tensor, layer: int = 0) -> list[HeadSummary]:
    """Where each head of a layer looks. weights (H, T, T), whose rows sum to 1; tokens (T,).

    Means over the queries t >= 1. The mean of `induction` is over those whose token has occurred before and has at least one key
    between that occurrence and t.
    """
    t = len(tokens)
    a = weights.double()
    here = torch.arange(t, device=a.device)
    targets = induction_targets(tokens)  # (T, T)
    measures = {
        "entropy": torch.special.entr(a).sum(-1),  # (H, T)
        "distance": (a * (here[:, None] - here)).sum(-1),
        "first": a[:, :, 0],
        "previous": torch.cat([a[:, :1, 0], a.diagonal(-1, 1, 2)], 1),
        "itself": a.diagonal(0, 1, 2),
    }
    means = {name: _mean(value[:, 1:]) for name, value in measures.items()}
    means["induction"] = _mean((a * targets).sum(-1)[:, targets.any(1)])
    return [
        HeadSummary(layer=layer, head=head, **{name: values[head] for name, values in means.items()}) for head in range(len(a))
    ]


def induction_targets(tokens: Tensor) -> Tensor:
    """(T, T) bool: whether key s < t follows an earlier occurrence of the token of query t, tokens[s - 1] == tokens[t].

    s = t is left out: otherwise the second of two equal adjacent tokens would be its own target, although it copies nothing.
    """
    t = len(tokens)
    follows = torch.zeros(t, t, dtype=torch.bool, device=tokens.device)
    follows[:, 1:] = tokens[:, None] == tokens[:-1]
    return follows.tril(-1)


def even_attention(t: int, device: torch.device | None = None) -> Tensor:
    """(T, T): uniform attention of each query over itself and all earlier tokens, as a reference for the summaries."""
    return torch.ones(t, t, dtype=torch.float64, device=device).tril() / torch.arange(1, t + 1, device=device)[:, None]


def _mean(values: Tensor) -> list[float | None]:
    """The mean of each row of (H, n); None if n = 0."""
    return cast("list[float | None]", values.mean(1).tolist()) if values.shape[1] else [None] * len(values)


def _rows(head: Tensor) -> tuple[tuple[float, ...], ...]:
    """The lower triangle of (n, n), row by row."""
    rounded: Iterator[list[float]] = iter(head.double().round(decimals=DECIMALS).tolist())
    return tuple(tuple(row[: t + 1]) for t, row in enumerate(rounded))
