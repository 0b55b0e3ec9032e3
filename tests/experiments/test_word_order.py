"""Word order: nets and measures against plainer programs, exact bounds against enumeration, and what a tiny run measures."""

from __future__ import annotations

import hashlib
import math
from dataclasses import replace
from fractions import Fraction
from itertools import permutations
from pathlib import Path

import pytest
import torch
from hypothesis import given, strategies as st
from support.figures import assert_drawn
from support.results import evidence_of
from torch import Tensor

from erlangen.data.files import DataError
from erlangen.experiments import planned_jobs
from erlangen.experiments.kit.evidence import Evidence
from erlangen.experiments.word_order import PRESETS, fetch
from erlangen.experiments.word_order.ability import accuracy, alike, apart, likely
from erlangen.experiments.word_order.bounds import best_unordered, bound, marks_bound, reverse_bound
from erlangen.experiments.word_order.figures import figures
from erlangen.experiments.word_order.judge import answers, verdicts
from erlangen.experiments.word_order.nets import Bag, Reader
from erlangen.experiments.word_order.puzzles import LENGTH, PROMPT, SYMBOLS, VOCABULARY, draw
from erlangen.experiments.word_order.recipe import DEPTHS, Recipe
from erlangen.experiments.word_order.run import run
from erlangen.experiments.word_order.sensitivity import LEAK, doubled, order_errors, reading, reordered, sensitivity, spread
from erlangen.experiments.word_order.sentences import VOCABULARY as WORDS, encoded, other_sentences
from erlangen.experiments.word_order.tasks import FIRST, SECOND, STOP, Puzzle, Sentences, Text
from erlangen.experiments.word_order.training import fit
from erlangen.models.gpt import GPTConfig
from erlangen.records.runs import Job, Measurement
from erlangen.train.language_schedule import LanguageSchedule

EXACT = 1e-12
TINY = Recipe(
    corpus="tales", seeds=1, depths=(1, 2), text_depths=(1,), width=8, heads=2, sentence_steps=3, marks_steps=3, reverse_steps=3,
    text_steps=3, batch=4, text_batch=2, block=8, tests=40, rates=(0.01,),
)  # fmt: skip


def reader(net: str, depth: int, positions: str = "none", seed: int = 0, vocabulary: int = 20) -> Reader:
    """A net with random weights, in float64."""
    torch.manual_seed(seed)
    config = GPTConfig(
        vocabulary=vocabulary, block=32, layers=depth, heads=2, width=16, positions=positions, dropout=0.0  # type: ignore[arg-type]
    )  # fmt: skip
    return Reader(config, encoder=net == "encoder").double().eval()


def texts(n: int = 12, length: int = 9, seed: int = 0, vocabulary: int = 20) -> Tensor:
    """Rows of random tokens that end in token 0."""
    rows = torch.randint(1, vocabulary, (n, length), generator=torch.Generator().manual_seed(seed))
    rows[:, -1] = 0
    return rows


@pytest.fixture(scope="module")
def measured() -> Evidence:
    return evidence_of(planned_jobs("word-order", TINY), run)


# The nets


def plain(net: Reader, tokens: Tensor) -> Tensor:
    """The same net token by token and head by head, in loops: logits (T, vocabulary) of tokens (T,)."""
    gpt = net.gpt
    h = [gpt.embed.weight[token] for token in tokens]
    for block in gpt.blocks:
        config = block.attention.config
        normed = [block.norm1(x) for x in h]
        parts = [block.attention.qkv(x).split(config.width) for x in normed]
        mixed = []
        for at, (query, _, _) in enumerate(parts):
            seen = parts if net.encoder else parts[: at + 1]
            heads = []
            for head in range(config.heads):
                own = slice(head * config.head_dim, (head + 1) * config.head_dim)
                scores = torch.stack([query[own] @ key[own] / math.sqrt(config.head_dim) for _, key, _ in seen])
                heads.append(sum(w * value[own] for w, (_, _, value) in zip(scores.softmax(0), seen, strict=True)))
            mixed.append(block.attention.out(torch.cat(heads)))
        h = [x + y for x, y in zip(h, mixed, strict=True)]
        h = [x + block.mlp(block.norm2(x)) for x in h]
    return torch.stack([gpt.unembed(x) for x in h])


