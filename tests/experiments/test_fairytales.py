"""A book seen hundreds of times: what is measured on a tiny recipe, the verdicts against made-up results."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from support.figures import assert_drawn
from support.results import result

from erlangen.data.characters import CharacterTokenizer
from erlangen.data.corpus import Corpus
from erlangen.data.tales import tales
from erlangen.errors import ErlangenError
from erlangen.experiments.fairytales import CHARACTERS, CLAIMS, PRESETS, SETTINGS, WEIGHTS, WORDS, Recipe, jobs, telling
from erlangen.experiments.fairytales.judge import findings, published, verdicts
from erlangen.experiments.fairytales.run import book, run, slice_of, trained
from erlangen.experiments.fairytales.telling import described
from erlangen.generate.filters import Settings
from erlangen.generate.writing import passages, whole_words, written
from erlangen.models.gpt import GPT, GPTConfig
from erlangen.records.runs import JobResult, Measurement, Verdict
from erlangen.train.language_model import Evaluation, LanguageHistory, LanguageSchedule

TINY = Recipe(
    book="tales", dictionary="training", seeds=1, characters=512, views=16, layers=1, heads=1, width=16, block=32, batch=8,
    evaluations=4, samples=4, prompt=8, length=60, few=3, tale_steps=8, tale_batch=2, tale_samples=4,
)  # fmt: skip
MADE_UP = Recipe(seeds=6)


@pytest.fixture(scope="module")
def measured() -> list[JobResult]:
    return [result(job, run(job)) for job in jobs(TINY)]


def made_up(rises: float = 1.0, copies: float = 0.6, stopped: float = 0.0, fell: float = 1.0, **other: float) -> list[JobResult]:
    """As if the test loss rose so far, and of the last (the stopped) net's phrases so many stood in the training text."""
    rng = np.random.default_rng(0)
    number = {
        "train_loss": 0.17, "words": 0.99, "repetition": 0.01, "few_right": 0.1, "many_right": 0.6, "few_far": 0.8,
        "many_far": 0.1, "few_copies": 0.7, "grammatical": 0.8, "learned": 1.3,
    } | other  # fmt: skip
    found = []
    for job in jobs(MADE_UP):

        def value(name: str, mean: float) -> Measurement:
            return Measurement(name, mean + 0.004 * float(rng.normal()))

        def share(name: str, unit: str, lengths: tuple[int, ...], mean: float) -> Measurement:
            return Measurement(f"{name}_verbatim_{unit}", tuple(mean + 0.004 * float(rng.normal()) for _ in lengths))

        arm = job.params.get("arm")
        if arm is None:
            ms = [
                value("train_loss_in_training", number["train_loss"]), value("stopped_train_loss", 1.2),
                value("last_train_loss", 1.2 - fell), value("stopped_test_loss", 2.0), value("last_test_loss", 2.0 + rises),
                value("last_test_bits", 3.0), Measurement("best_views", 80.0), Measurement("views", 640.0),
                Measurement("parameters_a_character", 19.0), Measurement("curve_views", (80.0, 160.0, 640.0)),
                Measurement("curve_train", (1.5, 1.0, 1.5 - number["learned"])), Measurement("curve_validation", (2.0, 2.2, 3.0)),
            ]  # fmt: skip
            by_writer = {"held_out": 0.001} | {
                f"{w}_{s}": {"last": copies, "stopped": stopped}[w] for w in WEIGHTS for s in SETTINGS
            }
            for name, mean in by_writer.items():
                own = name != "held_out"
                ms += [
                    share(name, "words", WORDS, mean), share(name, "characters", CHARACTERS, mean),
                    value(f"{name}_words", number["words"] if own else 0.995),
                    value(f"{name}_repetition", number["repetition"] if own else 0.01),
                ]  # fmt: skip
        else:
            ms = [
                value("last_published_grammatical_and_new", number[f"{arm}_right"]),
                value("last_above_floor", number[f"{arm}_far"]), value("stopped_above_floor", 0.1),
                value("last_floor", 0.3), value("last_published_grammatical", number["grammatical"]),
                value("last_published_copies", number["few_copies"] if arm == "few" else 0.0),
                Measurement("fresh_copies", 0.0),
                value("last_published_followed", 0.9), Measurement("views", 300.0),
            ]  # fmt: skip
        found.append(result(job, ms))
    return found


