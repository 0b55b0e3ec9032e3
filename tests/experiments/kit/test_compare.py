"""From evidence to verdicts, in worlds whose answer is known."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import pytest
from support.results import evidence_of

from erlangen.experiments.kit.answers import answer, combine
from erlangen.experiments.kit.compare import decide
from erlangen.experiments.kit.evidence import Arm, Evidence, by_seed, difference, mean, ratio
from erlangen.experiments.kit.parts import AllOf, Check, Exact, Part
from erlangen.experiments.kit.tasks import job
from erlangen.records.runs import Job, Measurement, Verdict
from erlangen.statistics import at_least, exceeds, within


@dataclass(frozen=True, kw_only=True)
class Train:
    arm: str


World = Callable[[str, int], float | None]  # arm, seed -> score; None: the job failed


def world(score: World, seeds: int = 5, arms: tuple[str, ...] = ("new", "old")) -> Evidence:
    jobs = [replace(job(Train(arm=arm), seed=seed), experiment="toy") for arm in arms for seed in range(seeds)]

    def measure(job: Job) -> list[Measurement] | None:
        value = score(str(job.params["arm"]), job.seed)
        return None if value is None else [Measurement("score", value), Measurement("fit", value)]

    return evidence_of(jobs, measure)


NOISE = (0.1, -0.2, 0.05, 0.15, -0.1)


def better(by: float) -> World:
    return lambda arm, seed: 10 + NOISE[seed] + (by - 0.3 * NOISE[seed] if arm == "new" else 0)


def compared(evidence: Evidence, region=None, **fields: object) -> Part:
    new, old = (evidence.arm(Train, arm=arm) for arm in ("new", "old"))
    return Part(
        claim="X1", part="better", of="report", statement="The new net scores higher.", effect=difference(new, old, "score"),
        region=region or exceeds(0.5, why="half a point is worth the effort"), unit="points", **fields,
    )  # type: ignore[arg-type]  # fmt: skip


def verdict(part: Part) -> Verdict:
    (only,) = decide([part])
    return only


@pytest.mark.parametrize(("by", "outcome"), [(1.0, "supported"), (0.2, "refuted"), (-3.0, "refuted"), (0.51, "inconclusive")])
def test_an_effect_against_its_region(by: float, outcome: str):
    found = verdict(compared(world(better(by))))
    assert found.verdict == outcome
    assert found.region == (0.5, None)
    assert found.level == 0.95
    assert found.n == 5
    assert found.effect == pytest.approx(by, abs=1e-9)
    assert [group.name for group in found.groups] == ["new", "old"]
    assert found.edge == "half a point is worth the effort"


def test_a_missing_job_is_named_and_nothing_is_judged():
    evidence = world(lambda arm, seed: None if (arm, seed) == ("old", 3) else better(9)(arm, seed))
    found = verdict(compared(evidence))
    assert (found.verdict, found.effect) == ("not measured", None)
    assert found.next_step == "no result of toy train old seed 3: run the same command again to compute it"


def test_many_missing_jobs_are_counted():
    found = verdict(compared(world(lambda arm, seed: None if arm == "old" else 1.0)))
    assert "and 2 more" in found.next_step


def test_a_number_that_is_not_finite_names_its_seed_and_a_remedy():
    evidence = world(lambda arm, seed: math.nan if (arm, seed) == ("new", 2) else better(9)(arm, seed))
    found = verdict(compared(evidence, remedy="lower --set lr"))
    assert (found.verdict, found.next_step) == ("not measured", "not a finite number: new and old seed 2; lower --set lr")
    assert "run the same command" not in found.next_step  # it would give the same


def test_one_seed_and_equal_values_decide_nothing():
    one = verdict(compared(world(better(9), seeds=1)))
    assert (one.verdict, one.next_step) == ("inconclusive", "one seed shows no spread: use more seeds")
    same = verdict(compared(world(lambda arm, seed: 10.0 + 9 * (arm == "new"))))
    assert (same.verdict, same.interval) == ("inconclusive", (None, None))
    assert "same value" in same.next_step


def test_values_that_differ_by_rounding_show_no_spread():
    accuracies = {0: (89.99999761581421, 90.5), 1: (90.0, 90.5)}  # float32 makes 54 of 60 not quite 90 %
    evidence = world(lambda arm, seed: accuracies[seed][arm == "new"], seeds=2)
    assert verdict(compared(evidence, exceeds(0.6))).verdict == "inconclusive"
    assert evidence.arm(Train, arm="old").below("fit", 90.0) == ()
    assert len(evidence.arm(Train, arm="old").below("fit", 90.1)) == 2


def test_arms_that_were_not_trained_are_not_compared():
    evidence = world(better(9))
    weak = evidence.arm(Train, arm="old").below("fit", 10.0)
    found = verdict(compared(evidence, untrained=weak))
    assert found.verdict == "inconclusive"
    assert found.next_step.startswith("not trained: old seed 1 (9.8 %, needs 10); old seed 4")
    nans = world(lambda arm, seed: math.nan).arm(Train, arm="old")
    assert len(nans.below("fit", 10.0)) == 5  # NaN is no fit


@pytest.mark.parametrize(("passed", "words"), [(False, "a check failed: the planted effect is seen"), (None, "not measured")])
def test_a_check_that_fails_decides_nothing(passed: bool | None, words: str):
    check = Check("the planted effect is seen", passed)
    found = verdict(compared(world(better(9)), checks=(Check("fine", True), check)))
    assert found.verdict == "inconclusive"
    assert words in found.next_step


def test_the_edge_halved_or_doubled():
    assert verdict(compared(world(better(0.8)))).sensitive == "refuted with an edge twice as large"
    assert verdict(compared(world(better(9)))).sensitive == ""
    assert verdict(compared(world(better(0.35)))).sensitive == "supported with an edge half as large"


def score(region, unit: str = "", bounds=None) -> Part:
    """A score of about 0.9, with noise."""
    arm = world(lambda arm, seed: 0.9 + NOISE[seed] / 10, arms=("new",)).arm(Train, arm="new")
    return Part(
        claim="X1", part="score", of="report", statement="It scores.", effect=mean(arm, "score"), region=region, unit=unit,
        bounds=bounds,
    )  # fmt: skip


def test_no_edge_is_tried_that_the_quantity_cannot_reach():
    """A share above 60 % would be refuted if it had to be above 120 %, and that says nothing."""
    assert verdict(score(exceeds(0.6))).sensitive == "refuted with an edge twice as large"
    assert verdict(score(exceeds(0.6), bounds=(0, 1))).sensitive == ""
    assert verdict(score(exceeds(0.5), bounds=(0, 1))).sensitive == "", "nor one on the bound itself"
    assert verdict(score(exceeds(0.455), bounds=(0, 1))).sensitive == "inconclusive with an edge twice as large"
    assert score(exceeds(60), "% of predictions").limits() == (0, 100)
    assert score(exceeds(60), "points").limits() == (-math.inf, math.inf)


def test_a_source_that_is_none_is_refused_where_the_part_is_made():
    with pytest.raises(ValueError, match="part X1 score: of must be one of report, rival, claim, extension, control, not 'ours'"):
        replace(score(exceeds(0.6)), of="ours")


def test_a_refuted_statement_is_corrected():
    found = verdict(compared(world(better(-2)), corrected=lambda gain: f"It scores {-gain.estimate:.0f} points lower."))
    assert found.corrected == "It scores 2 points lower."
    assert verdict(compared(world(better(9)), corrected="never shown")).corrected is None


def test_all_intervals_of_a_claim_hold_together():
    evidence = world(better(1.0))
    parts = [replace(compared(evidence), part=f"part {n}") for n in range(10)]
    other = replace(compared(evidence), claim="X2")
    found = decide([*parts, other])
    assert {entry.level for entry in found[:10]} == {0.995}
    assert found[10].level == 0.95
    low, high = found[0].interval
    assert low < found[10].interval[0] < found[10].interval[1] < high


def test_parts_need_names_of_their_own():
    with pytest.raises(ValueError, match="two parts are called X1 better"):
        decide([compared(world(better(1)))] * 2)


def test_a_conjunction_of_parts_that_do_not_exist_names_those_that_do():
    table = AllOf(claim="X1", part="table", of="report", statement="Every row does.", parts=("better", "beter"))
    with pytest.raises(ValueError, match="X1 table: all of 'beter', but the parts are better"):
        decide([table, compared(world(better(1)))])


def test_counting():
    def count(cases: float, failures: float, **fields: object) -> Verdict:
        part = Exact(claim="X1", part="same", of="report", statement="They are equal.", cases=cases, count=failures, **fields)  # type: ignore[arg-type]
        return decide([part])[0]

    assert count(12, 0).verdict == "supported"
    assert count(12, 0).n == 12
    assert (count(12, 3, corrected="Not all are.").verdict, count(12, 3, corrected="Not all are.").corrected) == (
        "refuted",
        "Not all are.",
    )
    assert count(0, 0).verdict == "not measured"
    assert count(12, math.nan).verdict == "not measured"
    assert count(math.nan, 0).verdict == "not measured"
    assert count(12, 0, missing=("toy seed 1",)).verdict == "not measured"
    assert count(12, 0, checks=(Check("a planted error is seen", False),)).verdict == "inconclusive"
    assert count(12, 5, region=at_least(1)).verdict == "supported"
    assert count(12, 0, region=at_least(1)).verdict == "refuted"


@pytest.mark.parametrize(
    ("gains", "outcome"),
    [
        ((1.0, 1.0), "supported"),
        ((1.0, -1.0), "refuted"),
        ((1.0, 0.51), "inconclusive"),
        ((0.51, -1.0), "refuted"),
        ((1.0, None), "not measured"),
        ((None, -1.0), "refuted"),  # one that is refuted is enough
    ],
)
def test_all_of(gains: tuple[float | None, float | None], outcome: str):
    worlds = [world(better(gain) if gain is not None else (lambda arm, seed: None)) for gain in gains]
    rows = [replace(compared(evidence), part=f"row {n}") for n, evidence in enumerate(worlds)]
    table = AllOf(claim="X1", part="table", of="report", statement="Every row scores higher.", parts=("row 0", "row 1"))
    first, *_ = decide([table, *rows])
    assert (first.part, first.verdict) == ("table", outcome)
    assert first.statement == "Every row scores higher."


@pytest.mark.parametrize(
    ("gains", "shown", "why"),
    [
        ((0.9, 1.5), "row 0, the part that comes closest to failing", ""),
        ((-0.2, -3.0, 1.0), "row 1, the part that fails most clearly", "refuted because “row 0” and “row 1” are"),
        ((1.0, -1.0), "row 1, the part that fails most clearly", "refuted because “row 1” is"),
        ((0.55, 0.45), "row 1, the undecided part that comes closest to failing", "inconclusive because “row 0” and “row 1” are"),
        ((-1.0,) * 5, "row 0, the part that fails most clearly", "refuted because “row 0”, “row 1”, “row 2” and 2 more are"),
    ],
)  # fmt: skip
def test_a_conjunction_says_which_part_it_shows_and_why_it_failed(gains: tuple[float, ...], shown: str, why: str):
    rows = [replace(compared(world(better(gain))), part=f"row {n}") for n, gain in enumerate(gains)]
    names = tuple(row.part for row in rows)
    table = AllOf(claim="X1", part="table", of="report", statement="Every row does.", parts=names)
    first, *others = decide([table, *rows])
    assert first.note == f"All {len(rows)} parts must hold. Shown: {shown}."
    assert first.next_step == why
    assert first.effect == next(other.effect for other in others if other.part == shown.split(",")[0])


def test_a_counted_part_fails_more_clearly_than_one_with_an_interval():
    counted = Exact(claim="X1", part="counted", of="report", statement="None differs.", cases=9, count=4)
    table = AllOf(claim="X1", part="table", of="report", statement="Every row does.", parts=("better", "counted"))
    first, *_ = decide([table, compared(world(better(-3))), counted])
    assert "Shown: counted, the part that fails most clearly." in first.note
    first, *_ = decide([table, compared(world(better(3))), replace(counted, count=0)])
    assert "Shown: better, the part that comes closest to failing." in first.note


def test_what_was_not_measured_is_not_shown():
    table = AllOf(claim="X1", part="table", of="report", statement="Every row does.", parts=("better",))
    first, _ = decide([table, compared(world(lambda arm, seed: None))])
    assert (first.note, first.next_step) == ("All 1 parts must hold.", "not measured because “better” is not")


@pytest.mark.parametrize(
    ("edge", "words"),
    [(0.45, "would decide"), (0.49999, "the effect is too close to the edge for any practical number of seeds")],
)
def test_more_seeds_than_anybody_runs_are_not_asked_for(edge: float, words: str):
    assert words in verdict(compared(world(better(0.5)), region=exceeds(edge))).next_step


@pytest.mark.parametrize(("gain", "outcome"), [(1.0, "inconclusive"), (-1.0, "inconclusive"), (None, "not measured")])
def test_a_failed_check_of_all_of_decides_nothing_and_measures_nothing(gain: float | None, outcome: str):
    row = compared(world(better(gain) if gain is not None else (lambda arm, seed: None)))
    check = (Check("a planted difference is seen", False),)
    table = AllOf(claim="X1", part="table", of="report", statement="Every row does.", parts=("better",), checks=check)
    assert decide([table, row])[0].verdict == outcome


def test_ratios_are_geometric_and_paired():
    evidence = world(lambda arm, seed: (2.0 + NOISE[seed]) * (3.0 + 0.1 * NOISE[seed] if arm == "new" else 1.0))
    new, old = (evidence.arm(Train, arm=arm) for arm in ("new", "old"))
    interval = ratio(new, old, "score").interval(0.95)
    assert interval.low < 3 < interval.high
    assert interval.high - interval.low < 0.1
    zero = world(lambda arm, seed: 0.0)
    assert len(ratio(*(zero.arm(Train, arm=arm) for arm in ("new", "old")), "score").not_finite) == 5


def test_an_arm_that_several_jobs_of_a_seed_match_is_refused():
    with pytest.raises(ValueError, match="several jobs of one seed match"):
        world(better(1)).arm(Train)


def test_a_mistyped_field_or_arm_is_named():
    evidence = world(better(1))
    with pytest.raises(ValueError, match=r"Train has no field 'amr'; did you mean 'arm'\?"):
        evidence.arm(Train, amr="new")
    with pytest.raises(ValueError, match="Train has no field 'order'; its fields are arm"):
        evidence.of(Train, order="new")
    found = verdict(replace(compared(evidence), effect=mean(evidence.arm(Train, arm="nwe"), "score")))
    assert (found.verdict, found.next_step) == ("not measured", "no result of nwe, which no job of this recipe computes")


def test_arms_without_a_common_seed_are_not_measured():
    evidence = world(better(1))
    new, old = (evidence.arm(Train, arm=arm) for arm in ("new", "old"))
    apart = by_seed(lambda a, b: 1.0, Arm("new", {0: new.results[0]}), Arm("old", {1: old.results[1]}))
    assert apart.missing == ("new and old: no seed has a result of each",)


@pytest.mark.parametrize(
    ("outcomes", "word"),
    [
        (["supported"], "supported"),
        (["supported", "supported"], "supported"),
        (["refuted"], "refuted"),
        (["supported", "refuted"], "partly"),
        (["supported", "refuted", "inconclusive"], "partly"),
        (["supported", "inconclusive"], "inconclusive"),
        (["refuted", "inconclusive"], "inconclusive"),
        (["supported", "not measured"], "not measured"),
        ([], "not measured"),
    ],
)
def test_an_answer_combines_its_parts(outcomes: list[str], word: str):
    base = verdict(compared(world(better(1))))
    assert combine([replace(base, verdict=outcome) for outcome in outcomes]) == word


def test_the_reports_own_sentences_decide_the_answer_and_an_extension_never_does():
    base = verdict(compared(world(better(1))))
    parts = [replace(base, part="a", of="extension", verdict="refuted"), replace(base, part="b", verdict="supported")]
    assert answer("X1", parts, "It does.").answer == "supported"
    alone = answer("X1", parts[:1], "It does not.", needs="the arm plain")
    assert (alone.answer, alone.sentence) == ("not measured", "This run did not measure the claim: it needs the arm plain.")
    assert answer("X1", parts[:1], "It does not.", beyond="on your text").answer == "refuted"
    assert answer("X1", [base], "It does; why is open.", whole=False).answer == "partly"
    assert answer("X1", [replace(base, verdict="refuted")], "It does not.", whole=False).answer == "refuted"
    gone = answer("X1", [replace(base, verdict="not measured", next_step="no result of toy")], "Never shown.")
    assert (gone.answer, gone.sentence) == ("not measured", "This run did not measure the claim: no result of toy.")


@pytest.mark.parametrize("n", [3, 5, 10, 20])
def test_at_the_edge_a_whole_claim_is_wrong_in_2_5_percent_at_most(n: int):
    """Ten parts through the whole machinery, each exactly on its edge: a wrong word about any of them counts."""
    draws, wrong = 150, {"supported": 0, "refuted": 0}
    for draw in range(draws):
        rng = np.random.default_rng([draw, n])
        noise = rng.standard_normal((10, n))
        arms = [world(lambda arm, seed, row=row: 0.5 + row[seed], n, ("new",)).arm(Train, arm="new") for row in noise.tolist()]
        effects = [mean(arm, "score") for arm in arms]
        regions = [exceeds(0.5), within(0.5)] * 5
        parts = [
            Part(claim="X1", part=str(i), of="report", statement="It is.", effect=effect, region=region)
            for i, (effect, region) in enumerate(zip(effects, regions, strict=True))
        ]
        outcomes = {found.verdict for found in decide(parts)}
        for word in wrong:
            wrong[word] += word in outcomes
    allowed = 0.025 + 3 * math.sqrt(0.025 * 0.975 / draws)
    assert all(count / draws <= allowed for count in wrong.values()), wrong


def test_means_are_over_seeds():
    evidence = world(better(1.0))
    interval = mean(evidence.arm(Train, arm="old"), "score").interval(0.95)
    assert interval.estimate == pytest.approx(10.0)
    assert interval.n == 5
