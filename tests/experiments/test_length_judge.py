"""Length: verdicts in worlds whose answer is known, both ways, on the edges, and where nothing may be decided."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache

import numpy as np
import pytest
from support.figures import assert_drawn
from support.results import evidence_of

from erlangen.claims import catalog
from erlangen.experiments import planned_jobs
from erlangen.experiments.kit.evidence import Evidence
from erlangen.experiments.length import PRESETS, QUOTES, Recipe
from erlangen.experiments.length.claims import CLAIMS, OF_TEXT
from erlangen.experiments.length.figures import figures
from erlangen.experiments.length.judge import answers, verdicts
from erlangen.experiments.length.tasks import CHANCE, LENGTHS, MODELS, READINGS, TUNED, Arm
from erlangen.records.runs import Answer, Job, Measurement, Verdict

RECIPE = Recipe(corpus="tales")
REPORT = ("learned positions", "unseen or rarely trained rows", "relative, near", "relative, far", "syntax")
NEAR = ("rotary, near, registers", "ALiBi, near, registers", "rotary, near, text", "ALiBi, near, text", "NTK, near, text")
LEARNED = ("repeated last row", "interpolated rows", "unseen rows", "rarely trained rows")
STATISTICAL = (
    *LEARNED, *NEAR, "none, near", "interpolated and tuned, near", "rotary, far", "ALiBi, far", "interpolated and tuned, far",
    "registers tell", "ALiBi, far, text", "rotary, syntax", "ALiBi, syntax",
)  # fmt: skip
Ends = tuple[float, float]  # at the trained length, at the longest
Change = Callable[[Job, dict[str, float | tuple[float, ...]]], dict[str, float | tuple[float, ...]] | None]


@dataclass(frozen=True, kw_only=True)
class World:
    """What is true. near, far, text: by kind of positions and reading; a text's and a near loss rise to the longest length.

    By default relative positions generalize near and far and help syntax, and learned ones do none of it: the report's world.
    """

    near: Mapping[str, Ends] = field(default_factory=dict)
    far: Mapping[str, Ends] = field(default_factory=dict)
    text: Mapping[str, Ends] = field(default_factory=dict)
    rows: tuple[float, float, float] = (1.8, 2.1, 2.4)
    share: Mapping[str, float] = field(default_factory=dict)
    loss: Mapping[float, float] = field(default_factory=lambda: {3e-3: 1.3, 1e-2: 1.1, 3e-2: 1.4, 6e-2: 1.5})
    scatter: float = 0.003

    def ends(self, kind: str, arm: str, how: str) -> Ends:
        """The losses of an arm's reading."""
        learned = arm == "absolute"
        default = {
            "near": (0.1, 1.5) if learned else (0.1, 0.1),
            "far": (CHANCE + 0.1, CHANCE + 0.1 if learned else 0.2),
            "text": (1.8, 3.0) if learned else (1.8, 1.75),
        }[kind]
        return getattr(self, kind).get(f"{arm} {how}", default)


@cache
def jobs(recipe: Recipe) -> tuple[Job, ...]:
    return tuple(planned_jobs("length", recipe))


def drawn(world: World, seed: int = 0, recipe: Recipe = RECIPE, change: Change = lambda job, made: made) -> Evidence:
    """One run in that world."""
    rng = np.random.default_rng(seed)

    def measure(job: Job) -> list[Measurement] | None:
        made = change(job, made_up(world, job, rng))
        return None if made is None else [Measurement(name, value) for name, value in made.items()]

    return evidence_of(jobs(recipe), measure)