@pytest.mark.parametrize("net", ["encoder", "causal"])
@pytest.mark.parametrize("depth", [1, 2])
@torch.no_grad()
def test_nets_are_the_loops_that_the_paper_describes(net: str, depth: int):
    one, tokens = reader(net, depth), texts(2, 5)
    for row, logits in zip(tokens, one(tokens), strict=True):
        torch.testing.assert_close(logits, plain(one, row), rtol=1e-11, atol=1e-13)


@torch.no_grad()
def test_a_causal_net_is_the_gpt_itself():
    one, tokens = reader("causal", 3, "rotary"), texts()
    torch.testing.assert_close(one(tokens), one.gpt(tokens), rtol=0, atol=0)
    torch.testing.assert_close(one(tokens, 4), one.gpt(tokens)[:, 4:], rtol=1e-12, atol=1e-14)


@torch.no_grad()
def test_an_encoder_sees_what_comes_later_and_a_causal_net_does_not():
    tokens = texts()
    later = tokens.clone()
    later[:, -1] = 5
    for net, sees in (("encoder", True), ("causal", False)):
        one = reader(net, 2)
        assert bool((one(tokens)[:, 0] != one(later)[:, 0]).any()) is sees


@torch.no_grad()
def test_the_bag_knows_counts_and_the_last_token_and_nothing_else():
    torch.manual_seed(0)
    bag = Bag(20, 32).double()
    tokens = texts(length=7)
    moved = reordered(tokens, torch.Generator().manual_seed(1))
    assert torch.equal(bag(tokens, 6), bag(moved, 6))
    ends_otherwise = tokens.clone()
    ends_otherwise[:, -2:] = tokens[:, -2:].flip(1)  # the same counts
    assert (bag(tokens, 6) != bag(ends_otherwise, 6)).any(-1).all()
    assert (bag(tokens, 6) != bag(tokens[:, [0, 0, *range(2, 7)]], 6)).any(-1).sum() >= 10  # another word in place of the second
    torch.testing.assert_close(bag(tokens)[:, 3], bag(tokens[:, :4])[:, -1])  # nothing of what comes later


# Sensitivity


@given(st.sampled_from([("encoder", 1), ("encoder", 2), ("encoder", 6), ("causal", 1)]), st.integers(0, 10_000))
def test_a_bag_of_words_to_1e_12(arm: tuple[str, int], seed: int):
    """Exactness: an encoder of any depth, and a causal net of one layer."""
    errors = order_errors(reader(*arm, seed=seed), texts(seed=seed), seed)
    assert float(errors.max()) <= EXACT


@given(st.sampled_from([("encoder", 1), ("encoder", 2), ("encoder", 6), ("causal", 1)]), st.integers(0, 10_000))
def test_a_leak_of_one_percent_is_seen_in_every_text(arm: tuple[str, int], seed: int):
    errors = order_errors(doubled(reader(*arm, seed=seed), LEAK), texts(seed=seed), seed)
    assert float(errors.min()) > 1e6 * EXACT


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(("net", "depth", "positions"), [("causal", 2, "none"), ("causal", 6, "none"), ("causal", 2, "rotary")])
def test_deeper_causal_nets_are_sensitive_before_any_training(net: str, depth: int, positions: str, seed: int):
    assert float(order_errors(reader(net, depth, positions, seed), texts(seed=seed), seed).mean()) > 0.03


def test_rotary_positions_are_seen_in_an_encoder():
    assert float(order_errors(reader("encoder", 2, "rotary"), texts(), 0).mean()) > 1e-3


