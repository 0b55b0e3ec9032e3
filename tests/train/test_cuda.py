"""Training on a GPU: batches, losses and gradients are those of a CPU, however the steps are launched, and resume bit for bit."""

from __future__ import annotations

import copy
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Generator, nn

from erlangen.data.characters import CharacterTokenizer
from erlangen.data.corpus import Corpus
from erlangen.models.gpt import GPT, GPTConfig
from erlangen.models.head_loss import LeanCrossEntropy, head_loss, padded_logits
from erlangen.nn.positions import Rotary
from erlangen.nn.tf32 import in_tf32
from erlangen.train import feed as feeds
from erlangen.train.captured_step import CapturedStep
from erlangen.train.checkpoint import BEST, LAST, load_checkpoint
from erlangen.train.compiling import compiled
from erlangen.train.feed import Feed
from erlangen.train.language_model import LanguageSchedule, Training, fit, pace
from erlangen.train.language_step import READ_EVERY

pytestmark = pytest.mark.cuda

TRAINED = {"factor": 3.0, "original_max_position_embeddings": 9}
SMALL = GPTConfig(vocabulary=5, block=16, layers=2, heads=2, width=32, dropout=0.0)
CONFIGS = {
    "rotary": SMALL,
    "gpt2": replace(SMALL, norm="layer", positions="absolute", bias=True, tied=True),
    "odd vocabulary": replace(SMALL, vocabulary=77),
    "window": replace(SMALL, window=4, attention="local"),
    "shared keys": replace(SMALL, heads=4, kv_heads=2),
    "shared keys and slopes": replace(SMALL, heads=4, kv_heads=1, positions="alibi", bias=True),
    "dynamic": replace(SMALL, rotary=Rotary(scaling="dynamic", **TRAINED)),
    "yarn": replace(SMALL, rotary=Rotary(scaling="yarn", **TRAINED)),
    "longrope": replace(SMALL, rotary=Rotary(scaling="longrope", short_factor=[1.5] * 8, long_factor=[1.0, 4.0] * 4, **TRAINED)),
}
SCHEDULE = LanguageSchedule(steps=40, batch=8, warmup=5, evaluate_every=10, seed=3, lr=1e-3)
TOLERANCE = {"float32": 1e-5, "tf32": 2e-3, "bfloat16": 2e-2}


def corpus_of(dtype: torch.dtype = torch.uint8) -> Corpus:
    tokens = torch.randint(5, (3000,), generator=Generator().manual_seed(0)).to(dtype)
    return Corpus(
        name="x", tokenizer=CharacterTokenizer("abcde"), train=tokens[:2500], validation=tokens[2520:2800], test=tokens[2820:]
    )


def model_of(config: GPTConfig = SMALL) -> GPT:
    torch.manual_seed(0)
    return GPT(config)


def training_on(device: str, config: GPTConfig, precision: str = "float32", **changes: object) -> Training:
    model = model_of(config).to(device).train()
    return Training(model, corpus_of(), replace(SCHEDULE, **changes), precision, device)  # type: ignore[arg-type]


def gradient(training: Training, net: nn.Module | None = None) -> tuple[float, torch.Tensor]:
    """The loss of the first batch and its gradient, flat, on the CPU."""
    loss = training.gradient(net or training.model, *training.batch())
    return float(loss), torch.cat([p.grad.flatten().cpu() for p in training.model.parameters()])


def close(one: torch.Tensor, other: torch.Tensor, share: float) -> bool:
    """Whether two vectors differ by at most this share of the length of the second."""
    return float((one - other).norm()) <= share * float(other.norm())


def same(one: nn.Module, other: nn.Module) -> bool:
    return all(torch.equal(a, b) for a, b in zip(one.state_dict().values(), other.state_dict().values(), strict=True))


@pytest.mark.parametrize("precision", TOLERANCE)
@pytest.mark.parametrize("config", CONFIGS)
def test_the_gradient_is_that_of_a_cpu(config: str, precision: str) -> None:
    (loss, found), (expected, wanted) = (
        gradient(training_on(device, CONFIGS[config], kind)) for device, kind in (("cuda", precision), ("cpu", "float32"))
    )
    assert loss == pytest.approx(expected, rel=TOLERANCE[precision])
    assert close(found, wanted, 3 * TOLERANCE[precision])


@pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("config", ["rotary", "gpt2", "window", "shared keys", "longrope"])
def test_the_loss_of_padded_texts_and_its_gradient_are_those_of_a_cpu(config: str, precision: torch.dtype) -> None:
    """One text is padded on the left and one on the right, where the last token has no target."""
    rows, mask = torch.randint(5, (3, 16), generator=Generator().manual_seed(0)), torch.ones(3, 16, dtype=torch.int64)
    mask[0, :5] = mask[1, 10:] = 0
    targets, results = rows.masked_fill(mask == 0, -100), []
    for device, dtype in (("cuda", precision), ("cpu", torch.float32)):
        model, tokens, seen, wanted = model_of(CONFIGS[config]).to(device), *(x.to(device) for x in (rows, mask, targets))
        with torch.autocast(device, dtype, enabled=dtype != torch.float32):
            loss = model(tokens[:, :-1], targets=wanted[:, 1:], attention_mask=seen[:, :-1])
        gradients = torch.autograd.grad(loss, list(model.parameters()), allow_unused=True)
        results.append((float(loss.detach()), torch.cat([x.flatten().float().cpu() for x in gradients if x is not None])))
    share = 2e-2 if precision == torch.bfloat16 else 1e-5
    assert results[0][0] == pytest.approx(results[1][0], rel=share)
    assert close(results[0][1], results[1][1], 3 * share)


