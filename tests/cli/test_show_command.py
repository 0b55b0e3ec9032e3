"""`erlangen list` and `erlangen show`: every claim, every experiment, the user's own too, and what came of them."""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Literal

import pytest
from annotated_types import Ge, Gt, Le, Lt
from support.command import TESTS, erlangen

from erlangen.claims import catalog
from erlangen.cli.recipe_keys import explanations, in_words, recipe_keys
from erlangen.experiments import load, names, planned_jobs
from erlangen.report.documented import documented_answers
from erlangen.sweep.machine import cores
from erlangen.sweep.plan import expected_seconds

TOY = "support.toy"


@pytest.fixture
def lab(tmp_path: Path) -> Path:
    """A folder of the user's with an experiment of theirs, `my_lab`, that judges their claim Y1."""
    return write_lab(tmp_path)


def write_lab(folder: Path) -> Path:
    """The toy as `my_lab`, in `folder`."""
    shutil.copytree(TESTS / "support" / "toy", folder / "my_lab", ignore=shutil.ignore_patterns("__pycache__"))
    for path in (folder / "my_lab").glob("*.py"):
        path.write_text(path.read_text().replace(TOY, "my_lab").replace("X1", "Y1"))
    return folder


def shown(*args: object, cwd: Path) -> str:
    """What is printed at 80 columns."""
    out = erlangen(*args, cwd=cwd, variables={"COLUMNS": "80"})
    assert out.returncode == 0, out.stderr
    assert max(map(len, out.stdout.splitlines())) <= 80
    return out.stdout


def in_one_line(text: str) -> str:
    return " ".join(text.split())


def test_list_groups_experiments_by_topic_with_question_and_times(tmp_path: Path):
    text = shown("list", cwd=tmp_path)
    headings = [line for line in text.splitlines() if line and not line.startswith((" ", "Times"))]
    assert headings == ["Convolutional networks", "Transformers", "Graph networks", "Foundations"]
    assert all(f"  {name} " in text for name in names())
    assert text.index("Foundations") < text.index("cora-accuracy")
    assert text.index("Graph networks") < text.index("oversmoothing") < text.index("Foundations")
    assert "Does it learn absolute place" in in_one_line(text)
    assert "CORA: quick" in text


def test_list_as_data(tmp_path: Path):
    listed = json.loads(shown_json("list", cwd=tmp_path))["experiments"]
    padding = next(entry for entry in listed if entry["name"] == "padding")
    assert padding["claims"] == ["C1", "C2", "C3", "C4", "C5", "C8"]
    assert padding["topic"] == "cnns"
    assert 0 < padding["seconds"]["quick"] <= 90
    assert padding["seconds"]["quick"] < padding["seconds"]["standard"] <= 6000


@pytest.mark.parametrize("name", names())
def test_quick_takes_as_long_as_we_say(name: str):
    """CONTRIBUTING.md, the README and docs/experiments.md: about a minute on two cores."""
    estimate = expected_seconds(planned_jobs(name, load(name).PRESETS["quick"]), 2)
    assert estimate <= 75


def shown_json(*args: object, cwd: Path) -> str:
    out = erlangen(*args, "--json", "-", cwd=cwd)
    assert out.returncode == 0, out.stderr
    return out.stdout


def test_show_alone_lists_every_claim_and_where_it_stands(tmp_path: Path):
    text = in_one_line(shown("show", cwd=tmp_path))
    for claim in catalog().values():
        assert f"{claim.id} " in text
        assert in_one_line(claim.statement) in text
    assert "CORA not run" in text
    rows = json.loads(shown_json("show", cwd=tmp_path))["claims"]
    assert [row["id"] for row in rows if row["topic"] != "foundations"] == list(catalog())
    assert {row["id"] for row in rows if row["how"]} >= {"C1", "G3", "T9", "CORA"}
    assert {row["answer"] for row in rows} == {None}


