"""Train a small GPT on generated tales, compare its loss with the true entropy, and print a tale.

    python examples/small_gpt.py [STEPS]

The tales come from a grammar, so the true probability of every next character is known, and no model can have a loss below the
floor.
"""

from __future__ import annotations

import sys
from dataclasses import replace

import erlangen
from erlangen.auditing.audit import Audit
from erlangen.data.corpora import load_corpus
from erlangen.data.corpus import Corpus
from erlangen.data.tales import floor
from erlangen.generate.decode import generate
from erlangen.generate.settings import Settings
from erlangen.measure.token_loss import loss_interval
from erlangen.models.gpt import GPT, PRESETS
from erlangen.statistics.intervals import Interval
from erlangen.train.language_model import LanguageSchedule, fit, part_losses


def trained(steps: int, tales: int = 3000, size: str = "gpt-nano") -> tuple[GPT, Corpus]:
    """A model after this many training steps, and its corpus."""
    corpus = load_corpus("tales", block=256, tales=tales)
    model = GPT(replace(PRESETS[size], vocabulary=corpus.tokenizer.size, block=256, dropout=0.0))
    fit(model, corpus, LanguageSchedule(steps=steps, batch=8, lr=5e-3, evaluate_every=max(steps // 4, 1)))
    return model, corpus


def above_the_floor(model: GPT, corpus: Corpus) -> tuple[Interval, float]:
    """The mean loss above the true entropy in nats per character, paired character by character; and this entropy."""
    losses, at = part_losses(model, corpus, "test", limit=20_000)
    least = floor(corpus.tokenizer.decode(corpus.test[at]))
    return loss_interval(losses.numpy() - least), float(least.mean())


def tale(model: GPT, corpus: Corpus, begin: str = "Hans ") -> str:
    """A tale that the model writes, up to its end."""
    tokens = generate(model, corpus.tokenizer.encode(begin), 240, settings=Settings(temperature=0.7, seed=1))
    return corpus.tokenizer.decode(tokens[0]).split("\n")[0]


def causality(model: GPT, corpus: Corpus) -> Audit:
    """Audit whether a prediction depends on later characters."""
    starts = corpus.test_starts
    assert starts is not None
    return erlangen.audit(model, corpus.test.unfold(0, 64, 1)[starts[:16]].long(), ["causality"], domain="texts")


if __name__ == "__main__":
    model, corpus = trained(int(sys.argv[1]) if len(sys.argv) > 1 else 600)
    gap, entropy = above_the_floor(model, corpus)
    print(f"{gap.estimate:.3f} [{gap.low:.3f}, {gap.high:.3f}] nats per character above the floor of {entropy:.3f}\n")
    print(tale(model, corpus), "\n")
    print(causality(model, corpus))
