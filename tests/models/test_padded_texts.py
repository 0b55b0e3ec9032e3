"""Masks, positions and padding: a text has the same logits alone and in a padded batch."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from support.torchvision_ops import declare_torchvision_ops
from torch import Tensor, nn

from erlangen.generate.decode import Cached, generate
from erlangen.generate.fast import FastDecoder
from erlangen.generate.left_padding import left_padded
from erlangen.generate.settings import Settings
from erlangen.models.gpt import GPT, GPTConfig
from erlangen.models.gpt2 import save_gpt2
from erlangen.models.head_loss import head_loss
from erlangen.nn.attention import attention_backend
from erlangen.nn.positions import Rotary

BLOCK = 16
TINY = GPTConfig(vocabulary=17, block=BLOCK, layers=2, heads=4, width=32, dropout=0.0)
TRAINED = {"factor": 4.0, "original_max_position_embeddings": 6}
KINDS = {
    **{positions: replace(TINY, positions=positions) for positions in ("rotary", "absolute", "alibi", "none")},
    "window": replace(TINY, window=3),
    "local window and slopes": replace(TINY, window=3, positions="alibi", attention="local"),
    "naive, shared keys": replace(TINY, attention="naive", kv_heads=2),
    "fused, shared keys and slopes": replace(TINY, attention="fused", kv_heads=2, positions="alibi"),
    "dynamic": replace(TINY, rotary=Rotary(scaling="dynamic", **TRAINED)),
    "longrope": replace(TINY, rotary=Rotary(scaling="longrope", short_factor=[1.5] * 4, long_factor=[4.0] * 4, **TRAINED)),
}
EVERY = pytest.mark.parametrize("config", KINDS.values(), ids=KINDS)


def gpt(config: GPTConfig) -> GPT:
    torch.manual_seed(0)
    model = GPT(config).double()
    for parameter in model.parameters():
        nn.init.normal_(parameter, std=0.3)
    return model.eval()


def texts(*lengths: int) -> list[Tensor]:
    generator = torch.Generator().manual_seed(1)
    return [torch.randint(17, (length,), generator=generator) for length in lengths]


@EVERY
@torch.no_grad()
def test_padding_is_as_if_it_were_not_there(config: GPTConfig) -> None:
    """On the left, on the right and between tokens; what stands in its place does not matter."""
    model, tokens = gpt(config), torch.randint(17, (4, 12), generator=torch.Generator().manual_seed(2))
    mask = torch.ones(4, 12, dtype=torch.long)
    mask[0, :5] = mask[1, 8:] = mask[2, [0, 3, 4, 9]] = 0
    logits = model(tokens, attention_mask=mask)
    for row, seen in zip(range(4), mask.bool(), strict=True):
        torch.testing.assert_close(logits[row, seen], model(tokens[row, seen][None])[0], rtol=0, atol=1e-10)
    assert logits.isfinite().all()
    other = model(torch.where(mask.bool(), tokens, 16 - tokens), attention_mask=mask.bool())
    torch.testing.assert_close(other[mask.bool()], logits[mask.bool()], rtol=0, atol=1e-10)
    assert (model(tokens) - logits)[:3].abs().max() > 1e-3  # and the mask does something


@EVERY
@torch.no_grad()
def test_a_reader_of_padded_texts_is_one_of_each_alone(config: GPTConfig) -> None:
    """With longrope, it reads again whenever one of them grows past the trained length."""
    model, alone = gpt(config), texts(1, 3, 7)
    tokens, mask = left_padded(alone)
    read, own = Cached(model, 3, mask=mask), [Cached(model, 1) for _ in alone]
    later = torch.randint(17, (3, BLOCK - 7), generator=torch.Generator().manual_seed(3))
    found, expected = [read(tokens)], [torch.cat([each(text[None]) for each, text in zip(own, alone, strict=True)])]
    for column in later.split(1, 1):
        found.append(read(column))
        expected.append(torch.cat([each(token[None]) for each, token in zip(own, column, strict=True)]))
    torch.testing.assert_close(torch.stack(found), torch.stack(expected), rtol=0, atol=1e-6)  # rotary angles are float32


@EVERY
@torch.no_grad()
def test_a_cache_changes_nothing_and_slides_as_that_of_a_text_alone(config: GPTConfig) -> None:
    model, alone = gpt(config), texts(3, 7)
    tokens, mask = left_padded(alone)
    total = BLOCK if config.positions == "absolute" else 2 * BLOCK
    later = torch.randint(17, (2, total - 7), generator=torch.Generator().manual_seed(3))
    cache, caches = model.cache(2), [model.cache(1) for _ in alone]
    logits = model(tokens, cache, attention_mask=mask)
    expected = [model(text[None], own) for text, own in zip(alone, caches, strict=True)]
    for column in later.split(1, 1):
        mask = torch.cat([mask, mask.new_ones(2, 1)], 1)
        logits = model(column, cache, attention_mask=mask)
        expected = [model(token[None], own) for token, own in zip(column, caches, strict=True)]
        torch.testing.assert_close(logits, torch.cat(expected), rtol=0, atol=1e-6)  # rotary angles are float32


@EVERY
@pytest.mark.parametrize("cache", [True, False])
def test_texts_of_a_padded_batch_are_those_of_each_prompt_alone(config: GPTConfig, cache: bool) -> None:
    model, prompts = gpt(config), texts(3, 1, 6)
    tokens, mask = left_padded(prompts, padding=5)
    new = BLOCK - 5 if config.positions == "absolute" else 25
    for settings in (
        Settings(temperature=0),
        Settings(repetition_penalty=1.5, seed=3),
        Settings(repetition_penalty=1.2, no_repeat_ngram_size=2, seed=4),
    ):
        found = generate(model, tokens, new, settings=settings, cache=cache, attention_mask=mask)
        for row, prompt in enumerate(prompts):
            expected = generate(model, prompt, new, settings=settings, cache=cache, rows=[row])
            assert torch.equal(found[row : row + 1, 6 - len(prompt) :], expected)


@torch.no_grad()
def test_a_mask_of_ones_and_the_usual_positions_change_nothing() -> None:
    tokens = torch.stack(texts(9, 9))
    for positions in ("rotary", "absolute"):
        model = gpt(replace(TINY, positions=positions))
        expected = model(tokens)
        torch.testing.assert_close(model(tokens, attention_mask=torch.ones(2, 9)), expected, rtol=0, atol=1e-12)
        for places in (torch.arange(9), torch.arange(9).expand(2, 9)):
            assert torch.equal(model(tokens, positions=places), expected)


@torch.no_grad()
def test_positions_are_those_that_are_given() -> None:
    tokens, places = torch.stack(texts(5, 5)), torch.tensor([[0, 1, 2, 3, 4], [3, 5, 7, 9, 11]])
    model = gpt(replace(TINY, positions="absolute"))
    h = model.embed(tokens) + model.place.weight[places]  # type: ignore[union-attr]
    assert torch.equal(model.states(tokens, positions=places)[0], h)
    model = gpt(TINY)
    plain, shifted, stretched = (model(tokens, positions=p) for p in (places[0], places[0] + 50, 2 * places[0]))
    torch.testing.assert_close(shifted, plain, rtol=0, atol=1e-5)
    assert (stretched - plain).abs().max() > 1e-2
    torch.testing.assert_close(model(tokens, positions=places)[1], stretched[1], rtol=0, atol=1e-5)


@torch.no_grad()
def test_it_is_gpt2_in_transformers_with_a_padded_batch(tmp_path: Path) -> None:
    declare_torchvision_ops()  # transformers imports torchvision where it is installed
    transformers = pytest.importorskip("transformers")
    model = gpt(replace(TINY, positions="absolute", norm="layer", bias=True, tied=True))
    theirs = transformers.GPT2LMHeadModel.from_pretrained(save_gpt2(model, tmp_path)).double().eval()
    tokens, mask = left_padded(texts(3, 9, 6))
    places = (mask.cumsum(1) - 1).clamp_min(0)
    expected = theirs(input_ids=tokens, attention_mask=mask, position_ids=places).logits
    torch.testing.assert_close(model(tokens, attention_mask=mask)[mask.bool()], expected[mask.bool()], rtol=0, atol=1e-8)


def test_the_loss_leaves_padding_out() -> None:
    model, prompts = gpt(TINY), texts(4, 8)
    tokens, mask = left_padded(prompts)
    loss = model(tokens[:, :-1], targets=tokens[:, 1:], attention_mask=mask[:, :-1])
    losses = [nn.functional.cross_entropy(model(text[None, :-1])[0], text[1:], reduction="sum") for text in prompts]
    torch.testing.assert_close(loss.double(), sum(losses) / (3 + 7), rtol=0, atol=1e-5)  # computed in float32
    gradients = torch.autograd.grad(loss, list(model.parameters()))
    assert all(gradient.isfinite().all() for gradient in gradients)


def test_the_loss_leaves_out_what_follows_the_last_token_of_a_text_padded_on_the_right(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before the head: the kernels for a GPU know no target of -100."""
    passed: list[Tensor] = []
    monkeypatch.setattr("erlangen.models.gpt.head_loss", lambda h, w, t: passed.append(t) or head_loss(h, w, t))
    model, prompts = gpt(TINY), texts(4, 8)
    tokens, mask = torch.zeros(2, 8, dtype=torch.long), torch.zeros(2, 8, dtype=torch.long)
    for row, text in enumerate(prompts):
        tokens[row, : len(text)], mask[row, : len(text)] = text, 1
    loss = model(tokens[:, :-1], targets=tokens.masked_fill(mask == 0, -100)[:, 1:], attention_mask=mask[:, :-1])
    losses = [nn.functional.cross_entropy(model(text[None, :-1])[0], text[1:], reduction="sum") for text in prompts]
    torch.testing.assert_close(loss.double(), sum(losses) / (3 + 7), rtol=0, atol=1e-5)
    assert int(passed[0].min()) >= 0


