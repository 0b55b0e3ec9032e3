"""Oracles: the source's loop written out, and nets whose validation losses are scripted."""

import math

import pytest
import torch
from hypothesis import given, strategies as st
from torch import Tensor, nn

from erlangen.data.red_green import RedGreen, red_green
from erlangen.errors import ErlangenError
from erlangen.models.padded_cnn import PaddedCNN, PaddedCNNConfig
from erlangen.train.classifier import History, Schedule, fit, percent_correct, predict, slices

Pair = tuple[Tensor, Tensor]


@pytest.fixture(scope="module")
def data() -> RedGreen:
    return red_green("source", train=90, validation=60, test=2)


def images(data: RedGreen) -> tuple[Pair, Pair]:
    return (data.train.images, data.train.labels), (data.validation.images, data.validation.labels)


def net(seed: int = 0) -> PaddedCNN:
    torch.manual_seed(seed)
    return PaddedCNN(PaddedCNNConfig(padding="sconv"))


def linear(dtype: torch.dtype = torch.float32) -> nn.Module:
    torch.manual_seed(0)
    return nn.Linear(4, 2).to(dtype)


def separable(n: int = 60, dtype: torch.dtype = torch.float32, seed: int = 0) -> Pair:
    x = torch.randn(n, 4, generator=torch.Generator().manual_seed(seed)).to(dtype)
    return x, (x[:, 0] > 0).long()


def weights_of(model: nn.Module) -> list[Tensor]:
    return [parameter.detach().clone() for parameter in model.parameters()]


def source_protocol(model: nn.Module, train: Pair, validation: Pair, epochs: int, batch: int) -> list[list[float]]:
    """The source's loop, without slices: train loss, validation loss and accuracy of each epoch."""
    criterion = nn.CrossEntropyLoss()
    optimizer = torch.optim.Adadelta(model.parameters(), lr=1.0, rho=0.9, eps=1e-6, weight_decay=5e-5)
    history = []
    for _ in range(epochs):
        seen, validated, correct = 0.0, 0.0, 0
        for start in range(0, len(train[0]), batch):
            x, y = train[0][start : start + batch], train[1][start : start + batch]
            optimizer.zero_grad()
            loss = criterion(model(x), y)
            loss.backward()
            optimizer.step()
            seen += loss.item() * len(x)
        with torch.no_grad():
            for start in range(0, len(validation[0]), batch):
                x, y = validation[0][start : start + batch], validation[1][start : start + batch]
                logits = model(x)
                validated += criterion(logits, y).item()
                correct += int((logits.argmax(1) == y).sum())
        history.append([seen / len(train[0]), validated / len(validation[0]), 100 * correct / len(validation[0])])
    return history


def test_two_epochs_are_those_of_the_source(data: RedGreen) -> None:
    """Batches of 40 in slices of 16: neither divides the 90 and 60 images."""
    schedule = Schedule(epochs=2, batch_size=40, slice_size=16)
    found = fit(net(), *images(data), schedule)
    expected = source_protocol(net(), *images(data), epochs=2, batch=40)
    rows = zip(found.train_loss, found.validation_loss, found.validation_accuracy, strict=True)
    assert [list(row) for row in rows] == [pytest.approx(row, abs=1e-5) for row in expected]


def test_defaults_are_those_of_claim_c2() -> None:
    schedule = Schedule()
    assert (schedule.epochs, schedule.batch_size, schedule.patience) == (50, 200, 9)
    assert (schedule.lr, schedule.rho, schedule.eps, schedule.weight_decay) == (1.0, 0.9, 1e-6, 5e-5)


@pytest.mark.parametrize("slice_size", [1, 7, 20, 100])
def test_slices_leave_the_weights_of_the_whole_batch(slice_size: int, dtype: torch.dtype) -> None:
    whole, sliced = linear(dtype), linear(dtype)
    for model, size in ((whole, 20), (sliced, slice_size)):
        fit(model, separable(50, dtype), separable(30, dtype, seed=1), Schedule(epochs=5, batch_size=20, slice_size=size))
    bound = 1e-5 if dtype == torch.float32 else 1e-13
    torch.testing.assert_close(weights_of(sliced), weights_of(whole), rtol=0, atol=bound)


def test_one_seed_gives_one_history_bit_for_bit(data: RedGreen) -> None:
    models = [net(3), net(3)]
    first, second = (fit(model, *images(data), Schedule(epochs=2, batch_size=40)) for model in models)
    assert first == second
    assert all(torch.equal(one, other) for one, other in zip(*map(weights_of, models), strict=True))


class Scripted(nn.Module):
    """Trains one weight; its validation logits are those of the script, epoch by epoch: (0, level) for label 0.

    The loss ln(1 + e^level) grows with the level. `after` has the weight at the end of each epoch.
    """

    def __init__(self, levels: list[float], train_scale: float = 1.0) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(()))
        self.levels, self.train_scale, self.after = levels, train_scale, []

    def forward(self, x: Tensor) -> Tensor:
        ones = torch.ones(len(x))
        if self.training:
            return torch.stack([self.weight * self.train_scale * ones, -ones], dim=1)
        self.after.append(self.weight.item())
        return torch.stack([0 * ones, self.levels[len(self.after) - 1] * ones], dim=1)


