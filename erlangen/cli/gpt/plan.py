"""What `erlangen gpt train` will do: its options with every default filled in, or those of the run that it resumes."""

from __future__ import annotations

import os
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from erlangen.cli.gpt.opened import given_weights
from erlangen.cli.gpt.options import EMBEDDED, TrainOptions
from erlangen.cli.terminal import say
from erlangen.errors import ErlangenError

if TYPE_CHECKING:
    from erlangen.data.corpus import Corpus
    from erlangen.data.tokenizer import Tokenizer
    from erlangen.models.gpt import GPT, GPTConfig
    from erlangen.train.checkpoint import Checkpoint
    from erlangen.train.language_model import LanguageSchedule
    from erlangen.train.parallel import Workers

T = TypeVar("T")
EVALUATIONS = 20  # of a training, where --evaluate-every is not given
TALES = 50_000


@dataclass(frozen=True, kw_only=True)
class Plan:
    """All that a training needs. options: with defaults, as checkpoints record them; start: the checkpoint that it resumes.

    sharded: whether the model is divided among processes; all but rank 0's are then on the meta device.
    """

    model: GPT
    corpus: Corpus
    schedule: LanguageSchedule
    precision: Any
    options: dict[str, Any]
    start: Checkpoint | None = None
    sharded: bool = False

    def whole(self, folder: Path, device: str) -> Plan:
        """The plan with a whole model on the device: if it was divided, that of the best checkpoint."""
        from erlangen.train.checkpoint import load_checkpoint

        return replace(self, model=load_checkpoint(folder).model.to(device)) if self.sharded else self

    def validation_loss(self, device: str) -> float:
        """As every evaluation of the training measures it."""
        from erlangen.train.language_model import part_losses

        model, limit = self.model.to(device), self.schedule.evaluation_tokens
        return float(part_losses(model, self.corpus, "validation", self.precision, limit)[0].mean())

    def announcement(self, folder: Path, device: str, workers: Workers) -> str:
        count, tokens = self.model.parameter_count(), self.schedule.batch * self.model.config.block
        begin, end = self.start.step if self.start else 0, self.schedule.steps
        steps = f"{end} steps" if not begin else f"from step {begin} to {end}" if begin < end else f"all {end} steps are done"
        many = f" × {workers.size}{', divided' if self.sharded else ''}" if workers.size > 1 else ""
        data = f"{self.corpus.name} ({len(self.corpus.train):,} tokens to train on, vocabulary {self.corpus.tokenizer.size})"
        return (
            f"{self.options['model'] or self.options['from']}: {count / 1e6:.2f} M parameters, {data}, "
            f"{self.precision} on {device}{many}: {steps}, {tokens} tokens each, checkpoints in {folder}"
        )


def refuse_existing(folder: Path) -> None:
    """Raises ErlangenError where the folder already holds a training, or cannot be written."""
    held = [path.name for path in folder.glob("*.safetensors")] if folder.is_dir() else []
    if held:
        raise ErlangenError(f"{folder} already holds {held[0]}: continue with --resume, or name another folder with --out")
    if folder.exists() and not folder.is_dir():
        raise ErlangenError(f"cannot write to {folder}: it is a file; name another folder with --out")
    above = next(place for place in (folder.absolute(), *folder.absolute().parents) if place.exists())
    if not above.is_dir() or not os.access(above, os.W_OK):
        raise ErlangenError(f"cannot write to {folder}: {above} is not a writable directory; name another with --out")


def planned(options: TrainOptions, device: str, workers: Workers) -> Plan:
    """A new training, its defaults filled in."""
    import torch

    from erlangen.models.gpt import GPT, PRESETS
    from erlangen.train.language_model import LanguageSchedule, check
    from erlangen.train.seeds import seed_everything

    source, size = options.corpus or "tales", options.model or "gpt-micro"
    if size not in PRESETS:
        raise ErlangenError(f"--model {size}: choose {', '.join(PRESETS)}")
    begun = given_weights(options, workers) if options.weights is not None else None
    preset = begun.model.config if begun else PRESETS[size]
    filled = with_defaults(options, preset, device, workers)
    schedule = LanguageSchedule(
        steps=filled.steps or 1000, batch=known(filled.batch), lr=known(filled.lr), weight_decay=known(filled.weight_decay),
        accumulate=known(filled.accumulate), patience=filled.patience, seed=known(filled.seed),
    )  # fmt: skip
    precision: Any = filled.precision
    sharded = options.shard or (workers.size > 1 and too_large(preset, device, workers))
    check(schedule, precision, device, workers, sharded)
    if sharded and filled.steps is None:
        raise ErlangenError("--shard: a divided model is not timed beforehand: give --steps")
    config = configured(preset, filled, f"--from {begun.path}" if begun else f"--model {size}")
    tokenizer = begun.tokenizer if begun else filled.tokenizer or "characters"
    corpus = corpus_of(source, config.block, tokenizer, filled.tales, workers)
    seed_everything(schedule.seed)
    with torch.device("meta") if sharded and workers.rank else nullcontext():
        model = GPT(replace(config, vocabulary=corpus.tokenizer.size))
    if begun and not (sharded and workers.rank):
        begun.copy_into(model)
    schedule = timed(schedule, filled, model, corpus, device, workers)
    kept = replace(
        filled, model=None if begun else size, positions=config.positions, norm=config.norm, kv_heads=config.kv_heads,
        attention=config.attention, window=config.window, evaluate_every=schedule.evaluate_every,
    )  # fmt: skip
    return Plan(
        model=model, corpus=corpus, schedule=schedule, precision=precision, options=kept.recorded(), sharded=sharded
    )  # fmt: skip


