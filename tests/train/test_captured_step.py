"""A captured step: what warms up is undone, and replays are the training's steps. Here a fake on the CPU replays."""

from __future__ import annotations

import math
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from erlangen.data.characters import CharacterTokenizer
from erlangen.data.corpus import Corpus
from erlangen.models.gpt import GPT, GPTConfig
from erlangen.nn import cuda_graph
from erlangen.train import captured_step, language_step
from erlangen.train.captured_step import CAPTURED_UP_TO, CapturedStep, capturable, undone
from erlangen.train.checkpoint import LAST, load_checkpoint
from erlangen.train.language_model import LanguageSchedule, Training, fit
from erlangen.train.optimizer import keep_rate_on, set_rate
from erlangen.train.parallel import Workers

CONFIG = GPTConfig(vocabulary=5, block=8, layers=2, heads=2, width=16, dropout=0.2)
SCHEDULE = LanguageSchedule(steps=40, batch=6, warmup=5, evaluate_every=10, seed=3, lr=1e-2)


def corpus() -> Corpus:
    tokens = torch.randint(5, (1500,), generator=torch.Generator().manual_seed(0)).to(torch.uint8)
    return Corpus(
        name="x", tokenizer=CharacterTokenizer("abcde"), train=tokens[:1200], validation=tokens[1210:], test=tokens[1210:]
    )


def model() -> GPT:
    torch.manual_seed(0)
    return GPT(CONFIG)


