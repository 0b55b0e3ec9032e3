"""What ALiBi leaves no weight is not visited: the bound, the lists of blocks, and the kernels with them."""

import math
from dataclasses import replace

import pytest
import torch
from torch import Tensor
from torch.nn.attention.flex_attention import BlockMask

from erlangen.nn import flex
from erlangen.nn.alibi_blocks import blocks_back, distance_seen, limited, near_blocks
from erlangen.nn.positions import alibi_slopes

CPU = torch.device("cpu")
HEADS, LENGTH, FEATURES = 6, 1024, 16


def qkv(device: torch.device = CPU, dtype: torch.dtype = torch.float32) -> tuple[Tensor, Tensor, Tensor]:
    torch.manual_seed(0)
    q, k, v = (0.7 * torch.randn(3, 2, HEADS, LENGTH, FEATURES)).to(device, dtype)
    return q, k, v


@pytest.mark.parametrize("block", [16, 128])
def test_a_block_is_visited_if_it_has_a_pair_nearer_than_the_distance(block: int) -> None:
    distance = torch.tensor([0.0, 1.0, 1.5, block - 1, block, block + 0.5, block + 1, 3 * block, 1e9])
    for reach, back in zip(distance.tolist(), blocks_back(distance, block, 8).tolist(), strict=True):
        assert back == min(sum((n * block - block + 1) < reach for n in range(1, 9)), 8)


def test_a_query_that_is_not_finite_sees_everything() -> None:
    q, k, _ = qkv()
    q[0, 1, 3, 2], k[1, 2, 0, 0] = torch.nan, torch.inf
    back = blocks_back(distance_seen(q, k, alibi_slopes(HEADS), 0.25), 128, 8)
    assert back[1] == back[2] == 8
    assert back[0] < 8


def weight_left_out(q: Tensor, k: Tensor, share: float = 1.0) -> tuple[float, float]:
    """The largest weight that a row loses, and the share of the causal blocks that are visited. share: of the bound."""
    slopes, causal = alibi_slopes(HEADS), flex.block_mask(LENGTH, None, CPU)
    near = near_blocks(q, k, slopes, 0.25 * share, causal).to_dense()[0].bool()  # (H, 8, 8)
    seen = near.repeat_interleave(128, 1).repeat_interleave(128, 2)
    position = torch.arange(LENGTH)
    distance = position[:, None] - position
    scores = 0.25 * q.double() @ k.double().mT - slopes.double()[:, None, None] * distance
    weights = scores.masked_fill(distance < 0, -math.inf).softmax(-1)
    return float((weights * ~seen).sum(-1).max()), float(near.sum() / (HEADS * causal.to_dense().sum()))


def test_what_is_left_out_has_less_weight_than_float32_can_hold() -> None:
    weight, visited = weight_left_out(*qkv()[:2])
    assert weight < 2**-24
    assert visited < 0.8


def test_the_bound_holds_where_far_keys_have_the_largest_scores_and_near_ones_the_smallest() -> None:
    q, k = torch.zeros(2, 1, HEADS, LENGTH, FEATURES)
    q[..., 0], k[..., 0] = 128**0.5, -(128**0.5)  # scores of 32 and -32
    k[..., : LENGTH // 2, 0] *= -1
    weight, visited = weight_left_out(q, k)
    assert weight < 2**-24
    assert visited < 0.9
    assert weight_left_out(q, k, 0.5)[0] > 0.1


def test_the_lists_are_causal_and_the_transposed_ones_agree() -> None:
    rows = LENGTH // 128
    back = torch.tensor([0, 1, 3, rows - 1, rows, 2], dtype=torch.int32)
    mask, row = limited(flex.block_mask(LENGTH, None, CPU), back), torch.arange(rows)
    distance = row[:, None] - row
    assert torch.equal(mask.to_dense()[0].bool(), (distance >= 0) & (distance <= back[:, None, None]))
    lists = (mask.kv_num_blocks, mask.kv_indices, mask.full_kv_num_blocks, mask.full_kv_indices)
    reference = BlockMask.from_kv_blocks(*lists, BLOCK_SIZE=128)
    for part in ("q", "full_q"):
        counts = getattr(mask, f"{part}_num_blocks")
        assert torch.equal(counts, getattr(reference, f"{part}_num_blocks"))
        for head in range(HEADS):
            for column in row.tolist():
                n = int(counts[0, head, column])
                found, expected = (getattr(one, f"{part}_indices")[0, head, column, :n] for one in (mask, reference))
                assert torch.equal(found, expected)
    for name in ("kv", "full_kv", "q", "full_q"):
        for kind, shape in (("num_blocks", (1, HEADS, rows)), ("indices", (1, HEADS, rows, rows))):
            one = getattr(mask, f"{name}_{kind}")
            assert one.is_contiguous()
            assert (one.shape, one.dtype) == (shape, torch.int32)
    ahead = mask.full_kv_indices.diff(dim=-1)
    assert ((ahead == 1) | (mask.full_kv_indices[..., 1:] == rows - 1)).all()  # in order and without gaps, as kernels are told


@pytest.mark.slow
def test_a_kernel_visits_these_blocks_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """torch compiles a kernel for a CPU too, for the forward pass."""
    monkeypatch.setattr(flex, "_failures", {})
    q, k, v = qkv()
    slopes = alibi_slopes(HEADS)
    band = flex.band(LENGTH, None, slopes, CPU)
    with torch.inference_mode():
        expected = flex.masked_attention(q, k, v, band, 0.25)
        monkeypatch.setattr(flex, "NEAR_FROM", LENGTH)
        torch.testing.assert_close(flex.flex_attention(q, k, v, band), expected, rtol=1e-5, atol=1e-5)
        own = limited(band.blocks, torch.zeros(HEADS, dtype=torch.int32))
        found = flex._compiled(q, k, v, replace(band, blocks=own), 0.25, FEATURES)
    assert float((found - expected).abs().max()) > 0.1
    assert not flex._failures


@pytest.mark.cuda
@pytest.mark.parametrize(("dtype", "bound"), [(torch.float32, 2e-5), (torch.bfloat16, 3e-2)])
def test_output_and_gradients_are_those_of_the_whole_matrix(
    monkeypatch: pytest.MonkeyPatch, dtype: torch.dtype, bound: float
) -> None:
    device = torch.device("cuda", torch.cuda.current_device())
    monkeypatch.setattr(flex, "NEAR_FROM", LENGTH)
    monkeypatch.setattr(flex, "_failures", {})
    inputs = [x.requires_grad_() for x in qkv(device, dtype)]
    out = torch.randn(2, HEADS, LENGTH, FEATURES, device=device).to(dtype)
    exact = [x.detach().double().requires_grad_() for x in inputs]
    slopes = alibi_slopes(HEADS, device)
    y = flex.masked_attention(*exact, flex.Band(LENGTH, None, slopes.double(), None), 0.25)
    expected = [y, *torch.autograd.grad(y, exact, out.double())]

    def run() -> list[Tensor]:
        z = flex.flex_attention(*inputs, flex.band(LENGTH, None, slopes, device))
        return [z, *torch.autograd.grad(z, inputs, out)]

    run()
    torch.cuda.set_sync_debug_mode("error")
    try:
        found = run()
    finally:
        torch.cuda.set_sync_debug_mode("default")
    assert not flex._failures
    for ours, theirs in zip(found, expected, strict=True):
        assert float((ours.double() - theirs).norm() / theirs.norm()) <= bound
