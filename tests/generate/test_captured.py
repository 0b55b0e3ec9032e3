"""The captured decoder is the plain one: logits, texts, filters, hops; a recorded step, replayed, is the step itself."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import replace
from itertools import islice
from typing import Any, get_args

import pytest
import torch
from support.small_gpts import EVERY_FILTER, scaled, with_shared_keys
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten

from erlangen.errors import ErlangenError
from erlangen.generate.captured import CapturedDecoder
from erlangen.generate.decode import Cached, Chooser, generate, stream
from erlangen.generate.filters import choose
from erlangen.generate.replay import Action
from erlangen.generate.selection import select
from erlangen.generate.settings import Settings
from erlangen.generate.static import StaticReader, reach
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
    "window and hops": replace(BASE, window=5, positions="absolute"),
    "odd block": replace(BASE, block=13, positions="absolute"),
    "one token": replace(BASE, block=1, positions="absolute"),
}
SETTINGS = {
    "greedy": Settings(temperature=0),
    "plain": Settings(seed=3),
    "cold": Settings(temperature=0.3, seed=1),
    "hot": Settings(temperature=2.5),
    "top-k": Settings(top_k=4, temperature=0.8),
    "top-p": Settings(top_p=0.7, seed=2),
    "min-p": Settings(min_p=0.2, temperature=1.5),
    "penalty": Settings(repetition_penalty=1.4, seed=5),
    "greedy penalty": Settings(temperature=0, repetition_penalty=0.6),
    "all": EVERY_FILTER,
}
EVERY = pytest.mark.parametrize("config", KINDS.values(), ids=KINDS)
FURTHER = KINDS | scaled(BASE) | with_shared_keys(BASE)
MORE = pytest.mark.parametrize("config", FURTHER.values(), ids=FURTHER)


class Recorder(TorchDispatchMode):
    """A capture on a CPU: the operations of a function with their tensors and constants, to be run again.

    As in a CUDA graph, results go to the tensors that the recording made, and what the host computed is fixed.
    """

    def __init__(self) -> None:
        super().__init__()
        self.operations: list[tuple[Any, Any, Any, Any]] = []

    def __torch_dispatch__(self, op: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        assert op not in (torch.ops.aten._local_scalar_dense.default, torch.ops.aten.nonzero.default), "waits for the device"
        out = op(*args, **(kwargs or {}))
        self.operations.append((op, args, kwargs or {}, out))
        return out

    def replay(self) -> None:
        for op, args, kwargs, out in self.operations:
            again = op(*args, **kwargs)
            for old, new in zip(tree_flatten(out)[0], tree_flatten(again)[0], strict=True):
                if isinstance(old, Tensor) and old.data_ptr() != new.data_ptr():
                    old.copy_(new)


class Capture:
    """Records without leaving a trace in the tensors, as a capture runs nothing."""

    def __init__(self) -> None:
        self.decoder: CapturedDecoder | None = None
        self.recorded = self.replayed = 0

    def __call__(self, function: Action) -> Action:
        assert self.decoder is not None
        d, r = self.decoder, self.decoder.reader
        state = [d.token, d.shown, d.ended, d.seen, d.text, d.written.tokens, d.written.length, r.cache.memory, r.cache.position]
        state = [x for x in state if x is not None]
        before = [x.clone() for x in state]
        recorder = Recorder()
        with recorder:
            function()
        for x, old in zip(state, before, strict=True):
            x.copy_(old)
        self.recorded += 1

        def replay() -> None:
            self.replayed += 1
            recorder.replay()

        return replay


def gpt(config: GPTConfig, dtype: torch.dtype = torch.float32) -> GPT:
    """With gains, shifts and biases that are not 1 and 0."""
    torch.manual_seed(0)
    model = GPT(config)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.15 * torch.randn_like(parameter))
    return model.eval().to(dtype)


def tokens(rows: int, length: int) -> Tensor:
    return torch.randint(VOCABULARY, (rows, length), generator=torch.Generator().manual_seed(1))


def recording(model: GPT, rows: int, dtype: torch.dtype = torch.float64) -> tuple[CapturedDecoder, Capture]:
    capture = Capture()
    capture.decoder = decoder = CapturedDecoder(model, rows, dtype, capture)
    return decoder, capture


@MORE
@pytest.mark.parametrize("rows", [1, 3])
@pytest.mark.parametrize(("dtype", "bound"), [(torch.float32, 1e-5), (torch.float64, 1e-7), (torch.bfloat16, 0.05)])
def test_logits_are_the_models(config: GPTConfig, rows: int, dtype: torch.dtype, bound: float) -> None:
    """Of a prompt, steps across the ring's end more than twice, and some tokens at once; the logits' largest as unit."""
    model = gpt(config, torch.float64 if dtype == torch.float64 else torch.float32)
    plain, static, text = Cached(model, rows), StaticReader(model, rows, dtype), tokens(rows, 3 * BLOCK)
    cuts = [0, 5, *range(6, 20), 23, *range(24, 3 * BLOCK + 1)]
    differences, largest = [], 0.0
    with torch.inference_mode():
        for start, end in itertools.pairwise(cuts):
            expected, found = plain(text[:, start:end]), static(text[:, start:end])
            assert found.shape == expected.shape
            assert found.dtype == dtype
            differences.append(float((found - expected).abs().max()))
            largest = max(largest, float(expected.abs().max()))
    assert all(difference < bound * largest for difference in differences)  # not so if one is NaN


@EVERY
@pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS)
def test_texts_are_the_plain_ones_with_steps_replayed(config: GPTConfig, settings: Settings) -> None:
    model, prompt = gpt(config, torch.float64), tokens(3, 5)
    decoder, capture = recording(model, 3)
    for text in (prompt, tokens(3, 40)):  # one decoder for several texts; longer than the block
        assert torch.equal(
            generate(model, text, 45, settings=settings, read=decoder), generate(model, text, 45, settings=settings)
        )
    if config.block > 2:
        assert capture.recorded == 1
        assert capture.replayed > 60


@pytest.mark.parametrize("config", (scaled(BASE) | with_shared_keys(BASE)).values(), ids=scaled(BASE) | with_shared_keys(BASE))
def test_texts_that_grow_past_the_trained_length_are_the_plain_ones(config: GPTConfig) -> None:
    model = gpt(config, torch.float64)
    decoder, _ = recording(model, 3)
    for prompt in (tokens(3, 5), tokens(3, 9), tokens(3, 12)):
        expected = generate(model, prompt, 30, settings=SETTINGS["all"])
        assert torch.equal(generate(model, prompt, 30, settings=SETTINGS["all"], read=decoder), expected)


@pytest.mark.parametrize("kind", ["rotary", "alibi", "like GPT-2", "window"])
def test_every_reach_is_captured_and_texts_stay_the_same(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("erlangen.generate.static.LEAST", 4)
    model = gpt(replace(KINDS[kind], block=32), torch.float64)
    decoder, capture = recording(model, 2)
    for settings in (SETTINGS["greedy"], SETTINGS["all"]):
        expected = generate(model, tokens(2, 3), 70, settings=settings)
        assert torch.equal(generate(model, tokens(2, 3), 70, settings=settings, read=decoder), expected)
    assert capture.recorded == 2 * 7  # 8, 12 ... 32; 4 slots are read once only


@pytest.mark.parametrize("kind", ["rotary", "like GPT-2"])
def test_a_text_that_outgrows_its_room_is_captured_again_and_stays_the_same(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("erlangen.generate.ngrams.LEAST", 8)
    model, settings = gpt(KINDS[kind], torch.float64), Settings(no_repeat_ngram_size=2, seed=6)
    decoder, capture = recording(model, 2)
    expected = generate(model, tokens(2, 5), 60, settings=settings)
    for _ in range(2):
        assert torch.equal(generate(model, tokens(2, 5), 60, settings=settings, read=decoder), expected)
    assert capture.recorded == 5  # for texts of 8, 16, 32, 64 and 128 tokens
    assert not torch.equal(generate(model, tokens(2, 5), 60, settings=Settings(seed=6), read=decoder), expected)


def test_a_reach_covers_what_is_held_and_there_are_few() -> None:
    for size in (1, 5, 128, 1000, 1024, 16384):
        reaches = [reach(held, size) for held in range(1, size + 1)]
        assert all(held <= n <= size for held, n in zip(range(1, size + 1), reaches, strict=True))
        assert reaches == sorted(reaches)
        assert all(n < max(held + 128, 1.25 * held + 1) for held, n in zip(range(1, size + 1), reaches, strict=True))
        assert len({*reaches}) <= 24


def test_a_row_ends_with_its_stop_token_and_the_batch_with_its_last_row() -> None:
    model, prompt, stop = gpt(BASE, torch.float64), tokens(6, 3), 7
    decoder, _ = recording(model, 6)
    for settings in (SETTINGS["hot"], SETTINGS["penalty"]):
        expected = generate(model, prompt, 200, stop=stop, settings=settings)
        assert expected.shape[1] < 200
        assert torch.equal(generate(model, prompt, 200, stop=stop, settings=settings, read=decoder), expected)
        free = generate(model, prompt, 60, settings=settings, read=decoder)  # the captures of the stop token are not used again
        assert torch.equal(free, generate(model, prompt, 60, settings=settings))


def test_steps_that_begin_ahead_of_the_host_change_nothing() -> None:
    """As on a GPU: tokens are fetched when later steps have begun, and a stop token ends the text exactly."""
    model, prompt = gpt(BASE, torch.float64), tokens(4, 3)
    decoder, _ = recording(model, 4)
    decoder.ahead = 2
    for settings, stop in itertools.product((SETTINGS["hot"], SETTINGS["all"], SETTINGS["greedy"]), (None, 7)):
        expected = generate(model, prompt, 50, stop=stop, settings=settings)
        assert torch.equal(generate(model, prompt, 50, stop=stop, settings=settings, read=decoder), expected)


def test_a_sample_is_the_same_alone_and_among_others() -> None:
    model, prompt, settings = gpt(BASE, torch.float64), tokens(1, 5), Settings(seed=3)
    together = generate(model, prompt.expand(4, -1), 30, settings=settings, read=CapturedDecoder(model, 4, torch.float64))
    alone = CapturedDecoder(model, 1, torch.float64)
    for row in range(4):
        assert torch.equal(generate(model, prompt, 30, settings=settings, rows=[row], read=alone)[0], together[row])


def test_more_random_numbers_than_one_helping() -> None:
    model, prompt = gpt(BASE, torch.float64), tokens(2, 5)
    decoder, _ = recording(model, 2)
    assert torch.equal(generate(model, prompt, 300, read=decoder), generate(model, prompt, 300))


def test_a_stream_may_be_left_early_and_the_next_begins_anew() -> None:
    model, prompt = gpt(BASE, torch.float64), tokens(2, 5)
    decoder, _ = recording(model, 2)
    assert isinstance(decoder, Chooser)
    whole = generate(model, prompt, 12)[:, 5:]
    assert torch.equal(torch.stack(list(islice(stream(model, prompt, 10**9, read=decoder), 12)), 1), whole)
    steps = stream(model, prompt, 10**9, read=decoder)
    next(steps)
    assert not torch.is_inference_mode_enabled()
    assert torch.equal(torch.stack(list(stream(model, prompt, 12, read=decoder)), 1), whole)
    assert torch.equal(generate(model, prompt, 0, read=decoder), prompt)
    decoder.reset()
    with torch.inference_mode():
        torch.testing.assert_close(decoder(prompt), Cached(model, 2)(prompt), rtol=1e-7, atol=1e-7)


@EVERY
def test_every_tensor_is_made_where_the_model_is(config: GPTConfig) -> None:
    """With another default device: a tensor that is made without naming one is there, and cannot be combined with the model's."""
    model, prompt = gpt(config), tokens(2, 7)
    for settings in (SETTINGS["greedy"], SETTINGS["all"]):
        expected = generate(model, prompt, 20, settings=settings, stop=3)
        with torch.device("meta"):
            decoder = CapturedDecoder(model, 2, torch.float32)
            assert torch.equal(generate(model, prompt, 20, settings=settings, stop=3, read=decoder), expected)


