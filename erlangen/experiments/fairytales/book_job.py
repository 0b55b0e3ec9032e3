"""A net in the source's regime: trained on a slice of a text, asked to go on from passages of what follows."""

from __future__ import annotations

import math
from collections.abc import Container, Mapping, Sequence

import numpy as np

from erlangen.data.characters import CharacterTokenizer
from erlangen.data.corpus import Corpus
from erlangen.data.tales import tales
from erlangen.data.text_file import named_text
from erlangen.experiments.fairytales.nets import build, late_loss, train
from erlangen.experiments.fairytales.recall import next_word_probabilities
from erlangen.experiments.fairytales.style import odds_of, other_prose, score, taken_for_the_book
from erlangen.experiments.fairytales.tasks import CHARACTERS, SETTINGS, WORDS, Book
from erlangen.generate.writing import copied, described, passages, written
from erlangen.measure.text_statistics import english_words, words
from erlangen.measure.token_loss import bits_per_byte
from erlangen.models.gpt import GPT
from erlangen.records.runs import Job, Measurement
from erlangen.train.language_model import LanguageHistory, LanguageSchedule, part_losses


def train_on_book(task: Book, job: Job) -> list[Measurement]:
    """Curves, losses at the least validation loss and at the last step, and what is written there."""
    corpus, training, test = cut(task, job.seed)
    model = build(task, corpus.tokenizer.size, job.seed)
    schedule = LanguageSchedule(
        steps=task.steps, batch=task.batch, lr=task.lr, final=1.0, warmup=min(100, task.steps // 10), betas=(0.9, 0.95),
        evaluate_every=max(task.steps // task.evaluations, 1), evaluation_tokens=None, seed=job.seed,
    )  # fmt: skip
    history, weights = train(model, corpus, schedule, job)
    parameters = Measurement("parameters_a_character", model.parameter_count() / len(training))
    measured = [parameters, *curves(history, task.batch * task.block / len(training)), late_loss(history.evaluations, task.steps)]
    dictionary = english_words() if task.dictionary == "english" else frozenset(words(training))
    parts = passages(test, task.samples, task.prompt, task.length)
    prompts = [passage.prompt for passage in parts]
    learned_from, others = other_prose()
    odds = odds_of(training + corpus.tokenizer.decode(corpus.validation), learned_from)
    wrote = {
        "held_out": [passage.rest for passage in parts],
        "other_prose": [passage.rest for passage in passages(others, task.samples, task.prompt, task.length)],
    }
    for which, state in weights.items():
        model.load_state_dict(state)
        measured += [*losses(which, model, corpus, job), *recall(which, model, corpus, training, test, task)]
        for name, setting in SETTINGS.items():
            wrote[f"{which}_{name}"] = written(model, corpus.tokenizer, prompts, task.length, setting, job.seed)
    for name, texts in wrote.items():
        measured += [*profile(name, texts, training, dictionary), *style(name, texts, odds)]
    return measured


def cut(task: Book, seed: int) -> tuple[Corpus, str, str]:
    """A slice of the text to train on, with what follows it held out: as a corpus, and its training and test text.

    No seed's slice, with what is held out of it, overlaps another's: intervals over seeds need independent ones.
    """
    if task.corpus == "tales":
        text, place = tales(task.span // 150 + 1, seed=seed), 0  # no tale is shorter; a book for each seed
    else:
        text, place = named_text(task.corpus, task.digest), seed
    start = task.span * int(np.random.default_rng(9).permutation(len(text) // task.span)[place])
    n_validation, n_test = task.held_out
    after = start + task.characters + task.block
    training, validation = text[start : start + task.characters], text[after : after + n_validation]
    test = text[after + n_validation + task.block :][:n_test]
    tokenizer = CharacterTokenizer.of(text)
    encoded = [tokenizer.encode(part) for part in (training, validation, test)]
    corpus = Corpus(name="slice", tokenizer=tokenizer, train=encoded[0], validation=encoded[1], test=encoded[2])
    return corpus, training, test


def curves(history: LanguageHistory, views: float) -> list[Measurement]:
    """Losses over training; views: of each character in a step."""
    steps, train_losses, validation_losses = zip(*history.evaluations, strict=True)
    return [
        Measurement("views", history.steps * views),
        Measurement("best_views", history.best_step * views),
        Measurement("curve_views", tuple(step * views for step in steps)),
        Measurement("curve_train", train_losses, "nats per character, with dropout"),
        Measurement("curve_validation", validation_losses, "nats per character"),
    ]


def losses(which: str, model: GPT, corpus: Corpus, job: Job) -> list[Measurement]:
    """On the text seen and on the test part, in windows that do not overlap, without dropout."""
    seen, _ = part_losses(model, corpus, "train", job.precision)
    test, scored = part_losses(model, corpus, "test", job.precision)
    bits = bits_per_byte(float(test.sum()), corpus.bytes_of(corpus.test[scored]))
    return [
        Measurement(f"{which}_train_loss", float(seen.mean()), "nats per character"),
        Measurement(f"{which}_test_loss", float(test.mean()), "nats per character"),
        Measurement(f"{which}_test_bits", bits, "bits per byte"),
    ]


def recall(which: str, model: GPT, corpus: Corpus, training: str, test: str, task: Book) -> list[Measurement]:
    """The mean probability of the next word, after passages of the text seen and after passages of the test part."""
    return [
        Measurement(
            f"{which}_next_word_{name}",
            mean(next_word_probabilities(model, corpus.tokenizer, text, task.samples, task.prompt)),
            "mean probability",
        )
        for name, text in (("seen", training), ("held_out", test))
    ]


def style(name: str, texts: Sequence[str], odds: Mapping[str, float]) -> list[Measurement]:
    """How clearly texts read like the book, and how many of them are taken for it."""
    return [
        Measurement(f"{name}_style", mean([score(text, odds) for text in texts]), "nats per function word"),
        Measurement(f"{name}_taken_for_the_book", taken_for_the_book(texts, odds), "of 1"),
    ]


def profile(name: str, texts: Sequence[str], training: str, dictionary: Container[str]) -> list[Measurement]:
    """Means over texts; of the copied shares for every length of n-gram."""
    shares = copied(texts, training, CHARACTERS, WORDS)
    return [
        *(Measurement(f"{name}_verbatim_{unit}", tuple(map(mean, by_n)), "of 1") for unit, by_n in shares.items()),
        *(Measurement(f"{name}_{key}", mean(values)) for key, values in described(texts, dictionary).items()),
    ]


def mean(values: Sequence[float]) -> float:
    """Over texts that have the quantity; NaN where none has."""
    kept = [value for value in values if not math.isnan(value)]
    return float(np.mean(kept)) if kept else math.nan