def too_large(config: GPTConfig, device: str, workers: Workers) -> bool:
    """Whether a model does not fit on one device with its gradients and moments, on any of the machines."""
    import torch

    from erlangen.models.gpt import GPT
    from erlangen.train.sharding import must_shard

    with torch.device("meta"):
        count = GPT(config).parameter_count()
    return workers.any(must_shard(count, device))


def known(value: T | None) -> T:
    """A value that `with_defaults` has filled in."""
    assert value is not None
    return value


def with_defaults(options: TrainOptions, preset: GPTConfig, device: str, workers: Workers) -> TrainOptions:
    """The options with the defaults that a size of model, a corpus and a device suggest.

    The learning rate follows the width alone, on every device: a larger batch has less noise, but not a higher stable rate.
    """
    from erlangen.train.batch_size import tokens_a_step
    from erlangen.train.precision import best_precision, check_device

    tales = (options.corpus or "tales") == "tales"
    if options.tales is not None and not tales:
        raise ErlangenError(f"--tales {options.tales}: the text is {options.corpus}; leave it out")
    precision = options.precision or "auto"
    if precision == "auto":
        precision = best_precision(device)
    check_device(device, precision)
    block = options.block or (max(preset.block, 256) if tales else preset.block)
    windows = max(int(workers.first(tokens_a_step(replace(preset, block=block), device))) // block, 1)
    usual = 3e-3 if preset.width <= 128 else 1e-3 if preset.width <= 512 else 6e-4
    return replace(options, precision=precision).filled(
        corpus="tales", block=block, batch=windows * workers.size, weight_decay=0.1, accumulate=1, seed=0,
        lr=usual if options.weights is None else usual / 10, dropout=0.0 if tales else preset.dropout,
        tokenizer="characters" if options.weights is None else None, tales=TALES if tales else None,
    )  # fmt: skip


def configured(preset: GPTConfig, options: TrainOptions, source: str) -> GPTConfig:
    """The model's configuration with the options that change it. Raises ErlangenError where they do not fit together."""
    if options.kv_heads is not None and preset.heads % options.kv_heads:
        raise ErlangenError(f"--kv-heads {options.kv_heads}: must divide the {preset.heads} heads of {source}")
    changes = {
        name: value
        for name in ("block", "dropout", "positions", "norm", "kv_heads", "attention", "window")
        if (value := getattr(options, name)) is not None
    }
    try:
        return replace(preset, **changes)
    except ValueError as error:
        raise ErlangenError(f"{source}: {error}") from None


def timed(
    schedule: LanguageSchedule, options: TrainOptions, model: GPT, corpus: Corpus, device: str, workers: Workers
) -> LanguageSchedule:
    """The schedule with its number of steps: as given, or as many as fit into --minutes at the measured speed."""
    from erlangen.train.language_model import pace

    steps, evaluations = options.steps, EVALUATIONS
    if steps is None:
        seconds = 57 * (options.minutes or 2.0)  # of 60: timing, loading and the last scores take their share
        precision: Any = options.precision
        speed = pace(model, corpus, schedule, precision, device, workers, limit=seconds / 10, capture=options.capture)
        evaluations = min(max(int(0.25 * seconds / speed.evaluation), 1), EVALUATIONS)  # a quarter of the time at most
        steps = max(int((seconds - evaluations * speed.evaluation) / speed.update), 1)
    every = options.evaluate_every or -(-steps // evaluations)
    return replace(schedule, steps=steps, warmup=min(100, steps // 10), evaluate_every=every)


def corpus_of(source: str, block: int, tokenizer: str | Tokenizer, tales: int | None, workers: Workers) -> Corpus:
    """The corpus, with a line of progress where it takes a while."""
    from erlangen.data.corpora import load_corpus
    from erlangen.data.files import DataError

    if source not in EMBEDDED and not Path(source).exists():
        raise ErlangenError(f"{source}: there is no such text; if it moved, name it: erlangen gpt train FILE ...")
    if source == "tales" and workers.rank == 0:
        say(f"generating {tales:,} tales")
    corpus = load_corpus(source, block=block, tokenizer=tokenizer, tales=tales or TALES)
    first = 0 if corpus.train_starts is None else int(corpus.train_starts[0])
    if first + block + 1 > len(corpus.train):
        raise DataError(
            f"--block {block}: {source} has {len(corpus.train)} tokens to train on: choose a smaller block, or more text"
        )
    return corpus
