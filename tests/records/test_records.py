"""Laws of the records: what is written is read back; what was changed since is noticed."""

from __future__ import annotations

import json
import math
import os
import time
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from erlangen.errors import DamagedFileError, ErlangenError, NewerSchemaError, OlderSchemaError
from erlangen.records.files import SCHEMA, from_json, to_json, write_atomically
from erlangen.records.runs import Answer, Figure, Figures, Group, Job, JobResult, Measurement, Run, Verdict

text = st.text(max_size=20)
finite = st.floats(allow_nan=False, allow_infinity=False)
scalars = st.none() | st.booleans() | st.integers(-(2**40), 2**40) | finite | text
facts = st.dictionaries(text, scalars, max_size=4)
params = st.dictionaries(text, scalars | st.lists(scalars, max_size=3).map(tuple), max_size=4)
ends = st.none() | st.tuples(st.none() | finite, st.none() | finite)
groups = st.lists(st.builds(Group, name=text, mean=st.none() | finite, interval=ends, unit=text), max_size=2).map(tuple)
values = st.none() | finite | st.lists(st.none() | finite, max_size=5).map(tuple)
measurements = st.lists(st.builds(Measurement, text, values, text), max_size=5).map(tuple)
job_results = st.builds(
    JobResult,
    key=text,
    experiment=text,
    params=params,
    seed=st.integers(0, 10**6),
    precision=text,
    device=text,
    measurements=measurements,
    seconds=st.none() | finite,
    machine=text,
)
verdicts = st.builds(
    Verdict,
    claim=text,
    part=text,
    of=st.sampled_from(["report", "rival", "extension", "control"]),
    kind=st.sampled_from(["exact", "statistical"]),
    statement=text,
    verdict=st.sampled_from(["supported", "refuted", "inconclusive", "not measured"]),
    corrected=st.none() | text,
    effect=st.none() | finite,
    interval=ends,
    region=ends,
    level=st.none() | finite,
    groups=groups,
    n=st.integers(0, 10**6),
    published=st.none() | finite,
)
figures = st.builds(
    Figure,
    name=text,
    title=text,
    caption=text,
    columns=st.lists(text, max_size=3).map(tuple),
    rows=st.lists(st.lists(scalars, max_size=3).map(tuple), max_size=3).map(tuple),
    spec=st.none() | st.dictionaries(text, scalars, max_size=3),
)
shown = st.builds(Figures, question=text, figures=st.lists(figures, max_size=2).map(tuple))
answers = st.builds(
    Answer,
    claim=text,
    answer=st.sampled_from(["supported", "partly", "refuted", "inconclusive", "not measured"]),
    sentence=text,
    figure=text,
)
runs = st.builds(
    Run,
    experiment=text,
    preset=text,
    recipe=facts,
    command=text,
    precision=text,
    device=text,
    workers=st.integers(1, 64),
    jobs=st.lists(text, max_size=3).map(tuple),
    versions=st.dictionaries(text, text, max_size=3),
    machine=facts,
    title=text,
)


@given(job_results | verdicts | answers | shown | runs)
def test_what_is_written_is_read_back(record):
    assert from_json(type(record), json.loads(json.dumps(to_json(record)))) == record


@given(st.sampled_from([math.nan, math.inf, -math.inf]))
def test_numbers_that_are_not_finite_are_read_back_as_missing(number):
    result = JobResult(
        key="k",
        experiment="e",
        params={},
        seed=0,
        precision="float32",
        device="cpu",
        measurements=(Measurement("one", number), Measurement("many", (1.0, number))),
    )
    data = json.loads(json.dumps(to_json(result), allow_nan=False))
    back = from_json(JobResult, data)
    assert back.measurements == (Measurement("one", None), Measurement("many", (1.0, None)))
    assert math.isnan(back.value("one"))
    assert math.isnan(back.values("many")[1])


