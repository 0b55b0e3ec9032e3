"""Two processes make the steps of one: same starts, same losses, same weights, whatever the slices; and one writes."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from support.command import environment, erlangen

from erlangen.data.characters import CharacterTokenizer
from erlangen.data.corpus import Corpus
from erlangen.errors import ErlangenError
from erlangen.models.gpt import GPT, GPTConfig
from erlangen.train.checkpoint import LAST, load_checkpoint
from erlangen.train.language_model import LanguageSchedule, Training
from erlangen.train.parallel import Workers, joined

STEPS = (
    "--model", "gpt-nano", "--block", "8", "--batch", "8", "--steps", "20", "--dropout", "0", "--precision", "float32",
    "--evaluate-every", "10", "--device", "cpu", "--json", "-",
)  # fmt: skip


def torchrun(*args: object, cwd: Path, processes: int = 2) -> subprocess.CompletedProcess[str]:
    """`torchrun --nproc-per-node N -m erlangen ...`, on the loopback device."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [
        sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", str(processes), "--master-addr", "127.0.0.1",
        "--master-port", str(port), "-m", "erlangen", *map(str, args),
    ]  # fmt: skip
    env = environment() | {"OMP_NUM_THREADS": "1", "MASTER_ADDR": "127.0.0.1"}
    return subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, timeout=120)


@pytest.fixture
def text(tmp_path: Path) -> Path:
    path = tmp_path / "text.txt"
    letters = torch.randint(97, 107, (3000,), generator=torch.Generator().manual_seed(0))
    path.write_text("".join(map(chr, letters.tolist())))
    return path


def test_alone_everything_is_ones_own() -> None:
    alone, x = Workers(), torch.arange(6)
    assert torch.equal(alone.rows(x), x)
    assert (alone.mean(0.1), alone.first(0.1), alone.any(True), alone.any(False)) == (0.1, 0.1, True, False)
    assert alone.gathered(x) == [x]


def test_a_world_without_a_rank_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.delenv("RANK", raising=False)
    with pytest.raises(ErlangenError, match="WORLD_SIZE is 2, but RANK is not set: start with torchrun"), joined("cpu"):
        pass


