"""The fast decoder computes the model's function, with and without the private operators."""

import itertools
from dataclasses import replace
from typing import get_args

import pytest
import torch
from support.small_gpts import scaled, with_shared_keys
from torch import Tensor

from erlangen.generate import packed
from erlangen.generate.decode import Cached, generate
from erlangen.generate.fast import FastDecoder, fast_decoder
from erlangen.generate.packed import Precision, dtype_of, product, quantized, works
from erlangen.generate.settings import Settings
from erlangen.models.gpt import GPT, GPTConfig
from erlangen.nn.attention import Positions
from erlangen.nn.positions import Rotary

BLOCK, VOCABULARY = 16, 13
BASE = GPTConfig(vocabulary=VOCABULARY, block=BLOCK, layers=2, heads=2, width=64)
KINDS = {
    **{positions: replace(BASE, positions=positions) for positions in get_args(Positions)},
    "like GPT-2": replace(BASE, positions="absolute", norm="layer", bias=True, tied=True),
    "like GPT-J": replace(BASE, rotary=Rotary(layout="interleaved", base=1000.0), norm="layer"),
    "stretched": replace(BASE, rotary=Rotary(scaling="linear", factor=3.0)),
    "window": replace(BASE, window=5, bias=True),
    "window and slopes": replace(BASE, window=5, positions="alibi"),
}
EVERY = pytest.mark.parametrize("config", KINDS.values(), ids=KINDS)
FURTHER = KINDS | scaled(BASE) | with_shared_keys(BASE)
MORE = pytest.mark.parametrize("config", FURTHER.values(), ids=FURTHER)


def silent(message: str) -> None:
    raise AssertionError(f"fell back: {message}")


def gpt(config: GPTConfig) -> GPT:
    """With gains, shifts and biases that are not 1 and 0."""
    torch.manual_seed(0)
    model = GPT(config)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.15 * torch.randn_like(parameter))
    return model.eval()


def tokens(rows: int, length: int) -> Tensor:
    return torch.randint(VOCABULARY, (rows, length), generator=torch.Generator().manual_seed(1))


def difference(model: GPT, fast: FastDecoder, rows: int) -> float:
    """Largest, of a prompt, steps across the ring's end more than twice, and some tokens at once; the logits' largest as unit."""
    read, text = Cached(model, rows), tokens(rows, 3 * BLOCK)
    cuts = [0, 5, *range(6, 20), 23, *range(24, 3 * BLOCK + 1)]
    differences, largest = [], 0.0
    with torch.inference_mode():
        for start, end in itertools.pairwise(cuts):
            expected, found = read(text[:, start:end]), fast(text[:, start:end])
            assert found.shape == expected.shape
            differences.append((found - expected).abs().max())
            largest = max(largest, float(expected.abs().max()))
    return float(torch.stack(differences).max()) / largest  # NaN if one is


@MORE
@pytest.mark.parametrize("rows", [1, 3])
@pytest.mark.parametrize("precision", ["float32", "plain"])
def test_in_float32_the_logits_are_the_models(config: GPTConfig, rows: int, precision: Precision) -> None:
    model = gpt(config)
    assert difference(model, fast_decoder(model, rows, precision, silent), rows) < 1e-5


@pytest.mark.parametrize("config", (KINDS | with_shared_keys(BASE)).values(), ids=KINDS | with_shared_keys(BASE))
@pytest.mark.parametrize(("precision", "bound"), [("bfloat16", 0.03), ("int8", 0.05)])
def test_in_few_bits_the_logits_are_near(config: GPTConfig, precision: Precision, bound: float) -> None:
    if not works(precision, 2):
        pytest.skip(f"torch has no {precision} products here")
    model = gpt(config)
    assert 1e-5 < difference(model, fast_decoder(model, 2, precision, silent), 2) < bound


@EVERY
def test_texts_are_the_models(config: GPTConfig) -> None:
    model, prompt = gpt(config), tokens(3, 5)
    for settings in (Settings(temperature=0), Settings(top_p=0.9, seed=2)):
        fast = fast_decoder(model, 3, notify=silent)
        assert torch.equal(
            generate(model, prompt, 40, settings=settings, read=fast), generate(model, prompt, 40, settings=settings)
        )


def test_small_norms_keep_their_epsilon() -> None:
    """A state of size 1e-3 is far from normed to 1 by RMSNorm with ε = 1e-5."""
    model = gpt(replace(BASE, layers=1))
    with torch.no_grad():
        model.embed.weight *= 1e-3 / model.embed.weight.std()
    assert difference(model, fast_decoder(model, 2, notify=silent), 2) < 1e-5


