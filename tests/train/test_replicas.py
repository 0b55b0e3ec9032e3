"""Threads that share a batch: the gradient of one, the same weights, the same draws whenever they are made again."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from erlangen.models.gpt import GPT, GPTConfig
from erlangen.train.replicas import Replicas, sharing

TINY = GPTConfig(vocabulary=13, block=8, layers=2, heads=2, width=8, dropout=0.0)


def loss(net: nn.Module, x: Tensor, y: Tensor) -> Tensor:
    return F.cross_entropy(net(x).flatten(0, 1), y.flatten())


def batch(rows: int = 7) -> tuple[Tensor, Tensor]:
    tokens = torch.randint(13, (rows, 9), generator=torch.Generator().manual_seed(0))
    return tokens[:, :-1], tokens[:, 1:]


@pytest.fixture
def threads() -> Iterator[None]:
    yield
    torch.set_num_threads(1)


def made(dropout: float = 0.0, tied: bool = False) -> GPT:
    torch.manual_seed(0)
    return GPT(replace(TINY, dropout=dropout, tied=tied)).double().train()


@pytest.mark.parametrize("tied", [False, True])
@pytest.mark.parametrize(("n", "rows"), [(1, 7), (2, 7), (3, 8), (4, 3)])
def test_the_gradient_is_that_of_one(n: int, rows: int, tied: bool) -> None:
    model, alone, (x, y) = made(tied=tied), made(tied=tied), batch(rows)
    expected = loss(alone, x, y) / 2
    expected.backward()
    found = Replicas(model, n).gradient(loss, x, y, scale=0.5)
    torch.testing.assert_close(found, expected.detach())
    for mine, theirs in zip(model.parameters(), alone.parameters(), strict=True):
        torch.testing.assert_close(mine.grad, theirs.grad, rtol=1e-9, atol=1e-12)


def test_gradients_add_up_over_slices() -> None:
    model, alone, (x, y) = made(), made(), batch(8)
    loss(alone, x, y).backward()
    replicas = Replicas(model, 2)
    for rows, targets in zip(x.chunk(2), y.chunk(2), strict=True):
        replicas.gradient(loss, rows, targets, 0.5)
    for mine, theirs in zip(model.parameters(), alone.parameters(), strict=True):
        torch.testing.assert_close(mine.grad, theirs.grad, rtol=1e-9, atol=1e-12)


def test_copies_follow_the_optimizer_and_loaded_weights() -> None:
    model, (x, y) = made(), batch()
    replicas = Replicas(model, 2)
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.1, fused=True)
    for _ in range(3):
        optimizer.zero_grad()
        replicas.gradient(loss, x, y)
        optimizer.step()
    assert torch.equal(model(x), replicas.models[1](x))
    model.load_state_dict(made().state_dict())
    assert torch.equal(model(x), replicas.models[1](x))


def test_dropout_repeats_from_its_state_and_differs_between_copies() -> None:
    model, (x, y) = made(dropout=0.5), batch(8)
    replicas, gradients = Replicas(model, 2), []
    states = replicas.state()
    for _ in range(3):
        replicas.set_state(states)
        torch.rand(5)  # torch's own numbers have no part in it
        model.zero_grad()
        replicas.gradient(loss, x, y)
        gradients.append(torch.cat([p.grad.flatten() for p in model.parameters()]))
    assert torch.equal(gradients[0], gradients[1])
    assert torch.equal(gradients[0], gradients[2])
    assert not torch.equal(*(generator.get_state() for generator in Replicas(model, 2).generators))
    with pytest.raises(ValueError, match="argument"):
        replicas.set_state(states[:1])


def test_copies_are_in_the_mode_of_the_model() -> None:
    model, alone, (x, y) = made(dropout=0.5), made(), batch(8)
    replicas = Replicas(model, 2)
    model.eval()
    replicas.gradient(loss, x, y)
    loss(alone, x, y).backward()
    for mine, theirs in zip(model.parameters(), alone.parameters(), strict=True):
        torch.testing.assert_close(mine.grad, theirs.grad, rtol=1e-9, atol=1e-12)


def test_buffers_are_shared_as_parameters_are() -> None:
    model = nn.BatchNorm1d(3)
    twin = sharing(model)
    model.running_mean.fill_(7)
    nn.init.constant_(model.weight, 5)
    assert twin.running_mean.tolist() == [7] * 3
    assert twin.weight.tolist() == [5] * 3


def test_each_share_runs_on_one_thread(threads: None) -> None:
    torch.set_num_threads(2)
    seen = []

    def watched(net: nn.Module, x: Tensor, y: Tensor) -> Tensor:
        seen.append(torch.get_num_threads())
        return loss(net, x, y)

    Replicas(made(), 2).gradient(watched, *batch())
    assert seen == [1, 1]


def test_a_fault_in_a_thread_comes_out() -> None:
    def broken(net: nn.Module, x: Tensor, y: Tensor) -> Tensor:
        raise RuntimeError("a fault")

    with pytest.raises(RuntimeError, match="a fault"):
        Replicas(made(), 2).gradient(broken, *batch())


def test_the_threads_of_the_caller_stay_as_they_were(threads: None) -> None:
    torch.set_num_threads(2)
    Replicas(made(), 2).gradient(loss, *batch())
    assert torch.get_num_threads() == 2
