"""A net that judges tales and tells them, judged by the grammar that all tales come from."""

from __future__ import annotations

import math
from collections.abc import Sequence
from string import ascii_letters

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from erlangen.data.characters import CharacterTokenizer
from erlangen.data.corpus import Corpus
from erlangen.data.prefix_filter import character_log_probabilities
from erlangen.data.tales import END, GRAMMAR, floor, tales
from erlangen.experiments.fairytales.nets import build, late_loss, train
from erlangen.experiments.fairytales.pairs import PAIRS, Pair, minimal_pairs
from erlangen.experiments.fairytales.tasks import SETTINGS, WORDS, Tales
from erlangen.generate.decode import evaluating, generate
from erlangen.generate.settings import Settings
from erlangen.measure.memorization import longest_matches
from erlangen.models.gpt import GPT
from erlangen.records.runs import Job, Measurement
from erlangen.train.language_model import LanguageSchedule, part_losses


def train_on_tales(task: Tales, job: Job) -> list[Measurement]:
    """Few tales again and again or many once, as many steps: loss against the floor, right against wrong, and what is told."""
    seen = task.few if task.arm == "few" else max(task.few, task.steps * task.batch)  # a window begins at a tale
    numbers = (seen, task.samples // 2, task.samples)
    training, validation, test = [tales(number, 3 * job.seed + part) for part, number in enumerate(numbers)]
    corpus = aligned_corpus(training, validation, test)
    model = build(task, corpus.tokenizer.size, job.seed)
    schedule = LanguageSchedule(
        # It decays, unlike that of the book.
        steps=task.steps, batch=task.batch, lr=task.lr, warmup=min(100, task.steps // 10), betas=(0.9, 0.95),
        evaluate_every=max(task.steps // 20, 1), evaluation_tokens=None, seed=job.seed,
    )  # fmt: skip
    history, weights = train(model, corpus, schedule, job)
    tokens = task.batch * task.block
    measured = [
        Measurement("views", history.steps * tokens / len(training)),
        Measurement("best_views", history.best_step * tokens / len(training)),
        Measurement("tales_seen", seen),
        late_loss(history.evaluations, task.steps),
        *tale_shares("fresh", test.split(END)[:-1], training),  # of the grammar's own tales
    ]
    least, choices = floor(test), minimal_pairs(test.split(END)[:-1], job.seed)
    for which, state in weights.items():
        model.load_state_dict(state)
        measured += distances(which, model, corpus, least, job)
        measured += [right_choices(which, kind, model, corpus, choices[kind]) for kind in PAIRS]
        for name, setting in SETTINGS.items():
            told = write_tales(model, corpus, task.samples, setting, job.seed)
            measured += tale_shares(f"{which}_{name}", told, training)
    return measured


def aligned_corpus(*texts: str) -> Corpus:
    """Tales to train on, to validate and to test, with the places where windows may begin."""
    tokenizer = CharacterTokenizer.of("".join(texts) + ascii_letters)  # a wrong noun may have letters that no tale has
    encoded = [tokenizer.encode(text) for text in texts]
    ends = [torch.nonzero(tokens == encoded[0][-1]).squeeze(1) for tokens in encoded]
    starts = [torch.cat([torch.zeros(1, dtype=torch.int64), end[:-1] + 1]) for end in ends]
    return Corpus(
        name="tales", tokenizer=tokenizer, train=encoded[0], validation=encoded[1], test=encoded[2],
        train_starts=ends[0], validation_starts=starts[1], test_starts=starts[2],
    )  # fmt: skip


def distances(which: str, model: GPT, corpus: Corpus, least: np.ndarray, job: Job) -> list[Measurement]:
    """The loss on the test part and its distance to the floor; least (characters,): what the floor gives for that part."""
    losses, scored = part_losses(model, corpus, "test", job.precision)
    least = least[scored.numpy()]
    return [
        Measurement(f"{which}_test_loss", float(losses.mean()), "nats per character"),
        Measurement(f"{which}_floor", float(least.mean()), "nats per character, of the same characters"),
        Measurement(f"{which}_above_floor", float((losses.numpy() - least).mean()), "nats per character"),
    ]


def right_choices(which: str, kind: str, model: GPT, corpus: Corpus, pairs: Sequence[Pair]) -> Measurement:
    """The share of pairs of which the net gives the tale the higher probability; a tie counts half."""
    right, wrong = (tale_losses(model, corpus, [pair[side] for pair in pairs]) for side in (0, 1))
    share = float(((right < wrong).double() + (right == wrong).double() / 2).mean()) if pairs else math.nan
    return Measurement(f"{which}_{kind}", share, "of 1")


def tale_losses(model: GPT, corpus: Corpus, told: Sequence[str]) -> Tensor:
    """The summed loss of each whole tale, its END included, in nats: (n,)."""
    end = int(corpus.tokenizer.encode(END))
    rows = [corpus.tokenizer.encode(END + tale + END).long() for tale in told]
    total = []
    with evaluating(model), torch.inference_mode():
        for at in range(0, len(rows), 32):
            padded = pad_sequence(rows[at : at + 32], batch_first=True, padding_value=end).to(model.embed.weight.device)  # (B, T)
            losses = F.cross_entropy(model(padded[:, :-1]).double().mT, padded[:, 1:], reduction="none")
            kept = torch.arange(losses.shape[1]) < torch.tensor([len(row) - 1 for row in rows[at : at + 32]])[:, None]
            total.append(losses.cpu().where(kept, 0.0).sum(1))
    return torch.cat(total) if total else torch.zeros(0)


def write_tales(model: GPT, corpus: Corpus, n: int, setting: tuple[float, float], seed: int) -> list[str]:
    """n tales, without their END where they have one within the block; else cut there, with a mark that no tale has."""
    settings = Settings(temperature=setting[0], top_p=setting[1], seed=seed)
    end = corpus.tokenizer.encode(END)
    tokens = generate(model, end.repeat(n, 1).to(model.embed.weight.device), model.config.block, settings=settings, stop=int(end))
    texts = [corpus.tokenizer.decode(row[1:].cpu()) for row in tokens]
    return [text.split(END)[0] if END in text else text + "…" for text in texts]


def tale_shares(name: str, told: Sequence[str], training: str) -> list[Measurement]:
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
