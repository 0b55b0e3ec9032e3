"""Length: what is measured, against plainer programs and in cases whose answer is exact."""

from __future__ import annotations

import math
import random
from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from support.figures import assert_drawn
from support.results import evidence_of

from erlangen.data import registers as corpus
from erlangen.data.characters import CharacterTokenizer
from erlangen.data.files import DataError
from erlangen.data.registers import CHUNK, LENGTH, VOCABULARY, registers
from erlangen.data.tales import is_grammatical, tales
from erlangen.experiments import planned_jobs
from erlangen.experiments.kit.evidence import Evidence
from erlangen.experiments.length import PRESETS, Recipe, fetch
from erlangen.experiments.length.figures import figures
from erlangen.experiments.length.grammar import WORD, broken_pairs, kinds, log_probabilities, preferences
from erlangen.experiments.length.judge import answers, verdicts
from erlangen.experiments.length.memory import BUCKETS, RelativeBias, answer, bucket, memory
from erlangen.experiments.length.nets import new_net, reading, states_at, stretched, train
from erlangen.experiments.length.recall import answer_loss, learn, losses, targets, windows
from erlangen.experiments.length.run import run
from erlangen.experiments.length.tasks import (
    BLOCK,
    CHANCE,
    LONGEST,
    MODELS,
    MULTIPLES,
    TALE_BLOCK,
    Answer,
    Memory,
    Read,
    Recall,
    characters,
)
from erlangen.experiments.length.text import last_losses, passages_of, text_of
from erlangen.models.gpt import GPT, PRESETS as MODEL_PRESETS, GPTConfig
from erlangen.nn.positions import Rotary
from erlangen.records.runs import Job

TINY = replace(
    PRESETS["quick"], layers=1, text_layers=1, width=16, batch=8, steps=3, absolute_steps=3, tuning=2, episodes=16, text_steps=3,
    text_tuning=2, passages=16, tale_steps=2, tale_batch=2, pairs=10, rarely=2,
)  # fmt: skip


@pytest.fixture(scope="module")
def measured() -> Evidence:
    return evidence_of(planned_jobs("length", TINY), run)


def small(arm: str, vocabulary: int = VOCABULARY, **fields: int) -> GPT:
    torch.manual_seed(0)
    return new_net(vocabulary, arm, BLOCK, 2, 16, **fields).double().eval()  # type: ignore[arg-type]


def values(measurements: list, name: str) -> tuple[float, ...]:
    (found,) = [one.value for one in measurements if one.name == name]
    return found if isinstance(found, tuple) else (found,)


def test_constants_agree_with_what_they_stand_for():
    assert BLOCK == CHUNK
    assert LONGEST == LENGTH
    assert corpus.CHANCE == CHANCE
    assert set(MODELS) == set(MODEL_PRESETS)


@pytest.mark.parametrize("arm", ["rotary", "alibi", "none", "absolute"])
def test_at_the_trained_length_every_reading_is_the_net_itself(arm: str):
    net = small(arm)
    tokens = torch.randint(VOCABULARY, (3, BLOCK))
    for how in ("plain", "linear", "ntk", "clamped", "interpolated"):
        same = reading(net, how, BLOCK).double()  # type: ignore[arg-type]
        torch.testing.assert_close(same(tokens), net(tokens), rtol=0, atol=1e-6)  # tables of angles are float32


@pytest.mark.parametrize("arm", ["rotary", "alibi", "none", "absolute"])
def test_a_longer_reading_leaves_the_net_as_it_is_and_shares_nothing(arm: str):
    net = small(arm)
    before = {name: value.clone() for name, value in net.state_dict().items()}
    other = reading(net, "clamped", LONGEST)
    with torch.no_grad():
        for parameter in other.parameters():
            parameter.add_(1)
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())


def test_positions_divided_by_the_factor_are_linear_scaling():
    """Exactly: token p of the longer net has the angles of position p / 8."""
    net = small("rotary")
    longer = reading(net, "linear", LONGEST)
    ours = longer.config.rotary.frequencies(longer.config.head_dim)
    assert torch.equal(8 * ours, Rotary().frequencies(longer.config.head_dim))
    slowest = reading(net, "ntk", LONGEST).config.rotary.frequencies(longer.config.head_dim)
    assert slowest[0] == 1
    assert slowest[-1] == pytest.approx(float(Rotary().frequencies(longer.config.head_dim)[-1]) / 8)


