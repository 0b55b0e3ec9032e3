"""A checkpoint: a safetensors file with a complete language model and everything that its training needs to resume.

Tensors: `model.*` weights, and `optimizer.*` and `random.*` in files that training can resume from. The header's metadata has,
under `erlangen`, a SHA-256, a space and a JSON text: configuration, tokenizer, schedule, step, history, corpus and versions. The
SHA-256 covers that text and all tensors. (There is a single metadata entry because the format does not order several entries,
and equal states must give equal files.)

Nothing in such a file can run code; a pickle is recognized by its first bytes and never read. Checkpoints are written to a
temporary file, synced and then renamed, so that a reader, or a run that is killed at any moment, finds either the old file or the
new one, never a part of one.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from erlangen.data.tokenizer import Tokenizer, tokenizer_from_json
from erlangen.errors import DamagedFileError, ErlangenError, NewerSchemaError
from erlangen.models.gpt import GPT, GPTConfig
from erlangen.records import files
from erlangen.records.files import canonical, finite, from_json, write_atomically

SCHEMA = 2  # raised whenever an older reader would misread a file, or call it damaged; 1 has fewer fields of `config`
LAST, BEST = "last.safetensors", "best.safetensors"
PICKLE_NAMES = (".pt", ".pth", ".pkl", ".pickle", ".ckpt", ".bin")
PICKLE_BYTES = (b"PK\x03\x04", *(b"\x80" + bytes([protocol]) for protocol in range(1, 6)))  # torch's zip, and a bare pickle


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """The content of a checkpoint file.

    model: in eval mode, on the CPU. step: the number of updates made. history: one entry per evaluation. about: the remaining
    metadata as saved (schedule, corpus, corpus_sha256, precision, torch, ...). state: optimizer and random states, {} if the
    file cannot be resumed from.
    """

    path: Path
    model: GPT
    tokenizer: Tokenizer
    step: int
    history: list[dict[str, Any]]
    about: dict[str, Any]
    state: dict[str, Tensor]

    @property
    def config(self) -> GPTConfig:
        """The configuration of the model."""
        return self.model.config


def save(
    path: Path,
    model: GPT,
    tokenizer: Tokenizer,
    *,
    step: int,
    history: list[dict[str, Any]],
    about: Mapping[str, Any],
    state: Mapping[str, Tensor] | None = None,
    weights: Mapping[str, Tensor] | None = None,
) -> None:
    """Write a checkpoint atomically. weights: whole ones, if those of the model are divided among processes.

    Raises ErlangenError if the file cannot be written or a weight is not finite; the file that was there is then kept.
    """
    from safetensors.torch import save as serialized

    weights = _without_shared(model.config, weights or model.state_dict())
    if not _all_finite(weights):
        raise ErlangenError(
            f"the weights are no longer finite at step {step}: lower the learning rate (the previous {path.name} is kept)"
        )
    tensors = {f"model.{name}": weight for name, weight in weights.items()} | dict(state or {})
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    text = canonical(
        finite(
            {
                **about, "schema": SCHEMA, "config": asdict(model.config), "tokenizer": tokenizer.to_json(), "step": step,
                "history": history, "torch": torch.__version__,
            }
        )
    )  # fmt: skip
    write_atomically(path, serialized(tensors, {"erlangen": f"{digest(text, tensors)} {text}"}))


def load_checkpoint(path: Path | str) -> Checkpoint:
    """The checkpoint in a file, or in a folder: the best one if there is one, otherwise the last.

    Raises ErlangenError if there is no checkpoint, DamagedFileError if the file has changed since it was written or its parts do
    not fit together, and NewerSchemaError if a later version wrote it.
    """
    path = find(Path(path))
    text, checksum, tensors = _read(path)
    about = _metadata(path, text)
    if digest(text, tensors) != checksum:
        raise DamagedFileError(
            f"{path} was edited or damaged (its SHA-256 is not the recorded one): use another copy, or train again"
        )
    try:
        config = from_json(GPTConfig, {**about.pop("config"), "schema": files.SCHEMA}, f"{path}: config")
        tokenizer = tokenizer_from_json(about.pop("tokenizer"))
        step, history = int(about.pop("step")), list(about.pop("history"))
    except DamagedFileError as error:
        raise DamagedFileError(str(error) if str(path) in str(error) else f"{path}: {error}") from None
    except (KeyError, TypeError, ValueError) as error:
        raise DamagedFileError(
            f"{path} is not a checkpoint of erlangen: its metadata is incomplete or invalid ({error}): name one that "
            f"`erlangen gpt train` wrote"
        ) from None
    if tokenizer.size != config.vocabulary:
        raise DamagedFileError(
            f"{path}: the tokenizer has {tokenizer.size} tokens, but the model has {config.vocabulary}, so they are not from the "
            f"same training: use another copy, or train again"
        )
    weights = {name.removeprefix("model."): tensor for name, tensor in tensors.items() if name.startswith("model.")}
    state = {name: tensor for name, tensor in tensors.items() if not name.startswith("model.")}
    model = _model(path, config, weights)
    return Checkpoint(path=path, model=model, tokenizer=tokenizer, step=step, history=history, about=about, state=state)


def find(path: Path) -> Path:
    """The checkpoint file that a path names. Raises ErlangenError if there is none."""
    if path.is_dir():
        for name in (BEST, LAST):
            if (path / name).is_file():
                return path / name
        raise ErlangenError(f"{path} has neither {BEST} nor {LAST}: name a folder that `erlangen gpt train` wrote")
    if not path.exists():
        raise ErlangenError(f"{path}: there is no such file or folder: name one that `erlangen gpt train` wrote")
    return path


def digest(text: str, tensors: Mapping[str, Tensor]) -> str:
    """The SHA-256, in hex, of the metadata and of every tensor's name, type, shape and bytes."""
    total = hashlib.sha256(text.encode())
    for name in sorted(tensors):
        tensor = tensors[name].contiguous()
        total.update(f"\n{name} {tensor.dtype} {list(tensor.shape)}\n".encode())
        total.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return total.hexdigest()


