"""A checkpoint: one safetensors file with everything that a language model is, and everything that its training needs to go on.

Tensors: `model.*` weights, and in files that training resumes from `optimizer.*` and `random.*`. The header's metadata holds,
under `erlangen`, a SHA-256, a space and a JSON text: configuration, tokenizer, schedule, step, history, corpus, versions. The
SHA-256 is of that text and all tensors. (One entry, for the format keeps no order among several: equal states, equal files.)

Nothing in such a file can run code; a pickle is refused by its first bytes, and never read. A file is written beside its place,
synced and renamed: whoever reads it, or a run that is killed at any moment, finds the old one or the new one whole.
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
from erlangen.records.files import canonical, finite, from_json, write_atomically

SCHEMA = 1  # raised whenever an older reader would misread a file
LAST, BEST = "last.safetensors", "best.safetensors"
PICKLE_NAMES = (".pt", ".pth", ".pkl", ".pickle", ".ckpt", ".bin")
PICKLE_BYTES = (b"PK\x03\x04", *(b"\x80" + bytes([protocol]) for protocol in range(1, 6)))  # torch's zip, and a bare pickle


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """What `load_checkpoint` read. model: in eval mode, on the CPU. step: updates made; history: one entry an evaluation.

    about: the remaining metadata as saved (schedule, corpus, corpus_sha256, precision, torch, ...). state: optimizer and random
    states, {} in a file that cannot be resumed from.
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
) -> None:
    """Write a checkpoint atomically.

    Raises ErlangenError where it cannot be written or a weight is not finite; what lay there then stays.
    """
    from safetensors.torch import save as serialized

    weights = _without_shared(model.config, model.state_dict())
    if not _all_finite(weights):
        raise ErlangenError(f"weights are no longer finite at step {step}: lower the learning rate ({path.name} is as before)")
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
    """The checkpoint in a file; for a folder the best one in it, else the last.

    Raises ErlangenError where there is none, DamagedFileError where the file is not what was written or its parts do not fit
    each other, NewerSchemaError for one by a later version.
    """
    path = find(Path(path))
    text, checksum, tensors = _read(path)
    about = _metadata(path, text)
    if digest(text, tensors) != checksum:
        raise DamagedFileError(
            f"{path}: edited or damaged, its SHA-256 is not the recorded one: use another copy, or train again"
        )
    try:
        config = from_json(GPTConfig, {**about.pop("config"), "schema": 1}, f"{path}: config")
        tokenizer = tokenizer_from_json(about.pop("tokenizer"))
        step, history = int(about.pop("step")), list(about.pop("history"))
    except DamagedFileError as error:
        raise DamagedFileError(str(error) if str(path) in str(error) else f"{path}: {error}") from None
    except (KeyError, TypeError, ValueError) as error:
        raise DamagedFileError(f"{path}: its metadata lacks or misstates {error}: it is no checkpoint of erlangen") from None
    if tokenizer.size != config.vocabulary:
        raise DamagedFileError(
            f"{path}: the tokenizer has {tokenizer.size} tokens, the model {config.vocabulary}: they are not of one training"
        )
    weights = {name.removeprefix("model."): tensor for name, tensor in tensors.items() if name.startswith("model.")}
    state = {name: tensor for name, tensor in tensors.items() if not name.startswith("model.")}
    model = _model(path, config, weights)
    return Checkpoint(path=path, model=model, tokenizer=tokenizer, step=step, history=history, about=about, state=state)


def find(path: Path) -> Path:
    """The file that a path means. Raises ErlangenError where there is none."""
    if path.is_dir():
        for name in (BEST, LAST):
            if (path / name).is_file():
                return path / name
        raise ErlangenError(f"{path}: no {BEST} and no {LAST} in this folder: name one that `erlangen gpt train` wrote")
    if not path.exists():
        raise ErlangenError(f"{path}: no such file or folder: name one that `erlangen gpt train` wrote")
    return path


