"""What attention costs: verdicts of made-up measurements whose truth is known, on both sides and on the edge."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cache

import numpy as np
import pytest
from support.figures import assert_drawn
from support.results import evidence_of

from erlangen.experiments import planned_jobs
from erlangen.experiments.attention_cost import CLAIMS, HELD, QUOTES, Recipe
from erlangen.experiments.attention_cost.figures import figures
from erlangen.experiments.attention_cost.judge import answers, verdicts
from erlangen.experiments.attention_cost.length_parts import follows, same_rates
from erlangen.experiments.attention_cost.tasks import Count, Equal, Kernel, Memory, Pieces, Time, Windows
from erlangen.experiments.kit.evidence import Evidence
from erlangen.experiments.kit.tasks import read_task, task_name
from erlangen.records.runs import Job, Measurement, Verdict

RECIPE = Recipe(lengths=(1024, 2048, 4096, 8192), widths=(32, 64, 128), windows=(64, 128, 256))
ONE = replace(RECIPE, seeds=1)
DRAWS = 200
Values = dict[str, float | tuple[float, ...]]
CENTER = 4096.0  # the geometric mean of the lengths that are judged

TIMES = {"naive forward": 2.0, "naive": 2.0, "fused forward": 2.0, "fused": 2.0, "local": 1.0}
MEMORY = {"naive": 3.0, "fused": 0.0, "local": 0.0, "masked": 4.0, "alibi": 5.0, "dropout": 6.0}  # n × n matrices
STATISTICAL = {
    "time, naive, forward", "time, naive", "time, fused, forward", "time, fused", "time, width", "time, length", "time, window",
    "saves time", "tiling, time", "recomputation, time", "reads and writes", "exponentials",
}  # fmt: skip


@dataclass(frozen=True)
class World:
    """exponents: of the times over the length. width, window: exponents over d and w. ratio, again: fused time over naive, of
    both passes and of the backward pass. share: of reads and writes, in percent; softmax: of the arithmetic. scatter: from seed
    to seed, of exponents and of logarithms. matrices: that each form holds. apart: whether the fused forward pass has its own
    exponent instead of what the two ratios leave. edit: what to do to the measurements of a job.
    """

    exponents: dict[str, float] = field(default_factory=dict)
    width: float = 0.6
    window: float = 0.9
    ratio: float = 0.6
    again: float = 0.6
    share: float = 70.0
    softmax: float = 30.0
    copy: float = 90.0
    scatter: float = 0.02
    matrices: dict[str, float] = field(default_factory=dict)
    apart: bool = False
    edit: Callable[[Job, Values], Values | None] = lambda job, values: values

    def evidence(self, recipe: Recipe = RECIPE, draw: int = 0) -> Evidence:
        return evidence_of(planned_jobs("attention-cost", recipe), lambda job: self.measure(job, draw))

    def measure(self, job: Job, draw: int) -> list[Measurement] | None:
        kinds: dict[str, Callable[..., Values]] = {
            "count": self.count, "kernel": self.kernel, "equal": self.equal, "time": self.time, "windows": self.windows,
            "memory": self.memory, "pieces": self.pieces,
        }  # fmt: skip
        noise = np.random.default_rng([draw, job.seed])  # one draw for all processes of a seed
        values = self.edit(job, kinds[str(job.params["task"])](job, noise))
        return None if values is None else [Measurement(name, value) for name, value in values.items()]

    def count(self, job: Job, noise: np.random.Generator) -> Values:
        task = read_task(Count, job)
        forward, both = {"scores": (1, 3), "naive": (2, 6), "fused": (2, 7), "local": (4, 12)}[task.form]
        rows = []
        for n, d, w in task.shapes():
            again = task.form == "local" and 2 * n * w > 2**21
            rows.append([per * n * (w if task.form == "local" else n) * d for per in (forward, both + 4 * again)])
        return {
            name: tuple(map(float, column)) for name, column in zip(("forward", "both"), zip(*rows, strict=True), strict=True)
        }

    def kernel(self, job: Job, noise: np.random.Generator) -> Values:
        task = read_task(Kernel, job)
        values = {"forward": tuple(2.0 * n * n for n in task.lengths), "both": tuple(7.0 * n * n for n in task.lengths)}
        return {**values, **{f"{name} logged": value for name, value in values.items()}}

    def equal(self, job: Job, noise: np.random.Generator) -> Values:
        cases = read_task(Equal, job).cases()
        return {"compared": len(cases), "different": 0, "seen": sum(length > 1 for length, _ in cases)}

    def time(self, job: Job, noise: np.random.Generator) -> Values:
        task, s = read_task(Time, job), self.scatter
        wander = {name: value + s * noise.normal() for name, value in {**TIMES, **self.exponents}.items()}
        ratio, again = (value * math.exp(s * noise.normal()) for value in (self.ratio, self.again))
        found: Values = {}
        for form in task.forms:
            columns = [clock(form, n / CENTER, wander, ratio, again, self.apart) for n in task.lengths]
            for at, name in enumerate(("forward", "both")):
                found[f"{form} {name} seconds"] = tuple(column[at] for column in columns)
                found[f"{form} {name} faults"] = tuple(0.0 if task.kept else 5000.0 for _ in columns)
        return found

    def windows(self, job: Job, noise: np.random.Generator) -> Values:
        slope = self.window + self.scatter * noise.normal()
        sizes = read_task(Windows, job).windows
        return {"seconds": tuple(1e-3 * w**slope for w in sizes), "faults": tuple(0.0 for _ in sizes)}

    def memory(self, job: Job, noise: np.random.Generator) -> Values:
        task = read_task(Memory, job)
        found: Values = {}
        for form in task.forms:
            count = {**MEMORY, **self.matrices}[form]
            found[f"{form} both memory"] = tuple(count * n * n * 4 / 2**20 + n * 1e-3 for n in task.lengths)
            found[f"{form} stored"] = tuple(float(257 * n + n * n * (form != "fused")) for n in task.lengths)
            found[f"{form} foretold"] = tuple(float(MEMORY[form] > 0) for _ in task.lengths)
        return found

    def pieces(self, job: Job, noise: np.random.Generator) -> Values:
        widths, s = read_task(Pieces, job).features, self.scatter
        share, softmax, slope = (
            value + scale * s * noise.normal() for value, scale in ((self.share, 50), (self.softmax, 50), (self.width, 1))
        )
        whole = [0.01 * (width / 64) ** slope for width in widths]
        tiled = [seconds * (1 - share / 100) for seconds in whole]
        found: Values = {"copy peak": 1e10, "product peak": 5e10}
        parts = {"softmax": softmax / 100, "scores": (1 - softmax / 100) / 2, "values": (1 - softmax / 100) / 2}
        for name, part in parts.items():
            found[f"{name} whole"] = tuple(part * seconds for seconds in whole)
            found[f"{name} tiled"] = tuple(part * seconds for seconds in tiled)
        return {**found, "copy whole": tuple(1.0 for _ in widths), "copy tiled": tuple(1 - self.copy / 100 for _ in widths)}


def clock(form: str, n: float, exponents: dict[str, float], ratio: float, again: float, apart: bool) -> tuple[float, float]:
    """Seconds of forward, and of both, at n times CENTER tokens: those of the fused form from the two ratios."""
    naive = (n ** exponents["naive forward"], 3 * n ** exponents["naive"])
    if form == "naive":
        return naive
    if form == "local":
        return 0.01 * n ** exponents["local"], 0.03 * n ** exponents["local"]
    both = ratio * 3 * n ** exponents["fused"]
    return (0.1 * n ** exponents["fused forward"] if apart else both - again * (naive[1] - naive[0])), both


def judged(world: World, recipe: Recipe = RECIPE, draw: int = 0) -> dict[str, Verdict]:
    return {verdict.part: verdict for verdict in verdicts(recipe, world.evidence(recipe, draw))}


def outcomes(world: World, recipe: Recipe = RECIPE, draw: int = 0) -> dict[str, str]:
    return {part: verdict.verdict for part, verdict in judged(world, recipe, draw).items()}


def changed(task: str, values: Callable[[Job, Values], Values], **only: object) -> World:
    """The usual world, with the measurements of some jobs replaced."""

    def edit(job: Job, found: Values) -> Values | None:
        chosen = job.params["task"] == task and all(job.params[name] == value for name, value in only.items())
        return {**found, **values(job, found)} if chosen else found

    return World(edit=edit)


def numbers(found: Values, name: str) -> tuple[float, ...]:
    value = found[name]
    assert isinstance(value, tuple)
    return value


def test_costs_as_claimed_support_all_but_what_is_false():
    found = judged(World())
    refuted = {"exponential", "exponentials"}
    assert {part: verdict.verdict for part, verdict in found.items()} == {
        part: "refuted" if part in refuted else "supported" for claim in CLAIMS for part in claim.parts
    }
    assert {part for part, verdict in found.items() if verdict.of == "report"} == set(QUOTES)
    assert {part for part, verdict in found.items() if verdict.of == "control"} == {
        "page faults",
        "memory, as foretold",
        "formula",
    }
    assert {part for part, verdict in found.items() if verdict.kind == "statistical"} == STATISTICAL


def world_with(part: str, value: float) -> World:
    """The world in which the truth of a part is this value."""
    exponents = {
        "time, naive, forward": "naive forward", "time, naive": "naive", "time, fused, forward": "fused forward",
        "time, fused": "fused", "time, length": "local",
    }  # fmt: skip
    if part in exponents:
        return World(exponents={exponents[part]: value}, ratio=0.7, apart=True)
    names = {
        "time, width": "width", "time, window": "window", "saves time": "ratio", "tiling, time": "share",
        "reads and writes": "share", "recomputation, time": "again", "exponentials": "softmax",
    }  # fmt: skip
    both = {"ratio": value} if part == "recomputation, time" else {}
    return World(**{names[part]: value, **both})  # type: ignore[arg-type]


QUADRATIC = (2.0, 2.5, (1.8, 2.2))
TRUTHS: dict[str, tuple[float, float, tuple[float, ...]]] = {  # a value that supports, one that refutes, the edges
    "time, naive, forward": QUADRATIC, "time, naive": QUADRATIC, "time, fused, forward": QUADRATIC, "time, fused": QUADRATIC,
    "time, length": (1.0, 1.6, (1.2,)), "time, window": (0.8, 1.6, (1.2,)), "time, width": (0.5, 1.2, (0.9,)),
    "saves time": (0.5, 1.2, (0.9,)), "recomputation, time": (0.5, 1.2, (0.9,)), "tiling, time": (40.0, 2.0, (10.0,)),
    "reads and writes": (70.0, 30.0, (50.0,)), "exponentials": (70.0, 30.0, (50.0,)),
}  # fmt: skip


@pytest.mark.parametrize("part", sorted(STATISTICAL))
def test_a_clear_truth_is_found_on_both_sides(part: str):
    supports, refutes, _ = TRUTHS[part]
    assert outcomes(world_with(part, supports))[part] == "supported"
    found = judged(world_with(part, refutes))[part]
    assert found.verdict == "refuted"
    assert found.corrected


EDGES = [(part, edge) for part in sorted(STATISTICAL) for edge in TRUTHS[part][2]]
TOGETHER = [  # worlds in which several parts lie on an edge at once, so that each is drawn DRAWS times for one judging
    World(exponents={"naive forward": 1.8, "naive": 1.8, "fused": 1.8, "local": 1.2}, window=1.2, width=0.9),
    World(exponents={"naive forward": 2.2, "naive": 2.2, "fused": 2.2}, ratio=0.9, again=0.9, share=10.0, softmax=50.0),
    World(share=50.0, ratio=0.9, again=0.9),
]  # fmt: skip
ON_EDGE = [
    {"time, naive, forward", "time, naive", "time, fused", "time, length", "time, window", "time, width"},
    {"time, naive, forward", "time, naive", "time, fused", "saves time", "tiling, time", "exponentials"},
    {"reads and writes", "saves time", "recomputation, time"},
]


@pytest.mark.parametrize("at", range(len(TOGETHER)))
def test_on_the_edge_no_verdict_is_reached_but_by_chance(at: int, monkeypatch: pytest.MonkeyPatch):
    """Each part: wrongly supported, or wrongly refuted, in 2.5 % of draws at most, and 2.6 standard errors of so many draws."""
    monkeypatch.setattr("erlangen.experiments.kit.evidence.task_name", cache(task_name))
    few = replace(RECIPE, apart_from=10_000)  # fewer jobs for the same numbers
    worlds = replace(TOGETHER[at], scatter=0.1)
    found = [outcomes(worlds, few, draw) for draw in range(1, DRAWS + 1)]
    bound = 0.025 + 2.6 * math.sqrt(0.025 * 0.975 / DRAWS)
    for part in ON_EDGE[at]:
        for wrong in ("supported", "refuted"):
            assert sum(one[part] == wrong for one in found) / DRAWS <= bound, (part, wrong)


def test_every_edge_is_drawn():
    drawn = set().union(*ON_EDGE)
    assert drawn | {"time, fused, forward"} == STATISTICAL  # which is the rule of the three beside it


@pytest.mark.parametrize("value", [math.nan, 0.0, -1.0])
def test_times_that_are_no_times_decide_nothing(value: float):
    def broken(job: Job, found: Values) -> Values | None:
        if job.params["task"] in ("time", "windows", "pieces"):
            return {
                name: tuple(value for _ in numbers(found, name)) if isinstance(found[name], tuple) else value for name in found
            }
        return found

    found = outcomes(World(edit=broken))
    assert {found[part] for part in STATISTICAL} <= {"not measured", "inconclusive"}


def test_one_seed_no_spread_and_missing_jobs_decide_nothing():
    for world, recipe in ((World(), ONE), (World(scatter=0.0), RECIPE)):
        found = outcomes(world, recipe)
        assert {found[part] for part in STATISTICAL} == {"inconclusive"}, recipe.seeds
    lost = World(edit=lambda job, values: None if job.seed == 2 else values)
    found = outcomes(lost)
    assert {found[part] for part in STATISTICAL} == {"not measured"}
    assert set(outcomes(World(edit=lambda job, values: None)).values()) == {"not measured"}
    assert {verdict.verdict for verdict in verdicts(RECIPE, Evidence(()))} == {"not measured"}


@pytest.mark.parametrize(
    ("task", "parts"),
    [
        ("count", {"products, length", "products, width", "exponential", "products, whole layer", "products"}),
        ("memory", {"saves memory", "memory, local", "memory, as foretold", "dropout", "recomputes instead of storing"}),
        ("equal", {"equal to the mask"}),
        ("kernel", {"formula", "recomputes instead of storing"}),
    ],
)
def test_what_was_not_counted_is_not_decided(task: str, parts: set[str]):
    for edit in (
        lambda job, values: None if job.params["task"] == task else values,
        lambda job, values: {name: nan_of(value) for name, value in values.items()} if job.params["task"] == task else values,
    ):
        found = outcomes(World(edit=edit))
        assert {found[part] for part in parts} <= {"not measured", "inconclusive"} | (
            {"supported"} if task == "kernel" else set()
        )
        assert all(found[part] == "supported" for part in {"time, naive", "reads and writes"})


def nan_of(value: float | tuple[float, ...]) -> float | tuple[float, ...]:
    return tuple(math.nan for _ in value) if isinstance(value, tuple) else math.nan


def power(name: str, exponent: float, **only: object) -> World:
    """Counts of a form that grow with another exponent."""

    def values(job: Job, found: Values) -> Values:
        sizes = job.params["sizes"]
        return {name: tuple(float(1000 * int(size**exponent)) for size in sizes)}  # type: ignore[union-attr,operator]

    return changed("count", values, **only)


def exponential(job: Job) -> Values:
    """Counts that double every 512 tokens."""
    sizes = [float(size) for size in job.params["sizes"]]  # type: ignore[union-attr,arg-type]
    return {"forward": tuple(2 ** (n / 512) for n in sizes), "both": tuple(3 * 2 ** (n / 512) for n in sizes)}


def squares(job: Job, times: int) -> tuple[float, ...]:
    """Counts that grow with the square of the size."""
    return tuple(float(times * size**2) for size in job.params["sizes"])  # type: ignore[union-attr,operator,misc]


def faulting(form: str) -> World:
    """Both passes of a form fault pages while the clock runs."""

    def edit(job: Job, found: Values) -> Values:
        name = f"{form} both faults"
        return {**found, name: tuple(5000.0 for _ in numbers(found, name))} if name in found else found

    return World(edit=edit)


FAULTS: dict[str, tuple[World, str, str]] = {
    # what is broken -> (world, part, verdict)
    "QKᵀ has no backward pass": (
        changed("count", lambda job, v: {"both": numbers(v, "forward")}, form="scores"), "products, length", "refuted",
    ),
    "QKᵀ grows as n³": (power("forward", 3, form="scores", over="length"), "products, length", "refuted"),
    "QKᵀ grows as d²": (power("forward", 2, form="scores", over="features"), "products, width", "refuted"),
    "one multiply-add too many": (
        changed("count", lambda job, v: {"forward": (*numbers(v, "forward")[:-1], numbers(v, "forward")[-1] + 1)}, form="scores"),
        "products, length", "refuted",
    ),
    "fused attention is counted as causal": (
        changed("count", lambda job, v: {"both": tuple(x / 2 + 64 for x in numbers(v, "both"))}, form="fused"),
        "products, whole layer", "refuted",
    ),
    "the kernel counts 0": (
        changed("count", lambda job, v: {"forward": (0.0,) * 4, "both": (0.0,) * 4}, form="fused"),
        "products, whole layer", "refuted",
    ),
    "the cost grows exponentially": (
        World(edit=lambda job, v: exponential(job) if job.params["task"] == "count" and job.params["over"] == "length" else v),
        "exponential", "supported",
    ),
    "the local form computes all pairs": (power("forward", 2, form="local", over="length"), "products", "refuted"),
    "the local form computes w² pairs": (power("both", 2, form="local", over="window"), "products", "refuted"),
    "the local form computes 3w keys": (
        changed("count", lambda job, v: {"both": tuple(1.5 * x for x in numbers(v, "both"))}, form="local"),
        "products", "refuted",
    ),
    "the counter counts all forms alike": (
        changed("count", lambda job, v: {"forward": squares(job, 4), "both": squares(job, 12)}, form="local"),
        "products, length", "inconclusive",
    ),
    "the naive form is linear, too": (power("forward", 1, form="naive", over="length"), "products, whole layer", "refuted"),
    "a window off by one": (changed("equal", lambda job, v: {"different": 1.0}), "equal to the mask", "refuted"),
    "a window off by one is not seen": (changed("equal", lambda job, v: {"seen": 3.0}), "equal to the mask", "inconclusive"),
    "the local form holds a matrix": (World(matrices={"local": 1.0}), "memory, local", "refuted"),
    "and the lab does not know": (World(matrices={"local": 1.0}), "memory, as foretold", "refuted"),
    "memory cannot be seen": (World(matrices=dict.fromkeys(HELD, 0.0)), "memory, local", "inconclusive"),
    "a mask that holds nothing": (World(matrices={"masked": 0.0}), "memory, window as a mask", "refuted"),
    "ALiBi that holds nothing": (World(matrices={"alibi": 0.0}), "memory, ALiBi as a mask", "refuted"),
    "memory of others is counted": (World(matrices=dict.fromkeys(HELD, 2.0)), "memory, window as a mask", "inconclusive"),
    "fused attention holds as much": (World(matrices={"fused": 3.0}), "saves memory", "refuted"),
    "naive attention holds nothing": (World(matrices={"naive": 0.0}), "saves memory", "inconclusive"),
    "dropout is fused": (World(matrices={"dropout": 0.0}), "dropout", "refuted"),
    "a fused kernel ran with dropout": (
        changed("memory", lambda job, v: {"dropout ran _scaled_dot_product_flash_attention_for_cpu": 2.0}), "dropout", "refuted",
    ),
    "nothing is computed again": (
        changed("count", lambda job, v: {"both": tuple(3 * x for x in numbers(v, "forward"))}, form="fused"),
        "recomputes instead of storing", "refuted",
    ),
    "weights are stored after all": (
        changed("memory", lambda job, v: {"fused stored": tuple(float(n * n) for n in job.params["lengths"])}),  # type: ignore[union-attr,operator,misc]
        "recomputes instead of storing", "refuted",
    ),
    "storage cannot be seen": (
        changed("memory", lambda job, v: {"naive stored": tuple(1.0 for _ in job.params["lengths"])}),  # type: ignore[union-attr]
        "recomputes instead of storing", "inconclusive",
    ),
    "the log says otherwise": (
        changed("kernel", lambda job, v: {"both logged": numbers(v, "forward")}), "recomputes instead of storing", "inconclusive",
    ),
    "the formula is wrong": (changed("kernel", lambda job, v: {"both": numbers(v, "forward")}), "formula", "refuted"),
    "a copy is not seen to be bound by memory": (World(copy=20.0), "reads and writes", "inconclusive"),
    "nor for tiles": (World(copy=20.0), "tiling, time", "inconclusive"),
    "pages are returned while the clock runs": (faulting("naive"), "time, naive", "inconclusive"),
    "faults of fused attention": (faulting("fused"), "saves time", "inconclusive"),
    "faults of the local form": (faulting("local"), "time, length", "inconclusive"),
    "faults are not counted": (
        changed("time", lambda job, v: {"naive both faults": (0.0, 0.0)}, kept=False), "page faults", "refuted",
    ),
}  # fmt: skip


@cache
def usual_world() -> dict[str, Verdict]:
    return judged(World())


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_turns_a_verdict_or_a_control(fault: str):
    world, part, expected = FAULTS[fault]
    usual, found = usual_world(), judged(world)
    assert found[part].verdict == expected != usual[part].verdict
    if expected == "inconclusive":
        assert "check failed" in found[part].next_step


def test_a_process_for_each_length_or_one_for_all_gives_the_same_verdicts():
    together = judged(World(), replace(RECIPE, apart_from=10_000))
    assert {part: verdict.effect for part, verdict in together.items()} == pytest.approx(
        {part: verdict.effect for part, verdict in usual_world().items()}, abs=1e-9
    )
    assert planned_jobs("attention-cost", replace(RECIPE, apart_from=10_000)) != planned_jobs("attention-cost", RECIPE)


def test_the_backward_pass_is_judged_without_the_forward_pass():
    found = outcomes(World(ratio=0.85, again=1.2))
    assert (found["saves time"], found["recomputation, time"]) == ("supported", "refuted")


def test_short_texts_do_not_enter_the_exponents():
    def slow(job: Job, found: Values) -> Values:
        short = job.params.get("lengths") == (1024,) and job.params["task"] == "time"
        return {name: (50.0,) if short and "seconds" in name else value for name, value in found.items()}

    found = judged(World(edit=slow))
    for part in ("time, naive", "time, fused", "time, length", "saves time"):
        assert found[part].effect == pytest.approx(usual_world()[part].effect)


def test_the_rule_of_counts_is_exact():
    assert follows(128, 256, 5.0, 20.0, 2)
    assert not follows(128, 256, 5.0, 21.0, 2)
    assert follows(3, 5, 9e18, 25e18, 2)
    assert not follows(128, 256, math.nan, 20.0, 2)
    assert not follows(128, 256, 0.0, 0.0, 2)


def test_exponential_growth_would_be_recognized():
    sizes = (128, 256, 512, 1024, 2048)
    assert same_rates(sizes, [1.003**n for n in sizes]) == [True] * 3
    assert same_rates(sizes, [float(n) ** 2 for n in sizes]) == [False] * 3
    assert same_rates(sizes, [float(n) ** 9 for n in sizes]) == [False] * 3
    assert same_rates(sizes, [1.0, math.nan, 2.0, 3.0, 4.0]) == []


def test_a_matrix_library_without_a_log_leaves_the_formula_open_and_its_part_decided():
    world = changed("kernel", lambda job, v: {f"{name} logged": (math.nan,) * 4 for name in ("forward", "both")})
    found = outcomes(world)
    assert found["formula"] == "not measured"
    assert found["recomputes instead of storing"] == "supported"


def test_a_gpu_has_no_page_faults_to_check_and_is_named():
    evidence = World().evidence()
    on_gpu = Evidence(tuple(replace(one, device="cuda" if one.params["task"] != "kernel" else "cpu") for one in evidence.results))
    found = {verdict.part: verdict for verdict in verdicts(RECIPE, on_gpu)}
    assert found["time, naive"].verdict == "supported"
    assert "this GPU" in (found["exponentials"].corrected or "")
    assert all("this GPU" in answer.sentence for answer in answers(RECIPE, on_gpu, list(found.values())))
    one = next(result for result in faulting("naive").evidence().results if "naive" in str(result.params.get("forms")))
    assert one.values("naive both faults")[-1] == 5000


def test_clocks_do_not_decide_the_first_two_claims():
    slow = World(exponents=dict.fromkeys(TIMES, 3.0), window=3.0, width=2.0)
    evidence = slow.evidence()
    found = {answer.claim: answer.answer for answer in answers(RECIPE, evidence, verdicts(RECIPE, evidence))}
    assert (found["T1"], found["T2"]) == ("partly", "supported")


def test_answers_say_what_was_measured():
    evidence = World().evidence()
    length, window, flash = answers(RECIPE, evidence, verdicts(RECIPE, evidence))
    assert (length.answer, window.answer, flash.answer) == ("partly", "supported", "supported")
    assert "quadratic, not exponential" in length.sentence
    assert "linear in n and in w" in window.sentence
    assert "70 % of naive attention's forward pass" in flash.sentence
    assert "they take longer than arithmetic" in flash.sentence
    bound = World(share=30.0).evidence()
    flash = answers(RECIPE, bound, verdicts(RECIPE, bound))[2]
    assert flash.answer == "partly"
    assert "arithmetic takes longer" in flash.sentence


@pytest.mark.parametrize("kept", [0, 5, 40, 80])
def test_answers_and_figures_are_made_of_whatever_there_is(kept: int):
    evidence = Evidence(World().evidence().results[:kept])
    found = verdicts(RECIPE, evidence)
    assert len(answers(RECIPE, evidence, found)) == 3
    assert_drawn(figures(RECIPE, evidence))