def test_a_stretched_table_against_a_plain_loop():
    table = torch.randn(BLOCK, 5, dtype=torch.float64)
    clamped, between = (stretched(table, how, LONGEST) for how in ("clamped", "interpolated"))  # type: ignore[arg-type]
    for row in range(LONGEST):
        assert torch.equal(clamped[row], table[min(row, BLOCK - 1)])
        place = row * (BLOCK - 1) / (LONGEST - 1)
        low = min(int(place), BLOCK - 2)
        expected = table[low] + (place - low) * (table[low + 1] - table[low])
        torch.testing.assert_close(between[row], expected, rtol=1e-12, atol=1e-12)


def test_a_repeated_row_is_what_the_net_reads():
    net = small("absolute")
    longer = reading(net, "clamped", LONGEST).double()
    tokens = torch.randint(VOCABULARY, (2, LONGEST))
    torch.testing.assert_close(longer(tokens)[:, :BLOCK], net(tokens[:, :BLOCK]), rtol=0, atol=1e-12)
    moved = longer.embedded(tokens) - longer.embed(tokens)
    assert torch.allclose(moved[:, BLOCK:], net.place.weight[-1], rtol=0, atol=1e-12)  # type: ignore[union-attr]


def test_states_at_a_row_are_those_of_a_net_whose_table_begins_there():
    net = small("absolute", rows=3 * BLOCK)
    tokens = torch.randint(VOCABULARY, (2, BLOCK))
    torch.testing.assert_close(states_at(net, tokens), net.states(tokens)[-1], rtol=0, atol=1e-12)
    other = small("absolute")
    weights = net.state_dict()
    weights["place.weight"] = weights["place.weight"][BLOCK : 2 * BLOCK]
    other.load_state_dict(weights)
    torch.testing.assert_close(states_at(net, tokens, BLOCK), other.states(tokens)[-1], rtol=0, atol=1e-12)
    assert (states_at(net, tokens, BLOCK) - states_at(net, tokens)).abs().max() > 1e-3  # the shift is seen


def test_targets_are_the_same_at_every_length_and_their_losses_a_plain_loops():
    test = registers(6, 1, far=True)
    net = small("none")
    found = losses("plain", [net] * len(MULTIPLES), test)
    for number, kind in enumerate(("near", "far")):
        assert found[number].name == f"plain {kind}"
        for multiple, value in zip(MULTIPLES, found[number].value, strict=True):  # type: ignore[arg-type]
            length, each = BLOCK * multiple, []
            for tokens, source in zip(test.tokens, test.source, strict=True):
                for place in range(LENGTH - BLOCK, LENGTH - 1):
                    near, far = source[place] >= LENGTH - BLOCK, 0 <= source[place] < place - BLOCK
                    if (near, far)[number]:
                        with torch.no_grad():
                            logits = net(tokens[None, LENGTH - length : place + 1])[0, -1]
                        each.append(float(F.cross_entropy(logits, tokens[place + 1])))
            assert value == pytest.approx(sum(each) / len(each), abs=1e-9)
            assert len(each) == 6 * (4, 3)[number]