def test_the_error_is_the_distance_over_the_spread_of_other_texts():
    one, tokens = reader("causal", 2), texts(6)
    moved = reordered(tokens, torch.Generator().manual_seed(7))
    with torch.no_grad():
        before, after = one(tokens)[:, -1], one(moved)[:, -1]
    center = sum(before) / 6
    scale = math.sqrt(sum(float((row - center) @ (row - center)) for row in before) / 6)
    expected = [math.dist(x, y) / scale for x, y in zip(before.tolist(), after.tolist(), strict=True)]
    assert order_errors(one, tokens, 7).tolist() == pytest.approx(expected, rel=1e-12)
    assert float(spread(before)) == pytest.approx(scale, rel=1e-12)


@given(st.integers(0, 10_000), st.integers(3, 9))
def test_another_order_keeps_the_words_and_the_last_of_them(seed: int, length: int):
    tokens = torch.rand(30, 12, generator=torch.Generator().manual_seed(seed)).argsort(1)[:, :length]
    moved = reordered(tokens, torch.Generator().manual_seed(seed))
    assert torch.equal(moved[:, -1], tokens[:, -1])
    assert torch.equal(moved.sort(1).values, tokens.sort(1).values)
    assert (moved != tokens).any(1).all()  # and is another one


def test_it_is_measured_in_float64_and_leaves_the_net_alone():
    one = reader("causal", 1).float()
    before = {name: weight.clone() for name, weight in one.state_dict().items()}
    values = {m.name: m.value for m in sensitivity("random", one, texts(), 0)}
    assert max(values["random_errors"]) <= EXACT < min(values["random_leak_errors"])  # type: ignore[arg-type, type-var]
    assert one.leak == 0.0
    assert all(torch.equal(weight, before[name]) for name, weight in one.state_dict().items())
    found = reading(doubled(one), texts())
    assert values["random_size"] == pytest.approx(float(found.norm() / math.sqrt(12) / spread(found)))


# Puzzles and their bounds


def test_marks_are_in_the_order_that_the_answer_says():
    tokens, targets = draw("marks", 400, torch.Generator().manual_seed(0))
    assert tokens.shape == (400, LENGTH["marks"]) == (400, PROMPT["marks"])
    for row, target in zip(tokens.tolist(), targets.tolist(), strict=True):
        assert sorted(token for token in row if token < 3) == [0, 1, 2]
        assert row[-1] == 2
        assert target == [0 if row.index(0) < row.index(1) else 1]
    assert 160 < int(targets.sum()) < 240
    assert int(tokens.max()) == VOCABULARY["marks"] - 1


def test_reverse_is_reversed():
    tokens, targets = draw("reverse", 200, torch.Generator().manual_seed(0))
    assert tokens.shape == (200, LENGTH["reverse"])
    for row, target in zip(tokens.tolist(), targets.tolist(), strict=True):
        first = row[:8]
        assert len(set(first)) == 8
        assert max(first) < SYMBOLS == row[8]
        assert target == first[::-1]
        assert row[9:] == target[:-1]
    assert PROMPT["reverse"] == 9


def test_the_bounds_are_one_half_and_a_third():
    assert marks_bound() == Fraction(1, 2)
    assert reverse_bound() == Fraction(761, 2240)
    assert bound("marks") == 50.0
    assert bound("reverse") == pytest.approx(33.97, abs=0.005)


@pytest.mark.parametrize("span", [1, 2, 3, 4, 5, 6])
def test_the_bound_of_reverse_is_that_of_all_orders(span: int):
    """Every order of so many tokens, every step of the answer; a view is which tokens came how often, and the last one."""
    cases = []
    for tokens in permutations(range(span)):
        for given_already in range(span):
            read = [*tokens, "sign", *tokens[::-1][:given_already]]
            cases.append(((tuple(sorted(map(str, read))), read[-1]), tokens[::-1][given_already]))
    assert best_unordered(cases) == reverse_bound(span)


def test_a_view_that_kept_the_order_would_reach_one():
    cases = [((first, second), first < second) for first, second in permutations(range(16), 2)]
    assert best_unordered(cases) == 1
    assert best_unordered([((), first < second) for first, second in permutations(range(16), 2)]) == Fraction(1, 2)