def test_a_step_in_tf32_ends_with_the_settings_of_before() -> None:
    before = in_tf32()
    training = training_on("cuda", SMALL, "tf32")
    training.update(training.model)
    assert in_tf32() == before


def test_slices_add_up_on_a_gpu() -> None:
    whole, sliced = (gradient(training_on("cuda", SMALL, accumulate=slices))[1] for slices in (1, 4))
    assert close(sliced, whole, 1e-5)


@pytest.mark.parametrize("precision", ["float32", "tf32", "bfloat16"])
@pytest.mark.parametrize("config", ["rotary", "gpt2", "odd vocabulary", "shared keys", "shared keys and slopes", "longrope"])
def test_captured_steps_are_those_launched_one_by_one(config: str, precision: str) -> None:
    weights, losses = [], []
    for capture in (False, True):
        training = training_on("cuda", CONFIGS[config], precision)
        if capture:
            training.capture(training.model)
            assert isinstance(training.captured, CapturedStep)
        for _ in range(6):
            training.update(training.model)
        training.read(None)
        weights.append(torch.cat([p.detach().flatten() for p in training.model.parameters()]))
        losses.append(training.losses)
    assert losses[1] == pytest.approx(losses[0], rel=1e-4)
    assert close(weights[1], weights[0], 1e-4)


def test_capturing_changes_neither_weights_nor_random_states() -> None:
    training = training_on("cuda", replace(SMALL, dropout=0.3))
    before, random = copy.deepcopy(training.model.state_dict()), torch.cuda.get_rng_state()
    training.capture(training.model)
    assert training.captured is not None
    assert all(torch.equal(before[name], weight) for name, weight in training.model.state_dict().items())
    assert torch.equal(random, torch.cuda.get_rng_state())
    for state in training.optimizer.state.values():
        assert all(float(value.abs().sum()) == 0 for value in state.values())


def test_captured_dropout_draws_anew_at_every_step() -> None:
    training = training_on("cuda", replace(SMALL, dropout=0.5), lr=1e-9)
    training.capture(training.model)
    assert training.captured is not None
    rows = training.rows()
    losses = {float(training.captured(rows)) for _ in range(5)}
    assert len(losses) == 5


@pytest.mark.parametrize("capture", [False, True], ids=["launched", "captured"])
@pytest.mark.parametrize("stopped", [17, 20])
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_a_resumed_training_is_the_whole_one_bit_for_bit(precision: str, stopped: int, capture: bool, tmp_path: Path) -> None:
    config, updates = replace(SMALL, dropout=0.2), []
    whole, other = model_of(config), GPT(config)
    options = {"precision": precision, "device": "cuda", "capture": capture}
    history = fit(whole, corpus_of(), SCHEDULE, checkpoints=tmp_path / "whole", **options)  # type: ignore[arg-type]

    def stopping() -> bool:
        updates.append(1)
        return len(updates) == stopped

    fit(model_of(config), corpus_of(), SCHEDULE, checkpoints=tmp_path / "parts", stopping=stopping, **options)  # type: ignore[arg-type]
    start = load_checkpoint(tmp_path / "parts" / LAST)
    assert start.step == stopped
    again = fit(other, corpus_of(), SCHEDULE, checkpoints=tmp_path / "parts", start=start, **options)  # type: ignore[arg-type]
    assert again == history
    assert same(whole, other)
    for name in (LAST, BEST):
        assert (tmp_path / "whole" / name).read_bytes() == (tmp_path / "parts" / name).read_bytes()


@pytest.mark.parametrize(("first", "second"), [("cuda", "cpu"), ("cpu", "cuda")])
def test_a_training_goes_on_on_another_device(first: str, second: str, tmp_path: Path) -> None:
    lines: list[str] = []
    half = replace(SCHEDULE, steps=20)
    fit(model_of(), corpus_of(), half, device=first, checkpoints=tmp_path)
    start = load_checkpoint(tmp_path / LAST)
    history = fit(GPT(SMALL), corpus_of(), SCHEDULE, device=second, start=start, notify=lines.append)
    assert history.steps == 40
    assert any("was written on another device" in line for line in lines)
    assert history.evaluations[-1].validation_loss < 1.7


