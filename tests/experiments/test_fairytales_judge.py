"""A book seen hundreds of times: the verdicts in worlds whose answer is known, and faults that must turn one."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from support.results import evidence_of

from erlangen.experiments import planned_jobs
from erlangen.experiments.fairytales import CLAIMS, PRESETS, QUOTES, Recipe
from erlangen.experiments.fairytales.evidence import published
from erlangen.experiments.fairytales.figures import figures
from erlangen.experiments.fairytales.judge import answers, verdicts
from erlangen.experiments.fairytales.tasks import CHARACTERS, SETTINGS, WORDS
from erlangen.experiments.kit.evidence import Evidence
from erlangen.records.runs import Job, Measurement, Verdict

WORLD = Recipe(seeds=6)
DRAWS, MOST = 200, 11  # worlds, and how many of them may be wrong: 2.5 % and three standard errors
REGIME = {"training loss", "copied strings"}
OF_NETS = {"copied phrases", "style", "next word"}  # what the report says of its net
OF_TALES = {"word order of tales", "sense of tales", "distance to the true entropy"}
OF_BOOK = {"Tell me, glass", "prompt 2"}
KNOWN = {
    "train_loss": 0.17, "strings": 0.68, "fit": 0.1, "fell": 1.0, "rises": 1.0, "copies": 0.6, "held_copies": 0.02,
    "stopped": 0.01,
    "words": 0.99, "held_words": 0.995, "stopped_words": 0.99, "repetition": 0.01, "style": 0.5, "held_style": 0.6,
    "held_taken": 0.95, "other_taken": 0.03, "seen": 0.95, "unseen": 0.1, "few_order": 0.52, "few_kinds": 0.5,
    "many_order": 0.95, "many_kinds": 0.95, "few_far": 0.8, "many_far": 0.1, "glass": 3, "prompt": 1, "others": 0,
}  # fmt: skip


def world(
    recipe: Recipe = WORLD, missing: tuple[tuple[str, int], ...] = (), scatter: float = 0.004, draw: int = 0, **known: float
) -> Evidence:
    """Nets as `KNOWN` says, up to seeds that scatter so much. missing: (arm or task, seed) of jobs that failed.

    copies, stopped: share of copied phrases at the last step and at the best one. fit: training loss of tales. seen: probability
    of the next word after passages of the training text. held_taken: held-out pages that are taken for the book.
    """
    number, rng = KNOWN | known, np.random.default_rng(draw)

    def around(name: str, center: float) -> Measurement:
        return Measurement(name, center + scatter * float(rng.normal()))

    def shares(name: str, of_words: float, of_characters: float) -> list[Measurement]:
        lengths = {"words": (WORDS, of_words), "characters": (CHARACTERS, of_characters)}
        return [
            Measurement(f"{name}_verbatim_{unit}", tuple(center + scatter * float(rng.normal()) for _ in each))
            for unit, (each, center) in lengths.items()
        ]

    def written(name: str) -> list[Measurement]:
        last = name.startswith("last")
        return [
            *shares(name, number["copies" if last else "stopped"], number["strings"] if last else 0.0),
            around(f"{name}_words", number["words" if last else "stopped_words"]),
            around(f"{name}_repetition", number["repetition"]), around(f"{name}_style", number["style"]),
            Measurement(f"{name}_taken_for_the_book", 0.9),
        ]  # fmt: skip

    def book() -> list[Measurement]:
        return [
            around("train_loss_in_training", number["train_loss"]), around("stopped_train_loss", max(1.2, number["train_loss"])),
            around("last_train_loss", 1.2 - number["fell"]), around("stopped_test_loss", 2.0),
            around("last_test_loss", 2.0 + number["rises"]), Measurement("best_views", 80.0), Measurement("views", 400.0),
            Measurement("parameters_a_character", 19.0), Measurement("curve_views", (80.0, 160.0, 400.0)),
            Measurement("curve_train", (1.5, 1.0, 0.2)), Measurement("curve_validation", (2.0, 2.2, 3.0)),
            *(one for which in ("stopped", "last") for setting in SETTINGS for one in written(f"{which}_{setting}")),
            *shares("held_out", number["held_copies"], 0.01), around("held_out_words", number["held_words"]),
            around("held_out_repetition", 0.01), around("held_out_style", number["held_style"]),
            Measurement("held_out_taken_for_the_book", number["held_taken"]),
            Measurement("other_prose_taken_for_the_book", number["other_taken"]),
            around("last_next_word_seen", number["seen"]), around("last_next_word_held_out", number["unseen"]),
        ]  # fmt: skip

    def told(arm: str) -> list[Measurement]:
        return [
            around("train_loss_in_training", number["fit"]), around("last_above_floor", number[f"{arm}_far"]),
            around("last_order", number[f"{arm}_order"]), around("last_kinds", number[f"{arm}_kinds"]),
            around("last_published_grammatical", 0.7), around("last_published_copies", 0.6), Measurement("views", 300.0),
            around("last_published_grammatical_and_new", 0.1), around("last_published_followed", 0.9),
        ]  # fmt: skip

    def quoted() -> list[Measurement]:
        names = {"glass": "glass", "prompt": "prompt", "prompt_and_next_word": "prompt", "invented_prompts": "others"}
        return [Measurement(name, number[of]) for name, of in names.items()]

    def measure(job: Job) -> list[Measurement] | None:
        arm = str(job.params.get("arm", job.params["task"]))
        made = {"book": book, "quotes": quoted}.get(arm, lambda: told(arm))()
        return None if (arm, job.seed) in missing else made

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
        ("training loss", {"train_loss": 0.9}), ("training loss", {"train_loss": 0.0}), ("copied strings", {"strings": 0.3}),
        ("copied strings", {"strings": 0.97}), ("held-out loss", {"rises": -0.3}), ("held-out loss", {"rises": 0.005}),
        ("copied phrases", {"copies": 0.02}), ("copied phrases", {"copies": 0.01}), ("real words", {"words": 0.5}),
        ("style", {"style": 0.1}), ("style", {"style": -0.5}), ("next word", {"seen": 0.3}),
        ("word order of tales", {"few_order": 0.8}), ("sense of tales", {"few_kinds": 0.7}),
        ("copying, stopped early", {"stopped": 0.3}), ("words, stopped early", {"stopped_words": 0.8}),
        ("stopped early", {"stopped": 0.3}), ("stopped early", {"stopped_words": 0.8}), ("Tell me, glass", {"glass": 0}),
        ("prompt 2", {"prompt": 0}), ("distance to the true entropy", {"few_far": 0.05}),
    ],
)  # fmt: skip
def test_each_part_can_be_refuted(part: str, known: dict[str, float]):
    verdict = judged(world(**known))[part]
    assert verdict.verdict == "refuted"
    assert verdict.corrected


EDGES = {
    "copied phrases": {"copies": 0.02 + 0.02}, "style": {"style": 0.3}, "next word": {"seen": 0.5},
    "word order of tales": {"few_order": 0.6}, "sense of tales": {"few_kinds": 0.6}, "held-out loss": {"rises": 0.02},
    "repetition": {"repetition": 0.03}, "real words": {"words": 0.995 - 0.02}, "copying, stopped early": {"stopped": 0.04},
    "words, stopped early": {"stopped_words": 0.95 * 0.995}, "distance to the true entropy": {"few_far": 0.12},
}  # fmt: skip


@pytest.mark.parametrize(
    ("parts", "known"),
    [
        (set(EDGES), {name: value for edge in EDGES.values() for name, value in edge.items()}),
        ({"training loss", "copied strings"}, {"train_loss": 0.1655 + 0.15, "strings": 0.68 - 0.2}),
    ],
    ids=["parts", "regime"],
)
def test_on_the_edge_few_verdicts_are_wrong_either_way(parts: set[str], known: dict[str, float]):
    """Every part is on its edge at once: a value on it is neither, so that each outcome but inconclusive is wrong."""
    wrong: Counter[tuple[str, str]] = Counter()
    for draw in range(DRAWS):
        wrong.update(outcomes(world(replace(WORLD, seeds=4), draw=draw, **known)).items())
    for part in parts:
        assert wrong[part, "supported"] <= MOST, part
        assert wrong[part, "refuted"] <= MOST, part


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
    statistical = [verdict for verdict in judged(world()).values() if verdict.kind == "statistical"]
    assert {verdict.level for verdict in statistical} == {1 - 0.05 / (len(statistical) - 1)}, "all but that of both"


def test_one_seed_and_seeds_without_spread_decide_nothing():
    one = replace(WORLD, seeds=1)
    for found in (outcomes(world(one), one), outcomes(world(scatter=0.0))):
        assert {found[part] for part in set(found) - OF_BOOK} == {"inconclusive"}


@pytest.mark.parametrize("known", [{"train_loss": 0.4}, {"train_loss": 0.0}, {"strings": 0.4}, {"strings": 0.95}], ids=str)
@pytest.mark.parametrize("net", [{}, {"copies": 0.02, "style": 0.0, "seen": 0.2}], ids=["repeats", "does not"])
def test_the_report_is_judged_in_its_own_regime_alone(known: dict[str, float], net: dict[str, float]):
    found = judged(world(**known, **net))
    for part in OF_NETS:
        assert found[part].verdict == "inconclusive"
        assert "of the report's" in found[part].next_step or "report's samples" in found[part].next_step
    assert found["held-out loss"].verdict == "supported", "an extension speaks of these nets"


def test_nets_that_are_not_trained_decide_nothing():
    """At chance a net chooses by a coin: that must not pass for a finding."""
    at_chance = {"few_order": 0.5, "few_kinds": 0.5, "copies": 0.0, "style": 0.0, "stopped": 0.0}
    found = judged(world(train_loss=2.7, fit=2.7, **at_chance))
    assert {part for part, verdict in found.items() if verdict.verdict == "inconclusive"} == set(found) - OF_BOOK - REGIME
    assert "text seed 0 (2.7" in found["real words"].next_step
    assert "few tales seed 0" in found["sense of tales"].next_step
    half = judged(world(fit=1.0, **at_chance))
    assert "few tales" in half["sense of tales"].next_step, "a net that is trained, but not as the report's"


def test_the_held_out_loss_counts_only_where_the_training_loss_falls():
    for known in ({"fell": -0.1}, {"fell": -0.1, "rises": -0.3}):
        assert "falls after the best step" in judged(world(**known))["held-out loss"].next_step


def test_a_net_that_writes_no_words_copies_nothing_and_does_not_pass():
    found = judged(world(stopped_words=0.0, stopped=0.0))
    assert (found["copying, stopped early"].verdict, found["stopped early"].verdict) == ("supported", "refuted")


def test_a_dictionary_of_another_language_sees_no_words_and_decides_nothing():
    found = judged(world(held_words=0.0, stopped_words=0.0, words=0.0))
    for part in ("words, stopped early", "stopped early", "real words"):
        assert found[part].verdict == "inconclusive"
        assert "a dictionary that knows words" in found[part].next_step or part == "stopped early"


@pytest.mark.parametrize("known", [{"held_taken": 0.6}, {"other_taken": 0.5}, {"held_taken": 0.5, "other_taken": 0.5}], ids=str)
def test_a_classifier_that_sees_no_style_decides_nothing(known: dict[str, float]):
    for style in (0.5, 0.0):
        found = judged(world(style=style, **known))["style"]
        assert found.verdict == "inconclusive"
        assert "a classifier of style" in found.next_step


def test_what_any_passage_is_continued_with_is_no_memory():
    found = judged(world(unseen=0.9))["next word"]
    assert (found.verdict, "which it continues so less often" in found.next_step) == ("inconclusive", True)


@pytest.mark.parametrize(("kind", "part"), [("order", "word order of tales"), ("kinds", "sense of tales")])
def test_what_no_net_learns_shows_no_lack_of_awareness(kind: str, part: str):
    found = judged(world(**{f"many_{kind}": 0.55}))[part]
    assert found.verdict == "inconclusive"
    assert "75 % right choices by nets that saw many" in found.next_step


def test_a_search_that_finds_everything_finds_nothing():
    for part in OF_BOOK:
        found = judged(world(others=1))[part]
        assert (found.verdict, "three other prompts" in found.next_step) == ("inconclusive", True)


def test_what_repeats_itself_more_than_the_text_is_said_to():
    assert judged(world(repetition=0.3))["repetition"].verdict == "supported"


def test_a_missing_job_is_not_measured_and_named():
    for arm, seed, parts in (("few", 3, OF_TALES), ("quotes", 0, OF_BOOK)):
        found = judged(world(missing=((arm, seed),)))
        assert {part for part, verdict in found.items() if verdict.verdict == "not measured"} == parts
    found = judged(world(missing=(("book", 2),)))
    assert {part for part, verdict in found.items() if verdict.verdict == "not measured"} == set(found) - OF_TALES - OF_BOOK
    assert "seed 2" in found["repetition"].next_step
    assert set(outcomes(Evidence(())).values()) == {"not measured"}


@pytest.mark.parametrize(
    ("name", "part"),
    [
        ("last_test_loss", "held-out loss"), ("last_published_words", "real words"), ("train_loss_in_training", "training loss"),
        ("last_published_style", "style"), ("last_next_word_seen", "next word"), ("last_kinds", "sense of tales"),
    ],
)  # fmt: skip
def test_what_is_not_finite_is_not_measured(name: str, part: str):
    found = judged(changed(world(), name, (math.nan, 1.0)))[part]
    assert found.verdict == "not measured"
    assert "seed 0" in found.next_step


@pytest.mark.parametrize("name", ["other_prose_taken_for_the_book", "last_next_word_held_out", "invented_prompts"])
def test_a_check_that_was_not_measured_decides_nothing(name: str):
    part = {"other_prose_taken_for_the_book": "style", "last_next_word_held_out": "next word"}.get(name, "prompt 2")
    found = judged(changed(world(), name, (math.nan,)))[part]
    assert (found.verdict, "was not measured" in found.next_step) == ("inconclusive", True)


def test_phrases_are_of_five_words_and_strings_of_twenty_characters():
    shares = {
        "last_published_verbatim_words": (0.9, 0.8, 0.5, 0.1), "held_out_verbatim_words": (0.7, 0.2, 0.0, 0.0),
        "last_published_verbatim_characters": (0.9, 0.8, 0.66, 0.5), "stopped_published_verbatim_words": (0.6, 0.3, 0.1, 0.0),
    }  # fmt: skip
    results = [
        replace(one, measurements=tuple(replace(m, value=shares.get(m.name, m.value)) for m in one.measurements))
        for one in world().results
    ]
    found = judged(Evidence(tuple(results)))
    assert (WORDS, CHARACTERS) == ((2, 3, 5, 8), (5, 10, 20, 40))
    assert (found["copied phrases"].effect, found["copied strings"].effect) == (0.5, 0.66)
    assert found["copying, stopped early"].effect == pytest.approx(0.3 - 2 * 0.2), "of three words, against twice the text's"


def test_whose_sentence_each_part_is():
    found = judged(world())
    assert {part: verdict.quote for part, verdict in found.items() if verdict.of == "report"} == QUOTES
    assert {part for part, verdict in found.items() if verdict.of == "control"} == REGIME


def test_of_a_file_of_the_users_nobody_spoke(tmp_path: Path):
    path = tmp_path / "book.txt"
    path.write_text("It was a dark night, and the 7 ships lay still. " * 60, encoding="utf-8")
    recipe = replace(WORLD, corpus=str(path))
    found = judged(world(recipe, train_loss=0.4, strings=0.1), recipe)
    assert not set(found) & (REGIME | OF_BOOK)
    assert {(verdict.of, verdict.quote) for verdict in found.values()} == {("extension", "")}
    assert found["copied phrases"].verdict == "supported", "whatever the report's regime"


def test_published_numbers_stand_beside():
    found = judged(world())
    assert found["training loss"].published == published()["train_loss_by_epoch"][-1] == 0.1655
    assert found["training loss"].region == pytest.approx((0.0155, 0.3155))
    assert found["copied strings"].published == published()["copied_20_characters"] == 0.68


def test_quick_judges_what_it_can_and_no_more():
    quick = PRESETS["quick"]
    found = judged(world(quick), quick)
    assert not set(found) & (OF_TALES | OF_BOOK)
    (answer,) = answers(quick, world(quick), list(found.values()))
    assert (answer.answer, "new tales" in answer.sentence) == ("partly", False)


@pytest.mark.parametrize(
    ("known", "outcome"),
    [
        ({}, "supported"),
        ({"copies": 0.02}, "partly"),
        ({"few_kinds": 0.9}, "partly"),
        ({"train_loss": 0.9}, "inconclusive"),
    ],
    ids=str,
)
def test_the_answer_is_made_of_numbers(known: dict[str, float], outcome: str):
    evidence = world(**known)
    (found,) = answers(WORLD, evidence, verdicts(WORLD, evidence))
    assert found.answer == outcome
    assert "After 400 views of each character" in found.sentence
    assert "a noun that makes sense in" in found.sentence
    assert "nan" not in found.sentence
    assert figures(WORLD, evidence)[0].name == found.figure


def test_no_interval_of_shares_leaves_what_a_share_can_be():
    evidence = changed(world(), "last_published_verbatim_words", (0.0, 1.0))
    for figure, most in zip(figures(WORLD, evidence)[:2], (100, 1), strict=True):
        assert all(0 <= end <= most for row in figure.rows for end in row[-2:] if isinstance(end, float))


@pytest.mark.parametrize(
    ("name", "values"),
    [("train_loss_in_training", (0.01, 0.32)), ("last_published_verbatim_characters", (0.42, 0.94))],
)
def test_nets_that_are_in_the_regime_on_average_alone_are_not_in_it(name: str, values: tuple[float, ...]):
    """Half of them are beyond one edge and half beyond the other: no net is as the report's."""
    found = judged(changed(world(), name, values))
    for part in OF_NETS:
        assert found[part].verdict == "inconclusive"
        assert "on average and in most nets" in found[part].next_step