@pytest.mark.skipif(torch.__version__ < "2.13", reason="torch.export of 2.10 exports a single length")
@pytest.mark.parametrize("masked", [False, True])
def test_an_exported_model_reads_texts_of_every_length(masked: bool) -> None:
    model = gpt(replace(TINY, kv_heads=2))
    (short, first), (tokens, mask) = left_padded(texts(3, 7)), left_padded(texts(3, 7, 12))
    given, other = ({"attention_mask": m} if masked else {} for m in (first, mask))
    lengths = {0: torch.export.Dim("texts"), 1: torch.export.Dim("tokens", min=2, max=BLOCK)}
    program = torch.export.export(model, (short,), given, dynamic_shapes={"tokens": lengths, **dict.fromkeys(given, lengths)})
    torch.testing.assert_close(program.module()(tokens, **other), model(tokens, **other), rtol=0, atol=1e-12)


@torch.no_grad()
def test_positions_may_be_small_integers() -> None:
    model = gpt(replace(TINY, positions="absolute"))
    assert torch.equal(model(TOKENS, positions=torch.arange(5, dtype=torch.uint8)), model(TOKENS))


@torch.no_grad()
def test_weights_on_padding_are_0() -> None:
    tokens, mask = left_padded(texts(3, 7))
    weights: list[Tensor] = []
    gpt(TINY).states(tokens, weights=weights, attention_mask=mask)
    assert not weights[0][0, :, 4:, :4].any()
    torch.testing.assert_close(weights[1].sum(-1), torch.ones(2, 4, 7, dtype=torch.float64))