def _read(path: Path) -> tuple[str, str, dict[str, Tensor]]:
    """Metadata text, checksum and tensors of a safetensors file that erlangen wrote."""
    from safetensors import SafetensorError, safe_open

    try:
        with path.open("rb") as file:
            first = file.read(9)
    except OSError as error:
        raise ErlangenError(f"cannot read {path}: {error.strerror}") from None
    ours = first[8:] == b"{"  # this follows the header's length, whose bytes may look like the beginning of a pickle
    if (first.startswith(PICKLE_BYTES) and not ours) or path.suffix.lower() in PICKLE_NAMES:
        raise DamagedFileError(
            f"{path} is a pickle, or is named like one, and was not read, because a pickle can run any code: if you trust it, "
            "convert it with safetensors.torch.save_file(torch.load(FILE, weights_only=True), 'model.safetensors')"
        )
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  (the file is not a mapping)
    except (SafetensorError, OSError, ValueError, RuntimeError):
        raise DamagedFileError(f"{path} is truncated or not a safetensors file: use another copy, or train again") from None
    if "erlangen" not in metadata:
        raise DamagedFileError(
            f"{path} is a safetensors file, but not a checkpoint of erlangen: it does not describe a model and a tokenizer: "
            f"name one that `erlangen gpt train` wrote"
        )
    checksum, _, text = metadata["erlangen"].partition(" ")
    return text, checksum, tensors


def _metadata(path: Path, text: str) -> dict[str, Any]:
    try:
        about = json.loads(text)
    except json.JSONDecodeError:
        about = None
    if not isinstance(about, dict) or not isinstance(about.get("schema"), int):
        raise DamagedFileError(f"{path}: the metadata is not JSON with a schema number: use another copy, or train again")
    if about["schema"] > SCHEMA:
        raise NewerSchemaError(
            f"{path} was written in schema {about['schema']}, but this version reads schemas up to {SCHEMA}: upgrade erlangen"
        )
    del about["schema"]
    return about


def _model(path: Path, config: GPTConfig, weights: dict[str, Tensor]) -> GPT:
    """The model with these weights. Shapes are compared before any memory is allocated."""
    with torch.device("meta"):
        expected = _without_shared(config, GPT(config).state_dict())
    if expected.keys() != weights.keys():
        odd = sorted(expected.keys() ^ weights.keys())[0]
        raise DamagedFileError(
            f"{path} {'lacks the' if odd in expected else 'has an unexpected'} weight {odd}, so it does not match its "
            f"configuration: use another copy, or train again"
        )
    for name, weight in weights.items():
        if weight.shape != expected[name].shape or not weight.is_floating_point():
            raise DamagedFileError(
                f"{path}: the weight {name} is {tuple(weight.shape)} {weight.dtype}, but its configuration needs floats of shape "
                f"{tuple(expected[name].shape)}: use another copy, or train again"
            )
    if not _all_finite(weights):
        raise DamagedFileError(f"{path} has weights that are not finite: use an earlier checkpoint")
    with torch.random.fork_rng(devices=[]):  # the random initial weights are drawn, but replaced below
        model = GPT(config)
    model.to(next(iter(weights.values())).dtype)
    if config.tied:
        weights = {**weights, "head.weight": weights["embed.weight"]}
    model.load_state_dict(weights)
    return model.eval()


def _without_shared(config: GPTConfig, weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The weights without a head that is tied to the embedding: the format cannot hold a tensor twice."""
    return {name: weight for name, weight in weights.items() if not (config.tied and name == "head.weight")}


def _all_finite(weights: Mapping[str, Tensor]) -> bool:
    return all(bool(torch.isfinite(weight).all()) for weight in weights.values())
