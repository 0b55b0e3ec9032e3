"""The model and the tokenizer that `erlangen gpt generate` and `look` are given: a checkpoint of ours, or GPT-2's files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from erlangen.data.tokenizer import Tokenizer
    from erlangen.models.gpt import GPT


def opened(path: Path) -> tuple[GPT, Tokenizer, tuple[str, ...]]:
    """Model, tokenizer, and what a reader has to know, of a checkpoint or of GPT-2's files."""
    from erlangen.data.bpe import GPT2Tokenizer
    from erlangen.models.gpt2 import CONFIG, HEAD_DIM, load_gpt2
    from erlangen.train.checkpoint import load_checkpoint

    if not is_gpt2(path):
        checkpoint = load_checkpoint(path)
        return checkpoint.model, checkpoint.tokenizer, ()
    folder = path if path.is_dir() else path.parent
    model, tokenizer = load_gpt2(path), GPT2Tokenizer.read(folder)
    guessed = f"no {CONFIG} beside {path.name}: {model.config.heads} heads, at {HEAD_DIM} features each, are a guess"
    return model, tokenizer, () if (folder / CONFIG).is_file() else (guessed,)


def is_gpt2(path: Path) -> bool:
    """A folder with a config.json, or a safetensors file with GPT-2's embedding in it."""
    if path.is_dir():
        return (path / "config.json").is_file()
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as file:
            return any(name.removeprefix("transformer.") == "wte.weight" for name in file.keys())  # noqa: SIM118
    except (SafetensorError, OSError):
        return False  # the reader of checkpoints says what is wrong
