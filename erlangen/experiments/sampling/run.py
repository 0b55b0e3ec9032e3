"""Temperature and top-p: what one job computes."""

from __future__ import annotations

from collections.abc import Container, Sequence

from erlangen.data.corpora import load_corpus
from erlangen.data.corpus import Corpus
from erlangen.data.text_file import check_digest
from erlangen.experiments.kit.tasks import perform
from erlangen.experiments.sampling.tasks import OUTCOMES, SETTINGS, TEST, VALIDATION, Write, label
from erlangen.generate.writing import Passage, passages, whole_words, written
from erlangen.measure.memorization import longest_matches
from erlangen.measure.text_statistics import dictionary_share, distinct_n, english_words, repetition, words
from erlangen.measure.token_loss import token_losses
from erlangen.models.gpt import GPT, GPTConfig
from erlangen.records.runs import Job, Measurement
from erlangen.train.language_model import LanguageSchedule, fit
from erlangen.train.seeds import seed_everything

VERBATIM = 20  # characters
TALES = 4000
OTHER = 1000  # above every seed of a net that writes


def run(job: Job) -> list[Measurement]:
    """Perform the job's task."""
    return perform(job, {Write: write})


def write(task: Write, job: Job) -> list[Measurement]:
    """For every setting, and for held-out text, each outcome prompt by prompt."""
    check_digest(task.corpus, task.digest)
    corpus = load_corpus(task.corpus, block=task.block, validation=VALIDATION, test=TEST, tales=TALES)
    model, measured = train(task, job, corpus, job.seed, task.steps)
    other, others = train(task, job, corpus, OTHER + job.seed, task.other_steps)
    measured += [Measurement(f"other_{one.name}", one.value, one.unit) for one in others]
    training, test = corpus.tokenizer.decode(corpus.train), corpus.tokenizer.decode(corpus.test)
    parts = passages(test, task.prompts, task.prompt, task.length)
    prompts = [passage.prompt for passage in parts]
    texts = {"held out": [passage.rest for passage in parts]}
    for setting in SETTINGS:
        # The same stream of random numbers for every setting: what pairs them beside the prompt.
        texts[label(setting)] = written(model, corpus.tokenizer, prompts, task.length, setting, seed=job.seed)
    dictionary = english_words() if task.dictionary == "english" else frozenset(words(training))
    verbatim = longest_matches([text for many in texts.values() for text in many], training, VERBATIM).shares(VERBATIM)
    for at, (name, many) in enumerate(texts.items()):
        outcomes = {
            **word_shares(many, dictionary),
            "verbatim": verbatim[at * len(parts) : (at + 1) * len(parts)],
            "loss": losses(model, corpus, parts, many),
            "other-loss": losses(other, corpus, parts, many),
        }
        measured += [Measurement(f"{name} {outcome}", tuple(round(v, 5) for v in outcomes[outcome])) for outcome in OUTCOMES]
    return measured


def train(task: Write, job: Job, corpus: Corpus, seed: int, steps: int) -> tuple[GPT, list[Measurement]]:
    """A net with the weights of its least validation loss."""
    seed_everything(seed)
    model = GPT(
        GPTConfig(
            vocabulary=corpus.tokenizer.size,
            block=task.block,
            layers=task.layers,
            heads=task.heads,
            width=task.width,
            dropout=0.05,
        )
    )
    schedule = LanguageSchedule(
        steps=steps, batch=task.batch, lr=task.lr, warmup=min(100, steps // 10), evaluate_every=max(steps // 12, 1),
        evaluation_tokens=8192, seed=seed,
    )  # fmt: skip
    history = fit(model, corpus, schedule, precision=job.precision, device=job.device)
    return model, [
        Measurement("validation_loss", history.best_loss, "nats per character"),
        Measurement("best_step", history.best_step),
        Measurement("views", history.best_step * schedule.batch * task.block / len(corpus.train)),
    ]


def word_shares(texts: Sequence[str], dictionary: Container[str]) -> dict[str, list[float]]:
    """Of each text, what its words say; words that may be cut at its ends are left out."""
    whole = [whole_words(text) for text in texts]
    return {
        "distinct": [distinct_n(text, 2) for text in whole],
        "repetition": [repetition(text) for text in whole],
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
