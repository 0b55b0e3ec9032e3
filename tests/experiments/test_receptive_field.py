"""Receptive field: nets and measures against plainer programs, exactness in float64, and what a tiny run measures."""

from __future__ import annotations

import math
from itertools import product

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, strategies as st
from support.figures import assert_drawn
from support.results import evidence_of
from torch import Tensor, nn

from erlangen.experiments import planned_jobs
from erlangen.experiments.kit.evidence import Evidence
from erlangen.experiments.kit.tasks import job
from erlangen.experiments.receptive_field import EXTENTS, PRESETS, extents, identity, learning
from erlangen.experiments.receptive_field.attention import AttentionBlock, TorusAttention
from erlangen.experiments.receptive_field.effective import evenness, field_of
from erlangen.experiments.receptive_field.extent_parts import predicted
from erlangen.experiments.receptive_field.figures import figures
from erlangen.experiments.receptive_field.identity import differing_features, plain_convolve
from erlangen.experiments.receptive_field.judge import answers, verdicts
from erlangen.experiments.receptive_field.learning import built, fit, learn, logit_gap
from erlangen.experiments.receptive_field.plan import CELLS, Cell, cells, trainings
from erlangen.experiments.receptive_field.recipe import DISTANCES, Recipe
from erlangen.experiments.receptive_field.run import run
from erlangen.experiments.receptive_field.tasks import (
    HEADS,
    ROWS,
    SIDE,
    TOKENS,
    WIDTH,
    WINDOW,
    ConvolutionName,
    Effect,
    Extent,
    FieldName,
    Learn,
    Pool,
)
from erlangen.experiments.receptive_field.torus import TorusNet, convolve, diagonal, marked
from erlangen.measure.receptive_field import field_deviation
from erlangen.records.runs import Measurement

TINY = Recipe(seeds=1, depths=(2, 4), images=2, distances=(6,), columns=16, steps=12, rates=(2e-3,))
NETS: tuple[ConvolutionName, ...] = ("plain", "residual", "dilated", "spread")


def net(name: ConvolutionName, layers: int, seed: int = 0, pool: Pool = "mean") -> TorusNet:
    """A net with random weights and biases, in float64."""
    torch.manual_seed(seed)
    made = TorusNet(name, layers, pool).double()
    for layer in made.convolutions():
        assert layer.bias is not None
        nn.init.normal_(layer.bias, std=0.1)
    return made


def task(name: str = "plain", layers: int = 3, distance: int = 4, **changes: object) -> Learn:
    fields = {"pool": "mean", "lr": 3e-3, "steps": 300, "columns": 20, **changes}
    return Learn(net=name, layers=layers, distance=distance, **fields)  # type: ignore[arg-type]


def values(measured: list[Measurement]) -> dict[str, object]:
    return {measurement.name: measurement.value for measurement in measured}


# Images


def test_marks_stand_where_they_should_and_wrap_around():
    images, farther = marked(5, 16, torch.tensor([[1, 2], [3, 14]]))
    assert farther.tolist() == [0, 0, 1, 1]
    places = [tuple(place) for place in images.nonzero().tolist()]
    assert places == [
        (0, 0, 1, 2), (0, 1, 1, 7), (1, 0, 3, 14), (1, 1, 3, 3),
        (2, 0, 1, 2), (2, 1, 1, 9), (3, 0, 3, 14), (3, 1, 3, 5),
    ]  # fmt: skip
    assert set(images.unique().tolist()) == {0.0, 1.0}


def test_the_tested_places_are_in_every_column_and_row():
    places = diagonal(16)
    assert sorted(places[:, 1].tolist()) == list(range(16))
    assert places[:, 0].bincount().tolist() == [4] * ROWS


# Convolutions on a torus


@pytest.mark.parametrize("gap", [1, 2, 4])
def test_a_convolution_on_a_torus_is_one_on_a_padded_image_and_a_sum_of_shifts(gap: int):
    layer = nn.Conv2d(3, 5, 3, dilation=(1, gap)).double()
    x = torch.randn(2, 3, ROWS, 12, dtype=torch.float64)
    found = convolve(x, layer)
    padded = F.pad(x, (gap, gap, 1, 1), mode="circular")
    torch.testing.assert_close(found, F.conv2d(padded, layer.weight, layer.bias, dilation=(1, gap)))
    torch.testing.assert_close(found, plain_convolve(x, layer), rtol=1e-13, atol=1e-13)


@pytest.mark.parametrize("name", NETS)
@torch.no_grad()
def test_to_a_net_there_are_two_images_wherever_the_marks_are(name: ConvolutionName):
    images, farther = marked(5, 16, torch.cartesian_prod(torch.arange(ROWS), torch.arange(16)))
    logits = net(name, 4)(images.double())
    for kind in (0, 1):
        some = logits[farther == kind]
        torch.testing.assert_close(some, some[:1].expand_as(some), rtol=1e-12, atol=1e-12)