def test_without_a_run_the_documented_answer_is_shown_and_enters_no_result(tmp_path: Path):
    text = in_one_line(shown("show", cwd=tmp_path))
    documented = documented_answers()
    assert text.count("Documented: ") == len(catalog()) + 1
    for entry in documented:
        assert f"{entry.answer} ({entry.experiment}, {entry.settings})" in text
    text = in_one_line(shown("show", "G1", cwd=tmp_path))
    (entry,) = (entry for entry in documented if entry.claim == "G1")
    assert f"Documented: {entry.answer} (graph-algebra, {entry.settings}). {entry.sentence}" in text
    assert text.endswith("docs/claims.md has the numbers.")
    row = json.loads(shown_json("show", "G1", cwd=tmp_path))
    assert (row["answer"], row["sentence"], row["verdicts"]) == (None, None, [])
    assert row["documented"] == [asdict(entry)]


def test_a_claim_without_an_experiment_says_so(tmp_path: Path):
    rows = json.loads(shown_json("show", cwd=tmp_path))["claims"]
    waiting = [row["id"] for row in rows if not row["how"]]
    for claim in waiting[:1]:
        text = shown("show", claim.lower(), cwd=tmp_path)
        assert in_one_line(catalog()[claim].statement) in in_one_line(text)
        assert all(in_one_line(quote) in in_one_line(text) for quote in catalog()[claim].quotes)
        assert "No experiment judges this claim yet." in text
        out = erlangen("run", claim, cwd=tmp_path)
        assert out.returncode == 2
        assert f"no experiment judges {claim} yet; `erlangen show {claim}`" in out.stderr


def test_a_claim_shows_its_result_and_skips_folders_that_cannot_be_read(tmp_path: Path):
    assert "No result in runs/ yet. Run it with `erlangen run G1`." in shown("show", "g1", cwd=tmp_path)
    erlangen("run", "graph-algebra", "--seeds", "2", cwd=tmp_path)
    damaged = tmp_path / "runs" / "old"
    damaged.mkdir()
    (damaged / "run.json").write_text('{"schema": 1}')
    (damaged / "verdicts.json").write_text("[]")
    out = erlangen("show", "g1", cwd=tmp_path)
    assert "Result from runs/graph-algebra-quick: quick preset, 2 seeds." in out.stdout
    assert "✗ refuted" in out.stdout
    assert out.stderr.count("\n") == 1
    assert out.stderr.startswith("skipped: runs/old/")
    row = json.loads(shown_json("show", "G1", cwd=tmp_path))
    assert row["answer"] == "partly"
    assert [verdict["claim"] for verdict in row["verdicts"]] == ["G1"] * len(row["verdicts"])
    assert "G1    partly" in (text := shown("show", cwd=tmp_path))
    assert f"Answer: {row['sentence']}" in in_one_line(text)
    assert "Documented" not in in_one_line(text).split("G1 partly")[1].split("G2 ")[0]


def test_an_experiment_shows_its_claims_and_how_to_run_it(tmp_path: Path):
    text = shown("show", "padding", cwd=tmp_path)
    assert "  C5    not run" in text
    assert "Net1 is the pooled net" in in_one_line(text)
    assert "sconv adds one pixel of zeros, fconv two" in in_one_line(text)
    assert f"with times for {cores()} idle cores" in text
    assert "erlangen run padding" in text


@pytest.mark.parametrize("name", names())
def test_every_recipe_has_its_keys_in_words(name: str):
    presets = load(name).PRESETS
    keys = recipe_keys(presets)
    assert {key.name for key in keys} >= {"seeds"}
    assert all(key.values.keys() == presets.keys() for key in keys)
    assert not [key for key in keys if "typing." in key.kind or "<" in key.kind]


@pytest.mark.parametrize("name", names())
def test_every_key_of_a_recipe_is_explained(name: str):
    keys = recipe_keys(load(name).PRESETS)
    assert [key.name for key in keys if not key.explanation or key.explanation.endswith(",.")] == []


def test_keys_have_type_bounds_default_and_explanation(lab: Path):
    text = in_one_line(shown("show", "my_lab", "--keys", cwd=lab))
    assert "seeds integer at least 1 Number of random seeds" in text
    assert "Default: 2 (quick); 5 (standard)" in text
    assert "wait number at least 0" in text
    assert "tasks list (one of add, wait, fail" in text
    assert "where text A folder for marks that outlive a job. Default: empty" in text