def test_guesses_without_order_sit_on_the_bound_and_no_higher():
    """A guesser that names a token that was not given yet: nothing better can be made of counts."""
    _, targets = draw("reverse", 4000, torch.Generator().manual_seed(0))
    hits = [row[step] == min(row[step:]) for row in targets.tolist() for step in range(8)]
    assert 100 * sum(hits) / len(hits) == pytest.approx(bound("reverse"), abs=1.0)


@pytest.mark.parametrize(("puzzle", "steps", "lr"), [("marks", 100, 1e-2), ("reverse", 250, 3e-2)])
def test_a_trained_bag_sits_on_the_bound(puzzle: str, steps: int, lr: float):
    task = Puzzle(
        puzzle=puzzle, net="bag", depth=1, positions="none", lr=lr, steps=steps, batch=32, tests=1500, width=32, heads=2  # type: ignore[arg-type]
    )  # fmt: skip
    values = {m.name: m.value for m in run(job_of(task))}
    assert values["test_accuracy"] == pytest.approx(bound(puzzle), abs=3.5)  # type: ignore[arg-type]
    assert values["right"] < bound(puzzle) + 3  # type: ignore[arg-type, operator]


def job_of(task: Puzzle | Sentences | Text, seed: int = 0) -> Job:
    from erlangen.experiments.kit.tasks import job

    return job(task, seed=seed)


def test_accuracy_and_probability_of_the_right_answer():
    found = torch.tensor([[[0.7, 0.2, 0.1], [0.1, 0.3, 0.6]]]).log()  # (1, 2, 3)
    targets = torch.tensor([[0, 1]])
    assert accuracy(found, targets) == 50.0
    assert likely(found, targets).exp().tolist() == [pytest.approx([0.7, 0.3], rel=1e-6)]


@pytest.mark.slow
@pytest.mark.parametrize(("net", "depth", "solves"), [("causal", 1, False), ("causal", 2, True), ("encoder", 2, False)])
def test_without_positions_marks_need_a_causal_mask_and_two_layers(net: str, depth: int, solves: bool):
    task = Puzzle(
        puzzle="marks", net=net, depth=depth, positions="none", lr=3e-3, steps=200, batch=32, tests=1000, width=32, heads=2  # type: ignore[arg-type]
    )  # fmt: skip
    values = {m.name: m.value for m in run(job_of(task))}
    assert values["test_accuracy"] == pytest.approx(100 if solves else 50, abs=5)
    assert (max(values["trained_errors"]) > 0.1) is solves  # type: ignore[arg-type, type-var]


# The sentences


def test_the_reports_two_sentences_are_one_bag_with_different_ends():
    assert " ".join(FIRST) == "john sat on the couch"
    assert " ".join(SECOND) == "couch on the sat john"
    assert sorted(FIRST) == sorted(SECOND)
    assert FIRST[-1] != SECOND[-1]
    assert len(set(WORDS)) == len(WORDS)
    assert encoded([(*FIRST, STOP), (*SECOND, STOP)]).tolist() == [[0, 1, 2, 3, 4, 16], [4, 2, 3, 1, 0, 16]]


def test_other_sentences_have_five_different_words_and_a_full_stop():
    rows = other_sentences(50, torch.Generator().manual_seed(0)).tolist()
    assert all(len(set(row[:5])) == 5 and row[5] == 16 and max(row[:5]) < 16 for row in rows)


