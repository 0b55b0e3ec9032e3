"""The examples run, and find what they say."""

from __future__ import annotations

import ast
import importlib.util
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from support.torchvision_ops import declare_torchvision_ops

from erlangen.records.audit import Checked

EXAMPLES = Path(__file__).parents[1] / "examples"


def example(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"example_{name}", EXAMPLES / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def library(name: str) -> None:
    if name == "transformers":
        declare_torchvision_ops()  # beside a CPU build of torch
    pytest.importorskip(name)


def judged(found: Any) -> dict[str, Checked]:
    return {check.name: check for check in found.checks}


def test_gpt2_padded_on_the_left_is_off_by_more_than_its_spread_without_positions(tmp_path: Path) -> None:
    library("transformers")
    audit = example("gpt2_left_padding").find()
    found = judged(audit)
    assert found["left-padding"].judgment == "broken"
    assert 1 < found["left-padding"].error < 2
    assert found["left-padding-positions"].judgment == "exact"
    assert found["causality"].judgment == "exact"
    assert "position" in audit.save(tmp_path / "page.html").read_text(encoding="utf-8")


def test_nystromformer_knows_its_neighbors_in_the_batch() -> None:
    library("transformers")
    found = judged(example("nystromformer_batch").find())["batch-composition"]
    assert found.judgment == "broken"
    assert found.precision == "in float64"
    assert found.leak > 1e4 * found.floor  # no rounding
    assert "attention" in found.breaks.culprit


def test_pyg_median_raises_for_some_names_of_the_nodes_and_for_no_order_of_edges() -> None:
    library("torch_geometric")
    found = judged(example("pyg_median").find())
    assert found["edge-order"].judgment == "exact"
    assert found["node-permutation"].judgment == "broken"
    assert len(found["node-permutation"].failures) > 0
    assert found["node-permutation"].pairs > 40  # most relabelings work


def test_pyg_norm_mixes_graphs_unless_it_is_told_which_is_which() -> None:
    library("torch_geometric")
    module = example("pyg_norm_batch")
    assert judged(module.find())["batch-composition"].judgment == "broken"
    assert judged(module.find())["batch-composition"].breaks.culprit == "norm"
    assert judged(module.find(told=True))["batch-composition"].judgment == "exact"


def test_vision_language_and_graph_models_are_judged() -> None:
    vision = example("audit_vision")
    zeros, circular = judged(vision.find()), judged(vision.find("circular"))
    assert (zeros["translation"].judgment, circular["translation"].judgment) == ("broken", "exact")
    assert zeros["translation"].breaks.culprit == "stem"
    language = example("audit_language")
    assert judged(language.find())["causality"].judgment == "exact"
    assert judged(language.find(bidirectional=True))["causality"].breaks.culprit == "gru"
    graph = example("audit_graph")
    assert judged(graph.find())["node-permutation"].judgment == "exact"
    assert judged(graph.find(numbered=True))["node-permutation"].judgment == "broken"


def test_a_symmetry_of_ones_own_takes_at_most_thirty_lines() -> None:
    module = example("custom_symmetry")
    kept, lost = (judged(audit)["time-reversal"] for audit in module.find())
    assert (kept.judgment, lost.judgment) == ("exact", "broken")
    source = (EXAMPLES / "custom_symmetry.py").read_text(encoding="utf-8")
    symmetry = next(node for node in ast.parse(source).body if isinstance(node, ast.ClassDef))
    assert symmetry.name == "TimeReversal"
    assert symmetry.end_lineno - symmetry.lineno + 1 <= 30


def test_an_example_runs_as_a_script(tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    done = subprocess.run([sys.executable, EXAMPLES / "audit_graph.py", page], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert "node-permutation" in done.stdout
    assert page.stat().st_size > 100_000


def test_a_small_gpt_is_taught_stays_above_the_floor_and_is_causal() -> None:
    module = example("small_gpt")
    model, corpus = module.taught(40, tales=300)
    gap, entropy = module.above_the_floor(model, corpus)
    assert 0 < gap.low < gap.estimate < 3
    assert 0.25 < entropy < 0.35
    assert module.tale(model, corpus).startswith("Hans ")
    assert judged(module.audited(model, corpus))["causality"].judgment == "exact"