def judged(results: list[JobResult], recipe: Recipe = MADE_UP) -> dict[str, Verdict]:
    return {verdict.part: verdict for verdict in verdicts(recipe, results)}


def test_a_net_that_remembers_is_found_out():
    outcomes = {part: verdict.verdict for part, verdict in judged(made_up()).items()}
    assert outcomes == {
        "regime": "supported", "held-out": "supported", "repeats": "supported", "itself": "refuted", "words": "supported",
        "early-stopping": "supported", "sense/grammar": "supported", "sense/floor": "supported", "sense/copies": "supported",
        "sense/book": "not measured",
    }  # fmt: skip
    assert list(outcomes) == list(CLAIMS[0].parts)


@pytest.mark.parametrize(
    ("part", "changed"),
    [
        ("regime", {"train_loss": 0.9}), ("regime", {"train_loss": 0.4}), ("regime", {"train_loss": 0.0}),
        ("held-out", {"rises": -0.3}), ("held-out", {"rises": 0.01}),
        ("repeats", {"copies": 0.0}), ("repeats", {"copies": 0.01}), ("words", {"words": 0.5}),
        ("early-stopping", {"stopped": 0.3}), ("sense/grammar", {"few_right": 0.9}), ("sense/floor", {"few_far": 0.05}),
        ("sense/copies", {"few_copies": 0.0}), ("sense/copies", {"few_copies": 0.3, "few_right": 0.5}),
    ],
)  # fmt: skip
def test_each_part_can_be_refuted(part: str, changed: dict[str, float]):
    verdict = judged(made_up(**changed))[part]
    assert verdict.verdict == "refuted"
    assert verdict.corrected


@pytest.mark.parametrize(
    ("part", "name", "over", "differences"),
    [
        ("early-stopping", "stopped_published_verbatim_words", "held_out_verbatim_words", (0.0, 0.015, 0.04)),
        ("early-stopping", "stopped_published_verbatim_words", "held_out_verbatim_words", (0.015, 0.02, 0.03)),
        ("words", "last_published_words", "held_out_words", (-0.04, -0.015, 0.0)),
        ("words", "last_published_words", "held_out_words", (-0.03, -0.02, -0.015)),
        ("held-out", "last_train_loss", "stopped_train_loss", (-0.5, -0.1, 0.2)),
    ],
)
def test_an_interval_over_the_limit_is_inconclusive(part: str, name: str, over: str, differences: tuple[float, ...]):
    """Whichever side its middle is on."""
    found = []
    for one in made_up():
        d = differences[one.seed % 3]
        new = {over: (0.0,) * len(WORDS), name: (d,) * len(WORDS)} if "verbatim" in name else {over: 1.0, name: 1.0 + d}
        ms = tuple(replace(m, value=new[m.name]) if m.name in new else m for m in one.measurements)
        found.append(replace(one, measurements=ms))
    assert judged(found)[part].verdict == "inconclusive"


def test_one_seed_decides_nothing_that_rests_on_a_spread():
    one = [result for result in made_up() if result.seed == 0]
    found = {part: verdict.verdict for part, verdict in judged(one, replace(MADE_UP, seeds=1)).items()}
    assert set(found.values()) == {"inconclusive", "not measured"}
    assert found.pop("sense/book") == "not measured"
    assert "not measured" not in found.values()


def test_the_held_out_loss_counts_only_where_the_training_loss_falls():
    assert judged(made_up(fell=0.0))["held-out"].verdict == "inconclusive"
    assert judged(made_up(rises=-0.3, learned=0.0))["held-out"].verdict == "inconclusive"


def test_nets_that_tell_no_tales_say_nothing_of_sense():
    assert judged(made_up(few_right=0.0, many_right=0.0))["sense/grammar"].verdict == "inconclusive"
    nothing = judged(made_up(few_copies=0.0, grammatical=0.0))["sense/copies"]
    assert nothing.verdict == "inconclusive"
    assert judged(made_up(few_copies=0.06, few_right=0.0, grammatical=0.06))["sense/copies"].verdict == "inconclusive"
    assert "tale_steps" in nothing.next_step
    assert judged(made_up(few_right=0.5, many_right=0.5))["sense/grammar"].verdict == "refuted"


