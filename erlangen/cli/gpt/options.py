"""The options of `erlangen gpt train`, written once: each field below is an option, with its type, bounds and help."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable
from dataclasses import MISSING, asdict, dataclass, fields, replace
from pathlib import Path
from typing import Annotated, Any, get_type_hints

import typer

from erlangen.cli.outputs import Json
from erlangen.errors import ErlangenError

EMBEDDED = ("tales", "grimm")  # corpora that are no files


@dataclass(frozen=True, kw_only=True)
class TrainOptions:
    """What was given on the command line; None where an option was left out."""

    corpus: Annotated[str | None, typer.Argument(metavar="[tales|grimm|FILE]", help="Text to train on. Default: tales.")] = None
    model: Annotated[str | None, typer.Option(help="gpt-nano, gpt-micro (default), gpt-mini, ...")] = None
    out: Annotated[Path | None, typer.Option(metavar="DIR", help="Checkpoint folder. Default: runs/gpt/CORPUS-MODEL.")] = None
    weights: Annotated[
        str | None, typer.Option("--from", metavar="PATH", help="Start from a checkpoint or from GPT-2's files.")
    ] = None
    resume: Annotated[bool, typer.Option("--resume", help="Resume the interrupted run in --out exactly.")] = False
    steps: Annotated[int | None, typer.Option(min=1, help="Number of updates.")] = None
    minutes: Annotated[float | None, typer.Option(min=0.01, help="Train for about this long. Default: 2.")] = None
    batch: Annotated[int | None, typer.Option(min=1, help="Windows per step. Default: fits the device.")] = None
    block: Annotated[int | None, typer.Option(min=2, help="Context length in tokens. Default: the model's.")] = None
    tokenizer: Annotated[
        str | None, typer.Option(metavar="characters|PATH", help="Characters, or a folder with GPT-2's BPE files.")
    ] = None
    tales: Annotated[int | None, typer.Option(min=60, help="Number of tales to generate. Default: 50000.")] = None
    lr: Annotated[float | None, typer.Option(min=1e-9, help="Peak learning rate. Default: depends on the width.")] = None
    find_lr: Annotated[bool, typer.Option("--find-lr", help="Suggest a learning rate; do not train.")] = False
    weight_decay: Annotated[float | None, typer.Option(min=0, help="Weight decay of matrices. Default: 0.1.")] = None
    dropout: Annotated[float | None, typer.Option(min=0, max=0.99, help="Dropout. Default: the model's; 0 for tales.")] = None
    positions: Annotated[str | None, typer.Option(help="rotary, absolute, alibi or none.")] = None
    norm: Annotated[str | None, typer.Option(help="rms or layer.")] = None
    kv_heads: Annotated[int | None, typer.Option(min=1, help="Heads of keys and values. Default: all heads.")] = None
    attention: Annotated[str | None, typer.Option(help="auto, naive, fused or local.")] = None
    window: Annotated[int | None, typer.Option(min=1, help="Attention window in tokens. Default: the block.")] = None
    precision: Annotated[str | None, typer.Option(help="auto, float32, tf32, bfloat16 or float16.")] = None
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:N or mps.")] = "auto"
    compile: Annotated[bool, typer.Option("--compile", help="Use torch.compile; pays off in long runs only.")] = False
    capture: Annotated[bool, typer.Option("--capture/--no-capture", help="Launch steps as a CUDA graph where possible.")] = True
    shard: Annotated[bool, typer.Option("--shard", help="Divide the model among torchrun's processes.")] = False
    seed: Annotated[int | None, typer.Option(min=0, max=2**62, help="Seed of weights, data and dropout. Default: 0.")] = None
    accumulate: Annotated[int | None, typer.Option(min=1, help="Split each batch to save memory. Default: 1.")] = None
    evaluate_every: Annotated[
        int | None, typer.Option(min=1, metavar="STEPS", help="Evaluate this often. Default: 20 times in all.")
    ] = None
    patience: Annotated[int | None, typer.Option(min=1, help="Evaluations without improvement before stopping.")] = None
    sample_every: Annotated[int | None, typer.Option(min=1, metavar="STEPS", help="Print a sample this often.")] = None
    tensorboard: Annotated[bool, typer.Option("--tensorboard", help="Log to DIR/tensorboard.")] = False
    target: Json = None

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            if isinstance(value, float) and not math.isfinite(value):
                raise ErlangenError(f"{option_name(name)} {value}: give a finite number")
        if self.steps is not None and self.minutes is not None:
            raise ErlangenError("--steps and --minutes both say when to end: give one")
        if self.find_lr and self.resume:
            raise ErlangenError("--find-lr is for a training that begins: leave --resume out")

    def recorded(self) -> dict[str, Any]:
        """The options that a checkpoint keeps, so that a resumption can compare; paths made absolute, so that they still hold
        in another working directory."""
        kept = {NAMES.get(name, name): value for name, value in asdict(self).items() if name in RECORDED}
        return {name: absolute(value) if name in ("corpus", "from", "tokenizer") else value for name, value in kept.items()}

    def folder(self) -> Path:
        """Where the checkpoints go."""
        begun = f"from-{Path(self.weights).resolve().stem}" if self.weights is not None else self.model or "gpt-micro"
        return self.out or Path("runs") / "gpt" / f"{Path(self.corpus or 'tales').stem}-{begun}"

    def filled(self, **defaults: Any) -> TrainOptions:
        """The options with defaults for those that were left out."""
        return replace(self, **{name: value for name, value in defaults.items() if getattr(self, name) is None})


NAMES = {"weights": "from"}  # as checkpoints call it
RECORDED = (
    "corpus", "weights", "model", "batch", "block", "tokenizer", "tales", "lr", "dropout", "weight_decay", "positions", "norm",
    "kv_heads", "attention", "window", "precision", "seed", "accumulate", "evaluate_every", "patience", "minutes",
)  # fmt: skip


def absolute(name: str | None) -> str | None:
    """A path that exists as an absolute one; any other text as it is."""
    return (
        name
        if name is None or name in EMBEDDED or not Path(name).expanduser().exists()
        else str(Path(name).expanduser().resolve())
    )


def option_name(field: str) -> str:
    """`weight_decay` -> '--weight-decay'"""
    return field if field == "corpus" else "--" + NAMES.get(field, field).replace("_", "-")


def takes(kind: type) -> Callable[[Callable[[Any], None]], Callable[..., None]]:
    """Make a Typer command of a function that takes one record: an option for each field of the frozen dataclass `kind`."""
    hints = get_type_hints(kind, include_extras=True)

    def command_of(function: Callable[[Any], None]) -> Callable[..., None]:
        def command(**given: Any) -> None:
            function(kind(**given))

        parameters = [
            inspect.Parameter(
                field.name, inspect.Parameter.KEYWORD_ONLY, annotation=hints[field.name],
                default=inspect.Parameter.empty if field.default is MISSING else field.default,
            )
            for field in fields(kind)
        ]  # fmt: skip
        command.__name__, command.__doc__ = function.__name__, function.__doc__
        command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        command.__annotations__ = {field.name: hints[field.name] for field in fields(kind)}
        return command

    return command_of