@pytest.mark.parametrize(("processes", "devices", "enough"), [(4, 2, False), (2, 2, True), (None, 0, False)])
def test_too_few_gpus_end_every_process_before_it_waits_for_another(
    processes: int | None, devices: int, enough: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    joins: list[str] = []
    monkeypatch.setattr(torch.cuda, "device_count", lambda: devices)
    monkeypatch.setattr(torch.cuda, "set_device", lambda device: None)
    monkeypatch.setattr(torch.distributed, "init_process_group", joins.append)
    monkeypatch.setattr(torch.distributed, "destroy_process_group", lambda: None)
    for name, value in (("WORLD_SIZE", processes or 4), ("RANK", 0), ("LOCAL_RANK", 0), ("LOCAL_WORLD_SIZE", processes)):
        monkeypatch.delenv(name, raising=False) if value is None else monkeypatch.setenv(name, str(value))
    if enough:
        with joined("cuda") as (workers, device):
            assert (workers.size, device, joins) == (2, "cuda:0", ["cpu:gloo,cuda:nccl"])
        return
    told = rf"--nproc-per-node {processes or 1}: there are {devices} CUDA devices: start at most {devices} processes per node"
    with pytest.raises(ErlangenError, match=told), joined("cuda"):
        pass
    assert not joins


@pytest.mark.parametrize("kind", ["Connection closed by peer [127.0.0.1]:1423", "shapes do not fit"])
def test_who_is_left_by_another_process_says_so_and_no_more(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    ended: list[bool] = []
    monkeypatch.setattr(torch.distributed, "init_process_group", lambda backend: None)
    monkeypatch.setattr(torch.distributed, "destroy_process_group", lambda: ended.append(True))
    for name, value in (("WORLD_SIZE", "2"), ("RANK", "1"), ("LOCAL_RANK", "1")):
        monkeypatch.setenv(name, value)
    fault = ErlangenError if "peer" in kind else RuntimeError
    words = "process 1 of 2 stopped because another process did" if "peer" in kind else kind

    def fail() -> None:
        with joined("cpu") as (workers, device):
            assert (workers, device) == (Workers(rank=1, size=2), "cpu")
            raise RuntimeError(kind)

    with pytest.raises(fault, match=words):
        fail()
    assert ended == [True]


def test_rows_are_shared_out_whole() -> None:
    x = torch.arange(12).view(6, 2)
    assert torch.equal(torch.cat([Workers(rank=rank, size=3).rows(x) for rank in range(3)]), x)


def test_the_mean_of_the_gradients_of_all_slices_is_that_of_the_batch() -> None:
    generator = torch.Generator().manual_seed(0)
    tokens = torch.randint(5, (300,), generator=generator)
    corpus = Corpus(name="x", tokenizer=CharacterTokenizer("abcde"), train=tokens, validation=tokens, test=tokens)
    model = GPT(GPTConfig(vocabulary=5, block=8, layers=1, heads=2, width=16, dropout=0.0))
    schedule = LanguageSchedule(batch=12, accumulate=2)
    gradients = []
    for workers in (Workers(), *(Workers(rank=rank, size=3) for rank in range(3))):
        model.zero_grad()
        training = Training(model, corpus, schedule, "float32", "cpu", workers)
        training.gradient(model, *training.batch())
        gradients.append(torch.cat([p.grad.flatten() for p in model.parameters()]))
    torch.testing.assert_close(torch.stack(gradients[1:]).mean(0), gradients[0], atol=1e-7, rtol=1e-5)
    assert not torch.equal(gradients[1], gradients[2])


@pytest.mark.slow
@pytest.mark.parametrize("accumulate", [1, 2])
def test_two_processes_make_the_steps_of_one(accumulate: int, text: Path, tmp_path: Path) -> None:
    slices = ("--accumulate", accumulate)
    one = erlangen("gpt", "train", text, *STEPS, "--out", "one", cwd=tmp_path)
    two = torchrun("gpt", "train", text, *STEPS, *slices, "--out", "two", cwd=tmp_path)
    assert one.returncode == 0, one.stderr
    assert two.returncode == 0, two.stderr
    results = [json.loads(out.stdout) for out in (one, two)]  # one process prints
    for first, second in zip(*(result["evaluations"] for result in results), strict=True):
        assert first["train_loss"] == pytest.approx(second["train_loss"], abs=1e-6)
        assert first["validation_loss"] == pytest.approx(second["validation_loss"], abs=1e-6)
    models = [load_checkpoint(tmp_path / name / LAST).model for name in ("one", "two")]
    for a, b in zip(*(model.state_dict().values() for model in models), strict=True):
        torch.testing.assert_close(a, b, atol=1e-5, rtol=0)
    assert sorted(path.name for path in (tmp_path / "two").iterdir()) == ["best.safetensors", "last.safetensors"]


@pytest.mark.slow
def test_two_processes_divide_a_model_and_write_the_files_of_one(text: Path, tmp_path: Path) -> None:
    one = erlangen("gpt", "train", text, *STEPS, "--out", "one", cwd=tmp_path)
    two = torchrun("gpt", "train", text, *STEPS, "--shard", "--out", "two", cwd=tmp_path)
    assert two.returncode == 0, two.stderr
    assert "on cpu × 2, divided" in two.stderr
    results = [json.loads(out.stdout) for out in (one, two)]
    for first, second in zip(*(result["evaluations"] for result in results), strict=True):
        assert first["validation_loss"] == pytest.approx(second["validation_loss"], abs=1e-6)
    assert results[0]["scores"][0]["nats_per_token"] == pytest.approx(results[1]["scores"][0]["nats_per_token"], abs=1e-6)
    checkpoints = [load_checkpoint(tmp_path / name / LAST) for name in ("one", "two")]
    assert checkpoints[0].state.keys() == checkpoints[1].state.keys()
    for a, b in zip(*(checkpoint.model.state_dict().values() for checkpoint in checkpoints), strict=True):
        torch.testing.assert_close(a, b, atol=1e-5, rtol=0)
    more = ("--steps", "24", "--json", "-", "--device", "cpu")
    resumed = torchrun("gpt", "train", "--resume", *more, "--shard", "--out", "two", cwd=tmp_path)
    assert resumed.returncode == 0, resumed.stderr
    alone = erlangen("gpt", "train", "--resume", *more, "--out", "one", cwd=tmp_path)
    ends = [json.loads(out.stdout)["evaluations"][-1]["validation_loss"] for out in (alone, resumed)]
    assert ends[0] == pytest.approx(ends[1], abs=1e-6)


@pytest.mark.slow
def test_a_fault_of_the_user_is_told_by_torchrun_too(text: Path, tmp_path: Path) -> None:
    out = torchrun("gpt", "train", text, *STEPS, "--batch", "7", cwd=tmp_path)
    assert out.returncode != 0
    assert "--batch 7 is not a multiple of 2 processes" in out.stderr
    assert "Traceback (most recent call last)" not in out.stderr.split("not a multiple")[0]