@torch.no_grad()
def test_residual_nets_add_each_convolution_to_its_input():
    made, x = net("residual", 3), torch.randn(1, 2, ROWS, 8, dtype=torch.float64)
    first, second, third = made.convolutions()
    h = convolve(x, first)
    h = h + convolve(F.relu(h), second)
    h = h + convolve(F.relu(h), third)
    torch.testing.assert_close(made.maps(x), F.relu(h))


def test_a_spread_start_has_its_weight_outside_and_about_the_same_sum_of_squares():
    plain, spread = (net(name, 8).convolutions()[1].weight for name in ("plain", "spread"))  # type: ignore[arg-type]
    torch.testing.assert_close(spread, plain * torch.tensor([1.2, 0.2, 1.2], dtype=torch.float64), rtol=1e-6, atol=0)
    squares = (1.2**2 + 0.2**2 + 1.2**2) / 3
    assert squares == pytest.approx(0.97, abs=0.005)


# Features that are the same to the bit


@given(st.sampled_from(NETS), st.integers(1, 3), st.integers(0, 10_000))
def test_features_of_marks_that_no_place_sees_together_are_the_same_to_the_bit(name: ConvolutionName, layers: int, seed: int):
    made = net(name, layers, seed)
    field = 2 * made.reach() + 1
    assert differing_features(made, field, 2 * (field + 2)) == (0, 16 * ROWS * 2 * (field + 2))


@given(st.sampled_from(NETS), st.integers(1, 3), st.integers(0, 10_000))
def test_features_differ_as_soon_as_one_place_sees_both_marks(name: ConvolutionName, layers: int, seed: int):
    """The positive control: one column nearer."""
    made = net(name, layers, seed)
    nearest = 2 * made.reach()
    assert differing_features(made, nearest, 2 * (nearest + 2))[0] > 0


def test_a_place_that_leaks_into_the_features_is_noticed(monkeypatch: pytest.MonkeyPatch):
    """A seeded fault: features that depend on their column by 1 part in 10^12."""
    made = net("plain", 2)
    assert differing_features(made, 6, 18)[0] == 0

    def leaking(x: Tensor, layer: nn.Conv2d) -> Tensor:
        return plain_convolve(x, layer) * (1 + 1e-12 * torch.arange(x.shape[3], dtype=x.dtype))

    monkeypatch.setattr(identity, "plain_convolve", leaking)
    assert differing_features(made, 6, 18)[0] > 0


# Attention


@torch.no_grad()
def test_an_attention_block_is_torchs_multihead_attention_with_a_bias():
    torch.manual_seed(0)
    block, tokens = AttentionBlock().double(), torch.randn(2, 6, WIDTH, dtype=torch.float64)
    peer = nn.MultiheadAttention(WIDTH, HEADS, batch_first=True).double()
    peer.in_proj_weight.copy_(block.qkv.weight)
    peer.in_proj_bias.copy_(block.qkv.bias)
    peer.out_proj.load_state_dict(block.out.state_dict())
    bias = torch.randn(HEADS, 6, 6, dtype=torch.float64)
    normed = block.norm1(tokens)
    h = tokens + peer(normed, normed, normed, attn_mask=bias.repeat(2, 1, 1), need_weights=False)[0]
    torch.testing.assert_close(block(tokens, bias), h + block.down(F.gelu(block.up(block.norm2(h)))))


