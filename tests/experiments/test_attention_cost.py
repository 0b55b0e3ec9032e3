"""What attention costs: the forms against plainer programs, counts against hand counts, and measures that can fail."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from support.figures import assert_drawn
from support.results import evidence_of

from erlangen.experiments import planned_jobs
from erlangen.experiments.attention_cost import HELD, PRESETS, Recipe, equality, jobs, pieces
from erlangen.experiments.attention_cost.counts import count, kernel
from erlangen.experiments.attention_cost.equality import equal
from erlangen.experiments.attention_cost.figures import figures
from erlangen.experiments.attention_cost.forms import attention, draw, passes
from erlangen.experiments.attention_cost.held import foretold, memory, numbers_stored
from erlangen.experiments.attention_cost.judge import answers, verdicts
from erlangen.experiments.attention_cost.run import run
from erlangen.experiments.attention_cost.tasks import Count, Equal, Form, Kernel, Memory, Pieces, Time
from erlangen.nn import banded
from erlangen.records.runs import Job, JobResult, Measurement
from erlangen.sweep.plan import expected_seconds

JOB = Job(params={})
TINY = Recipe(
    seeds=2, lengths=(32, 64, 128), apart_from=128, settled=64, features=16, widths=(8, 16, 32), window=16, windows=(8, 16, 32),
    pieces=64, budget=0.0,
)  # fmt: skip


def measured(found: list[Measurement]) -> JobResult:
    return JobResult(key="", experiment="", params={}, seed=0, precision="float32", device="cpu", measurements=tuple(found))


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Peaks of small copies and products: a test needs none of 256 MiB."""
    monkeypatch.setattr(pieces, "COPIED", 2**10)
    monkeypatch.setattr(pieces, "SQUARE", 32)
    monkeypatch.setattr("erlangen.experiments.attention_cost.allocator.RESERVED", 2**20)


def outcome(form: Form, length: int, window: int) -> list[torch.Tensor]:
    """The output and the gradients of a form."""
    (q, k, v), out = (
        [x.double().detach().requires_grad_() for x in part] for part in (draw(length, 8, JOB)[0], [draw(1, 8, JOB)[1]])
    )
    y = attention(form, length, window, q)(q, k, v)
    return [y.detach(), *torch.autograd.grad(y, (q, k, v), out[0].detach().expand_as(y))]


@pytest.mark.parametrize(("left", "right"), [("naive", "fused"), ("local", "masked")])
@pytest.mark.parametrize("length", [9, 33])
def test_what_is_compared_computes_the_same(left: Form, right: Form, length: int):
    for mine, theirs in zip(outcome(left, length, 5), outcome(right, length, 5), strict=True):
        torch.testing.assert_close(mine, theirs, rtol=0, atol=1e-12)


def test_alibi_is_a_mask_that_falls_with_the_distance_and_that_the_fused_kernel_takes():
    (q, k, v), _ = draw(6, 8, JOB)
    distance = torch.arange(6)[:, None] - torch.arange(6)
    bias = torch.where(distance >= 0, -distance / 2**8, -torch.inf)  # one head: slope 2⁻⁸
    torch.testing.assert_close(attention("alibi", 6, 3, q)(q, k, v), F.scaled_dot_product_attention(q, k, v, bias))
    found = measured(count(Count(form="alibi", over="length", sizes=(8,), length=0, features=8, window=4), JOB))
    assert found.value("ran _scaled_dot_product_flash_attention_for_cpu") == 2


@pytest.mark.parametrize(
    ("form", "forward", "both"), [("scores", 1, 3), ("naive", 2, 6), ("fused", 2, 7), ("dropout", 2, 6), ("masked", 2, 7)]
)
def test_counts_are_those_of_a_hand_count(form: Form, forward: int, both: int):
    for over, sizes in (("length", (16, 48, 64)), ("features", (8, 24))):
        task = Count(form=form, over=over, sizes=sizes, length=32, features=16, window=8)  # type: ignore[arg-type]
        found = measured(count(task, JOB))
        assert found.values("forward") == tuple(forward * n * n * d for n, d, _ in task.shapes())
        assert found.values("both") == tuple(both * n * n * d for n, d, _ in task.shapes())


def test_counts_of_the_local_form_are_of_two_windows_a_query(monkeypatch: pytest.MonkeyPatch):
    task = Count(form="local", over="window", sizes=(4, 8, 16), length=64, features=16, window=8)
    assert measured(count(task, JOB)).values("forward") == tuple(4 * 64 * w * 16 for w in task.sizes)
    assert measured(count(task, JOB)).values("both") == tuple(12 * 64 * w * 16 for w in task.sizes)
    monkeypatch.setattr(banded, "KEPT", 0)
    assert measured(count(task, JOB)).values("both") == tuple(16 * 64 * w * 16 for w in task.sizes)