def test_a_reader_that_looks_the_answer_up_shows_what_each_length_tells():
    """An oracle that reads whatever it is given: near is known at every length, far only where its set is in the window."""
    test = registers(200, 2, far=True)

    class Oracle(GPT):
        def states(self, tokens, cache=None, weights=None):  # type: ignore[no-untyped-def]
            return [tokens]

        def unembed(self, h):  # type: ignore[no-untyped-def]
            return self.table

        def look_up(self, rows: torch.Tensor) -> None:
            logits = torch.full((len(rows), BLOCK - 1, VOCABULARY), -1e9)
            logits[:, :, corpus.FIRST_VALUE : corpus.FIRST_ASK] = 0  # ln 4 where nothing is known
            for row, tokens in enumerate(rows.tolist()):
                held = {divmod(t - corpus.FIRST_SET, 4)[0]: (t - corpus.FIRST_SET) % 4 for t in tokens if t >= corpus.FIRST_SET}
                for at, token in enumerate(tokens[-BLOCK:-1]):
                    if corpus.FIRST_ASK <= token < corpus.FIRST_SET and token - corpus.FIRST_ASK in held:
                        logits[row, at] = -1e9
                        logits[row, at, corpus.FIRST_VALUE + held[token - corpus.FIRST_ASK]] = 0
            self.table = logits

    oracle = Oracle(GPTConfig(vocabulary=VOCABULARY, block=LONGEST, layers=1, heads=1, width=8))
    chosen = targets(test)
    far = []
    for multiple in MULTIPLES:
        oracle.look_up(test.tokens[:, -BLOCK * multiple :])
        each = F.cross_entropy(oracle.table.transpose(1, 2), test.tokens[:, -(BLOCK - 1) :], reduction="none")
        assert float(each[chosen["near"][:, -(BLOCK - 1) :]].max()) == 0
        far.append(float(each[chosen["far"][:, -(BLOCK - 1) :]].mean()))
    assert far[0] == pytest.approx(CHANCE)  # the trained length tells nothing
    assert far[0] == pytest.approx(far[1], abs=0.2)
    assert far[1] > far[2] > far[3] == 0  # the longest tells all


def test_windows_are_cut_at_both_phases_and_the_loss_is_of_answers_alone():
    episodes = registers(40, 3)
    rows, asks = windows(episodes, 200, BLOCK, torch.Generator().manual_seed(0))
    assert rows.shape == (200, BLOCK + 1)
    phases = {int(place) % 2 for row in asks for place in torch.nonzero(row)}
    assert phases == {0, 1}
    assert ((rows[:, :-1] >= corpus.FIRST_ASK) & (rows[:, :-1] < corpus.FIRST_SET)).equal(asks)
    answered = rows[:, 1:][asks]
    assert ((answered >= corpus.FIRST_VALUE) & (answered < corpus.FIRST_ASK)).all()
    net = small("alibi")
    expected = F.cross_entropy(net(rows[:, :-1])[asks], answered, reduction="none")
    torch.testing.assert_close(answer_loss(net, rows, asks), expected, rtol=0, atol=1e-12)


def test_a_little_training_learns():
    net = small("none").float()
    task = Recall(arm="none", layers=2, width=16, batch=16, lr=1e-2, steps=40, tuning=0, episodes=16)
    episodes = registers(64, 0)
    rows, asks = windows(episodes, 64, BLOCK, torch.Generator().manual_seed(1))
    before = float(answer_loss(net, rows, asks).mean().detach())
    learn(net, episodes, task, BLOCK, 40, 0)
    assert not net.training
    assert float(answer_loss(net, rows, asks).mean().detach()) < min(before - 1, 1.8)  # from ln 340 to little above ln 4


def test_training_repeats_itself():
    def once() -> GPT:
        net = small("rotary").float()
        train(net, lambda net, step: net(torch.arange(BLOCK)[None] + step).square().mean(), 3, 1e-2)
        return net

    assert all(map(torch.equal, once().state_dict().values(), once().state_dict().values()))


