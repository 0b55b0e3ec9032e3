"""The records of a look inside a language model: what each layer predicts and where each head attends. Imports no torch."""

from __future__ import annotations

from dataclasses import dataclass, field

from erlangen.records.provenance import Provenance


@dataclass(frozen=True, kw_only=True)
class Prediction:
    """What is expected after one token. next: the token that came; with `probability` and the rest None after the last.

    rank: 1 for the likeliest. surprisal -ln p(next) and entropy in nats. top, probabilities: the likeliest, best first.
    """

    next: int | None
    probability: float | None
    rank: int | None
    surprisal: float | None
    entropy: float
    top: tuple[int, ...]
    probabilities: tuple[float, ...]


@dataclass(frozen=True, kw_only=True)
class HeadSummary:
    """Where one head looks: means over the queries that have a choice, the second token's and on; None where there are none.

    entropy: of its weights, nats; distance: tokens back. Shares of its weight: on the `first` token, on the `previous`, on the
    query's own (`itself`), and `induction`, on tokens that followed an earlier occurrence of the query's token. layer and head
    count from 0; people read them counted from 1, as the lens counts.
    """

    layer: int
    head: int
    entropy: float | None
    distance: float | None
    first: float | None
    previous: float | None
    itself: float | None
    induction: float | None


@dataclass(frozen=True, kw_only=True)
class Look(Provenance):
    """One prompt as a model reads it. `texts`: what each token named here stands for.

    lens[l][t]: what the state after l layers, read by the final norm and head, expects after token t; the last is the model.
    attention[l][h][i]: the weights of query begin + i on keys begin ... begin + i, rounded. even: a head without any preference.
    """

    tokens: tuple[int, ...]
    lens: tuple[tuple[Prediction, ...], ...]
    heads: tuple[HeadSummary, ...]
    even: HeadSummary
    induction_queries: int
    attention: tuple[tuple[tuple[tuple[float, ...], ...], ...], ...]
    begin: int
    vocabulary: int
    texts: dict[int, str] = field(default_factory=dict)

    def model_loss(self) -> float | None:
        """Mean surprisal of the prompt's tokens but the first, nats; None where there is only one."""
        known = [entry.surprisal for entry in self.lens[-1] if entry.surprisal is not None]
        return sum(known) / len(known) if known else None

    def mentioned(self) -> set[int]:
        """Every token in the prompt or among the likeliest."""
        return set(self.tokens).union(*(entry.top for layer in self.lens for entry in layer))