@pytest.mark.parametrize(
    ("net", "depth", "positions", "apart_after"),
    [("encoder", 2, "none", False), ("causal", 1, "none", False), ("causal", 2, "none", True), ("encoder", 2, "rotary", True)],
)
def test_what_a_net_makes_of_the_two_sentences(net: str, depth: int, positions: str, apart_after: bool):
    task = Sentences(net=net, depth=depth, positions=positions, lr=6e-3, steps=80, width=32, heads=2)  # type: ignore[arg-type]
    values = {m.name: m.value for m in run(job_of(task))}
    first, second = values["first_taken_for_first"], values["second_taken_for_first"]
    assert isinstance(first, float)
    assert isinstance(second, float)
    if apart_after:
        assert first > 0.8 > 0.2 > second
        assert values["random_stop"] > 1e-3  # type: ignore[operator]
    else:
        assert first == pytest.approx(0.5, abs=0.02)
        assert abs(first - second) < 1e-10
        assert values["random_stop"] < EXACT  # type: ignore[operator]
    assert values["random_last_word"] > 0.1  # type: ignore[operator]  # couch is not john, to any net


# Text


def test_windows_that_end_alike_and_windows_that_do_not_overlap():
    part = torch.tensor([3, 1, 2, 1, 1, 2, 1, 3, 1, 2, 1, 1])
    rows = alike(part, 3)
    assert rows[:, -1].tolist() == [1] * len(rows)
    assert len(rows) == 5
    inputs, targets = apart(part, 3, 99)
    assert inputs.flatten().tolist() == part[:9].tolist()
    assert targets.flatten().tolist() == part[1:10].tolist()
    assert len(apart(part, 3, 2)[0]) == 2


def test_a_text_file_is_read_and_its_digest_kept(tmp_path: Path):
    path = tmp_path / "book.txt"
    recipe = replace(TINY, corpus=str(path), seeds=1, text_depths=(1,), depths=())
    path.write_text("It was a dark night, and the 7 ships lay still. " * 20, encoding="utf-8")
    fetch(recipe)
    before = [job for job in planned_jobs("word-order", recipe) if job.params["task"] == "text"]
    assert {job.params["digest"] for job in before} == {hashlib.sha256(path.read_bytes()).hexdigest()[:16]}
    assert all(math.isfinite(m.value) for m in run(before[0]) if isinstance(m.value, float))
    path.write_text("It was a calm night, and the 7 ships lay still. " * 20, encoding="utf-8")
    after = planned_jobs("word-order", recipe)
    assert {job.key("") for job in before}.isdisjoint(job.key("") for job in after)
    with pytest.raises(DataError, match="the file has changed"):
        run(before[0])


