"""A book seen hundreds of times: what is measured on a tiny recipe, the verdicts in worlds of known answer."""

from __future__ import annotations

import hashlib
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from support.figures import assert_drawn
from support.results import evidence_of, result

from erlangen.data.characters import CharacterTokenizer
from erlangen.data.corpus import Corpus
from erlangen.data.files import DataError
from erlangen.data.tales import tales
from erlangen.errors import ErlangenError
from erlangen.experiments import planned_jobs
from erlangen.experiments.fairytales import CLAIMS, PRESETS, QUOTES, Recipe, fetch, jobs
from erlangen.experiments.fairytales.book_job import cut
from erlangen.experiments.fairytales.evidence import published
from erlangen.experiments.fairytales.figures import figures
from erlangen.experiments.fairytales.judge import answers, verdicts
from erlangen.experiments.fairytales.nets import train
from erlangen.experiments.fairytales.run import run
from erlangen.experiments.fairytales.tales_job import tale_shares, write_tales
from erlangen.experiments.fairytales.tasks import CHARACTERS, SETTINGS, WORDS, Book, Tales
from erlangen.experiments.kit.evidence import Evidence
from erlangen.experiments.kit.tasks import read_task
from erlangen.generate.writing import passages, whole_words, written
from erlangen.models.gpt import GPT, GPTConfig
from erlangen.records.runs import Job, Measurement, Verdict
from erlangen.train.language_model import Evaluation, LanguageHistory, LanguageSchedule

TINY = Recipe(
    corpus="tales", dictionary="training", seeds=1, characters=512, views=16, layers=1, heads=1, width=16, block=32, batch=8,
    evaluations=4, samples=4, prompt=8, length=60, few=3, tale_steps=8, tale_batch=2, tale_samples=4,
)  # fmt: skip
WORLD = Recipe(seeds=6)
REPORT = {"copied phrases", "syntax of tales"}


def book_jobs(recipe: Recipe) -> list[Job]:
    return [job for job in planned_jobs("fairytales", recipe) if job.params["task"] == "book"]


@pytest.fixture(scope="module")
def measured() -> Evidence:
    return evidence_of(planned_jobs("fairytales", TINY), run)


KNOWN = {
    "train_loss": 0.17, "fit": 0.5, "fell": 1.0, "rises": 1.0, "copies": 0.6, "stopped": 0.0, "words": 0.99,
    "stopped_words": 0.99, "repetition": 0.01, "few_new": 0.02, "many_new": 0.6, "few_far": 0.8, "many_far": 0.1,
    "few_copies": 0.7,
}  # fmt: skip


def world(recipe: Recipe = WORLD, missing: tuple[tuple[str, int], ...] = (), scatter: float = 0.004, **known: float) -> Evidence:
    """Nets as `KNOWN` says, up to seeds that scatter so much. missing: (arm or "book", seed) of jobs that failed.

    fit: training loss of tales; copies, stopped: share of copied phrases at the last step and at the best one.
    """
    number, rng = KNOWN | known, np.random.default_rng(0)

    def around(name: str, center: float) -> Measurement:
        return Measurement(name, center + scatter * float(rng.normal()))

    def shares(name: str, center: float) -> list[Measurement]:
        units = {"words": WORDS, "characters": CHARACTERS}
        return [
            Measurement(f"{name}_verbatim_{unit}", tuple(abs(center + scatter * float(rng.normal())) for _ in lengths))
            for unit, lengths in units.items()
        ]

    def book() -> list[Measurement]:
        written = [f"{which}_{setting}" for which in ("stopped", "last") for setting in SETTINGS]
        copied = {name: number["copies" if name.startswith("last") else "stopped"] for name in written}
        real = {name: number["words" if name.startswith("last") else "stopped_words"] for name in written}
        return [
            around("train_loss_in_training", number["train_loss"]), around("stopped_train_loss", 1.2),
            around("last_train_loss", 1.2 - number["fell"]), around("stopped_test_loss", 2.0),
            around("last_test_loss", 2.0 + number["rises"]), Measurement("best_views", 80.0), Measurement("views", 640.0),
            Measurement("parameters_a_character", 19.0), Measurement("curve_views", (80.0, 160.0, 640.0)),
            Measurement("curve_train", (1.5, 1.0, 0.2)), Measurement("curve_validation", (2.0, 2.2, 3.0)),
            *(one for name in written for one in shares(name, copied[name])), *shares("held_out", 0.001),
            *(around(f"{name}_words", real[name]) for name in written), around("held_out_words", 0.995),
            *(around(f"{name}_repetition", number["repetition"]) for name in written), around("held_out_repetition", 0.01),
        ]  # fmt: skip

    def told(arm: str) -> list[Measurement]:
        new, copies = number[f"{arm}_new"], number["few_copies"] if arm == "few" else 0.0
        return [
            around("train_loss_in_training", number["fit"]), around("last_published_grammatical_and_new", new),
            around("last_published_copies", copies), around("last_published_grammatical", new + copies),
            around("last_above_floor", number[f"{arm}_far"]), around("last_published_followed", 0.9),
            Measurement("views", 300.0),
        ]  # fmt: skip

    def measure(job: Job) -> list[Measurement] | None:
        arm = str(job.params.get("arm", "book"))
        found = book() if arm == "book" else told(arm)
        return None if (arm, job.seed) in missing else found

    return evidence_of(planned_jobs("fairytales", recipe), measure)


