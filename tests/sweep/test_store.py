"""A result folder never misreads a file, and never throws one away."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from erlangen.errors import ErlangenError, NewerSchemaError, OlderSchemaError
from erlangen.records.files import SCHEMA
from erlangen.records.runs import Figures, JobResult, Measurement, Run, Verdict
from erlangen.sweep.store import CONCLUSIONS, Store

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
    recipe={"epochs": 5, "rows": ("a", "b"), "seeds": 3},
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
    path.write_text(path.read_text().replace(f'"schema": {SCHEMA}', '"schema": 99'))
    with pytest.raises(NewerSchemaError, match="99"):
        store.load([RESULT.key], lambda line: None)
    assert path.exists()


def test_a_folder_of_another_experiment_is_refused(store: Store):
    store.open(RUN).close()
    with pytest.raises(ErlangenError, match="'toy'"):
        store.open(replace(RUN, experiment="padding"))
    store.open(replace(RUN, experiment="padding"), force=True).close()


def test_one_run_a_folder_at_a_time(store: Store):
    with store.open(RUN), pytest.raises(ErlangenError, match="another run"):
        store.open(RUN)
    store.open(RUN).close()


def concluded(store: Store) -> dict[str, bytes]:
    """A finished run's files."""
    store.open(RUN).close()
    verdict = Verdict(claim="X", part="p", of="report", kind="exact", statement="s", verdict="supported")
    store.conclude([verdict], [], Figures(question="?"))
    (store.folder / "report.html").write_text("page")
    return files(store)


def files(store: Store) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in store.folder.iterdir()}


def has_conclusions(store: Store) -> bool:
    assert {(store.folder / name).exists() for name in CONCLUSIONS} in ({True}, {False})
    return (store.folder / "verdicts.json").exists()


def settings(**changes: object) -> Run:
    return replace(RUN, recipe={**RUN.recipe, **changes}, jobs=("other",))


ANOTHER = {
    "a key": (settings(epochs=6), "epochs was 5, now 6"),
    "a tuple": (settings(rows=("a",)), "rows was a,b, now a"),
    "fewer seeds": (settings(seeds=2), "seeds was 3, now 2"),
    "more seeds and a key": (settings(seeds=4, epochs=6), "epochs was 5, now 6, seeds was 3, now 4"),
    "a new key": (settings(margin=0.5), "margin was None, now 0.5"),
    "four keys": (settings(seeds=1, epochs=6, rows=(), margin=2), ", 1 more"),
    "preset": (replace(RUN, preset="standard"), "preset was quick, now standard"),
    "precision": (replace(RUN, precision="bfloat16"), "precision was float32, now bfloat16"),
    "device": (replace(RUN, device="cuda"), "device was cpu, now cuda"),
}


@pytest.mark.parametrize("what", ANOTHER)
def test_conclusions_of_another_recipe_are_replaced_by_force_alone(store: Store, what: str):
    before, (run, words) = concluded(store), ANOTHER[what]
    with pytest.raises(ErlangenError, match=words) as caught:
        store.open(run)
    assert files(store) == before
    assert caught.value.exit_code == 2
    assert "\n" not in str(caught.value)
    assert "--out" in str(caught.value)
    assert "--force" in str(caught.value)
    store.open(run, force=True).close()
    assert not has_conclusions(store) or run.jobs == RUN.jobs


SAME = {
    "nothing": RUN,
    "more seeds": settings(seeds=4),
    "code that has changed": replace(RUN, jobs=("other",)),
    "more workers": replace(RUN, workers=8, command="another"),
    "a list for a tuple": replace(RUN, recipe={**RUN.recipe, "rows": ["a", "b"]}),
}


@pytest.mark.parametrize("what", SAME)
def test_the_same_recipe_goes_on_and_conclusions_of_other_jobs_do_not_stay(store: Store, what: str):
    concluded(store)
    store.open(SAME[what]).close()
    assert has_conclusions(store) == (SAME[what].jobs == RUN.jobs)


def test_another_gpu_is_the_same_device(store: Store):
    store.open(replace(RUN, device="cuda:0")).close()
    (store.folder / "verdicts.json").write_text("[]")
    store.open(replace(RUN, device="cuda:1")).close()


def test_an_unfinished_run_of_another_recipe_has_nothing_to_lose(store: Store):
    store.open(RUN).close()
    store.save(RESULT)
    store.open(settings(epochs=6)).close()
    assert store.path(RESULT.key).exists()


def test_an_older_folder_is_refused_by_name(store: Store):
    concluded(store)
    path = store.folder / "run.json"
    path.write_text(path.read_text().replace(f'"schema": {SCHEMA}', '"schema": 1').replace('"workers"', '"number"'))
    before = files(store)
    with pytest.raises(OlderSchemaError, match="run was written by an older version") as caught:
        store.open(RUN)
    assert files(store) == before
    assert "--force" in str(caught.value)
    store.open(RUN, force=True).close()
    assert not has_conclusions(store)


def test_a_damaged_record_of_the_run_is_written_anew(store: Store):
    concluded(store)
    (store.folder / "run.json").write_text("{")
    store.open(RUN).close()
    assert not has_conclusions(store)


def test_what_is_refused_leaves_no_lock(store: Store):
    concluded(store)
    with pytest.raises(ErlangenError, match="another recipe") as caught:
        store.open(settings(epochs=6))
    store.open(RUN).close()  # although the exception, and with it the frames, is still alive
    assert caught.tb is not None


def test_results_that_are_forgotten_are_gone_with_what_was_concluded_from_them(store: Store):
    concluded(store)
    store.save(RESULT)
    store.forget([RESULT.key, "absent"])
    assert not store.path(RESULT.key).exists()
    assert not has_conclusions(store)


@pytest.mark.parametrize("where", ["/dev/null/run", "/proc/run"])
def test_an_unwritable_folder_is_one_clear_line(where: str):
    with pytest.raises(ErlangenError, match=where) as caught:
        Store(Path(where)).open(RUN)
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 2
