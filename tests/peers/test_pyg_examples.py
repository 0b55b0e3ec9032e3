"""PyG's example scripts on Cora, with only the layers swapped: they run, and score as they do with PyG's layers."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from statistics import fmean, stdev

import pytest

CHECKOUT = Path(os.environ.get("ERLANGEN_PEERS", "")) / "pytorch_geometric"
CORA = Path(os.environ.get("ERLANGEN_DATA", "")) / "planetoid" / "Cora"
SEEDS = 4
EXAMPLES = [("gcn.py", ["--epochs", "100"]), ("gat.py", ["--epochs", "60"]), ("graph_sage_unsup.py", [])]

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not (CHECKOUT / "examples").is_dir(), reason="$ERLANGEN_PEERS has no checkout of pytorch_geometric"),
    pytest.mark.skipif(not (CORA / "raw").is_dir(), reason="$ERLANGEN_DATA has no Cora"),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The scripts, and Cora where they look for it."""
    made = tmp_path_factory.mktemp("pyg")
    shutil.copytree(CHECKOUT / "examples", made / "examples")
    for where in (made / "data", made / "examples" / "data"):  # one folder up, and two
        shutil.copytree(CORA, where / "Planetoid" / "Cora")
    shutil.copytree(CORA, made / "data" / "Cora" / "Cora")
    return made


def run(folder: Path, side: str, seed: int, script: str, *arguments: str) -> str:
    path = os.pathsep.join([str(Path(__file__).parents[1]), str(Path(__file__).parents[2])])
    command = [
        sys.executable,
        "-W",
        "ignore",
        "-m",
        "peers.run_example",
        side,
        str(seed),
        str(folder / "examples" / script),
        *arguments,
    ]
    out = subprocess.run(
        command,
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join([path, os.environ.get("PYTHONPATH", "")])},
        cwd=folder,
    )
    if lacking := re.search(r"No module named '(matplotlib|sklearn)'", out.stderr):
        pytest.skip(f"{script} came as far as what needs {lacking[1]}")
    if "requires either 'pyg-lib' or 'torch-sparse'" in out.stderr:
        pytest.skip(f"{script} samples neighbors, for which PyG needs pyg-lib or torch-sparse")
    assert out.returncode == 0, out.stderr
    return out.stdout


@pytest.mark.parametrize(("script", "arguments"), EXAMPLES)
def test_scores_are_those_of_pygs_layers(folder: Path, script: str, arguments: list[str]) -> None:
    scores: dict[str, list[float]] = {}
    for side in ("pyg", "ours"):
        printed = [run(folder, side, seed, script, *arguments) for seed in range(SEEDS)]
        scores[side] = [100 * float(re.findall(r"Test: ([0-9.]+)", text)[-1]) for text in printed]
    noise = max(stdev(scores["pyg"]), stdev(scores["ours"]), 0.5) * (2 / SEEDS) ** 0.5
    assert abs(fmean(scores["ours"]) - fmean(scores["pyg"])) < 4 * noise, scores
    assert min(scores["ours"]) > 50, scores  # the largest class is 30 %; sampled walks without labels reach 65


@pytest.mark.parametrize("script", ["explain/gnn_explainer.py", "link_pred.py", "autoencoder.py"])
def test_scripts_run(folder: Path, script: str) -> None:
    assert run(folder, "ours", 0, script)