@pytest.mark.parametrize("block", [4, 8, 32])
def test_a_text_just_long_enough_serves_and_one_shorter_is_refused(tmp_path: Path, block: int):
    path = tmp_path / "book.txt"
    recipe = replace(TINY, corpus=str(path), block=block, text_depths=(1,), depths=(), seeds=1)
    path.write_text("x", encoding="utf-8")
    with pytest.raises(DataError, match=r"book\.txt: 1 characters, and this recipe needs [\d,]+: .* a smaller block") as raised:
        fetch(recipe)
    needed = int(str(raised.value).split("needs ")[1].split(":")[0].replace(",", ""))
    path.write_text("ab cd. " * (needed // 7) + "x" * (needed % 7), encoding="utf-8")
    fetch(recipe)
    run(next(job for job in planned_jobs("word-order", recipe) if job.params["task"] == "text"))
    fetch(replace(recipe, text_depths=()))


# Training and the whole run


def test_the_look_back_comes_after_two_thirds_of_the_steps():
    seen: list[float] = []
    net = Bag(4, 8)

    def look() -> float:
        seen.append(float(net.head.weight.detach().sum()))
        return len(seen)

    tokens = torch.tensor([[0, 1, 2]])
    drawn: list[int] = []

    def batch(generator: torch.Generator) -> tuple[Tensor, Tensor]:
        drawn.append(len(seen))
        return tokens, tokens[:, 2:]

    assert fit(net, batch, LanguageSchedule(steps=9, warmup=1), look) == (1, 2)
    assert drawn == [0] * 6 + [1] * 3
    assert not math.isclose(seen[0], seen[1])


def test_a_run_measures_all_that_is_judged(measured: Evidence):
    for result in measured.results:
        names = {m.name for m in result.measurements}
        if result.params["net"] == "bag":
            assert not any("errors" in name for name in names)
        else:
            for when in ("random", "trained"):
                assert len(result.values(f"{when}_errors")) == len(result.values(f"{when}_leak_errors")) == 32
                assert math.isfinite(result.value(f"{when}_size"))
        scalars = [m.value for m in result.measurements if not isinstance(m.value, tuple)]
        assert all(isinstance(value, (int, float)) and math.isfinite(value) for value in scalars)
    found = {verdict.part: verdict.verdict for verdict in verdicts(TINY, measured)}
    for part in ("two sentences, encoder", "two sentences, causal, 1 layer"):
        assert found[part] == "inconclusive"  # three steps of training teach rotary positions nothing
    assert found["any order, encoder"] == found["any order, causal, 1 layer"] == "supported"
    assert found["position leak"] == "supported"
    assert "not measured" not in found.values()


def test_equal_jobs_measure_equal_numbers():
    for kind in ("sentences", "puzzle", "text"):
        job = next(job for job in planned_jobs("word-order", TINY) if job.params["task"] == kind)
        assert run(job) == run(job)


def test_held_out_cases_are_new_for_every_seed():
    job = next(job for job in planned_jobs("word-order", TINY) if job.params["task"] == "puzzle")
    other = replace(job, seed=1)
    assert [m for m in run(job) if m.name == "right"] != [m for m in run(other) if m.name == "right"]


def test_every_arm_is_trained_at_the_rates_that_the_recipe_names():
    standard = PRESETS["standard"]
    jobs = [job for job in planned_jobs("word-order", standard) if job.seed == 0]

    def rates(**fields: object) -> set[object]:
        return {job.params["lr"] for job in jobs if all(job.params.get(name) == value for name, value in fields.items())}

    assert rates(puzzle="reverse", net="causal", depth=2, positions="none") == set(standard.rates)
    assert rates(puzzle="reverse", net="causal", depth=2, positions="rotary") == set(standard.rates)
    assert rates(puzzle="reverse", net="causal", depth=6) == {standard.lr}
    assert rates(task="text", net="bag") == set(standard.bag_rates)
    assert rates(task="text", net="causal") == {standard.text_lr}
    assert {job.params["depth"] for job in jobs if job.params["task"] == "sentences"} == set(DEPTHS)
    assert not [job for job in jobs if job.params["net"] == "encoder" and job.params.get("puzzle") == "reverse"]


def test_seconds_are_estimated_within_the_budget():
    for preset, most in (("quick", 130), ("standard", 30 * 60)):
        assert sum(job.seconds for job in planned_jobs("word-order", PRESETS[preset])) <= most, preset


@pytest.mark.parametrize("kept", [0, 1, 3, 10, 40, 999])
def test_figures_are_made_of_whatever_there_is(measured: Evidence, kept: int):
    some = Evidence(measured.results[:kept])
    made = figures(TINY, some)
    assert_drawn(made)
    (only,) = answers(TINY, some, verdicts(TINY, some))
    assert only.figure == "sentences"
    if kept == 999:
        assert [figure.name for figure in made] == ["sentences", "distances", "ability", "orders"]


@pytest.mark.parametrize(
    ("key", "value"),
    [("depths", (2, 1)), ("depths", (3,)), ("text_depths", (1, 1)), ("width", 36), ("rates", ()), ("bag_rates", (0.1, 0.1))],
)
def test_recipes_that_cannot_be_judged_are_refused(key: str, value: object):
    with pytest.raises(ValueError, match=key):
        replace(PRESETS["standard"], **{key: value})  # type: ignore[arg-type]


def test_measurements_have_units(measured: Evidence):
    assert all(isinstance(m, Measurement) for result in measured.results for m in result.measurements)
    units = {m.name: m.unit for result in measured.results for m in result.measurements}
    assert units["test_accuracy"] == units["right"] == "%"
    assert units["test_loss"] == "nats per character"
