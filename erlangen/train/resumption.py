"""Save and restore all that a training's next steps depend on, so that a resumed training makes bit for bit the same ones.

    weights; moments and their counts; the order of the data; the random states of every process; losses not averaged yet

They are the tensors and the JSON of `erlangen.train.checkpoint`, and the same on every device, captured, sharded or neither.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from erlangen.errors import DamagedFileError, ErlangenError
from erlangen.models.gpt import GPT
from erlangen.train.checkpoint import BEST, LAST, Checkpoint, load_checkpoint
from erlangen.train.language_step import Evaluation, Training
from erlangen.train.sharding import divided, load_whole, whole

MOMENTS = ("step", "exp_avg", "exp_avg_sq")


def state(training: Training) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The tensors and the JSON that `go_on_from` restores. All processes must call it; rank 0 writes the result."""
    workers = training.workers
    tensors = {"random.data": training.data.get_state(), "random.cpu": torch.stack(workers.gathered(torch.get_rng_state()))}
    if training.replicas is not None:
        tensors["random.replicas"] = training.replicas.state()
    if training.device.type == "cuda":
        tensors["random.cuda"] = torch.stack(workers.gathered(torch.cuda.get_rng_state(training.device)))
    for name, parameter in training.model.named_parameters():
        for key, value in training.optimizer.state[parameter].items():
            tensors[f"optimizer.{name}.{key}"] = whole(value).cpu() if training.sharded else value
    return tensors, {"losses": training.losses, "scaler": training.scaler.state_dict()}


def go_on_from(training: Training, start: Checkpoint, corpus_sha256: str, notify: Callable[[str], None]) -> None:
    """Restore the weights, moments, random states and counts of a checkpoint.

    notify: called with a line for each state that cannot be restored exactly. Raises ErlangenError if the checkpoint belongs
    to another training.
    """
    require_same_training(training, start, corpus_sha256)
    if training.sharded:
        load_whole(training.model, start.model.state_dict())
    else:
        training.model.load_state_dict(start.model.state_dict())
    try:
        restore_moments(training, start.state)
        training.data.set_state(start.state["random.data"])
        training.evaluations = [Evaluation(**entry) for entry in start.history]
        training.losses = [float(loss) for loss in start.about["losses"]]
        training.scaler.load_state_dict(start.about["scaler"])
        restore_random(training, start, notify)
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise DamagedFileError(
            f"{start.path}: its training state is incomplete or invalid ({error}): start a new training"
        ) from None
    training.step = training.reported = start.step


def require_same_training(training: Training, start: Checkpoint, corpus_sha256: str) -> None:
    """Raise ErlangenError if a checkpoint is not of this training: its tokenizer, its tokens or its model differ."""
    where = start.path
    if not start.state:
        raise ErlangenError(f"{where} has only weights, so training cannot resume from it: name {LAST} in the same folder")
    if start.tokenizer.to_json() != training.corpus.tokenizer.to_json():
        raise ErlangenError(
            f"{where}: its tokenizer differs from that of the corpus {training.corpus.name}: resume on the corpus that it was "
            f"trained on"
        )
    if start.about.get("corpus_sha256") != corpus_sha256:
        raise ErlangenError(
            f"{where} was trained on {start.about.get('corpus')} with other tokens than this corpus has: resume on the "
            f"corpus that it was trained on"
        )
    if start.config != training.model.config:
        raise ErlangenError(f"{where}: its model has another configuration: resume without changing the model")


def restore_moments(training: Training, state: Mapping[str, Tensor]) -> None:
    """Restore AdamW's moments and counts. Raises ValueError or KeyError if they do not match the parameters."""
    for name, parameter in training.model.named_parameters():
        moments = {key: state[f"optimizer.{name}.{key}"].clone() for key in MOMENTS}
        if any(moments[key].shape != parameter.shape for key in MOMENTS[1:]):
            raise ValueError(f"moments of {name}")
        training.optimizer.state[parameter] = {
            key: divided(value, parameter, training.device) if training.sharded and key != "step" else value.to(parameter.device)
            for key, value in moments.items()
        }


def restore_random(training: Training, start: Checkpoint, notify: Callable[[str], None]) -> None:
    """Restore the random states of this process, its threads and its device, or notify of what differs."""
    where, state, rank = start.path, start.state, training.workers.rank
    threads, now = len(state.get("random.replicas", [None])), 1
    if training.replicas is not None:
        now = len(training.replicas.models)
    if threads != now:
        notify(f"{where} was written with {threads} threads, but now there are {now}: dropout will draw other numbers")
    elif training.replicas is not None:
        training.replicas.set_state(state["random.replicas"])
    if ("random.cuda" in state) != (training.device.type == "cuda"):
        notify(f"{where} was written on another device than {training.device}: the steps will not be identical")
    if len(state["random.cpu"]) != training.workers.size:
        notify(
            f"{where} was written by {len(state['random.cpu'])} processes, but now there are {training.workers.size}: dropout "
            f"will draw other numbers"
        )
        return
    torch.set_rng_state(state["random.cpu"][rank].clone())
    if training.device.type == "cuda" and "random.cuda" in state:
        torch.cuda.set_rng_state(state["random.cuda"][rank].clone(), training.device)


def best_weights(training: Training, start: Checkpoint | None) -> dict[str, Tensor] | None:
    """The weights of the best evaluation before a resumption: those of `start`, or of the best checkpoint beside it.

    Raises DamagedFileError if that checkpoint belongs to another step or model.
    """
    if start is None or not training.evaluations:
        return None
    if training.best_step() == start.step:
        return clone_of(training.model)
    best = load_checkpoint(start.path.parent / BEST)
    if best.step != training.best_step() or best.config != start.config:
        raise DamagedFileError(
            f"{best.path} is from step {best.step}, but the best step of {start.path.name} is {training.best_step()}: start a "
            f"new training"
        )
    likes = training.model.state_dict()
    return {
        name: divided(weight, likes[name], training.device) if training.sharded else weight.to(training.device)
        for name, weight in best.model.state_dict().items()
    }


def clone_of(model: GPT) -> dict[str, Tensor]:
    """A copy of the weights, which further training does not change."""
    return {name: weight.detach().clone() for name, weight in model.state_dict().items()}
