"""`erlangen gpt train`. Parsing and printing only; torch is loaded when the command runs."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from erlangen.results import ErlangenError
from erlangen.terminal import LINE_EVERY, Stopped, emit, say

if TYPE_CHECKING:
    from erlangen.data.corpus import Corpus
    from erlangen.models.gpt import GPT, GPTConfig
    from erlangen.train.checkpoint import Checkpoint
    from erlangen.train.language_model import Evaluation, LanguageHistory, LanguageSchedule, Step
    from erlangen.train.parallel import Workers

TOKENS_A_STEP = 4096  # of a batch, where --batch is not given
EVALUATIONS = 20  # of a training, where --evaluate-every is not given
SCORED = 100_000  # tokens of a part that the evaluations at the end take at most
SAMPLE = 200  # tokens of a sample
TALES = 50_000
SMALL_STEPS = 2000  # below, compiling takes longer than it saves


def train(
    corpus: Annotated[
        str | None, typer.Argument(metavar="[tales|grimm|FILE]", help="Text to learn; tales, the default, are made here.")
    ] = None,
    model: Annotated[
        str | None, typer.Option(help="A size: gpt-nano, gpt-micro (default), gpt-mini, gopher-44m, gpt2, ...")
    ] = None,
    out: Annotated[Path | None, typer.Option(metavar="DIR", help="Where checkpoints go; default runs/gpt/CORPUS-MODEL.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on where the run in DIR stopped, bit for bit.")] = False,
    steps: Annotated[int | None, typer.Option(min=1, help="Updates.")] = None,
    minutes: Annotated[
        float | None, typer.Option(min=0.01, help="As many updates as this machine makes in so long. Default 2.")
    ] = None,
    batch: Annotated[int | None, typer.Option(min=1, help="Windows a step; default 4096 tokens' worth.")] = None,
    block: Annotated[int | None, typer.Option(min=2, help="Tokens of a window; default the model's, 256 for tales.")] = None,
    tokenizer: Annotated[str | None, typer.Option(metavar="characters|PATH", help="Characters, or files of GPT-2's BPE.")] = None,
    tales: Annotated[int | None, typer.Option(min=60, help="How many tales; default 50000.")] = None,
    lr: Annotated[float | None, typer.Option(min=1e-9, help="Largest learning rate; default 3e-3 up to a width of 128.")] = None,
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
    compile: Annotated[bool, typer.Option("--compile", help="With torch.compile; short runs do not gain.")] = False,
    seed: Annotated[int | None, typer.Option(min=0, help="Of weights, data order and dropout; default 0.")] = None,
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
        "corpus": corpus, "model": model, "batch": batch, "block": block, "tokenizer": tokenizer, "tales": tales,
        "lr": lr, "dropout": dropout,
        "weight_decay": weight_decay, "positions": positions, "norm": norm, "attention": attention, "window": window,
        "precision": precision, "seed": seed, "accumulate": accumulate, "evaluate_every": evaluate_every, "patience": patience,
        "minutes": minutes,
    }  # fmt: skip
    if steps is not None and minutes is not None:
        raise ErlangenError("--steps and --minutes both say when to end: give one")
    folder = out or Path("runs") / "gpt" / f"{Path(corpus or 'tales').stem}-{model or 'gpt-micro'}"
    from erlangen.train.memory import keep_memory
    from erlangen.train.parallel import joined
    from erlangen.train.seeds import check_device

    keep_memory()
    if not resume and not find_lr:
        refuse_existing(folder)
    check_device(device, "float32")
    with joined(device) as (workers, own_device):
        import torch

        torch.set_num_threads(_threads(workers.size))
        plan = resumed(folder, given, steps, workers) if resume else planned(given, steps, minutes, own_device, workers)
        if find_lr:
            print_rate(plan, own_device, workers)
            return
        lead = workers.rank == 0
        if lead:
            say(plan.announcement(folder, own_device, workers))
            if compile and plan.schedule.steps < SMALL_STEPS:
                say(f"--compile: {plan.schedule.steps} steps are few, compiling takes longer than it will save")
        start = time.monotonic()
        history = perform(plan, folder, own_device, workers, compile, sample_every, tensorboard)
        seconds = time.monotonic() - start
        if lead:
            conclude(plan, history, folder, seconds, target)


@dataclass(frozen=True, kw_only=True)
class Plan:
    """All that a training needs. options: as resolved, so that a resumption can compare; start: where it goes on from."""

    model: GPT
    corpus: Corpus
    schedule: LanguageSchedule
    precision: Any
    options: dict[str, Any]
    start: Checkpoint | None = None

    def announcement(self, folder: Path, device: str, workers: Workers) -> str:
        count, tokens = self.model.parameter_count(), self.schedule.batch * self.model.config.block
        begin = f"from step {self.start.step} " if self.start else ""
        many = f" × {workers.size}" if workers.size > 1 else ""
        data = f"{self.corpus.name} ({len(self.corpus.train):,} tokens to train on, vocabulary {self.corpus.tokenizer.size})"
        return (
            f"{self.options['model']}: {count / 1e6:.2f} M parameters, {data}, {self.precision} on {device}{many}: "
            f"{begin}{self.schedule.steps} steps of {tokens} tokens, checkpoints in {folder}"
        )


def refuse_existing(folder: Path) -> None:
    """Raises ErlangenError where a training lies already, or nothing can be written."""
    held = [path.name for path in folder.glob("*.safetensors")] if folder.is_dir() else []
    if held:
        raise ErlangenError(f"{folder} holds {held[0]} already: go on with --resume, or name another folder with --out")
    if folder.exists() and not folder.is_dir():
        raise ErlangenError(f"cannot write to {folder}: it is a file; name another folder with --out")
    above = next(place for place in (folder.absolute(), *folder.absolute().parents) if place.exists())
    if not above.is_dir() or not os.access(above, os.W_OK):
        raise ErlangenError(f"cannot write to {folder}: {above} is no folder that may be written to; name another with --out")


def planned(given: dict[str, Any], steps: int | None, minutes: float | None, device: str, workers: Workers) -> Plan:
    """A new training, its defaults filled in."""
    from erlangen.models.gpt import GPT, PRESETS
    from erlangen.train.language_model import LanguageSchedule, check, pace
    from erlangen.train.seeds import check_device, has_bfloat16, seed_everything

    def chosen(name: str, otherwise: Any) -> Any:
        return otherwise if given[name] is None else given[name]

    source, size = chosen("corpus", "tales"), chosen("model", "gpt-micro")
    if size not in PRESETS:
        raise ErlangenError(f"--model {size}: choose {', '.join(PRESETS)}")
    preset = PRESETS[size]
    precision = chosen("precision", "auto")
    if precision == "auto":
        precision = "bfloat16" if has_bfloat16(device) else "float32"
    check_device(device, precision)
    block = chosen("block", max(preset.block, 256) if source == "tales" else preset.block)
    batch = chosen("batch", max(TOKENS_A_STEP // block, 1) * workers.size)
    fields = {name: given[name] for name in ("positions", "norm", "attention", "window") if given[name] is not None}
    dropout = chosen("dropout", 0.0 if source == "tales" else preset.dropout)
    lr = chosen("lr", 3e-3 if preset.width <= 128 else 1e-3 if preset.width <= 512 else 6e-4)
    schedule = LanguageSchedule(
        steps=steps or 1000, batch=batch, lr=lr, weight_decay=chosen("weight_decay", 0.1), accumulate=chosen("accumulate", 1),
        patience=given["patience"], seed=chosen("seed", 0),
    )  # fmt: skip
    check(schedule, precision, device, workers)
    try:
        config: GPTConfig = replace(preset, block=block, dropout=dropout, **fields)
    except ValueError as error:
        raise ErlangenError(f"--model {size}: {error}") from None
    n_tales = chosen("tales", TALES) if source == "tales" else None
    if given["tales"] is not None and n_tales is None:
        raise ErlangenError(f"--tales {given['tales']}: the text is {source}; leave it out")
    corpus = corpus_of(source, block, chosen("tokenizer", "characters"), n_tales, workers)
    seed_everything(schedule.seed)
    model = GPT(replace(config, vocabulary=corpus.tokenizer.size))
    evaluations = EVALUATIONS
    if steps is None:
        speed = pace(model, corpus, schedule, precision, device, workers)
        seconds = 60 * (2.0 if minutes is None else minutes)
        evaluations = min(max(int(0.25 * seconds / speed.evaluation), 1), EVALUATIONS)  # a quarter of the time at most
        steps = max(int((seconds - evaluations * speed.evaluation) / speed.update), 1)
    schedule = replace(
        schedule,
        steps=steps,
        warmup=min(100, steps // 10),
        evaluate_every=chosen("evaluate_every", -(-steps // evaluations)),
    )
    options = {
        **given, "corpus": source, "model": size, "batch": batch, "block": block, "tokenizer": chosen("tokenizer", "characters"),
        "lr": lr, "dropout": dropout, "weight_decay": schedule.weight_decay, "positions": config.positions, "norm": config.norm,
        "attention": config.attention, "window": config.window, "precision": precision, "seed": schedule.seed,
        "accumulate": schedule.accumulate, "tales": n_tales, "evaluate_every": schedule.evaluate_every,
    }  # fmt: skip
    return Plan(model=model, corpus=corpus, schedule=schedule, precision=precision, options=options)


def resumed(folder: Path, given: dict[str, Any], steps: int | None, workers: Workers) -> Plan:
    """The training whose `last` lies in the folder. What is given beside must be what it was started with, but for steps."""
    from erlangen.results import DamagedFileError
    from erlangen.train.checkpoint import LAST, load_checkpoint
    from erlangen.train.language_model import LanguageSchedule

    if not (folder / LAST).is_file():
        raise ErlangenError(f"--resume: no {LAST} in {folder}: name the folder with --out, or leave --resume out to begin there")
    start = load_checkpoint(folder / LAST)
    try:
        options: dict[str, Any] = start.about["options"]
        recorded = {**start.about["schedule"], "betas": tuple(start.about["schedule"]["betas"])}
        schedule = LanguageSchedule(**recorded)
    except (KeyError, TypeError, ValueError) as error:
        raise DamagedFileError(f"{start.path}: its options or schedule lack or misstate {error}: start anew") from None
    for name, value in given.items():
        if value is not None and value != options.get(name) and not (name == "precision" and value == "auto"):
            option = name if name == "corpus" else "--" + name.replace("_", "-")
            raise ErlangenError(
                f"{option} {value}: the run in {folder} was started with {options.get(name)}: leave it out, or begin another"
            )
    if steps is not None and steps != schedule.steps:
        if steps < start.step:
            raise ErlangenError(f"--steps {steps}: the run in {folder} has made {start.step} already")
        if workers.rank == 0:
            say(f"{steps} steps in place of {schedule.steps}: from here on the learning rate is that of a run of {steps}")
        schedule = replace(schedule, steps=steps)
    corpus = corpus_of(options["corpus"], start.config.block, options["tokenizer"], options["tales"], workers)
    from erlangen.models.gpt import GPT

    return Plan(
        model=GPT(start.config),
        corpus=corpus,
        schedule=schedule,
        precision=start.about["precision"],
        options=options,
        start=start,
    )


def corpus_of(source: str, block: int, tokenizer: str, tales: int | None, workers: Workers) -> Corpus:
    """The corpus, with a line where it takes a while."""
    from erlangen.data.corpus import load_corpus

    if source == "tales" and workers.rank == 0:
        say(f"telling {tales:,} tales")
    return load_corpus(source, block=block, tokenizer=tokenizer, tales=tales or TALES)


def print_rate(plan: Plan, device: str, workers: Workers) -> None:
    """The range test, as a table, and what it suggests."""
    from erlangen.train.rate_finder import find_rate

    if workers.size > 1:
        raise ErlangenError("--find-lr: one process is enough; leave torchrun out")
    curve = find_rate(plan.model, plan.corpus, plan.schedule, precision=plan.precision, device=device)
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


class Line:
    """Where a training stands: one live line on a terminal, a line every half minute elsewhere."""

    def __init__(self, plan: Plan, workers: Workers) -> None:
        self.total, self.tokens = plan.schedule.steps, plan.schedule.batch * plan.model.config.block
        self.begin = self.first = plan.start.step if plan.start else 0
        self.start = self.last = time.monotonic()
        self.loss, self.validation = float("nan"), float("nan")
        self.live: Any = None
        if sys.stderr.isatty():
            from rich.console import Console
            from rich.live import Live

            self.live = Live("", console=Console(stderr=True), transient=True, refresh_per_second=4)

    def __enter__(self) -> Line:
        if self.live is not None:
            self.live.start()
        return self

    def __exit__(self, *fault: object) -> None:
        if self.live is not None:
            self.live.stop()

    def step(self, step: Step) -> None:
        self.loss = step.loss if step.step == self.begin + 1 else 0.95 * self.loss + 0.05 * step.loss
        self.tell(step.step)

    def evaluation(self, one: Evaluation) -> None:
        self.validation = one.validation_loss

    def tell(self, step: int) -> None:
        now = time.monotonic()
        seconds = max(now - self.start, 1e-9)
        left = int(seconds / (step - self.begin) * (self.total - step))
        held = "" if self.validation != self.validation else f", validation {self.validation:.4f}"
        speed = (step - self.begin) * self.tokens / seconds
        line = f"step {step}/{self.total}  {speed:,.0f} tokens/s  loss {self.loss:.4f}{held}  {left // 60}:{left % 60:02d} left"
        if self.live is not None:
            self.live.update(line)
        elif now - self.last > LINE_EVERY or step == self.total:
            self.last = now
            say(line)


def sampler(plan: Plan, device: str, every: int) -> Callable[[Step], None]:
    """Prints a sample after every so many steps, to stderr; training draws the same numbers as without."""
    import torch

    from erlangen.generate.decode import generate
    from erlangen.generate.filters import Settings

    first = plan.corpus.validation[:1].long()[None].to(device)  # (1, 1)

    def tell(step: Step) -> None:
        if step.step % every:
            return
        with torch.no_grad():
            tokens = generate(plan.model, first, SAMPLE, settings=Settings(seed=step.step))
        text = plan.corpus.tokenizer.decode(tokens[0, 1:].cpu())
        say(f"--- sample at step {step.step} ---\n{text}\n---")

    return tell


def add_tensorboard(folder: Path, on_step: list[Any], on_evaluation: list[Any], stack: ExitStack) -> None:
    """Log losses and the learning rate, where TensorBoard is installed."""
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        say("--tensorboard: it is not installed (pip install tensorboard); training without")
        return
    writer: Any = SummaryWriter(folder / "tensorboard")
    stack.callback(writer.close)

    def log_step(step: Step) -> None:
        writer.add_scalar("loss/train", step.loss, step.step)
        writer.add_scalar("learning rate", step.lr, step.step)

    on_step.append(log_step)
    on_evaluation.append(lambda one: writer.add_scalar("loss/validation", one.validation_loss, one.step))


def conclude(plan: Plan, history: LanguageHistory, folder: Path, seconds: float, target: str | None) -> None:
    """Evaluate the best weights on text not trained on; print, and write JSON where it is asked for."""
    scores = [scored(plan, part) for part in ("validation", "test")]
    made = history.steps - (plan.start.step if plan.start else 0)
    speed = made * plan.schedule.batch * plan.model.config.block / seconds
    data = {
        "folder": str(folder), "options": plan.options, "schedule": asdict(plan.schedule), "config": asdict(plan.model.config),
        "parameters": plan.model.parameter_count(), "steps": history.steps, "best_step": history.best_step,
        "ended": history.ended, "seconds": round(seconds, 2), "tokens_per_second": speed,
        "evaluations": [one._asdict() for one in history.evaluations], "scores": scores,
    }  # fmt: skip
    emit(data, target)
    if target == "-":
        return
    ended = " (ended by --patience)" if history.ended == "patience" else ""
    print(f"Best of {history.steps} steps{ended}: step {history.best_step}")
    print(f"{made} steps in {seconds:.0f} s, {speed:,.0f} tokens/s, evaluations among them\n")
    for score in scores:
        loss, bits = _with_interval(score["nats_per_token"], score["interval"]), score["bits_per_byte"]
        print(f"{score['part']:<10}  {loss} nats per token, {bits:.4f} bits per byte (n = {score['tokens']} tokens)")
        if "floor" in score:
            above, share = (
                _with_interval(score["above_floor"], score["above_floor_interval"]),
                score["above_floor"] / score["floor"],
            )
            print(
                f"{'':<10}  floor {score['floor']:.4f} on the same characters, the loss above it by {above}, {100 * share:.1f} %"
            )
    print(f"\nEvaluation: {scores[0]['evaluation']}; 95 % intervals over contiguous blocks of text.")
    print(f"Checkpoints: {folder}\nWrite with it: erlangen gpt generate {folder}")


def _with_interval(value: float, ends: list[float]) -> str:
    return f"{value:.4f} [{ends[0]:.4f}, {ends[1]:.4f}]"


def scored(plan: Plan, part: Any) -> dict[str, Any]:
    """One part's loss, in nats and bits, with its interval; for tales the floor on the same characters, paired."""
    from erlangen.measure.token_loss import bits_per_byte, loss_interval
    from erlangen.train.language_model import part_losses

    losses, at = part_losses(plan.model, plan.corpus, part, plan.precision, SCORED)
    tokens = getattr(plan.corpus, part)[at]
    interval = loss_interval(losses)
    aligned = plan.corpus.validation_starts is not None
    score = {
        "part": part,
        "evaluation": ("windows of whole tales" if aligned else f"non-overlapping windows of {plan.model.config.block}")
        + f", {plan.precision}",
        "tokens": len(losses), "nats_per_token": interval.estimate, "interval": [interval.low, interval.high],
        "bits_per_byte": bits_per_byte(float(losses.sum()), plan.corpus.bytes_of(tokens)),
    }  # fmt: skip
    if plan.corpus.name == "tales" and aligned:
        from erlangen.data import tales

        floor = tales.floor(plan.corpus.tokenizer.decode(tokens))
        above = loss_interval(losses.numpy() - floor)
        score |= {
            "floor": float(floor.mean()), "above_floor": above.estimate, "above_floor_interval": [above.low, above.high],
        }  # fmt: skip
    return score


def _threads(processes: int) -> int:
    """The cores, shared out; what OMP_NUM_THREADS says where it does."""
    from erlangen.sweep.machine import cores

    asked = os.environ.get("OMP_NUM_THREADS", "")
    return int(asked) if asked.isdigit() and int(asked) > 0 else max(cores() // processes, 1)
