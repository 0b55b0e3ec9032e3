"""Scalings of rotary positions: the numbers are those of transformers, and a decoder uses them as the model does."""

from __future__ import annotations

import math
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from hypothesis import given, settings, strategies as st
from support.torchvision_ops import declare_torchvision_ops
from torch import Tensor, nn

from erlangen.generate.decode import Cached, Recomputing
from erlangen.models.gpt import GPT, GPTConfig
from erlangen.nn.attention import AttentionConfig, context
from erlangen.nn.cache import KeyValueCache
from erlangen.nn.positions import Rotary
from erlangen.records.files import from_json, to_json

TRAINED = 8
PAIRS = (1.0, 1.5, 2.0, 3.0)  # one for each pair of a head of 8 features
SCALINGS = {
    "dynamic": Rotary(scaling="dynamic", factor=4.0, original_max_position_embeddings=TRAINED),
    "llama3": Rotary(
        scaling="llama3", factor=8.0, original_max_position_embeddings=TRAINED, low_freq_factor=0.1, high_freq_factor=1.0
    ),
    "yarn": Rotary(scaling="yarn", factor=4.0, original_max_position_embeddings=TRAINED, beta_fast=1.0, beta_slow=0.01),
    "longrope": Rotary(
        scaling="longrope", factor=4.0, original_max_position_embeddings=TRAINED, short_factor=PAIRS,
        long_factor=(4.0, 5.0, 6.0, 9.0),
    ),
}  # fmt: skip
factors = st.one_of(st.just(1.0), st.floats(1, 64))


def theirs(rotary: Rotary, head_dim: int, length: int | Tensor | None = None) -> tuple[Tensor, float]:
    """Inverse frequencies and attention factor as transformers computes them."""
    declare_torchvision_ops()  # transformers imports torchvision where it is installed
    functions = pytest.importorskip("transformers.modeling_rope_utils").ROPE_INIT_FUNCTIONS
    names = ("factor", "original_max_position_embeddings", "low_freq_factor", "high_freq_factor", "attention_factor", "beta_fast",
             "beta_slow", "mscale", "mscale_all_dim", "truncate", "short_factor", "long_factor")  # fmt: skip
    parameters = {"rope_theta": rotary.base, **{name: getattr(rotary, name) for name in names}}
    config = SimpleNamespace(
        head_dim=head_dim, hidden_size=head_dim, num_attention_heads=1, rope_parameters=parameters,
        max_position_embeddings=rotary.original_max_position_embeddings, standardize_rope_params=lambda: None,
    )  # fmt: skip
    return functions[rotary.scaling](config, torch.device("cpu"), seq_len=length)


