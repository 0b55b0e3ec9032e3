"""Which experiments run on a GPU and in which precisions is declared, and what is declared holds."""

from __future__ import annotations

import math
import re
from dataclasses import replace

import pytest
import torch

from erlangen.errors import ErlangenError
from erlangen.experiments import load, names, planned_jobs, runner
from erlangen.experiments.kit.recipe import choose_recipe
from erlangen.records.runs import Job
from erlangen.sweep.run import run

TINY = {
    "padding": {"rows": "Net1/circular", "epochs": 2, "train": 400, "validation": 200, "test": 100},
    "fairytales": {
        "corpus": "tales", "dictionary": "training", "characters": 1024, "views": 8, "block": 128,
        "layers": 1, "width": 16, "heads": 2, "dropout": 0.0, "evaluations": 4, "samples": 2, "length": 40,
        "tale_steps": 4, "tale_samples": 4,
    },
    "sampling": {
        "corpus": "tales", "dictionary": "training", "characters": 1024, "views": 6, "block": 128, "memorizing_layers": 1,
        "memorizing_width": 16, "heads": 2, "batch": 4, "prompts": 8, "length": 40,
    },
    "attention-cost": {
        "lengths": "64,128,256", "settled": 128, "apart_from": 512, "features": 16, "widths": "16,32,64", "window": 16,
        "windows": "8,16,32", "pieces": 256, "budget": 0.0,
    },
    "rotation": {
        "arms": "plain,C4 compute", "epochs": 1, "longer": "", "train": 200, "validation": 50, "test": 60, "width": 0.5,
        "rates": "0.003",
    },
}  # fmt: skip


def devices(name: str) -> tuple[str, ...]:
    return getattr(load(name), "DEVICES", ("cpu",))


def precisions(name: str) -> tuple[str, ...]:
    return getattr(load(name), "PRECISIONS", ("float32",))


def tiny_jobs(name: str, **options: str) -> list[Job]:
    """One small portable job of each kind."""
    recipe = choose_recipe(load(name).PRESETS, "quick", {**TINY[name], "seeds": 2})
    jobs = [job for job in planned_jobs(name, recipe, **options) if job.portable]  # type: ignore[arg-type]
    return list({str(job.params["task"]): job for job in jobs}.values())


def test_which_experiments_run_on_a_gpu():
    assert {name for name in names() if "cuda" in devices(name)} == set(TINY)


@pytest.mark.parametrize("name", sorted(TINY))
def test_the_tiny_settings_are_accepted(name: str):
    """The tests that compute with them run on a GPU alone, so without one nothing else would notice that they are refused."""
    for precision in precisions(name):
        assert "cuda" in {job.device for job in tiny_jobs(name, device="cuda", precision=precision)}
    assert {job.device for job in tiny_jobs(name, device="cpu")} == {"cpu"}


@pytest.mark.parametrize("name", names())
def test_only_what_has_portable_jobs_declares_a_device_or_a_precision(name: str):
    portable = any(job.portable for job in load(name).jobs(load(name).PRESETS["quick"]))
    assert portable == (devices(name) != ("cpu",)) == (precisions(name) != ("float32",))
    assert set(devices(name)) <= {"cpu", "cuda"}


@pytest.mark.parametrize("name", sorted(set(names()) - set(TINY)))
def test_an_experiment_of_the_processor_refuses_a_gpu(name: str):
    with pytest.raises(ErlangenError, match=f"--device cuda: the jobs of {name} run on cpu only"):
        planned_jobs(name, load(name).PRESETS["quick"], device="cuda")


@pytest.mark.parametrize("name", sorted(set(names()) - {"padding", "rotation"}))
def test_tf32_is_refused_where_it_is_not_declared(name: str):
    with pytest.raises(ErlangenError, match=f"--precision tf32: the jobs of {name} run in"):
        planned_jobs(name, load(name).PRESETS["quick"], precision="tf32")


