"""`erlangen gpt` in the test's own process, texts to train on, and GPT-2 as Hugging Face keeps it."""

from __future__ import annotations

import json
import random
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
import torch

from erlangen.cli import main as cli
from erlangen.models.gpt import GPT, GPTConfig
from erlangen.models.gpt2 import save_gpt2

TINY = (
    "--device", "cpu", "--model", "gpt-nano", "--block", "8", "--batch", "4", "--steps", "20", "--evaluate-every", "5",
    "--precision", "float32",
)  # fmt: skip


class Out(NamedTuple):
    code: int
    out: str
    err: str


Command = Callable[..., Out]


def in_process(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], folder: Path, name: str) -> Iterator[Command]:
    """`erlangen gpt NAME` run in the folder: its exit code, stdout and stderr."""
    monkeypatch.chdir(folder)
    handlers = {signum: signal.getsignal(signum) for signum in (signal.SIGINT, signal.SIGTERM)}

    def command(*args: object) -> Out:
        monkeypatch.setattr(sys, "argv", ["erlangen", "gpt", name, *map(str, args)])
        with pytest.raises(SystemExit) as exit:
            cli.main()
        return Out(int(exit.value.code or 0), *capsys.readouterr())

    yield command
    for signum, handler in handlers.items():
        signal.signal(signum, handler)


def command(name: str) -> Callable[..., Iterator[Command]]:
    """A fixture, named as what it is given to: `run = command("train")`. On one thread."""

    @pytest.fixture
    def made(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Iterator[Command]:
        monkeypatch.setenv("OMP_NUM_THREADS", "1")
        yield from in_process(monkeypatch, capsys, tmp_path, name)

    return made


def story(path: Path, words: str = "the old fox went into a wood and met king é", n: int = 700) -> Path:
    """n words, drawn from these."""
    path.write_text(" ".join(random.Random(0).choices(words.split(), k=n)), encoding="utf-8")
    return path


def spread(model: GPT) -> GPT:
    """With weights far enough from their start that its predictions differ; in eval mode."""
    torch.manual_seed(0)
    with torch.no_grad():
        for weight in model.parameters():
            weight.add_(0.2 * torch.randn_like(weight))
    return model.eval()


def save_small_gpt2(folder: Path) -> Path:
    """A GPT-2 and its tokenizer, of 256 bytes and one merge. Skips the test where `tokenizers` is not installed."""
    tokenizers = pytest.importorskip("tokenizers")
    config = GPTConfig(
        vocabulary=260, block=16, layers=2, heads=2, width=128, norm="layer", positions="absolute", bias=True, tied=True
    )
    save_gpt2(spread(GPT(config)), folder)
    letters = sorted(tokenizers.pre_tokenizers.ByteLevel.alphabet())
    (folder / "vocab.json").write_text(json.dumps({letter: k for k, letter in enumerate(letters)} | {"he": 256}))
    (folder / "merges.txt").write_text("#version: 0.2\nh e\n")
    return folder