def test_a_missing_measurement_is_nan_never_zero():
    result = JobResult(key="k", experiment="e", params={}, seed=0, precision="float32", device="cpu", measurements=())
    assert math.isnan(result.value("absent"))
    assert result.values("absent") == ()


VERDICT = to_json(Verdict(claim="C1", part="p", of="report", kind="exact", statement="s", verdict="supported"))


@pytest.mark.parametrize(
    ("change", "error", "word"),
    [
        ({"schema": SCHEMA + 1}, NewerSchemaError, "upgrade"),
        ({"schema": SCHEMA - 1}, OlderSchemaError, "older version"),
        ({"schema": "1"}, DamagedFileError, "schema"),
        ({"of": "nobody"}, DamagedFileError, "of"),
        ({"verdict": "proved"}, DamagedFileError, "verdict"),
        ({"n": "many"}, DamagedFileError, "n"),
        ({"n": 1.5}, DamagedFileError, "n"),
        ({"n": "3"}, DamagedFileError, "n"),
        ({"mood": "good"}, DamagedFileError, "mood"),
    ],
)
def test_a_record_that_was_tampered_with_is_named(change, error, word):
    with pytest.raises(error, match=word):
        from_json(Verdict, {**VERDICT, **change}, "verdicts.json")


@pytest.mark.parametrize("data", [None, [], 3, "text", {}, {"claim": "C1"}])
def test_what_is_no_record_is_damaged(data):
    with pytest.raises(DamagedFileError):
        from_json(Verdict, data)


def test_a_missing_field_is_named():
    with pytest.raises(DamagedFileError, match="statement"):
        from_json(Verdict, {name: value for name, value in VERDICT.items() if name != "statement"})


JOB = Job(experiment="padding", params={"net": "Net1", "epochs": 50}, seed=3)


@pytest.mark.parametrize(
    "other",
    [
        replace(JOB, experiment="other"),
        replace(JOB, params={"net": "Net2", "epochs": 50}),
        replace(JOB, params={"net": "Net1", "epochs": 51}),
        replace(JOB, seed=4),
        replace(JOB, precision="bfloat16"),
        replace(JOB, device="cuda"),
    ],
)
def test_what_decides_the_numbers_changes_the_key(other):
    assert other.key("code") != JOB.key("code")


def test_the_code_changes_the_key():
    assert JOB.key("code") != JOB.key("other code")


@pytest.mark.parametrize(
    "same",
    [
        replace(JOB, seconds=99.0),
        replace(JOB, params={"epochs": 50, "net": "Net1"}),
    ],
)
def test_estimates_and_order_do_not_change_the_key(same):
    assert same.key("code") == JOB.key("code")


def test_all_devices_of_a_type_share_a_key():
    assert replace(JOB, device="cuda:0").key("code") == replace(JOB, device="cuda:1").key("code")


def test_a_failed_write_keeps_the_old_file_and_leaves_nothing(tmp_path: Path, monkeypatch):
    path = tmp_path / "file.json"
    write_atomically(path, "old")

    def full(*args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(ErlangenError, match="No space left") as caught:
        write_atomically(path, "new")
    assert caught.value.exit_code == 2
    assert path.read_text() == "old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["file.json"]


def test_a_write_replaces_the_whole_file(tmp_path: Path):
    path = tmp_path / "deep" / "file.json"
    write_atomically(path, "a long first text")
    write_atomically(path, "short")
    assert path.read_text() == "short"


def test_what_a_killed_run_left_half_written_goes_after_an_hour(tmp_path: Path):
    path = tmp_path / "last[1].safetensors"
    old, fresh, other = (tmp_path / name for name in (f".{path.name}.a1.tmp", f".{path.name}.b2.tmp", ".best.safetensors.c3.tmp"))
    for left in (old, fresh, other):
        left.write_bytes(b"half")
    for left in (old, other):
        os.utime(left, (time.time() - 4000,) * 2)
    write_atomically(path, "whole")
    assert sorted(tmp_path.iterdir()) == sorted([path, fresh, other])
