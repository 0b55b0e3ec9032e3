"""Batches that fit the device."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from erlangen.models.gpt import GPT, PRESETS
from erlangen.train.batch_size import tokens_a_step, tokens_that_fit

GIB = 1 << 30


def test_a_cpu_takes_4096_tokens() -> None:
    assert {tokens_a_step(config, "cpu") for config in PRESETS.values()} == {4096}


@pytest.mark.parametrize(
    ("size", "free", "tokens"),
    [("gpt-mini", 80, 32768), ("gpt2", 79, 32768), ("gpt2", 24, 8192), ("gpt2-xl", 79, 2048), ("gpt2-xl", 8, 1024)],
)
def test_a_gpu_takes_as_many_as_its_memory_holds(size: str, free: int, tokens: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (free * GIB, free * GIB))
    assert tokens_a_step(PRESETS[size], "cuda:0") == tokens


def test_it_is_never_less_than_a_window() -> None:
    config = replace(PRESETS["gpt-nano"], block=4096)
    with torch.device("meta"):
        parameters = GPT(config).parameter_count()
    assert tokens_that_fit(config, parameters, 0) == 4096