def run_script(levels: list[float], patience: int, train_scale: float = 1.0) -> tuple[Scripted, History]:
    model, part = Scripted(levels, train_scale), (torch.zeros(6, 1), torch.zeros(6, dtype=torch.int64))
    return model, fit(model, part, part, Schedule(epochs=len(levels), batch_size=6, slice_size=6, patience=patience))


def epochs_until_stop(levels: list[float], patience: int) -> int:
    """The first epoch after which none of the last `patience` was below everything before it; else all."""
    improved = [all(level < earlier for earlier in levels[:epoch]) for epoch, level in enumerate(levels)]
    for epoch in range(patience, len(levels) + 1):
        if not any(improved[epoch - patience : epoch]):
            return epoch
    return len(levels)


@given(st.lists(st.integers(-5, 5), min_size=1, max_size=15), st.integers(1, 5))
def test_training_stops_at_the_last_of_the_failures_in_a_row(levels: list[int], patience: int) -> None:
    model, history = run_script(levels, patience)
    epochs = epochs_until_stop(levels, patience)
    assert len(history.train_loss) == len(history.validation_loss) == len(history.validation_accuracy) == epochs
    assert history.best_epoch == levels.index(min(levels[:epochs]))
    assert model.weight.item() == model.after[history.best_epoch]
    assert history.validation_loss == pytest.approx([math.log1p(math.exp(level)) / 6 for level in levels[:epochs]], rel=1e-5)
    assert history.validation_accuracy == tuple(100.0 if level <= 0 else 0.0 for level in levels[:epochs])


@pytest.mark.parametrize("patience", [1, 3, 9])
def test_a_loss_that_only_worsens_stops_after_patience_failures(patience: int) -> None:
    """What is learned is wrong on the validation set: each epoch is worse than the one before."""
    x, labels = separable()
    validation = (x, 1 - labels)
    model, once = linear(), linear()
    history = fit(model, (x, labels), validation, Schedule(batch_size=20, patience=patience, lr=0.3))
    fit(once, (x, labels), validation, Schedule(batch_size=20, epochs=1, lr=0.3))
    assert list(history.validation_loss) == sorted(history.validation_loss)
    assert len(history.validation_loss) == 1 + patience
    assert history.best_epoch == 0
    assert all(torch.equal(ours, first) for ours, first in zip(weights_of(model), weights_of(once), strict=True))


@pytest.mark.parametrize("levels", [[math.nan], [1, 0, math.nan], [1, math.inf]], ids=str)
def test_a_validation_loss_that_is_not_finite_is_an_error(levels: list[float]) -> None:
    with pytest.raises(ErlangenError, match=f"no longer finite in epoch {len(levels)}: lower the learning rate"):
        run_script(levels, patience=9)


def test_a_training_loss_that_is_not_finite_is_an_error() -> None:
    with pytest.raises(ErlangenError, match="no longer finite in epoch 1"):
        run_script([0, 0], patience=9, train_scale=math.inf)


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2)), min_size=1, max_size=30))
def test_percent_correct_counts(answers: list[tuple[int, int]]) -> None:
    predicted, labels = (torch.tensor(column) for column in zip(*answers, strict=True))
    logits = torch.nn.functional.one_hot(predicted, 3).float()
    assert percent_correct(logits, labels) == pytest.approx(100 * sum(p == label for p, label in answers) / len(answers))


@given(st.integers(1, 30), st.integers(1, 12))
def test_slices_are_the_rows_in_order(n: int, size: int) -> None:
    x, y = torch.arange(2 * n).view(n, 2), torch.arange(n)
    parts = list(slices(x, y, size=size))
    assert all(len(rows) == len(labels) <= size for rows, labels in parts)
    assert len(parts) == math.ceil(n / size)
    assert torch.equal(torch.cat([rows for rows, _ in parts]), x)
    assert torch.equal(torch.cat([labels for _, labels in parts]), y)


def test_predict_is_the_function_on_all_rows_without_gradients() -> None:
    model, (x, _) = linear(), separable(23)
    found = predict(model, x, size=5)
    assert not found.requires_grad
    torch.testing.assert_close(found, model(x), rtol=0, atol=1e-6)


def test_predict_in_bfloat16_computes_in_it_and_returns_float32() -> None:
    kinds = []
    model, (x, _) = linear(), separable(23)

    def spied(rows: Tensor) -> Tensor:
        kinds.append(model(rows).dtype)
        return model(rows)

    assert predict(spied, x, "bfloat16", size=10).dtype == torch.float32
    assert kinds == [torch.bfloat16] * 3


def test_training_in_bfloat16_keeps_float32_weights_near_those_of_float32() -> None:
    models = linear(), linear()
    histories = [
        fit(model, separable(), separable(30, seed=1), Schedule(epochs=3, batch_size=20), precision)
        for model, precision in zip(models, ("float32", "bfloat16"), strict=True)
    ]
    assert all(weight.dtype == torch.float32 for weight in weights_of(models[1]))
    assert histories[1].train_loss != histories[0].train_loss
    assert histories[1].train_loss == pytest.approx(histories[0].train_loss, rel=0.02)