@st.composite
def scaled(draw: st.DrawFn) -> tuple[Rotary, int]:
    """A scaling and the features of a head."""
    kind = draw(st.sampled_from(("linear", *SCALINGS)))
    head_dim = 2 * draw(st.integers(2, 64))
    given: dict[str, Any] = {"scaling": kind, "base": draw(st.floats(100, 1e6)), "factor": draw(factors)}
    if kind != "linear":
        given["original_max_position_embeddings"] = draw(st.integers(16, 16384))
    if kind == "llama3":
        low = draw(st.floats(0.5, 4))
        given |= {"low_freq_factor": low, "high_freq_factor": low + draw(st.floats(0.5, 8))}
    if kind == "yarn":
        slow = draw(st.floats(0.5, 4))
        given |= {"beta_slow": slow, "beta_fast": slow + draw(st.floats(0.5, 64)), "truncate": draw(st.booleans())}
        given |= draw(st.sampled_from([{}, {"mscale": 0.7, "mscale_all_dim": 1.3}, {"mscale": 0.7}]))
    if kind == "longrope":
        lists = st.lists(st.floats(1, 64), min_size=head_dim // 2, max_size=head_dim // 2)
        given |= {"short_factor": draw(lists), "long_factor": draw(lists)}
    if kind in ("yarn", "longrope") and draw(st.booleans()):
        given["attention_factor"] = draw(st.floats(0.5, 2))
    return Rotary(**given), head_dim


@settings(max_examples=150, deadline=None)
@given(pair=scaled(), length=st.integers(1, 40000))
def test_frequencies_and_attention_factors_are_those_of_transformers(pair: tuple[Rotary, int], length: int) -> None:
    rotary, head_dim = pair
    expected, factor = theirs(rotary, head_dim, length)
    found = rotary.frequencies(head_dim, length=length)
    torch.testing.assert_close(found.float(), expected, rtol=2e-5, atol=0)
    assert rotary.amplitude == pytest.approx(factor, rel=1e-12)
    lengths = torch.tensor([[1], [length]])
    torch.testing.assert_close(rotary.frequencies(head_dim, length=lengths).expand(2, -1)[1], found, rtol=1e-12, atol=0)


@pytest.mark.parametrize("kind", SCALINGS)
def test_a_scaling_changes_frequencies_and_by_default_a_text_is_short(kind: str) -> None:
    rotary = SCALINGS[kind]
    plain, short, long = Rotary().frequencies(8), rotary.frequencies(8), rotary.frequencies(8, length=4 * TRAINED)
    assert torch.equal(short, rotary.frequencies(8, length=TRAINED))
    assert rotary.varies == (not torch.equal(short, long))
    assert not torch.equal(long, plain)
    assert (long <= plain).all()
    assert torch.equal(short, plain) == (kind == "dynamic")


@pytest.mark.parametrize("layout", ["half", "interleaved"])
def test_cos_and_sin_are_multiplied_by_the_attention_factor(layout: Any) -> None:
    rotary = replace(SCALINGS["yarn"], layout=layout)
    assert rotary.amplitude == 0.1 * math.log(4) + 1
    table, plain = (each.table(torch.arange(9), 8) for each in (rotary, replace(rotary, attention_factor=1.0)))
    torch.testing.assert_close(table, rotary.amplitude * plain)


def test_tables_of_several_texts_have_the_frequencies_of_their_lengths() -> None:
    places, lengths = torch.stack([torch.arange(5), torch.arange(20, 25)]), torch.tensor([5, 25])
    for rotary in SCALINGS.values():
        both = rotary.table(places, 8, lengths[:, None, None])  # (2, B, T, d)
        for text, length in enumerate(lengths.tolist()):
            torch.testing.assert_close(both[:, text], rotary.table(places[text], 8, length))


def llama(rotary: Rotary) -> Any:
    """The rotary embedding of Llama in transformers, of heads of 8 features, which remembers the lengths it has seen."""
    declare_torchvision_ops()
    module = pytest.importorskip("transformers.models.llama.modeling_llama")
    names = {"dynamic": (), "llama3": ("low_freq_factor", "high_freq_factor"), "yarn": ("beta_fast", "beta_slow"),
             "longrope": ("short_factor", "long_factor")}[rotary.scaling]  # fmt: skip
    lists = {name: list(v) if isinstance(v := getattr(rotary, name), tuple) else v for name in names}
    parameters = {"rope_type": rotary.scaling, "rope_theta": rotary.base, "factor": rotary.factor, **lists}
    if rotary.scaling != "dynamic":
        parameters["original_max_position_embeddings"] = TRAINED
    trained = TRAINED if rotary.scaling == "dynamic" else 4 * TRAINED
    config = module.LlamaConfig(
        hidden_size=16, num_attention_heads=2, max_position_embeddings=trained, rope_parameters=parameters
    )  # fmt: skip
    return module.LlamaRotaryEmbedding(config)


@pytest.mark.parametrize("kind", SCALINGS)
def test_tables_of_a_prompt_and_of_each_cached_token_are_those_of_llama(kind: str) -> None:
    """Past the trained length too: dynamic scaling then gives every token the frequencies of the text up to it."""
    rotary, like = SCALINGS[kind], torch.empty(0)
    config, embedding = AttentionConfig(width=16, heads=2, rotary=rotary), llama(rotary)
    cache = KeyValueCache(1, 1, 2, 4 * TRAINED, 8, torch.float32)
    for tokens in (5, *[1] * 20):
        table = context(config, tokens, like, cache).table
        assert table is not None
        cos, sin = embedding(torch.empty(1, 1), torch.arange(cache.length, cache.length + tokens)[None])
        torch.testing.assert_close(table[0], cos[0], rtol=0, atol=5e-6)
        torch.testing.assert_close(table[1][:, 4:], sin[0][:, 4:], rtol=0, atol=5e-6)
        cache.advance(tokens)


def gpt(rotary: Rotary, block: int = 3 * TRAINED, layers: int = 2) -> GPT:
    torch.manual_seed(0)
    model = GPT(GPTConfig(vocabulary=17, block=block, layers=layers, heads=2, width=16, rotary=rotary, dropout=0.0)).double()
    for parameter in model.parameters():
        nn.init.normal_(parameter, std=0.4)
    return model.eval()


def text(length: int) -> Tensor:
    return torch.randint(17, (2, length), generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("kind", SCALINGS)
@torch.no_grad()
def test_a_cached_decoder_is_the_whole_forward_pass(kind: str) -> None:
    """dynamic: up to the trained length; beyond, cached keys keep the frequencies with which they were read."""
    model, tokens = gpt(SCALINGS[kind]), text(3 * TRAINED)
    read, again = Cached(model, 2), Recomputing(model, 3 * TRAINED)
    differences = []
    for part in tokens.split([5, 1, 1, *[1] * (3 * TRAINED - 7)], 1):
        cached, whole = read(part), again(part)
        differences.append(float((cached - whole).abs().max()))
    beyond = TRAINED - 5 + 1  # the first part after which there are more tokens than were trained
    assert max(differences[:beyond]) < 1e-6
    assert (min(differences[beyond:]) > 1e-4) if kind == "dynamic" else (max(differences) < 1e-6)


@torch.no_grad()
def test_longrope_is_read_again_once_and_with_the_long_factors() -> None:
    model, tokens, lengths = gpt(SCALINGS["longrope"]), text(3 * TRAINED), []
    read = Cached(model, 2)
    states = model.states
    model.states = lambda tokens, cache: lengths.append(tokens.shape[1]) or states(tokens, cache)  # type: ignore[assignment]
    for part in tokens.split([5, *[1] * 19], 1):
        read(part)
    assert lengths == [5, 1, 1, 1, TRAINED + 1, *[1] * 15]


def test_configurations_survive_a_checkpoint_and_old_ones_load() -> None:
    for rotary in SCALINGS.values():
        config = GPTConfig(vocabulary=5, heads=2, width=16, rotary=rotary)
        assert from_json(GPTConfig, to_json(config)) == config
    old = to_json(GPTConfig(vocabulary=5))
    old["rotary"] = {"base": 10000.0, "layout": "half", "scaling": "ntk", "factor": 2.0}
    assert from_json(GPTConfig, old).rotary == Rotary(scaling="ntk", factor=2.0)


@pytest.mark.parametrize("kind", SCALINGS)
def test_frequencies_are_computed_on_the_device(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A copy from the host would end the capture of a step on a GPU, for which the meta device stands here."""

    def copied(*numbers: object, **options: object) -> None:
        raise AssertionError("copied from the host")

    monkeypatch.setattr(Tensor, "new_tensor", copied)
    monkeypatch.setattr(torch, "tensor", copied)
    for length in (20, torch.full((1,), 20, device="meta")):
        assert SCALINGS[kind].table(torch.arange(5, device="meta"), 8, length).device.type == "meta"


YARN = {"scaling": "yarn", "original_max_position_embeddings": 8}


@pytest.mark.parametrize(
    ("fault", "options"),
    [
        ("'dynamic' needs original_max_position_embeddings", {"scaling": "dynamic"}),
        ("needs low_freq_factor and high_freq_factor", {"scaling": "llama3", "original_max_position_embeddings": 8}),
        ("beta_fast has no effect with scaling 'none': leave it out, or choose yarn", {"beta_fast": 4.0}),
        ("attention_factor has no effect .* choose yarn or longrope", {"scaling": "ntk", "attention_factor": 2.0}),
        ("at least 2 tokens", YARN | {"original_max_position_embeddings": 1}),
        ("at least 2 tokens", YARN | {"original_max_position_embeddings": 8.5}),
        (r"mscale -1.0 must be positive", YARN | {"mscale": -1.0}),
        ("beta_slow 9.0 must be below beta_fast 2.0", YARN | {"beta_slow": 9.0, "beta_fast": 2.0}),
        ("short_factor .* must be positive", {"scaling": "longrope", "original_max_position_embeddings": 8,
                                              "short_factor": (1.0, 0.0), "long_factor": PAIRS}),
    ],
)  # fmt: skip
def test_impossible_scalings_are_refused(fault: str, options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=fault):
        Rotary(**options)


def test_a_list_for_another_head_is_refused_with_the_layer() -> None:
    with pytest.raises(
        ValueError, match="short_factor has 4 numbers and long_factor 4, but a head of 16 features needs 8 in each"
    ):
        AttentionConfig(width=16, heads=1, rotary=SCALINGS["longrope"])


def test_a_single_pair_is_not_stretched() -> None:
    assert SCALINGS["dynamic"].frequencies(2, length=99).tolist() == [1]
    assert SCALINGS["dynamic"].frequencies(2, length=torch.tensor([[1], [99]])).tolist() == [[1], [1]]
