"""The lens against plain loops over the model's own numbers, and heads whose looks are known beforehand."""

import json
import math
from typing import Any

import pytest
import torch
from torch import Tensor

from erlangen.measure.lens import even_attention, head_summaries, induction_targets, look, predictions
from erlangen.models.gpt import GPT, GPTConfig
from erlangen.records.files import from_json, to_json
from erlangen.records.inspection import Look

TOKENS = torch.tensor([3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5, 8])


def model(**settings: Any) -> GPT:
    torch.manual_seed(0)
    net = GPT(GPTConfig(**{"vocabulary": 10, "block": 16, "layers": 3, "heads": 2, "width": 16, **settings}))
    with torch.no_grad():
        for weight in net.parameters():
            weight.add_(0.4 * torch.randn_like(weight))
    return net.double().eval()


@pytest.mark.parametrize("settings", [{}, {"norm": "layer", "positions": "absolute", "bias": True, "tied": True}, {"window": 4}])
def test_the_last_layer_of_the_lens_is_the_model(settings: dict[str, Any]):
    net = model(**settings)
    found = look(net, TOKENS, top=3)
    with torch.no_grad():
        p = net(TOKENS[None])[0].softmax(-1)
    assert len(found.lens) == 4
    assert found.vocabulary == 10
    for t, entry in enumerate(found.lens[-1]):
        order = sorted(range(10), key=lambda token: -float(p[t, token]))
        assert entry.top == tuple(order[:3])
        assert entry.probabilities == pytest.approx([float(p[t, token]) for token in order[:3]], abs=1e-12)
        assert entry.entropy == pytest.approx(-sum(float(q) * math.log(q) for q in p[t]), abs=1e-12)
        if t == len(TOKENS) - 1:
            assert (entry.next, entry.probability, entry.rank, entry.surprisal) == (None,) * 4
            continue
        true = int(TOKENS[t + 1])
        assert (entry.next, entry.rank) == (true, 1 + order.index(true))
        assert entry.probability == pytest.approx(float(p[t, true]), abs=1e-12)
        assert entry.surprisal == pytest.approx(-math.log(p[t, true]), abs=1e-12)
    surprisals = [-math.log(p[t, TOKENS[t + 1]]) for t in range(len(TOKENS) - 1)]
    assert found.model_loss() == pytest.approx(sum(surprisals) / len(surprisals))


def test_an_early_layer_of_the_lens_is_the_model_without_the_rest_of_its_blocks():
    """The oracle: the same weights in a model that ends there."""
    net = model()
    found = look(net, TOKENS, top=2)
    for layers in (0, 1, 2):
        cut = model()
        cut.blocks = cut.blocks[:layers]
        with torch.no_grad():
            p = cut(TOKENS[None])[0].softmax(-1)
        for t, entry in enumerate(found.lens[layers]):
            assert entry.probabilities == pytest.approx(p[t].topk(2).values.tolist(), abs=1e-12)
    assert found.lens[0] != found.lens[3]


def test_attention_is_what_changes_when_a_value_does():
    """d out / d v_s summed over features, of a single head whose output is not mixed, is the weight on key s."""
    net = model(layers=1, heads=1)
    found = look(net, TOKENS)
    layer = net.blocks[0].attention
    seen: dict[str, Tensor] = {}
    layer.out.register_forward_pre_hook(lambda module, args: seen.update(mixed=args[0][0]))
    layer.qkv.register_forward_hook(lambda module, args, out: seen.update(values=out[0, :, 32:]))
    with torch.no_grad():
        net(TOKENS[None])
    weights = torch.zeros(12, 12, dtype=torch.float64)
    for t, row in enumerate(found.attention[0][0]):
        assert len(row) == t + 1
        weights[t, : t + 1] = torch.tensor(row, dtype=torch.float64)
    torch.testing.assert_close(weights @ seen["values"], seen["mixed"], atol=1e-4, rtol=0)
    torch.testing.assert_close(weights.sum(1), torch.ones(12, dtype=torch.float64), atol=1e-4, rtol=0)


def one_hot(places: list[int]) -> Tensor:
    """A head (T, T) whose query t looks at places[t] alone."""
    return torch.eye(len(places))[places]


def test_heads_that_do_one_thing_are_told_apart():
    t = len(TOKENS)
    last = {}
    copied = []  # where the token stood before: one further is what followed it
    for place, token in enumerate(TOKENS.tolist()):
        copied.append(last.get(token, -1) + 1)
        last[token] = place
    first, previous, itself, induction = head_summaries(
        torch.stack([one_hot([0] * t), one_hot([0, *range(t - 1)]), one_hot(list(range(t))), one_hot(copied)]), TOKENS
    )
    assert (first.first, first.itself, first.entropy) == (1, 0, 0)
    assert first.distance == pytest.approx(sum(range(1, t)) / (t - 1))
    assert (previous.previous, previous.distance, previous.itself) == (1, 1, 0)
    assert (itself.itself, itself.distance, itself.first, itself.induction) == (1, 0, 0, 0)
    assert induction.induction == 1
    assert (first.induction, previous.induction) == (0, 0.5), "by chance: 1 4 1, 5 3 5"


