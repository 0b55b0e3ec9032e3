"""The range test: an exponential sweep on a copy, which leaves everything as it was, and a rule for what to take."""

from __future__ import annotations

import copy

import pytest
import torch

from erlangen.data.characters import CharacterTokenizer
from erlangen.data.corpus import Corpus
from erlangen.errors import ErlangenError
from erlangen.models.gpt import GPT, GPTConfig
from erlangen.train.language_model import LanguageSchedule, fit
from erlangen.train.rate_finder import find_rate, suggestion

SCHEDULE = LanguageSchedule(steps=30, batch=8, warmup=0, evaluate_every=30)


@pytest.fixture
def corpus() -> Corpus:
    """abcabc...: each letter says which is next."""
    tokens = (torch.arange(900) % 3).to(torch.uint8)
    return Corpus(
        name="abc", tokenizer=CharacterTokenizer("abc"), train=tokens[:700], validation=tokens[710:800], test=tokens[810:]
    )


@pytest.fixture
def model() -> GPT:
    torch.manual_seed(0)
    return GPT(GPTConfig(vocabulary=3, block=8, layers=1, heads=2, width=16, dropout=0.1))


def test_the_sweep_is_exponential_and_the_smoothed_loss_the_weighted_mean(corpus: Corpus, model: GPT) -> None:
    curve = find_rate(model, corpus, SCHEDULE, low=1e-4, high=1e-1, steps=31)
    rates = torch.tensor(curve.rates, dtype=torch.float64)
    assert len(rates) == len(curve.losses) == len(curve.smoothed) == 31
    torch.testing.assert_close(rates, torch.logspace(-4, -1, 31, dtype=torch.float64))
    for step in (0, 1, 17):
        weights = [0.9 ** (step - i) for i in range(step + 1)]
        mean = sum(w * loss for w, loss in zip(weights, curve.losses, strict=False)) / sum(weights)
        assert curve.smoothed[step] == pytest.approx(mean, rel=1e-9)
    assert curve.suggestion == suggestion(list(curve.rates), list(curve.smoothed))


def test_weights_random_states_and_data_stay(corpus: Corpus, model: GPT) -> None:
    before, state = copy.deepcopy(model.state_dict()), torch.get_rng_state()
    tokens = corpus.train.clone()
    find_rate(model, corpus, SCHEDULE, steps=10)
    assert torch.equal(state, torch.get_rng_state())
    assert torch.equal(tokens, corpus.train)
    assert all(torch.equal(before[name], weight) for name, weight in model.state_dict().items())
    assert all(parameter.grad is None for parameter in model.parameters())


def test_the_suggestion_is_a_tenth_of_the_rate_at_the_least_loss() -> None:
    assert suggestion([1e-3, 1e-2, 1e-1, 1.0], [3.0, 2.0, 1.0, 5.0]) == pytest.approx(1e-2)


def test_what_is_suggested_learns_better_than_the_ends_of_the_range(corpus: Corpus, model: GPT) -> None:
    found = find_rate(model, corpus, SCHEDULE, high=10.0).suggestion
    losses = {}
    for rate in (1e-5, found, 10.0):
        net = copy.deepcopy(model)
        schedule = LanguageSchedule(steps=40, batch=8, warmup=0, evaluate_every=40, lr=rate)
        losses[rate] = fit(net, corpus, schedule).best_loss
    assert losses[found] < min(losses[1e-5], losses[10.0])
    assert losses[found] < 0.5 * losses[1e-5]


def test_a_loss_that_explodes_ends_it_early(corpus: Corpus, model: GPT) -> None:
    curve = find_rate(model, corpus, SCHEDULE, low=1e-3, high=1e6, steps=60)
    assert len(curve.rates) < 60
    assert curve.suggestion < 1


def test_a_loss_that_never_was_finite_is_one_line(corpus: Corpus, model: GPT) -> None:
    torch.nn.init.constant_(model.norm.weight, torch.nan)
    with pytest.raises(ErlangenError, match="not finite at the first step"):
        find_rate(model, corpus, SCHEDULE)


def test_an_empty_range_is_a_mistake(corpus: Corpus, model: GPT) -> None:
    with pytest.raises(ValueError, match=r"find_rate: 100 steps from 1\.0 to 0\.1"):
        find_rate(model, corpus, SCHEDULE, low=1.0, high=0.1)