class FakeGraph:
    """Runs the step again where a real graph would replay its kernels."""

    def replay(self) -> None:
        step, training = FakeGraph.now
        step.loss.copy_(training.apply(training.model, step.rows))


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A machine whose CPU takes captures; a list of what was captured."""
    made: list[str] = []
    init = CapturedStep.__init__

    def recorded(step: CapturedStep, training: Training, net: torch.nn.Module) -> None:
        init(step, training, net)
        FakeGraph.now = (step, training)
        made.append("captured")

    class Stream:
        def __init__(self, device: object = None) -> None: ...
        def wait_stream(self, other: object) -> None: ...

    def graph(made: object, **options: object) -> nullcontext[None]:
        return nullcontext()

    monkeypatch.setattr(torch.cuda, "device", lambda device: nullcontext())
    monkeypatch.setattr(cuda_graph, "stream_aside", Stream)
    monkeypatch.setattr(torch.cuda, "graph_pool_handle", lambda: None)
    monkeypatch.setattr(torch.cuda, "current_stream", lambda device=None: Stream())
    monkeypatch.setattr(torch.cuda, "stream", lambda stream: nullcontext())
    monkeypatch.setattr(torch.cuda, "CUDAGraph", FakeGraph)
    monkeypatch.setattr(torch.cuda, "graph", graph)
    monkeypatch.setattr(CapturedStep, "__init__", recorded)
    monkeypatch.setattr(language_step, "capturable", lambda training: True)
    return made


def test_replays_are_the_steps_of_the_training(fake: list[str]) -> None:
    lines: list[str] = []
    graph, plain, losses = model(), model(), ([], [])
    fit(graph, corpus(), SCHEDULE, notify=lines.append, on_step=losses[0].append)
    fit(plain, corpus(), SCHEDULE, capture=False, on_step=losses[1].append)
    assert fake == ["captured"]
    assert lines == ["each step is one CUDA graph; --no-capture launches its kernels one by one"]
    for one, other in zip(*losses, strict=True):  # the learning rate is rounded to float32
        assert one.loss == pytest.approx(other.loss, rel=1e-5)
    for one, other in zip(graph.parameters(), plain.parameters(), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("stopped", [1, 17, 20])
def test_a_resumed_training_is_the_whole_one_bit_for_bit(stopped: int, fake: list[str], tmp_path: Path) -> None:
    whole, other, count = model(), GPT(CONFIG), []
    history = fit(whole, corpus(), SCHEDULE, checkpoints=tmp_path / "whole")
    fit(
        model(), corpus(), SCHEDULE, checkpoints=tmp_path / "parts", on_step=count.append, stopping=lambda: len(count) == stopped
    )  # fmt: skip
    start = load_checkpoint(tmp_path / "parts" / LAST)
    assert fit(other, corpus(), SCHEDULE, start=start, checkpoints=tmp_path / "parts") == history
    assert len(fake) == 3
    assert (tmp_path / "whole" / LAST).read_bytes() == (tmp_path / "parts" / LAST).read_bytes()


def test_a_checkpoint_of_captured_steps_resumes_without(fake: list[str], tmp_path: Path) -> None:
    """And the names of its tensors are the same."""
    names = []
    for capture in (True, False):
        fit(model(), corpus(), replace(SCHEDULE, steps=10), checkpoints=tmp_path, capture=capture)
        start = load_checkpoint(tmp_path / LAST)
        names.append((sorted(start.state), sorted(start.about)))
        fit(GPT(CONFIG), corpus(), SCHEDULE, start=start, capture=not capture, checkpoints=tmp_path)
    assert names[0] == names[1]


@pytest.mark.parametrize("made", [0, 3])
def test_what_warms_up_is_undone_in_place(made: int) -> None:
    training = Training(model().train(), corpus(), SCHEDULE, "float32", "cpu")
    for _ in range(made):
        training.update(training.model)
    places = [p.data_ptr() for p in training.model.parameters()]
    before = [p.detach().clone() for p in training.model.parameters()]
    moments = [{key: value.clone() for key, value in state.items()} for state in training.optimizer.state.values()]
    random = torch.get_rng_state()
    with undone(training):
        for _ in range(2):
            training.apply(training.model, torch.zeros(6, 9, dtype=torch.int64))
        assert not torch.equal(before[0], next(training.model.parameters()))
    assert torch.equal(random, torch.get_rng_state())
    assert [p.data_ptr() for p in training.model.parameters()] == places
    assert all(torch.equal(a, b) for a, b in zip(before, training.model.parameters(), strict=True))
    for number, state in enumerate(training.optimizer.state.values()):
        for key, value in state.items():
            assert torch.equal(value, moments[number][key] if made else torch.zeros_like(value))


def test_what_cannot_be_captured_is_one_line_and_trains_all_the_same(fake: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(made: object, **options: object) -> None:
        raise RuntimeError("operation not permitted when stream is capturing\nCUDA kernel errors ...")

    monkeypatch.setattr(torch.cuda, "graph", refused)
    monkeypatch.setattr(captured_step, "require_generator", lambda device, reason: None)
    lines: list[str] = []
    graph, plain = model(), model()
    fit(graph, corpus(), SCHEDULE, notify=lines.append)
    fit(plain, corpus(), SCHEDULE, capture=False)
    assert len(lines) == 1
    assert "(operation not permitted when stream is capturing); its kernels are launched one by one" in lines[0]
    assert all(torch.equal(a, b) for a, b in zip(graph.parameters(), plain.parameters(), strict=True))


WHERE = {
    "a CPU": ({"device": "cpu"}, False),
    "a GPU": ({}, True),
    "slices": ({"schedule": replace(SCHEDULE, accumulate=2)}, False),
    "float16": ({"precision": "float16"}, False),
    "processes": ({"workers": Workers(size=2)}, False),
    "a large model": ({"parameters": CAPTURED_UP_TO + 1}, False),
}


@pytest.mark.parametrize("where", WHERE)
def test_what_is_captured(where: str) -> None:
    from types import SimpleNamespace

    changes, yes = WHERE[where]
    facts = {"device": "cuda", "schedule": SCHEDULE, "precision": "bfloat16", "workers": Workers(), "parameters": 1000, **changes}
    net = SimpleNamespace(parameter_count=lambda: facts["parameters"])
    assert capturable(SimpleNamespace(**{**facts, "device": torch.device(facts["device"]), "model": net})) == yes  # type: ignore[arg-type]


def test_a_rate_keeps_its_place() -> None:
    optimizer = torch.optim.AdamW([torch.nn.Parameter(torch.ones(2))], lr=0.5, fused=True)
    set_rate(optimizer, 0.25)
    assert optimizer.param_groups[0]["lr"] == 0.25
    keep_rate_on(optimizer, torch.device("cpu"))
    rate: Tensor = optimizer.param_groups[0]["lr"]
    set_rate(optimizer, 0.125)
    assert optimizer.param_groups[0]["lr"] is rate
    assert float(rate) == 0.125
    assert optimizer.param_groups[0]["capturable"]
    keep_rate_on(optimizer, None)
    assert optimizer.param_groups[0]["lr"] == 0.125
    assert not optimizer.param_groups[0]["capturable"]
    assert math.isclose(optimizer.param_groups[0]["lr"], 0.125)