def made_up(world: World, job: Job, rng: np.random.Generator) -> dict[str, float | tuple[float, ...]]:
    """What a job measures there."""
    task, params = job.params["task"], job.params

    def curve(kind: str, how: str) -> tuple[float, ...]:
        first, last = world.ends(kind, str(params["arm"]), how)
        return tuple(first + (last - first) * k / 3 + world.scatter * rng.normal() for k in range(4))

    if task == "answer":
        relative = (1.0,) * len(LENGTHS)
        return {"rotary answers": relative, "alibi answers": relative, "absolute answers": (1.0, 1.0, 0.0, 0.0, 0.0, 0.0)}
    if task == "memory":
        rows = 1024 * 768
        return {
            "model": 160.0 * rows, "block": 1024, "rows": rows, "absolute stored": rows, "rotary stored": 0, "alibi stored": 0,
            "t5 stored": 384, "absolute computed": 0, "rotary computed": 524288, "alibi computed": 5e7, "t5 computed": 5e7,
        }  # fmt: skip
    if task == "shift":
        return {"loss by rows": tuple(loss + world.scatter * rng.normal() for loss in world.rows)}
    if task == "contrast":
        right = world.share.get(str(params["arm"]), 80.0 if params["arm"] == "absolute" else 90.0)
        loss = world.loss[float(params["lr"])] + world.scatter * rng.normal()
        scores = right + 30 * world.scatter * rng.normal(size=2)
        return {"order": scores[0], "agreement": scores[1], "validation_loss": loss, "test_loss": loss}
    arm: Arm = params["arm"]
    ways = (*READINGS[arm], *([TUNED] if params["tuning"] else []))
    if task == "read":
        return {f"{how} loss": curve("text", how) for how in ways}
    return {f"{how} {kind}": curve(kind, how) for how in ways for kind in ("near", "far")}


def judged(evidence: Evidence, recipe: Recipe = RECIPE) -> dict[str, Verdict]:
    return {verdict.part: verdict for verdict in verdicts(recipe, evidence)}


def outcome(world: World, part: str, **options: object) -> str:
    return judged(drawn(world, **options))[part].verdict  # type: ignore[arg-type]


def answered(evidence: Evidence, recipe: Recipe = RECIPE) -> dict[str, Answer]:
    return {one.claim: one for one in answers(recipe, evidence, verdicts(recipe, evidence))}


def both(arm: str, ends: Ends, *hows: str) -> dict[str, Ends]:
    return {f"{arm} {how}": ends for how in hows}


RELATIVE_NEAR = {"rotary plain": (0.1, 0.4), "alibi plain": (0.1, 0.4), "rotary tuned": (0.1, 0.4)}
OPPOSITE = World(
    near={**RELATIVE_NEAR, "none plain": (0.1, 1.0)},
    far={"rotary plain": (1.5, 1.6), "alibi plain": (1.5, 1.6), "rotary tuned": (1.5, 1.6)},
    text={**both("rotary", (1.8, 3.0), "plain", "ntk"), "alibi plain": (1.8, 2.2), "rotary tuned": (1.8, 1.7)},
    rows=(1.8, 1.8, 1.8),
    share={"rotary": 80.0, "alibi": 78.0},
)


def test_the_reports_world_supports_the_report():
    found = judged(drawn(World(far={"rotary plain": (1.5, 0.2), "rotary tuned": (1.5, 0.1)})))
    assert {part: found[part].verdict for part in REPORT} == dict.fromkeys(REPORT, "supported")
    assert all(found[part].of == "report" for part in REPORT)
    assert found["no table"].verdict == "supported"


def test_the_opposite_world_refutes_what_it_can():
    found = judged(drawn(OPPOSITE))
    assert found["relative, near"].verdict == "refuted"
    assert found["unseen or rarely trained rows"].verdict == "refuted"
    assert found["syntax"].verdict == "refuted"
    assert found["NTK, near, text"].verdict == "refuted"
    assert found["none, near"].verdict == "refuted"
    assert found["interpolated and tuned, far"].verdict == "refuted"
    assert found["relative, far"].verdict == "inconclusive"  # nothing shows that far answers can be known at all
    assert "a net that was tuned on long texts knows far answers" in found["rotary, far"].next_step
    reaching = replace(OPPOSITE, far={**OPPOSITE.far, "rotary tuned": (1.5, 0.1)})
    assert judged(drawn(reaching))["relative, far"].verdict == "refuted"


def test_what_known_nets_do_is_judged_as_it_is():
    """As in trials: ALiBi near but not far, rotary neither, tuned both."""
    world = World(
        near={"rotary plain": (0.15, 0.41), "alibi plain": (0.085, 0.074), "rotary tuned": (0.145, 0.04)},
        far={"rotary plain": (1.71, 1.8), "alibi plain": (1.67, 1.9), "rotary tuned": (1.67, 0.09)},
        text={"rotary plain": (1.75, 3.4), "rotary ntk": (1.75, 3.3), "alibi plain": (1.7, 1.705), "rotary tuned": (1.89, 1.885)},
    )
    found = judged(drawn(world))
    assert found["ALiBi, near, registers"].verdict == found["ALiBi, near, text"].verdict == "supported"
    assert found["relative, near"].verdict == found["relative, far"].verdict == "refuted"
    assert found["registers tell"].verdict == found["interpolated and tuned, far"].verdict == "supported"
    assert found["ALiBi, far, text"].verdict == "inconclusive"  # the text has no headroom
    assert "gains from them" in found["ALiBi, far, text"].next_step
    assert answered(drawn(world))["T7"].answer == "partly"