def test_the_kernel_is_logged_at_every_length():
    found = measured(kernel(Kernel(lengths=(20, 700), features=8), JOB))
    assert found.values("forward") == (2 * 8 * 20**2, 2 * 8 * 700**2)
    if found.values("forward logged")[0] == found.values("forward logged")[0]:  # a matrix library that logs
        assert found.values("forward logged") == found.values("forward")
        assert found.values("both logged") == found.values("both")
        assert found.values("causal") < found.values("causal logged") < found.values("both")


def test_blocks_are_the_mask_and_every_window_that_is_off_by_one_is_seen():
    found = measured(equal(Equal(lengths=(1, 2, 9, 16), windows=(), features=4), JOB))
    assert [found.value(name) for name in ("compared", "different", "seen")] == [28, 0, 27]


@pytest.mark.parametrize("kept", [0, 2**21])
def test_a_window_off_by_one_is_a_difference(monkeypatch: pytest.MonkeyPatch, kept: int):
    monkeypatch.setattr(banded, "KEPT", kept)
    right = equality.local_attention
    monkeypatch.setattr(equality, "local_attention", lambda q, k, v, window: right(q, k, v, window + 1))
    found = measured(equal(Equal(lengths=(9,), windows=(), features=4), JOB))
    assert found.value("different") == 8  # all but the one that sees all tokens anyway


def test_numbers_stored_are_those_of_the_formula():
    """Fused: q, k, v, the output, and a number a query. Naive: inputs, q scaled, the weights."""
    task = Memory(forms=("naive",), lengths=(64, 128), features=16, window=8)
    for n in task.lengths:
        assert numbers_stored("fused", n, task, JOB) == 4 * n * 16 + n
        assert numbers_stored("naive", n, task, JOB) == n * n + 3 * n * 16
        assert numbers_stored("local", n, task, JOB) < numbers_stored("naive", n, task, JOB)
        assert numbers_stored("dropout", n, task, JOB) >= n * n


def test_the_lab_foretells_which_form_holds_a_matrix():
    task = Memory(forms=HELD, lengths=(1024,), features=16, window=8)
    said = {form: foretold(form, 1024, task, JOB) for form in HELD}
    assert said == {"naive": 1, "fused": 0, "local": 0, "masked": 1, "alibi": 1, "dropout": 1}


def test_memory_is_measured_and_kernels_are_named():
    forms: tuple[Form, ...] = ("naive", "fused", "dropout")
    found = measured(memory(Memory(forms=forms, lengths=(512,), features=16, window=16), JOB))
    for form in forms:
        assert len(found.values(f"{form} both memory")) == len(found.values(f"{form} forward memory")) == 1
    assert found.value("fused ran _scaled_dot_product_flash_attention_for_cpu_backward") == 1
    assert found.value("dropout ran bmm") == 8
    assert found.value("naive ran _scaled_dot_product_flash_attention_for_cpu") != 1