def changed(evidence: Evidence, name: str, values: tuple[float, ...]) -> Evidence:
    """With one measurement as listed, by seed, over and over."""
    results = []
    for one in evidence.results:
        value = values[one.seed % len(values)]
        new = [
            replace(m, value=(value,) * len(m.value) if isinstance(m.value, tuple) else value) if m.name == name else m
            for m in one.measurements
        ]
        results.append(replace(one, measurements=tuple(new)))
    return Evidence(tuple(results), evidence.missing)


def judged(evidence: Evidence, recipe: Recipe = WORLD) -> dict[str, Verdict]:
    return {verdict.part: verdict for verdict in verdicts(recipe, evidence)}


def outcomes(evidence: Evidence, recipe: Recipe = WORLD) -> dict[str, str]:
    return {part: verdict.verdict for part, verdict in judged(evidence, recipe).items()}


def test_a_net_that_remembers_is_found_out():
    found = outcomes(world())
    assert found.pop("repetition") == "refuted"
    assert set(found.values()) == {"supported"}
    assert {*found, "repetition"} == set(CLAIMS[0].parts)


@pytest.mark.parametrize(
    ("part", "known"),
    [
        ("training loss", {"train_loss": 0.9}), ("training loss", {"train_loss": 0.4}), ("training loss", {"train_loss": 0.0}),
        ("held-out loss", {"rises": -0.3}), ("held-out loss", {"rises": 0.005}),
        ("copied phrases", {"copies": 0.0}), ("copied phrases", {"copies": 0.01}), ("real words", {"words": 0.5}),
        ("stopped early", {"stopped": 0.3}), ("syntax of tales", {"few_new": 0.3}), ("new tales", {"few_new": 0.9}),
        ("distance to the true entropy", {"few_far": 0.05}), ("copied tales", {"few_copies": 0.0, "few_new": 0.5}),
        ("copied tales", {"few_copies": 0.3, "few_new": 0.5}),
    ],
)  # fmt: skip
def test_each_part_can_be_refuted(part: str, known: dict[str, float]):
    verdict = judged(world(**known))[part]
    assert verdict.verdict == "refuted"
    assert verdict.corrected


@pytest.mark.parametrize(
    ("part", "name", "over", "differences"),
    [
        ("stopped early", "stopped_published_verbatim_words", "held_out_verbatim_words", (0.0, 0.015, 0.04)),
        ("stopped early", "stopped_published_verbatim_words", "held_out_verbatim_words", (0.015, 0.02, 0.03)),
        ("copied phrases", "last_published_verbatim_words", "held_out_verbatim_words", (0.0, 0.02, 0.05)),
        ("real words", "last_published_words", "held_out_words", (-0.04, -0.015, 0.0)),
        ("real words", "last_published_words", "held_out_words", (-0.03, -0.02, -0.015)),
        ("held-out loss", "last_test_loss", "stopped_test_loss", (0.0, 0.02, 0.05)),
    ],
)
def test_an_interval_over_the_edge_is_inconclusive(part: str, name: str, over: str, differences: tuple[float, ...]):
    """Whichever side its middle is on."""
    evidence = changed(changed(world(), over, (0.5,)), name, tuple(0.5 + d for d in differences))
    assert judged(evidence)[part].verdict == "inconclusive"


