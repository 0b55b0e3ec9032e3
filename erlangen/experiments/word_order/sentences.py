"""The report's two sentences: what a net makes of each, before training and once it was trained to tell them apart."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Generator, Tensor

from erlangen.experiments.word_order.nets import Reader, reader
from erlangen.experiments.word_order.sensitivity import doubled, reading, sensitivity, spread
from erlangen.experiments.word_order.tasks import FIRST, SECOND, STOP, WORDS, Sentences
from erlangen.experiments.word_order.training import fit, schedule_of
from erlangen.records.runs import Job, Measurement
from erlangen.train.seeds import seed_everything

VOCABULARY = (*WORDS, STOP, "first", "second")
TEXTS = 32  # other sentences, by whose spread the difference is measured


def sentences(task: Sentences, job: Job) -> list[Measurement]:
    """How far apart the two sentences are for the net, and how likely it is to take each for the first, once it was trained."""
    seed_everything(job.seed)
    net = reader(task, vocabulary=len(VOCABULARY), block=len(FIRST) + 1)
    pair = encoded([(*FIRST, STOP), (*SECOND, STOP)])  # (2, 6)
    labels = encoded([("first",), ("second",)])  # (2, 1)
    others = other_sentences(TEXTS, torch.Generator().manual_seed(job.seed))
    measured = [*apart("random", net, pair, others), *sensitivity("random", net, others, job.seed)]
    fit(net, lambda generator: (pair, labels), schedule_of(task, job.seed), lambda: 0.0)
    likely = reading(doubled(net), pair).softmax(-1)[:, labels[0, 0]].tolist()
    return [
        *measured,
        *apart("trained", net, pair, others),
        *sensitivity("trained", net, others, job.seed),
        *(Measurement(f"{name}_taken_for_first", p) for name, p in zip(("first", "second"), likely, strict=True)),
    ]


def encoded(texts: Sequence[Sequence[str]]) -> Tensor:
    """The tokens (N, T) of texts of equal length."""
    return torch.tensor([[VOCABULARY.index(word) for word in text] for text in texts])


def other_sentences(n: int, generator: Generator) -> Tensor:
    """n sentences of five different words each, drawn uniformly, with a full stop: (n, 6)."""
    words = torch.rand(n, len(WORDS), generator=generator).argsort(1)[:, : len(FIRST)]
    return torch.cat([words, torch.full((n, 1), VOCABULARY.index(STOP))], 1)


def apart(when: str, net: Reader, pair: Tensor, others: Tensor) -> list[Measurement]:
    """error / spread between the two sentences, read after the full stop that ends both, and after their own last words.

    The spread is that of other sentences, read at the same place. The last words differ, couch and john, so that what is read
    there differs for nets that see no order, too.
    """
    double = doubled(net)
    measured = []
    for where, end in (("stop", None), ("last_word", -1)):
        first, second = reading(double, pair[:, :end])
        error = float(torch.linalg.vector_norm(second - first) / spread(reading(double, others[:, :end])))
        measured.append(Measurement(f"{when}_{where}", error, "error / spread"))
    return measured
