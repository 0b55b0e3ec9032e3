"""The oracle is `fit`, one model after another."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import get_args

import pytest
import torch
from torch import Tensor, nn

from erlangen.data.red_green import red_green
from erlangen.errors import ErlangenError
from erlangen.models.padded_cnn import PaddedCNN, PaddedCNNConfig
from erlangen.nn.padding import PADDINGS
from erlangen.train import classifiers
from erlangen.train.classifier import History, Schedule, fit, slices
from erlangen.train.classifiers import Training, fit_many
from erlangen.train.stacked_nets import Form

Pair = tuple[Tensor, Tensor]
by_form = pytest.mark.parametrize("form", get_args(Form))


def weights_of(models: list[nn.Module]) -> list[Tensor]:
    return [parameter.detach() for model in models for parameter in model.parameters()]


def assert_close(found: list[History | ErlangenError], expected: list[History]) -> None:
    """The same epochs; losses and accuracies up to rounding."""
    for one, other in zip(found, expected, strict=True):
        assert isinstance(one, History)
        assert one.best_epoch == other.best_epoch
        assert one.train_loss == pytest.approx(other.train_loss, abs=2e-6)
        assert one.validation_loss == pytest.approx(other.validation_loss, abs=2e-6)
        assert one.validation_accuracy == other.validation_accuracy


def linear(seed: int, dtype: torch.dtype = torch.float64) -> nn.Module:
    torch.manual_seed(seed)
    return nn.Linear(4, 2).to(dtype)


def noise(n: int, seed: int) -> Pair:
    """Nothing to learn: validation losses rise and fall, and each net stops at an epoch of its own."""
    rng = torch.Generator().manual_seed(seed)
    return torch.randn(n, 4, generator=rng, dtype=torch.float64), torch.randint(0, 2, (n,), generator=rng)


@by_form
@pytest.mark.parametrize("net", ["Net1", "Net2"])
@pytest.mark.parametrize("padding", PADDINGS)
def test_nets_at_once_are_the_nets_one_by_one(net: str, padding: str, form: Form) -> None:
    """Batches of 25 divide neither the 60 images nor the 30; three nets of three seeds."""
    data = red_green("source", train=60, validation=30, test=2)
    train, validation = (data.train.images, data.train.labels), (data.validation.images, data.validation.labels)

    def nets() -> list[nn.Module]:
        models = []
        for seed in range(3):
            torch.manual_seed(seed)
            models.append(PaddedCNN(PaddedCNNConfig(net=net, padding=padding)))
        return models

    schedule, many, one_by_one = Schedule(epochs=3, batch_size=25, slice_size=10), nets(), nets()
    found = fit_many(many, train, validation, schedule, form=form)
    assert_close(found, [fit(model, train, validation, schedule) for model in one_by_one])
    torch.testing.assert_close(weights_of(many), weights_of(one_by_one), rtol=0, atol=2e-5)
    assert not torch.equal(weights_of(many)[0], weights_of(nets())[0])


@by_form
def test_each_net_stops_by_itself_with_its_own_best_weights(form: Form) -> None:
    train, validation = noise(50, 0), noise(40, 3)
    schedule = Schedule(epochs=25, batch_size=20, patience=3, lr=3)
    many, one_by_one = ([linear(seed) for seed in range(6)] for _ in range(2))
    found = fit_many(many, train, validation, schedule, form=form)
    assert_close(found, [fit(model, train, validation, schedule) for model in one_by_one])
    torch.testing.assert_close(weights_of(many), weights_of(one_by_one), rtol=0, atol=1e-12)
    assert [len(history.train_loss) for history in found] == [16, 12, 13, 20, 17, 25]  # type: ignore[union-attr]


def broken(value: float, where: int) -> Callable[[], list[nn.Module]]:
    """Three linear nets, of which one has a bias that is not finite."""

    def models() -> list[nn.Module]:
        nets = [linear(seed) for seed in range(3)]
        nets[where].bias.data[0] = value  # type: ignore[union-attr]
        return nets

    return models


@by_form
@pytest.mark.parametrize("value", [math.nan, math.inf])
@pytest.mark.parametrize("where", [0, 2])
def test_a_loss_that_is_not_finite_ends_its_own_net_only(value: float, where: int, form: Form) -> None:
    models, train, validation = broken(value, where), noise(50, 0), noise(40, 1)
    schedule = Schedule(epochs=4, batch_size=20)
    many, one_by_one = models(), models()
    found = fit_many(many, train, validation, schedule, form=form)
    assert isinstance(found[where], ErlangenError)
    assert str(found[where]) == "the loss is no longer finite in epoch 1: lower the learning rate"
    rest = [net for net in range(3) if net != where]
    assert_close([found[net] for net in rest], [fit(one_by_one[net], train, validation, schedule) for net in rest])
    torch.testing.assert_close(weights_of([many[net] for net in rest]), weights_of([one_by_one[net] for net in rest]))


def test_all_nets_may_fail() -> None:
    nets = [linear(seed) for seed in range(2)]
    for net in nets:
        net.bias.data[0] = math.nan  # type: ignore[union-attr]
    found = fit_many(nets, noise(20, 0), noise(10, 1), Schedule(epochs=5))
    assert all(isinstance(one, ErlangenError) for one in found)


class Called:
    """In place of a CUDA graph: `prepare` runs the function, as a warm-up does, and a call runs it on the inputs prepared."""

    def __init__(self, function: Callable[..., object]) -> None:
        self.function = function
        self.held: dict[tuple[torch.Size, ...], tuple[Tensor, ...]] = {}

    def prepare(self, *inputs: Tensor) -> None:
        held = tuple(x.clone() for x in inputs)
        for _ in range(3):
            self.function(*held)
        self.held[tuple(x.shape for x in inputs)] = held

    def __call__(self, *inputs: Tensor) -> None:
        held = self.held[tuple(x.shape for x in inputs)]
        for mine, given in zip(held, inputs, strict=True):
            mine.copy_(given)
        self.function(*held)


def test_what_warms_up_a_capture_leaves_no_trace(monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything of the path on a GPU but the capture itself: every shape is prepared, and then training begins anew."""
    monkeypatch.setattr(classifiers, "Replay", Called)
    train, validation = noise(50, 0), noise(40, 1)  # batches of 20, 20 and 10
    schedule, runs = Schedule(batch_size=20), []
    for capture in (True, False):
        training = Training([linear(seed) for seed in range(3)], train, validation, schedule, "float32", "in turn")
        step, validate = training.replays() if capture else (training.step, training.validate)
        sums = []
        for _ in range(3):
            training.totals.zero_()
            for batch, labels in slices(*train, size=20):
                step(batch, labels)
            validate()
            sums.append(training.epoch())
        runs.append((sums, list(training.weights.values())))
    (captured_sums, captured), (plain_sums, plain) = runs
    assert captured_sums == plain_sums
    assert all(torch.equal(one, other) for one, other in zip(captured, plain, strict=True))