WAYS: list[tuple[str, dict[str, object], dict[str, object]]] = [  # part, a world that supports it, one that refutes it
    ("repeated last row", {"text": {"absolute clamped": (1.8, 1.9)}}, {"text": {"absolute clamped": (1.8, 1.75)}}),
    ("interpolated rows", {"text": {"absolute interpolated": (1.8, 1.9)}}, {"text": {"absolute interpolated": (1.8, 1.75)}}),
    ("unseen rows", {"rows": (1.8, 1.8, 1.9)}, {"rows": (1.8, 1.9, 1.8)}),
    ("rarely trained rows", {"rows": (1.8, 1.9, 1.8)}, {"rows": (1.8, 1.8, 1.9)}),
    ("rotary, near, registers", {"near": {"rotary plain": (0.1, 0.1)}}, {"near": {"rotary plain": (0.1, 0.15)}}),
    ("ALiBi, near, registers", {"near": {"alibi plain": (0.1, 0.1)}}, {"near": {"alibi plain": (0.1, 0.15)}}),
    ("rotary, near, text", {"text": {"rotary plain": (1.8, 1.8)}}, {"text": {"rotary plain": (1.8, 1.9)}}),
    ("ALiBi, near, text", {"text": {"alibi plain": (1.8, 1.8)}}, {"text": {"alibi plain": (1.8, 1.9)}}),
    ("NTK, near, text", {"text": {"rotary ntk": (1.8, 1.8)}}, {"text": {"rotary ntk": (1.8, 1.9)}}),
    ("none, near", {"near": {"none plain": (0.1, 0.0)}}, {"near": {"none plain": (0.1, 0.1)}}),
    ("interpolated and tuned, near", {"near": {"rotary tuned": (0.2, 0.05)}}, {"near": {"rotary tuned": (0.05, 0.2)}}),
    ("rotary, far", {"far": {"rotary plain": (1.5, 0.8)}}, {"far": {"rotary plain": (1.5, 0.95)}}),
    ("ALiBi, far", {"far": {"alibi plain": (1.5, 0.8)}}, {"far": {"alibi plain": (1.5, 0.95)}}),
    ("interpolated and tuned, far", {"far": {"rotary tuned": (1.5, 0.8)}}, {"far": {"rotary tuned": (1.5, 0.95)}}),
    ("registers tell", {"far": {"rotary plain": (1.5, 0.8)}}, {"far": {"rotary plain": (1.5, 0.6)}}),
    (
        "ALiBi, far, text",
        {"text": {"alibi plain": (1.8, 1.7), "rotary tuned": (1.8, 1.7)}},
        {"text": {"alibi plain": (1.8, 1.8), "rotary tuned": (1.8, 1.7)}},
    ),
    ("rotary, syntax", {"share": {"rotary": 83.0}}, {"share": {"rotary": 80.0}}),
    ("ALiBi, syntax", {"share": {"alibi": 83.0}}, {"share": {"alibi": 80.0}}),
]


@pytest.mark.parametrize(("part", "yes", "no"), WAYS, ids=[part for part, _, _ in WAYS])
def test_each_part_is_decided_both_ways(part: str, yes: dict[str, object], no: dict[str, object]):
    assert outcome(World(**yes), part) == "supported"  # type: ignore[arg-type]
    assert outcome(World(**no), part) == "refuted"  # type: ignore[arg-type]
    wide = {"scatter": 0.5 if "syntax" not in part else 0.3}
    assert outcome(World(**yes, **wide), part) == "inconclusive"  # type: ignore[arg-type]


def test_every_statistical_part_is_among_them():
    found = judged(drawn(World()))
    assert {part for part, verdict in found.items() if verdict.claim == "T7" and verdict.kind == "statistical"} == {
        *STATISTICAL, *REPORT
    }  # fmt: skip
    assert {part for part, _, _ in WAYS} == set(STATISTICAL)