@pytest.mark.parametrize(("shares", "outcome"), [((0.025, 0.03), "supported"), ((0.005, 0.01), "refuted")])
def test_what_exceeds_0_but_not_the_margin_is_no_copying(shares: tuple[float, ...], outcome: str):
    """One rule on both sides of the edge: an effect that is surely there but does not matter refutes."""
    evidence = changed(changed(world(), "held_out_verbatim_words", (0.0,)), "last_published_verbatim_words", shares)
    verdict = judged(evidence)["copied phrases"]
    assert (verdict.verdict, verdict.region) == (outcome, (0.02, None))
    assert verdict.interval is not None
    assert verdict.interval[0] is not None
    assert verdict.interval[0] > 0


def test_intervals_hold_together():
    found = judged(world())
    assert {verdict.level for verdict in found.values()} == {1 - 0.05 / len(found)}


def test_one_seed_decides_nothing():
    one = replace(WORLD, seeds=1)
    assert set(outcomes(world(one), one).values()) == {"inconclusive"}


def test_seeds_without_spread_decide_nothing():
    assert set(outcomes(world(scatter=0.0)).values()) == {"inconclusive"}


def test_the_report_is_judged_in_its_own_regime_alone():
    for loss in (0.4, 0.0):
        verdict = judged(world(train_loss=loss))["copied phrases"]
        assert verdict.verdict == "inconclusive"
        assert "training loss within 0.15" in verdict.next_step
    found = outcomes(world(train_loss=0.4))
    assert found["held-out loss"] == "supported", "an extension speaks of these nets"


def test_nets_that_are_not_trained_decide_nothing():
    found = judged(world(train_loss=2.7, fit=2.7))
    assert {part for part, verdict in found.items() if verdict.verdict == "inconclusive"} == set(found) - {"training loss"}
    assert "text seed 0 (2.7" in found["real words"].next_step
    assert "few tales seed 0" in found["distance to the true entropy"].next_step


def test_the_held_out_loss_counts_only_where_the_training_loss_falls():
    for known in ({"fell": -0.1}, {"fell": -0.1, "rises": -0.3}):
        assert "falls after the best step" in judged(world(**known))["held-out loss"].next_step


def test_a_net_that_writes_no_words_copies_nothing_and_that_is_no_support():
    verdict = judged(world(stopped_words=0.8))["stopped early"]
    assert verdict.verdict == "inconclusive"
    assert "95 % as many words" in verdict.next_step


def test_a_dictionary_of_another_language_sees_no_words_and_supports_nothing():
    blind = changed(changed(world(), "held_out_words", (0.0,)), "stopped_published_words", (0.0,))
    assert judged(blind)["stopped early"].verdict == "inconclusive"
    found = judged(changed(blind, "last_published_words", (0.0, 0.001)))["real words"]
    assert (found.verdict, "a dictionary that knows words" in found.next_step) == ("inconclusive", True)


def test_nets_that_tell_no_tales_decide_nothing_of_syntax():
    silent = judged(world(few_copies=0.0, few_new=0.0))
    for part in ("syntax of tales", "new tales", "copied tales"):
        assert silent[part].verdict == "inconclusive"
        assert "grammatical, needs 0.1" in silent[part].next_step
    blind = judged(world(many_new=0.0))
    assert "10 % grammatical and new tales from nets that saw many" in blind["syntax of tales"].next_step
    assert blind["new tales"].verdict == "inconclusive"
    assert judged(world(few_new=0.5, many_new=0.5))["new tales"].verdict == "refuted"


def test_what_repeats_itself_more_than_the_text_is_said_to():
    assert judged(world(repetition=0.3))["repetition"].verdict == "supported"


