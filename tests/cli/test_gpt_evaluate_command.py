"""`erlangen gpt evaluate`: the losses that training printed, other evaluations, other texts; whether a model copies."""

from __future__ import annotations

import json
import re
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, strategies as st
from support.gpt_command import TINY, Command, command, save_small_gpt2, story

from erlangen.cli import terminal
from erlangen.cli.gpt.copying import share, stretches
from erlangen.data.corpora import load_corpus
from erlangen.data.text import read_text
from erlangen.generate import writing
from erlangen.measure.token_loss import loss_interval, token_losses
from erlangen.records.evaluation import Evaluated
from erlangen.records.files import from_json
from erlangen.train.checkpoint import BEST, LAST, load_checkpoint, save

train = command("train")


run = command("evaluate")


@pytest.fixture
def trained(train: Command, tmp_path: Path) -> dict:
    story(tmp_path / "story.txt", n=1500)
    out = train("story.txt", *TINY, "--out", "run", "--json", "-")
    assert out.code == 0, out.err
    return json.loads(out.out)


def test_windows_give_the_losses_of_the_training_and_sliding_ones_name_themselves(trained: dict, run: Command) -> None:
    options = ("--precision", "float32", "--device", "cpu")  # those of the training
    out = run("run", *options, "--json", "-")
    assert out.code == 0, out.err
    scores = json.loads(out.out)["scores"]
    assert [one["part"] for one in scores] == ["train", "validation", "test"] * 2
    assert scores[1:3] == trained["scores"]
    assert all("sliding windows of 8 with their second half scored" in one["evaluation"] for one in scores[3:])
    assert [one["tokens"] for one in scores[:3]] == [one["tokens"] for one in scores[3:]]
    shown = run("run", *options).out
    for one in scores:
        assert f"{one['nats_per_token']:.4f} [{one['interval'][0]:.4f}" in shown


def test_sliding_is_the_measure_of_that_name(trained: dict, run: Command, tmp_path: Path) -> None:
    score = json.loads(run("run", "--precision", "float32", "--json", "-").out)["scores"][4]
    corpus = load_corpus(str(tmp_path / "story.txt"), block=8)
    losses = token_losses(load_checkpoint(tmp_path / "run").model, corpus.validation, 8, how="sliding")
    interval = loss_interval(losses)
    assert score["nats_per_token"] == pytest.approx(interval.estimate)
    assert score["interval"] == pytest.approx([interval.low, interval.high])


def test_a_loss_above_that_of_a_guess_is_noted(trained: dict, train: Command, run: Command, tmp_path: Path) -> None:
    assert train("story.txt", *TINY, "--lr", "10", "--dropout", "0.1", "--out", "hot").code == 0
    out = run("hot", "--json", "-")
    note = "The loss is above that of a uniform guess (ln 17 = 2.83 nats per token)."
    assert f"note: {note}" in out.err
    assert json.loads(out.out)["notes"] == [note]
    assert json.loads(out.out)["dropout"] == 0.1
    assert json.loads(run("run", "--json", "-").out)["notes"] == []


def test_another_text_is_scored_whole(trained: dict, run: Command, tmp_path: Path) -> None:
    other = story(tmp_path / "other.txt", "the king met a fox")
    found = load_checkpoint(tmp_path / "run")
    losses = token_losses(found.model, found.tokenizer.encode(read_text(other)), 8)
    out = run("run", other, "--precision", "float32", "--json", "-")
    score = json.loads(out.out)["scores"][0]
    assert (score["part"], score["tokens"]) == ("text", len(losses))
    assert score["nats_per_token"] == pytest.approx(float(losses.mean()))


def test_tales_have_whole_windows_and_their_floor_in_every_part(train: Command, run: Command) -> None:
    size = ("--model", "gpt-nano", "--batch", "1", "--steps", "2")
    assert train("--tales", "200", *size, "--out", "run").code == 0
    found = json.loads(run("run", "--json", "-").out)
    scores = found["scores"]
    assert found["dropout"] == 0
    assert [one["part"] for one in scores] == ["train", "validation", "test"]
    for one in scores:
        assert one["evaluation"].startswith("windows of whole tales")
        assert 0 < one["floor"] < one["nats_per_token"]
        assert one["above_floor_interval"][0] > 0