EDGES = (
    World(  # of what must rise, be known, or help
        text={
            "absolute clamped": (1.8, 1.82), "absolute interpolated": (1.8, 1.82), "alibi plain": (1.8, 1.78),
            "rotary tuned": (1.8, 1.7),
        },
        rows=(1.8, 1.82, 1.82),
        far={"rotary plain": (1.5, CHANCE - 0.5), "alibi plain": (1.5, CHANCE - 0.5), "rotary tuned": (1.5, CHANCE - 1)},
        share={"rotary": 81.0, "alibi": 81.0},
        near={"none plain": (0.1, 0.08)},
    ),
    World(  # of what must not rise
        near={"rotary plain": (0.1, 0.12), "alibi plain": (0.1, 0.12), "rotary tuned": (0.1, 0.12)},
        text={"rotary plain": (1.8, 1.82), "rotary ntk": (1.8, 1.82), "alibi plain": (1.8, 1.82)},
        far={"rotary tuned": (1.5, CHANCE - 0.5)},
    ),
)  # fmt: skip
ON_EDGE = (
    (
        *LEARNED,
        "rotary, far",
        "ALiBi, far",
        "registers tell",
        "ALiBi, far, text",
        "rotary, syntax",
        "ALiBi, syntax",
        "none, near",
    ),
    (*NEAR, "interpolated and tuned, near", "interpolated and tuned, far"),
)
DRAWS = 200
MOST = 0.025 + 3 * math.sqrt(0.025 * 0.975 / DRAWS)


@pytest.mark.parametrize("which", [0, 1])
def test_on_the_edge_wrong_verdicts_are_rare(which: int):
    """The true value is on the edge: neither verdict is right, and each comes in 2.5 % of runs at most."""
    small = replace(RECIPE, seeds=3)
    counts: Counter[tuple[str, str]] = Counter()
    for seed in range(DRAWS):
        found = judged(drawn(EDGES[which], seed, small), small)
        counts.update((part, found[part].verdict) for part in ON_EDGE[which])
    for part in ON_EDGE[which]:
        assert counts[part, "supported"] / DRAWS <= MOST, part
        assert counts[part, "refuted"] / DRAWS <= MOST, part


def test_together_the_edges_cover_every_part():
    assert {part for parts in ON_EDGE for part in parts} == set(STATISTICAL)


AT_CHANCE = {
    "near": {f"{arm} {how}": (CHANCE, CHANCE) for arm in READINGS for how in (*READINGS[arm], TUNED)},
    "text": {f"{arm} {how}": (2.9, 2.9) for arm in READINGS for how in (*READINGS[arm], TUNED)},
    "rows": (2.9, 2.9, 2.9),
    "loss": {3e-3: 2.9, 1e-2: 2.8, 3e-2: 2.9, 6e-2: 3.0},
}


@pytest.mark.parametrize("base", [World(), OPPOSITE], ids=["report", "opposite"])
def test_nets_at_chance_decide_nothing(base: World):
    found = judged(drawn(replace(base, **AT_CHANCE)))  # type: ignore[arg-type]
    for part in (*STATISTICAL, *REPORT):
        assert found[part].verdict == "inconclusive", part
    assert all("not trained" in found[part].next_step for part in STATISTICAL)
    sentence = answered(drawn(replace(base, **AT_CHANCE)))["T7"].sentence  # type: ignore[arg-type]
    assert sentence.startswith("On registers and on ")
    assert sentence.endswith("not all nets learned well enough to be compared.")


def test_one_net_short_of_its_fit_opens_what_compares_it():
    def spoil(job: Job, made: dict) -> dict:  # type: ignore[type-arg]
        if job.params["task"] == "recall" and job.params["arm"] == "alibi" and job.seed == 2:
            return {**made, "plain near": (0.41, *made["plain near"][1:])}
        return made

    found, usual = judged(drawn(World(), change=spoil)), judged(drawn(World()))
    assert {part for part in STATISTICAL if found[part].verdict != usual[part].verdict} == {
        "ALiBi, near, registers",
        "ALiBi, far",
    }
    assert "ALiBi on registers seed 2 (0.41 nats, needs 0.4 or less)" in found["ALiBi, far"].next_step


@pytest.mark.parametrize("task", ["recall", "read", "shift", "contrast", "answer", "memory"])
def test_a_job_without_result_is_named_and_decides_nothing(task: str):
    gone = next(job for job in jobs(RECIPE) if job.params["task"] == task and job.params.get("arm", "rotary") == "rotary")
    found = judged(drawn(World(), change=lambda job, made: None if job == gone else made))
    open_parts = [verdict for verdict in found.values() if verdict.verdict == "not measured"]
    assert open_parts
    assert any(gone.label() in verdict.next_step for verdict in open_parts)
    assert {verdict.verdict for verdict in judged(Evidence((), jobs(RECIPE))).values()} == {"not measured"}


