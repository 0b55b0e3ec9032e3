"""The padding verdicts, in worlds whose answer is known."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from statistics import fmean, stdev

import numpy as np
import pytest
from scipy import stats
from support.figures import assert_drawn
from support.results import evidence_of

from erlangen.experiments import planned_jobs
from erlangen.experiments.kit.evidence import Evidence
from erlangen.experiments.padding import PRESETS, Recipe
from erlangen.experiments.padding.accuracies import departures, largest, published
from erlangen.experiments.padding.deviations import bonett_ends, deviation_interval
from erlangen.experiments.padding.figures import figures
from erlangen.experiments.padding.judge import answers, verdicts
from erlangen.experiments.padding.tasks import PADDINGS, ROWS
from erlangen.records.runs import Job, Measurement, Verdict
from erlangen.statistics.intervals import Interval, mean_interval

Scores = Callable[[str, int], float]
STANDARD, QUICK = PRESETS["standard"], PRESETS["quick"]
NAMES = {row: f"{'pooled' if net == 'Net1' else 'flattened'}, {padding}" for row, (net, padding) in ROWS.items()}


def stated(column: str) -> Scores:
    return lambda row, seed: published()["padding_table"][row][column][seed % 10]


def only(row: str, value: float, otherwise: Scores, seed: int | None = None) -> Scores:
    """`value`, spread a little over the seeds, for one row, or exactly for one of its seeds."""

    def score(name: str, at: int) -> float:
        if name != row or seed not in (None, at):
            return otherwise(name, at)
        return value + at / 100 if seed is None else value

    return score


def holding(pooled: float, flattened: float) -> Scores:
    """R² of the two nets, with seeds that vary and are not those of the other net."""
    return lambda row, seed: (flattened + seed * 7 % 10 / 1000 + seed / 1e6) if row.startswith("Net2") else (pooled + seed / 1000)


TEST, VALIDATION = stated("test"), stated("validation")
HEIGHT, ORDER = holding(pooled=0.3, flattened=0.9), holding(pooled=0.7, flattened=0.7)
MAPS = {"valid": 2.0, "sconv": 4.0} | dict.fromkeys(PADDINGS[2:], 6.0)
COUNTED: dict[str, float | tuple[float, ...]] = {
    "border_cases": 10, "border_wrong": 0, "border_told_apart": 9, "border_outside_at_corner": 5, "border_outside_at_edge": 3,
    "border_outside_inside": 0, "first_pixel_terms": 9, "first_pixel_outside": (0.0, 0.0, 0.0, 1.0, 0.0, 2.0, 1.0, 0.0, 2.0, 0.0),
    "second_pixel_outside": (0.0, 1.0, 0.0, 2.0, 0.0, 3.0), "replicate_example": (1.0,) * 25,
    "reflect_example": (5.0, 4.0, 5.0, 6.0, 5.0, 2.0, 1.0, 2.0, 3.0, 2.0, *(0.0,) * 15),
    "map_cases": 10, "map_wrong": 0, "map_printed_wrong": 8,
    **{f"map_sizes_{name}": (32.0, 16.0, 8.0, side) for name, side in MAPS.items()},
    **{f"map_sizes_printed_{name}": (32.0, 16.5, 8.75, side + 0.875) for name, side in MAPS.items()},
    **{f"{protocol}_{split}_{name}": value for protocol in ("source", "leak-free") for split in ("train", "validation", "test")
       for name, value in (("images", 1000), ("as_stated", 1000), ("by_order", 100), ("by_order_mirrored", 0),
                           ("by_place", 0 if split == "test" else 100), ("in_training", 1000 if protocol == "source" else 0),
                           ("samples", (0.0, 1.0, 2.0, 10.0, 3.0, 1.0, 1.0, 20.0, 10.0, 21.0)))},
}  # fmt: skip


def world(
    recipe: Recipe = STANDARD,
    test: Scores = TEST,
    validation: Scores = VALIDATION,
    height: Scores = HEIGHT,
    order: Scores = ORDER,
    flips: Scores = lambda row, seed: 0.5 + seed / 100,
    missing: Callable[[Job], bool] = lambda job: False,
    **counted: float,
) -> Evidence:
    """The published table, flattened nets that keep height and order, predictions that stay; `counted` replaces counts."""

    def measure(job: Job) -> list[Measurement] | None:
        if missing(job):
            return None
        if job.params["task"] != "train":
            return [Measurement(name, value) for name, value in {**COUNTED, **counted}.items()]
        row, seed = f"{job.params['net']}/{job.params['padding']}", job.seed
        return [
            Measurement("test_accuracy", test(row, seed)),
            Measurement("validation_accuracy", validation(row, seed)),
            Measurement("unseen_validation_accuracy", 90.0),
            Measurement("unseen_test_accuracy", 50.0),
            Measurement("validation_accuracy_by_epoch", (50.0, 90.0)),
            Measurement("place_r2", height(row, seed)),
            Measurement("place_r2_untrained", 0.5),
            Measurement("order_r2", order(row, seed)),
            Measurement("order_r2_untrained", 0.6 if row.startswith("Net2") else 0.2),
            Measurement("shift_change", (0.1,) * 5),
            Measurement("shift_flips", (0.0, 0.0, 0.0, 0.0, flips(row, seed))),
        ]

    return evidence_of(planned_jobs("padding", recipe), measure)


def judged(evidence: Evidence, recipe: Recipe = STANDARD) -> dict[str, Verdict]:
    return {f"{verdict.claim} {verdict.part}": verdict for verdict in verdicts(recipe, evidence)}


def outcomes(evidence: Evidence, recipe: Recipe = STANDARD) -> dict[str, str]:
    return {name: verdict.verdict for name, verdict in judged(evidence, recipe).items()}


def test_the_published_table_reproduces_itself():
    found = judged(world())
    assert {found[f"C2 {name}"].verdict for name in NAMES.values()} == {"supported"}
    assert found["C2 table"].verdict == "supported"
    assert found["C2 pooled, fconv"].effect == 0
    assert "measured 88.85 %, published 88.85 %" in found["C2 pooled, fconv"].note
    assert "88.1 ± 1.2 % in validation and 88.8 ± 0.6 % in the test" in found["C2 pooled, fconv"].statement


def test_with_enough_seeds_the_whole_table_is_supported_and_one_wrong_number_of_48_refutes_it():
    many = replace(STANDARD, seeds=60)
    assert outcomes(world(many), many)["C2 table"] == "supported"
    for wrong in (
        {"test": only("Net1/circular", 85.0, TEST)},
        {"validation": only("Net1/circular", 95.0, VALIDATION)},
        {"test": lambda row, seed: TEST(row, seed) + (row == "Net1/sconv") * 4 * (-1) ** seed},  # its spread alone
    ):
        found = judged(world(many, **wrong), many)
        assert found["C2 table"].verdict == "refuted", wrong
        (row,) = (name for name in NAMES.values() if found[f"C2 {name}"].verdict == "refuted")
        assert row in found["C2 table"].next_step
        assert "Here it scores" in str(found[f"C2 {row}"].corrected)


def test_more_seeds_than_published_are_all_used_and_decide_what_ten_leave_open():
    def circular(row: str, seed: int) -> float:  # as published, but in another order
        return TEST(row, seed + 3) if row == "Net1/circular" else TEST(row, seed)

    ten = judged(world(test=circular))["C2 pooled, circular"]
    assert ten.verdict == "inconclusive"
    assert "seeds would decide" in ten.next_step
    more = replace(STANDARD, seeds=60, rows=("Net1/circular",))
    found = judged(world(more, test=circular), more)["C2 pooled, circular"]
    assert (found.n, found.verdict) == (60, "supported")


def test_rows_that_never_vary_get_a_binomial_interval_over_images():
    interval = judged(world())["C2 flattened, valid"].interval
    assert interval is not None
    level = 1 - 0.05 / 12
    assert interval == pytest.approx((0, 100 * (1 - ((1 - level) / 2) ** (1 / 1000))))  # Clopper & Pearson, 0 of 1000


def test_nets_below_their_fit_are_not_compared():
    found = judged(world(validation=only("Net1/fconv", 84.9, VALIDATION, seed=7)))
    for part in ("C2 pooled, fconv", "C5 sconv < fconv", "C8 decrease: fconv", "C8 cause: height, fconv", "C8 translation"):
        assert found[part].verdict == "inconclusive", part
        assert "not trained: pooled, fconv seed 7" in found[part].next_step
    assert (found["C2 table"].verdict, found["C5 order"].verdict) == ("inconclusive", "inconclusive")
    assert found["C2 pooled, valid"].verdict == found["C5 valid < sconv"].verdict == "supported"
    assert found["C8 decrease"].verdict == "refuted"  # by valid padding, whose nets learned


def test_missing_jobs_are_not_measured_and_never_pass():
    found = judged(
        world(
            missing=lambda job: job.params["task"] in ("border", "maps") or (job.params.get("padding"), job.seed) == ("valid", 3)
        )
    )
    for part in (
        "C1 terms", "C2 table", "C2 pooled, valid", "C2 flattened, valid", "C4 sizes", "C4 formula", "C5 order",
        "C5 valid < sconv", "C8 fact", "C8 decrease: valid", "C8 cause: height, valid", "C8 cause: order, valid",
        "C8 translation",
    ):  # fmt: skip
        assert found[part].verdict == "not measured", part
        assert "the same command again" in found[part].next_step or part in ("C2 table", "C5 order")
    assert found["C2 pooled, sconv"].verdict == "supported"
    assert set(outcomes(world(missing=lambda job: True)).values()) == {"not measured"}


@pytest.mark.parametrize("measured", ["test", "validation"])
def test_an_accuracy_that_is_no_number_is_not_measured(measured: str):
    broken = only("Net2/valid", math.nan, {"test": TEST, "validation": VALIDATION}[measured], seed=4)
    found = judged(world(**{measured: broken}))
    for part in ("C2 table", "C2 flattened, valid", "C8 fact"):
        assert found[part].verdict == "not measured", part
    assert "flattened, valid seed 4" in found["C8 fact"].next_step
    assert found["C2 pooled, valid"].verdict == "supported"


def test_probes_and_flips_that_are_no_numbers_are_not_measured():
    broken = only("Net2/valid", math.nan, holding(pooled=0.8, flattened=0.1), seed=3)
    found = judged(world(height=broken, order=holding(pooled=0.8, flattened=0.1)))
    assert (found["C8 cause: height, valid"].verdict, found["C8 cause"].verdict) == ("not measured", "not measured")
    assert "flattened, valid and pooled, valid seed 3" in found["C8 cause: height, valid"].next_step
    assert outcomes(world(flips=lambda row, seed: math.nan))["C8 translation"] == "not measured"


def test_one_seed_decides_nothing_statistical():
    one = replace(STANDARD, seeds=1)
    found = judged(world(one), one)
    assert {found[name].verdict for name in found if name[:2] in ("C2", "C5", "C8")} == {"inconclusive"}
    assert "one seed shows no spread" in found["C8 fact"].next_step
    assert found["C2 pooled, fconv"].interval == (None, None)


@pytest.mark.parametrize(
    ("valid", "sconv", "fconv", "expected"),
    [
        (0.0, 6.0, 90.0, ("supported", "supported", "supported")),
        (0.0, 90.0, 5.0, ("refuted", "supported", "refuted")),
        (9.0, 6.0, 5.0, ("refuted", "refuted", "refuted")),
        (6.0, 6.0, 90.0, ("inconclusive", "inconclusive", "supported")),
    ],
)
def test_order_holds_only_if_both_steps_go_up(valid: float, sconv: float, fconv: float, expected: tuple[str, ...]):
    means = {"Net1/valid": valid, "Net1/sconv": sconv, "Net1/fconv": fconv}
    found = outcomes(world(test=lambda row, seed: means.get(row, 0.0) + seed * sum(map(ord, row)) % 10 / 100))
    assert tuple(found[f"C5 {part}"] for part in ("order", "valid < sconv", "sconv < fconv")) == expected


def test_the_spread_at_one_map_size_is_the_measured_one_and_the_cause_has_no_verdict():
    def sentence(evidence: Evidence, recipe: Recipe = STANDARD) -> str:
        return next(entry.sentence for entry in answers(recipe, evidence, verdicts(recipe, evidence)) if entry.claim == "C5")

    halved = {"Net1/valid": 0.0, "Net1/sconv": 10.0, "Net1/fconv": 90.0, "Net1/reflect": 50.0}
    assert "differ by 94 points" in sentence(world())
    assert "differ by 40 points" in sentence(world(test=lambda row, seed: halved.get(row, 80.0) + seed / 100))
    assert "points" not in sentence(world(QUICK), QUICK)
    assert "only this order is judged here, not its cause" in sentence(world())
    assert {name for name in judged(world()) if name.startswith("C5")} == {"C5 order", "C5 valid < sconv", "C5 sconv < fconv"}


def test_all_flattened_nets_must_score_100_then_0():
    assert outcomes(world())["C8 fact"] == "supported"
    for broken in (
        {"test": only("Net2/fconv", 40.0, TEST)},
        {"test": only("Net2/fconv", 40.0, TEST, seed=9)},  # one net of sixty, seen in the spread
        {"validation": only("Net2/sconv", 95.0, VALIDATION)},
    ):
        assert outcomes(world(**broken))["C8 fact"] == "refuted", broken


def test_accuracy_decreases_only_if_it_does_under_every_padding():
    found = judged(world())
    assert found["C8 decrease"].verdict == "refuted"
    refuted = {part for part, verdict in found.items() if part.startswith("C8 decrease: ") and verdict.verdict == "refuted"}
    assert refuted == {"C8 decrease: valid", "C8 decrease: reflect"}

    def higher(row: str, seed: int) -> float:
        return 20.0 + seed / 10 if row in ("Net1/valid", "Net1/reflect") else TEST(row, seed)

    assert outcomes(world(test=higher))["C8 decrease"] == "supported"
    assert outcomes(world(test=only("Net1/valid", 1.455, higher)))["C8 decrease"] == "inconclusive"  # on the edge


@pytest.mark.parametrize(("kept", "expected"), [(0.9, "refuted"), (0.1, "supported"), (0.7, "inconclusive")])
def test_the_cause_is_judged_padding_by_padding(kept: float, expected: str):
    """Pooled nets hold 0.8 of the height, flattened ones `kept` under reflect and 0.1 elsewhere; the edge is a loss of 0.1."""
    found = outcomes(
        world(height=lambda row, seed: holding(pooled=0.8, flattened=kept if row == "Net2/reflect" else 0.1)(row, seed))
    )
    assert found["C8 cause: height, reflect"] == expected
    assert {found[f"C8 cause: height, {padding}"] for padding in PADDINGS if padding != "reflect"} == {"supported"}
    assert {found[f"C8 cause: order, {padding}"] for padding in PADDINGS} == {"refuted"}
    assert found["C8 cause"] == "refuted"  # the order is kept


def test_what_untrained_nets_hold_is_listed_beside_the_cause():
    note = judged(world())["C8 cause: order, fconv"].note
    assert note == "Before training R² is 0.60 after flattening and 0.20 after pooling."


def test_the_cause_is_supported_only_if_height_and_order_are_lost_under_every_padding():
    lost = holding(pooled=0.8, flattened=0.1)
    assert outcomes(world(height=lost, order=lost))["C8 cause"] == "supported"
    kept = outcomes(world(height=only("Net2/circular", 0.8, lost), order=lost))
    assert (kept["C8 cause: height, circular"], kept["C8 cause"]) == ("refuted", "refuted")


def test_where_neither_net_holds_the_height_nothing_is_known_of_its_loss():
    found = judged(world(height=holding(pooled=0.05, flattened=0.05)))["C8 cause: height, fconv"]
    assert found.verdict == "inconclusive"
    assert "a check failed: a probe reads the height" in found.next_step


@pytest.mark.parametrize(("rate", "verdict"), [(99.0, "supported"), (1.0, "refuted"), (49.955, "inconclusive")])
def test_pooling_is_judged_by_flips(rate: float, verdict: str):
    assert outcomes(world(flips=only("Net1/valid", rate, lambda row, seed: 0.5 + seed / 100)))["C8 translation"] == verdict


@pytest.mark.parametrize(
    ("part", "count"),
    [
        ("C1 terms", "border_wrong"), ("C1 terms", "border_outside_inside"), ("C1 terms", "border_outside_at_corner"),
        ("C4 formula with the floor", "map_wrong"), ("C3 cues", "source_test_by_place"), ("C3 classes", "source_train_as_stated"),
        ("C3 copies", "source_test_in_training"),
    ],
)  # fmt: skip
def test_one_wrong_case_refutes_an_exact_part(part: str, count: str):
    assert outcomes(world())[part] == "supported"
    assert outcomes(world(**{count: 1.0}))[part] == "refuted"


@pytest.mark.parametrize(
    ("part", "control", "value"),
    [
        ("C1 terms", "border_told_apart", 0), ("C3 classes", "source_train_by_order_mirrored", 100),
        ("C3 copies", "leak-free_test_in_training", 1), ("C4 formula with the floor", "map_printed_wrong", 0),
    ],
)  # fmt: skip
def test_a_count_that_sees_no_difference_where_there_is_one_supports_nothing(part: str, control: str, value: float):
    found = judged(world(**{control: value}))[part]
    assert (found.verdict, found.next_step[:14]) == ("inconclusive", "a check failed")


@pytest.mark.parametrize(
    ("part", "name", "wrong", "blind"),
    [
        ("C1 missing pixels", "first_pixel_outside", (0.0, 0.0, 0.0, 1.0, 0.0, 2.0, 1.0, 0.0, 1.0, 1.0), "second_pixel_outside"),
        ("C1 reflect example", "reflect_example", (5.0, *(1.0,) * 24), "replicate_example"),
    ],
)  # fmt: skip
def test_what_the_report_prints_is_compared_entry_by_entry(part: str, name: str, wrong: tuple[float, ...], blind: str):
    found = judged(world())[part]
    assert (found.verdict, found.of) == ("supported", "report")
    assert outcomes(world(**{name: wrong}))[part] == "refuted"
    assert outcomes(world(**{name: ()}))[part] == "not measured"
    same = COUNTED[name]
    assert outcomes(world(**{blind: same}))[part] == "inconclusive"  # a comparison that cannot fail supports nothing


def test_the_formula_as_printed_is_refuted_and_the_sizes_are_those_measured():
    found = judged(world())
    assert (found["C4 formula"].verdict, found["C4 sizes"].verdict) == ("refuted", "supported")
    assert "2.875, 4.875, 6.875" in str(found["C4 formula"].corrected)
    assert outcomes(world(map_sizes_fconv=(32.0, 16.0, 8.0, 5.0)))["C4 sizes"] == "refuted"
    assert outcomes(world(map_sizes_fconv=()))["C4 sizes"] == "not measured"
    assert {outcomes(world(map_cases=cases))["C4 formula"] for cases in (math.nan, 0.0)} == {"not measured"}


def test_the_quick_recipe_judges_what_it_can_and_leaves_the_table_to_the_standard_one():
    found = judged(world(QUICK, test=lambda row, seed: TEST(row, seed) + seed**2 / 100), QUICK)
    rows = [verdict for name, verdict in found.items() if name.startswith("C2 ") and name != "C2 table"]
    assert {verdict.verdict for verdict in (*rows, found["C2 table"])} == {"inconclusive"}
    assert all("a check failed: training as in the report (--preset standard" in verdict.next_step for verdict in rows)
    assert found["C5 order"].verdict == "supported"
    assert "not measured" not in {verdict.verdict for verdict in found.values()}


def test_reduced_precision_reproduces_nothing():
    evidence = world()
    reduced = Evidence(tuple(replace(result, precision="bfloat16") for result in evidence.results))
    assert {outcome for name, outcome in outcomes(reduced).items() if name.startswith("C2")} == {"inconclusive"}


def test_published_numbers_enter_no_measurement():
    found = judged(world(test=lambda row, seed: 50.0))
    assert all("measured 50.00 %" in found[f"C2 {name}"].note for name in NAMES.values())


def test_every_part_says_whose_sentence_it_is():
    found = judged(world())
    assert {name for name, verdict in found.items() if verdict.of == "control"} == {"C3 cues", "C3 copies"}
    assert {name for name, verdict in found.items() if verdict.of == "extension"} == {
        "C4 formula with the floor",
        "C8 translation",
    }
    assert all(verdict.quote for verdict in found.values() if verdict.of == "report")


@pytest.mark.parametrize("recipe", [STANDARD, QUICK, replace(STANDARD, rows=("Net2/valid",)), replace(STANDARD, seeds=1)])
@pytest.mark.parametrize("kept", [0, 4, 1000])
def test_answers_and_figures_are_made_of_whatever_there_is(recipe: Recipe, kept: int):
    jobs = planned_jobs("padding", recipe)
    evidence = world(recipe, missing=lambda job: job not in jobs[:kept])
    found = answers(recipe, evidence, verdicts(recipe, evidence))
    assert [entry.claim for entry in found] == ["C1", "C2", "C3", "C4", "C5", "C8"]
    assert not any("nan" in entry.sentence for entry in found)
    shown = figures(recipe, evidence)
    assert_drawn(shown)
    if kept == 1000:
        assert {entry.figure for entry in found} <= {figure.name for figure in shown}
        assert found[5].answer == ("inconclusive" if recipe.seeds == 1 else "partly")


def test_the_largest_of_several_covers_at_the_level_asked_for():
    """Four quantities of which one lies on the edge: wrongly inside, or wrongly outside, in 2.5 % of samples at most."""
    rng = np.random.default_rng(0)
    for centers in ((1.0, 0.0, 0.0, 0.0), (1.0, 1.0, 1.0, 1.0)):
        inside = outside = 0
        for _ in range(1000):
            samples = [rng.normal(center, 1.0, 5) for center in centers]
            interval = largest([lambda level, s=sample: mean_interval(s, level) for sample in samples])(0.95)
            inside, outside = inside + (interval.high < 1), outside + (interval.low > 1)
        assert max(inside, outside) / 1000 <= 0.025 + 3 * math.sqrt(0.025 * 0.975 / 1000), centers


def test_the_interval_of_a_standard_deviation_is_that_of_chi_squared():
    values = [1.0, 2.0, 4.0, 7.0]
    found = deviation_interval(values, 1000)
    sums = stats.norm.fit(values)[1] ** 2 * 4  # Σ (x - x̄)²
    assert found[:3] == pytest.approx((stdev(values), *(math.sqrt(sums / stats.chi2.isf(p, 3)) for p in (0.025, 0.975))))
    rate = 1 - 0.025 ** (1 / 100)  # Clopper & Pearson, 0 of 100
    assert deviation_interval([0.0, 0.0], 100)[:3] == pytest.approx((0, 0, 100 * math.sqrt(rate * (1 - rate) / 100)))
    assert math.isnan(deviation_interval([50.0, 50.0], 100).high), "no floor, no ceiling, no spread: nothing is known"
    assert math.isnan(deviation_interval([50.0], 100).low)


def test_a_departure_is_a_distance_from_the_stated_mean_and_spread():
    mean, deviation = departures([3.0, 5.0, 7.0], [4.0, 4.0, 10.0], 1000)
    assert mean(0.95).estimate == pytest.approx(abs(fmean([3, 5, 7]) - 6))
    assert deviation(0.95).estimate == pytest.approx(abs(2 - stdev([4, 4, 10])))
    assert mean(0.95).low == 0
    assert isinstance(mean(0.95), Interval)


def test_an_extension_alone_answers_no_claim_of_the_report():
    recipe = replace(STANDARD, rows=("Net1/sconv",))
    evidence = world(recipe)
    found = verdicts(recipe, evidence)
    assert {verdict.of for verdict in found if verdict.claim == "C8"} == {"extension"}
    (flattening,) = (answer for answer in answers(recipe, evidence, found) if answer.claim == "C8")
    assert flattening.answer == "not measured"
    assert "nan" not in flattening.sentence


def test_fewer_seeds_than_the_report_has_do_not_judge_its_table():
    """Digit for digit the published accuracies of two seeds: neither their means nor their spread are the table's."""
    two = replace(STANDARD, seeds=2)
    evidence = world(two)
    found = judged(evidence, two)
    assert {verdict.verdict for name, verdict in found.items() if name.startswith("C2")} == {"inconclusive"}
    assert "10 seeds or more" in found["C2 pooled, sconv"].next_step
    (answer,) = (entry for entry in answers(two, evidence, list(found.values())) if entry.claim == "C2")
    assert answer.sentence.startswith("Not judged: the report has 10 seeds, this run 2.")