@pytest.mark.parametrize("resident", [True, False])
@pytest.mark.parametrize("dtype", [torch.uint8, torch.int16, torch.int32])
def test_batches_are_those_of_a_cpu(dtype: torch.dtype, resident: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feeds, "RESIDENT", feeds.RESIDENT if resident else 0)
    corpus = corpus_of(dtype)
    there, here = Feed(corpus, 16, torch.device("cuda")), Feed(corpus, 16, torch.device("cpu"))
    assert (there.resident is not None) == resident
    for seed in range(3):
        starts = there.starts(20, Generator().manual_seed(seed))
        rows = there.rows(starts)
        assert rows.is_cuda
        assert torch.equal(rows.cpu(), here.rows(here.starts(20, Generator().manual_seed(seed))))


@pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("vocabulary", [5, 64, 77])
def test_the_padded_head_has_the_loss_and_the_gradient_of_a_cpu(vocabulary: int, precision: torch.dtype) -> None:
    generator = Generator().manual_seed(0)
    h, weight = torch.randn(4, 8, 32, generator=generator), torch.randn(vocabulary, 32, generator=generator)
    targets, results = torch.randint(vocabulary, (4, 8), generator=generator), []
    for device, dtype in (("cuda", precision), ("cpu", torch.float32)):
        leaves = [x.to(device).requires_grad_() for x in (h, weight)]
        with torch.autocast(device, dtype, enabled=dtype != torch.float32):
            loss = head_loss(*leaves, targets.to(device))
        loss.backward()
        results.append([loss.detach().cpu(), *(leaf.grad.cpu() for leaf in leaves)])
    share = 2e-2 if precision == torch.bfloat16 else 1e-4
    for found, wanted in zip(*results, strict=True):
        assert found.shape == wanted.shape
        assert close(found, wanted, share)


def test_the_padded_vocabulary_is_never_a_token() -> None:
    h, weight = torch.randn(2, 3, 32, device="cuda"), torch.randn(77, 32, device="cuda")
    with torch.autocast("cuda", torch.bfloat16):
        logits = padded_logits(h, weight, 64)
    assert logits.shape[-1] == 128
    assert (logits[..., 77:] == -torch.inf).all()
    assert int(torch.multinomial(logits.float().softmax(-1).flatten(0, 1), 10_000, replacement=True).max()) < 77
    model = model_of(CONFIGS["odd vocabulary"]).cuda().eval()
    assert model(torch.zeros(1, 4, dtype=torch.int64, device="cuda")).shape[-1] == 77


def test_fewer_passes_give_the_gradient_of_torch() -> None:
    generator = Generator().manual_seed(0)
    logits, targets = (3 * torch.randn(64, 128, generator=generator)).bfloat16(), torch.randint(128, (64,), generator=generator)
    gradients = []
    for device in ("cuda", "cpu"):
        leaf = logits.to(device).requires_grad_()
        LeanCrossEntropy.apply(leaf, targets.to(device)).backward()
        gradients.append(leaf.grad.float().cpu())
    assert close(gradients[0], gradients[1], 1e-2)


def test_losses_arrive_in_order_and_late_but_complete() -> None:
    steps: list[int] = []
    training = training_on("cuda", SMALL)
    for made in range(1, 3 * READ_EVERY + 6):
        training.update(training.model)
        training.read(lambda step: steps.append(step.step), force=False)
        assert len(steps) == max(made // READ_EVERY - 1, 0) * READ_EVERY
    training.read(lambda step: steps.append(step.step))
    assert steps == list(range(1, 3 * READ_EVERY + 6))
    assert training.reported == training.step
    assert len(training.losses) == len(steps)


def test_the_pace_of_captured_steps_leaves_the_model_as_it_was() -> None:
    model, random = model_of(), torch.cuda.get_rng_state()
    before = copy.deepcopy(model.state_dict())
    assert 0 < pace(model, corpus_of(), SCHEDULE, "bfloat16", "cuda", updates=4).update < 5
    assert torch.equal(random, torch.cuda.get_rng_state())
    assert all(torch.equal(before[name], weight) for name, weight in model.state_dict().items())


def test_float16_is_not_captured_and_trains() -> None:
    lines: list[str] = []
    history = fit(model_of(), corpus_of(), SCHEDULE, precision="float16", device="cuda", notify=lines.append)
    assert history.steps == 40
    assert not lines


@pytest.mark.slow
@pytest.mark.parametrize("config", ["rotary", "gpt2", "odd vocabulary", "shared keys"])
def test_compiled_steps_captured_or_not_are_those_of_the_plain_path(config: str) -> None:
    lines: list[str] = []
    losses = []
    for compile, capture in ((False, False), (True, False), (True, True)):
        training = training_on("cuda", CONFIGS[config], "bfloat16")
        net = compiled(training.model, training, lines.append) if compile else training.model
        if capture:
            training.capture(net)
            assert training.captured is not None
        for _ in range(6):
            training.update(net)
        training.read(None)
        losses.append(training.losses)
    assert not lines
    for one in losses[1:]:
        assert one == pytest.approx(losses[0], rel=1e-2)