def test_later_changes_of_the_model_do_not_reach_its_copy() -> None:
    """Also where the model's own tensors could have been kept."""
    for precision in ("plain", "float32", "bfloat16"):
        model = gpt(KINDS["like GPT-2"])
        changed, kept = fast_decoder(model, 1, precision), fast_decoder(model, 1, precision)  # type: ignore[arg-type]
        with torch.inference_mode():
            expected = kept(tokens(1, 1))
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.zero_()
        with torch.inference_mode():
            assert torch.equal(changed(tokens(1, 1)), expected)


@pytest.mark.parametrize("precision", ["float32", "bfloat16", "int8"])
@pytest.mark.parametrize("fault", ["missing", "wrong"])
def test_without_the_private_operators_plain_ones_do_the_same(
    monkeypatch: pytest.MonkeyPatch, precision: Precision, fault: str
) -> None:
    def missing(*arguments: object) -> packed.Product:
        raise AttributeError("'_OpNamespace' 'mkldnn' object has no attribute '_linear_pointwise'")

    def wrong(weight: Tensor, bias: Tensor | None, batch: int, *rest: object) -> packed.Product:
        return lambda x: x.new_zeros(batch, len(weight))

    works.cache_clear()
    for name in ("_onednn", "_int8"):
        monkeypatch.setattr(packed, name, missing if fault == "missing" else wrong)
    said: list[str] = []
    model = gpt(BASE)
    fast = fast_decoder(model, 2, precision, said.append)
    works.cache_clear()
    assert len(said) == 1
    assert f"lacks the operators for {precision} products" in said[0]
    assert difference(model, fast, 2) < 1e-5


@pytest.mark.parametrize("precision", get_args(Precision))
@pytest.mark.parametrize(("rows", "gelu", "biased"), [(1, False, False), (1, True, True), (4, True, False), (10, False, True)])
def test_products_are_linear_maps(precision: Precision, rows: int, gelu: bool, biased: bool) -> None:
    if precision != "plain" and not works(precision, rows):
        pytest.skip(f"torch has no {precision} products here")
    generator = torch.Generator().manual_seed(2)
    for out, width in ((96, 64), (64, 256), (87, 64)):
        x, weight = (torch.randn(n, width, generator=generator) for n in (rows, out))
        bias = torch.randn(out, generator=generator) if biased else None
        expected = torch.nn.functional.linear(x.double(), weight.double(), None if bias is None else bias.double())
        expected = torch.nn.functional.gelu(expected, approximate="tanh") if gelu else expected
        found = product(weight, bias, rows, precision, gelu)(x.to(dtype_of(precision))).double()
        off = 1e-6 if dtype_of(precision) == torch.float32 else 0.02
        torch.testing.assert_close(found, expected, rtol=0, atol=off * float(expected.abs().max()))


def test_integers_are_off_by_half_a_scale_at_most() -> None:
    weight = torch.randn(8, 32, generator=torch.Generator().manual_seed(3))
    weight[3] = 0
    integers, scales = quantized(weight)
    assert integers.abs().amax(1).tolist() == [127, 127, 127, 0, 127, 127, 127, 127]
    assert ((integers * scales[:, None] - weight).abs() <= scales[:, None] * 0.5001).all()


def test_a_model_on_another_device_is_refused() -> None:
    with torch.device("meta"):
        model = GPT(BASE)
    with pytest.raises(ValueError, match="the model is on meta"):
        fast_decoder(model, 1)


@pytest.mark.parametrize("kind", ["rotary", "window and slopes"])
def test_a_ring_that_grows_keeps_what_it_holds(kind: str) -> None:
    """Several texts in bfloat16, through each size of the ring and past its end."""
    if not works("bfloat16", 3):
        pytest.skip("torch has no bfloat16 products here")
    model = gpt(replace(KINDS[kind], block=150))
    read, fast, text = Cached(model, 3), fast_decoder(model, 3, "bfloat16", silent), tokens(3, 200)
    rooms = set()
    with torch.inference_mode():
        for step in text.split([60, *[1] * 140], 1):
            expected, found = read(step), fast(step)
            assert float((found - expected).abs().max()) < 0.04 * float(expected.abs().max())
            rooms.add(fast.room)
    assert rooms == {64, 128, 150}