def test_a_missing_seed_is_not_measured_and_named():
    found = judged(world(missing=(("book", 2),)))
    unmeasured = {part for part, verdict in found.items() if verdict.verdict == "not measured"}
    assert unmeasured == set(found) - {"syntax of tales", "new tales", "distance to the true entropy", "copied tales"}
    assert "seed 2" in found["repetition"].next_step
    found = judged(world(missing=(("few", 3),)))
    unmeasured = {part for part, verdict in found.items() if verdict.verdict == "not measured"}
    assert unmeasured == {"syntax of tales", "new tales", "distance to the true entropy", "copied tales"}
    assert set(outcomes(Evidence(())).values()) == {"not measured"}


@pytest.mark.parametrize("name", ["last_test_loss", "last_published_words", "train_loss_in_training"])
def test_what_is_not_finite_is_not_measured(name: str):
    found = judged(changed(world(), name, (math.nan, 1.0)))
    part = {"last_test_loss": "held-out loss", "last_published_words": "real words"}.get(name, "training loss")
    assert found[part].verdict == "not measured"
    assert "seed 0" in found[part].next_step


def test_phrases_are_of_five_words_written_in_the_published_setting():
    shares = {"last_published_verbatim_words": (0.9, 0.8, 0.5, 0.1), "held_out_verbatim_words": (0.7, 0.2, 0.0, 0.0)}
    results = [
        replace(one, measurements=tuple(replace(m, value=shares.get(m.name, m.value)) for m in one.measurements))
        for one in world().results
    ]
    assert WORDS == (2, 3, 5, 8)
    assert judged(Evidence(tuple(results)))["copied phrases"].effect == 0.5


def test_whose_sentence_each_part_is():
    found = judged(world())
    assert {part for part, verdict in found.items() if verdict.of == "report"} == REPORT == set(QUOTES)
    assert {part for part, verdict in found.items() if verdict.of == "control"} == {"training loss"}
    assert all(verdict.quote == QUOTES.get(part, "") for part, verdict in found.items())


def test_published_numbers_stand_beside():
    verdict = judged(world())["training loss"]
    assert verdict.published == published()["train_loss_by_epoch"][-1] == 0.1655
    assert verdict.measured == pytest.approx(0.17, abs=0.01)
    assert verdict.region == pytest.approx((0.0155, 0.3155))


@pytest.mark.parametrize("known", [{}, {"copies": 0.0}, {"train_loss": 0.9}], ids=str)
def test_the_answer_is_made_of_numbers(known: dict[str, float]):
    evidence = world(**known)
    (found,) = answers(WORLD, evidence, verdicts(WORLD, evidence))
    assert "After 640 views of each character" in found.sentence
    assert "nan" not in found.sentence
    assert found.figure in {figure.name for figure in figures(WORLD, evidence)}
    assert found.answer == {0: "supported", 1: "partly"}.get(len(known) if "train_loss" not in known else 2, "inconclusive")


def test_figures_are_drawn_of_whatever_there_is(measured: Evidence):
    shown = figures(WORLD, world())
    assert_drawn(shown)
    assert [figure.name for figure in shown] == ["copied", "losses", "tales"]
    assert "80 views" in shown[1].caption
    assert_drawn(figures(TINY, measured))
    assert figures(WORLD, Evidence(())) == []


def test_no_interval_of_shares_leaves_0_to_1():
    figure = figures(WORLD, changed(world(), "last_published_verbatim_words", (0.0, 1.0)))[0]
    assert all(0 <= end <= 1 for row in figure.rows for end in row[3:] if isinstance(end, float))


def test_a_run_measures_all_that_is_judged(measured: Evidence):
    assert "not measured" not in outcomes(measured, TINY).values()
    (book,) = measured.of(Book)
    assert book.value("views") == pytest.approx(16, rel=0.1)
    assert len(book.values("curve_train")) == len(book.values("curve_views")) >= 4
    assert book.value("stopped_test_loss") < math.log(60)
    curve = zip(book.values("curve_views"), book.values("curve_train"), strict=True)
    (late,) = [loss for views, loss in curve if views > 0.8 * book.value("views")]
    assert book.value("train_loss_in_training") == pytest.approx(late)
    seen = {str(one.params["arm"]): one.value("tales_seen") for one in measured.of(Tales)}
    assert seen == {"few": 3, "many": 16}
    assert [one.value("fresh_copies") for one in measured.of(Tales)] == [0, 0], "the test tales are others than those seen"
    assert all(0 < one.value("train_loss_in_training") < math.log(60) for one in measured.of(Tales))


