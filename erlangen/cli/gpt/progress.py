"""Progress of a training: a status line, samples from the model, TensorBoard."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from erlangen.cli.terminal import LINE_EVERY, say
from erlangen.errors import ErlangenError

if TYPE_CHECKING:
    from erlangen.cli.gpt.plan import Plan
    from erlangen.train.language_model import Evaluation, Step
    from erlangen.train.parallel import Workers

SAMPLE = 200  # tokens of a sample


class Line:
    """The status line: updated in place on a terminal, printed every half minute elsewhere."""

    def __init__(self, plan: Plan, workers: Workers) -> None:
        self.total, self.tokens = plan.schedule.steps, plan.schedule.batch * plan.model.config.block
        self.begin = plan.start.step if plan.start else 0
        self.start = self.last = time.monotonic()
        self.loss, self.held_out, self.evaluated = float("nan"), "", 0
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
        self.held_out, self.evaluated = f", validation {one.validation_loss:.4f} at step {one.step}", one.step
        self.tell(one.step)

    def tell(self, step: int) -> None:
        now = time.monotonic()
        seconds = max(now - self.start, 1e-9)
        left = int(seconds / (step - self.begin) * (self.total - step))
        speed = (step - self.begin) * self.tokens / seconds
        line = f"step {step}/{self.total}  {speed:,.0f} tokens/s  loss {self.loss:.4f}{self.held_out}"
        line += f"  {left // 60}:{left % 60:02d} left"
        if self.live is not None:
            self.live.update(line)
        elif now - self.last > LINE_EVERY or self.evaluated == self.total:
            self.last = now
            say(line)


def sampler(plan: Plan, device: str, every: int) -> Callable[[Step], None]:
    """Prints a sample after every so many steps, to stderr; training draws the same numbers as without."""
    import torch

    from erlangen.generate.decode import generate
    from erlangen.generate.settings import Settings

    tokenizer = plan.corpus.tokenizer
    try:
        begin = tokenizer.encode("\n")  # which ends every tale
    except ErlangenError:
        begin = plan.corpus.validation[:1].long()
    begin = begin.to(device)  # (1,)

    def tell(step: Step) -> None:
        if step.step % every:
            return
        with torch.no_grad():
            tokens = generate(plan.model, begin, SAMPLE, settings=Settings(seed=step.step))
        text = tokenizer.decode(tokens[0].cpu()).removeprefix("\n")
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
