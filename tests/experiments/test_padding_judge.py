"""The padding verdicts, from results made up to hold and made up to fail."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import pytest

from erlangen.experiments.padding import PRESETS, ROWS, Recipe, jobs
from erlangen.experiments.padding.evidence import published
from erlangen.experiments.padding.judge import findings, verdicts
from erlangen.records.runs import Job, JobResult, Measurement, Verdict

Scores = Callable[[str, int], float]
STANDARD = PRESETS["standard"]


def as_published(row: str, seed: int) -> float:
    return published()["padding_table"][row]["test"][seed]


def net(job: Job, test: Scores, validation: Scores, place: Scores, flips: Scores) -> tuple[Measurement, ...]:
    row = f"{job.params['net']}/{job.params['padding']}"
    return (
        Measurement("test_accuracy", test(row, job.seed)),
        Measurement("validation_accuracy", validation(row, job.seed)),
        Measurement("unseen_validation_accuracy", 90.0),
        Measurement("unseen_test_accuracy", 50.0),
        Measurement("validation_accuracy_by_epoch", (50.0, 90.0)),
        Measurement("place_r2", place(row, job.seed)),
        Measurement("place_r2_untrained", 0.5),
        Measurement("shift_change", (0.1,) * 5),
        Measurement("shift_flips", (0.0, 0.0, 0.0, 0.0, flips(row, job.seed))),
    )


def data_measurements(shared: float = 1000.0, odd: float = 0.0) -> tuple[Measurement, ...]:
    found = []
    for protocol in ("source", "leak-free"):
        for split, images in (("train", 2000.0), ("validation", 1000.0), ("test", 1000.0)):
            prefix = f"{protocol}_{split}"
            found += [
                Measurement(f"{prefix}_images", images),
                Measurement(f"{prefix}_as_stated", images - odd),
                Measurement(f"{prefix}_by_order", 100.0),
                Measurement(f"{prefix}_by_place", 0.0 if split == "test" else 100.0),
                Measurement(f"{prefix}_in_training", shared if protocol == "source" else 0.0),
                Measurement(f"{prefix}_samples", (0.0, 1.0, 2.0, 10.0, 3.0, 1.0, 1.0, 20.0, 10.0, 21.0)),
            ]
    return tuple(found)


BORDER = tuple(
    Measurement(f"border_{name}", value)
    for name, value in (
        ("cases", 10.0),
        ("wrong", 0.0),
        ("outside_at_corner", 5.0),
        ("outside_at_edge", 3.0),
        ("outside_inside", 0.0),
    )
)
LAST = {"valid": 2.0, "sconv": 4.0, "fconv": 6.0, "replicate": 6.0, "reflect": 6.0, "circular": 6.0}
MAPS = (
    Measurement("map_cases", 10.0),
    Measurement("map_wrong", 0.0),
    *(Measurement(f"map_sizes_{name}", (32.0, 16.0, 8.0, size)) for name, size in LAST.items()),
)


def results(
    recipe: Recipe = STANDARD,
    test: Scores = as_published,
    validation: Scores = lambda row, seed: 100.0,
    place: Scores = lambda row, seed: 0.9 if row.startswith("Net2") else 0.3 + seed / 100,
    flips: Scores = lambda row, seed: 0.0,
    exact: dict[str, tuple[Measurement, ...]] | None = None,
) -> list[JobResult]:
    tasks = {"border": BORDER, "maps": MAPS, "data": data_measurements(), **(exact or {})}
    made = []
    for job in jobs(recipe):
        task = str(job.params["task"])
        measured = net(job, test, validation, place, flips) if task == "train" else tasks[task]
        made.append(
            JobResult(
                key=str(len(made)), experiment="padding", params=job.params, seed=job.seed, precision="float32", device="cpu",
                measurements=measured,
            )
        )  # fmt: skip
    return made


def judged(made: list[JobResult], recipe: Recipe = STANDARD) -> dict[str, Verdict]:
    return {f"{verdict.claim}/{verdict.part}": verdict for verdict in verdicts(recipe, made)}


def test_the_published_table_reproduces_itself():
    found = judged(results())
    assert found["C2/table"].verdict == "supported"
    assert {found[f"C2/{row}"].verdict for row in ROWS} == {"supported"}
    assert found["C2/Net1/fconv"].effect == 0
    assert found["C2/Net1/fconv"].published == pytest.approx(88.85)
    assert found["C5/order"].verdict == "supported"


def test_a_row_that_differs_is_refuted_and_named():
    found = judged(results(test=lambda row, seed: as_published(row, seed) + 5 * (row == "Net1/circular") + 0.01 * seed))
    assert found["C2/Net1/circular"].verdict == "refuted"
    assert found["C2/table"].verdict == "refuted"
    assert "Net1/circular" in found["C2/table"].next_step
    assert found["C2/Net1/sconv"].verdict == "supported"


def test_a_row_that_scatters_is_inconclusive_and_says_how_many_seeds_it_wants():
    found = judged(results(test=lambda row, seed: as_published(row, seed) + (row == "Net1/replicate") * 4 * (-1) ** seed))
    assert found["C2/Net1/replicate"].verdict == "inconclusive"
    assert "seeds would decide" in found["C2/Net1/replicate"].next_step
    assert found["C2/table"].verdict == "supported"  # its mean is the published one


def test_rows_that_never_vary_get_a_binomial_interval_over_images():
    interval = judged(results())["C2/Net2/valid"].interval
    assert interval is not None
    upper = 100 * (1 - 0.025 ** (1 / 1000))  # Clopper & Pearson, 0 of 1000
    assert interval == pytest.approx((-upper, upper))


def test_nets_below_their_fit_are_not_compared():
    found = judged(results(validation=lambda row, seed: 84.9 if (row, seed) == ("Net1/fconv", 7) else 99.0))
    for part in ("C2/Net1/fconv", "C2/table", "C5/order", "C8/translation"):
        assert found[part].verdict == "inconclusive", part
        assert "Net1/fconv seed 7" in found[part].next_step
    assert found["C2/Net1/valid"].verdict == "supported"


def test_a_validation_accuracy_that_was_not_measured_is_no_fit():
    found = judged(results(validation=lambda row, seed: math.nan))
    assert found["C2/table"].verdict == "inconclusive"


def test_missing_jobs_are_not_measured_and_never_pass():
    made = [
        r for r in results() if (r.params.get("padding"), r.seed) != ("valid", 3) and r.params["task"] not in ("border", "maps")
    ]
    found = judged(made)
    for part in ("C1/terms", "C2/table", "C2/Net1/valid", "C2/Net2/valid", "C4/maps", "C5/order", "C8/fact", "C8/cause"):
        assert found[part].verdict == "not measured", part
    assert found["C2/Net1/sconv"].verdict == "supported"
    assert judged([])["C3/classes"].verdict == "not measured"
    assert {verdict.verdict for verdict in judged([]).values()} == {"not measured"}


@pytest.mark.parametrize("part", ["C2/table", "C2/Net2/valid", "C8/fact", "C8/cause"])
def test_an_accuracy_that_is_no_number_is_not_measured(part):
    found = judged(results(test=lambda row, seed: math.nan if (row, seed) == ("Net2/valid", 4) else as_published(row, seed)))
    assert found[part].verdict == "not measured"
    assert found["C2/Net1/valid"].verdict == "supported"


def test_probes_and_flips_that_are_no_numbers_are_not_measured():
    assert judged(results(place=lambda row, seed: math.nan))["C8/cause"].verdict == "not measured"
    assert judged(results(flips=lambda row, seed: math.nan))["C8/translation"].verdict == "not measured"


@pytest.mark.parametrize("count", [math.nan, 0.0])
def test_a_count_of_no_cases_is_not_measured(count):
    spoiled = tuple(Measurement(m.name, count) if m.name == "map_cases" else m for m in MAPS)
    assert judged(results(exact={"maps": spoiled}))["C4/maps"].verdict == "not measured"


def test_the_spread_at_one_map_size_is_the_measured_one():
    assert "differ by 94 points" in judged(results())["C5/order"].next_step
    assert "differ by 40 points" in judged(results(test=halved_spread))["C5/order"].next_step
    quick = PRESETS["quick"]
    assert (
        "points"
        not in judged(results(quick, test=lambda row, seed: as_published(row, seed) + seed**2 / 100), quick)["C5/order"].next_step
    )


def halved_spread(row: str, seed: int) -> float:
    return {"Net1/valid": 0.0, "Net1/sconv": 10.0, "Net1/fconv": 90.0, "Net1/reflect": 50.0}.get(row, 80.0) + seed / 100


def test_order_is_refuted_when_a_step_goes_down():
    swapped = {"Net1/sconv": 90.0, "Net1/fconv": 5.0}
    found = judged(results(test=lambda row, seed: swapped.get(row, 0.0) + seed / 10))
    assert found["C5/order"].verdict == "refuted"


def test_flattening_that_keeps_place_refutes_the_cause():
    assert judged(results())["C8/cause"].verdict == "refuted"
    assert "keeps place" in str(judged(results())["C8/cause"].corrected)


def test_flattening_that_loses_place_supports_the_cause():
    found = judged(results(place=lambda row, seed: 0.1 if row.startswith("Net2") else 0.8 + seed / 100))
    assert found["C8/cause"].verdict == "supported"
    assert found["C8/cause"].corrected is None


def test_one_flattened_net_that_never_varies_is_one_net():
    one = replace(STANDARD, seeds=1, rows=("Net2/valid",))
    assert judged(results(one), one)["C8/fact"].verdict == "inconclusive"


def test_one_flattened_net_that_passes_the_test_refutes_the_fact():
    found = judged(results(test=lambda row, seed: 40.0 if (row, seed) == ("Net2/fconv", 9) else 0.0))
    assert found["C8/fact"].verdict == "refuted"


@pytest.mark.parametrize(("rate", "verdict"), [(99.0, "refuted"), (1.0, "supported"), (30.0, "inconclusive")])
def test_pooling_is_judged_by_flips(rate, verdict):
    found = judged(results(flips=lambda row, seed: rate + seed / 10 if row == "Net1/valid" else 0.5 + seed / 100))
    assert found["C8/translation"].verdict == verdict


@pytest.mark.parametrize(
    ("task", "name", "part"),
    [("border", "border_wrong", "C1/terms"), ("border", "border_outside_inside", "C1/terms"), ("maps", "map_wrong", "C4/maps")],
)
def test_one_wrong_case_refutes_an_exact_claim(task, name, part):
    measured = {"border": BORDER, "maps": MAPS}[task]
    spoiled = tuple(Measurement(m.name, 1.0) if m.name == name else m for m in measured)
    assert judged(results(exact={task: spoiled}))[part].verdict == "refuted"
    assert judged(results())[part].verdict == "supported"


def test_maps_of_another_size_refute_c4_even_where_the_formula_agrees():
    spoiled = tuple(Measurement(m.name, (32.0, 16.0, 8.0, 5.0)) if m.name == "map_sizes_fconv" else m for m in MAPS)
    assert judged(results(exact={"maps": spoiled}))["C4/maps"].verdict == "refuted"


def test_the_splits_are_judged_by_what_they_share():
    assert judged(results())["C3/splits"].verdict == "refuted"
    clean = judged(results(exact={"data": data_measurements(shared=0)}))["C3/splits"]
    assert (clean.verdict, clean.corrected) == ("supported", None)
    assert judged(results(exact={"data": data_measurements(odd=1)}))["C3/classes"].verdict == "refuted"


def test_the_quick_recipe_judges_what_it_can_and_leaves_the_table_to_the_standard_one():
    quick = PRESETS["quick"]
    found = judged(results(quick, test=lambda row, seed: as_published(row, seed) + seed**2 / 100), quick)
    assert "C2/Net1/valid" not in found
    assert found["C2/table"].verdict == "inconclusive"
    assert "standard" in found["C2/table"].next_step
    assert found["C5/order"].verdict == "supported"
    assert "not measured" not in {verdict.verdict for verdict in found.values()}


def test_reduced_precision_reproduces_nothing():
    found = judged([replace(result, precision="bfloat16") for result in results()])
    assert found["C2/table"].verdict == "inconclusive"
    assert "C2/Net1/valid" not in found


def test_one_seed_decides_nothing_statistical():
    one = replace(STANDARD, seeds=1)
    found = judged(results(one), one)
    for part in ("C2/table", "C2/Net1/fconv", "C5/order", "C8/cause", "C8/translation"):
        assert found[part].verdict == "inconclusive", part
        assert found[part].interval is None or None in found[part].interval or part == "C2/table", part


def test_seeds_beyond_the_published_ones_are_compared_by_those_they_share():
    more = replace(STANDARD, seeds=12)
    found = judged(results(more, test=lambda row, seed: as_published(row, seed % 10)), more)
    assert found["C2/Net1/replicate"].n == 10


def test_published_numbers_enter_no_measurement():
    found = judged(results(test=lambda row, seed: 50.0))
    assert {found[f"C2/{row}"].measured for row in ROWS} == {50.0}


@pytest.mark.parametrize("kept", [0, 1, 4, 123])
def test_figures_are_made_of_whatever_there_is(kept: int):
    made = results()[:kept]
    shown = findings(STANDARD, made, verdicts(STANDARD, made))
    assert all(len(row) == len(figure.columns) for figure in shown.figures for row in figure.rows)
    assert shown.asked
    assert shown.found
    if kept == 123:
        assert {figure.name for figure in shown.figures} == {
            "table",
            "seeds",
            "samples",
            "maps",
            "flips",
            "place",
            "curves",
            "rival",
        }
        assert "replicate (93.8 %)" in shown.found
        assert "the flattened net under all six paddings (0.0 %) read place" in shown.found
