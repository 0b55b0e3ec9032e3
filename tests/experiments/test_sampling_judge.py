"""Temperature and top-p: the verdicts in worlds whose answer is known, and faults that must turn one."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy import stats
from support.results import evidence_of

from erlangen.experiments import planned_jobs
from erlangen.experiments.kit.compare import decide
from erlangen.experiments.kit.evidence import Arm, Evidence
from erlangen.experiments.sampling import CLAIMS, EXTREMES, QUOTES, RANGES, REPORT, Recipe, part_name
from erlangen.experiments.sampling.evidence import Largest, difference, nets, tables
from erlangen.experiments.sampling.figures import figures
from erlangen.experiments.sampling.judge import answers, changed, unchanged, verdicts
from erlangen.experiments.sampling.tasks import LOSS, OUTCOMES, REFERENCE, SETTINGS, SOURCE, Setting, label
from erlangen.experiments.sampling.unit import spread, squares, unit_error, with_unit_error
from erlangen.records.runs import Job, Measurement, Verdict
from erlangen.statistics import crossed_interval, simultaneous_level
from erlangen.statistics.intervals import Interval
from erlangen.statistics.regions import at_most

WORLD = Recipe(seeds=8, stopped_seeds=8, prompts=200)
SMALL = Recipe(seeds=5, prompts=24, regimes=("memorizing",))
MARGIN, SPREAD = 0.2, 0.05  # of the recipe; standard deviation between texts
DRAWS, MOST = 200, 11  # worlds, and how many of them may be wrong: 2.5 % and three standard errors
MEMORIZING = {part_name(where, "memorizing") for where in RANGES}
STOPPED = {part_name(where, "stopped") for where in RANGES}
FAR = {part_name(where, regime) for where in EXTREMES for regime in ("memorizing", "stopped")}
LEVELS = {"distinct": 0.9, "verbatim": 0.68, "words": 0.98}


def world(
    moved: dict[Setting, float] | None = None,
    outcomes: tuple[str, ...] = OUTCOMES,
    *,
    recipe: Recipe = WORLD,
    draw: int = 0,
    scatter: float = 0.5,
    by_net: float = 0.0,
    train_loss: float = 0.17,
    copied: float = 0.68,
    stopped_words: float = 0.98,
    validation_loss: float = 1.4,
    knobs: float = 1.0,
    failed: tuple[str, int] | None = None,
) -> Evidence:
    """As if a setting moved the outcomes so many standard deviations between texts.

    Far settings move them by 1, the loss with them, both times `knobs`. scatter: share of a text's spread that its prompt does
    not explain.
    by_net: a setting moves each net by so much more or less.
    """
    rng = np.random.default_rng(draw)
    easy = {outcome: rng.normal(size=recipe.prompts) for outcome in (*OUTCOMES, LOSS)}  # what prompts have in common
    far = {EXTREMES[where][0]: knobs for where in EXTREMES}

    def measure(job: Job) -> list[Measurement] | None:
        stopped = job.params["regime"] == "stopped"
        level = {**LEVELS, "verbatim": 0.02 if stopped else copied, "words": stopped_words if stopped else 0.98, LOSS: 1.0}
        found = [Measurement("train_loss_in_training", 1.2 if stopped else train_loss + 0.01 * float(rng.normal()))]
        found += [Measurement("validation_loss", validation_loss), Measurement("views", 400.0)]
        found.append(Measurement("held out words", (0.98,) * recipe.prompts))
        for setting in SETTINGS:
            own = by_net * float(rng.normal())
            for outcome in (*OUTCOMES, LOSS):
                shift = far.get(setting, 0.0) + own + ((moved or {}).get(setting, 0.0) if outcome in outcomes else 0.0)
                texts = math.sqrt(1 - scatter**2) * easy[outcome] + scatter * rng.normal(size=recipe.prompts)
                values = level[outcome] + SPREAD * (shift + texts)
                found.append(Measurement(f"{label(setting)} {outcome}", tuple(values.tolist())))
        return None if (job.params["regime"], job.seed) == failed else found

    return evidence_of(planned_jobs("sampling", recipe), measure)


def mapped(evidence: Evidence, change: Callable[[Measurement], Measurement]) -> Evidence:
    """The evidence with every measurement changed."""
    results = [replace(one, measurements=tuple(map(change, one.measurements))) for one in evidence.results]
    return Evidence(tuple(results), evidence.missing)


def judged(evidence: Evidence, recipe: Recipe = WORLD) -> dict[str, Verdict]:
    return {verdict.part: verdict for verdict in verdicts(recipe, evidence)}


def outcomes_of(evidence: Evidence, recipe: Recipe = WORLD) -> dict[str, str]:
    return {part: verdict.verdict for part, verdict in judged(evidence, recipe).items()}


def arm_of(evidence: Evidence) -> Arm:
    return nets(evidence, "memorizing")


def test_settings_that_do_nothing_are_equivalent_and_far_ones_are_seen():
    found = outcomes_of(world())
    assert set(found) == set(CLAIMS[0].parts)
    assert set(found.values()) == {"supported"}


@pytest.mark.parametrize("outcome", OUTCOMES)
def test_one_setting_of_the_report_that_differs_in_one_outcome_refutes(outcome: str):
    found = judged(world({SOURCE[0]: 0.5}, (outcome,)))
    assert {part for part, verdict in found.items() if verdict.verdict == "refuted"} == {REPORT, part_name(REPORT, "stopped")}
    assert found[REPORT].effect == pytest.approx(0.5, abs=0.1)
    assert label(SOURCE[0]) in {group.name for group in found[REPORT].groups}


def test_each_knob_is_judged_alone():
    for where, other in (("temperature alone", "top-p alone"), ("top-p alone", "temperature alone")):
        setting = next(setting for setting in RANGES[where] if setting not in SOURCE)
        found = outcomes_of(world({setting: 0.5}))
        assert (found[where], found[other], found[REPORT]) == ("refuted", "supported", "supported")


def test_on_the_edge_few_verdicts_are_wrong_either_way():
    """One setting differs by just the margin: supported and refuted are both as rare as the level says."""
    found = []
    for draw in range(DRAWS):
        evidence = world({SOURCE[0]: MARGIN}, ("words",), recipe=SMALL, draw=draw, scatter=0.15, by_net=0.03)
        found.append(decide([unchanged(SMALL, evidence, REPORT, "memorizing")])[0].verdict)
    assert found.count("supported") <= MOST
    assert found.count("refuted") <= MOST


def test_where_nothing_differs_the_largest_of_all_differences_refutes_nothing():
    """Eighteen of them, of which the largest is picked."""
    worlds = (arm_of(world(recipe=SMALL, draw=draw)) for draw in range(DRAWS))
    assert sum(Largest(arm, SOURCE).interval(0.95).low > 0 for arm in worlds) <= MOST


def test_far_settings_on_the_edge_seldom_pass_the_control():
    found = []
    for draw in range(DRAWS):
        evidence = world(recipe=SMALL, draw=draw, knobs=MARGIN, scatter=0.15, by_net=0.03)
        found.append(decide([changed(SMALL, evidence, "top-p 0.5 to 1", "memorizing")])[0].verdict)
    assert found.count("supported") <= MOST
    assert found.count("refuted") <= MOST


def test_no_difference_found_is_not_equivalence():
    found = outcomes_of(world(recipe=SMALL), SMALL)  # as few texts as a reader looks at
    assert {found[part] for part in MEMORIZING} == {"inconclusive"}


def test_nets_that_disagree_widen_the_interval():
    found = judged(world(by_net=0.4))[REPORT]
    assert (found.n, found.verdict) == (WORLD.seeds, "inconclusive")
    assert "nets" in found.next_step


def test_intervals_hold_together_over_all_parts():
    found = judged(world())
    assert {verdict.level for verdict in found.values()} == {1 - 0.05 / len(found)}


def test_the_largest_difference_is_that_of_the_widest_pair_in_the_outcome_that_differs_most():
    arm = arm_of(world({SOURCE[1]: 0.5, SOURCE[3]: -0.5}, ("words",)))
    found, texts = Largest(arm, SOURCE), tables(arm, "words", SOURCE)
    values = difference(arm, SOURCE[1], SOURCE[3], "words") / spread(texts)
    assert (found.widest.outcome, found.widest.pair) == ("words", (SOURCE[1], SOURCE[3]))
    assert found.interval(0.95).estimate == crossed_interval(values, 0.95).estimate

    def widened(level: float) -> Interval:
        return with_unit_error(crossed_interval(values, level), unit_error(squares(texts), level))

    assert found.interval(0.95).high == widened(0.95).high > crossed_interval(values, 0.95).high
    assert found.interval(0.95).low == widened(simultaneous_level(6 * len(OUTCOMES))).low


def test_the_unit_is_the_spread_between_texts_of_one_net_in_one_setting():
    assert spread(tables(arm_of(world(by_net=3.0)), "words", SOURCE)) == pytest.approx(SPREAD, rel=0.05)
    values = {label(SOURCE[0]): (1.0, 3.0), label(SOURCE[1]): (11.0, math.nan, 13.0)}
    one = evidence_of(planned_jobs("sampling", SMALL), lambda job: [Measurement(f"{s} words", v) for s, v in values.items()])
    assert spread(tables(arm_of(one), "words", SOURCE[:2])) == pytest.approx(2**0.5)
    assert math.isnan(spread(tables(arm_of(Evidence(())), "words", SOURCE)))


def test_units_do_not_matter():
    def percent(one: Measurement) -> Measurement:
        scaled = one.name.endswith("distinct") and isinstance(one.value, tuple)
        return (
            replace(one, value=tuple(100 * float(v or 0) for v in one.value)) if scaled and isinstance(one.value, tuple) else one
        )

    evidence = world({SOURCE[0]: 0.3}, ("distinct",))
    assert outcomes_of(mapped(evidence, percent)) == outcomes_of(evidence)


def test_texts_without_the_outcome_are_left_out():
    def without_first(one: Measurement) -> Measurement:
        cut = one.name == f"{label(SOURCE[0])} words" and isinstance(one.value, tuple)
        return replace(one, value=(None, *one.value[1:])) if cut and isinstance(one.value, tuple) else one

    evidence = world({SOURCE[0]: 0.5}, ("words",))
    whole, broken = (Largest(arm_of(e), SOURCE).interval(0.95) for e in (evidence, mapped(evidence, without_first)))
    assert broken.n == whole.n == WORLD.seeds
    assert broken.estimate == pytest.approx(whole.estimate, abs=0.02)
    assert broken != whole


@pytest.mark.parametrize("outcome", OUTCOMES)
def test_texts_that_are_all_alike_support_nothing_and_refute_nothing(outcome: str):
    flat = mapped(world(), lambda one: replace(one, value=(0.5,) * WORLD.prompts) if one.name.endswith(f" {outcome}") else one)
    found = judged(flat)
    assert {found[part].verdict for part in MEMORIZING | FAR} == {"inconclusive"}
    assert "texts that differ in" in found[REPORT].next_step


def test_knobs_that_do_nothing_support_nothing():
    """Were the settings never handed on, all texts would be alike: the loss under the net itself would tell."""
    found = judged(world(knobs=0.0))
    assert {found[part].verdict for part in MEMORIZING | STOPPED} == {"inconclusive"}
    assert "a change of the loss under the net itself" in found[REPORT].next_step
    assert {found[part].verdict for part in FAR} == {"refuted"}


def test_a_change_that_only_the_loss_sees_is_no_positive_control():
    def blind(one: Measurement) -> Measurement:
        far = any(one.name.startswith(f"{label(pair[0])} ") for pair in EXTREMES.values())
        hidden = far and not one.name.endswith(LOSS) and isinstance(one.value, tuple)
        return (
            replace(one, value=tuple(float(v or 0) - SPREAD for v in one.value))
            if hidden and isinstance(one.value, tuple)
            else one
        )

    found = judged(mapped(world(), blind))
    assert "a change of what is written" in found[REPORT].next_step


@pytest.mark.parametrize("known", [{"train_loss": 0.5}, {"train_loss": 0.0}, {"copied": 0.1}, {"copied": 0.95}], ids=str)
def test_the_report_is_judged_in_its_own_regime_alone(known: dict[str, float]):
    for moved in ({}, {SOURCE[0]: 0.5}):
        found = outcomes_of(world(moved, **known))  # type: ignore[arg-type]
        assert {found[part] for part in MEMORIZING} == {"inconclusive"}
        assert {found[part] for part in STOPPED} <= {"supported", "refuted"}
        assert "refuted" in {found["training loss"], found["copied strings"]}


def test_nets_that_are_not_trained_decide_nothing():
    found = judged(world(train_loss=2.7, validation_loss=2.7))
    assert {found[part].verdict for part in MEMORIZING | STOPPED | FAR} == {"inconclusive"}
    assert "not trained" in found[REPORT].next_step


def test_nets_that_write_no_words_decide_nothing():
    for moved in ({}, {SOURCE[0]: 0.5}):
        found = judged(world(moved, stopped_words=0.6))
        assert {found[part].verdict for part in STOPPED} == {"inconclusive"}
        assert "95 % as many words" in found[part_name(REPORT, "stopped")].next_step


def test_what_is_not_finite_or_missing_is_not_measured():
    found = judged(world(failed=("memorizing", 3)))
    assert {found[part].verdict for part in MEMORIZING} == {"not measured"}
    assert "seed 3" in found[REPORT].next_step
    assert {found[part].verdict for part in STOPPED} == {"supported"}
    gone = mapped(world(), lambda one: replace(one, value=(math.nan,) * WORLD.prompts) if one.name.endswith(" words") else one)
    assert {outcomes_of(gone)[part] for part in MEMORIZING | STOPPED} == {"not measured"}
    assert set(outcomes_of(Evidence(())).values()) == {"not measured"}


def test_two_nets_without_a_third_decide_nothing_that_is_near():
    two = replace(WORLD, seeds=2)
    found = outcomes_of(world({SOURCE[0]: 0.3}, recipe=two, by_net=0.1), two)
    assert {found[part] for part in MEMORIZING} == {"inconclusive"}


def test_whose_sentence_each_part_is(tmp_path: Path):
    found = judged(world())
    assert {part: verdict.quote for part, verdict in found.items() if verdict.of == "report"} == QUOTES
    assert {part for part, verdict in found.items() if verdict.of == "control"} == FAR | {"training loss", "copied strings"}
    path = tmp_path / "book.txt"
    path.write_text("Once upon a time. ", encoding="utf-8")
    recipe = replace(WORLD, corpus=str(path))
    found = judged(world(recipe=recipe, train_loss=0.9), recipe)
    assert {verdict.of for verdict in found.values()} == {"extension", "control"}
    assert found[REPORT].verdict == "supported", "of the user's own text there is no regime to be in"


@pytest.mark.parametrize(
    ("moved", "answer"), [({}, "supported"), ({SOURCE[0]: 0.5}, "refuted"), ({SOURCE[0]: 0.2}, "inconclusive")]
)
def test_the_answer_is_made_of_numbers_and_names_its_figure(moved: dict[Setting, float], answer: str):
    evidence = world(moved, ("words",))
    (found,) = answers(WORLD, evidence, verdicts(WORLD, evidence))
    assert found.answer == answer
    assert "standard deviations between texts" in found.sentence
    assert "nan" not in found.sentence
    assert figures(WORLD, evidence)[0].name == found.figure
    assert label(REFERENCE) in {str(row[2]).split()[0] for row in figures(WORLD, evidence)[0].rows}


@pytest.mark.parametrize(("nets_in_all", "prompts"), [(8, 280), (5, 120)])
def test_a_unit_that_rests_on_few_prompts_seldom_decides_on_the_edge(nets_in_all: int, prompts: int):
    """After 6 % of the prompts every net copies, after the others none: the spread between texts is that of a rare event.

    Settings differ by just the margin. At the level of twelve parts, with the unit taken as that of normal texts, a quarter of
    these worlds were decided.
    """
    rng, found = np.random.default_rng(1), []
    region, level = at_most(MARGIN), simultaneous_level(12)
    for _ in range(DRAWS):
        rare = (rng.random(prompts) < 0.06) / math.sqrt(0.06 * 0.94)
        texts = [shift + rare + 0.15 * rng.normal(size=(nets_in_all, prompts)) for shift in (MARGIN * math.sqrt(1.0225), 0.0)]
        interval = crossed_interval((texts[0] - texts[1]) / spread(texts), level)
        found.append(region.decide(with_unit_error(interval, unit_error(squares(texts), level))))
    assert found.count("supported") <= MOST
    assert found.count("refuted") <= MOST


def test_the_error_of_a_unit_is_that_of_normal_texts_where_they_are_normal():
    texts = [np.random.default_rng(2).normal(size=(1, 400)).repeat(4, 0) for _ in range(1)]
    normal = float(stats.t.ppf(0.975, 399)) / math.sqrt(2 * 399)
    assert unit_error(squares(texts), 0.95) == pytest.approx(normal, rel=0.1)
    assert math.isnan(unit_error(squares([]), 0.95))
    unknown = with_unit_error(Interval(0.1, 0.05, 0.15, 8), math.nan)
    assert math.isnan(unknown.low)
    assert math.isnan(unknown.high)


def test_a_setting_in_which_most_texts_have_no_words_is_not_judged_by_the_rest():
    def wordless(one: Measurement) -> Measurement:
        if one.name != f"{label(SOURCE[0])} words" or not isinstance(one.value, tuple):
            return one
        return replace(one, value=(None,) * 180 + one.value[180:])

    found = judged(mapped(world(), wordless))
    assert {found[REPORT].verdict, found[part_name(REPORT, "stopped")].verdict} == {"inconclusive"}
    assert "real words of 95 % of the prompts' texts" in found[REPORT].next_step
    assert found["top-p alone"].verdict == "supported", "that setting is none of its own"


@pytest.mark.parametrize("name", ["train_loss_in_training", f"{label(REFERENCE)} verbatim"])
def test_nets_that_are_in_the_regime_on_average_alone_are_not_in_it(name: str):
    """Half of them know nothing of their text and half know it all."""
    results = []
    for at, one in enumerate(world().results):
        shift = {"train_loss_in_training": 0.16, f"{label(REFERENCE)} verbatim": 0.25}[name] * (-1) ** at
        moved = [
            replace(m, value=tuple(float(v or 0) + shift for v in m.value) if isinstance(m.value, tuple) else m.value + shift)
            if m.name == name and m.value is not None
            else m
            for m in one.measurements
        ]
        results.append(replace(one, measurements=tuple(moved)))
    found = judged(Evidence(tuple(results)))
    assert found[REPORT].verdict == "inconclusive"
    assert "on average and in most nets" in found[REPORT].next_step
