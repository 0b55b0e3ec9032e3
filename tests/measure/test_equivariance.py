import pytest
import torch
from hypothesis import given, strategies as st
from torch import Tensor

from erlangen.measure.equivariance import flipped, relative_change


@pytest.fixture
def pair(rng: torch.Generator, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """Whole numbers, so that the laws below hold to the last bit but for the division's rounding."""
    expected, actual = torch.randint(-99, 100, (2, 12, 3, 4), generator=rng).to(dtype)
    return expected, actual


def written_out(expected: Tensor, actual: Tensor) -> list[float]:
    n = len(expected)
    rows = [[float(value) for value in row.flatten()] for row in expected]
    others = [[float(value) for value in row.flatten()] for row in actual]
    mean = [sum(column) / n for column in zip(*rows, strict=True)]
    spread = (sum((a - b) ** 2 for row in rows for a, b in zip(row, mean, strict=True)) / n) ** 0.5
    pairs = zip(rows, others, strict=True)
    return [sum((a - b) ** 2 for a, b in zip(row, other, strict=True)) ** 0.5 / spread for row, other in pairs]


def test_it_is_the_documented_formula(pair: tuple[Tensor, Tensor]) -> None:
    assert relative_change(*pair).tolist() == pytest.approx(written_out(*pair), rel=1e-12)


def test_equal_outputs_have_not_changed(pair: tuple[Tensor, Tensor]) -> None:
    assert relative_change(pair[0], pair[0].clone()).tolist() == [0.0] * 12


def test_a_constant_part_hides_nothing(pair: tuple[Tensor, Tensor]) -> None:
    constant = torch.full_like(pair[0][0], 1000.0)
    moved = relative_change(pair[0] + constant, pair[1] + constant)
    torch.testing.assert_close(moved, relative_change(*pair), rtol=1e-12, atol=0)


@given(st.integers(-20, 20).filter(bool))
def test_scale_does_not_matter(scale: int) -> None:
    expected, actual = torch.randint(-99, 100, (2, 12, 5), generator=torch.Generator().manual_seed(0)).double()
    scaled = relative_change(scale * expected, scale * actual)
    torch.testing.assert_close(scaled, relative_change(expected, actual), rtol=1e-12, atol=0)


def test_order_of_inputs_does_not_matter(pair: tuple[Tensor, Tensor], rng: torch.Generator) -> None:
    order = torch.randperm(12, generator=rng)
    shuffled = relative_change(pair[0][order], pair[1][order])
    torch.testing.assert_close(shuffled, relative_change(*pair)[order], rtol=1e-12, atol=0)


def test_another_inputs_output_is_a_change_of_about_one(rng: torch.Generator) -> None:
    """Two independent draws differ by √2 spreads in the root mean square."""
    expected, actual = torch.randn(2, 4000, 3, generator=rng)
    assert relative_change(expected, actual).square().mean().sqrt() == pytest.approx(2**0.5, rel=0.05)


@pytest.mark.parametrize("value", [0.0, 0.5, -3.0])
@pytest.mark.parametrize("change", [0.0, 1.0])
def test_nothing_is_known_where_outputs_do_not_vary(value: float, change: float, dtype: torch.dtype) -> None:
    expected = torch.full((7, 4), value, dtype=dtype)
    assert relative_change(expected, expected + change).isnan().all()


@pytest.mark.parametrize("n", [3, 7])
def test_nothing_is_known_where_float64_outputs_do_not_vary(n: int) -> None:
    expected = torch.full((n, 4), 0.1, dtype=torch.float64)
    assert relative_change(expected, expected).isnan().all()


def test_a_single_input_has_no_spread() -> None:
    assert relative_change(torch.ones(1, 3), torch.zeros(1, 3)).isnan().all()


def test_flipped_where_the_largest_logit_is_another(dtype: torch.dtype) -> None:
    expected = torch.tensor([[0, 1], [1, 0], [-1, -2]], dtype=dtype)
    actual = torch.tensor([[1, 0], [9, 8], [-5, -4]], dtype=dtype)
    assert flipped(expected, actual).tolist() == [True, False, True]


def test_flips_do_not_see_a_monotone_map_of_the_logits(rng: torch.Generator) -> None:
    expected, actual = torch.randn(2, 50, 5, generator=rng)
    assert torch.equal(flipped(expected, actual), flipped(3 * expected - 1, actual.exp()))
    assert not flipped(expected, 2 * expected + 7).any()
