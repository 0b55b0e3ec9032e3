"""Decoding on a GPU: captured steps give the texts and logits of the plain loop there, and of the CPU."""

from __future__ import annotations

import importlib.util
import itertools
from dataclasses import replace
from itertools import islice
from typing import get_args

import pytest
import torch
from support.small_gpts import EVERY_FILTER, scaled, with_shared_keys
from torch import Tensor

from erlangen.errors import ErlangenError
from erlangen.generate.captured import CapturedDecoder
from erlangen.generate.decode import Cached, generate, stream
from erlangen.generate.fast import fast_decoder
from erlangen.generate.filters import choose
from erlangen.generate.fused import FEW, BatchedStep, FusedStep
from erlangen.generate.left_padding import left_padded
from erlangen.generate.ngrams import repeated_ngrams
from erlangen.generate.selection import select
from erlangen.generate.settings import Settings
from erlangen.models.gpt import GPT, GPTConfig
from erlangen.nn.attention import Positions
from erlangen.nn.positions import Rotary

pytestmark = pytest.mark.cuda

BLOCK, VOCABULARY = 16, 13
BASE = GPTConfig(vocabulary=VOCABULARY, block=BLOCK, layers=2, heads=2, width=64)
KINDS = {
    **{positions: replace(BASE, positions=positions) for positions in get_args(Positions)},
    "like GPT-2": replace(BASE, positions="absolute", norm="layer", bias=True, tied=True),
    "like GPT-J": replace(BASE, rotary=Rotary(layout="interleaved", base=1000.0), norm="layer"),
    "window": replace(BASE, window=5, bias=True),
    "window and slopes": replace(BASE, window=5, positions="alibi"),
    "window and hops": replace(BASE, window=5, positions="absolute"),
    "odd block": replace(BASE, block=13, positions="absolute"),
    **scaled(BASE),
    **with_shared_keys(BASE),
    "shared keys like GPT-2": replace(BASE, heads=4, kv_heads=1, positions="absolute", norm="layer", bias=True),
    "shared keys, longrope": replace(scaled(BASE)["longrope"], width=128, heads=4, kv_heads=2),
}
SETTINGS = {
    "greedy": Settings(temperature=0),
    "greedy penalty": Settings(temperature=0, repetition_penalty=1.3),
    "hot": Settings(temperature=2.0, seed=3),
    "top-k and cold": Settings(top_k=4, temperature=0.5),
    "top-p": Settings(top_p=0.7, seed=2),
    "typical": Settings(typical_p=0.5, seed=4),
    "n-grams": Settings(no_repeat_ngram_size=2, seed=6),
    "at least four": Settings(top_p=0.2, min_p=0.9, typical_p=0.1, min_tokens_to_keep=4, seed=8),
    "all": EVERY_FILTER,
}
MANY = Settings(top_k=9, top_p=0.1, min_p=0.9, typical_p=0.05, min_tokens_to_keep=300)
EVERY = pytest.mark.parametrize("config", KINDS.values(), ids=KINDS)


def gpt(config: GPTConfig, dtype: torch.dtype = torch.float64) -> GPT:
    """With gains, shifts and biases that are not 1 and 0."""
    torch.manual_seed(0)
    model = GPT(config)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.15 * torch.randn_like(parameter))
    return model.eval().to("cuda", dtype)


def tokens(rows: int, length: int, vocabulary: int = VOCABULARY) -> Tensor:
    return torch.randint(vocabulary, (rows, length), generator=torch.Generator().manual_seed(1))


@EVERY
@pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS)
def test_texts_are_those_of_the_plain_loop_on_the_gpu_and_on_the_cpu(config: GPTConfig, settings: Settings) -> None:
    model = gpt(config)
    decoder = CapturedDecoder(model, 3, torch.float64)
    for prompt in (tokens(3, 5), tokens(3, 40)):
        found = generate(model, prompt, 45, settings=settings, read=decoder)
        assert found.device.type == "cpu"
        assert torch.equal(found, generate(model, prompt.cuda(), 45, settings=settings).cpu())
        assert torch.equal(found, generate(gpt(config).cpu(), prompt, 45, settings=settings))
    assert len(decoder.replays.replays) == 1


@EVERY
def test_greedy_texts_in_float32_are_the_plain_ones(config: GPTConfig) -> None:
    model, prompt, settings = gpt(config, torch.float32), tokens(3, 5), SETTINGS["greedy"]
    decoder = fast_decoder(model, 3)
    assert isinstance(decoder, CapturedDecoder)
    assert (decoder.fused is not None) == (importlib.util.find_spec("triton") is not None)
    found = generate(model, prompt, 45, settings=settings, read=decoder)
    assert torch.equal(found, generate(model, prompt.cuda(), 45, settings=settings).cpu())


