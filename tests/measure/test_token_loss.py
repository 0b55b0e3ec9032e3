"""Losses against a loop that scores one token at a time, every token exactly once; intervals against simulation."""

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings, strategies as st
from torch import Tensor, nn

from erlangen.measure.token_loss import How, aligned_losses, bits_per_byte, loss_interval, token_losses

VOCABULARY = 7


class Causal(nn.Module):
    """Logits from all tokens so far, in float64; a token's place counts too, so that the window that it stands in shows."""

    def __init__(self, seed: int = 0, p: float = 0.0) -> None:
        super().__init__()
        torch.manual_seed(seed)
        self.embed = nn.Embedding(VOCABULARY, 16, dtype=torch.float64)
        self.out = nn.Linear(16, VOCABULARY, dtype=torch.float64)
        self.dropout = nn.Dropout(p)
        self.frozen = nn.Dropout(0.5).eval()
        self.seen: list[tuple[int, ...]] = []

    def forward(self, tokens: Tensor) -> Tensor:
        self.seen.append(tuple(tokens.shape))
        places = torch.arange(1, tokens.shape[1] + 1)[:, None]
        h = (self.embed(tokens) * places.sqrt()).cumsum(1) / places
        return self.out(self.frozen(self.dropout(torch.tanh(h))))


def random_tokens(n: int, seed: int = 0) -> Tensor:
    return torch.randint(VOCABULARY, (n,), generator=torch.Generator().manual_seed(seed))


@torch.no_grad()
def loss_at(model: Callable[[Tensor], Tensor], tokens: Tensor, start: int, i: int) -> float:
    """-log p(tokens[i] | tokens[start:i])."""
    logits = model(tokens[None, start:i].long())[0, -1]
    return float(F.cross_entropy(logits[None].double(), tokens[i][None].long()))