def test_a_net_that_was_stopped_before_it_was_trained_is_not_judged_as_stopped_early():
    """Trained to the end it fits. At its least validation loss, after few steps, it knows no more than single letters."""
    found = judged(changed(world(stopped_words=0.3), "stopped_train_loss", (2.8, 2.7)))
    for part in ("copying, stopped early", "words, stopped early", "stopped early"):
        assert found[part].verdict == "inconclusive", part
    assert "text seed 0 (2.8" in found["words, stopped early"].next_step
    assert found["repetition"].verdict == "refuted", "of the last step"


def test_a_net_that_writes_one_word_again_and_again_does_not_pass():
    found = judged(changed(world(stopped_words=1.0, stopped=0.0), "stopped_published_repetition", (0.98, 0.99)))
    assert found["copying, stopped early"].verdict == "supported"
    assert (found["words, stopped early"].verdict, found["stopped early"].verdict) == ("inconclusive", "inconclusive")


def test_a_search_that_finds_nothing_refutes_no_quote():
    for part in OF_BOOK:
        found = judged(world(glass=0, prompt=0))[part]
        assert (found.verdict, "finds one of the report's two quotes" in found.next_step) == ("inconclusive", True)


def test_awareness_is_not_measured_where_a_net_that_saw_many_tales_is_missing():
    found = judged(world(missing=(("many", 3),)))
    assert {part for part, verdict in found.items() if verdict.verdict == "not measured"} == OF_TALES


def test_the_answer_is_two_sentences_at_most():
    (found,) = answers(WORLD, world(), verdicts(WORLD, world()))
    assert 1 <= found.sentence.count(". ") + 1 <= 2
