"""A training of `erlangen gpt train --resume`: the one whose last checkpoint is in a folder, with the options it began with."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from erlangen.cli.gpt.options import EMBEDDED, TrainOptions, absolute, option_name
from erlangen.cli.gpt.plan import Plan, corpus_of, too_large
from erlangen.cli.terminal import say
from erlangen.errors import ErlangenError

if TYPE_CHECKING:
    from erlangen.train.checkpoint import Checkpoint
    from erlangen.train.language_model import LanguageSchedule
    from erlangen.train.parallel import Workers


def device_of(folder: Path) -> str:
    """The kind of device that the last checkpoint in a folder was written on, so that its steps continue exactly.

    The best device where there is no checkpoint, or a broken one, which its reader reports.
    """
    from safetensors import SafetensorError, safe_open

    from erlangen.train.checkpoint import LAST
    from erlangen.train.precision import best_device

    try:
        with safe_open(folder / LAST, framework="pt") as file:
            return best_device() if "random.cuda" in file.keys() else "cpu"  # noqa: SIM118  (the file is not a mapping)
    except (SafetensorError, OSError):
        return best_device()


def resumed(folder: Path, given: TrainOptions, workers: Workers, device: str) -> Plan:
    """The training whose last checkpoint is in the folder. Other options must be those that it was started with, but --steps.

    A text file may have moved: named again, it must have the contents that the training began with.
    """
    import torch

    from erlangen.models.gpt import GPT
    from erlangen.train.checkpoint import LAST, load_checkpoint
    from erlangen.train.language_model import check

    if not (folder / LAST).is_file():
        raise ErlangenError(f"--resume: no {LAST} in {folder}: name the folder with --out, or leave --resume out to begin there")
    start = load_checkpoint(folder / LAST)
    options, schedule = recorded_plan(start)
    refuse_changes(folder, given, options)
    if given.steps is not None and given.steps != schedule.steps:
        if given.steps < start.step:
            raise ErlangenError(f"--steps {given.steps}: the run in {folder} has already made {start.step}")
        if workers.rank == 0:
            say(
                f"--steps {given.steps} in place of {schedule.steps}: from here on the learning rate is that of a run of "
                f"{given.steps} steps"
            )
        schedule = replace(schedule, steps=given.steps)
    source = absolute(given.corpus) or options["corpus"]
    tokenizer = options["tokenizer"] or start.tokenizer
    sharded = given.shard or (workers.size > 1 and too_large(start.config, device, workers))
    check(schedule, start.about["precision"], device, workers, sharded)
    with torch.device("meta") if sharded and workers.rank else nullcontext():
        model = GPT(start.config)
    return Plan(
        model=model, sharded=sharded, corpus=corpus_of(source, start.config.block, tokenizer, options["tales"], workers),
        schedule=schedule, precision=start.about["precision"], options={**options, "corpus": source}, start=start,
    )  # fmt: skip


def recorded_plan(start: Checkpoint) -> tuple[dict[str, Any], LanguageSchedule]:
    """Options and schedule as a checkpoint records them. Raises DamagedFileError where they are incomplete."""
    from erlangen.errors import DamagedFileError
    from erlangen.train.language_model import LanguageSchedule

    try:
        recorded = {**start.about["schedule"], "betas": tuple(start.about["schedule"]["betas"])}
        return start.about["options"], LanguageSchedule(**recorded)
    except (KeyError, TypeError, ValueError) as error:
        raise DamagedFileError(f"{start.path}: its options or schedule lack or misstate {error}: start a new run") from None


def refuse_changes(folder: Path, given: TrainOptions, options: dict[str, Any]) -> None:
    """Raises ErlangenError for an option that is not the one that the run was started with."""
    for name, value in given.recorded().items():
        moved = (
            name == "corpus" and value not in EMBEDDED and options.get(name) not in EMBEDDED
        )  # its contents are compared later
        if value is None or moved or value == options.get(name) or (name == "precision" and value == "auto"):
            continue
        before = "without it" if options.get(name) is None else f"with {options[name]}"
        raise ErlangenError(
            f"{option_name(name)} {value}: the run in {folder} was started {before}: leave it out, or start another run"
        )
