"""Tales that a net tells, judged by the grammar that all tales come from."""

from __future__ import annotations

import numpy as np

from erlangen.data.corpus import Corpus
from erlangen.data.prefix_filter import character_log_probabilities
from erlangen.data.tales import END, GRAMMAR
from erlangen.experiments.fairytales import SETTINGS, WORDS
from erlangen.generate.decode import generate
from erlangen.generate.filters import Settings
from erlangen.measure.memorization import longest_matches
from erlangen.models.gpt import GPT
from erlangen.records.runs import Measurement
from erlangen.train.language_model import Precision, part_losses


def told(
    which: str, model: GPT, corpus: Corpus, training: str, least: np.ndarray, n: int, precision: Precision, seed: int
) -> list[Measurement]:
    """Distance to the floor on the test part, and n tales in each setting. least (characters,): what the floor gives for it."""
    losses, scored = part_losses(model, corpus, "test", precision)
    least = least[scored.numpy()]
    found = [
        Measurement(f"{which}_test_loss", float(losses.mean()), "nats per character"),
        Measurement(f"{which}_floor", float(least.mean()), "nats per character, of the same characters"),
        Measurement(f"{which}_above_floor", float((losses.numpy() - least).mean()), "nats per character"),
    ]
    for name, (temperature, top_p) in SETTINGS.items():
        settings = Settings(temperature=temperature, top_p=top_p, seed=seed)
        found += described(f"{which}_{name}", written(model, corpus, n, settings), training)
    return found


def fresh(text: str, training: str) -> list[Measurement]:
    """The same shares of tales that the grammar tells by itself."""
    return described("fresh", text.split(END)[:-1], training)


def written(model: GPT, corpus: Corpus, n: int, settings: Settings) -> list[str]:
    """n tales, without their END where they have one within the block; else cut there, with a mark that no tale has."""
    end = corpus.tokenizer.encode(END)
    tokens = generate(model, end.repeat(n, 1).to(model.embed.weight.device), model.config.block, settings=settings, stop=int(end))
    texts = [corpus.tokenizer.decode(row[1:].cpu()) for row in tokens]
    return [text.split(END)[0] if END in text else text + "…" for text in texts]


def described(name: str, told: list[str], training: str) -> list[Measurement]:
    """Shares of tales: grammatical, copies of one in the training text, grammatical and no copy; how far the grammar follows."""
    seen = set(training.split(END)[:-1])
    followed = [np.isfinite(character_log_probabilities(GRAMMAR, tale + END)) for tale in told]
    grammatical = np.array([bool(ok.all()) for ok in followed])
    copies = np.array([tale in seen for tale in told])
    matches = longest_matches(told, training, max(WORDS), "words")
    return [
        Measurement(f"{name}_grammatical", float(grammatical.mean()), "of 1"),
        Measurement(f"{name}_copies", float(copies.mean()), "of 1"),
        Measurement(f"{name}_grammatical_and_new", float((grammatical & ~copies).mean()), "of 1"),
        Measurement(f"{name}_followed", float(np.mean([ok.mean() for ok in followed])), "of a tale, before what no tale can say"),
        Measurement(f"{name}_verbatim_words", tuple(matches.share(n) for n in WORDS), "of 1"),
    ]
