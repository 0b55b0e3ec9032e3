"""A book seen hundreds of times: what one job computes."""

from __future__ import annotations

import copy
import math
from collections.abc import Container, Sequence

import numpy as np
import torch
from torch import Tensor

from erlangen.data.characters import CharacterTokenizer
from erlangen.data.corpus import Corpus
from erlangen.data.grimm import grimm
from erlangen.data.tales import floor, tales
from erlangen.errors import ErlangenError
from erlangen.experiments.fairytales import CHARACTERS, SETTINGS, WORDS
from erlangen.experiments.fairytales.telling import fresh, told
from erlangen.generate.writing import Passage, copied, described, passages, written
from erlangen.measure.text_statistics import english_words, words
from erlangen.measure.token_loss import bits_per_byte
from erlangen.models.gpt import GPT, GPTConfig
from erlangen.records.runs import Job, Measurement
from erlangen.train.language_model import Evaluation, LanguageHistory, LanguageSchedule, fit, part_losses
from erlangen.train.seeds import seed_everything

Weights = dict[str, Tensor]


def run(job: Job) -> list[Measurement]:
    """Measurements of one job, by its task."""
    return {"book": book, "tales": tales_job}[str(job.params["task"])](job)


def integer(job: Job, name: str) -> int:
    return int(str(job.params[name]))


def number(job: Job, name: str) -> float:
    return float(str(job.params[name]))


def net(job: Job, vocabulary: int, block: int) -> GPT:
    """The job's net, with the first weights of its seed."""
    seed_everything(job.seed)
    config = GPTConfig(
        vocabulary=vocabulary, block=block, layers=integer(job, "layers"), heads=integer(job, "heads"),
        width=integer(job, "width"), dropout=number(job, "dropout"),
    )  # fmt: skip
    return GPT(config)


def trained(job: Job, model: GPT, corpus: Corpus, schedule: LanguageSchedule) -> tuple[LanguageHistory, dict[str, Weights]]:
    """Trained to the last step; the weights of the least validation loss, and the last ones."""
    last: Weights = {}

    def keep(evaluation: Evaluation) -> None:
        if evaluation.step == schedule.steps:
            last.update(copy.deepcopy(model.state_dict()))

    history = fit(model, corpus, schedule, precision=job.precision, device=job.device, on_evaluation=keep)
    return history, {"stopped": copy.deepcopy(model.state_dict()), "last": last}


