"""Verdicts in a terminal: the answer first, every part with its statement, nothing that nobody said called refuted."""

from __future__ import annotations

from dataclasses import replace

import pytest

from erlangen.cli.text import print_text
from erlangen.cli.verdict_text import print_claims
from erlangen.records.runs import Answer, Of, Verdict

PART = Verdict(
    claim="C5", part="order", of="report", kind="statistical", statement="Test accuracy is higher with sconv than with valid.",
    verdict="supported", effect=6.27, interval=(4.1, 8.5), region=(0.0, None), unit="points of test accuracy", n=10, level=0.99,
)  # fmt: skip
ANSWER = Answer(claim="C5", answer="partly", sentence="Accuracy rises from 0.1 % (valid) to 89.0 % (fconv), but not by the size.")


@pytest.fixture(autouse=True)
def eighty_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")


def shown(capsys: pytest.CaptureFixture[str], *verdicts: Verdict) -> str:
    print_claims([ANSWER], verdicts)
    return capsys.readouterr().out


def test_the_answer_stands_first_and_the_parts_below_it(capsys: pytest.CaptureFixture[str]):
    assert (
        shown(capsys, replace(PART, published=6.3, sensitive="inconclusive with an edge twice as large", note="Paired by seed."))
        == """\
C5  partly  Accuracy rises from 0.1 % (valid) to 89.0 % (fconv), but not by the
            size.

  Stated by the report:
  ✓ supported     Test accuracy is higher with sconv than with valid.
                  order: 6.27 [4.1 to 8.5] points of test accuracy, n = 10;
                  supported if > 0; published 6.3
                  Depends on the edge: inconclusive with an edge twice as large.
                  Note: Paired by seed.

Statements of the report and the literature: 1 supported. The intervals of a
claim hold together at 95 %.
"""
    )


@pytest.mark.parametrize(
    ("of", "label", "correction", "condition"),
    [
        ("report", "✗ refuted", "Corrected", "supported if"),
        ("rival", "✗ refuted", "Corrected", "supported if"),
        ("claim", "✗ refuted", "Corrected", "supported if"),
        ("extension", "≠ does not hold", "Instead", "holds if"),
        ("control", "✗ failed", "Corrected", "passes if"),
    ],
)
def test_what_is_outside_its_region(of: Of, label: str, correction: str, condition: str, capsys: pytest.CaptureFixture[str]):
    text = shown(capsys, replace(PART, of=of, verdict="refuted", corrected="It is lower."))
    assert f"  {label:<15} Test accuracy is higher" in text
    assert f"{correction}: It is lower." in text
    assert f"{condition} > 0" in text
    assert ("refuted" in text) == (of in ("report", "rival", "claim"))


def test_parts_are_grouped_by_whose_they_are_and_headlines_count_what_others_said(capsys: pytest.CaptureFixture[str]):
    parts = [
        replace(PART, part="a", of="control"),
        replace(PART, part="b", of="extension", verdict="refuted"),
        replace(PART, part="c", of="rival", verdict="inconclusive", next_step="about 12 seeds would decide"),
        replace(PART, part="d"),
        replace(PART, part="e", of="extension"),
    ]
    text = shown(capsys, *parts)
    headings = ["Stated by the report:", "Stated in the literature:", "Beyond the claim:", "Checks of the measurement:"]
    assert sorted(headings, key=text.index) == headings
    assert "About 12 seeds would decide.\n" in text
    summary = " ".join(text[text.index("Statements of") :].split())
    assert summary.startswith("Statements of the report and the literature: 1 supported, 1 inconclusive. ")
    assert "Judged beside them: 2 extensions and 1 check." in summary


def test_a_claim_of_the_users_own_is_a_heading_and_a_headline_of_its_own(capsys: pytest.CaptureFixture[str]):
    text = shown(capsys, replace(PART, of="claim", verdict="refuted"), replace(PART, part="more", of="extension"))
    assert text.index("  The claim:\n") < text.index("✗ refuted") < text.index("  Beyond the claim:\n")
    assert "Statements of the claim: 1 refuted. Judged beside them: 1 extension." in " ".join(text.split())
    both = " ".join(shown(capsys, PART, replace(PART, part="own", of="claim")).split())
    assert "Statements of the report and the literature and the claim: 2 supported." in both


def test_an_answer_about_a_graph_of_the_users_does_not_read_as_the_claims(capsys: pytest.CaptureFixture[str]):
    about = "on your graph (my.npz): does not judge the report's statement"
    print_claims([replace(ANSWER, answer="supported", beyond=about)], [replace(PART, of="extension")])
    text = " ".join(capsys.readouterr().out.split())
    assert text.startswith("C5 beyond the claim On your graph (my.npz): does not judge the report's statement. Accuracy rises")


def test_a_claim_that_was_asked_for_and_not_measured_has_its_block(capsys: pytest.CaptureFixture[str]):
    missing = Answer(claim="C8", answer="not measured", sentence="This run did not measure the claim: it needs a row.")
    print_claims([ANSWER, missing], [PART], asked=["C5", "C8", "C9"])
    text = " ".join(capsys.readouterr().out.split())
    assert text.count("C5 partly") == 1
    assert "C8 not measured This run did not measure the claim: it needs a row." in text
    assert "C9 not measured This run did not measure the claim: no job of its recipe does." in text


def test_a_claim_that_was_not_measured_is_listed_though_nobody_asked_for_it_by_its_id(capsys: pytest.CaptureFixture[str]):
    missing = Answer(claim="C8", answer="not measured", sentence="This run did not measure the claim: it needs a row.")
    print_claims([ANSWER, missing], [PART])
    assert "C8  not measured  This run did not measure the claim: it needs a row." in capsys.readouterr().out


def test_a_part_that_was_not_measured_says_why(capsys: pytest.CaptureFixture[str]):
    missing = replace(
        PART, verdict="not measured", effect=None, interval=None, n=0, next_step="no result of job 3: run the same command again"
    )
    text = shown(capsys, missing)
    assert "  – not measured  Test accuracy" in text
    assert "order: supported if > 0\n" in text
    assert "No result of job 3: run the same command again.\n" in text


def test_counted_parts(capsys: pytest.CaptureFixture[str]):
    counted = replace(
        PART, kind="exact", effect=3.0, interval=(3.0, 3.0), region=(0.0, 0.0), unit="pixels", n=12, verdict="refuted"
    )
    assert "order: 3 pixels, 12 cases; supported if none\n" in shown(capsys, counted)


@pytest.mark.parametrize("columns", [40, 80, 120])
def test_lines_fit_and_keep_numbers_together(columns: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    monkeypatch.setenv("COLUMNS", str(columns))
    print_text("accuracy of 81.5 % with n = 10 seeds " * 20, label=[("  C5  ", "bold")])
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= min(columns, 100)
    assert not any(line.endswith((" n", "=", "81.5")) for line in lines)
    assert all(line.startswith("      ") for line in lines[1:])