def test_kernels_that_do_not_run_are_replaced_with_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a CPU they cannot run, with Triton or without."""
    model, prompt = gpt(BASE), tokens(2, 7)
    assert CapturedDecoder(model, 2, torch.float32).fused is None
    with pytest.raises((ImportError, ValueError, RuntimeError)):
        CapturedDecoder(model, 2, torch.float32, fused=True)
    monkeypatch.setattr("erlangen.generate.fused.can_fuse", lambda reader: True)
    with pytest.warns(UserWarning, match="decoding without fused kernels, which is slower, because Triton failed"):
        decoder = CapturedDecoder(model, 2, torch.float32)
    assert torch.equal(generate(model, prompt, 20, read=decoder), generate(model, prompt, 20))
    assert CapturedDecoder(model, 2, torch.float32, fused=False).fused is None


class Counting:
    """A stand-in for a fused step: the plain one over the whole ring, with a count of its calls."""

    def __init__(self, reader: StaticReader) -> None:
        self.reader, self.calls = reader, 0

    def __call__(self, token: Tensor) -> Tensor:
        self.calls += 1
        return self.reader.step(token, self.reader.block)


@pytest.mark.parametrize("kind", ["rotary", "like GPT-2"])
def test_a_fused_step_is_captured_once_for_every_length(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("erlangen.generate.static.LEAST", 4)
    model, prompt = gpt(KINDS[kind], torch.float64), tokens(2, 3)
    decoder, capture = recording(model, 2)
    decoder.fused = step = Counting(decoder.reader)  # type: ignore[assignment]
    assert torch.equal(generate(model, prompt, 45, read=decoder), generate(model, prompt, 45))
    assert (step.calls, capture.recorded) == (2, 1)


def test_tokens_given_out_do_not_change_later() -> None:
    model, prompt = gpt(BASE), tokens(2, 5)
    steps = list(stream(model, prompt, 9, read=CapturedDecoder(model, 2, torch.float32)))
    assert torch.equal(torch.stack(steps, 1), generate(model, prompt, 9)[:, 5:])


def test_another_batch_is_refused_and_damaged_weights_are_named() -> None:
    model = gpt(BASE)
    decoder = CapturedDecoder(model, 2, torch.float32)
    with pytest.raises(ValueError, match="2 texts at a time, but the prompt has 3 rows"):
        generate(model, tokens(3, 4), 3, read=decoder)
    for damage in (float("nan"), float("inf")):
        broken = gpt(BASE)
        with torch.no_grad():
            broken.head.weight[3] = damage
        for settings in (SETTINGS["greedy"], SETTINGS["all"], Settings()):
            with pytest.raises(ErlangenError, match="not finite"):
                generate(broken, tokens(2, 4), 3, settings=settings, read=CapturedDecoder(broken, 2, torch.float32))


def logits_with_ties(rows: int, vocabulary: int, dtype: torch.dtype) -> Tensor:
    """Coarse numbers, so that many are equal."""
    x = torch.randn(rows, vocabulary, generator=torch.Generator().manual_seed(4))
    return (2 * x).round().to(dtype) if dtype == torch.bfloat16 else (4 * x).round().div(2).to(dtype)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float32, torch.float64])
@pytest.mark.parametrize("vocabulary", [2, 30, 1000])
@pytest.mark.parametrize(
    "limits",
    [
        {}, {"top_k": 1}, {"top_k": 3}, {"top_k": 500}, {"top_k": 5000}, {"top_p": 1e-9}, {"top_p": 0.5}, {"top_p": 0.9},
        {"top_p": 1.0}, {"min_p": 0.0}, {"min_p": 0.1}, {"min_p": 1.0}, {"top_k": 20, "top_p": 0.8}, {"top_k": 20, "min_p": 0.3},
        {"top_p": 0.95, "min_p": 0.02}, {"top_k": 40, "top_p": 0.9, "min_p": 0.05},
        {"typical_p": 0.2}, {"typical_p": 0.9, "top_k": 20}, {"typical_p": 0.1, "min_tokens_to_keep": 3},
        {"top_k": 1, "top_p": 1e-9, "min_p": 1.0, "min_tokens_to_keep": 3},
    ],
    ids=str,
)  # fmt: skip
def test_a_choice_is_that_of_the_filters(dtype: torch.dtype, vocabulary: int, limits: dict[str, Any]) -> None:
    """At many random numbers, so that every token of the kept set and its weight is compared."""
    uniform = torch.linspace(0, 1 - 1e-9, 401, dtype=torch.float64)
    logits = logits_with_ties(1, vocabulary, dtype).expand(401, -1).contiguous()
    previous = torch.arange(0, vocabulary, 3)[None].expand(401, -1)
    seen = torch.zeros(401, vocabulary, dtype=torch.bool).scatter_(1, previous, True)
    for temperature, penalty in itertools.product((0.0, 1e-300, 0.3, 1.0, 2.0), (1.0, 1.7)):
        settings = Settings(temperature=temperature, repetition_penalty=penalty, **limits)
        found, best = select(logits, settings, uniform, seen)
        assert torch.equal(found, choose(logits, settings, uniform, previous))
        assert bool(best.isfinite().all())


def test_a_recorder_sees_what_the_host_decides() -> None:
    """The recorder itself: what a step takes from the host is fixed, and so would be found."""
    position, memory = torch.zeros(1, dtype=torch.int64), torch.zeros(8)

    def right() -> None:
        memory.index_copy_(0, position, torch.ones(1))
        position.add_(1)

    host = iter(range(8))

    def wrong() -> None:
        memory[next(host)] = 1

    for function, expected in ((right, 4), (wrong, 1)):
        memory.zero_()
        position.zero_()
        recorder = Recorder()
        with recorder:
            function()
        for _ in range(3):
            recorder.replay()
        assert int(memory.sum()) == expected


def test_waiting_for_the_device_is_seen() -> None:
    function: Callable[[], object] = lambda: int(torch.ones(1))  # noqa: E731
    with pytest.raises(AssertionError, match="waits"), Recorder():
        function()
