"""`erlangen gpt train`. Parsing and printing only; torch is loaded when the command runs."""

from __future__ import annotations

import math
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from erlangen.cli.gpt.plan import Plan, planned, refuse_existing, resumed
from erlangen.cli.gpt.progress import Line, add_tensorboard, sampler
from erlangen.cli.gpt.scores import conclude
from erlangen.cli.terminal import Stopped, emit, foresee_file, say
from erlangen.errors import ErlangenError

if TYPE_CHECKING:
    from erlangen.train.language_model import LanguageHistory
    from erlangen.train.parallel import Workers

SMALL_STEPS = 2000  # below, compiling takes longer than it saves


def train(
    corpus: Annotated[
        str | None, typer.Argument(metavar="[tales|grimm|FILE]", help="Text to learn; tales, the default, are made here.")
    ] = None,
    model: Annotated[
        str | None, typer.Option(help="A size: gpt-nano, gpt-micro (default), gpt-mini, gopher-44m, gpt2, ...")
    ] = None,
    out: Annotated[Path | None, typer.Option(metavar="DIR", help="Where checkpoints go; default runs/gpt/CORPUS-MODEL.")] = None,
    weights: Annotated[
        str | None, typer.Option("--from", metavar="PATH", help="Begin with the weights of a checkpoint, or of GPT-2's files.")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on where the run in DIR stopped, bit for bit.")] = False,
    steps: Annotated[int | None, typer.Option(min=1, help="Updates.")] = None,
    minutes: Annotated[
        float | None, typer.Option(min=0.01, help="As many updates as this machine makes in so long. Default 2.")
    ] = None,
    batch: Annotated[int | None, typer.Option(min=1, help="Windows a step; default 4096 tokens' worth.")] = None,
    block: Annotated[int | None, typer.Option(min=2, help="Tokens of a window; default the model's, 256 for tales.")] = None,
    tokenizer: Annotated[str | None, typer.Option(metavar="characters|PATH", help="Characters, or files of GPT-2's BPE.")] = None,
    tales: Annotated[int | None, typer.Option(min=60, help="How many tales; default 50000.")] = None,
    lr: Annotated[float | None, typer.Option(min=1e-9, help="Largest learning rate; default by width and --from.")] = None,
    find_lr: Annotated[bool, typer.Option("--find-lr", help="Measure a learning rate, print it, and train nothing.")] = False,
    weight_decay: Annotated[float | None, typer.Option(min=0, help="Of matrices; default 0.1.")] = None,
    dropout: Annotated[float | None, typer.Option(min=0, max=0.99, help="Default the model's; 0 for tales.")] = None,
    positions: Annotated[str | None, typer.Option(help="rotary, absolute, alibi or none.")] = None,
    norm: Annotated[str | None, typer.Option(help="rms or layer.")] = None,
    attention: Annotated[str | None, typer.Option(help="auto, naive, fused or local.")] = None,
    window: Annotated[int | None, typer.Option(min=1, help="Tokens that each sees behind it; default all.")] = None,
    precision: Annotated[
        str | None, typer.Option(help="auto (bfloat16 in hardware, else float32), float32, bfloat16, float16.")
    ] = None,
    device: Annotated[str, typer.Option(help="cpu, cuda, cuda:N or mps.")] = "cpu",
    compile: Annotated[bool, typer.Option("--compile", help="With torch.compile; short runs do not gain, CPUs hardly.")] = False,
    seed: Annotated[int | None, typer.Option(min=0, max=2**62, help="Of weights, data order and dropout; default 0.")] = None,
    accumulate: Annotated[int | None, typer.Option(min=1, help="Slices of a batch, for less memory; default 1.")] = None,
    evaluate_every: Annotated[int | None, typer.Option(min=1, metavar="STEPS", help="Default a twentieth of the steps.")] = None,
    patience: Annotated[int | None, typer.Option(min=1, help="Evaluations without a gain that end it; default never.")] = None,
    sample_every: Annotated[int | None, typer.Option(min=1, metavar="STEPS", help="Print a sample every so often.")] = None,
    tensorboard: Annotated[bool, typer.Option("--tensorboard", help="Log to DIR/tensorboard, where it is installed.")] = False,
    target: Annotated[
        str | None, typer.Option("--json", metavar="FILE", help="Results as JSON; `-` prints them to stdout.")
    ] = None,
) -> None:
    """Train a small language model; evaluate it on text that it has not seen.

    Data-parallel: torchrun --nproc-per-node N -m erlangen gpt train ...
    """
    given = {
        "corpus": corpus, "from": weights, "model": model, "batch": batch, "block": block, "tokenizer": tokenizer, "tales": tales,
        "lr": lr, "dropout": dropout,
        "weight_decay": weight_decay, "positions": positions, "norm": norm, "attention": attention, "window": window,
        "precision": precision, "seed": seed, "accumulate": accumulate, "evaluate_every": evaluate_every, "patience": patience,
        "minutes": minutes,
    }  # fmt: skip
    if steps is not None and minutes is not None:
        raise ErlangenError("--steps and --minutes both say when to end: give one")
    for name, value in given.items():
        if isinstance(value, float) and not math.isfinite(value):
            raise ErlangenError(f"--{name.replace('_', '-')} {value}: give a finite number")
    if find_lr and resume:
        raise ErlangenError("--find-lr is for a training that begins: leave --resume out")
    if target not in (None, "-"):
        foresee_file(Path(str(target)), [])
    begun = f"from-{Path(weights).resolve().stem}" if weights is not None else model or "gpt-micro"
    folder = out or Path("runs") / "gpt" / f"{Path(corpus or 'tales').stem}-{begun}"
    from erlangen.train.memory import keep_memory
    from erlangen.train.parallel import joined
    from erlangen.train.seeds import check_device

    keep_memory()
    if not resume and not find_lr:
        refuse_existing(folder)
    check_device(device, "float32")
    with joined(device) as (workers, own_device):
        import torch

        torch.set_num_threads(threads_here())
        if find_lr:
            print_rate(planned(given, 1, None, own_device, workers), own_device, workers, target)
            return
        plan = resumed(folder, given, steps, workers) if resume else planned(given, steps, minutes, own_device, workers)
        lead = workers.rank == 0
        if lead:
            say(plan.announcement(folder, own_device, workers))
        if compile and plan.schedule.steps < SMALL_STEPS:
            compile = False
            if lead:
                say(f"--compile: {plan.schedule.steps} steps are few, compiling takes longer than it saves; training without")
        elif compile and own_device == "cpu" and plan.model.config.dropout > 0 and lead:
            say("--compile: on a CPU compiled dropout is slow (1.4-1.8 times the time on two Zen 4 cores): leave one of them out")
        before = plan.validation_loss(own_device) if lead and weights is not None and not resume else None
        if before is not None:
            say(f"before the first step: {before:.4f} nats per token on validation")
        start = time.monotonic()
        history = perform(plan, folder, own_device, workers, compile, sample_every, tensorboard)
        seconds = time.monotonic() - start
        if lead:
            conclude(plan, history, folder, seconds, target, before)


def print_rate(plan: Plan, device: str, workers: Workers, target: str | None) -> None:
    """The range test, as a table, and what it suggests."""
    from dataclasses import asdict

    from erlangen.train.rate_finder import find_rate

    if workers.size > 1:
        raise ErlangenError("--find-lr: one process is enough; leave torchrun out")
    curve = find_rate(plan.model, plan.corpus, plan.schedule, precision=plan.precision, device=device)
    emit(asdict(curve), target)
    if target == "-":
        return
    rows = range(0, len(curve.rates), max(len(curve.rates) // 20, 1))
    print("rate      loss, smoothed (nats per token)")
    for row in rows:
        print(f"{curve.rates[row]:<8.2e}  {curve.smoothed[row]:.4f}")
    print(f"\nSuggested: --lr {curve.suggestion:.1e} (a tenth of the rate where the smoothed loss is least)")


def perform(
    plan: Plan, folder: Path, device: str, workers: Workers, compile: bool, sample_every: int | None, tensorboard: bool
) -> LanguageHistory:
    """Train. A signal ends it after the step at hand, with everything saved."""
    from erlangen.train.language_model import fit

    with ExitStack() as stack:
        asked = stack.enter_context(signals(workers))
        on_step: list[Callable[[Any], None]] = []
        on_evaluation: list[Callable[[Any], None]] = []
        if workers.rank == 0:
            progress = stack.enter_context(Line(plan, workers))
            on_step.append(progress.step)
            on_evaluation.append(progress.evaluation)
            if tensorboard:
                add_tensorboard(folder, on_step, on_evaluation, stack)
            if sample_every is not None:
                on_step.append(sampler(plan, device, sample_every))
        history = fit(
            plan.model, plan.corpus, plan.schedule, precision=plan.precision, device=device, start=plan.start, checkpoints=folder,
            about={"options": plan.options}, on_step=_all(on_step), on_evaluation=_all(on_evaluation),
            stopping=lambda: bool(asked), compile=compile, notify=say if workers.rank == 0 else lambda line: None,
            workers=workers,
        )  # fmt: skip
    if history.ended == "asked":
        signum = asked[0] if asked else signal.SIGTERM
        if workers.rank == 0:
            say(f"{Stopped(signum)}: step {history.steps} is saved in {folder}; --resume goes on from there")
        raise Stopped(signum)
    return history


def _all(tellers: list[Callable[[Any], None]]) -> Callable[[Any], None]:
    def tell(what: object) -> None:
        for teller in tellers:
            teller(what)

    return tell


@contextmanager
def signals(workers: Workers) -> Iterator[list[int]]:
    """A list that holds the signal that asked to stop. The second of them stops at once, where no torchrun repeats the first."""
    asked: list[int] = []

    def ask(signum: int, frame: object) -> None:
        if asked and workers.size == 1:
            raise Stopped(signum)
        asked.append(signum)

    before = {signum: signal.signal(signum, ask) for signum in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield asked
    finally:
        for signum, handler in before.items():
            signal.signal(signum, handler)


def threads_here() -> int:
    """The cores, shared out among this machine's processes; what OMP_NUM_THREADS says where it does."""
    from erlangen.sweep.machine import cores

    asked, processes = os.environ.get("OMP_NUM_THREADS", ""), int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
    return int(asked) if asked.isdigit() and int(asked) > 0 else max(cores() // processes, 1)
