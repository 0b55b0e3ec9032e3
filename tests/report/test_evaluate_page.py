"""The page of an evaluation: quiet, one file, every number that of the record, every copied stretch marked and nothing else."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from support.figures import assert_drawn
from support.pages import opened

from erlangen.records.evaluation import Continuation, Copying, Evaluated, Point, Score, Share
from erlangen.report.evaluate_page import SHOWN, curve, evaluate_html, pieces, summary

HOSTILE = """</script><script>window.broken = 1</script><img src=x onerror="window.broken = 2">'"&amp;<b>{{ 7 * 7 }}"""


def score(part: str, nats: float, how: str = "windows of 8", **more: Any) -> Score:
    return Score(
        part=part, evaluation=how, tokens=1234, nats_per_token=nats, interval=(nats - 0.04, nats + 0.04),
        bits_per_byte=1.4 * nats, **more,
    )  # fmt: skip


def share(texts: str, n: int, unit: str, value: float | None) -> Share:
    ends = (None, None) if value is None else (value / 2, value * 2)
    return Share(texts=texts, n=n, unit=unit, share=value, interval=ends)


def continuation(k: int) -> Continuation:
    return Continuation(
        prompt=f"Passage {k} was ", written="new and then an old stretch of words", written_copied=((13, 23),),
        own="given by the book", own_copied=(),
    )  # fmt: skip


COPYING = Copying(
    tokens=36, temperature=0.8, seed=3, stretch=10,
    shares=(
        share("written", 5, "words", 0.0312), share("own", 5, "words", 0.0004),
        share("written", 10, "characters", 0.27), share("own", 10, "characters", None),
    ),
    continuations=tuple(continuation(k) for k in range(SHOWN + 2)),
)  # fmt: skip
RECORD = Evaluated(
    corpus="grimm",
    scores=(
        score("train", 0.947), score("validation", 1.191), score("test", 1.234),
        score("train", 0.893, "sliding"), score("validation", 1.147, "sliding"), score("test", 1.194, "sliding"),
    ),
    history=tuple(Point(step=100 * k, train_loss=2 / k, validation_loss=2 / k + 0.02 * k * k) for k in range(1, 7)),
    step=400, view=152.3, copying=COPYING, model="gpt-nano, 0.09 M parameters", source="runs/gpt/x",
    command="erlangen gpt evaluate x", versions={"torch": "2"}, machine={"system": "Linux", "memory_gib": 24},
)  # fmt: skip


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1200, 390])
def test_it_is_drawn_quietly_and_fits(browser: Any, tmp_path: Path, scheme: str, width: int):
    page, complaints, requests = opened(browser, tmp_path, evaluate_html(RECORD), scheme, width)
    assert complaints == []
    assert [url for url in requests if not url.startswith(("file:", "data:", "blob:"))] == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.locator("#chart-curve svg").count() == 1
    page.close()


def test_numbers_on_the_page_are_those_of_the_record(browser: Any, tmp_path: Path):
    page, _, _ = opened(browser, tmp_path, evaluate_html(RECORD))
    rows = [row.inner_text().split("\t") for row in page.locator("#losses tbody tr").all()]
    assert [row[0] for row in rows if len(row) == 1] == ["windows of 8", "sliding"]
    numbers = [row for row in rows if len(row) > 1]
    assert [(row[0], row[1]) for row in numbers] == [(one.part, f"{one.nats_per_token:.3f}") for one in RECORD.scores]
    assert numbers[0][2:] == ["0.907 to 0.987", "1.326", "1,234"]
    shares = [row.inner_text().split("\t") for row in page.locator("#copying tbody tr").all()]
    assert shares[0] == ["5 words in a row", "the model's text", "3.12 %", "1.56 % to 6.24 %"]
    assert shares[3] == ["10 characters in a row", "the real continuation", "–", "– to –"]
    page.locator("#curve summary").click()
    curve_rows = [row.inner_text().split("\t") for row in page.locator("#curve tbody tr").all()]
    assert curve_rows == [
        [str(point.step), f"{point.train_loss:.3f}", f"{point.validation_loss:.3f}"] for point in RECORD.history
    ]
    assert "after 400 steps" in page.locator("#curve .caption").inner_text()
    assert "In 152 steps, each token of the training text is seen once" in page.locator("#curve .caption").inner_text()
    page.close()


