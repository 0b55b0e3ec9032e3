"""Temperature and top-p: what one job computes."""

from __future__ import annotations

import copy
from collections.abc import Container, Sequence
from statistics import fmean

from torch import Tensor

from erlangen.data.corpus import Corpus
from erlangen.experiments.kit.tasks import perform
from erlangen.experiments.sampling.tasks import LOSS, OUTCOMES, SETTINGS, Write, label
from erlangen.experiments.sampling.text import corpus_of, parts_of
from erlangen.generate.writing import Passage, passages, whole_words, written
from erlangen.measure.memorization import longest_matches
from erlangen.measure.text_statistics import dictionary_share, distinct_n, english_words, words
from erlangen.measure.token_loss import token_losses
from erlangen.models.gpt import GPT, GPTConfig
from erlangen.records.runs import Job, Measurement
from erlangen.train.language_model import Evaluation, LanguageSchedule, fit
from erlangen.train.seeds import seed_everything

VERBATIM = 20  # characters
EVALUATIONS = 20


def run(job: Job) -> list[Measurement]:
    """Perform the job's task."""
    return perform(job, {Write: write})


def write(task: Write, job: Job) -> list[Measurement]:
    """For every setting, and for held-out text, each outcome prompt by prompt."""
    text = parts_of(task)
    corpus = corpus_of(task, job.seed, text)
    model, measured = train(task, job, corpus)
    parts = passages(text[2], task.prompts, task.prompt, task.length)
    prompts = [passage.prompt for passage in parts]
    texts = {"held out": [passage.rest for passage in parts]}
    for setting in SETTINGS:
        # The same stream of random numbers for every setting: what pairs them beside the prompt.
        texts[label(setting)] = written(model, corpus.tokenizer, prompts, task.length, setting, seed=job.seed)
    dictionary = english_words() if task.dictionary == "english" else frozenset(words(text[0]))
    training = corpus.tokenizer.decode(corpus.train)
    verbatim = longest_matches([one for many in texts.values() for one in many], training, VERBATIM).shares(VERBATIM)
    for at, (name, many) in enumerate(texts.items()):
        outcomes = {
            **word_shares(many, dictionary),
            "verbatim": verbatim[at * len(parts) : (at + 1) * len(parts)],
            LOSS: losses(model, corpus, parts, many),
        }
        measured += [
            Measurement(f"{name} {outcome}", tuple(round(v, 5) for v in outcomes[outcome])) for outcome in (*OUTCOMES, LOSS)
        ]
    return measured


def train(task: Write, job: Job, corpus: Corpus) -> tuple[GPT, list[Measurement]]:
    """A net with the weights of its least validation loss, or with its last ones where it is to memorize."""
    seed_everything(job.seed)
    model = GPT(
        GPTConfig(
            vocabulary=corpus.tokenizer.size, block=task.block, layers=task.layers, heads=task.heads, width=task.width,
            dropout=task.dropout,
        )
    )  # fmt: skip
    schedule = LanguageSchedule(
        # The source's rate is constant; a net that is stopped at its best is better for one that decays.
        steps=task.steps, batch=task.batch, lr=task.lr, final=1.0 if task.regime == "memorizing" else 0.01,
        warmup=min(100, task.steps // 10), evaluate_every=max(task.steps // EVALUATIONS, 1), evaluation_tokens=8192,
        seed=job.seed,
    )  # fmt: skip
    last: dict[str, Tensor] = {}

    def keep(evaluation: Evaluation) -> None:
        if evaluation.step == schedule.steps:
            last.update(copy.deepcopy(model.state_dict()))

    history = fit(model, corpus, schedule, precision=job.precision, device=job.device, on_evaluation=keep)
    if task.regime == "memorizing":
        model.load_state_dict(last)
    late = [evaluation.train_loss for evaluation in history.evaluations if evaluation.step > 0.8 * task.steps]
    step = task.steps if task.regime == "memorizing" else history.best_step
    return model, [
        Measurement("train_loss_in_training", fmean(late), "nats per character, with dropout, last fifth of the steps"),
        Measurement("validation_loss", history.best_loss, "nats per character, at the best step"),
        Measurement("views", step * task.batch * task.block / len(corpus.train)),
    ]


def word_shares(texts: Sequence[str], dictionary: Container[str]) -> dict[str, list[float]]:
    """Of each text, what its words say; words that may be cut at its ends are left out."""
    whole = [whole_words(text) for text in texts]
    return {
        "distinct": [distinct_n(text, 2) for text in whole],
        "words": [dictionary_share(text, dictionary) for text in whole],
    }


def losses(model: GPT, corpus: Corpus, parts: Sequence[Passage], texts: Sequence[str]) -> list[float]:
    """Mean nats per character of each text, given its prompt, under the model: sliding windows, temperature 1."""
    means = []
    for passage, text in zip(parts, texts, strict=True):
        tokens = corpus.tokenizer.encode(passage.prompt + text)
        own = token_losses(model, tokens, model.config.block, how="sliding")
        means.append(float(own[len(passage.prompt) - 1 :].mean()))
    return means
