"""Temperature and top-p: what is measured on a tiny recipe, the verdicts in worlds of known answer."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from support.figures import assert_drawn
from support.results import evidence_of
from torch import Tensor

from erlangen.data.characters import CharacterTokenizer
from erlangen.data.corpus import Corpus
from erlangen.data.files import DataError
from erlangen.experiments import planned_jobs
from erlangen.experiments.kit.evidence import Arm, Evidence
from erlangen.experiments.sampling import CLAIMS, EXTREMES, PRESETS, QUOTES, REPORT, Recipe, fetch, jobs, part_name
from erlangen.experiments.sampling.evidence import difference, largest_difference, spread
from erlangen.experiments.sampling.figures import figures
from erlangen.experiments.sampling.judge import answers, verdicts
from erlangen.experiments.sampling.run import losses, run
from erlangen.experiments.sampling.tasks import OUTCOMES, SETTINGS, SOURCE, Setting, Write, label
from erlangen.generate.writing import Passage
from erlangen.models.gpt import GPTConfig
from erlangen.records.runs import Job, Measurement, Verdict
from erlangen.statistics import crossed_interval, simultaneous_level

TINY = Recipe(
    corpus="tales", dictionary="training", seeds=2, steps=10, other_steps=10, layers=1, heads=1, width=16, block=256, batch=2,
    prompts=8, prompt=8, length=40,
)  # fmt: skip
WORLD = Recipe(seeds=5, prompts=200)
BEYOND = 0.5  # of a standard deviation, whose margin is 0.2
OTHERS = tuple(outcome for outcome in OUTCOMES if outcome != "loss")
ROWS = {part_name(outcome, REPORT) for outcome in OTHERS}


@pytest.fixture(scope="module")
def measured() -> Evidence:
    return evidence_of(planned_jobs("sampling", TINY), run)


def world(
    moved: dict[Setting, float] | None = None,
    outcomes: tuple[str, ...] = OTHERS,
    *,
    scatter: float = 0.25,
    by_net: float = 0.0,
    recipe: Recipe = WORLD,
    loss: float = 1.4,
    knobs: bool = True,
    failed: int | None = None,
) -> Evidence:
    """As if a setting moved the outcomes so many standard deviations of held-out text.

    knobs: the loss under the net itself rises with temperature and top-p, as it must. by_net: every net differs by itself.
    """
    rng = np.random.default_rng(0)
    easy = rng.normal(size=recipe.prompts)  # what prompts have in common in all settings

    def shift(setting: Setting, outcome: str) -> float:
        if outcome == "loss" and knobs:
            return setting[0] + setting[1]
        return (moved or {}).get(setting, 0.0) if outcome in outcomes else 0.0

    def measure(job: Job) -> list[Measurement] | None:
        own = {setting: by_net * float(rng.normal()) for setting in SETTINGS}
        found = [Measurement("validation_loss", loss)]
        for outcome in OUTCOMES:
            found.append(Measurement(f"held out {outcome}", tuple(map(float, rng.normal(size=recipe.prompts)))))
            for setting in SETTINGS:
                values = shift(setting, outcome) + own[setting] + easy + scatter * rng.normal(size=recipe.prompts)
                found.append(Measurement(f"{label(setting)} {outcome}", tuple(map(float, values))))
        return None if job.seed == failed else found

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
    return evidence.arm(Write)


def test_settings_that_do_nothing_are_equivalent():
    found = outcomes_of(world())
    assert set(found) == set(CLAIMS[0].parts)
    assert {part for part, outcome in found.items() if outcome == "supported"} == {
        REPORT, *ROWS, *(part_name("loss", where) for where in EXTREMES),
    }  # fmt: skip
    wide = {part_name(outcome, where) for outcome in OTHERS for where in EXTREMES if where != REPORT}
    assert {part for part, outcome in found.items() if outcome == "refuted"} == wide, "what is expected there does not happen"


@pytest.mark.parametrize("setting", SOURCE, ids=label)
def test_one_setting_of_the_report_that_differs_refutes(setting: Setting):
    found = judged(world({setting: BEYOND}, ("words",)))
    part = part_name("words", REPORT)
    assert (found[part].verdict, found[REPORT].verdict) == ("refuted", "refuted")
    assert label(setting) in {group.name for group in found[part].groups}
    assert found[part].effect == pytest.approx(BEYOND, abs=0.1)
    assert {found[name].verdict for name in ROWS - {part}} == {"supported"}


@pytest.mark.parametrize("where", [where for where in EXTREMES if where != REPORT])
def test_temperature_and_top_p_are_judged_apart_and_in_the_expected_direction(where: str):
    cold, hot = EXTREMES[where]
    found = outcomes_of(world({hot: BEYOND}))
    assert {outcome for outcome in OTHERS if found[part_name(outcome, where)] == "supported"} == {"distinct", "other-loss"}
    found = outcomes_of(world({cold: BEYOND}))
    falling = {"repetition", "verbatim", "words"}
    assert {outcome for outcome in OTHERS if found[part_name(outcome, where)] == "supported"} == falling
    other = next(name for name in EXTREMES if name not in (where, REPORT))
    assert {found[part_name(outcome, other)] for outcome in OTHERS} == {"refuted"}


def test_a_difference_below_the_margin_supports_no_difference():
    assert outcomes_of(world({SOURCE[0]: 0.08}, ("words",), scatter=0.2))[part_name("words", REPORT)] == "supported"


def test_on_the_edge_it_is_inconclusive():
    for shift in (0.17, 0.2, 0.23):
        assert outcomes_of(world({SOURCE[0]: shift}, ("words",)))[part_name("words", REPORT)] == "inconclusive"


def test_no_difference_found_is_not_equivalence():
    few = replace(WORLD, prompts=12)  # as few texts as a reader looks at
    found = outcomes_of(world(scatter=3.0, recipe=few), few)
    assert {found[part] for part in (REPORT, *ROWS)} == {"inconclusive"}


def test_nets_that_disagree_widen_the_interval():
    found = judged(world(scatter=0.1, by_net=0.5))[part_name("words", "temperature 0.3 to 1.5")]
    assert found.n == WORLD.seeds
    assert found.verdict == "inconclusive"
    assert "nets would decide" in found.next_step


def test_intervals_hold_together_over_all_parts_that_have_one():
    found = judged(world())
    assert {verdict.level for verdict in found.values()} == {1 - 0.05 / (len(found) - 1)}


def test_the_largest_difference_covers_as_often_as_it_says_where_all_settings_are_the_same():
    """Six pairs, none of which differs: the low end stays at 0 but in half of the 5 % at most."""
    rng, tries = np.random.default_rng(4), 200
    recipe = replace(WORLD, seeds=4, prompts=20)

    def measure(job: Job) -> list[Measurement]:
        return [Measurement(f"{label(s)} words", tuple(rng.normal(size=recipe.prompts))) for s in SOURCE]

    lows = [
        largest_difference(arm_of(evidence_of(planned_jobs("sampling", recipe), measure)), SOURCE, "words").interval(0.95).low
        for _ in range(tries)
    ]
    assert np.mean(np.array(lows) > 0) <= 0.025 + 3.5 * math.sqrt(0.025 * 0.975 / tries)


def test_the_largest_difference_is_that_of_the_widest_pair():
    evidence = world({SOURCE[1]: BEYOND, SOURCE[3]: -BEYOND}, ("words",))
    found = largest_difference(arm_of(evidence), SOURCE, "words")
    pair = difference(arm_of(evidence), SOURCE[1], SOURCE[3], "words")
    assert found.interval(0.95).estimate == pair.interval(0.95).estimate
    assert found.interval(0.95).high == pair.interval(0.95).high
    assert found.interval(0.95).low == pair.interval(simultaneous_level(6)).low
    assert {group.name for group in found.groups} == {label(SOURCE[1]), label(SOURCE[3])}


def test_a_text_without_the_outcome_does_not_make_its_pair_the_widest():
    def without_first(one: Measurement) -> Measurement:
        cut = one.name == f"{label(SOURCE[2])} words" and isinstance(one.value, tuple)
        return replace(one, value=(None, *one.value[1:])) if cut and isinstance(one.value, tuple) else one

    found = largest_difference(arm_of(mapped(world({SOURCE[0]: BEYOND}, ("words",)), without_first)), SOURCE, "words")
    assert label(SOURCE[0]) in {group.name for group in found.groups}
    assert found.interval(0.95).estimate == pytest.approx(BEYOND, abs=0.1)


def test_differences_are_paired_by_net_and_prompt():
    evidence = world(scatter=0.3)
    found = difference(arm_of(evidence), SOURCE[0], SOURCE[1], "words").interval(0.9)
    table = [np.array(one.values("0.65/0.85 words")) - np.array(one.values("0.7/0.9 words")) for one in evidence.of(Write)]
    assert found == crossed_interval(table, 0.9)


def test_units_do_not_matter():
    evidence = world({EXTREMES["top-p 0.5 to 1"][0]: 0.1})

    def percent(one: Measurement) -> Measurement:
        return replace(one, value=tuple(100 * float(v or 0) for v in one.value)) if isinstance(one.value, tuple) else one

    assert outcomes_of(mapped(evidence, percent)) == outcomes_of(evidence)


def test_texts_without_the_outcome_are_left_out():
    def without_first(one: Measurement) -> Measurement:
        cut = one.name == "0.3/1 words" and isinstance(one.value, tuple)
        return replace(one, value=(None, *one.value[1:])) if cut and isinstance(one.value, tuple) else one

    evidence = world({(0.3, 1.0): BEYOND}, scatter=0.1)
    whole, broken = (
        difference(arm_of(e), (0.3, 1.0), (1.5, 1.0), "words").interval(0.95) for e in (evidence, mapped(evidence, without_first))
    )
    assert broken.n == whole.n == WORLD.seeds
    assert broken.estimate == pytest.approx(BEYOND, abs=0.05)
    assert broken != whole


def test_what_no_text_has_is_not_equivalence():
    def flat(one: Measurement) -> Measurement:
        written = isinstance(one.value, tuple) and not one.name.startswith("held out") and not one.name.endswith(" loss")
        return replace(one, value=(0.0,) * WORLD.prompts) if written else one

    found = judged(mapped(world(), flat))
    assert {found[part].verdict for part in (REPORT, *ROWS)} == {"inconclusive"}
    assert "the same value" in found[part_name("words", REPORT)].next_step


def test_where_passages_do_not_differ_no_difference_is_small():
    evidence = mapped(world(), lambda one: replace(one, value=(1.0,) * WORLD.prompts) if one.name == "held out words" else one)
    found = judged(evidence)[part_name("words", REPORT)]
    assert found.verdict == "inconclusive"
    assert "held-out passages that differ" in found.next_step


def test_the_margin_is_of_the_texts_own_spread():
    assert spread(arm_of(world()), "words") == pytest.approx(1.0, abs=0.1)
    held_out = Measurement("held out words", (1.0, None, 3.0))
    one = evidence_of(planned_jobs("sampling", replace(WORLD, seeds=2)), lambda job: [held_out])
    assert spread(arm_of(one), "words") == pytest.approx(2**0.5)
    assert math.isnan(spread(arm_of(Evidence(())), "words"))
    found = judged(world())[part_name("words", REPORT)]
    assert found.region is not None
    assert found.region[1] == pytest.approx(0.2 * spread(arm_of(world()), "words"))


def test_knobs_that_do_nothing_support_nothing():
    """Were the settings never handed on, all texts would be alike: the loss under the net itself would tell."""
    found = judged(world(knobs=False))
    assert {found[part].verdict for part in (REPORT, *ROWS)} == {"inconclusive"}
    assert "a change of the loss under the net itself" in found[part_name("words", REPORT)].next_step
    assert {found[part_name("loss", where)].verdict for where in EXTREMES} == {"refuted"}


def test_nets_that_are_not_trained_decide_nothing():
    found = judged(world(loss=2.7))
    assert {verdict.verdict for verdict in found.values()} == {"inconclusive"}
    assert "not trained" in found[part_name("words", REPORT)].next_step


def test_a_missing_net_is_not_measured():
    found = judged(world(failed=3))
    assert {verdict.verdict for verdict in found.values()} == {"not measured"}
    assert "seed 3" in found[part_name("words", REPORT)].next_step
    assert set(outcomes_of(Evidence(())).values()) == {"not measured"}


def test_whose_sentence_each_part_is(tmp_path: Path):
    found = judged(world())
    assert {part: verdict.quote for part, verdict in found.items() if verdict.of == "report"} == QUOTES
    assert {part for part, verdict in found.items() if verdict.of == "control"} == {
        part_name("loss", where) for where in EXTREMES
    }
    path = tmp_path / "book.txt"
    path.write_text("Once upon a time. ", encoding="utf-8")
    recipe = replace(WORLD, corpus=str(path))
    assert {verdict.of for verdict in judged(world(recipe=recipe), recipe).values()} == {"extension", "control"}


def test_a_text_file_is_read_and_its_digest_kept(tmp_path: Path):
    path = tmp_path / "book.txt"
    recipe = replace(TINY, corpus=str(path), seeds=2, block=32)
    path.write_text("It was a dark night, and the 7 ships lay still. " * 60, encoding="utf-8")
    fetch(recipe)
    (first, _) = planned_jobs("sampling", recipe)
    assert first.params["digest"] == hashlib.sha256(path.read_bytes()).hexdigest()[:16]
    assert all(len(one.value) == 8 for one in run(first) if isinstance(one.value, tuple))
    path.write_text("It was a calm night, and the 7 ships lay still. " * 60, encoding="utf-8")
    assert planned_jobs("sampling", recipe)[0].key("") != first.key("")
    with pytest.raises(DataError, match="the file has changed"):
        run(first)


@pytest.mark.parametrize("prompts", [8, 40])
def test_a_text_just_long_enough_serves_and_one_shorter_is_refused(tmp_path: Path, prompts: int):
    path = tmp_path / "book.txt"
    recipe = replace(TINY, corpus=str(path), block=32, prompts=prompts)
    path.write_text("x", encoding="utf-8")
    with pytest.raises(DataError, match=r"book\.txt: 1 characters, and this recipe needs [\d,]+: .* fewer or shorter") as raised:
        fetch(recipe)
    needed = int(str(raised.value).split("needs ")[1].split(":")[0].replace(",", ""))
    path.write_text("ab cd. " * (needed // 7) + "x" * (needed % 7), encoding="utf-8")
    fetch(recipe)
    run(planned_jobs("sampling", recipe)[0])


def test_a_run_measures_all_that_is_judged(measured: Evidence):
    for one in measured.of(Write):
        for setting in ("held out", *map(label, SETTINGS)):
            for outcome in OUTCOMES:
                assert len(one.values(f"{setting} {outcome}")) == TINY.prompts, (setting, outcome)
    assert {outcome for part, outcome in outcomes_of(measured, TINY).items() if "loss" in part} == {"inconclusive"}


def test_the_other_net_is_another(measured: Evidence):
    first, second = measured.of(Write)
    for one in (first, second):  # trained alike, but for the seed
        assert one.value("validation_loss") != one.value("other_validation_loss")
        assert one.values("0.7/0.9 loss") != one.values("0.7/0.9 other-loss")
    assert first.value("other_validation_loss") != second.value("other_validation_loss")


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


def test_hotter_is_less_likely_under_the_net_itself(measured: Evidence):
    cold, hot = (np.mean([one.values(f"{name} loss") for one in measured.of(Write)]) for name in ("0.3/1", "1.5/1"))
    assert cold < hot


@pytest.mark.parametrize(
    ("moved", "answer"), [({}, "supported"), ({SOURCE[0]: BEYOND}, "refuted"), ({SOURCE[0]: 0.2}, "inconclusive")]
)
def test_the_answer_is_made_of_numbers_and_names_its_figure(moved: dict[Setting, float], answer: str):
    evidence = world(moved)
    (found,) = answers(WORLD, evidence, verdicts(WORLD, evidence))
    assert found.answer == answer
    assert "the loss under another net is" in found.sentence
    assert "nan" not in found.sentence
    assert [figure.name for figure in figures(WORLD, evidence)] == [found.figure]


def test_figures_are_drawn_of_whatever_there_is(measured: Evidence):
    assert_drawn(figures(WORLD, world({(0.3, 1.0): 1.0})))
    shown = figures(TINY, measured)
    assert_drawn(shown)
    assert all(0 <= end <= 1 for row in shown[0].rows for end in row[2:] if isinstance(end, float) and "loss" not in str(row[0]))
    assert figures(WORLD, Evidence(())) == []


def test_two_hundred_texts_a_setting_and_the_published_pairs():
    assert PRESETS["standard"].prompts >= 200
    assert set(SOURCE) == {(0.7, 0.9), (1.0, 0.9), (0.75, 0.95), (0.65, 0.85)}
    assert sum(job.seconds for job in jobs(PRESETS["quick"])) < 2 * 60
    planned = planned_jobs("sampling", PRESETS["quick"], "bfloat16", "cuda")
    assert {(job.precision, job.device) for job in planned} == {("bfloat16", "cuda")}
