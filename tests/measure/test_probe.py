import numpy as np
import pytest
import torch
from hypothesis import given, strategies as st
from torch import Tensor

from erlangen.measure.probe import linear_r2


def drawn(n: int, d: int, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Features (n, d) and a target that they carry, with as much noise again."""
    generator = torch.Generator().manual_seed(seed)
    features = torch.randn(n, d, dtype=torch.float64, generator=generator)
    weights, noise = (torch.randn(size, dtype=torch.float64, generator=generator) for size in (d, n))
    return features, features @ weights / d**0.5 + noise


def least_squares_r2(features: np.ndarray, target: np.ndarray, ridge: float) -> float:
    """Ridge regression as ordinary least squares with √(n · ridge) on rows of its own."""
    half, d = len(target) // 2, features.shape[1]
    z = (features - features[:half].mean(0)) / features[:half].std(0, ddof=1)
    rows = np.vstack([z[:half], np.sqrt(half * ridge) * np.eye(d)])
    mean = target[:half].mean()
    w = np.linalg.lstsq(rows, np.concatenate([target[:half] - mean, np.zeros(d)]), rcond=None)[0]
    held_out = target[half:]
    return float(1 - np.sum((held_out - mean - z[half:] @ w) ** 2) / np.sum((held_out - held_out.mean()) ** 2))


@given(st.integers(4, 60), st.integers(1, 8), st.sampled_from([1e-3, 0.1, 10.0]), st.integers(0, 9))
def test_it_is_ridge_regression_scored_on_the_second_half(n: int, d: int, ridge: float, seed: int) -> None:
    features, target = drawn(n, d, seed)
    expected = least_squares_r2(features.numpy(), target.numpy(), ridge)
    assert linear_r2(features, target, ridge) == pytest.approx(expected, rel=1e-6, abs=1e-6)


def test_a_linear_target_is_read_exactly(dtype: torch.dtype, rng: torch.Generator) -> None:
    features = torch.randn(400, 5, dtype=dtype, generator=rng)
    target = features @ torch.tensor([1, -2, 3, 0, 5], dtype=dtype) + 7
    assert linear_r2(features, target, ridge=0.0) == pytest.approx(1, abs=1e-10)
    assert linear_r2(features, target) == pytest.approx(1, abs=1e-4)


def test_independent_noise_is_not_read(rng: torch.Generator) -> None:
    features, target = torch.randn(4000, 5, generator=rng), torch.randn(4000, generator=rng)
    assert -0.02 < linear_r2(features, target) < 0.01


def test_noise_fitted_by_as_many_features_as_rows_is_worse_than_the_mean(rng: torch.Generator) -> None:
    features, target = torch.randn(100, 60, generator=rng), torch.randn(100, generator=rng)
    assert linear_r2(features, target) < 0


def test_a_square_is_not_linear(rng: torch.Generator) -> None:
    features = torch.randn(4000, 1, generator=rng)
    assert linear_r2(features, features[:, 0] ** 2) < 0.02
    assert linear_r2(torch.cat([features, features**2], 1), features[:, 0] ** 2) > 0.999


def test_scale_and_origin_of_each_feature_and_of_the_target_do_not_matter() -> None:
    features, target = drawn(200, 4)
    expected = linear_r2(features, target)
    scale, origin = torch.tensor([1e-3, 1, -50, 1e6]).double(), torch.tensor([5, -2, 0, 1e6]).double()
    assert linear_r2(features * scale + origin, target) == pytest.approx(expected, abs=1e-8)
    assert linear_r2(features, -3 * target + 100) == pytest.approx(expected, abs=1e-8)


def test_any_invertible_mix_of_the_features_reads_as_much() -> None:
    features, target = drawn(200, 4)
    mix = torch.tensor([[1.0, 1, 0, 0], [0, 1, 1, 0], [0, 0, 1, 1], [0, 0, 0, 1]]).double()
    assert linear_r2(features @ mix + 1, target, ridge=0) == pytest.approx(linear_r2(features, target, ridge=0), abs=1e-9)
    assert linear_r2(features @ mix + 1, target) == pytest.approx(linear_r2(features, target), abs=0.01)


def test_a_feature_that_never_varies_tells_nothing() -> None:
    features, target = drawn(200, 4)
    dead = torch.cat([features, torch.zeros(200, 1), torch.full((200, 1), 0.5)], dim=1)
    assert linear_r2(dead, target) == pytest.approx(linear_r2(features, target), abs=1e-12)


def test_order_of_rows_within_a_half_does_not_matter(rng: torch.Generator) -> None:
    features, target = drawn(200, 4)
    order = torch.cat([torch.randperm(100, generator=rng), 100 + torch.randperm(100, generator=rng)])
    assert linear_r2(features[order], target[order]) == pytest.approx(linear_r2(features, target), abs=1e-12)


def test_second_half_has_no_part_in_the_fit() -> None:
    """With its rows doubled, the score is the same mean over the same rows."""
    features, target = drawn(100, 3)
    twice = torch.cat([features[:50]] * 2 + [features[50:]] * 2), torch.cat([target[:50]] * 2 + [target[50:]] * 2)
    assert linear_r2(*twice, ridge=0) == pytest.approx(linear_r2(features, target, ridge=0), abs=1e-12)


@pytest.mark.parametrize("shapes", [((8,), (8,)), ((8, 2, 2), (8,)), ((8, 2), (7,)), ((8, 2), (8, 1)), ((8, 2), ())], ids=str)
def test_shapes_that_do_not_fit_are_named(shapes: tuple[tuple[int, ...], tuple[int, ...]]) -> None:
    with pytest.raises(ValueError, match=r"linear_r2: features must be \(N, d\) and target \(N,\) with N >= 4, but") as error:
        linear_r2(torch.zeros(shapes[0]), torch.zeros(shapes[1]))
    assert all(str(shape) in str(error.value) for shape in shapes)


def test_a_constant_target_is_refused(rng: torch.Generator) -> None:
    with pytest.raises(ValueError, match="does not vary"):
        linear_r2(torch.randn(10, 2, generator=rng), torch.full((10,), 3.0))
