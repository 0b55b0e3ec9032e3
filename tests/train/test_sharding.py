"""A model divided among processes: the same steps and the same files as a whole one."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch
import torch.distributed as dist
from support.command import environment

from erlangen.data.characters import CharacterTokenizer
from erlangen.data.corpus import Corpus
from erlangen.errors import ErlangenError
from erlangen.models.gpt import GPT, GPTConfig
from erlangen.train.language_model import LanguageSchedule, Training, check
from erlangen.train.parallel import Workers
from erlangen.train.resumption import restore_moments, state
from erlangen.train.sharding import gathered_weights, is_sharded, load_whole, must_shard, shard

CONFIG = GPTConfig(vocabulary=5, block=8, layers=2, heads=2, width=16, dropout=0.0)
TIED = replace(CONFIG, tied=True, norm="layer", positions="absolute", bias=True)
SCHEDULE = LanguageSchedule(steps=10, batch=4, warmup=2, clip=0.05)


@pytest.fixture
def group() -> Iterator[None]:
    """A process group of this process alone."""
    dist.init_process_group("gloo", store=dist.HashStore(), rank=0, world_size=1)
    yield
    dist.destroy_process_group()


def corpus() -> Corpus:
    tokens = torch.randint(5, (500,), generator=torch.Generator().manual_seed(0)).to(torch.uint8)
    return Corpus(name="x", tokenizer=CharacterTokenizer("abcde"), train=tokens, validation=tokens[:100], test=tokens)


def model_of(config: GPTConfig) -> GPT:
    torch.manual_seed(0)
    return GPT(config).train()


@pytest.mark.parametrize("config", [CONFIG, TIED], ids=["untied", "tied"])
def test_a_divided_model_makes_the_steps_of_a_whole_one_and_saves_the_same(config: GPTConfig, group: None) -> None:
    trainings = []
    for divide in (False, True):
        model = model_of(config)
        if divide:
            shard(model, torch.device("cpu"))
        assert is_sharded(model) == divide
        training = Training(model, corpus(), SCHEDULE, "float32", "cpu")
        for _ in range(4):
            training.update(model)
        training.read(None)
        training.evaluate()
        assert is_sharded(model) == divide  # also after an evaluation
        trainings.append(training)
    whole, divided = trainings
    assert divided.evaluations[0].validation_loss == pytest.approx(whole.evaluations[0].validation_loss, rel=1e-6)
    weights = gathered_weights(divided.model, keep=True)
    assert weights.keys() == whole.model.state_dict().keys()
    assert gathered_weights(divided.model, keep=False) == {}
    for name, weight in whole.model.state_dict().items():
        torch.testing.assert_close(weights[name], weight, rtol=1e-5, atol=1e-7)
    tensors, others = state(divided)[0], state(whole)[0]
    assert tensors.keys() == others.keys()
    for name in tensors:
        torch.testing.assert_close(tensors[name], others[name], rtol=1e-4, atol=1e-8)


def test_it_goes_on_where_it_was(group: None) -> None:
    model = model_of(TIED)
    shard(model, torch.device("cpu"))
    training = Training(model, corpus(), SCHEDULE, "float32", "cpu")
    training.update(model)
    weights, tensors = (
        {name: x.clone() for name, x in some.items()} for some in (gathered_weights(model, keep=True), state(training)[0])
    )
    training.update(model)
    assert not torch.equal(gathered_weights(model, keep=True)["embed.weight"], weights["embed.weight"])
    load_whole(model, weights)
    restore_moments(training, tensors)
    assert all(torch.equal(x, weights[name]) for name, x in gathered_weights(model, keep=True).items())
    again = state(training)[0]
    assert all(torch.equal(again[name], tensors[name]) for name in tensors if name.startswith("optimizer."))
    training.update(model)


def test_who_must_be_divided(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (24 << 30, 24 << 30))
    assert must_shard(1_557_000_000, "cuda:0")
    assert not must_shard(774_000_000, "cuda:0")
    assert not must_shard(10**12, "cpu")


def test_one_process_and_float16_are_refused() -> None:
    with pytest.raises(ErlangenError, match="--shard divides a model among processes: start several with torchrun"):
        check(SCHEDULE, "float32", "cpu", Workers(), sharded=True)
    with pytest.raises(ErlangenError, match="--shard: the scaler of float16 does not work"):
        check(SCHEDULE, "float16", "cuda", Workers(size=2), sharded=True)


@pytest.mark.slow
def test_the_largest_preset_at_two_layers_and_full_width_steps_on_two_processes(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    tests = str(Path(__file__).parents[1])
    env = {**os.environ, **environment(), "PYTHONPATH": tests, "OMP_NUM_THREADS": "1", "MASTER_ADDR": "127.0.0.1"}
    command = [sys.executable, "-m", "support.sharded_training"]
    subprocess.run([*command, str(tmp_path / "one")], env=env, check=True, timeout=300)
    processes = [
        subprocess.Popen(
            [*command, str(tmp_path / "two")],
            env={**env, "WORLD_SIZE": "2", "RANK": str(rank), "LOCAL_RANK": str(rank), "MASTER_PORT": str(port)},
        )
        for rank in range(2)
    ]
    assert [process.wait(timeout=300) for process in processes] == [0, 0]
    one, *two = (json.loads((tmp_path / name).read_text()) for name in ("one.0", "two.0", "two.1"))
    assert two[0]["losses"] == pytest.approx(one["losses"], rel=1e-4)
    assert one["losses"][2] < one["losses"][0]
    assert sum(part["own"] for part in two) == one["parameters"] == two[0]["parameters"] > 140_000_000
    assert max(part["own"] for part in two) < 0.51 * one["parameters"]
    assert sum(part["peak"] for part in two) < 6 << 30