def test_equal_jobs_measure_equal_numbers(measured: Evidence):
    (job,) = book_jobs(TINY)
    again, (first,) = result(job, run(job)), measured.of(Book)
    assert [(m.name, str(m.value)) for m in again.measurements] == [(m.name, str(m.value)) for m in first.measurements]


def test_the_last_weights_are_kept_beside_the_best(monkeypatch: pytest.MonkeyPatch):
    def fit(model: GPT, corpus: Corpus, schedule: LanguageSchedule, **options: Any) -> LanguageHistory:
        for step, level in ((1, 1.0), (2, 2.0)):
            torch.nn.init.constant_(model.embed.weight, level)
            options["on_evaluation"](Evaluation(step, 0.0, 0.0))
        torch.nn.init.constant_(model.embed.weight, 1.0)  # back to the best
        return LanguageHistory(evaluations=(), best_step=1, best_loss=0.0, steps=2, tokens=0, ended="steps")

    monkeypatch.setattr("erlangen.experiments.fairytales.nets.fit", fit)
    (job,) = book_jobs(TINY)
    model = GPT(GPTConfig(vocabulary=3, block=8, layers=1, heads=1, width=8))
    _, weights = train(model, cut(read_task(Book, job), 0)[0], LanguageSchedule(steps=2), job)
    assert {which: float(state["embed.weight"].mean()) for which, state in weights.items()} == {"stopped": 1.0, "last": 2.0}


def test_a_tale_that_the_block_cuts_is_none(monkeypatch: pytest.MonkeyPatch):
    """Not even where only its END is missing."""
    text = tales(1, seed=2)
    tokenizer = CharacterTokenizer.of(text)
    tokens = tokenizer.encode("\n" + text)
    corpus = Corpus(name="", tokenizer=tokenizer, train=tokens, validation=tokens, test=tokens)
    model = GPT(GPTConfig(vocabulary=tokenizer.size, block=8, layers=1, heads=1, width=8))
    for kept, told in ((tokens[:-1], text[:-1] + "…"), (tokens, text[:-1])):
        row = torch.stack([kept] * 2)
        monkeypatch.setattr("erlangen.experiments.fairytales.tales_job.generate", lambda *_, rows=row, **__: rows)
        assert write_tales(model, corpus, 2, (1.0, 1.0), 0) == [told] * 2
    assert [m.value for m in tale_shares("x", [text[:-1] + "…"], text)[:2]] == [0, 0]