def test_what_repeats_itself_more_than_the_book_is_said_to():
    assert judged(made_up(repetition=0.3))["itself"].verdict == "supported"


def test_a_missing_seed_is_not_measured():
    results = made_up()
    books = [one for one in results if one.params["task"] == "book"]
    without = [one for one in results if one is not books[2]]
    assert judged(without)["held-out"].verdict == "not measured"
    assert judged(without)["sense/floor"].verdict == "supported"
    assert {verdict.verdict for verdict in verdicts(MADE_UP, [])} == {"not measured"}
    without = [one for one in results if one.params.get("arm") != "few" or one.seed != 3]
    assert {part for part, one in judged(without).items() if one.verdict == "not measured"} == {
        "sense/grammar", "sense/floor", "sense/copies", "sense/book",
    }  # fmt: skip


def test_phrases_are_of_five_words_written_in_the_published_setting():
    shares = {"last_published_verbatim_words": (0.9, 0.8, 0.5, 0.1), "held_out_verbatim_words": (0.7, 0.2, 0.0, 0.0)}
    shares |= {"last_plain_verbatim_words": (0.4, 0.3, 0.2, 0.1)}
    found = [
        replace(one, measurements=tuple(replace(m, value=shares.get(m.name, m.value)) for m in one.measurements))
        for one in made_up()
    ]
    assert WORDS == (2, 3, 5, 8)
    assert judged(found)["repeats"].effect == 0.5


def test_published_numbers_stand_beside():
    verdict = judged(made_up())["regime"]
    assert verdict.published == published()["train_loss_by_epoch"][-1] == 0.1655
    assert verdict.measured == pytest.approx(0.17, abs=0.01)


def test_a_run_measures_all_that_is_judged(measured: list[JobResult]):
    for verdict in verdicts(TINY, measured):
        assert (verdict.verdict == "not measured") == (verdict.part == "sense/book"), verdict.part
    nets = [one for one in measured if one.params["task"] == "book"]
    assert nets[0].value("views") == pytest.approx(16, rel=0.1)
    assert len(nets[0].values("curve_train")) == len(nets[0].values("curve_views")) >= 4
    assert nets[0].value("stopped_test_loss") < math.log(60)
    late = [
        loss
        for views, loss in zip(nets[0].values("curve_views"), nets[0].values("curve_train"), strict=True)
        if views > 0.8 * nets[0].value("views")
    ]
    assert len(late) == 1
    assert nets[0].value("train_loss_in_training") == pytest.approx(late[0])
    arms = {str(one.params["arm"]): one for one in measured if one.params["task"] == "tales"}
    assert {arm: one.value("tales_seen") for arm, one in arms.items()} == {"few": 3, "many": 16}
    assert [one.value("fresh_copies") for one in arms.values()] == [0, 0], "the test tales are others than those seen"


def test_the_last_weights_are_kept_beside_the_best(monkeypatch: pytest.MonkeyPatch):
    def fit(model: GPT, corpus: Corpus, schedule: LanguageSchedule, **options: Any) -> LanguageHistory:
        for step, level in ((1, 1.0), (2, 2.0)):
            torch.nn.init.constant_(model.embed.weight, level)
            options["on_evaluation"](Evaluation(step, 0.0, 0.0))
        torch.nn.init.constant_(model.embed.weight, 1.0)  # back to the best
        return LanguageHistory(evaluations=(), best_step=1, best_loss=0.0, steps=2, tokens=0, ended="steps")

    monkeypatch.setattr("erlangen.experiments.fairytales.run.fit", fit)
    job = next(job for job in jobs(TINY) if job.params["task"] == "book")
    model = GPT(GPTConfig(vocabulary=3, block=8, layers=1, heads=1, width=8))
    _, weights = trained(job, model, slice_of(job)[0], LanguageSchedule(steps=2))
    assert {which: float(state["embed.weight"].mean()) for which, state in weights.items()} == {"stopped": 1.0, "last": 2.0}