@EVERY
@pytest.mark.parametrize(("dtype", "bound"), [(torch.float32, 1e-5), (torch.bfloat16, 0.05)])
def test_logits_are_the_models(config: GPTConfig, dtype: torch.dtype, bound: float) -> None:
    model = gpt(config, torch.float32)
    plain, static, text = Cached(model, 2), CapturedDecoder(model, 2, dtype), tokens(2, 3 * BLOCK).cuda()
    differences, largest = [], 0.0
    with torch.inference_mode():
        for start, end in itertools.pairwise([0, 5, *range(6, 20), 23, *range(24, 3 * BLOCK + 1)]):
            expected, found = plain(text[:, start:end]), static(text[:, start:end])
            differences.append(float((found - expected).abs().max()))
            largest = max(largest, float(expected.abs().max()))
    assert all(difference < bound * largest for difference in differences)  # not so if one is NaN


@EVERY
@pytest.mark.parametrize(("dtype", "bound"), [(torch.float32, 1e-5), (torch.bfloat16, 0.05)])
@pytest.mark.parametrize("rows", [1, 3, 6])
def test_fused_steps_are_the_plain_ones(config: GPTConfig, dtype: torch.dtype, bound: float, rows: int) -> None:
    pytest.importorskip("triton")
    model, text = gpt(config, torch.float32), tokens(rows, 3 * BLOCK).cuda()
    plain, fused = CapturedDecoder(model, rows, dtype, fused=False), CapturedDecoder(model, rows, dtype, fused=True)
    assert plain.fused is None
    assert type(fused.fused) is (FusedStep if rows <= FEW else BatchedStep)
    differences, largest = [], 0.0
    with torch.inference_mode():
        plain(text[:, :5])
        fused(text[:, :5])
        for t in range(5, config.block if config.positions == "absolute" else 3 * BLOCK):
            expected, found = plain.reader.next(text[:, t]), fused.fused(text[:, t])  # neither hops nor reads again
            differences.append(float((found - expected).abs().max()))
            largest = max(largest, float(expected.abs().max()))
    assert all(difference < bound * largest for difference in differences)


@EVERY
@pytest.mark.parametrize("cache", [True, False])
def test_texts_of_a_padded_batch_are_those_of_each_prompt_alone_and_on_the_cpu(config: GPTConfig, cache: bool) -> None:
    model, prompts = gpt(config), [tokens(1, length)[0] for length in (3, 1, 5)]
    padded, mask = left_padded(prompts)
    new = config.block - 5
    for settings in (SETTINGS["greedy"], SETTINGS["all"]):
        found = generate(model, padded.cuda(), new, settings=settings, cache=cache, attention_mask=mask).cpu()
        assert torch.equal(found, generate(gpt(config).cpu(), padded, new, settings=settings, cache=cache, attention_mask=mask))
        for row, prompt in enumerate(prompts):
            alone = generate(model, prompt.cuda(), new, settings=settings, cache=cache, rows=[row]).cpu()
            assert torch.equal(found[row : row + 1, 5 - len(prompt) :], alone)


@EVERY
@pytest.mark.parametrize(("dtype", "bound"), [(torch.float32, 1e-5), (torch.bfloat16, 0.05)])
def test_padded_logits_are_those_of_the_cpu(config: GPTConfig, dtype: torch.dtype, bound: float) -> None:
    """With padding on the left, on the right and between tokens."""
    text, mask = tokens(3, 12), torch.ones(3, 12, dtype=torch.int64)
    mask[0, :5] = mask[1, 8:] = mask[2, [0, 3, 4, 9]] = 0
    with torch.inference_mode():
        expected = gpt(config).cpu()(text, attention_mask=mask)[mask != 0]
        found = gpt(config, dtype)(text.cuda(), attention_mask=mask.cuda()).cpu().double()[mask != 0]
    assert float((found - expected).abs().max()) < bound * float(expected.abs().max())


@pytest.mark.parametrize("rows", [1, 16])
def test_texts_of_many_rows_are_captured_once(rows: int) -> None:
    pytest.importorskip("triton")
    model, prompt = gpt(KINDS["like GPT-2"], torch.float32), tokens(rows, 5)
    decoder = CapturedDecoder(model, rows, torch.float32, fused=True)
    for settings in (SETTINGS["greedy"], SETTINGS["top-p"]):
        assert generate(model, prompt, 45, settings=settings, read=decoder).shape == (rows, 50)
        assert [key[0] for key in decoder.replays.replays] == ["fused"]
    found = generate(model, prompt, 10, settings=SETTINGS["greedy"], read=decoder)
    assert torch.equal(found, generate(model, prompt.cuda(), 10, settings=SETTINGS["greedy"]).cpu())