def test_a_slice_and_what_is_held_out_are_apart():
    first, second = (cut(read_task(Book, job), job.seed) for job in book_jobs(replace(TINY, seeds=2)))
    corpus, training, test = first
    assert len(training) == 512
    assert corpus.tokenizer.decode(corpus.train) == training
    assert corpus.tokenizer.decode(corpus.test) == test
    assert len(test) == 4 * 68
    text = tales((512 + 256 + 4 * 68 + 64) // 150 + 1, seed=0)
    start = text.index(training)
    assert text.index(test, start) == start + 512 + 32 + 256 + 32
    assert second[1] != training


def test_no_two_seeds_read_the_same_pages(monkeypatch: pytest.MonkeyPatch):
    book = "".join(map(chr, range(0x4E00, 0x4E00 + 6000)))  # no character comes twice
    monkeypatch.setattr("erlangen.data.text_file.grimm", lambda: book)
    read: set[str] = set()
    for job in book_jobs(replace(TINY, corpus="grimm", seeds=5)):
        corpus, training, test = cut(read_task(Book, job), job.seed)
        own = set(training + test + corpus.tokenizer.decode(corpus.validation))
        assert len(own) == 512 + 256 + 4 * 68
        assert not own & read
        read |= own
    with pytest.raises(ErlangenError, match="6,000 characters, and this recipe needs 6,624"):
        fetch(replace(TINY, corpus="grimm", seeds=6))


TEXT = "It was a dark night, and the 7 ships lay still. " * 60


def test_a_text_file_is_read_and_its_digest_kept(tmp_path: Path):
    path = tmp_path / "book.txt"
    path.write_text(TEXT, encoding="utf-8")
    recipe = replace(TINY, corpus=str(path), seeds=2)
    fetch(recipe)
    planned = book_jobs(recipe)
    assert {job.params["digest"] for job in planned} == {hashlib.sha256(path.read_bytes()).hexdigest()[:16]}
    assert all(cut(read_task(Book, job), job.seed)[1] in TEXT for job in planned)
    path.write_text(TEXT.replace("dark", "calm"), encoding="utf-8")
    edited = book_jobs(recipe)
    assert {job.key("") for job in planned}.isdisjoint({job.key("") for job in edited})
    with pytest.raises(DataError, match="the file has changed"):
        cut(read_task(Book, planned[0]), 0)


def test_of_a_file_of_the_users_nobody_spoke(tmp_path: Path):
    path = tmp_path / "book.txt"
    path.write_text(TEXT, encoding="utf-8")
    recipe = replace(WORLD, corpus=str(path))
    found = judged(world(recipe, train_loss=0.4), recipe)
    assert "training loss" not in found
    assert {(verdict.of, verdict.quote) for verdict in found.values()} == {("extension", "")}
    assert found["copied phrases"].verdict == "supported", "whatever the report's regime"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "neither grimm nor tales, and no such file"),
        (b"\xff\xfa no text", "not UTF-8"),
        (b"too short", "9 characters, and this recipe needs 1,104: choose a longer text or fewer seeds, characters or samples"),
    ],
)
def test_a_text_that_does_not_serve_is_refused_in_one_line(tmp_path: Path, content: bytes | None, message: str):
    path = tmp_path / "book.txt"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(DataError, match=message) as raised:
        fetch(replace(TINY, corpus=str(path)))
    assert "\n" not in str(raised.value)
    assert "book.txt" in str(raised.value)


def test_passages_are_prompt_and_rest_of_the_text_in_order():
    text = "".join(map(chr, range(200)))
    parts = passages(text, 4, 10, 40)
    assert [text.index(part.prompt + part.rest) for part in parts] == [0, 50, 100, 150]
    assert all(len(part.prompt) == 10 and len(part.rest) == 40 for part in parts)
    assert [text.index(part.prompt) for part in passages(text, 4, 10, 20)] == [0, 50, 100, 150], "over all of the text"
    with pytest.raises(ValueError, match="200"):
        passages(text, 4, 11, 40)


def test_words_that_may_be_cut_are_left_out():
    assert whole_words("ing a fox\nand the gol") == "a fox and the"


def test_what_is_written_leaves_out_the_prompt_and_follows_the_seed():
    tokenizer = CharacterTokenizer("abc")
    model = GPT(GPTConfig(vocabulary=3, block=8, layers=1, heads=1, width=8))
    first = written(model, tokenizer, ["ab", "cc"], 12, (1.0, 1.0), seed=3)
    assert [len(text) for text in first] == [12, 12]
    assert written(model, tokenizer, ["ab", "cc"], 12, (1.0, 1.0), seed=3) == first
    assert written(model, tokenizer, ["ab", "cc"], 12, (1.0, 1.0), seed=4) != first


def test_tales_are_told_apart():
    first, second, *_ = tales(3, seed=5).split("\n")
    found = {m.name: m.value for m in tale_shares("x", [first, second, first[:40], "", "…"], first + "\n")}
    assert found["x_grammatical"] == 2 / 5
    assert found["x_copies"] == 1 / 5
    assert found["x_grammatical_and_new"] == 1 / 5
    assert isinstance(found["x_followed"], float)
    assert 0.4 < found["x_followed"] < 0.6


def test_presets_are_the_sources_regime():
    standard = PRESETS["standard"]
    assert standard.steps * standard.batch * standard.block == pytest.approx(published()["views"] * standard.characters, rel=0.01)
    assert sum(job.seconds for job in jobs(PRESETS["quick"])) < 2 * 60
    planned = planned_jobs("fairytales", PRESETS["quick"], "bfloat16", "cuda")
    assert {(job.precision, job.device) for job in planned} == {("bfloat16", "cuda")}