def digest(text: str, tensors: Mapping[str, Tensor]) -> str:
    """SHA-256, in hex, of the metadata and of every tensor's name, type, shape and bytes."""
    total = hashlib.sha256(text.encode())
    for name in sorted(tensors):
        tensor = tensors[name].contiguous()
        total.update(f"\n{name} {tensor.dtype} {list(tensor.shape)}\n".encode())
        total.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return total.hexdigest()


def _read(path: Path) -> tuple[str, str, dict[str, Tensor]]:
    """Metadata text, checksum and tensors, of a file that is safetensors and ours."""
    from safetensors import SafetensorError, safe_open

    try:
        with path.open("rb") as file:
            first = file.read(9)
    except OSError as error:
        raise ErlangenError(f"cannot read {path}: {error.strerror}") from None
    ours = first[8:] == b"{"  # after the length of the header, which may begin like a pickle
    if (first.startswith(PICKLE_BYTES) and not ours) or path.suffix.lower() in PICKLE_NAMES:
        raise DamagedFileError(
            f"{path}: a pickle, or named like one; it could run any program when read, so it is not: where you trust it, convert "
            "it with safetensors.torch.save_file(torch.load(FILE, weights_only=True), 'model.safetensors')"
        )
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  (it is no mapping)
    except (SafetensorError, OSError, ValueError, RuntimeError):
        raise DamagedFileError(f"{path}: truncated, or not a safetensors file: use another copy, or train again") from None
    if "erlangen" not in metadata:
        raise DamagedFileError(
            f"{path}: a safetensors file, but no checkpoint of erlangen: it says nothing of model and tokenizer"
        )
    checksum, _, text = metadata["erlangen"].partition(" ")
    return text, checksum, tensors


def _metadata(path: Path, text: str) -> dict[str, Any]:
    try:
        about = json.loads(text)
    except json.JSONDecodeError:
        about = None
    if not isinstance(about, dict) or not isinstance(about.get("schema"), int):
        raise DamagedFileError(f"{path}: its metadata is not JSON with a schema number: use another copy, or train again")
    if about["schema"] > SCHEMA:
        raise NewerSchemaError(
            f"{path}: written in schema {about['schema']}, this version reads up to {SCHEMA}: upgrade erlangen"
        )
    del about["schema"]
    return about


def _model(path: Path, config: GPTConfig, weights: dict[str, Tensor]) -> GPT:
    """The model with these weights. Shapes are compared before any memory is taken for them."""
    with torch.device("meta"):
        expected = _without_shared(config, GPT(config).state_dict())
    if expected.keys() != weights.keys():
        odd = sorted(expected.keys() ^ weights.keys())[0]
        raise DamagedFileError(f"{path}: {'no' if odd in expected else 'unexpected'} weight {odd}: it does not fit its config")
    for name, weight in weights.items():
        if weight.shape != expected[name].shape or not weight.is_floating_point():
            raise DamagedFileError(
                f"{path}: {name} is {tuple(weight.shape)} {weight.dtype}, its config wants {tuple(expected[name].shape)}"
            )
    if not _all_finite(weights):
        raise DamagedFileError(f"{path}: holds weights that are not finite: use an earlier checkpoint")
    with torch.random.fork_rng(devices=[]):  # what a model is initialized with is drawn, and dropped here
        model = GPT(config)
    model.to(next(iter(weights.values())).dtype)
    if config.tied:
        weights = {**weights, "head.weight": weights["embed.weight"]}
    model.load_state_dict(weights)
    return model.eval()


def _without_shared(config: GPTConfig, weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """Without the head where it is the embedding: the format holds no tensor twice."""
    return {name: weight for name, weight in weights.items() if not (config.tied and name == "head.weight")}


def _all_finite(weights: Mapping[str, Tensor]) -> bool:
    return all(bool(torch.isfinite(weight).all()) for weight in weights.values())