@pytest.mark.parametrize("copies", [2, 10])
def test_copies_of_one_net_are_not_so_many_seeds(copies: int):
    """Every net is that of a lower seed: where seeds are not used, all agree to the last digit."""
    evidence = world(
        test=lambda row, seed: TEST(row, seed // copies), height=lambda row, seed: HEIGHT(row, seed // copies)
    )  # fmt: skip
    found = judged(evidence)
    statistical = [verdict for name, verdict in found.items() if name[:2] in ("C2", "C5", "C8")]
    assert {verdict.verdict for verdict in statistical} == {"inconclusive"}
    assert "networks that differ from seed to seed" in found["C2 pooled, fconv"].next_step


def test_a_part_of_the_table_supports_no_claim_about_all_of_it():
    for rows, claim in ((("Net1/valid", "Net1/sconv"), "C2"), (("Net2/valid", "Net2/reflect"), "C8")):
        recipe = replace(STANDARD, rows=rows)
        evidence = world(recipe)
        found = verdicts(recipe, evidence)
        assert {verdict.verdict for verdict in found if verdict.claim == claim and verdict.of == "report"} == {"supported"}
        assert [entry.answer for entry in answers(recipe, evidence, found) if entry.claim == claim] == ["partly"]


def test_the_sentence_on_the_table_names_the_difference_that_decided():
    """Of the standard deviation of one row: its mean is as published."""
    many = replace(STANDARD, seeds=60)
    evidence = world(many, lambda row, seed: TEST(row, seed) + (row == "Net1/sconv") * 4 * (-1) ** seed)
    found = verdicts(many, evidence)
    (answer,) = (entry for entry in answers(many, evidence, found) if entry.claim == "C2")
    (row,) = (verdict for verdict in found if (verdict.claim, verdict.part) == ("C2", "pooled, sconv"))
    assert answer.answer == "partly"
    assert answer.sentence == (
        "11 of 12 rows equal the published ones within 1.5 points (1 different). The largest difference is "
        f"{row.effect:.1f} points, in the standard deviation of the test accuracy of the pooled net under sconv padding."
    )


def test_seeds_that_score_the_same_show_no_spread_but_at_the_floor_and_the_ceiling():
    constant = {"Net1/circular": 82.6, "Net1/fconv": 88.8}
    found = judged(world(test=lambda row, seed: constant.get(row, TEST(row, seed))))
    for row in ("circular", "fconv"):
        assert found[f"C2 pooled, {row}"].verdict == "inconclusive", "of the published spread nothing is known"
        assert "the same value" in found[f"C2 pooled, {row}"].next_step
    assert found["C2 flattened, circular"].verdict == "supported"


def test_bonetts_ends_are_those_of_his_formula():
    values = [float(value) for value in (1, 2, 2, 3, 4, 5, 5, 7, 9, 22)]
    z, n = stats.norm.ppf(0.975), 10
    center = stats.trim_mean(values, 1 / (2 * 6**0.5))
    kurtosis = n * sum((x - center) ** 4 for x in values) / sum((x - fmean(values)) ** 2 for x in values) ** 2
    half = z * n / (n - z) * ((kurtosis - (n - 3) / n) / (n - 1)) ** 0.5
    ends = [(n / (n - z)) ** 0.5 * stdev(values) * math.exp(sign * half / 2) for sign in (-1, 1)]
    assert bonett_ends(values, 0.95) == pytest.approx(ends)
    chi = [stdev(values) * math.sqrt(9 / stats.chi2.ppf(p, 9)) for p in (0.975, 0.025)]
    assert deviation_interval(values, 1000)[1:3] == pytest.approx((min(ends[0], chi[0]), max(ends[1], chi[1])))


def test_skewed_seeds_seldom_turn_a_standard_deviation_on_the_edge():
    """Exponential seeds whose deviation is just as far from the stated one as it may be, at the level of one of twelve rows."""
    rng, stated, level = np.random.default_rng(4), stdev(published()["padding_table"]["Net1/circular"]["test"]), 1 - 0.05 / 12
    wrong = {"supported": 0, "refuted": 0}
    for _ in range(400):
        scores = 80 + (stated + 1.5) * (rng.exponential(size=30) - 1)
        interval = departures(list(scores), published()["padding_table"]["Net1/circular"]["test"], 1000)[1](level)
        wrong["supported"] += interval.high <= 1.5
        wrong["refuted"] += interval.low > 1.5
    assert max(wrong.values()) <= 0.025 * 400 + 3 * math.sqrt(400 * 0.025 * 0.975), wrong


def test_one_net_of_sixty_refutes_what_is_said_of_every_net():
    found = judged(world(test=only("Net2/fconv", 40.0, TEST, seed=9)))["C8 fact"]
    assert (found.verdict, found.effect) == ("refuted", 40.0)
    found = judged(world(test=only("Net2/fconv", 1.5, TEST, seed=9)))["C8 fact"]
    assert found.verdict != "refuted", "15 of 1000 images, in one of sixty nets"