def test_steps_that_cannot_be_captured_are_made_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    class Refusing(Called):
        def prepare(self, *inputs: Tensor) -> None:
            super().prepare(*inputs)
            raise RuntimeError("operation not permitted when stream is capturing")

    monkeypatch.setattr(classifiers, "Replay", Refusing)
    training = Training([linear(0)], noise(50, 0), noise(40, 1), Schedule(batch_size=20), "float32", "in turn")
    with pytest.warns(RuntimeWarning, match="not permitted when stream is capturing"):
        step, validate = training.replays()
    assert (step, validate) == (training.step, training.validate)
    assert all(torch.equal(weight, training.first[name]) for name, weight in training.weights.items())


def test_models_with_buffers_are_refused() -> None:
    with pytest.raises(ValueError, match="buffers"):
        fit_many([nn.BatchNorm1d(4)], noise(4, 0), noise(4, 1), Schedule(epochs=1))


@by_form
def test_bfloat16_is_near_float32_and_not_the_same(form: Form) -> None:
    train, validation = ((x.float(), labels) for x, labels in (noise(50, 0), noise(40, 1)))
    runs = []
    for precision in ("float32", "bfloat16"):
        nets = [linear(seed, torch.float32) for seed in range(2)]
        runs.append(fit_many(nets, train, validation, Schedule(epochs=2), precision, form))
    for single, half in zip(*runs, strict=True):
        assert isinstance(single, History)
        assert isinstance(half, History)
        assert single.train_loss != half.train_loss
        assert half.train_loss == pytest.approx(single.train_loss, rel=0.02)


@pytest.mark.cuda
@pytest.mark.filterwarnings("error:a step cannot be captured")
@by_form
@pytest.mark.parametrize("precision", ["float32", "tf32", "bfloat16"])
@pytest.mark.parametrize("padding", PADDINGS)
def test_captured_steps_are_those_of_single_nets_on_cuda(padding: str, precision: str, form: Form) -> None:
    """The first epochs, before rounding has grown; and the same bits when trained again."""
    torch.backends.cudnn.deterministic = True
    data = red_green("source", train=250, validation=130, test=2)
    train, validation = (
        (part.images.to("cuda", memory_format=torch.channels_last), part.labels.cuda()) for part in (data.train, data.validation)
    )

    def nets() -> list[nn.Module]:
        models = []
        for seed in range(3):
            torch.manual_seed(seed)
            models.append(PaddedCNN(PaddedCNNConfig(padding=padding)).cuda())
        return models

    schedule, many, again, one_by_one = Schedule(epochs=2, batch_size=100, slice_size=100), nets(), nets(), nets()
    found = fit_many(many, train, validation, schedule, precision, form)
    assert fit_many(again, train, validation, schedule, precision, form) == found
    assert all(torch.equal(one, other) for one, other in zip(weights_of(many), weights_of(again), strict=True))
    expected = [fit(model, train, validation, schedule, precision) for model in one_by_one]
    bound = {"float32": 1e-4, "tf32": 2e-3, "bfloat16": 1e-2}[precision]
    for one, other in zip(found, expected, strict=True):
        assert isinstance(one, History)
        assert one.train_loss == pytest.approx(other.train_loss, abs=bound)
        assert one.validation_loss == pytest.approx(other.validation_loss, abs=bound)
