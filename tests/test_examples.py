"""The examples run, and find what they say."""

from __future__ import annotations

import ast
import importlib.util
import math
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from support.command import erlangen
from support.figures import assert_drawn
from support.results import evidence_of
from support.torchvision_ops import declare_torchvision_ops

from erlangen.experiments import illustrator, judge, load as load_experiment, planned_jobs
from erlangen.experiments.kit import Evidence, Job, Measurement
from erlangen.records.audit import Checked
from erlangen.sweep.fingerprint import reachable
from erlangen.sweep.load import load

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
    assert found.leak > 100 * found.floor  # no rounding
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
    assert judged(module.find(per_graph=True))["batch-composition"].judgment == "exact"


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
    model, corpus = module.trained(40, tales=300)
    gap, entropy = module.above_the_floor(model, corpus)
    assert 0 < gap.low < gap.estimate < 3
    assert 0.25 < entropy < 0.35
    assert module.tale(model, corpus).startswith("Hans ")
    assert judged(module.causality(model, corpus))["causality"].judgment == "exact"


OWN = "own_experiment"


def test_an_experiment_of_ones_own_runs_from_the_command_line(tmp_path: Path) -> None:
    done = erlangen("run", OWN, "--out", tmp_path, cwd=EXAMPLES)
    assert done.returncode == 0, done.stderr
    finished = load(tmp_path)
    (verdict,), (answer,) = finished.verdicts, finished.answers
    assert (verdict.verdict, verdict.of, verdict.n, answer.answer) == ("supported", "claim", 5, "supported")
    assert 10 < verdict.effect < 30
    assert answer.figure in [figure.name for figure in finished.figures]
    assert "sorted" in (tmp_path / "report.html").read_text(encoding="utf-8")


def test_an_experiment_of_ones_own_takes_at_most_120_lines() -> None:
    assert sum(len(file.read_text(encoding="utf-8").splitlines()) for file in (EXAMPLES / OWN).glob("*.py")) <= 120


Pairs = tuple[tuple[float, float], ...]
FITTED = 99.0


def world(accuracies: Pairs, fit: Pairs | None = None, seeds: int = 5) -> tuple[Any, Evidence]:
    """By seed, the accuracies of the networks that get sorted numbers and of those that do not; a seed beyond them failed."""
    recipe = replace(load_experiment(OWN).PRESETS["quick"], seeds=seeds)

    def measure(job: Job) -> list[Measurement] | None:
        if job.seed >= len(accuracies):
            return None
        arm = ("sorted", "drawn").index(str(job.params["order"]))
        trained = fit[job.seed][arm] if fit else FITTED
        return [Measurement("test_accuracy", accuracies[job.seed][arm], "%"), Measurement("train_accuracy", trained, "%")]

    return recipe, evidence_of(planned_jobs(OWN, recipe), measure)


def pairs(gain: float, scatter: float = 0.5) -> Pairs:
    return tuple((80.0 + gain + scatter * offset, 80.0) for offset in (-1, 0.5, 0, 1, -0.5))


@pytest.mark.parametrize(
    ("accuracies", "expected"),
    [
        (pairs(10.0), "supported"),
        (pairs(0.0), "refuted"),
        (pairs(-10.0), "refuted"),
        (pairs(2.0), "inconclusive"),  # on the edge
        (pairs(10.0, scatter=20.0), "inconclusive"),
        (pairs(10.0, scatter=0.0), "inconclusive"),  # no spread
        (pairs(10.0)[:3], "not measured"),
        ((), "not measured"),
        ((*pairs(10.0)[:4], (math.nan, 80.0)), "not measured"),
    ],
)
def test_an_experiment_of_ones_own_is_judged_by_its_numbers(
    monkeypatch: pytest.MonkeyPatch, accuracies: Pairs, expected: str
) -> None:
    monkeypatch.chdir(EXAMPLES)
    recipe, evidence = world(accuracies)
    (verdict,) = verdicts = judge(OWN).verdicts(recipe, evidence)
    assert verdict.verdict == expected
    (answer,) = judge(OWN).answers(recipe, evidence, verdicts)
    assert answer.answer == expected
    assert ("80.0 % as drawn" in answer.sentence) == (expected != "not measured")
    if accuracies:
        assert_drawn(illustrator(OWN).figures(recipe, evidence))


def test_an_experiment_of_ones_own_decides_nothing_from_one_seed_or_untrained_networks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(EXAMPLES)
    recipe, evidence = world(pairs(10.0)[:1], seeds=1)
    assert [verdict.verdict for verdict in judge(OWN).verdicts(recipe, evidence)] == ["inconclusive"]
    recipe, evidence = world(pairs(10.0), fit=((99.0, 99.0),) * 4 + ((99.0, 70.0),))
    (verdict,) = judge(OWN).verdicts(recipe, evidence)
    assert (verdict.verdict, verdict.next_step.startswith("not trained: drawn seed 4 (70 %")) == ("inconclusive", True)


def test_wording_of_an_experiment_of_ones_own_recomputes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Names imported from the kit's namespace count as the modules that they come from, not as all of the kit."""
    monkeypatch.chdir(EXAMPLES)
    load_experiment(OWN)
    assert set(reachable(f"{OWN}.run")) == {f"{OWN}.run", f"{OWN}.tasks", "erlangen.experiments.kit.tasks"}