def test_a_tale_that_the_block_cuts_is_none(monkeypatch: pytest.MonkeyPatch):
    """Not even where only its END is missing."""
    text = tales(1, seed=2)
    tokenizer = CharacterTokenizer.of(text)
    tokens = tokenizer.encode("\n" + text)
    monkeypatch.setattr("erlangen.experiments.fairytales.telling.generate", lambda *_, **__: torch.stack([tokens[:-1]] * 2))
    corpus = Corpus(name="", tokenizer=tokenizer, train=tokens, validation=tokens, test=tokens)
    model = GPT(GPTConfig(vocabulary=tokenizer.size, block=8, layers=1, heads=1, width=8))
    cut = telling.written(model, corpus, 2, Settings())
    assert cut == [text[:-1] + "…"] * 2
    assert [m.value for m in described("x", cut, text)[:2]] == [0, 0]
    monkeypatch.setattr("erlangen.experiments.fairytales.telling.generate", lambda *_, **__: torch.stack([tokens] * 2))
    assert telling.written(model, corpus, 2, Settings()) == [text[:-1]] * 2


def test_equal_jobs_measure_equal_numbers(measured: list[JobResult]):
    job = next(job for job in jobs(TINY) if job.params["task"] == "book")
    again = result(job, book(job))
    first = next(one for one in measured if one.key == again.key)
    assert [(m.name, str(m.value)) for m in again.measurements] == [(m.name, str(m.value)) for m in first.measurements]


def test_a_slice_and_what_is_held_out_are_apart():
    job = next(job for job in jobs(replace(TINY, seeds=2)) if job.params["task"] == "book")
    corpus, training, test = slice_of(job)
    assert len(training) == 512
    assert corpus.tokenizer.decode(corpus.train) == training
    assert corpus.tokenizer.decode(corpus.test) == test
    assert len(test) == 4 * 68
    text = tales((512 + 256 + 4 * 68 + 64) // 150 + 1, seed=job.seed)
    start = text.index(training)
    assert text.index(test, start) == start + 512 + 32 + 256 + 32
    other = slice_of(next(job for job in jobs(replace(TINY, seeds=2)) if job.params["task"] == "book" and job.seed == 1))
    assert other[1] != training


def test_no_two_seeds_read_the_same_pages(monkeypatch: pytest.MonkeyPatch):
    book = "".join(map(chr, range(0x4E00, 0x4E00 + 6000)))  # no character comes twice
    monkeypatch.setattr("erlangen.experiments.fairytales.run.grimm", lambda: book)
    *five, sixth = (job for job in jobs(replace(TINY, book="grimm", seeds=6)) if job.params["task"] == "book")
    read: set[str] = set()
    for job in five:
        corpus, training, test = slice_of(job)
        own = set(training + test + corpus.tokenizer.decode(corpus.validation))
        assert len(own) == 512 + 256 + 4 * 68
        assert not own & read
        read |= own
    with pytest.raises(ErlangenError, match="5 times the 1104"):
        slice_of(sixth)


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
    found = {m.name: m.value for m in described("x", [first, second, first[:40], "", "…"], first + "\n")}
    assert found["x_grammatical"] == 2 / 5
    assert found["x_copies"] == 1 / 5
    assert found["x_grammatical_and_new"] == 1 / 5
    assert 0.4 < found["x_followed"] < 0.6


def test_figures_are_drawn(measured: list[JobResult]):
    shown = findings(MADE_UP, made_up(), verdicts(MADE_UP, made_up()))
    assert_drawn(shown.figures)
    assert [figure.name for figure in shown.figures] == ["curves", "verbatim", "tales"]
    assert "80 views" in shown.found
    assert_drawn(findings(TINY, measured, verdicts(TINY, measured)).figures)
    assert findings(MADE_UP, [], []).figures == ()


def test_presets_are_the_sources_regime():
    standard = PRESETS["standard"]
    assert standard.steps * standard.batch * standard.block == pytest.approx(published()["views"] * standard.characters, rel=0.01)
    assert sum(job.seconds for job in jobs(PRESETS["quick"])) < 2 * 60