@pytest.mark.parametrize(
    ("hint", "words"),
    [
        (Annotated[int, Ge(1), Le(1000)], "integer from 1 to 1000"),
        (Annotated[float, Gt(0)], "number above 0"),
        (Annotated[float, Ge(0), Lt(1)], "number at least 0 below 1"),
        (tuple[Annotated[float, Ge(0), Le(0.5)], ...], "list (number from 0 to 0.5)"),
        (Literal["blocks", "cora"], "one of blocks, cora"),
        (int | None, "integer"),
        (bool, "true or false"),
        (str, "text"),
    ],
)
def test_types_in_words(hint: object, words: str):
    assert in_words(hint) == words


def test_a_docstring_explains_its_keys():
    text = """Which rows to train.

    rows: of the table, in order; fit: validation accuracy, in percent, of a row
    in `rows: all`. draws: how many.
    """
    assert explanations(text, ["rows", "fit", "draws", "seeds"]) == {
        "rows": "of the table, in order.",
        "fit": "validation accuracy, in percent, of a row in `rows: all`.",
        "draws": "how many.",
    }


def test_the_users_own_experiment_and_its_claims(lab: Path):
    text = shown("show", "my_lab", cwd=lab)
    assert "Y1    not run" in text
    assert "One and one is two." in text
    text = shown("show", "y1", cwd=lab)
    assert "How my_lab measures it: By adding." in text
    assert "No result in runs/ yet. Run it with `erlangen run Y1`." in text
    assert erlangen("run", "y1", cwd=lab).returncode == 0
    text = shown("show", "y1", cwd=lab)
    assert "How my_lab measures it: By adding." in text
    assert "✓ supported" in text
    assert "Y1    supported" in shown("show", cwd=lab)


def test_a_smaller_run_does_not_hide_a_fuller_one(lab: Path):
    """Every line says which folder and preset it is from; of equally full runs the newest counts."""
    for args in (("--preset", "standard"), ("--seeds", "1"), ("--seeds", "3", "--out", "runs/three")):
        assert erlangen("run", "my_lab", *args, cwd=lab).returncode == 0
    for command in (("show",), ("show", "my_lab")):
        assert "From runs/my_lab-standard: standard preset, 5 seeds." in in_one_line(shown(*command, cwd=lab))
    text = in_one_line(shown("show", "Y1", cwd=lab))
    assert "Result from runs/my_lab-standard: standard preset, 5 seeds." in text
    assert "This is the run with the most seeds (the newest, if several have as many)." in text
    assert "Cite as: Y1, “One and one is two”: supported (erlangen " in text
    assert "(runs/three, runs/my_lab-quick)" in text
    row = json.loads(shown_json("show", "Y1", cwd=lab))
    assert (row["preset"], row["seeds"], row["others"]) == ("standard", 5, ["runs/three", "runs/my_lab-quick"])


FAULTS = {
    "unknown claim": (("show", "C55"), "did you mean 'C5'?"),
    "unknown experiment": (("show", "pading"), "did you mean 'padding'?"),
    "a module": (("show", "json"), "there is no experiment 'json'"),
    "keys of nothing": (("show", "--keys"), "--keys: name an experiment"),
    "unwritable file": (("list", "--json", "/dev/null/x"), "cannot write /dev/null/x: "),
}


@pytest.mark.parametrize("name", FAULTS)
def test_an_error_of_the_user_is_one_line(name: str, tmp_path: Path):
    args, words = FAULTS[name]
    out = erlangen(*args, cwd=tmp_path)
    assert (out.returncode, out.stderr.count("\n")) == (2, 1), out.stderr
    assert words in out.stderr
    assert "--out" not in out.stderr, "these commands have no such option"


def test_a_topic_shows_its_claims(tmp_path: Path):
    text = shown("show", "graphs", cwd=tmp_path)
    assert "G1 " in text
    assert "C1 " not in text
    assert "T1 " not in text
    assert "C1 " in shown("show", "all", cwd=tmp_path)
