"""Temperature and top-p: what is measured on a tiny recipe, the verdicts against made-up results."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
import torch
from scipy import stats
from support.figures import assert_drawn
from support.results import result
from torch import Tensor

from erlangen.data.characters import CharacterTokenizer
from erlangen.data.corpus import Corpus
from erlangen.experiments.sampling import CLAIMS, OUTCOMES, PRESETS, SETTINGS, SOURCE, WIDE, Recipe, Setting, jobs, label
from erlangen.experiments.sampling.evidence import contrast, crossed_mean, spread
from erlangen.experiments.sampling.judge import family, findings, verdicts
from erlangen.experiments.sampling.judge import judged as judged_by
from erlangen.experiments.sampling.run import losses, run
from erlangen.generate.writing import Passage
from erlangen.models.gpt import GPTConfig
from erlangen.records.runs import JobResult, Measurement, Verdict

TINY = Recipe(
    corpus="tales", dictionary="training", seeds=2, steps=10, other_steps=10, layers=1, heads=1, width=16, block=256, batch=2,
    prompts=8, prompt=8, length=40,
)  # fmt: skip
MADE_UP = Recipe(seeds=5, prompts=200)
WITHIN, BEYOND = 0.02, 0.5  # of a standard deviation, whose margin is 0.2


@pytest.fixture(scope="module")
def measured() -> list[JobResult]:
    return [result(job, run(job)) for job in jobs(TINY)]


def made_up(
    moved: dict[Setting, float], outcomes: tuple[str, ...] = tuple(OUTCOMES), scatter: float = 1.0, by_net: float = 0.0
) -> list[JobResult]:
    """As if a setting moved the outcomes so many standard deviations of held-out text; by_net: each net otherwise, too."""
    rng = np.random.default_rng(0)
    easy = rng.normal(size=MADE_UP.prompts)  # what prompts have in common in all settings
    found = []
    for job in jobs(MADE_UP):
        ms = [Measurement("validation_loss", 1.4)]
        own = {setting: by_net * float(rng.normal()) for setting in SETTINGS}
        for outcome in OUTCOMES:
            ms.append(Measurement(f"held out {outcome}", tuple(map(float, rng.normal(size=MADE_UP.prompts)))))
            for setting in SETTINGS:
                shift = (moved.get(setting, 0.0) if outcome in outcomes else 0.0) + own[setting]
                values = shift + easy + scatter * rng.normal(size=MADE_UP.prompts)
                ms.append(Measurement(f"{label(setting)} {outcome}", tuple(map(float, values))))
        found.append(result(job, ms))
    return found


def judged(results: list[JobResult], recipe: Recipe = MADE_UP) -> dict[str, Verdict]:
    return {verdict.part: verdict for verdict in verdicts(recipe, results)}


def test_settings_that_do_nothing_are_equivalent():
    found = judged(made_up({}, scatter=0.5))
    assert list(found) == list(CLAIMS[0].parts)
    assert {verdict.verdict for verdict in found.values()} == {"supported"}


@pytest.mark.parametrize("setting", SOURCE, ids=label)
def test_one_setting_of_the_source_that_differs_refutes(setting: Setting):
    found = judged(made_up({setting: BEYOND}, ("loss",), scatter=0.5))
    assert found["source/loss"].verdict == "refuted"
    assert label(setting) in found["source/loss"].unit
    assert abs(found["source/loss"].effect or 0) == pytest.approx(BEYOND, abs=0.1)
    assert {verdict.verdict for part, verdict in found.items() if part != "source/loss"} == {"supported"}


@pytest.mark.parametrize("knob", WIDE)
def test_temperature_and_top_p_are_judged_apart(knob: str):
    found = judged(made_up({WIDE[knob][0]: -BEYOND}, scatter=0.5))
    assert {part for part, verdict in found.items() if verdict.verdict == "refuted"} == {f"wide/{knob}/{o}" for o in OUTCOMES}
    assert "It does change" in (found[f"wide/{knob}/loss"].corrected or "")


def test_a_difference_below_the_margin_is_named_and_supports():
    found = judged(made_up({WIDE["top-p"][0]: 0.08}, ("words",), scatter=0.3))["wide/top-p/words"]
    assert found.verdict == "supported"
    assert "below the margin" in (found.corrected or "")


def test_no_difference_found_is_not_equivalence():
    few = [result_with_prompts(one, 12) for one in made_up({}, scatter=3.0)]  # as few texts as a reader looks at
    assert {verdict.verdict for verdict in judged(few).values()} == {"inconclusive"}


def result_with_prompts(one: JobResult, n: int) -> JobResult:
    job = next(job for job in jobs(MADE_UP) if job.seed == one.seed)
    return result(job, [Measurement(m.name, m.value[:n] if isinstance(m.value, tuple) else m.value) for m in one.measurements])


def test_nets_that_disagree_widen_the_interval():
    found = judged(made_up({}, scatter=0.1, by_net=0.5))["wide/temperature/loss"]
    assert found.n == MADE_UP.seeds
    assert found.verdict == "inconclusive"


@pytest.mark.parametrize("axis", ["nets", "prompts"])
def test_p_values_are_those_of_the_t_test_where_only_nets_or_only_prompts_differ(axis: str):
    x = np.random.default_rng(1).normal(0.3, 1, size=25)
    mean = crossed_mean(np.repeat(x[:, None], 12, 1) if axis == "nets" else np.repeat(x[None], 12, 0))
    low, high = stats.ttest_1samp(x, 0).confidence_interval()
    assert mean.interval[1:3] == pytest.approx((low, high), rel=1e-9)
    assert mean.p_different() == pytest.approx(float(stats.ttest_1samp(x, 0).pvalue), rel=1e-9)
    low, high = (float(stats.ttest_1samp(x, at, alternative=side).pvalue) for at, side in ((-0.9, "greater"), (0.9, "less")))
    assert mean.p_equivalent(0.9) == pytest.approx(max(low, high), rel=1e-9)
    assert mean.p_equivalent(0.9) < 0.05 < mean.p_equivalent(0.3)


def test_intervals_hold_where_nets_and_prompts_both_differ():
    """Over prompts alone, or texts alone, they would hold far less often."""
    rng, holds, errors, n = np.random.default_rng(2), [], [], 600
    for _ in range(n):
        mean = crossed_mean(rng.normal(size=(8, 1)) + 1.5 * rng.normal(size=(1, 20)) + rng.normal(size=(8, 20)))
        holds.append(mean.interval.low <= 0 <= mean.interval.high)
        errors.append(mean.error**2)
    assert np.mean(holds) == pytest.approx(0.95, abs=0.025)
    assert np.mean(errors) == pytest.approx(1 / 8 + 1.5**2 / 20 + 1 / 160, rel=0.1)


def test_what_texts_scatter_by_is_counted_once():
    rng, n = np.random.default_rng(3), 400
    errors = [
        crossed_mean(0.3 * rng.normal(size=(30, 1)) + 0.3 * rng.normal(size=(1, 30)) + rng.normal(size=(30, 30))).error ** 2
        for _ in range(n)
    ]
    assert np.mean(errors) == pytest.approx(2 * 0.3**2 / 30 + 1 / 900, rel=0.05)


def test_p_values_are_corrected_for_pairs_and_outcomes(monkeypatch: pytest.MonkeyPatch):
    """Holm, step by step: times as many as are left; for a difference anywhere, times six pairs first."""
    monkeypatch.setattr("erlangen.experiments.sampling.judge.judged", lambda *given: (given[3], given[4], given[5], given[6]))
    pairs = list(combinations(SOURCE, 2))
    found = family(MADE_UP, made_up({SOURCE[0]: 0.25}, ("loss", "words"), scatter=0.7), "source", pairs)
    for raw, corrected in (
        ([max(one.p_equivalent() for one in contrasts) for _, contrasts, _, _ in found], [same for _, _, same, _ in found]),
        ([6 * min(one.mean.p_different() for one in contrasts) for _, contrasts, _, _ in found], [p for *_, p in found]),
    ):
        order, least = np.argsort(raw), 0.0
        for left, k in zip(range(len(OUTCOMES), 0, -1), order, strict=True):
            least = min(max(least, left * min(raw[k], 1.0)), 1.0)
            assert corrected[k] == pytest.approx(least)
    assert min(same for _, _, same, _ in found) < 1
    assert min(p for *_, p in found) < 1


def test_units_do_not_matter():
    results = made_up({WIDE["top-p"][0]: 0.1}, scatter=0.5)
    percent = []
    for one in results:
        ms = [replace(m, value=tuple(100 * v for v in m.value)) if isinstance(m.value, tuple) else m for m in one.measurements]
        percent.append(replace(one, measurements=tuple(ms)))
    assert {part: one.verdict for part, one in judged(percent).items()} == {p: one.verdict for p, one in judged(results).items()}


def test_where_every_difference_is_the_same():
    same = crossed_mean(np.full((4, 9), 0.1))
    assert same.interval == pytest.approx((0.1, 0.1, 0.1, 4))
    assert same.p_different() == 1 / 8
    assert (same.p_equivalent(0.2), same.p_equivalent(0.05)) == (0, 1)
    nothing = crossed_mean(np.zeros((4, 9)))
    assert (nothing.p_different(), nothing.p_equivalent(0.2), nothing.p_equivalent(0.0)) == (1, 0, 1)


def test_too_few_to_know_the_error():
    for few in (np.zeros((0, 0)), np.ones((1, 9)), np.ones((4, 1)), np.full((4, 9), np.nan)):
        mean = crossed_mean(few)
        assert all(map(math.isnan, (mean.error, mean.interval.low, mean.p_different(), mean.p_equivalent(1.0))))


@pytest.mark.parametrize(
    ("same", "apart", "verdict"),
    [
        (0.049, 0.2, "supported"), (0.051, 0.2, "inconclusive"), (0.5, 0.051, "inconclusive"), (0.5, 0.049, "refuted"),
        (0.049, 0.049, "supported"), (math.nan, 0.2, "inconclusive"), (math.nan, math.nan, "inconclusive"),
    ],
)  # fmt: skip
def test_the_level_of_both_tests(same: float, apart: float, verdict: str):
    results = made_up({})
    pair = [contrast(results, *WIDE["top-p"], "loss", 0.2)]
    found = judged_by(MADE_UP, results, "wide/top-p", "loss", pair, same, apart)
    assert found.verdict == verdict
    assert bool(found.corrected) == (apart < 0.05)


def test_texts_without_the_outcome_are_left_out():
    results = made_up({(0.3, 1.0): BEYOND}, scatter=0.1)
    broken = []
    for one in results:
        job = next(job for job in jobs(MADE_UP) if job.seed == one.seed)
        ms = [
            Measurement(m.name, (None, *m.value[1:]) if m.name == "0.3/1 words" and isinstance(m.value, tuple) else m.value)
            for m in one.measurements
        ]
        broken.append(result(job, ms))
    found = contrast(broken, *WIDE["temperature"], "words", 0.2)
    assert (found.mean.nets, found.mean.prompts) == (MADE_UP.seeds, MADE_UP.prompts - 1)
    assert found.mean.estimate == pytest.approx(BEYOND, abs=0.05)
    found = contrast([broken[0], *results[1:]], *WIDE["temperature"], "words", 0.2)
    assert (found.mean.nets, found.mean.prompts) == (MADE_UP.seeds, MADE_UP.prompts - 1), "one net is enough"


def test_what_no_text_has_is_not_equivalence():
    flat = []
    for one in made_up({}):
        job = next(job for job in jobs(MADE_UP) if job.seed == one.seed)
        held = ("validation_loss", "held out")
        ms = [Measurement(m.name, m.value if m.name.startswith(held) else (0.0,) * MADE_UP.prompts) for m in one.measurements]
        flat.append(result(job, ms))
    assert {verdict.verdict for verdict in judged(flat).values()} == {"inconclusive"}


def test_the_margin_is_of_the_books_own_spread():
    assert spread(made_up({}), "loss") == pytest.approx(1.0, abs=0.1)
    one = made_up({})[0]
    two = replace(one, measurements=(Measurement("held out loss", (1.0, None, 3.0)),))
    assert spread([two], "loss") == pytest.approx(2**0.5)
    assert math.isnan(spread([], "loss"))


def test_a_missing_net_is_not_measured():
    assert {verdict.verdict for verdict in judged(made_up({})[:-1]).values()} == {"not measured"}
    assert {verdict.verdict for verdict in judged([]).values()} == {"not measured"}


def test_a_run_measures_all_that_is_judged(measured: list[JobResult]):
    for one in measured:
        for setting in ("held out", *map(label, SETTINGS)):
            for outcome in OUTCOMES:
                assert len(one.values(f"{setting} {outcome}")) == TINY.prompts, (setting, outcome)
    assert all(verdict.verdict != "not measured" for verdict in verdicts(TINY, measured) if "loss" in verdict.part)


def test_the_other_net_is_another(measured: list[JobResult]):
    for one in measured:  # trained alike, but for the seed
        assert one.value("validation_loss") != one.value("other_validation_loss")
        assert one.values("0.7/0.9 loss") != one.values("0.7/0.9 other-loss")
    assert measured[0].value("other_validation_loss") != measured[1].value("other_validation_loss")


def test_a_texts_loss_begins_with_its_first_character_and_ends_with_its_last():
    class Pairs:
        """-log p of a character is 1 after an equal one, whatever stood before."""

        config = GPTConfig(vocabulary=3, block=4, layers=1, heads=1, width=8)

        def __call__(self, tokens: Tensor) -> Tensor:
            return torch.full((3, 3), -other).fill_diagonal_(-1.0)[tokens]

    other = -math.log((1 - math.exp(-1.0)) / 2)
    tokenizer = CharacterTokenizer("abc")
    corpus = Corpus(name="", tokenizer=tokenizer, **dict.fromkeys(("train", "validation", "test"), tokenizer.encode("abc")))
    parts = [Passage("abcab", ""), Passage("ccccc", "")]
    found = losses(Pairs(), corpus, parts, ["bbbbbbbbb", "abbbbbbbb"])  # type: ignore[arg-type]
    assert found == pytest.approx([1.0, (2 * other + 7) / 9], rel=1e-5)


def test_hotter_is_less_likely_under_the_net_itself(measured: list[JobResult]):
    cold, hot = (np.mean([one.values(f"{name} loss") for one in measured]) for name in ("0.3/1", "1.5/1"))
    assert cold < hot


def test_figures_are_drawn(measured: list[JobResult]):
    results = made_up({(0.3, 1.0): 1.0})
    shown = findings(MADE_UP, results, verdicts(MADE_UP, results))
    assert_drawn(shown.figures)
    assert "From temperature 0.3 to 1.5: distinct, repetition, verbatim, words, loss, other-loss differ" in shown.found
    assert_drawn(findings(TINY, measured, verdicts(TINY, measured)).figures)
    assert findings(MADE_UP, [], []).figures == ()


def test_two_hundred_texts_a_setting_and_the_published_pairs():
    assert PRESETS["standard"].prompts >= 200
    assert set(SOURCE) == {(0.7, 0.9), (1.0, 0.9), (0.75, 0.95), (0.65, 0.85)}
    assert sum(job.seconds for job in jobs(PRESETS["quick"])) < 2 * 60
