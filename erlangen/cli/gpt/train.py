"""`erlangen gpt train`. Parsing and printing only; torch is loaded when the command runs."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from erlangen.cli.gpt.options import TrainOptions, takes
from erlangen.cli.gpt.plan import Plan, planned, refuse_existing
from erlangen.cli.gpt.progress import Line, add_tensorboard, sampler
from erlangen.cli.gpt.resuming import device_of, resumed
from erlangen.cli.gpt.scores import conclude
from erlangen.cli.outputs import emit, foresee_file
from erlangen.cli.terminal import Stopped, say
from erlangen.errors import ErlangenError

if TYPE_CHECKING:
    from erlangen.train.language_model import LanguageHistory
    from erlangen.train.parallel import Workers

SMALL_STEPS = 2000  # below, compiling takes longer than it saves


@takes(TrainOptions)
def train(options: TrainOptions) -> None:
    """Train a small GPT.

    The model is evaluated on held-out text. Data-parallel: torchrun --nproc-per-node N -m erlangen gpt train ...; a model that
    does not fit on one GPU is then divided among the processes.
    """
    if options.target not in (None, "-"):
        foresee_file(Path(str(options.target)), [])
    from erlangen.train.memory import keep_memory
    from erlangen.train.parallel import joined
    from erlangen.train.precision import check_device, resolve_device

    keep_memory()
    folder = options.folder()
    if not options.resume and not options.find_lr:
        refuse_existing(folder)
    device = device_of(folder) if options.resume and options.device == "auto" else resolve_device(options.device)
    check_device(device, "float32")
    with joined(device) as (workers, own_device):
        import torch

        torch.set_num_threads(threads_here())
        if options.find_lr:
            begun = replace(options, steps=1, minutes=None)
            print_rate(planned(begun, own_device, workers), own_device, workers, options.target)
        else:
            plan = resumed(folder, options, workers, own_device) if options.resume else planned(options, own_device, workers)
            train_as_planned(plan, folder, options, own_device, workers)


def train_as_planned(plan: Plan, folder: Path, options: TrainOptions, device: str, workers: Workers) -> None:
    """Train, evaluate, and print what came of it."""
    tell = say if workers.rank == 0 else lambda line: None
    tell(plan.announcement(folder, device, workers))
    compiled = options.compile and worth_compiling(plan, device, tell)
    before = None
    if plan.sharded and options.sample_every is not None:
        raise ErlangenError("--sample-every: one process cannot write texts with a divided model: leave it out")
    if workers.rank == 0 and options.weights is not None and not options.resume and not plan.sharded:
        before = plan.validation_loss(device)
        say(f"before the first step: {before:.4f} nats per token on validation")
    start = time.monotonic()
    history = perform(plan, folder, device, workers, compiled, options)
    if workers.rank == 0:
        plan = plan.whole(folder, device)
        conclude(plan, history, folder, time.monotonic() - start, options.target, before)


def worth_compiling(plan: Plan, device: str, tell: Callable[[str], None]) -> bool:
    """Whether a run is long enough for torch.compile; says so where it is not, or where it costs more than it gains."""
    if plan.schedule.steps < SMALL_STEPS:
        tell(f"--compile: {plan.schedule.steps} steps are few: compiling would take longer than it saves, so it is left out")
        return False
    if plan.sharded:
        tell("--compile: a divided model is not compiled; training without it")
        return False
    if device == "cpu" and plan.model.config.dropout > 0:
        tell("--compile: on a CPU compiled dropout is slow (1.4 to 1.8 times the time on two Zen 4 cores): leave one of them out")
    return True


def print_rate(plan: Plan, device: str, workers: Workers, target: str | None) -> None:
    """The range test, as a table, and what it suggests."""
    from dataclasses import asdict

    from erlangen.train.rate_finder import find_rate

    if workers.size > 1:
        raise ErlangenError("--find-lr needs only one process: run it without torchrun")
    curve = find_rate(plan.model, plan.corpus, plan.schedule, precision=plan.precision, device=device)
    emit(asdict(curve), target)
    if target == "-":
        return
    rows = range(0, len(curve.rates), max(len(curve.rates) // 20, 1))
    print("rate      smoothed loss (nats per token)")
    for row in rows:
        print(f"{curve.rates[row]:<8.2e}  {curve.smoothed[row]:.4f}")
    print(f"\nSuggested: --lr {curve.suggestion:.1e} (a tenth of the rate with the lowest smoothed loss)")


def perform(plan: Plan, folder: Path, device: str, workers: Workers, compile: bool, options: TrainOptions) -> LanguageHistory:
    """Train. A signal ends it after the current step, with everything saved."""
    from erlangen.train.language_model import fit

    with ExitStack() as stack:
        asked = stack.enter_context(signals(workers))
        on_step: list[Callable[[Any], None]] = []
        on_evaluation: list[Callable[[Any], None]] = []
        if workers.rank == 0:
            progress = stack.enter_context(Line(plan, workers))
            on_step.append(progress.step)
            on_evaluation.append(progress.evaluation)
            if options.tensorboard:
                add_tensorboard(folder, on_step, on_evaluation, stack)
            if options.sample_every is not None:
                on_step.append(sampler(plan, device, options.sample_every))
        history = fit(
            plan.model, plan.corpus, plan.schedule, precision=plan.precision, device=device, start=plan.start, checkpoints=folder,
            about={"options": plan.options}, on_step=_all(on_step), on_evaluation=_all(on_evaluation),
            stopping=lambda: bool(asked), compile=compile, capture=options.capture, sharded=plan.sharded,
            notify=say if workers.rank == 0 else lambda line: None, workers=workers,
        )  # fmt: skip
    if history.ended == "asked":
        signum = asked[0] if asked else signal.SIGTERM
        if workers.rank == 0:
            say(f"{Stopped(signum)}: step {history.steps} is saved in {folder}; continue with --resume")
        raise Stopped(signum)
    return history


def _all(tellers: list[Callable[[Any], None]]) -> Callable[[Any], None]:
    def tell(what: object) -> None:
        for teller in tellers:
            teller(what)

    return tell


@contextmanager
def signals(workers: Workers) -> Iterator[list[int]]:
    """A list that receives the signal that asked to stop. A second one stops at once, except where torchrun repeats the first."""
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
    """This process's share of the machine's cores, or OMP_NUM_THREADS where it is set."""
    from erlangen.sweep.machine import cores

    asked, processes = os.environ.get("OMP_NUM_THREADS", ""), int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
    return int(asked) if asked.isdigit() and int(asked) > 0 else max(cores() // processes, 1)
