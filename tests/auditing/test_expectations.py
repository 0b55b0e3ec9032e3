"""What CI expects of an audit: a judgment for each check, from TOML or from a recorded audit; nothing may become worse."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest

from erlangen.errors import BREACHED, NOT_MEASURED, ErlangenError
from erlangen.records.audit import AuditRecord, Checked
from erlangen.records.expectations import Expectations, read_expectations, recorded_expectations
from erlangen.records.files import to_json
from erlangen.report.audit_junit import audit_junit

RECORD = AuditRecord(
    domain="images", inputs=3, shape="1 × 6 × 6", output="3", precision="float32", device="cpu", twin="float64", threshold=0.1,
    seed=0, spread=1.0, rms=1.0, checks=(),
)  # fmt: skip
JUDGMENTS = ("exact", "holds", "undecided", "broken", "not measured")


def record(**judgments: str) -> AuditRecord:
    checks = [Checked(name=name, kind="symmetry", judgment=judgment, reason="r") for name, judgment in judgments.items()]
    return replace(RECORD, checks=tuple(checks))


def code(expected: str, judgment: str) -> int:
    return Expectations({"a": expected}, "e.toml").exit_code(record(a=judgment))


@pytest.mark.parametrize(
    ("expected", "codes"),  # the codes in the order of JUDGMENTS
    [
        ("exact", [0, 1, 1, 1, 5]),
        ("holds", [0, 0, 1, 1, 5]),
        ("undecided", [0, 0, 0, 1, 5]),
        ("broken", [0, 0, 0, 0, 5]),
        ("ignored", [0, 0, 0, 0, 0]),
        ("not measured", [0, 0, 0, 1, 0]),  # of a recorded audit: what can be measured now is judged as usual
    ],
)
def test_worse_than_expected_is_a_failure(expected: str, codes: list[int]) -> None:
    assert [code(expected, judgment) for judgment in JUDGMENTS] == codes


def test_other_checks_are_judged_as_ever() -> None:
    expected = Expectations({"a": "broken"}, "e.toml")
    assert expected.exit_code(record(a="broken", b="exact")) == 0
    assert expected.exit_code(record(a="broken", b="broken")) == BREACHED
    assert expected.exit_code(record(a="broken", b="not measured")) == NOT_MEASURED
    assert expected.exit_code(record(a="broken", b="undecided")) == 0
    assert expected.exit_code(record(a="broken", b="undecided"), strict=True) == BREACHED


def test_an_expected_check_must_have_been_run() -> None:
    expected = Expectations({"a": "exact", "b": "holds", "c": "ignored"}, "e.toml")
    assert expected.missing(record(a="exact")) == ["b"]
    assert expected.exit_code(record(a="exact")) == NOT_MEASURED
    assert expected.exit_code(record(a="broken")) == BREACHED
    assert expected.missing(record(a="exact")) == ["b"]


def test_an_informational_check_counts_once_it_is_expected() -> None:
    told = replace(RECORD, checks=(Checked(name="a", kind="symmetry", judgment="broken", reason="r", informational=True),))
    assert Expectations({"a": "exact"}, "e.toml").exit_code(told) == BREACHED
    assert Expectations({"a": "broken"}, "e.toml").exit_code(told) == 0
    assert not Expectations({"a": "exact"}, "e.toml").applied(told).checks[0].informational


def test_a_record_of_another_model_is_said_and_one_of_another_domain_refused(tmp_path: Path) -> None:
    (tmp_path / "old.json").write_text(json.dumps(to_json(replace(record(a="broken", b="exact"), model="one"))))
    old = recorded_expectations(tmp_path / "old.json")
    other = replace(record(a="broken", b="exact"), model="another")
    assert old.summary(other)[0].endswith("this one of another")
    with pytest.raises(ErlangenError, match="nothing to compare"):
        old.check_domain("texts")
    old.check_domain(RECORD.domain)


def test_another_threshold_and_another_number_of_inputs_are_said(tmp_path: Path) -> None:
    (tmp_path / "old.json").write_text(json.dumps(to_json(replace(record(a="exact"), threshold=0.5, inputs=8))))
    old = recorded_expectations(tmp_path / "old.json")
    now = replace(record(a="exact"), threshold=0.1, inputs=4)
    assert [line.partition("old.json ")[2] for line in old.summary(now)] == [
        "has a threshold of 0.5, this audit one of 0.1",
        "is an audit of 8 inputs, this one of 4",
    ]
    assert old.summary(replace(now, threshold=0.5, inputs=8)) == []


def test_what_a_record_called_informational_may_be_left_out_and_counts_if_it_is_asked_for(tmp_path: Path) -> None:
    told = replace(
        record(a="broken", b="exact"),
        checks=(
            replace(record(a="broken").checks[0], informational=True),
            record(b="exact").checks[0],
        ),
    )
    (tmp_path / "old.json").write_text(json.dumps(to_json(told)))
    old = recorded_expectations(tmp_path / "old.json")
    assert old.exit_code(record(b="exact")) == 0  # a was not run
    assert old.exit_code(record(a="broken", b="exact")) == 0  # a was asked for by name, and is as it was
    assert old.exit_code(record(a="broken", b="holds")) == BREACHED


def test_what_is_worse_and_what_is_better_is_said() -> None:
    expected = Expectations({"a": "exact", "b": "broken", "c": "holds"}, "e.toml")
    assert expected.summary(record(a="holds", b="exact", c="holds")) == [
        "b is exact, better than the broken of e.toml",
    ]


def test_junit_fails_where_the_exit_code_does() -> None:
    expected = Expectations({"a": "broken", "b": "exact", "c": "exact", "d": "exact"}, "e.toml")
    suite = ElementTree.fromstring(audit_junit(expected.applied(record(a="broken", b="holds", c="not measured", d="exact"))))
    kinds = {
        case.get("name"): next((part.tag for part in case if part.tag != "system-out"), "") for case in suite.iter("testcase")
    }
    assert kinds == {"a": "skipped", "b": "failure", "c": "error", "d": ""}


def test_expectations_are_read_from_toml(tmp_path: Path) -> None:
    path = tmp_path / "e.toml"
    path.write_text('translation = "holds"  # of an image\ncausality = "ignored"\n')
    assert read_expectations(path).judgments == {"translation": "holds", "causality": "ignored"}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('translation = "hold"', r"translation = 'hold' is not a judgment; did you mean 'holds'\?"),
        ("translation = 3", "translation = 3 is not a judgment; expect one of exact, holds, undecided, broken, ignored"),
        ("[images]\ntranslation = 'exact'", "is not a judgment"),
        ("translation holds", "is not TOML"),
        (None, "cannot read .*: No such file"),
    ],
)
def test_what_is_no_expectation_is_refused(text: str | None, words: str, tmp_path: Path) -> None:
    if text is not None:
        (tmp_path / "e.toml").write_text(text)
    with pytest.raises(ErlangenError, match=words):
        read_expectations(tmp_path / "e.toml")


def test_a_recorded_audit_is_an_expectation(tmp_path: Path) -> None:
    path = tmp_path / "old.json"
    path.write_text(json.dumps(to_json(record(a="exact", b="broken", c="not measured"))))
    expected = recorded_expectations(path)
    assert expected.exit_code(record(a="exact", b="broken", c="not measured")) == 0
    assert expected.exit_code(record(a="exact", b="holds", c="exact")) == 0
    assert expected.exit_code(record(a="holds", b="broken", c="exact")) == BREACHED
    path.write_text(json.dumps({"schema": 2, "target": "m.py:f", "fault": "it failed", "exit_code": 4}))
    with pytest.raises(ErlangenError, match=r"old\.json records an audit that failed: it failed"):
        recorded_expectations(path)
