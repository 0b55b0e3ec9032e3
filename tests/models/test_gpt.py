"""The GPT: what it sees, what its cache gives, what it costs."""

from dataclasses import replace
from itertools import product

import pytest
import torch
from torch import Tensor, nn

from erlangen.models.gpt import GPT, PRESETS, GPTConfig, norm
from erlangen.nn.attention import context
from erlangen.nn.positions import Rotary

TINY = GPTConfig(vocabulary=17, block=12, layers=2, heads=2, width=8, dropout=0.0)
POSITIONS = ("rotary", "absolute", "alibi", "none")


def made(config: GPTConfig, std: float = 0.4) -> GPT:
    """In float64, with weights large enough that everything matters."""
    torch.manual_seed(0)
    model = GPT(config).double().eval()
    for parameter in model.parameters():
        nn.init.normal_(parameter, std=std)
    return model


def tokens(t: int = 12, batch: int = 2) -> Tensor:
    return torch.randint(17, (batch, t), generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize(("positions", "norm"), list(product(POSITIONS, ("rms", "layer"))))
def test_a_cache_changes_nothing_up_to_the_block(positions, norm) -> None:
    model = made(replace(TINY, positions=positions, norm=norm, bias=norm == "layer"))
    x = tokens()
    whole, cache = model(x), model.cache(2)
    parts = [model(part, cache) for part in x.split([5, 1, 3, 1, 1, 1], 1)]
    torch.testing.assert_close(torch.cat(parts, 1), whole, rtol=0, atol=1e-12)


@pytest.mark.parametrize("window", [1, 3, 20])
def test_a_cache_knows_the_window(window: int) -> None:
    model, x = made(replace(TINY, window=window, attention="local")), tokens()
    cache = model.cache(2)
    parts = [model(part, cache) for part in x.split([4, 1, 1, 6], 1)]
    torch.testing.assert_close(torch.cat(parts, 1), model(x), rtol=0, atol=1e-12)


@pytest.mark.parametrize("positions", ["rotary", "alibi", "none"])
def test_past_the_block_one_layer_is_recropping_and_two_are_not(positions) -> None:
    x = tokens(30)
    for layers in (1, 2):
        model = made(replace(TINY, positions=positions, layers=layers))
        cache = model.cache(2)
        slid = torch.cat([model(x[:, i : i + 1], cache) for i in range(30)], 1)[:, -1]
        cropped = model(x[:, -12:])[:, -1]
        difference = float((slid - cropped).detach().abs().max())
        assert difference < 2e-5 if layers == 1 else difference > 1e-3  # rotary angles are float32


def test_absolute_positions_end_with_their_table() -> None:
    model = made(replace(TINY, positions="absolute"))
    with pytest.raises(ValueError, match="13 tokens are more than the model's 12 absolute positions"):
        model(tokens(13))
    made(TINY)(tokens(13))  # rotary ones do not


@pytest.mark.parametrize("positions", POSITIONS)
def test_no_token_sees_one_ahead(positions) -> None:
    model, x = made(replace(TINY, positions=positions)), tokens()
    changed = x.clone()
    changed[:, 7] = (changed[:, 7] + 1) % 17
    before, after = model(x), model(changed)
    assert torch.equal(before[:, :7], after[:, :7])
    assert (before[:, 7:] != after[:, 7:]).any(-1).all()


def test_an_embedding_of_relative_positions_knows_no_place() -> None:
    x = tokens()
    for positions in ("rotary", "alibi", "none"):
        model = made(replace(TINY, positions=positions))
        assert torch.equal(model.embedded(x), model.embedded(x, start=100))
    model = made(replace(TINY, positions="absolute"))
    assert not torch.equal(model.embedded(x[:, :3]), model.embedded(x[:, :3], start=1))


def test_states_end_in_the_logits_and_weights_are_attentions() -> None:
    model, x = made(TINY), tokens()
    weights: list[Tensor] = []
    states = model.states(x, weights=weights)
    assert len(states) == 3
    torch.testing.assert_close(model.unembed(states[-1]), model(x))
    assert [w.shape for w in weights] == [(2, 2, 12, 12)] * 2


def test_dropout_is_off_in_eval() -> None:
    model, x = made(replace(TINY, dropout=0.5)), tokens()
    assert torch.equal(model(x), model(x))
    model.train()
    assert (model(x) - model(x)).abs().max() > 1e-3


def test_dropout_falls_on_the_embedding_and_on_both_outputs_of_a_block() -> None:
    config = replace(TINY, dropout=0.5, width=64)
    model = made(config).train()
    h, shared = torch.randn(4, 12, 64, dtype=torch.float64), context(config.layer(), 12, torch.empty(0, dtype=torch.float64))
    block = model.blocks[0]
    changes = {"embedding": model.embedded(tokens())}
    for name, other in (("attention", block.mlp.down), ("mlp", block.attention.out)):
        kept = other.weight.detach().clone()
        nn.init.zeros_(other.weight)
        changes[name] = block(h, shared, 0) - h
        with torch.no_grad():
            other.weight.copy_(kept)
    for name, change in changes.items():
        assert 0.4 < float((change == 0).double().mean()) < 0.6, name


def test_the_form_of_attention_knows_of_training_and_of_the_format_of_products(monkeypatch: pytest.MonkeyPatch) -> None:
    forms = []

    def watched(*args, **options):
        shared = context(*args, **options)
        forms.append((shared.form, shared.table.dtype))
        return shared

    monkeypatch.setattr("erlangen.models.gpt.context", watched)
    model = GPT(replace(TINY, dropout=0.5))
    model.train()(tokens())
    model.eval()(tokens())
    with torch.autocast("cpu", torch.bfloat16):
        model(tokens())
    assert forms == [("naive", torch.float32), ("fused", torch.float32), ("naive", torch.bfloat16)]


def test_fresh_weights_have_their_spread_and_biases_are_0() -> None:
    torch.manual_seed(0)
    model = GPT(replace(TINY, width=64, layers=8, vocabulary=99, bias=True, norm="layer", positions="absolute"))
    for name, weight in model.named_parameters():
        if weight.ndim > 1:
            std = 0.02 / 4 if name.endswith(("attention.out.weight", "mlp.down.weight")) else 0.02
            assert float(weight.detach().std()) == pytest.approx(std, rel=0.15), name
        elif name.endswith("bias"):
            assert not weight.any(), name


def test_norms_have_epsilon_1e_5_and_a_shift_only_with_biases() -> None:
    h = 1e-3 * torch.randn(5, 8, dtype=torch.float64)
    for kind, bias in product(("rms", "layer"), (False, True)):
        own = norm(replace(TINY, norm=kind, bias=bias)).double()
        centered = h - h.mean(-1, keepdim=True) if kind == "layer" else h
        torch.testing.assert_close(own(h), centered / (centered.square().mean(-1, keepdim=True) + 1e-5).sqrt())
        assert [name for name, _ in own.named_parameters()] == ["weight"] + (["bias"] if bias and kind == "layer" else [])


def test_a_cache_is_as_large_and_of_the_format_that_is_asked_for() -> None:
    model = made(TINY)
    assert (model.cache(3).size, model.cache(3).keys.dtype, model.cache(3).keys.shape[1]) == (12, torch.float64, 3)
    small = model.cache(2, 5, torch.bfloat16)
    assert (small.size, small.values.dtype) == (5, torch.bfloat16)


def test_bfloat16_products_train_as_float32_ones_do() -> None:
    """The gradient of a batch, under autocast, points where the exact one does."""
    torch.manual_seed(2)
    model, x = GPT(replace(TINY, width=32, block=64)), torch.randint(17, (8, 65))
    gradients = []
    for enabled in (False, True):
        model.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=enabled):
            logits = model(x[:, :-1])
        nn.functional.cross_entropy(logits.float().flatten(0, 1), x[:, 1:].flatten()).backward()
        gradients.append(torch.cat([p.grad.flatten() for p in model.parameters()]))
    assert torch.nn.functional.cosine_similarity(*gradients, dim=0) > 0.999