FAULTING = """
import json, sys
from erlangen.experiments.attention_cost.costs import timed
from erlangen.experiments.attention_cost.tasks import Time
from erlangen.records.runs import Job
import torch
torch.set_num_threads(1)
task = Time(forms=("naive",), lengths=(1024,), features=16, window=16, budget=0.1, kept=json.loads(sys.argv[1]))
print(json.dumps({one.name: one.value for one in timed(task, Job(params={}))}))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="glibc's allocator")
def test_pages_are_kept_or_faulted_in_again():
    """In processes of their own: the weights of 1024 tokens take 1024 pages of 4 KiB."""
    found = {}
    for kept in (True, False):
        command = [sys.executable, "-c", FAULTING, json.dumps(kept)]
        found[kept] = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    assert found[True]["pages kept"] == 1
    assert found[True]["naive both faults"][0] < 20
    assert found[False]["pages kept"] == 0
    assert found[False]["naive both faults"][0] > 2000
    assert all(found[kept]["naive both seconds"][0] > found[kept]["naive forward seconds"][0] > 0 for kept in found)


def test_the_clock_counts_this_thread_alone_and_all_of_its_work():
    import time

    from erlangen.experiments.attention_cost.costs import clocked

    assert clocked(lambda: time.sleep(0.02), 0.0, "cpu")[0] < 0.01
    left = torch.randn(300, 300)
    start = time.thread_time()
    left @ left
    once = time.thread_time() - start
    assert 0 < clocked(lambda: [left @ left for _ in range(5)], 0.0, "cpu")[0] < 50 * max(once, 1e-3)


def test_tiles_compute_as_many_products_as_whole_matrices(small: None, monkeypatch: pytest.MonkeyPatch):
    """With a clock that counts multiply-adds, whole and tiled cost the same; a copy costs none."""
    from erlangen.measure.products import multiply_adds

    monkeypatch.setattr(pieces, "TILES", {"cpu": (16, 32)})
    monkeypatch.setattr(pieces, "clocked", lambda step, budget, device: (float(multiply_adds(step)), 0.0))
    found = pieces.both_ways(Pieces(length=64, features=(8,), budget=0.0), 8, JOB)
    assert found["scores whole"] == found["scores tiled"] == found["values whole"] == found["values tiled"] == 64 * 64 * 8
    assert found["softmax whole"] == found["softmax tiled"] == found["copy whole"] == found["copy tiled"] == 0


def test_pieces_measure_every_width_and_the_peaks(small: None):
    found = measured(pieces.pieces(Pieces(length=64, features=(8, 16), budget=0.0), JOB))
    for name in ("scores", "softmax", "values", "copy"):
        assert all(value > 0 for way in ("whole", "tiled") for value in found.values(f"{name} {way}"))
    assert found.value("copy peak") > 0
    assert found.value("product peak") > 0


def test_passes_of_both_precisions_give_gradients():
    for precision in ("float32", "bfloat16"):
        forward, both = passes("local", 32, 16, 8, replace(JOB, precision=precision))  # type: ignore[arg-type]
        assert not forward().requires_grad
        assert [x.shape for x in both()] == [(1, 1, 32, 16)] * 3  # type: ignore[attr-defined]
        _, scores = passes("scores", 32, 16, 8, JOB)
        assert len(scores()) == 2  # type: ignore[arg-type]


def test_a_whole_tiny_run_measures_judges_and_draws_everything(small: None, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(
        "erlangen.experiments.attention_cost.held.peak_mib", lambda step: float(torch.as_tensor(step()[0]).numel())
    )
    planned = planned_jobs("attention-cost", TINY)
    evidence = evidence_of(planned, run)
    found = verdicts(TINY, evidence)
    exact = {(v.claim, v.part): v.verdict for v in found if v.kind == "exact" and not v.part.startswith("memory")}
    assert exact["T1", "products, length"] == exact["T1", "products, width"] == exact["T2", "products"] == "supported"
    assert exact["T1", "exponential"] == "refuted"
    assert exact["T11", "formula"] == exact["T11", "recomputes instead of storing"] == "supported"
    assert {v.verdict for v in found} <= {"supported", "refuted", "inconclusive"}
    drawn = figures(TINY, evidence)
    assert [figure.name for figure in drawn] == ["cost", "windows", "pieces", "exponents", "memory", "kernels", "share"]
    assert_drawn(drawn)
    assert [answer.figure for answer in answers(TINY, evidence, found)] == ["cost", "windows", "pieces"]


def test_every_time_and_peak_is_taken_alone_and_the_quick_preset_is_expected_within_a_minute():
    for recipe in PRESETS.values():
        for planned in jobs(recipe):
            assert planned.exclusive == (planned.params["task"] in ("time", "windows", "memory", "pieces"))
    assert expected_seconds(planned_jobs("attention-cost", PRESETS["quick"]), 2) <= 60
    assert expected_seconds(planned_jobs("attention-cost", PRESETS["standard"]), 2) <= 12 * 60


def test_long_texts_have_a_process_each_and_every_length_one():
    times = [job for job in jobs(PRESETS["standard"]) if job.params["task"] == "time" and job.params["kept"] and job.seed == 0]
    cells = [(form, n) for job in times for form in job.params["forms"] for n in job.params["lengths"]]  # type: ignore[union-attr]
    assert sorted(cells) == sorted((form, n) for form in ("naive", "fused", "local") for n in PRESETS["standard"].lengths)
    assert all(len(job.params["lengths"]) == 1 for job in times if max(job.params["lengths"]) >= 1024)  # type: ignore[arg-type,type-var]


@pytest.mark.parametrize(
    ("key", "value"), [("lengths", (64, 128)), ("lengths", (64, 32, 128)), ("widths", (8, 16, 32)), ("settled", 8192)]
)
def test_recipes_that_cannot_be_judged_are_refused(key: str, value: object):
    with pytest.raises(ValueError, match=r"lengths|widths"):
        replace(PRESETS["standard"], **{key: value})  # type: ignore[arg-type]


def test_a_time_task_says_whether_pages_are_kept():
    assert {job.params["kept"] for job in jobs(PRESETS["quick"]) if job.params["task"] == "time"} == {True, False}
    assert Time(forms=("naive",), lengths=(8,), features=8, window=8, budget=0.0, kept=True).kept