def test_offsets_are_those_of_the_torus():
    made = TorusAttention("relative", 1, "max", 3, 5)
    offsets = made.offsets()
    for reader, other in product(range(15), repeat=2):
        rows, columns = (other // 5 - reader // 5) % 3, (other % 5 - reader % 5) % 5
        assert int(offsets[reader, other]) == 5 * rows + columns


@torch.no_grad()
def test_attention_is_blind_without_positions_and_sees_any_distance_with_them():
    torch.manual_seed(0)
    for distance in (2, 9):
        blind = TorusAttention("unordered", 2, "max", ROWS, 24)
        seeing = TorusAttention("relative", 2, "max", ROWS, 24)
        assert seeing.tables is not None
        nn.init.normal_(seeing.tables)
        gaps = [logit_gap(made, task(distance=distance, columns=24)) for made in (blind, seeing)]
        assert gaps[0] <= 1e-14
        assert gaps[1] > 1e-4


# Theoretical fields


def changed_by(outputs: nn.Module, x: Tensor, output: tuple[int, int]) -> set[tuple[int, int]]:
    """The pixels whose change changes one output, by changing each: no gradients."""
    with torch.no_grad():
        before = outputs(x)[0, :, output[0], output[1]]
        found = set()
        for row, column in product(range(x.shape[2]), range(x.shape[3])):
            other = x.clone()
            other[:, :, row, column] += 1.0
            if bool((outputs(other)[0, :, output[0], output[1]] != before).any()):
                found.add((row, column))
    return found


@pytest.mark.parametrize(
    ("strides", "gaps", "field"),
    [((1, 1, 1), (1, 1, 1), "convolution"), ((2, 2), (1, 1), "strided"), ((1, 1), (1, 2), "dilated")],
)
def test_fields_are_those_that_changing_one_pixel_after_the_other_finds(strides: tuple[int], gaps: tuple[int], field: FieldName):
    torch.manual_seed(1)
    layers = [
        nn.Conv2d(1, 1, 3, stride=stride, dilation=gap, bias=False).double() for stride, gap in zip(strides, gaps, strict=True)
    ]
    for layer in layers:
        nn.init.uniform_(layer.weight, 0.5, 1.0)
    side = extents.size(field, 3, len(layers))
    x = torch.rand(1, 1, side + 2, side + 2, dtype=torch.float64)
    assert changed_by(nn.Sequential(*layers), x, (0, 0)) == set(product(range(side), repeat=2))


@pytest.mark.parametrize("one", EXTENTS, ids=lambda one: f"{one.field}-{one.kernel}")
def test_every_extent_is_that_of_its_formula_at_every_depth_and_one_less_is_wrong(one: Extent):
    found = values(run(job(one)))
    assert found["read"] == tuple(predicted(one.field, one.kernel, depth) for depth in range(1, one.layers + 1))
    assert set(found["wrong"]) == {0.0}  # type: ignore[call-overload]
    assert min(found["wrong_if_smaller"]) > 0  # type: ignore[call-overload]


def test_formulas_against_the_recurrence_of_araujo_and_others():
    """r = 1 + Σ over layers of (k - 1) · the strides before it · the layer's dilation."""
    for kernel, depth in product((3, 5, 7), range(1, 7)):
        assert predicted("convolution", kernel, depth) == 1 + sum(kernel - 1 for _ in range(depth))
        assert predicted("strided", kernel, depth) == 1 + sum((kernel - 1) * 2**layer for layer in range(depth))
        assert (
            extents.size("dilated", kernel, depth) == predicted("dilated", kernel, depth) == predicted("strided", kernel, depth)
        )
    assert [predicted("window", 0, depth) for depth in (1, 2, 20)] == [WINDOW, 2 * WINDOW - 1, TOKENS]


def test_a_layer_that_reads_more_than_it_should_is_counted(monkeypatch: pytest.MonkeyPatch):
    """Seeded faults: kernels with a tap of zero, and attention without its mask."""
    honest = extents.corner
    monkeypatch.setattr(extents, "corner", lambda one, kernels: honest(one, [kernel * hole() for kernel in kernels]))
    assert extents.convolution_reads(EXTENTS[0], 1)[1] > 0
    monkeypatch.setattr(extents, "replace", lambda seen, **_: seen)
    assert extents.attention_reads(Extent(field="full", kernel=0, layers=1), 1)[1] > 0


def hole() -> Tensor:
    """A 3×3 kernel's taps without its first row."""
    taps = torch.ones(3, 3, dtype=torch.float64)
    taps[0] = 0
    return taps


# Effective fields


def seeded_field(layers: int, seed: int) -> Tensor:
    torch.manual_seed(seed)
    return field_of(Effect(net="plain", layers=layers, images=4), seed)


@pytest.mark.parametrize("layers", [2, 6])
def test_the_untrained_field_is_a_convolution_of_boxes(layers: int):
    """Mean over many nets: each layer hands equal shares of the squared gradient to 3×3 pixels."""
    fields = [seeded_field(layers, seed) for seed in range(60)]
    found = sum(field / field.sum() for field in fields) / len(fields)
    assert isinstance(found, Tensor)
    box, expected = torch.ones(1, 1, 3, 3, dtype=torch.float64) / 9, torch.ones(1, 1, 1, 1, dtype=torch.float64)
    for _ in range(layers):
        expected = F.conv2d(expected, box, padding=2)
    assert float((found - expected[0, 0]).abs().sum()) < 0.15  # of a total of 1
    assert field_deviation(found) == pytest.approx([math.sqrt(2 * layers / 3)] * 2, rel=0.04)


def test_the_evenness_of_known_fields():
    even = torch.ones(9, 9)
    even[4, 4] = 1e9
    assert evenness(even) == 1.0
    assert evenness(torch.eye(9)) == pytest.approx((4 / 56) / (4 / 24))  # 56 of the pixels are more than 2 from the middle
    near = torch.zeros(9, 9)
    near[3:6, 3:6] = 1
    assert evenness(near) == 0.0


def test_untrained_attention_reads_all_pixels_alike():
    torch.manual_seed(0)
    field = field_of(Effect(net="relative", layers=1, images=2), 0)
    assert field.shape == (SIDE, SIDE)
    assert 0.8 < evenness(field) < 1.25
    torch.manual_seed(0)
    assert evenness(field_of(Effect(net="plain", layers=16, images=2), 0)) < 0.05


# Learning


def test_what_is_inside_is_learned_and_what_is_outside_is_not():
    near, far = (values(learn(task(distance=distance, columns=24), job(task(), seed=0))) for distance in (2, 8))
    assert near["test_accuracy"] == 100.0
    assert float(str(near["updates"])) < 300
    assert float(str(near["differing"])) > 0
    assert (far["test_accuracy"], far["updates"], far["differing"], far["field"]) == (50.0, 300, 0, 7)
    assert far["train_loss"] == pytest.approx(math.log(2), abs=1e-6)


def test_a_net_that_diverges_stops_and_has_not_learned():
    torch.manual_seed(0)
    made = built(task(lr=1e30))
    updates, _, last = fit(made, task(lr=1e30))
    assert updates < 300
    assert not math.isfinite(last)
    assert learning.tested(made, task())[0] <= 50


def test_a_seed_gives_the_same_measurements_twice_and_another_does_not():
    first, again, other = (learn(task(steps=5), job(task(), seed=seed)) for seed in (3, 3, 4))
    assert first == again
    assert first != other


@torch.no_grad()
def test_accuracy_counts_images_with_the_marks_in_every_column():
    class Reads(nn.Module):
        """Knows the answer but where A stands in column 0."""

        def forward(self, x: Tensor) -> Tensor:
            a, b = x[:, 0].amax(1).argmax(1), x[:, 1].amax(1).argmax(1)
            farther = ((b - a) % 20 == 6) & (a > 0)
            return torch.stack([~farther, farther], 1).float()

    assert learning.tested(Reads(), task(distance=4))[0] == pytest.approx(100 * (1 - 0.5 / 20))


# The plan


def test_cells_know_the_field_of_their_net():
    for cell in CELLS:
        made = built(Learn(net=cell.net, layers=cell.layers, distance=6, pool="mean", lr=1e-3, steps=1, columns=64))
        if isinstance(made, TorusNet):
            assert cell.field == 2 * made.reach() + 1
            differing, _ = differing_features(made, cell.distance, 64)
            assert cell.outside == (differing == 0), cell
        else:
            assert cell.field is None
            assert not cell.outside


def test_every_arm_has_both_pools_and_every_net_a_cell():
    recipe = PRESETS["standard"]
    assert {cell.distance for cell in CELLS} == set(DISTANCES)
    for cell in cells(recipe):
        assert {task.pool for task in trainings(recipe, cell)} == {"mean", "max"}
    assert len(trainings(recipe, Cell("plain", 10, 20))) == len(recipe.rates) + 1
    assert len(trainings(recipe, Cell("plain", 6, 14))) == 2


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"depths": (4,)}, "two or more"),
        ({"depths": (4, 2)}, "rising"),
        ({"distances": (14, 6)}, "rising, each once"),
        ({"distances": (7,)}, "or some of them"),
        ({"columns": 40}, "columns: 60 or more"),
        ({"rates": ()}, "learning rates in rising order"),
        ({"rates": (1e-3, 5e-4)}, "learning rates in rising order"),
    ],
)
def test_impossible_recipes_are_refused(changes: dict[str, object], message: str):
    with pytest.raises(ValueError, match=message):
        Recipe(**changes)  # type: ignore[arg-type]


# A tiny run


@pytest.fixture(scope="module")
def measured() -> Evidence:
    return evidence_of(planned_jobs("receptive-field", TINY), run)


def test_a_tiny_run_measures_what_it_says_and_supports_nothing_of_what_was_not_learned(measured: Evidence):
    assert {result.params["task"] for result in measured.results} == {"extent", "effect", "learn"}
    found = {verdict.part: verdict.verdict for verdict in verdicts(TINY, measured)}
    assert found["CNN, each layer"] == found["attention, one layer"] == "supported"
    assert {found[part] for part in ("attention, nearest", "attention, farthest")} <= {"inconclusive", "refuted"}
    assert found["effective field, trained"] == "inconclusive"
    (answer,) = answers(TINY, measured, verdicts(TINY, measured))
    assert answer.answer in ("partly", "supported", "inconclusive")


def test_figures_of_a_tiny_run_are_drawn(measured: Evidence):
    drawn = figures(TINY, measured)
    assert drawn[0].name == "fields"
    assert_drawn(drawn)