@pytest.mark.parametrize("name", ["gpt-nano", "gpt-micro", "gpt-mini", "gopher-44m", "gpt2"])
def test_sizes_count_as_their_formula_says(name: str) -> None:
    """12 L C² in products, the norms, the tables, and what biases there are; GPT-2's 124 439 808 are the published ones."""
    config = replace(PRESETS[name], vocabulary=50257 if name == "gpt2" else 87)
    c, layers, v = config.width, config.layers, config.vocabulary
    with torch.device("meta"):
        model = GPT(config)
    norms = (2 * layers + 1) * c * (2 if config.bias else 1)
    biases = layers * (3 * c + c + 4 * c + c) if config.bias else 0
    tables = v * c * (1 if config.tied else 2) + (config.block * c if config.positions == "absolute" else 0)
    assert model.parameter_count() == 12 * layers * c * c + norms + biases + tables
    places = config.block * c if config.positions == "absolute" else 0
    assert model.parameter_count(embeddings=False) == model.parameter_count() - v * c - places
    if name == "gpt2":
        assert model.parameter_count() == 124_439_808


def test_rotary_scaling_reaches_the_layers() -> None:
    plain = made(TINY)
    stretched = made(replace(TINY, rotary=Rotary(scaling="linear", factor=3)))
    stretched.load_state_dict(plain.state_dict())
    assert (plain(tokens()) - stretched(tokens())).abs().max() > 1e-3


@pytest.mark.parametrize(
    ("fault", "options"),
    [
        ("vocabulary 0", {"vocabulary": 0}),
        ("layers 0", {"layers": 0}),
        ("norm 'batch'", {"norm": "batch"}),
        ("a multiple of the number of heads, 3", {"heads": 3}),
    ],
)
def test_impossible_models_are_refused(fault: str, options: dict) -> None:
    with pytest.raises(ValueError, match=fault):
        replace(TINY, **options)