@pytest.mark.parametrize("task", ["recall", "read", "shift", "contrast"])
def test_a_number_that_is_not_finite_decides_nothing(task: str):
    def spoil(job: Job, made: dict) -> dict:  # type: ignore[type-arg]
        if job.params["task"] != task or job.seed != 1:
            return made
        return {name: (math.nan,) * len(value) if isinstance(value, tuple) else math.nan for name, value in made.items()}

    found, usual = judged(drawn(World(), change=spoil)), judged(drawn(World()))
    changed = {part for part in STATISTICAL if found[part].verdict != usual[part].verdict}
    assert changed
    assert all(found[part].verdict in ("not measured", "inconclusive") for part in changed)
    assert all(found[part].verdict == usual[part].verdict for part in set(STATISTICAL) - changed)


def test_one_seed_decides_nothing():
    one = replace(RECIPE, seeds=2)
    first = [job for job in jobs(one) if job.seed == 0]
    evidence = drawn(World(), recipe=one)
    kept = Evidence(tuple(result for result in evidence.results if result.seed == 0))
    assert len(kept.results) == len(first)
    found = judged(kept, one)
    assert all(found[part].verdict in ("inconclusive", "not measured") for part in STATISTICAL)


def test_seeds_that_do_not_differ_decide_nothing():
    found = judged(drawn(World(scatter=0.0)))
    assert {found[part].verdict for part in STATISTICAL} == {"inconclusive"}


