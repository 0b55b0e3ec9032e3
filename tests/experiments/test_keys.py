"""What decides the key of a job: the code that computes it, and nothing that judges, draws or words what it measured."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import erlangen
from erlangen.experiments import module_name, names
from erlangen.sweep.fingerprint import reachable

CONCLUDING = {f"erlangen.experiments.kit.{part}" for part in ("answers", "compare", "panels", "parts", "wording")}
TEXTS = ("fairytales", "sampling")
KEYS = f"""
import json
from erlangen.experiments import load, module_name, planned_jobs
from erlangen.sweep.fingerprint import fingerprint

codes = {{name: fingerprint(module_name(name) + ".run") for name in {TEXTS}}}
plans = {{name: planned_jobs(name, load(name).PRESETS["quick"]) for name in codes}}
print(json.dumps({{name: [job.key(codes[name]) for job in jobs] for name, jobs in plans.items()}}))
"""


@pytest.mark.parametrize("name", names())
def test_no_claim_verdict_or_figure_is_among_what_decides_a_key(name: str):
    package = module_name(name)
    reached = set(reachable(f"{package}.run"))
    assert f"{package}.run" in reached
    assert not reached & {package, f"{package}.judge", f"{package}.figures", *CONCLUDING}


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of the package to edit."""
    source = Path(erlangen.__file__).parent
    shutil.copytree(source, tmp_path / "erlangen", ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path


def keys(folder: Path) -> dict[str, list[str]]:
    """The keys of the quick jobs of each experiment, by the package in `folder`."""
    found = subprocess.run([sys.executable, "-c", KEYS], cwd=folder, capture_output=True, text=True, check=True)
    parsed: dict[str, list[str]] = json.loads(found.stdout)
    return parsed


def edit(file: Path, old: str, new: str) -> None:
    text = file.read_text(encoding="utf-8")
    assert old in text, f"{file}: {old!r} is not in it"
    file.write_text(text.replace(old, new, 1), encoding="utf-8")


def test_a_comma_in_a_claim_recomputes_nothing_and_a_layer_everything(copy: Path):
    before = keys(copy)
    assert all(before.values())
    edit(copy / "erlangen/claims.toml", "After five epochs a small", "After five epochs, a small")
    edit(copy / "erlangen/experiments/sampling/__init__.py", "write after the same prompts", "write, after the same prompts")
    for name in TEXTS:
        for part in ("judge", "figures"):
            edit(copy / f"erlangen/experiments/{name}/{part}.py", "verdicts" if part == "judge" else "interval", "others")
    assert keys(copy) == before
    edit(copy / "erlangen/models/gpt.py", "return ", "return None or ")
    after = keys(copy)
    assert all(set(before[name]).isdisjoint(after[name]) for name in TEXTS)
