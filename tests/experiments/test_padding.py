"""The padding experiment run for real."""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from support.command import erlangen, start

import erlangen as package
from erlangen.experiments import planned_jobs
from erlangen.experiments.padding import PRESETS, Recipe
from erlangen.experiments.padding.accuracies import published
from erlangen.experiments.padding.run import run
from erlangen.experiments.padding.tasks import ROWS
from erlangen.records.runs import Job
from erlangen.sweep.machine import processor

REFERENCE = Path(__file__).parents[2].parent / "shared" / "reference" / "published.json"
TINY = [f"--set={key}" for key in ("rows=Net1/valid,Net2/fconv", "epochs=2", "train=40", "validation=20", "test=20", "fit=0")]


def jobs(recipe: Recipe, **options: str) -> list[Job]:
    return planned_jobs("padding", recipe, **options)  # type: ignore[arg-type]


def measured(job: Job) -> dict[str, object]:
    return {measurement.name: measurement.value for measurement in run(job)}


def test_the_standard_recipe_is_the_whole_table():
    nets = [job for job in jobs(PRESETS["standard"]) if job.params["task"] == "train"]
    assert len(nets) == 2 * 6 * 10
    assert {(f"{job.params['net']}/{job.params['padding']}", job.seed) for job in nets} == {
        (row, seed) for row in ROWS for seed in range(10)
    }
    assert all((job.precision, job.params["epochs"], job.params["train"]) == ("float32", 50, 2000) for job in nets)


def test_nets_take_the_precision_and_device_asked_for_and_counts_stay_with_their_own():
    planned = jobs(PRESETS["quick"], precision="bfloat16", device="cuda:1")
    asked = {(job.params["task"] == "train", job.precision, job.device) for job in planned}
    assert asked == {(True, "bfloat16", "cuda:1"), (False, "float32", "cpu")}


@pytest.mark.parametrize("rows", [(), ("Net3/valid",), ("Net1/valid", "Net1/valid")])
def test_rows_must_be_rows_of_the_table_each_named_once(rows: tuple[str, ...]):
    with pytest.raises(ValueError, match="rows"):
        Recipe(rows=rows)


@pytest.mark.skipif(not REFERENCE.exists(), reason="needs ../shared/reference/published.json")
def test_published_numbers_are_those_handed_down():
    handed_down = json.loads(REFERENCE.read_text())
    ours = published()["padding_table"]
    for row in handed_down["padding_table"]:
        assert ours[f"{row['net']}/{row['padding']}"] == {"validation": row["validation"], "test": row["test"]}
    theirs = handed_down["red_green_kayhan_2020"]
    names = {"valid": "valid", "sconv": "same_zero", "circular": "same_circular", "fconv": "full_zero"}
    for padding, name in names.items():
        assert list(published()["red_green_kayhan_2020"][padding].values()) == theirs[name]


def test_the_exact_tasks_find_no_wrong_case():
    border, maps, data = (measured(job) for job in jobs(PRESETS["quick"])[:3])
    assert border["border_wrong"] == 0 < border["border_told_apart"] < border["border_cases"]
    assert (border["border_outside_at_corner"], border["border_outside_at_edge"]) == (5, 3)
    assert border["first_pixel_outside"] == (0, 0, 0, 1, 0, 2, 1, 0, 2, 0)
    assert border["second_pixel_outside"] == (0, 1, 0, 2, 0, 3)
    image = np.arange(1, 10).reshape(3, 3)
    for ours, numpys in (("reflect", "reflect"), ("replicate", "edge")):
        assert border[f"{ours}_example"] == tuple(np.pad(image, 1, mode=numpys).flatten())  # type: ignore[call-overload]
    assert maps["map_wrong"] == 0 < maps["map_printed_wrong"] < maps["map_cases"]
    assert [maps[f"map_sizes_printed_{name}"][-1] for name in ("valid", "sconv", "fconv")] == [2.875, 4.875, 6.875]  # type: ignore[index]
    assert data["source_validation_in_training"] == data["source_test_in_training"] == 1000
    assert data["leak-free_validation_in_training"] == data["leak-free_test_in_training"] == 0
    assert (data["source_train_by_order"], data["source_train_by_order_mirrored"]) == (100, 0)


def test_a_job_repeats_bit_for_bit_and_leaves_the_generator_of_others_alone():
    job = jobs(PRESETS["quick"])[-1]
    small = Job(experiment="padding", params={**job.params, "epochs": 1, "train": 40, "validation": 20, "test": 20}, seed=1)
    first = measured(small)
    torch.manual_seed(99)
    assert measured(small) == first


@pytest.mark.slow
def test_the_number_of_workers_changes_no_number(tmp_path: Path):
    folders = []
    for workers in (1, 3):
        folder = tmp_path / f"with-{workers}"
        out = erlangen("run", "padding", *TINY, "--seeds", "2", "--workers", workers, "--out", folder, cwd=tmp_path)
        assert out.returncode == 0, out.stderr
        folders.append(folder)
    one, three = ({path.name: json.loads(path.read_text())["measurements"] for path in (f / "jobs").iterdir()} for f in folders)
    assert one == three
    assert len({(folder / "verdicts.json").read_bytes() for folder in folders}) == 1


