"""A result folder never misreads a file, and never throws one away."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from erlangen.errors import ErlangenError, NewerSchemaError
from erlangen.records.runs import Findings, JobResult, Measurement, Run, Verdict
from erlangen.sweep.store import Store

RESULT = JobResult(
    key="0123456789abcdef",
    experiment="toy",
    params={"task": "add"},
    seed=1,
    precision="float32",
    device="cpu",
    measurements=(Measurement("sum", 2.0),),
)
RUN = Run(
    experiment="toy",
    preset="quick",
    recipe={},
    command="erlangen run toy",
    precision="float32",
    device="cpu",
    workers=1,
    jobs=(RESULT.key,),
    versions={},
    machine={},
)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "run")


def test_what_is_saved_is_found(store: Store):
    store.save(RESULT)
    said: list[str] = []
    assert store.load([RESULT.key, "absent"], said.append) == {RESULT.key: RESULT}
    assert not said


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: text[: len(text) // 2],
        lambda text: "",
        lambda text: "[]",
        lambda text: text.replace('"value": 2.0', '"value": 3.0'),
        lambda text: text.replace('"seed": 1', '"seed": 2'),
        lambda text: json.dumps({name: value for name, value in json.loads(text).items() if name != "checksum"}),
        lambda text: json.dumps({name: value for name, value in json.loads(text).items() if name != "measurements"}),
        lambda text: "\x00" * len(text),
    ],
    ids=["truncated", "empty", "no-object", "edited-value", "edited-seed", "no-checksum", "no-measurements", "zeroed"],
)
def test_a_damaged_file_is_set_aside_and_named(store: Store, damage):
    store.save(RESULT)
    path = store.path(RESULT.key)
    damaged = damage(path.read_text())
    path.write_text(damaged)
    said: list[str] = []
    assert store.load([RESULT.key], said.append) == {}
    assert len(said) == 1
    assert path.name in said[0]
    assert not path.exists()
    assert path.with_suffix(".damaged").read_text() == damaged


def test_a_second_damaged_file_does_not_overwrite_the_first(store: Store):
    for text in ("first", "second"):
        store.save(RESULT)
        store.path(RESULT.key).write_text(text)
        store.load([RESULT.key], lambda line: None)
    assert store.path(RESULT.key).with_suffix(".damaged").read_text() == "first"
    assert store.path(RESULT.key).with_suffix(".damaged-2").read_text() == "second"


def test_a_file_of_another_job_under_this_name_is_damaged(store: Store):
    store.save(RESULT)
    other = store.path("fedcba9876543210")
    store.path(RESULT.key).rename(other)
    assert store.load([other.stem], lambda line: None) == {}


def test_a_newer_file_is_refused_not_set_aside(store: Store):
    store.save(RESULT)
    path = store.path(RESULT.key)
    path.write_text(path.read_text().replace('"schema": 1', '"schema": 99'))
    with pytest.raises(NewerSchemaError, match="99"):
        store.load([RESULT.key], lambda line: None)
    assert path.exists()


def test_a_folder_of_another_experiment_is_refused(store: Store):
    store.open(RUN).close()
    with pytest.raises(ErlangenError, match="'toy'"):
        store.open(replace(RUN, experiment="padding"))


def test_one_run_a_folder_at_a_time(store: Store):
    with store.open(RUN), pytest.raises(ErlangenError, match="another run"):
        store.open(RUN)
    store.open(RUN).close()


def test_conclusions_of_other_jobs_do_not_stay(store: Store):
    store.open(RUN).close()
    store.conclude([Verdict(claim="X", part="p", kind="exact", statement="s", verdict="supported")], Findings(asked="", found=""))
    store.open(RUN).close()
    assert (store.folder / "verdicts.json").exists()
    store.open(replace(RUN, jobs=("other",))).close()
    assert not (store.folder / "verdicts.json").exists()


@pytest.mark.parametrize("where", ["/dev/null/run", "/proc/run"])
def test_an_unwritable_folder_is_one_clear_line(where: str):
    with pytest.raises(ErlangenError, match=where) as caught:
        Store(Path(where)).open(RUN)
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 2