def test_tf32_is_carried_by_the_jobs_that_compute_in_it():
    planned = planned_jobs("padding", load("padding").PRESETS["quick"], precision="tf32", device="cuda")
    assert {(job.params["task"] == "train", job.precision, job.device) for job in planned} == {
        (True, "tf32", "cuda"),
        (False, "float32", "cpu"),
    }
    single = replace(planned[-1], precision="float32")
    assert planned[-1].key("code") != single.key("code")


def test_tf32_without_a_gpu_is_refused_before_anything_is_written(tmp_path):
    with pytest.raises(ErlangenError, match="--precision tf32 needs a CUDA device, not cpu"):
        run("padding", precision="tf32", out=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def losses(name: str, device: str) -> dict[str, tuple[float, ...]]:
    """Every loss of the tiny jobs, by task and name."""
    found = {}
    for job in tiny_jobs(name, device=device):
        for measurement in runner(name).run(job):
            if "loss" in measurement.name and measurement.value is not None:
                value = measurement.value if isinstance(measurement.value, tuple) else (measurement.value,)
                found[f"{job.params['task']} {measurement.name}"] = tuple(math.nan if v is None else v for v in value)
    return found


@pytest.mark.cuda
@pytest.mark.parametrize(("name", "bound"), [("padding", 2e-3), ("fairytales", 0.05), ("sampling", 0.05), ("rotation", 2e-3)])
def test_what_is_declared_on_cuda_runs_there_and_measures_what_the_processor_measures(name: str, bound: float):
    """Losses of a few steps: later ones grow apart by rounding. Dropout is drawn from another generator than the processor's."""
    cpu = losses(name, "cpu")
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()
    cuda = losses(name, "cuda")
    assert torch.cuda.max_memory_allocated() > before
    assert cpu.keys() == cuda.keys() != set()
    written = {key for key in cpu if re.search(r" \d.* (other-)?loss$", key)}  # of texts that the nets wrote
    assert len(written) < len(cpu)
    for key in cpu.keys() - written:
        assert cuda[key] == pytest.approx(cpu[key], rel=bound, nan_ok=True), key


@pytest.mark.cuda
def test_attention_is_counted_and_timed_on_cuda():
    """The kernels differ from those of the processor; the products of the definition do not."""
    counts = {}
    for device in ("cpu", "cuda"):
        for job in tiny_jobs("attention-cost", device=device):
            found = {one.name: one.value for one in runner("attention-cost").run(job)}
            if job.params["task"] == "count":
                counts[device] = found["forward"], found["both"]
            elif job.device != "cpu":
                times = [value for name, value in found.items() if re.search("seconds|whole|tiled|memory|peak", name)]
                assert times
                assert all(one > 0 for value in times for one in (value if isinstance(value, tuple) else (value,)))  # type: ignore[operator]
    assert counts["cpu"] == counts["cuda"]


@pytest.mark.cuda
@pytest.mark.parametrize("precision", ["float32", "tf32", "bfloat16"])
@pytest.mark.parametrize("together", [False, True])
def test_a_seed_gives_the_same_bits_twice_on_cuda(precision: str, together: bool):
    jobs = tiny_jobs("padding", device="cuda", precision=precision)
    many = runner("padding").run_many  # type: ignore[attr-defined]
    first, second = (many([*jobs, replace(jobs[0], seed=1)]) if together else runner("padding").run(jobs[0]) for _ in range(2))
    assert first == second


@pytest.mark.cuda
def test_float32_and_tf32_are_two_precisions():
    values = [
        {m.name: m.value for m in runner("padding").run(tiny_jobs("padding", device="cuda", precision=precision)[0])}
        for precision in ("float32", "tf32")
    ]
    assert values[0]["train_loss"] != values[1]["train_loss"]
    assert values[0]["shift_change_untrained"] == values[1]["shift_change_untrained"]  # measured in float32 in both