def test_copied_stretches_are_marked_and_nothing_else(browser: Any, tmp_path: Path):
    page, _, _ = opened(browser, tmp_path, evaluate_html(RECORD))
    assert page.locator(".pair").count() == SHOWN
    assert page.locator(".pair mark").all_inner_texts() == ["an old str"] * SHOWN
    assert page.locator(".pair > p").first.inner_text() == "Passage 0 was new and then an old stretch of words"
    assert "given by the book" not in page.locator(".pair").first.inner_text(), "until it is asked for"
    page.locator(".pair summary").first.click()
    assert "Passage 0 was given by the book" in page.locator(".pair").first.inner_text()
    page.close()


def test_pieces_are_the_text_again():
    assert pieces("abcdef", ((0, 2), (4, 6))) == [("ab", True), ("cd", False), ("ef", True)]
    assert pieces("abc", ()) == [("abc", False)]
    assert pieces("", ()) == []


def test_the_curve_marks_the_least_validation_loss_and_can_be_printed():
    figure = curve(RECORD.history, None)
    assert_drawn([figure])
    assert figure.spec is not None
    assert figure.spec["layer"][0]["data"]["values"] == [{"step": 400}]
    assert "each token" not in figure.caption


def test_the_summary_says_what_was_measured():
    whole = summary(RECORD)
    assert whole.startswith(
        "The loss is 0.947 nats per token on the training text and 1.191 on held-out text. Of the phrases of 5"
    )
    assert "3.12 % occur in its training text; of those in the real continuations, 0.04 % do." in whole
    text = replace(RECORD, scores=(score("text", 2.5),), copying=None, corpus="a book")
    assert summary(text) == "The loss is 2.500 nats per token on a book."
    floor = {"floor": 0.3, "above_floor": 0.006, "above_floor_interval": (0.005, 0.007)}
    tales = replace(RECORD, scores=(score("train", 0.304, **floor), score("validation", 0.306, **floor)), copying=None)
    assert summary(tales).endswith("0.306 on held-out text, which is 2.0 % above the floor.")
    assert "0.0060 nats <small>(0.0050 to 0.0070)</small>, 2.0 %" in evaluate_html(tales)


@pytest.mark.parametrize("dropout", [0.0, 0.08])
def test_dropout_and_sliding_windows_are_named_where_they_are_used(dropout: float):
    html = evaluate_html(replace(RECORD, dropout=dropout))
    assert ("with dropout" in html) == ("without dropout" in html) == ("train, with dropout" in html) == (dropout > 0)
    assert "Sliding windows" in html
    assert "Sliding windows" not in evaluate_html(replace(RECORD, scores=RECORD.scores[:3]))


def test_of_another_text_there_is_a_loss_alone(browser: Any, tmp_path: Path):
    bare = Evaluated(corpus="x", scores=(score("text", 2.5),))
    html = evaluate_html(bare)
    assert len(html) < 40_000, "no script for charts where there is none"
    page, complaints, _ = opened(browser, tmp_path, html)
    assert complaints == []
    assert page.locator("#curve, #copying").count() == 0
    page.close()


def test_nothing_in_a_record_is_taken_for_code(browser: Any, tmp_path: Path):
    end = len(HOSTILE)
    text = Continuation(prompt=HOSTILE, written=HOSTILE, written_copied=((0, end),), own=HOSTILE, own_copied=((2, end),))
    record = replace(
        RECORD, corpus=HOSTILE, model=HOSTILE, source=HOSTILE, command=HOSTILE, notes=(HOSTILE,),
        copying=replace(COPYING, continuations=(text,)),
    )  # fmt: skip
    page, complaints, _ = opened(browser, tmp_path, evaluate_html(record))
    assert complaints == []
    assert page.evaluate("window.broken") is None
    assert page.locator("main img, main b").count() == 0
    assert page.locator(".pair mark").first.inner_text() == HOSTILE
    assert not re.search(r"\b49\b", page.locator("header").inner_text())
    page.close()
