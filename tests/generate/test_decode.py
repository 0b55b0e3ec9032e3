"""The loop: a cache changes nothing up to the block and what is said beyond it; a sample is the same alone and among others."""

from itertools import islice
from typing import cast, get_args

import pytest
import torch
from torch import Tensor, nn

from erlangen.generate.decode import Cached, Recomputing, generate, stream
from erlangen.generate.settings import Settings
from erlangen.models.gpt import GPT, GPTConfig
from erlangen.nn.attention import Positions

BLOCK, VOCABULARY = 16, 13
GREEDY = Settings(temperature=0)
POSITIONS = get_args(Positions)


def gpt(positions: Positions = "rotary", layers: int = 2, window: int | None = None) -> GPT:
    """With weights large enough for its texts to differ, in float64."""
    torch.manual_seed(0)
    model = GPT(
        GPTConfig(vocabulary=VOCABULARY, block=BLOCK, layers=layers, heads=2, width=16, positions=positions, window=window)
    ).double()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    return model.eval()


def tokens(rows: int, length: int, seed: int = 1) -> Tensor:
    return torch.randint(VOCABULARY, (rows, length), generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("positions", POSITIONS)
@pytest.mark.parametrize("window", [None, 5])
@torch.no_grad()
def test_the_cache_is_recomputation_up_to_the_block(positions: Positions, window: int | None) -> None:
    model, text = gpt(positions, window=window), tokens(3, BLOCK)
    read = Cached(model, 3)
    torch.testing.assert_close(read(text[:, :4]), model(text[:, :4])[:, -1], rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(read(text[:, 4:7]), model(text[:, :7])[:, -1], rtol=1e-12, atol=1e-12)  # some at once
    for t in range(7, BLOCK):
        torch.testing.assert_close(read(text[:, t : t + 1]), model(text[:, : t + 1])[:, -1], rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("positions", POSITIONS)
def test_texts_with_and_without_a_cache_are_the_same_up_to_the_block(positions: Positions) -> None:
    model, prompt = gpt(positions), tokens(4, 5)
    for settings in (GREEDY, Settings(), Settings(top_p=0.8, repetition_penalty=1.3, seed=5)):
        cached, recomputed = (generate(model, prompt, BLOCK - 4, settings=settings, cache=cache) for cache in (True, False))
        assert cached.shape == (4, BLOCK + 1)
        assert torch.equal(cached, recomputed)
        assert torch.equal(cached[:, :5], prompt)


@pytest.mark.parametrize("positions", ["rotary", "alibi", "none"])
@torch.no_grad()
def test_one_layer_slides_as_if_cropped_and_two_remember_more(positions: Positions) -> None:
    text = tokens(2, 3 * BLOCK)
    for layers, same in ((1, True), (2, False)):
        model = gpt(positions, layers)
        cached, cropped = Cached(model, 2), Recomputing(model, BLOCK)
        for t in range(text.shape[1]):
            one, other = cached(text[:, t : t + 1]), cropped(text[:, t : t + 1])
            if same or t < BLOCK:
                torch.testing.assert_close(one, other, rtol=1e-6, atol=1e-6)  # angles are tabled in float32
        assert torch.allclose(one, other, atol=1e-4) == same


@torch.no_grad()
def test_absolute_places_hop_by_half_a_block() -> None:
    model, text = gpt("absolute"), tokens(2, 3 * BLOCK)
    read, begin = Cached(model, 2), 0
    for t in range(text.shape[1]):
        if t + 1 - begin > BLOCK:
            begin = t + 1 - BLOCK // 2
        expected = model(text[:, begin : t + 1])[:, -1]
        torch.testing.assert_close(read(text[:, t : t + 1]), expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("positions", POSITIONS)
@pytest.mark.parametrize("cache", [True, False])
def test_of_a_long_prompt_the_last_block_is_read(positions: Positions, cache: bool) -> None:
    model, prompt = gpt(positions), tokens(2, 3 * BLOCK)
    whole = generate(model, prompt, 20, settings=GREEDY, cache=cache)
    cropped = generate(model, prompt[:, -BLOCK:], 20, settings=GREEDY, cache=cache)
    assert torch.equal(whole[:, -20:], cropped[:, -20:])
    assert torch.equal(whole[:, : 3 * BLOCK], prompt)


def test_a_sample_is_the_same_alone_and_among_others() -> None:
    model, prompt = gpt(), tokens(1, 5)
    settings = Settings(seed=3)
    together = generate(model, prompt.expand(5, -1), 30, settings=settings)
    for row in range(5):
        assert torch.equal(generate(model, prompt, 30, settings=settings, rows=[row])[0], together[row])
    assert len({tuple(row) for row in together.tolist()}) == 5
    assert torch.equal(generate(model, prompt.expand(5, -1), 30, settings=settings), together)
    assert not torch.equal(generate(model, prompt.expand(5, -1), 30, settings=Settings(seed=4)), together)


def test_more_tokens_go_on_with_the_same_text() -> None:
    model, prompt = gpt(), tokens(2, 5)
    short, long = (generate(model, prompt, n) for n in (140, 300))  # beyond one helping of numbers
    assert torch.equal(short, long[:, :145])


def test_global_random_numbers_are_neither_read_nor_moved() -> None:
    model, prompt = gpt(), tokens(1, 5)
    first = generate(model, prompt, 10)
    torch.manual_seed(8)
    before = torch.get_rng_state()
    assert torch.equal(generate(model, prompt, 10), first)
    assert torch.equal(torch.get_rng_state(), before)


def test_a_row_ends_with_its_stop_token_and_the_batch_with_its_last_row() -> None:
    model, prompt = gpt(), tokens(6, 3)
    free = generate(model, prompt, 200)[:, 3:].tolist()
    stop = 7
    stopped = generate(model, prompt, 200, stop=stop)[:, 3:].tolist()
    ends = [row.index(stop) for row in free]
    assert len({*ends}) > 1
    for end, before, after in zip(ends, free, stopped, strict=True):
        assert after == before[: end + 1] + [stop] * (max(ends) - end)


def test_a_stream_gives_tokens_as_they_come_and_generate_the_same() -> None:
    model, prompt = gpt(), tokens(2, 5)
    whole = generate(model, prompt, 12)
    seen: list[Tensor] = []
    generate(model, prompt, 12, on_token=seen.append)
    assert torch.equal(torch.stack(seen, 1), whole[:, 5:])
    assert torch.equal(torch.stack(list(stream(model, prompt, 12)), 1), whole[:, 5:])
    assert torch.equal(torch.stack(list(islice(stream(model, prompt, 10**9), 12)), 1), whole[:, 5:])
    assert torch.equal(generate(model, prompt[0], 12), whole[:1])
    assert torch.equal(generate(model, prompt, 0), prompt)


def test_the_model_is_in_eval_mode_while_it_runs_and_in_its_own_afterwards() -> None:
    model, prompt = gpt().train(), tokens(1, 5)
    assert model.config.dropout > 0
    assert torch.equal(generate(model, prompt, 20), generate(gpt(), prompt, 20))
    steps = stream(model, prompt, 20)
    next(steps)
    assert model.training
    assert all(module.training for module in model.modules())
    assert torch.is_grad_enabled()
    assert not torch.is_inference_mode_enabled()
    del steps
    assert model.training


def test_a_model_that_fails_leaves_the_mode_as_it_was() -> None:
    model = gpt("absolute").train()
    with pytest.raises(IndexError):
        generate(model, torch.tensor([[VOCABULARY]]), 1)
    assert model.training


def test_anything_callable_generates() -> None:
    def successor(tokens: Tensor) -> Tensor:
        return nn.functional.one_hot((tokens + 1) % VOCABULARY, VOCABULARY).double()

    found = generate(successor, torch.tensor([11]), 4, settings=GREEDY)
    assert found.tolist() == [[11, 12, 0, 1, 2]]


@pytest.mark.parametrize(
    "prompt", [torch.empty(2, 0, dtype=torch.int64), torch.empty(0, dtype=torch.int64), torch.zeros(1, 1, 1)]
)
def test_a_prompt_without_tokens_is_refused(prompt: Tensor) -> None:
    with pytest.raises(ValueError, match="prompt"):
        generate(gpt(), cast(Tensor, prompt), 3)


def test_rows_have_to_fit_the_batch() -> None:
    with pytest.raises(ValueError, match="2 sample numbers for a batch of 3"):
        generate(gpt(), tokens(3, 4), 3, rows=[0, 1])