def test_summaries_are_means_over_the_queries_written_out():
    found = look(model(), TOKENS)
    for summary in found.heads:
        rows = found.attention[summary.layer][summary.head]
        n = len(TOKENS) - 1
        queries = range(1, n + 1)
        assert summary.entropy == pytest.approx(sum(-sum(w * math.log(w) for w in rows[t] if w) for t in queries) / n, abs=1e-3)
        assert summary.distance == pytest.approx(
            sum(sum(w * (t - s) for s, w in enumerate(rows[t])) for t in queries) / n, abs=1e-3
        )
        assert summary.first == pytest.approx(sum(rows[t][0] for t in queries) / n, abs=1e-3)
        assert summary.previous == pytest.approx(sum(rows[t][t - 1] for t in queries) / n, abs=1e-3)
        assert summary.itself == pytest.approx(sum(rows[t][t] for t in queries) / n, abs=1e-3)
        seen = [[s for s in range(1, t) if TOKENS[s - 1] == TOKENS[t]] for t in range(n + 1)]
        repeats = [t for t in range(n + 1) if seen[t]]
        expected = sum(sum(rows[t][s] for s in seen[t]) for t in repeats) / len(repeats)
        assert summary.induction == pytest.approx(expected, abs=1e-3)
        assert found.induction_queries == len(repeats)
    assert [(s.layer, s.head) for s in found.heads] == [(0, 0), (0, 1), (1, 0), (1, 1), (2, 0), (2, 1)]


def test_targets_of_induction_lie_between_the_occurrence_and_the_query():
    targets = induction_targets(torch.tensor([7, 8, 7, 7, 8]))
    assert [(int(t), int(s)) for t, s in targets.nonzero()] == [(2, 1), (3, 1), (4, 2)]


def test_even_attention_is_the_yardstick():
    found = look(model(), TOKENS).even
    n = len(TOKENS)
    assert found.distance == pytest.approx(sum(t / 2 for t in range(1, n)) / (n - 1))
    assert found.entropy == pytest.approx(sum(math.log(t + 1) for t in range(1, n)) / (n - 1))
    assert found.first == pytest.approx(found.previous)
    torch.testing.assert_close(even_attention(5).sum(1), torch.ones(5, dtype=torch.float64))


def test_nothing_that_comes_later_changes_what_was_seen():
    long, short = look(model(), TOKENS), look(model(), TOKENS[:7])
    for layer in range(4):
        for t in range(6):
            assert long.lens[layer][t].surprisal == pytest.approx(short.lens[layer][t].surprisal, abs=1e-9)
        assert long.lens[layer][6].probabilities == pytest.approx(short.lens[layer][6].probabilities, abs=1e-9)


def test_one_token_has_no_choice():
    found = look(model(), TOKENS[:1])
    assert found.model_loss() is None
    assert len(found.lens[-1]) == 1
    assert found.attention[0][0] == ((1.0,),)
    assert {found.heads[0].entropy, found.heads[0].first, found.heads[0].induction, found.even.distance} == {None}
    assert look(model(), torch.arange(5)).heads[0].induction is None, "nothing came twice"


def test_maps_of_long_prompts_are_those_of_their_end():
    whole, end = look(model(), TOKENS), look(model(), TOKENS, maps=4)
    assert (whole.begin, end.begin) == (0, 8)
    assert [row[8:] for row in whole.attention[1][1][8:]] == list(end.attention[1][1])
    assert end.heads == whole.heads


def test_ties_share_the_better_rank_and_certainty_is_no_surprise():
    entries = predictions(torch.tensor([[0.0, 0.0, 0.0, 9e3], [9e3, 0.0, 0.0, 0.0], [0.0] * 4]), torch.tensor([0, 1, 2]), 9)
    assert [entry.rank for entry in entries] == [2, 2, None]
    sure = predictions(torch.tensor([[0.0, 9e3], [0.0, 9e3]]), torch.tensor([1, 1]))[0]
    assert (sure.rank, sure.probability, str(sure.surprisal), sure.entropy) == (1, 1.0, "0.0", 0.0)
    assert len(entries[0].top) == 4, "no more than there are"
    assert entries[2].entropy == pytest.approx(math.log(4))


def test_halves_are_read_in_float32():
    logits = torch.randn(3, 500, generator=torch.Generator().manual_seed(0)).bfloat16()
    half, whole = (predictions(x, torch.tensor([1, 2, 3]))[0].entropy for x in (logits, logits.float()))
    assert half == whole


def test_it_goes_through_json_and_back():
    found = look(model(), TOKENS)
    assert from_json(Look, json.loads(json.dumps(to_json(found)))) == found
    assert found.mentioned() <= set(range(10))
    assert set(TOKENS.tolist()) <= found.mentioned()


def test_faults_of_the_caller_are_said():
    with pytest.raises(ValueError, match=r"tokens must have shape \(T,\) with at least one token, but have \(0,\)"):
        look(model(), torch.empty(0, dtype=torch.int64))
    with pytest.raises(ValueError, match=r"but have \(1, 12\)"):
        look(model(), TOKENS[None])
    with pytest.raises(ValueError, match=r"training mode"):
        look(model().train(), TOKENS)
