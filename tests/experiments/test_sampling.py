"""Temperature and top-p: what is measured on a tiny recipe, the verdicts against made-up results."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats
from support.figures import assert_drawn
from support.results import result

from erlangen.experiments.sampling import CLAIMS, OUTCOMES, PRESETS, SETTINGS, SOURCE, WIDE, Recipe, Setting, jobs, label
from erlangen.experiments.sampling.evidence import contrast, p_value, spread
from erlangen.experiments.sampling.judge import findings, verdicts
from erlangen.experiments.sampling.run import run
from erlangen.results import JobResult, Measurement, Verdict
from erlangen.stats import mean_interval

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
    assert judged(made_up({}, scatter=0.5))["wide/temperature/loss"].n in (MADE_UP.seeds, MADE_UP.prompts)


def test_p_values_are_those_of_the_t_test():
    x = np.random.default_rng(1).normal(0.3, 1, size=25)
    interval = mean_interval(list(x))
    assert p_value(interval, 0.0, both=True) == pytest.approx(float(stats.ttest_1samp(x, 0).pvalue), rel=1e-9)
    low, high = (float(stats.ttest_1samp(x, at, alternative=side).pvalue) for at, side in ((-0.9, "greater"), (0.9, "less")))
    assert p_value(interval, 0.9) == pytest.approx(max(low, high), rel=1e-9)
    assert p_value(interval, 0.9) < 0.05 < p_value(interval, 0.3)
    assert math.isnan(p_value(mean_interval([1.0]), 0.5))


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
    assert found.by_prompt.n == MADE_UP.prompts - 1
    assert found.interval.estimate == pytest.approx(BEYOND, abs=0.05)


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


def test_a_missing_net_is_not_measured():
    assert {verdict.verdict for verdict in judged(made_up({})[:-1]).values()} == {"not measured"}
    assert {verdict.verdict for verdict in judged([]).values()} == {"not measured"}


def test_a_run_measures_all_that_is_judged(measured: list[JobResult]):
    for one in measured:
        for setting in ("held out", *map(label, SETTINGS)):
            for outcome in OUTCOMES:
                assert len(one.values(f"{setting} {outcome}")) == TINY.prompts, (setting, outcome)
    assert all(verdict.verdict != "not measured" for verdict in verdicts(TINY, measured) if "loss" in verdict.part)


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
