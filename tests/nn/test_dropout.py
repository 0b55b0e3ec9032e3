"""What dropout promises: a share of zeros, the rest scaled so that the mean stays, nothing at all outside training."""

import pytest
import torch

from erlangen.nn.dropout import dropout


@pytest.mark.parametrize("p", [0.05, 0.1, 0.5, 0.6, 0.9])
def test_a_share_is_dropped_and_the_rest_scaled(p: float) -> None:
    torch.manual_seed(0)
    n = 400_003  # no multiple of four: the last bits are cut off
    y = dropout(torch.ones(n), p)
    kept = y != 0
    share = 1 - float(kept.double().mean())
    assert abs(share - p) < 5 * (p * (1 - p) / n) ** 0.5 + 2**-17
    assert torch.allclose(y[kept], torch.tensor(1 / (1 - p)), rtol=3e-4)
    assert abs(float(y.double().mean()) - 1) < 5 * (p / (1 - p) / n) ** 0.5


@pytest.mark.parametrize("p", [0.25, 0.5])
def test_decisions_are_independent_of_their_neighbors(p: float) -> None:
    """Four decisions share 64 bits: any pair of places, near or far, falls together as often as chance has it."""
    torch.manual_seed(1)
    dropped = (dropout(torch.ones(400_000), p) == 0).double()
    for lag in (1, 2, 3, 4, 5, 64):
        both = float((dropped[lag:] * dropped[:-lag]).mean())
        assert abs(both - p * p) < 5 * (p * p / 400_000) ** 0.5


def test_every_number_is_dropped_sometimes_and_kept_sometimes() -> None:
    torch.manual_seed(2)
    kept = sum((dropout(torch.ones(9), 0.5) != 0).int() for _ in range(60))
    assert ((kept > 8) & (kept < 52)).all()


def test_nothing_happens_outside_training_or_at_zero() -> None:
    x = torch.randn(5)
    assert dropout(x, 0.5, training=False) is x
    assert dropout(x, 0.0) is x
    assert not dropout(x, 1.0).any()


def test_the_gradient_is_the_mask() -> None:
    torch.manual_seed(3)
    x = torch.randn(1000, dtype=torch.float64, requires_grad=True)
    y = dropout(x, 0.3)
    (gradient,) = torch.autograd.grad(y.sum(), x)
    torch.testing.assert_close(gradient * x, y)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_shape_and_type_stay(dtype: torch.dtype) -> None:
    y = dropout(torch.ones(3, 5, 7, dtype=dtype), 0.5)
    assert (y.shape, y.dtype) == ((3, 5, 7), dtype)
    assert set(y.flatten().tolist()) == {0.0, 2.0}


def test_a_seed_repeats_it() -> None:
    torch.manual_seed(4)
    first = dropout(torch.ones(100), 0.5)
    torch.manual_seed(4)
    assert torch.equal(first, dropout(torch.ones(100), 0.5))


def test_a_share_beyond_one_is_refused() -> None:
    with pytest.raises(ValueError, match=r"p = 1\.5 is outside \[0, 1\]"):
        dropout(torch.ones(3), 1.5)


def test_empty_is_fine() -> None:
    assert dropout(torch.ones(0, 4), 0.5).shape == (0, 4)
