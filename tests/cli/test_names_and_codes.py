"""What may be named on the command line, and which exit code a run ends with."""

from __future__ import annotations

import pytest

from erlangen.cli.exit_codes import exit_code, worst
from erlangen.cli.targets import experiments_named
from erlangen.cli.verdict_text import unmeasured
from erlangen.errors import ErlangenError
from erlangen.experiments import names
from erlangen.records.runs import Answer, Of, Outcome, Verdict


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        (["padding"], ["padding"]),
        (["C5"], ["padding", "padding-causes"]),
        (["c8", "C1"], ["padding"]),
        (["CORA"], ["cora-accuracy"]),
        (["G9", "g10", "padding"], ["transformer-as-graph", "graph-cost", "padding"]),
        (["support.toy", "G1"], ["support.toy", "graph-algebra"]),
        (["foundations"], ["cora-accuracy"]),
    ],
)
def test_names_stand_for_experiments(typed: list[str], expected: list[str]):
    assert experiments_named(typed) == expected


def test_topics_and_all_stand_for_many():
    everything = experiments_named(["all"])
    assert sorted(everything) == names()
    assert [*experiments_named(["cnns", "transformers", "graphs", "foundations"])] == everything
    assert set(experiments_named(["graphs"])) >= {"graph-algebra", "graph-cost", "oversmoothing"}
    assert "padding" in experiments_named(["cnns"])


def test_a_claim_that_no_experiment_judges_yet(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("erlangen.cli.targets.judges", lambda claim: [])
    with pytest.raises(ErlangenError, match="no experiment judges C6 yet; `erlangen show C6` shows the claim"):
        experiments_named(["c6"])


def verdict(of: Of, outcome: Outcome) -> Verdict:
    return Verdict(claim="X1", part="sum", of=of, kind="exact", statement="One and one is two.", verdict=outcome)


@pytest.mark.parametrize("of", ["report", "rival", "claim", "extension", "control"])
@pytest.mark.parametrize(
    ("outcome", "code", "strictly"), [("supported", 0, 0), ("refuted", 0, 1), ("inconclusive", 0, 1), ("not measured", 5, 5)]
)
def test_strict_fails_what_the_report_a_rival_or_a_control_states(of: Of, outcome: Outcome, code: int, strictly: int):
    judged = [verdict("report", "supported"), verdict(of, outcome)]
    assert exit_code(judged, False, strict=False) == code
    assert exit_code(judged, False, strict=True) == (0 if (of, strictly) == ("extension", 1) else strictly)
    assert exit_code(judged, True, strict=True) == 4
    assert exit_code([], False, strict=False) == 5


def test_a_claim_that_was_asked_for_and_has_no_verdict_or_no_answer_was_not_measured():
    judged = [verdict("report", "supported")]
    open_one = Answer(claim="X1", answer="not measured", sentence="It needs more.")
    assert [unmeasured(asked, judged) for asked in ([], ["X1"], ["X1", "X2"])] == [[], [], ["X2"]]
    assert unmeasured(["X1"], judged, [open_one]) == ["X1"]
    assert [exit_code(judged, False, False, absent) for absent in ([], ["X2"])] == [0, 5]


def test_the_worst_code_of_several():
    assert [worst(codes) for codes in ([], [0, 0], [1, 0], [0, 5, 1], [5, 2], [1, 4, 5, 2])] == [0, 0, 1, 5, 2, 4]