def test_the_kernel_of_a_padded_call_is_named() -> None:
    like = torch.empty(0)
    for config in (TINY, replace(TINY, window=3, attention="local"), replace(TINY, attention="fused")):
        assert "texts are padded" in str(attention_backend(config.layer(), 64, 64, like, padded=True)) or config.window
    assert attention_backend(replace(TINY, window=3, attention="local").layer(), 64, 64, like, padded=True).kernel == "naive"


TOKENS = torch.zeros(2, 5, dtype=torch.long)


@pytest.mark.parametrize(
    ("fault", "positions", "options"),
    [
        (r"shape must be \(2, 5\), a number for each token, but is \(2, 4\)", "rotary", {"attention_mask": torch.ones(2, 4)}),
        (r"but is \(5,\)", "rotary", {"attention_mask": torch.ones(5)}),
        ("1 for a token and 0 for padding", "rotary", {"attention_mask": torch.tensor([[-1e9, 0, 0, 0, 0], [0.0] * 5])}),
        ("1 for a token and 0 for padding", "rotary", {"attention_mask": torch.full((2, 5), torch.nan)}),
        ("row 1 has padding alone", "rotary", {"attention_mask": torch.tensor([[1], [0]]).expand(2, 5)}),
        (r"shape \(5,\) or \(2, 5\) are needed, .* of shape \(4,\)", "rotary", {"positions": torch.arange(4)}),
        ("but these are torch.float32", "rotary", {"positions": torch.ones(5)}),
        ("positions 'alibi' does not use them", "alibi", {"positions": torch.arange(5)}),
        (r"positions 14 \.\.\. 18 are not among the model's 16", "absolute", {"positions": torch.arange(14, 19)}),
        (r"positions -1 \.\.\. 3 are not among", "absolute", {"positions": torch.arange(-1, 4)}),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused(fault: str, positions: Any, options: dict[str, Tensor]) -> None:
    with pytest.raises(ValueError, match=fault):
        gpt(replace(TINY, positions=positions))(TOKENS, **options)


def test_a_mask_covers_the_cache_as_well() -> None:
    model = gpt(TINY)
    cache = model.cache(2)
    model(TOKENS, cache, attention_mask=torch.ones(2, 5))
    with pytest.raises(ValueError, match=r"shape must be \(2, 6\), .* \(5 in the cache and 1 new ones\), but is \(2, 1\)"):
        model(TOKENS[:, :1], cache, attention_mask=torch.ones(2, 1))


def test_padding_is_on_the_left_and_for_the_model_itself() -> None:
    model, (tokens, mask) = gpt(TINY), left_padded(texts(3, 5))
    assert mask.tolist() == [[0, 0, 1, 1, 1], [1, 1, 1, 1, 1]]
    with pytest.raises(ValueError, match="row 0 has padding alone"):
        generate(model, tokens, 3, attention_mask=torch.tensor([[0] * 5, [1] * 5]))
    for wrong in (mask.flip(1), torch.tensor([[0, 1, 0, 1, 1], [1, 1, 1, 1, 1]])):
        with pytest.raises(ValueError, match="must be on the left"):
            generate(model, tokens, 3, attention_mask=wrong)
    with pytest.raises(ValueError, match=r"must be that of the prompt, \(2, 5\), but is \(2, 4\)"):
        generate(model, tokens, 3, attention_mask=mask[:, 1:])
    with pytest.raises(ValueError, match="only the model itself"):
        generate(model, tokens, 3, attention_mask=mask, read=FastDecoder(gpt(TINY), 2, "plain"))
    with pytest.raises(ValueError, match="at least one prompt"):
        left_padded([torch.arange(3), torch.arange(0)])