def slice_of(job: Job) -> tuple[Corpus, str, str]:
    """A slice of the book to train on, with the text that follows it held out; training and test text.

    No seed's slice, with what is held out of it, overlaps another's: intervals over seeds need independent ones.
    """
    n, block = integer(job, "characters"), integer(job, "block")
    n_test = integer(job, "samples") * (integer(job, "prompt") + integer(job, "length"))
    n_validation = max(n // 2, 8 * block)
    total = n + n_validation + n_test + 2 * block
    one_book = job.params["book"] == "grimm"
    text = grimm() if one_book else tales(total // 150 + 1, seed=job.seed)  # no tale is shorter; a book for each seed
    place, slices = job.seed if one_book else 0, len(text) // total
    if place >= slices:
        raise ErlangenError(
            f"seed {job.seed}: the book has {len(text)} characters, {slices} times the {total} that a seed reads: "
            "choose fewer seeds, characters or samples"
        )
    start = total * int(np.random.default_rng(9).permutation(slices)[place])
    after = start + n + block
    training, validation = text[start : start + n], text[after : after + n_validation]
    test = text[after + n_validation + block :][:n_test]
    tokenizer = CharacterTokenizer.of(text)
    corpus = Corpus(
        name="slice", tokenizer=tokenizer, train=tokenizer.encode(training), validation=tokenizer.encode(validation),
        test=tokenizer.encode(test),
    )  # fmt: skip
    return corpus, training, test


def book(job: Job) -> list[Measurement]:
    """The source's regime on a slice: curves, losses at the least validation loss and at the last step, and what is written."""
    corpus, training, test = slice_of(job)
    steps, block, batch = integer(job, "steps"), integer(job, "block"), integer(job, "batch")
    model = net(job, corpus.tokenizer.size, block)
    schedule = LanguageSchedule(
        steps=steps, batch=batch, lr=number(job, "lr"), final=1.0, warmup=min(100, steps // 10), betas=(0.9, 0.95),
        evaluate_every=max(steps // integer(job, "evaluations"), 1), evaluation_tokens=None, seed=job.seed,
    )  # fmt: skip
    history, weights = trained(job, model, corpus, schedule)
    views = batch * block / len(training)
    fifth = [one.train_loss for one in history.evaluations if one.step > 0.8 * steps]
    found = [
        Measurement("parameters_a_character", model.parameter_count() / len(training)),
        Measurement("views", history.steps * views),
        Measurement("best_views", history.best_step * views),
        Measurement("curve_views", tuple(one.step * views for one in history.evaluations)),
        Measurement("curve_train", tuple(one.train_loss for one in history.evaluations), "nats per character, with dropout"),
        Measurement("curve_validation", tuple(one.validation_loss for one in history.evaluations), "nats per character"),
        Measurement("train_loss_in_training", float(np.mean(fifth)), "nats per character, with dropout, last fifth of the steps"),
    ]
    dictionary = english_words() if job.params["dictionary"] == "english" else frozenset(words(training))
    parts = passages(test, integer(job, "samples"), integer(job, "prompt"), integer(job, "length"))
    found += profile("held_out", [passage.rest for passage in parts], training, dictionary)
    for which, state in weights.items():
        model.load_state_dict(state)
        found += losses(job, which, model, corpus)
        found += sampled(job, which, model, corpus, parts, training, dictionary)
    return found


def losses(job: Job, which: str, model: GPT, corpus: Corpus) -> list[Measurement]:
    """On the text seen and on the test part, non-overlapping windows, without dropout."""
    seen, _ = part_losses(model, corpus, "train", job.precision)
    test, scored = part_losses(model, corpus, "test", job.precision)
    return [
        Measurement(f"{which}_train_loss", float(seen.mean()), "nats per character"),
        Measurement(f"{which}_test_loss", float(test.mean()), "nats per character"),
        Measurement(
            f"{which}_test_bits", bits_per_byte(float(test.sum()), corpus.bytes_of(corpus.test[scored])), "bits per byte"
        ),
    ]


def sampled(
    job: Job, which: str, model: GPT, corpus: Corpus, parts: Sequence[Passage], training: str, dictionary: Container[str]
) -> list[Measurement]:
    """What it writes after each passage's prompt, in each setting."""
    found = []
    for name, setting in SETTINGS.items():
        texts = written(model, corpus.tokenizer, [passage.prompt for passage in parts], integer(job, "length"), setting, job.seed)
        found += profile(f"{which}_{name}", texts, training, dictionary)
    return found


def profile(name: str, texts: Sequence[str], training: str, dictionary: Container[str]) -> list[Measurement]:
    """Means over texts; of the shares for every length of n-gram."""
    shares = copied(texts, training, CHARACTERS, WORDS)
    return [
        *(Measurement(f"{name}_verbatim_{unit}", tuple(map(mean, by_n)), "of 1") for unit, by_n in shares.items()),
        *(Measurement(f"{name}_{key}", mean(values)) for key, values in described(texts, dictionary).items()),
    ]


def mean(values: Sequence[float]) -> float:
    """Over texts that have any; NaN where none has."""
    kept = [value for value in values if not math.isnan(value)]
    return float(np.mean(kept)) if kept else math.nan


def tales_job(job: Job) -> list[Measurement]:
    """Tales, few again and again or many once, as many steps: loss against the floor, and what is told."""
    block, few, steps, batch = 256, integer(job, "few"), integer(job, "steps"), integer(job, "batch")
    samples = integer(job, "samples")
    n = few if job.params["arm"] == "few" else max(few, steps * batch)  # a window begins at a tale
    texts = [
        tales(count, seed) for count, seed in ((n, 3 * job.seed), (samples // 2, 3 * job.seed + 1), (samples, 3 * job.seed + 2))
    ]
    tokenizer = CharacterTokenizer.of("".join(texts))
    encoded = [tokenizer.encode(text) for text in texts]
    ends = [torch.nonzero(tokens == encoded[0][-1]).squeeze(1) for tokens in encoded]
    starts = [torch.cat([torch.zeros(1, dtype=torch.int64), end[:-1] + 1]) for end in ends]
    last = int(torch.searchsorted(ends[0], len(encoded[0]) - block - 1, right=True))
    corpus = Corpus(
        name="tales", tokenizer=tokenizer, train=encoded[0], validation=encoded[1], test=encoded[2],
        train_starts=ends[0][: max(last, 1)], validation_starts=starts[1], test_starts=starts[2],
    )  # fmt: skip
    model = net(job, tokenizer.size, block)
    schedule = LanguageSchedule(
        # It decays, unlike that of the book.
        steps=steps, batch=batch, lr=1.5 * number(job, "lr"), warmup=min(100, steps // 10), betas=(0.9, 0.95),
        evaluate_every=max(steps // 20, 1), evaluation_tokens=None, seed=job.seed,
    )  # fmt: skip
    history, weights = trained(job, model, corpus, schedule)
    found = [
        Measurement("views", history.steps * batch * block / len(texts[0])),
        Measurement("best_views", history.best_step * batch * block / len(texts[0])),
        Measurement("tales_seen", n),
        *fresh(texts[2], texts[0]),
    ]
    least = floor(texts[2])
    for which, state in weights.items():
        model.load_state_dict(state)
        found += told(which, model, corpus, texts[0], least, samples, job.precision, job.seed)
    return found