def test_gpt2_is_scored_on_a_text(run: Command, tmp_path: Path) -> None:
    save_small_gpt2(tmp_path / "gpt2")
    story(tmp_path / "story.txt")
    out = run("gpt2", "story.txt", "--json", "-")
    assert out.code == 0, out.err
    assert json.loads(out.out)["scores"][0]["nats_per_token"] > 1
    out = run("gpt2")
    assert (out.code, out.out, out.err.count("\n")) == (2, "", 1)
    assert "does not record which text it was trained on: name a text" in out.err


def test_what_stands_in_the_training_text_is_found(
    trained: dict, run: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    corpus = load_corpus(str(tmp_path / "story.txt"), block=8)
    training = corpus.tokenizer.decode(corpus.train)
    asked = []

    def by_heart(model, tokenizer, prompts, length, setting, seed):
        asked.append((len(prompts), length, setting, seed))
        return [training[100 : 100 + length], "é" * length]

    options = ("--copied", "2", "--tokens", "20", "--temperature", "0.5", "--seed", "3")
    with monkeypatch.context() as patch:
        patch.setattr(writing, "written", by_heart)
        out = run("run", *options, "--json", "-")
    assert out.code == 0, out.err
    found = from_json(Evaluated, json.loads(out.out)).copying
    assert found is not None
    assert asked == [(2, 20, (0.5, 1.0), 3)]
    shares = {(one.texts, one.unit): one for one in found.shares}
    assert shares["written", "characters"].share == 0.5
    low, high = shares["written", "characters"].interval
    assert 0 < low < 0.05, "two texts"
    assert high == pytest.approx(1 - low)
    assert shares["own", "characters"].share < 0.5
    assert [one.written_copied for one in found.continuations] == [((0, 20),), ()]
    held_out = corpus.tokenizer.decode(corpus.validation)
    assert all(one.prompt + one.own in held_out for one in found.continuations)
    shown = run("run", *options).out
    assert "Found word for word in the training text (2 texts of 20 tokens" in shown
    assert "the real continuations" in shown


def test_nothing_copied_in_a_few_texts_is_bounded_by_the_number_of_texts() -> None:
    """No text of n copies with a probability of at most 5 % where a share of texts above 1 - 0.025^(1/n) does."""
    nothing = share("written", 5, "words", [np.zeros(90, dtype=np.int64)] * 5)
    assert (nothing.share, nothing.interval[0]) == (0.0, 0.0)
    assert nothing.interval[1] == pytest.approx(1 - 0.025**0.2)
    short = [np.zeros(3, dtype=np.int64)] * 5  # no text holds an n-gram
    assert np.isnan(share("written", 5, "words", short).share)


@pytest.mark.parametrize("n", [5, 20])
@pytest.mark.parametrize(("stretches_per_text", "length"), [(0.05, 5), (0.3, 5), (1.0, 5), (0.3, 1), (0.1, 20)])
def test_intervals_of_small_shares_hold_the_true_share(n: int, stretches_per_text: float, length: float) -> None:
    """Texts of 90 words with a Poisson number of copied stretches of geometric length: Student's t misses up to 80 % of them."""
    rng = np.random.default_rng(0)

    def text() -> np.ndarray:
        lengths = np.zeros(90, dtype=np.int64)
        for _ in range(rng.poisson(stretches_per_text)):
            lengths[(rng.integers(86) + np.arange(rng.geometric(1 / length))) % 86] = 5
        return lengths

    true = np.mean([(text()[:86] >= 5).mean() for _ in range(20_000)])
    missed = 0
    for _ in range(400):
        low, high = share("written", 5, "words", [text() for _ in range(n)]).interval
        missed += not low <= true <= high
    assert missed <= 0.05 * 400 + 9, "two standard errors above 5 %"


@given(st.lists(st.integers(0, 9), max_size=30), st.integers(1, 4))
def test_stretches_are_what_matches_cover(lengths: list[int], least: int) -> None:
    covered = {place for at, length in enumerate(lengths) if length >= least for place in range(at, at + least)}
    found = stretches(np.array(lengths, dtype=np.int64), least)
    assert {place for start, stop in found for place in range(start, stop)} == covered
    assert all(stop < start for (_, stop), (start, _) in pairwise(found)), "apart, and in order"


def test_the_course_of_a_training_goes_on_behind_its_best_step(trained: dict, run: Command, tmp_path: Path) -> None:
    """A folder's best weights are evaluated; its curve is that of `last`, if that is the same training's."""
    best, last = (load_checkpoint(tmp_path / "run" / name) for name in (BEST, LAST))
    early = {"step": 5, "history": last.history[:1], "about": best.about}
    save(tmp_path / "run" / BEST, best.model, best.tokenizer, **early)
    found = from_json(Evaluated, json.loads(run("run", "--json", "-").out))
    assert found.step == 5
    assert [point.step for point in found.history] == [5, 10, 15, 20]
    assert found.view == pytest.approx(len(load_corpus(str(tmp_path / "story.txt"), block=8).train) / 32)
    other = [{**last.history[0], "validation_loss": 9.0}, *last.history[1:]]
    save(tmp_path / "run" / LAST, last.model, last.tokenizer, step=20, history=other, about=last.about)
    assert [point.step for point in from_json(Evaluated, json.loads(run("run", "--json", "-").out)).history] == [5]


def test_the_page_is_written(trained: dict, run: Command, tmp_path: Path) -> None:
    out = run("run", "--html", "page.html")
    assert out.code == 0, out.err
    assert "Page: page.html" in out.out
    assert "Learning curve" in (tmp_path / "page.html").read_text(encoding="utf-8")


def test_a_fault_is_one_line(trained: dict, run: Command, tmp_path: Path) -> None:
    story(tmp_path / "strange.txt", "xylophones")
    (tmp_path / "short.txt").write_text("a", encoding="utf-8")
    faults = {
        ("nowhere",): (2, "nowhere"),
        ("run", "nowhere.txt"): (2, "nowhere.txt"),
        ("run", "strange.txt"): (4, "strange.txt: the text has characters that this tokenizer lacks"),
        ("run", "short.txt"): (4, "short.txt: a loss needs at least two tokens, but the text has 1"),
        ("run", "story.txt", "--copied", "2"): (2, "leave story.txt out"),
        ("run", "--copied", "99"): (4, "--copied 99: the text has 298 characters, too few for 99 passages of 64 + 500"),
        ("run", "--copied", "1"): (2, "--copied"),
        ("run", "--precision", "float8"): (2, "--precision float8: choose"),
        ("run", "--json", "story.txt/x"): (2, "story.txt is not a writable directory"),
        ("run", "--json", "x.html", "--html", "x.html"): (2, "x.html is named twice"),
    }
    for args, (code, told) in faults.items():
        out = run(*args)
        assert (out.code, out.err.count("\n")) == (code, 1), (args, out.err)
        assert told in out.err
    story(tmp_path / "story.txt", "the old fox went into a wood")
    out = run("run")
    assert (out.code, out.out, out.err.count("\n")) == (2, "", 1)
    assert "story.txt has changed since" in out.err


def test_a_checkpoint_without_its_text_asks_for_one(trained: dict, run: Command, tmp_path: Path) -> None:
    found = load_checkpoint(tmp_path / "run")
    torch.manual_seed(0)
    save(tmp_path / "bare.safetensors", found.model, found.tokenizer, step=1, history=[], about={})
    out = run("bare.safetensors")
    assert (out.code, out.err.count("\n")) == (2, 1)
    assert "does not record which text" in out.err


def test_long_work_tells_pace_and_time_left(trained: dict, run: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(terminal, "LINE_EVERY", 0.0)
    out = run("run", "--limit", "300", "--precision", "float32", "--json", "-")
    assert out.code == 0, out.err
    lines = re.findall(r"(\d+)/(\d+) tokens of (\w+), \d+ a second, about 0:\d\d left", out.err)
    assert {(total, part) for _, total, part in lines} >= {("300", "train")}
    for _, score in zip(range(3), json.loads(out.out)["scores"], strict=False):
        told = [int(made) for made, _, part in lines if part == score["part"]]
        assert score["tokens"] <= 300
        assert max(told) <= score["tokens"]
        assert max(told) > 0.7 * score["tokens"], "all but the last, short window"