def test_passages_and_the_losses_of_their_last_characters():
    tokens = torch.randint(30, (3000,))
    passages = passages_of(tokens, 16)
    assert passages.shape == (16, LONGEST + 1)
    assert torch.equal(passages[0], tokens[: LONGEST + 1])
    assert torch.equal(passages[-1], tokens[-LONGEST - 1 :])
    net = small("alibi", 30)
    rows = passages[:3, -(2 * BLOCK + 1) :]
    found = last_losses(net, rows)
    expected = F.cross_entropy(net(rows[:, :-1]).transpose(1, 2), rows[:, 1:], reduction="none")[:, -32:]
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("kind", ["order", "agreement"])
def test_pairs_differ_in_one_change_that_the_grammar_refuses(kind: str):
    pairs = broken_pairs(kind, 40, 7)
    assert len(pairs) == 40
    told = tales(160, 7).split("\n")
    for pair in pairs:
        assert len(pair.tale) == len(pair.broken) == TALE_BLOCK
        (whole,) = [tale for tale in told if (tale + "\n").endswith(pair.tale)]
        start = len(whole) + 1 - TALE_BLOCK
        assert is_grammatical(whole)
        assert not is_grammatical(whole[:start] + pair.broken.rstrip("\n"))
        ours, theirs = WORD.findall(pair.tale), WORD.findall(pair.broken)
        changed = [(a, b) for a, b in zip(ours, theirs, strict=True) if a != b]
        if kind == "order":
            assert sorted(ours) == sorted(theirs)
            assert len(changed) == 2
        else:
            ((before, after),) = changed
            assert any({before, after} <= words for words in kinds())
            assert ours.count(before) > 1
    assert broken_pairs(kind, 40, 7) == pairs