FAULTS: dict[str, tuple[World, str]] = {  # a broken measurement -> a part that it must not decide, though its numbers would
    "far answers leak into the window": (World(far={"alibi plain": (CHANCE - 0.1, 0.2)}), "ALiBi, far"),
    "no net reaches": (World(far={"rotary tuned": (1.5, 1.0)}), "ALiBi, far"),
    "a rise is not seen on registers": (World(near={"absolute clamped": (0.1, 0.1)}), "rotary, near, registers"),
    "a rise is not seen on the text": (World(text={"absolute clamped": (1.8, 1.8)}), "ALiBi, near, text"),
    "pairs without syntax": (World(share={"absolute": 50.0, "rotary": 55.0, "alibi": 55.0}), "rotary, syntax"),
    "pairs that are too easy": (World(share={"absolute": 98.5, "rotary": 100.0, "alibi": 100.0}), "ALiBi, syntax"),
    "the best learning rate is the lowest": (World(loss={3e-3: 1.0, 1e-2: 1.1, 3e-2: 1.4, 6e-2: 1.5}), "rotary, syntax"),
    "the best learning rate is the highest": (World(loss={3e-3: 1.4, 1e-2: 1.1, 3e-2: 1.05, 6e-2: 1.0}), "rotary, syntax"),
    "a text without headroom": (World(text={"alibi plain": (1.8, 1.7), "rotary tuned": (1.8, 1.79)}), "ALiBi, far, text"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_faults_are_caught(fault: str):
    world, part = FAULTS[fault]
    assert outcome(world, part) == "inconclusive"


def spoiled(task: str, name: str, value: float | tuple[float, ...]) -> Evidence:
    return drawn(World(), change=lambda job, made: {**made, name: value} if job.params["task"] == task else made)


@pytest.mark.parametrize(
    ("task", "name", "value", "part", "verdict"),
    [
        ("answer", "absolute answers", (1.0, 1.0, 1.0, 0.0, 0.0, 0.0), "the table ends", "refuted"),
        ("answer", "absolute answers", (1.0, 0.0, 0.0, 0.0, 0.0, 0.0), "the table ends", "inconclusive"),
        ("answer", "rotary answers", (1.0, 1.0, 0.0, 0.0, 0.0, 0.0), "the table ends", "inconclusive"),
        ("memory", "rotary stored", 100_000, "no table", "refuted"),
        ("memory", "t5 stored", 78_000, "no table", "supported"),
        ("memory", "absolute stored", 0, "no table", "inconclusive"),
        ("memory", "alibi stored", math.nan, "no table", "not measured"),
        ("memory", "model", 1e7, "share in GPT-2", "refuted"),
        ("memory", "model", math.nan, "share in GPT-2", "not measured"),
        ("memory", "rotary computed", 4e6, "rotary's table", "refuted"),
        ("memory", "rotary computed", 0, "rotary's table", "inconclusive"),
        ("memory", "alibi computed", 1e6, "the bias", "refuted"),
    ],
)
def test_what_is_counted(task: str, name: str, value: float | tuple[float, ...], part: str, verdict: str):
    assert judged(spoiled(task, name, value))[part].verdict == verdict


def test_a_bias_smaller_than_the_table_would_be_supported():
    def small(job: Job, made: dict) -> dict:  # type: ignore[type-arg]
        return {**made, "alibi computed": 1e6, "t5 computed": 1e6} if job.params["task"] == "memory" else made

    assert judged(drawn(World(), change=small))["the bias"].verdict == "supported"


@pytest.mark.parametrize("preset", PRESETS)
def test_parts_are_those_of_the_claims_and_quote_the_report(preset: str):
    recipe = PRESETS[preset]
    found = verdicts(recipe, Evidence((), tuple(planned_jobs("length", recipe))))
    assert {(verdict.claim, verdict.part) for verdict in found} == {(claim.id, part) for claim in CLAIMS for part in claim.parts}
    assert all((verdict.of == "report") == bool(verdict.quote) for verdict in found)
    for claim in ("T7", "T8"):
        assert {verdict.quote for verdict in found if verdict.claim == claim and verdict.quote} == set(catalog()[claim].quotes)
    assert {verdict.part for verdict in found if verdict.of == "report"} == set(QUOTES)


def test_on_a_text_of_the_users_own_its_parts_are_extensions(tmp_path):
    path = tmp_path / "book.txt"
    path.write_text("once upon a time ")
    recipe = replace(RECIPE, corpus=str(path))
    evidence = drawn(World(), recipe=recipe)
    found = judged(evidence, recipe)
    assert all(found[part].of == "extension" and not found[part].quote for part in OF_TEXT)
    assert found["syntax"].of == "report"
    made = answered(evidence, recipe)
    assert made["T7"].beyond == "on your text (book.txt): does not judge the report's statement"
    assert made["T7"].answer == "supported"
    assert not made["T8"].beyond


def test_the_answers_are_made_of_numbers():
    made = answered(drawn(World()))
    assert (made["T7"].figure, made["T8"].figure) == ("registers", "memory")
    assert (
        "answers that stand in the last 64 tokens changes by +0.00 nats with rotary positions, by +0.00 with ALiBi and by +1.40"
        in made["T7"].sentence
    )
    assert "is recalled with rotary positions (0.20) and ALiBi (0.20) and rotary" in made["T7"].sentence
    shy = answered(drawn(World(far={"rotary plain": (1.5, 1.7), "alibi plain": (1.5, 1.9)})))["T7"].sentence
    assert "is recalled with rotary positions interpolated and trained a little on long texts (0.20), not recalled with " in shy
    assert "not recalled with rotary positions (1.70) or ALiBi (1.90): guessing has a loss of 1.39." in shy
    assert "90 % of pairs with rotary positions" in made["T7"].sentence
    assert "786,432 numbers (3.1 MB), 0.62 % of its parameters" in made["T8"].sentence
    assert answered(Evidence((), jobs(RECIPE)))["T7"].answer == "not measured"


def test_where_registers_were_not_learned_the_text_is_the_figure():
    unlearned = World(near={f"{arm} {how}": (CHANCE, CHANCE) for arm in READINGS for how in READINGS[arm]})
    evidence = drawn(unlearned)
    made = answered(evidence)["T7"]
    assert made.figure == figures(RECIPE, evidence)[0].name == "text"
    assert "the same characters of generated tales changes by −0.05 nats" in made.sentence
    assert "guessing" not in made.sentence
    assert made.sentence.endswith("On registers, not all nets learned well enough to be compared.")
    assert figures(RECIPE, drawn(World()))[0].name == "registers"


@pytest.mark.parametrize("kept", [0, 1, 9, 40, 999])
def test_figures_and_answers_are_made_of_whatever_there_is(kept: int):
    evidence = drawn(World())
    some = Evidence(evidence.results[:kept], tuple(jobs(RECIPE)[kept:]))
    assert_drawn(figures(RECIPE, some))
    answers(RECIPE, some, verdicts(RECIPE, some))


def test_models_are_drawn_each_with_its_own_scale():
    memory = figures(RECIPE, drawn(World()))[-1]
    assert {row[0] for row in memory.rows} == set(MODELS)
    assert memory.spec is not None
    assert memory.spec["resolve"] == {"scale": {"x": "independent"}}
