"""What `erlangen gpt train` is to do: its options with every default filled in, or those of the run that it goes on with."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from erlangen.cli.gpt.opened import given_weights
from erlangen.cli.terminal import say
from erlangen.errors import ErlangenError

if TYPE_CHECKING:
    from erlangen.data.corpus import Corpus
    from erlangen.data.tokenizer import Tokenizer
    from erlangen.models.gpt import GPT, GPTConfig
    from erlangen.train.checkpoint import Checkpoint
    from erlangen.train.language_model import LanguageSchedule
    from erlangen.train.parallel import Workers

TOKENS_A_STEP = 4096  # of a batch, where --batch is not given
EVALUATIONS = 20  # of a training, where --evaluate-every is not given
TALES = 50_000


@dataclass(frozen=True, kw_only=True)
class Plan:
    """All that a training needs. options: as resolved, so that a resumption can compare; start: where it goes on from."""

    model: GPT
    corpus: Corpus
    schedule: LanguageSchedule
    precision: Any
    options: dict[str, Any]
    start: Checkpoint | None = None

    def validation_loss(self, device: str) -> float:
        """As every evaluation of the training measures it."""
        from erlangen.train.language_model import part_losses

        model, limit = self.model.to(device), self.schedule.evaluation_tokens
        return float(part_losses(model, self.corpus, "validation", self.precision, limit)[0].mean())

    def announcement(self, folder: Path, device: str, workers: Workers) -> str:
        count, tokens = self.model.parameter_count(), self.schedule.batch * self.model.config.block
        steps = f"from step {self.start.step} to {self.schedule.steps}" if self.start else f"{self.schedule.steps} steps"
        many = f" × {workers.size}" if workers.size > 1 else ""
        data = f"{self.corpus.name} ({len(self.corpus.train):,} tokens to train on, vocabulary {self.corpus.tokenizer.size})"
        return (
            f"{self.options['model'] or self.options['from']}: {count / 1e6:.2f} M parameters, {data}, "
            f"{self.precision} on {device}{many}: {steps}, {tokens} tokens each, checkpoints in {folder}"
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
    begun = given_weights(given, workers) if given["from"] is not None else None
    preset = begun.model.config if begun else PRESETS[size]
    precision = chosen("precision", "auto")
    if precision == "auto":
        precision = "bfloat16" if has_bfloat16(device) else "float32"
    check_device(device, precision)
    block = chosen("block", max(preset.block, 256) if source == "tales" else preset.block)
    batch = chosen("batch", max(TOKENS_A_STEP // block, 1) * workers.size)
    fields = {name: given[name] for name in ("positions", "norm", "attention", "window") if given[name] is not None}
    dropout = chosen("dropout", 0.0 if source == "tales" else preset.dropout)
    usual = 3e-3 if preset.width <= 128 else 1e-3 if preset.width <= 512 else 6e-4
    lr = chosen("lr", usual / 10 if begun else usual)
    schedule = LanguageSchedule(
        steps=steps or 1000, batch=batch, lr=lr, weight_decay=chosen("weight_decay", 0.1), accumulate=chosen("accumulate", 1),
        patience=given["patience"], seed=chosen("seed", 0),
    )  # fmt: skip
    check(schedule, precision, device, workers)
    try:
        config: GPTConfig = replace(preset, block=block, dropout=dropout, **fields)
    except ValueError as error:
        raise ErlangenError(f"{f'--from {begun.path}' if begun else f'--model {size}'}: {error}") from None
    n_tales = chosen("tales", TALES) if source == "tales" else None
    if given["tales"] is not None and n_tales is None:
        raise ErlangenError(f"--tales {given['tales']}: the text is {source}; leave it out")
    tokenizer = begun.tokenizer if begun else chosen("tokenizer", "characters")
    corpus = corpus_of(source, block, tokenizer, n_tales, workers)
    seed_everything(schedule.seed)
    model = GPT(replace(config, vocabulary=corpus.tokenizer.size))
    if begun:
        begun.copy_into(model)
    evaluations = EVALUATIONS
    if steps is None:
        seconds = 57 * (2.0 if minutes is None else minutes)  # timing, loading and the last scores take their share
        speed = pace(model, corpus, schedule, precision, device, workers, limit=seconds / 10)
        evaluations = min(max(int(0.25 * seconds / speed.evaluation), 1), EVALUATIONS)  # a quarter of the time at most
        steps = max(int((seconds - evaluations * speed.evaluation) / speed.update), 1)
    schedule = replace(
        schedule,
        steps=steps,
        warmup=min(100, steps // 10),
        evaluate_every=chosen("evaluate_every", -(-steps // evaluations)),
    )
    options = {
        **given, "corpus": source, "model": None if begun else size, "batch": batch, "block": block,
        "tokenizer": None if begun else chosen("tokenizer", "characters"),
        "lr": lr, "dropout": dropout, "weight_decay": schedule.weight_decay, "positions": config.positions, "norm": config.norm,
        "attention": config.attention, "window": config.window, "precision": precision, "seed": schedule.seed,
        "accumulate": schedule.accumulate, "tales": n_tales, "evaluate_every": schedule.evaluate_every,
    }  # fmt: skip
    return Plan(model=model, corpus=corpus, schedule=schedule, precision=precision, options=options)


def resumed(folder: Path, given: dict[str, Any], steps: int | None, workers: Workers) -> Plan:
    """The training whose `last` lies in the folder. What is given beside must be what it was started with, but for steps."""
    from erlangen.errors import DamagedFileError
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
            before = "without" if options.get(name) is None else f"with {options[name]}"
            raise ErlangenError(f"{option} {value}: the run in {folder} was started {before}: leave it out, or begin another")
    if steps is not None and steps != schedule.steps:
        if steps < start.step:
            raise ErlangenError(f"--steps {steps}: the run in {folder} has made {start.step} already")
        if workers.rank == 0:
            say(f"{steps} steps in place of {schedule.steps}: from here on the learning rate is that of a run of {steps}")
        schedule = replace(schedule, steps=steps)
    tokenizer = options["tokenizer"] or start.tokenizer
    corpus = corpus_of(options["corpus"], start.config.block, tokenizer, options["tales"], workers)
    from erlangen.models.gpt import GPT

    return Plan(
        model=GPT(start.config),
        corpus=corpus,
        schedule=schedule,
        precision=start.about["precision"],
        options=options,
        start=start,
    )


def corpus_of(source: str, block: int, tokenizer: str | Tokenizer, tales: int | None, workers: Workers) -> Corpus:
    """The corpus, with a line where it takes a while."""
    from erlangen.data.corpora import load_corpus
    from erlangen.data.files import DataError

    if source == "tales" and workers.rank == 0:
        say(f"telling {tales:,} tales")
    corpus = load_corpus(source, block=block, tokenizer=tokenizer, tales=tales or TALES)
    first = 0 if corpus.train_starts is None else int(corpus.train_starts[0])
    if first + block + 1 > len(corpus.train):
        raise DataError(
            f"--block {block}: {source} has {len(corpus.train)} tokens to train on: choose a smaller one, or more text"
        )
    return corpus