@pytest.mark.parametrize("kind", ["rotary", "like GPT-2", "shared keys", "shared keys and slopes", "shared keys, longrope"])
def test_fused_attention_over_several_blocks_of_keys(kind: str) -> None:
    pytest.importorskip("triton")
    config = replace(KINDS[kind], block=600)
    model, text = gpt(config, torch.float32), tokens(2, 600).cuda()
    plain, fused = CapturedDecoder(model, 2, torch.float32, fused=False), CapturedDecoder(model, 2, torch.float32, fused=True)
    assert fused.fused is not None
    with torch.inference_mode():
        plain(text[:, :580])
        fused(text[:, :580])
        for t in range(580, 600):
            expected, found = plain(text[:, t : t + 1]), fused.fused(text[:, t])
            assert float((found - expected).abs().max() / expected.abs().max()) < 1e-5


@pytest.mark.parametrize("kind", ["rotary", "alibi", "like GPT-2", "window"])
def test_every_reach_is_captured_and_texts_stay_the_same(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("erlangen.generate.static.LEAST", 4)
    model = gpt(replace(KINDS[kind], block=32))
    decoder = CapturedDecoder(model, 2, torch.float64)
    for settings in (SETTINGS["greedy"], SETTINGS["all"], SETTINGS["all"]):
        expected = generate(model, tokens(2, 3).cuda(), 70, settings=settings)
        assert torch.equal(generate(model, tokens(2, 3).cuda(), 70, settings=settings, read=decoder), expected)
    assert len(decoder.replays.replays) >= 7


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32])
@pytest.mark.parametrize("rows", [1, 16])
def test_choices_from_a_large_vocabulary_are_those_of_the_filters(dtype: torch.dtype, rows: int) -> None:
    logits = (3 * torch.randn(rows, 50257, generator=torch.Generator().manual_seed(0))).to(dtype)
    for n, settings in enumerate((*SETTINGS.values(), Settings(top_p=0.95), Settings(min_p=0.1), Settings(top_k=50), MANY)):
        uniform = torch.rand(rows, generator=torch.Generator().manual_seed(n), dtype=torch.float64)
        previous = tokens(rows, 20, 50257)
        seen = torch.zeros(rows, 50257, dtype=torch.bool).scatter_(1, previous, True)
        n_gram = settings.no_repeat_ngram_size
        banned = None if n_gram is None else repeated_ngrams(previous.cuda(), n_gram, 50257)
        found, _ = select(logits.cuda(), settings, uniform.cuda(), seen.cuda(), banned)
        assert torch.equal(found.cpu(), choose(logits, settings, uniform, previous))


def test_a_row_ends_with_its_stop_token_and_the_batch_with_its_last_row() -> None:
    model, prompt = gpt(BASE), tokens(6, 3)
    decoder = CapturedDecoder(model, 6, torch.float64)
    for settings in (SETTINGS["hot"], SETTINGS["all"]):
        expected = generate(model, prompt.cuda(), 200, stop=7, settings=settings).cpu()
        assert torch.equal(generate(model, prompt, 200, stop=7, settings=settings, read=decoder), expected)
        free = generate(model, prompt, 60, settings=settings, read=decoder)
        assert torch.equal(free, generate(model, prompt.cuda(), 60, settings=settings).cpu())


def test_a_stream_may_be_left_early_and_tokens_given_out_stay() -> None:
    model, prompt = gpt(BASE), tokens(2, 5)
    decoder = CapturedDecoder(model, 2, torch.float64)
    whole = generate(model, prompt.cuda(), 300)[:, 5:].cpu()
    assert torch.equal(torch.stack(list(islice(stream(model, prompt, 10**9, read=decoder), 12)), 1), whole[:, :12])
    assert torch.equal(torch.stack(list(stream(model, prompt, 300, read=decoder)), 1), whole)


def test_logits_that_are_not_finite_are_named() -> None:
    model = gpt(BASE)
    with torch.no_grad():
        model.head.weight[3] = float("nan")
    for settings in SETTINGS.values():
        with pytest.raises(ErlangenError, match="not finite"):
            generate(model, tokens(2, 4), 9, settings=settings, read=CapturedDecoder(model, 2, torch.float64))
    torch.cuda.synchronize()  # and no kernel has read outside its tensors


def test_a_model_of_gpt2s_shape_in_bfloat16_is_near_autocast() -> None:
    config = GPTConfig(
        vocabulary=50257, block=1024, layers=2, heads=12, width=768, norm="layer", positions="absolute", bias=True, tied=True
    )
    torch.manual_seed(0)
    model = GPT(config).eval().cuda()
    plain, static, text = Cached(model, 2), CapturedDecoder(model, 2, torch.bfloat16), tokens(2, 300, 50257).cuda()
    with torch.inference_mode():
        for start, end in itertools.pairwise([0, 250, *range(251, 270)]):
            with torch.autocast("cuda", torch.bfloat16):
                expected = plain(text[:, start:end])
            assert float((static(text[:, start:end]) - expected).abs().max() / expected.abs().max()) < 0.03