RUN = ("run", "padding", *TINY, "--seeds", "1", "--out", "run")


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the package in `code`, and beside it the finished run of that copy."""
    folder = tmp_path_factory.mktemp("finished")
    shutil.copytree(Path(package.__file__).parent, folder / "code" / "erlangen", ignore=shutil.ignore_patterns("__pycache__"))
    out = erlangen(*RUN, cwd=folder, paths=(folder / "code",))
    assert out.returncode == 0, out.stderr
    return folder


@pytest.mark.parametrize(
    ("file", "old", "new", "message"),
    [
        pytest.param(
            "nn/padding.py",
            "OUTSIDE = -1",
            "OUTSIDE = -1  # said again",
            "all 5 jobs found",
            id="comment",
            marks=pytest.mark.slow,
        ),
        pytest.param(
            "experiments/padding/judge.py",
            "it lacks the floor",
            "the floor is missing",
            "all 5 jobs found",
            id="verdict",
            marks=pytest.mark.slow,
        ),
        pytest.param(
            "experiments/padding/__init__.py",
            "padding supplies them",
            "padding adds them",
            "all 5 jobs found",
            id="claim",
            marks=pytest.mark.slow,
        ),
        pytest.param(
            "experiments/padding/figures.py", "PALETTE[0]", "PALETTE[1]", "all 5 jobs found", id="color", marks=pytest.mark.slow
        ),
        pytest.param(
            "records/files.py",
            "SCHEMA = 2",
            "SCHEMA = 2\nTITLE = 'records'",
            "all 5 jobs found",
            id="record",
            marks=pytest.mark.slow,
        ),
        pytest.param("nn/padding.py", "OUTSIDE = -1", "OUTSIDE = -2", "running 5 jobs", id="layer", marks=pytest.mark.slow),
        pytest.param("models/padded_cnn.py", "F.relu(", "F.leaky_relu(", "running 5 jobs", id="model", marks=pytest.mark.slow),
        pytest.param(
            "experiments/padding/exact.py",
            "ROUNDING = 1e-12",
            "ROUNDING = 1e-11",
            "running 5 jobs",
            id="count",
            marks=pytest.mark.slow,
        ),
    ],
)
def test_what_changed_decides_what_is_computed_again(finished: Path, tmp_path: Path, file, old, new, message):
    folder = tmp_path / "changed"
    shutil.copytree(finished, folder)
    path = folder / "code" / "erlangen" / file
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))
    assert message in erlangen(*RUN, cwd=folder, paths=(folder / "code",)).stderr


@pytest.mark.slow
def test_the_quick_preset_takes_at_most_90_seconds(tmp_path: Path):
    begin = time.monotonic()
    out = erlangen("run", "padding", cwd=tmp_path)
    assert out.returncode == 0, out.stderr
    assert time.monotonic() - begin <= 90


@pytest.mark.slow
def test_killed_at_twenty_random_moments_it_resumes_to_the_identical_verdicts(tmp_path: Path):
    whole = erlangen("run", "padding", "--out", "whole", cwd=tmp_path)
    assert whole.returncode == 0, whole.stderr
    random.seed(2)
    moments = [random.uniform(0.1, 8.0) for _ in range(20)]
    for moment in moments:
        process = start("run", "padding", "--out", "killed", cwd=tmp_path)
        time.sleep(moment)
        process.kill()
        process.communicate()
    last = erlangen("run", "padding", "--out", "killed", cwd=tmp_path)
    assert last.returncode == 0, last.stderr
    assert (tmp_path / "killed" / "verdicts.json").read_bytes() == (tmp_path / "whole" / "verdicts.json").read_bytes()


@pytest.mark.slow
@pytest.mark.skipif(
    "avx512_bf16" not in processor() or not torch.__version__.startswith("2.13.0"),
    reason="digit for digit is claimed for the processor and torch build of LOG.md alone",
)
def test_net1_valid_comes_out_digit_for_digit(tmp_path: Path):
    out = erlangen("run", "padding", "--preset", "standard", "--set", "rows=Net1/valid", "--out", "run", cwd=tmp_path)
    assert out.returncode == 0, out.stderr
    results = [json.loads(path.read_text()) for path in (tmp_path / "run" / "jobs").glob("*.json")]
    nets = sorted((result["seed"], result) for result in results if result["params"]["task"] == "train")
    for name in ("validation", "test"):
        values = [next(m["value"] for m in net["measurements"] if m["name"] == f"{name}_accuracy") for _, net in nets]
        assert [round(value, 1) for value in values] == published()["padding_table"]["Net1/valid"][name]


@pytest.mark.slow
def test_the_benchmark_runs_and_prints_ratios():
    script = Path(__file__).parents[2] / "benchmarks" / "padding.py"
    command = [sys.executable, str(script), "--rounds", "1", "--rows", "Net1/valid", "--json", "-"]
    out = subprocess.run(command, capture_output=True, text=True, env=os.environ)
    assert out.returncode == 0, out.stderr
    assert all({"name", "ratio", "target", "peer", "unit"} <= entry.keys() for entry in json.loads(out.stdout))
