"""Rotary positions and ALiBi: laws, and the papers' own formulas written plainly."""

import math

import pytest
import torch
from hypothesis import given, strategies as st
from support.torchvision_ops import declare_torchvision_ops
from torch import Tensor

from erlangen.nn.positions import Layout, Rotary, alibi_bias, alibi_slopes, rotate

LAYOUTS: tuple[Layout, ...] = ("half", "interleaved")


def turned(x: Tensor, positions: Tensor, rotary: Rotary) -> Tensor:
    return rotate(x, rotary.table(positions, x.shape[-1]), rotary.layout)


def plainly(x: Tensor, position: int, rotary: Rotary) -> Tensor:
    """One vector turned pair by pair, from the formula."""
    y, d = torch.empty_like(x), len(x)
    for i in range(d // 2):
        a, b = (i, i + d // 2) if rotary.layout == "half" else (2 * i, 2 * i + 1)
        angle = position * rotary.base ** (-2 * i / d)
        y[a] = math.cos(angle) * x[a] - math.sin(angle) * x[b]
        y[b] = math.sin(angle) * x[a] + math.cos(angle) * x[b]
    return y


@pytest.mark.parametrize("layout", LAYOUTS)
def test_each_pair_is_turned_by_its_angle(layout: Layout) -> None:
    torch.manual_seed(0)
    x = torch.randn(5, 8, dtype=torch.float64)
    rotary = Rotary(layout=layout, base=100.0)
    expected = torch.stack([plainly(row, 3 * p, rotary) for p, row in enumerate(x)])
    torch.testing.assert_close(turned(x, 3 * torch.arange(5), rotary), expected, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("layout", LAYOUTS)
@given(shift=st.integers(1, 5000), seed=st.integers(0, 99))
def test_products_depend_on_the_distance_alone(layout: Layout, shift: int, seed: int) -> None:
    torch.manual_seed(seed)
    q, k = torch.randn(2, 6, 16, dtype=torch.float64)
    rotary, here = Rotary(layout=layout), torch.arange(6)
    near = turned(q, here, rotary) @ turned(k, here, rotary).mT
    far = turned(q, here + shift, rotary) @ turned(k, here + shift, rotary).mT
    torch.testing.assert_close(near, far, rtol=0, atol=2e-5)  # the table is float32
    assert (near - q @ k.mT).abs().max() > 1e-2  # and the turn does something


@pytest.mark.parametrize("layout", LAYOUTS)
def test_norms_are_kept_and_position_zero_turns_nothing(layout: Layout) -> None:
    torch.manual_seed(1)
    x = torch.randn(2, 3, 40, 12, dtype=torch.float64)
    y = turned(x, torch.arange(40), Rotary(layout=layout))
    torch.testing.assert_close(y.norm(dim=-1), x.norm(dim=-1), rtol=1e-6, atol=0)
    assert torch.equal(y[:, :, 0], x[:, :, 0])


def test_the_layouts_are_one_rotation_of_reordered_features() -> None:
    torch.manual_seed(2)
    x, here = torch.randn(7, 10), torch.arange(7)
    order = torch.cat([torch.arange(0, 10, 2), torch.arange(1, 10, 2)])  # interleaved -> half
    half, interleaved = (turned(y, here, Rotary(layout=layout)) for y, layout in ((x[:, order], "half"), (x, "interleaved")))
    torch.testing.assert_close(half, interleaved[:, order])
    assert (turned(x, here, Rotary()) - interleaved).abs().max() > 0.1  # taken for one another they are wrong


def test_half_is_the_layout_of_llama_in_transformers() -> None:
    declare_torchvision_ops()  # transformers imports torchvision where it is installed
    llama = pytest.importorskip("transformers.models.llama.modeling_llama")
    config = llama.LlamaConfig(hidden_size=64, num_attention_heads=4, max_position_embeddings=64)
    x = torch.randn(1, 4, 9, 16)
    cos, sin = llama.LlamaRotaryEmbedding(config)(x, torch.arange(9)[None])
    expected, _ = llama.apply_rotary_pos_emb(x, x, cos, sin)
    torch.testing.assert_close(turned(x, torch.arange(9), Rotary()), expected, rtol=1e-5, atol=1e-5)


def test_linear_scaling_squeezes_positions() -> None:
    x = torch.randn(8, 6)
    squeezed = turned(x, torch.arange(0, 32, 4), Rotary(scaling="linear", factor=4))
    torch.testing.assert_close(squeezed, turned(x, torch.arange(8), Rotary()))


def test_ntk_keeps_the_fastest_pair_and_slows_the_slowest_by_the_factor() -> None:
    plain, scaled = Rotary().frequencies(32), Rotary(scaling="ntk", factor=8).frequencies(32)
    assert scaled[0] == plain[0] == 1
    assert float(plain[-1] / scaled[-1]) == pytest.approx(8, rel=1e-9)
    assert (scaled.diff() < 0).all()


def test_angles_are_right_far_out() -> None:
    for place in (1_000_003, 2**24 + 1):  # of the second a float32 knows nothing
        cos, sin = Rotary().table(torch.tensor([place]), 4)
        for pair, angle in enumerate((place, place / 100)):
            assert float(cos[0, pair]) == pytest.approx(math.cos(angle), abs=1e-7)
            assert float(sin[0, 2 + pair]) == pytest.approx(math.sin(angle), abs=1e-7)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float64])
def test_a_turn_keeps_the_number_format(dtype: torch.dtype) -> None:
    assert turned(torch.ones(3, 4, dtype=dtype), torch.arange(3), Rotary()).dtype == dtype


def test_a_single_pair_has_no_slowest_to_slow() -> None:
    assert Rotary(scaling="ntk", factor=4).frequencies(2).tolist() == [1]
    with pytest.raises(ValueError, match="head_dim 0"):
        Rotary().frequencies(0)


@pytest.mark.parametrize("heads", [1, 2, 8, 16])
def test_slopes_halve_from_head_to_head(heads: int) -> None:
    slopes = alibi_slopes(heads)
    expected = torch.tensor([2.0 ** (-8 * (h + 1) / heads) for h in range(heads)])
    torch.testing.assert_close(slopes, expected)


def test_slopes_of_other_numbers_of_heads_are_the_authors() -> None:
    """Their rule: those of the power of two below, then every second one of the power above."""
    torch.testing.assert_close(alibi_slopes(6), torch.tensor([2**-2.0, 2**-4.0, 2**-6.0, 2**-8.0, 2**-1.0, 2**-3.0]))
    for heads in range(1, 40):
        slopes = alibi_slopes(heads)
        assert len(slopes) == heads == len(slopes.unique())


def test_alibi_takes_the_slope_for_each_token_between() -> None:
    distance = torch.arange(4)[:, None] - torch.arange(4)
    bias = alibi_bias(alibi_slopes(2), distance)
    assert bias.shape == (2, 4, 4)
    assert float(bias[0, 3, 1]) == -2 * 2.0**-4
    assert float(bias[1, 3, 3]) == 0


@pytest.mark.parametrize(
    ("fault", "options"),
    [
        ("layout 'thirds'", {"layout": "thirds"}),
        ("scaling 'log'", {"scaling": "log"}),
        ("base 1", {"base": 1.0}),
        (r"factor 0\.5", {"scaling": "linear", "factor": 0.5}),
        ("needs scaling", {"factor": 2.0}),
    ],
)
def test_impossible_rotations_are_refused(fault: str, options: dict) -> None:
    with pytest.raises(ValueError, match=fault):
        Rotary(**options)


def test_an_odd_head_has_no_pairs() -> None:
    with pytest.raises(ValueError, match="head_dim 5 must be even"):
        Rotary().table(torch.arange(3), 5)