def window_start(i: int, n: int, block: int, how: How) -> int:
    """Where the window that has to score token i begins, from the definition."""
    if how == "windows":
        return (i - 1) // block * block
    stride = max(block // 2, 1)
    if i <= block:
        return 0
    steps = -(-(i - block) // stride)  # the first window that reaches i
    return min(steps * stride, n - 1 - block)


@pytest.mark.parametrize("how", ["windows", "sliding"])
@pytest.mark.parametrize("block", [1, 2, 5, 6])
def test_equal_to_a_loop_over_tokens_whatever_the_tail(how: How, block: int) -> None:
    model = Causal()
    for n in range(2, 3 * block + 4):
        tokens = random_tokens(n, seed=n)
        losses = token_losses(model, tokens, block, how=how, batch=3)
        expected = [loss_at(model, tokens, window_start(i, n, block, how), i) for i in range(1, n)]
        torch.testing.assert_close(losses, torch.tensor(expected, dtype=torch.float64))


@given(n=st.integers(2, 300), block=st.integers(1, 40), batch=st.integers(1, 9), how=st.sampled_from(["windows", "sliding"]))
@settings(max_examples=60, deadline=None)
def test_each_token_but_the_first_is_scored_once_in_order(n: int, block: int, batch: int, how: How) -> None:
    # The loss of token i is i: all tokens differ, and the next one has the logit that makes it so.
    def model(tokens: Tensor) -> Tensor:
        surprise = (tokens + 1).double()[..., None].expand(*tokens.shape, n).clone()
        return torch.where(torch.arange(n) == tokens[..., None] + 1, -torch.log(torch.expm1(surprise * 0.01) / (n - 1)), 0.0)

    losses = token_losses(model, torch.arange(n), block, how=how, batch=batch)
    torch.testing.assert_close(losses, 0.01 * torch.arange(1, n, dtype=torch.float64), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("how", ["windows", "sliding"])
def test_no_window_is_longer_than_the_block_nor_batch_larger(how: How) -> None:
    model = Causal()
    token_losses(model, random_tokens(203), 10, how=how, batch=4)
    assert max(rows for rows, _ in model.seen) == 4
    assert max(length for _, length in model.seen) == 10


@pytest.mark.parametrize("how", ["windows", "sliding"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_uniform_model_has_log_v(how: How, dtype: torch.dtype) -> None:
    losses = token_losses(lambda tokens: torch.zeros(*tokens.shape, VOCABULARY, dtype=dtype), random_tokens(50), 8, how=how)
    torch.testing.assert_close(losses, torch.full((49,), math.log(VOCABULARY), dtype=torch.float64), rtol=1e-6, atol=0)


@given(block=st.integers(1, 40), how=st.sampled_from(["windows", "sliding"]))
@settings(max_examples=30, deadline=None)
def test_of_a_model_that_sees_one_token_no_window_matters(block: int, how: How) -> None:
    table = torch.randn(VOCABULARY, VOCABULARY, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    tokens = random_tokens(77).to(torch.uint8)  # as a corpus keeps them
    expected = F.cross_entropy(table[tokens[:-1].long()], tokens[1:].long(), reduction="none")
    torch.testing.assert_close(token_losses(lambda t: table[t], tokens, block, how=how), expected)


def test_sliding_windows_have_at_least_half_a_block_before() -> None:
    assert all(
        i - window_start(i, 100, 16, "sliding") > 8 for i in range(16, 100)
    )  # of the oracle above, which is the definition


def test_dropout_is_off_and_the_modes_come_back() -> None:
    model, tokens = Causal(p=0.5).train(), random_tokens(60)
    model.frozen.eval()
    first = token_losses(model, tokens, 8)
    assert torch.equal(first, token_losses(model, tokens, 8))
    assert not first.requires_grad
    assert (model.training, model.dropout.training, model.frozen.training) == (True, True, False)


def test_the_modes_come_back_after_a_fault() -> None:
    class Faulty(Causal):
        def forward(self, tokens: Tensor) -> Tensor:
            raise RuntimeError("fault")

    model = Faulty().train()
    with pytest.raises(RuntimeError, match="fault"):
        token_losses(model, random_tokens(20), 8)
    assert model.training


def test_autocast_reaches_the_model() -> None:
    model, tokens = Causal().float(), random_tokens(90)
    model.embed.float()
    plain, low = token_losses(model, tokens, 8), token_losses(model, tokens, 8, autocast=torch.bfloat16)
    assert 0 < float((plain - low).abs().max()) < 0.1


@pytest.mark.parametrize(
    ("tokens", "block"), [(torch.zeros(3, 3), 2), (torch.zeros(1), 2), (torch.zeros(0), 2), (torch.zeros(5), 0)]
)
def test_what_cannot_be_scored_is_refused(tokens: Tensor, block: int) -> None:
    with pytest.raises(ValueError, match=r"token_losses: tokens \(.*must be a row of at least 2"):
        token_losses(Causal(), tokens.long(), block)


def test_logits_of_another_shape_are_refused() -> None:
    with pytest.raises(ValueError, match=r"\(1, 7\) for tokens \(1, 4\)"):
        token_losses(lambda tokens: torch.zeros(len(tokens), VOCABULARY), random_tokens(5), 8)


END = VOCABULARY - 1


def documents(lengths: list[int], seed: int = 0) -> tuple[Tensor, Tensor]:
    """Tokens of documents that END ends, each of so many tokens with it, and where they start."""
    parts = [torch.cat([random_tokens(n - 1, seed + i) % END, torch.tensor([END])]) for i, n in enumerate(lengths)]
    return torch.cat(parts), torch.tensor([0, *np.cumsum(lengths)[:-1].tolist()])


def aligned_loop(model: Causal, tokens: Tensor, starts: Tensor, block: int) -> list[float]:
    """One token at a time: END, then the documents that fit into its window, taken one after the other."""
    losses: list[float] = []
    window = int(starts[0])
    for start, stop in zip(starts.tolist(), [*starts[1:].tolist(), len(tokens)], strict=True):
        if stop - window > block:
            window = start
        for i in range(start, stop):
            seen = torch.cat([torch.tensor([END]), tokens[window : i + 1]])
            losses.append(loss_at(model, seen, 0, len(seen) - 1))
    return losses


@given(lengths=st.lists(st.integers(1, 9), min_size=1, max_size=20), extra=st.integers(0, 12), batch=st.integers(1, 5))
@settings(max_examples=40, deadline=None)
def test_documents_are_scored_whole(lengths: list[int], extra: int, batch: int) -> None:
    tokens, starts = documents(lengths)
    model, block = Causal(), max(lengths) + extra
    losses, index = aligned_losses(model, tokens.to(torch.uint8), starts, block, batch=batch)
    assert index.tolist() == list(range(len(tokens)))
    torch.testing.assert_close(losses, torch.tensor(aligned_loop(model, tokens, starts, block), dtype=torch.float64))
    assert max(length for _, length in model.seen) <= max(block, max(lengths))


def test_what_comes_before_the_first_document_is_not_scored() -> None:
    tokens, starts = documents([4, 6, 3, 5])
    losses, index = aligned_losses(Causal(), tokens, starts[1:], 20)
    assert index.tolist() == list(range(4, 18))
    whole, _ = aligned_losses(Causal(), tokens[4:], starts[1:] - 4, 20)
    torch.testing.assert_close(losses, whole)


def test_the_exact_chances_of_a_grammar_give_its_entropy() -> None:
    """Documents of 1 + a geometric number of tokens: the model that knows the grammar has its entropy per token as the mean."""
    rng = np.random.default_rng(0)
    tokens, starts = documents((1 + rng.geometric(0.5, 6000)).clip(max=30).tolist())
    # After END: a token of 0 .. 5, evenly; after a token: END with 1/2, else any token.
    table = torch.full((VOCABULARY, VOCABULARY), 1 / 12, dtype=torch.float64)
    table[:, END] = 0.5
    table[END] = torch.tensor([1 / 6] * 6 + [1e-300], dtype=torch.float64)
    losses, _ = aligned_losses(lambda t: table.log()[t], tokens, starts, 64)
    entropy = math.log(6) + 2 * math.log(2) + math.log(6)  # a first token; two coins and one more token on average
    assert loss_interval(losses).estimate == pytest.approx(entropy / 3, rel=0.03)


@pytest.mark.parametrize("fault", ["too long", "no END", "two ends", "no documents", "negative", "not sorted"])
def test_documents_that_cannot_be_scored_whole_are_refused(fault: str) -> None:
    tokens, starts = documents([4, 6, 3])
    block = 5 if fault == "too long" else 10
    if fault == "no END":
        tokens[-1] = 0
    if fault == "two ends":
        tokens[3] = 0
    if fault == "no documents":
        starts = starts[:0]
    if fault == "negative":
        starts[0] = -1
    if fault == "not sorted":
        starts = starts.flip(0)
    with pytest.raises(ValueError, match="aligned_losses: "):
        aligned_losses(Causal(), tokens, starts, block)


@given(st.lists(st.floats(0, 10), min_size=2, max_size=400), st.integers(2, 50))
def test_the_estimate_is_the_mean_over_tokens(losses: list[float], blocks: int) -> None:
    interval = loss_interval(losses, blocks)
    assert interval.estimate == pytest.approx(np.mean(losses), abs=1e-9)
    assert interval.n == min(blocks, len(losses) // 2)
    assert not interval.low > interval.high


def autoregressive(rng: np.random.Generator, n: int, memory: float) -> np.ndarray:
    """Unit variance, correlation exp(-lag / memory)."""
    from scipy.signal import lfilter

    a = math.exp(-1 / memory)
    noise = rng.standard_normal(n + 20 * int(memory)) * math.sqrt(1 - a * a)
    return lfilter([1], [1, -a], noise)[-n:]


def test_intervals_cover_though_neighbors_are_alike() -> None:
    """25 000 losses that remember 50 tokens: 95 % intervals over blocks hold 95 %, such over tokens a quarter."""
    from erlangen.statistics.intervals import mean_interval

    rng = np.random.default_rng(1)
    texts = [autoregressive(rng, 25_000, 50) for _ in range(400)]
    covered = sum(not loss_interval(text).excludes(0.0) for text in texts)
    naive = sum(not mean_interval(text).excludes(0.0) for text in texts)
    assert 367 <= covered <= 392  # 380 ± 3 standard errors
    assert naive < 160


def test_of_few_losses_little_is_known() -> None:
    assert math.isnan(loss_interval([]).estimate)
    assert loss_interval([2.0])[0] == 2.0
    assert math.isnan(loss_interval([2.0]).low)
    assert loss_interval(torch.ones(100)) == (1.0, 1.0, 1.0, 30)  # though 30 blocks of 100 are not equally long
    with pytest.raises(ValueError, match="1 blocks"):
        loss_interval([1.0, 2.0], 1)


def test_blocks_weigh_as_the_losses_they_hold() -> None:
    """Of 2 and of 3 losses: their sums of deviations, each over half of 5."""
    from erlangen.statistics.intervals import mean_interval

    assert loss_interval([0.0, 0.0, 1.0, 1.0, 1.0], 2) == pytest.approx(mean_interval([0.6 - 1.2 / 2.5, 0.6 + 1.2 / 2.5]))


def test_bits_per_byte() -> None:
    assert bits_per_byte(math.log(256) * 10, 10) == pytest.approx(8)  # a uniform guess of each byte
    assert bits_per_byte(math.log(2) * 30, 60) == pytest.approx(0.5)
    assert math.isnan(bits_per_byte(0.0, 0))
