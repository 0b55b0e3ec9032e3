"""Numbers in words, and the rule as a picture."""

from __future__ import annotations

from dataclasses import replace
from xml.etree import ElementTree

import pytest

from erlangen.records.runs import Verdict
from erlangen.report.interval_plot import WIDTH, interval_plot
from erlangen.report.numbers import interval, measured, number, region

VERDICT = Verdict(
    claim="X1", part="a <b>", of="report", kind="statistical", statement="It is.", verdict="supported", effect=1.25,
    interval=(-0.5, 3.0), region=(-1.5, 4.0), unit="points", n=10, level=0.95,
)  # fmt: skip


@pytest.mark.parametrize(
    ("ends", "kind", "words"),
    [
        ((0.5, None), "statistical", "> 0.5"),
        ((1.0, None), "exact", "≥ 1"),
        ((None, 1.2), "statistical", "≤ 1.2"),
        ((-1.5, 1.5), "statistical", "within ±1.5"),
        ((-1.5, 4.0), "statistical", "between −1.5 and 4"),
        ((0.0, 0.0), "exact", "= 0"),
        ((None, None), "statistical", ""),
        (None, "statistical", ""),
    ],
)
def test_regions_in_words(ends, kind, words):
    assert region(replace(VERDICT, region=ends, kind=kind)) == words


def test_numbers_in_words():
    assert [number(value) for value in (None, 0.123456, -2.0, 1e-12, -0.0)] == ["–", "0.1235", "−2", "1e−12", "0"]
    assert [number(value) for value in (9999.5, 14990.0, -12345.6, 3e9)] == ["10000", "14990", "−12346", "3e+09"]
    assert interval((-0.5, 3.0)) == "−0.5 to 3"
    assert interval((None, 3.0)) == interval(None) == ""
    assert measured(VERDICT) == "1.25 [−0.5 to 3] points, n = 10"
    assert measured(replace(VERDICT, interval=(None, None))) == "1.25 points, n = 10"
    assert measured(replace(VERDICT, kind="exact", effect=0.0, interval=(0.0, 0.0), unit="", n=12)) == "0, 12 cases"
    assert measured(replace(VERDICT, effect=None)) == ""


def places(svg: str) -> dict[str, list[float]]:
    """x of everything that is drawn, by class; also shows that the picture is well-formed XML."""
    root = ElementTree.fromstring(svg)
    found: dict[str, list[float]] = {}
    for element in root:
        kind = element.get("class", element.tag)
        xs = [float(element.get(name, "nan")) for name in ("x", "x1", "x2", "cx") if element.get(name)]
        if element.tag == "rect":
            xs.append(xs[0] + float(element.get("width", "nan")))
        found.setdefault(kind, []).extend(xs)
    return found


@pytest.mark.parametrize(
    ("low", "high", "edges"),
    [
        (-0.5, 3.0, (-1.5, 4.0)),
        (-0.5, 3.0, (1.0, None)),
        (5.0, 6.0, (None, 1.2)),
        (0.0, 0.0, (0.0, 0.0)),
        (2.0, 2.0, (-1.0, 1.0)),
    ],
)
def test_the_picture_shows_the_interval_where_it_is(low, high, edges):
    drawn = places(interval_plot(replace(VERDICT, interval=(low, high), effect=(low + high) / 2, region=edges)))
    every = [x for xs in drawn.values() for x in xs]
    assert min(every) >= 0
    assert max(every) <= WIDTH
    (dot,) = drawn["dot"]
    start, stop = drawn["region"]
    left, right = edges
    value = (low + high) / 2
    inside = (left is None or left <= value) and (right is None or value <= right)
    assert (start - 1e-6 <= dot <= stop + 1e-6) == inside
    assert drawn["span"][0] <= dot <= drawn["span"][1]


def test_counted_parts_and_unknown_ends_have_no_picture():
    for change in ({"kind": "exact"}, {"interval": (None, None)}, {"interval": None}, {"region": None}, {"region": (None, None)}):
        assert interval_plot(replace(VERDICT, **change)) == ""


def test_hostile_words_stay_words():
    svg = interval_plot(replace(VERDICT, unit='"><script>'))
    assert "<script>" not in svg
    label = ElementTree.fromstring(svg).get("aria-label")
    assert label is not None
    assert '"><script>' in label
