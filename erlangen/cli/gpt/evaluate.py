"""`erlangen gpt evaluate`. Parsing and printing only; torch is loaded when the command runs."""

from __future__ import annotations

import math
import shlex
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple, get_args

import typer

from erlangen.cli.gpt.copying import copying, print_copying
from erlangen.cli.gpt.scores import SCORED, above_a_guess, print_scores, score
from erlangen.cli.outputs import emit, foresee_file
from erlangen.cli.terminal import say
from erlangen.errors import ErlangenError
from erlangen.records.evaluation import Copying, Evaluated, Point, Score

if TYPE_CHECKING:
    from erlangen.data.corpus import Corpus
    from erlangen.models.gpt import GPT
    from erlangen.train.checkpoint import Checkpoint


def evaluate(
    checkpoint: Annotated[Path, typer.Argument(metavar="CHECKPOINT", help="Folder of `gpt train`, or GPT-2 from Hugging Face.")],
    text: Annotated[str | None, typer.Argument(metavar="[FILE]", help="Text to score. Default: the training corpus.")] = None,
    limit: Annotated[int, typer.Option(min=100, help="Score at most this many tokens of each part.")] = SCORED,
    copied: Annotated[
        int | None, typer.Option(min=2, metavar="N", help="Look up N generated texts in the training text.")
    ] = None,
    tokens: Annotated[int, typer.Option(min=20, help="Tokens per generated text, for --copied.")] = 500,
    temperature: Annotated[float, typer.Option(min=0, help="Sampling temperature for --copied.")] = 1.0,
    seed: Annotated[int, typer.Option(min=0, help="Random seed for --copied.")] = 0,
    precision: Annotated[str, typer.Option(help="auto, float32, tf32, bfloat16 or float16.")] = "auto",
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:N or mps.")] = "auto",
    page: Annotated[
        Path | None, typer.Option("--html", metavar="FILE", help="Write a page: learning curve, losses, texts.")
    ] = None,
    target: Annotated[str | None, typer.Option("--json", metavar="FILE", help="Write results as JSON; - prints them.")] = None,
) -> None:
    """Report a model's loss, and whether it copies.

    Losses are given for the training text and for held-out text. A model that has memorized its training text has a low loss on
    that text alone, and copies from it.
    """
    from erlangen.records.files import to_json, write_atomically
    from erlangen.train.precision import Precision, best_precision, check_device, resolve_device

    device = resolve_device(device)
    if precision == "auto":
        precision = best_precision(device)
    if precision not in get_args(Precision):
        raise ErlangenError(f"--precision {precision}: choose auto, {', '.join(get_args(Precision))}")
    check_device(device, precision)
    if copied is not None and text is not None:
        raise ErlangenError(f"--copied searches the text that the model was trained on: leave {text} out")
    files = [path for path in (page, Path(target) if target not in (None, "-") else None) if path is not None]
    for path in files:
        foresee_file(path, files)
    subject = read(checkpoint, text)
    subject.model.to(device)
    quiet = target == "-"
    scores = []
    for how in ("windows",) if subject.corpus.validation_starts is not None else ("windows", "sliding"):
        some = [
            replace(score(subject.model, subject.corpus, part, precision, how, limit), part=name)  # type: ignore[arg-type]
            for part, name in subject.parts.items()
        ]
        if not quiet:
            print(f"{some[0].evaluation.capitalize()}:")
            print_scores(some)
            print(flush=True)
        scores += some
    found = None if copied is None else copying(subject.model, subject.corpus, copied, tokens, temperature, seed)
    if found is not None and not quiet:
        print_copying(found)
        print()
    if any(one.nats_per_token > math.log(subject.model.config.vocabulary) for one in scores):
        note = f"The loss is {above_a_guess(subject.model)}."
        say(f"note: {note}")
        subject = subject._replace(notes=(*subject.notes, note))
    record = recorded(subject, checkpoint, scores, found)
    if not quiet:
        print(
            f"Intervals: 95 %, over contiguous blocks of text{'; of shares, over the generated texts' if found else ''}. "
            f"Device: {device}, {precision}.",
            flush=True,
        )
    emit(to_json(record) if target is not None else None, target)
    if page is not None:
        from erlangen.report.evaluate_page import evaluate_html

        write_atomically(page, evaluate_html(record))
        if not quiet:
            print(f"\nPage: {page}")


class Subject(NamedTuple):
    """What is evaluated. parts: the parts of the corpus and their names. trained: the checkpoint, where the corpus is its own."""

    model: GPT
    corpus: Corpus
    parts: dict[str, str]
    notes: tuple[str, ...]
    trained: Checkpoint | None


def read(checkpoint: Path, text: str | None) -> Subject:
    """Model and text. Raises ErlangenError where the checkpoint does not say which text it was trained on."""
    from erlangen.cli.gpt.opened import is_gpt2, opened
    from erlangen.data.corpora import load_corpus, whole_text
    from erlangen.train.checkpoint import load_checkpoint

    if text is not None and not Path(text).exists():
        raise ErlangenError(f"{text}: there is no such file: name a UTF-8 text file")
    if text is not None:
        model, tokenizer, notes = opened(checkpoint)
        for note in notes:
            say(f"note: {note}")
        return Subject(model, whole_text(text, tokenizer), {"test": "text"}, notes, None)
    if is_gpt2(checkpoint):
        raise ErlangenError(f"{checkpoint} does not record which text it was trained on: name a text to score")
    found = load_checkpoint(checkpoint)
    options = found.about.get("options")
    if not isinstance(options, dict) or "corpus" not in options:
        raise ErlangenError(f"{found.path} does not record which text it was trained on: name a text to score")
    from erlangen.train.language_model import fingerprint

    size = {} if options.get("tales") is None else {"tales": options["tales"]}
    corpus = load_corpus(options["corpus"], block=found.config.block, tokenizer=found.tokenizer, **size)
    if fingerprint(corpus) != found.about.get("corpus_sha256"):
        raise ErlangenError(f"{options['corpus']} has changed since {found.path} was trained on it: name it to score all of it")
    return Subject(found.model, corpus, {part: part for part in ("train", "validation", "test")}, (), found)


def recorded(subject: Subject, checkpoint: Path, scores: list[Score], found: Copying | None) -> Evaluated:
    """The record of the evaluation, with the history of the training where the checkpoint has it."""
    from erlangen.sweep.machine import machine, versions

    trained = subject.trained
    history: list[Point] = []
    view = None
    if trained is not None:
        history = [Point(**one) for one in whole_history(trained)]
        view = len(subject.corpus.train) / (trained.about["schedule"]["batch"] * trained.config.block)
    return Evaluated(
        corpus=subject.corpus.name,
        scores=tuple(scores),
        history=tuple(history),
        step=None if trained is None else trained.step,
        view=view,
        dropout=0.0 if trained is None else trained.config.dropout,
        copying=found,
        model=f"{checkpoint.resolve().name}, {subject.model.parameter_count() / 1e6:.2f} M parameters",
        source=str(checkpoint),
        notes=subject.notes,
        command=shlex.join(["erlangen", *sys.argv[1:]]),
        versions=versions(),
        machine=machine(),
    )


def whole_history(trained: Checkpoint) -> list[dict[str, Any]]:
    """The evaluations of the training, including those after this checkpoint where `last` is beside it."""
    from erlangen.train.checkpoint import LAST, load_checkpoint

    beside = trained.path.parent / LAST
    later = load_checkpoint(beside).history if beside.is_file() and beside != trained.path else []
    return later if later[: len(trained.history)] == trained.history else trained.history