@pytest.mark.parametrize("kind", ["order", "agreement"])
def test_a_change_that_the_grammar_accepts_breaks_nothing(kind: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("erlangen.experiments.length.grammar.is_grammatical", lambda tale: True)
    assert broken_pairs(kind, 2, 7) == []


def test_the_contrast_sees_syntax_and_not_where_there_is_none():
    """Positive and negative control: the grammar itself is right in all pairs, a net without training in about half."""
    pairs = {kind: broken_pairs(kind, 60, 3) for kind in ("order", "agreement")}
    tokenizer = CharacterTokenizer.of(tales(500, 0))
    net = small("rotary", tokenizer.size).float()
    for one in preferences(net, tokenizer, pairs):
        assert 25 < float(one.value) < 75  # type: ignore[arg-type]
    flipped = {kind: [type(pair)(pair.broken, pair.tale) for pair in some] for kind, some in pairs.items()}
    for one, other in zip(preferences(net, tokenizer, pairs), preferences(net, tokenizer, flipped), strict=True):
        assert float(one.value) + float(other.value) == pytest.approx(100)  # type: ignore[arg-type]
    same = {"order": [type(pair)(pair.tale, pair.tale) for pair in pairs["order"]]}
    assert [one.value for one in preferences(net, tokenizer, same)] == [50.0]


@pytest.mark.parametrize("kind", ["order", "agreement"])
def test_who_knows_the_tales_is_right_in_all_pairs_and_who_knows_the_errors_in_none(kind: str):
    """Positive control with its sign: a reader that expects the next character of the text nearest to what it reads."""
    tokenizer = CharacterTokenizer.of(tales(500, 0))
    pairs = broken_pairs(kind, 12, 5)
    for known, right in ([pair.tale for pair in pairs], 100.0), ([pair.broken for pair in pairs], 0.0):
        texts = torch.stack([tokenizer.encode(text) for text in known])

        def expects(tokens: torch.Tensor, texts: torch.Tensor = texts) -> torch.Tensor:
            nearest = (tokens[:, None] == texts[None, :, :-1]).sum(2).argmax(1)
            return 5.0 * F.one_hot(texts[nearest, 1:], tokenizer.size)

        (found,) = preferences(expects, tokenizer, {kind: pairs})  # type: ignore[arg-type]
        assert found.value == right


def test_log_probabilities_are_sums_over_the_text():
    tokenizer = CharacterTokenizer.of(tales(500, 0))
    net = small("absolute", tokenizer.size, rows=TALE_BLOCK)
    texts = [pair.tale for pair in broken_pairs("order", 3, 1)]
    for text, found in zip(texts, log_probabilities(net, tokenizer, texts), strict=True):
        tokens = tokenizer.encode(text)
        with torch.no_grad():
            logs = net(tokens[None, :-1])[0].log_softmax(-1)
        assert float(found) == pytest.approx(sum(float(logs[i, tokens[i + 1]]) for i in range(TALE_BLOCK - 1)), abs=1e-9)


@pytest.mark.parametrize("preset", ["gpt-nano", "gopher-44m", "gpt2"])
def test_what_is_stored_is_the_closed_form(preset: str):
    config = MODEL_PRESETS[preset]
    found = memory(Memory(preset=preset), Job(params={}))
    assert values(found, "absolute stored") == (config.block * config.width,)
    assert values(found, "rotary stored") == values(found, "alibi stored") == (0,)
    assert values(found, "t5 stored") == (BUCKETS * config.heads,)
    assert values(found, "rotary computed") == (4 * 2 * config.block * config.head_dim,)
    assert values(found, "alibi computed") == (4 * config.heads * (config.block**2 + 1),)  # the bias and the slopes
    assert values(found, "t5 computed") == (4 * config.heads * config.block**2,)
    assert values(found, "absolute computed") == (0,)


def test_gpt2_has_as_many_parameters_as_published():
    assert values(memory(Memory(preset="gpt2"), Job(params={})), "model") == (124_439_808,)


def test_the_buckets_of_t5_against_its_own_definition():
    """The causal case of mesh_tensorflow's `_relative_position_bucket`, number by number."""

    def plain(n: int) -> int:
        exact = BUCKETS // 2
        if n < exact:
            return n
        return min(exact + int(math.log(n / exact) / math.log(128 / exact) * (BUCKETS - exact)), BUCKETS - 1)

    edges = {16 * 2 ** (k * 3 / 16) for k in range(17)}  # there the logarithm's rounding decides
    distances = [n for n in range(600) if n not in edges]
    assert bucket(torch.tensor(distances)).tolist() == [plain(n) for n in distances]
    bias = RelativeBias(3)(40)
    assert bias.shape == (3, 40, 40)
    assert torch.equal(bias[:, 20, 5], bias[:, 37, 22])  # it depends on the distance alone


def test_a_model_answers_up_to_its_table_and_others_beyond():
    found = answer(Answer(block=8, lengths=(4, 8, 9, 32)), Job(params={}))
    assert values(found, "absolute answers") == (1, 1, 0, 0)
    assert values(found, "rotary answers") == values(found, "alibi answers") == (1, 1, 1, 1)


def test_every_job_of_a_tiny_recipe_runs_and_is_judged(measured: Evidence):
    found = verdicts(TINY, measured)
    assert {verdict.verdict for verdict in found if verdict.claim == "T8"} == {"supported", "refuted"}
    assert {verdict.part: verdict.verdict for verdict in found}["the table ends"] == "supported"
    made = figures(TINY, measured)
    assert [figure.name for figure in made] == ["text", "registers", "rows", "syntax", "memory"]  # no net learned registers
    assert_drawn(made)
    assert [one.figure for one in answers(TINY, measured, found)] == ["text", "memory"]


def test_a_seed_repeats_its_numbers(measured: Evidence):
    job = next(job for job in planned_jobs("length", TINY) if job.params["task"] == "recall" and job.seed == 1)
    (kept,) = [one for one in measured.results if one.params == job.params and one.seed == 1]
    assert [one.value for one in run(job)] == [one.value for one in kept.measurements]


def test_a_text_of_the_users_own(tmp_path):
    path = tmp_path / "book.txt"
    rng = random.Random(0)
    path.write_text("".join(rng.choice("abcdefgh ") for _ in range(characters(16))))
    recipe = replace(TINY, corpus=str(path))
    fetch(recipe)
    jobs = [job for job in planned_jobs("length", recipe) if job.params["task"] == "read"]
    task = Read(**{name: value for name, value in jobs[0].params.items() if name != "task"})
    text = text_of(task)
    assert text.vocabulary == 9
    assert len(passages_of(text.test, 16)) == 16
    path.write_text("too short")
    with pytest.raises(DataError, match="choose a longer text or fewer passages"):
        fetch(recipe)
    with pytest.raises(DataError, match="has changed since this run began"):
        run(jobs[0])


@pytest.mark.parametrize(("key", "value"), [("width", 12), ("tale_lrs", (0.01, 0.003)), ("tale_lrs", ())])
def test_recipes_that_cannot_be_run_are_refused(key: str, value: object):
    with pytest.raises(ValueError, match=key):
        replace(Recipe(), **{key: value})  # type: ignore[arg-type]
