"""The page of an audit, in a real browser: no network, light and dark, wide and narrow, whatever the audit holds."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
import torch
from support.figures import assert_drawn
from support.pages import opened

from erlangen.auditing.pictures import png
from erlangen.records.audit import AuditRecord, Breaks, Checked, Flips, Judgment, LayerError, Point, Worst
from erlangen.records.files import finite
from erlangen.records.runs import Figure
from erlangen.report.audit_charts import LABEL, PLOTTED, curve_spec, layers_spec, plotted_layers, row_labels
from erlangen.report.audit_junit import audit_junit
from erlangen.report.audit_page import audit_html, brief, notebook_html
from erlangen.report.audit_text import audit_text, tally_judgments

HOSTILE = """</script><script>window.broken = 1</script><img src=x onerror="window.broken = 2">'"&amp;<b>{{ 7 * 7 }}"""


def point(k: int, sized: bool = True, error: float | None = None, word: str = "element") -> Point:
    error = 0.1 * k + 0.05 if error is None else error
    return Point(
        label=f"{word} {k}", size=float(k) if sized else None, error=error, interval=(0.5 * error, 2 * error), inputs=9, pairs=36
    )


def layers(n: int, lost: int, word: str = "blocks") -> Breaks:
    """n layers, kept up to `lost`, where the element has no action, then in error."""
    names = [f"{word}.{k}.attention.projection" for k in range(n)]
    rows = [
        LayerError(
            layer=name, kind="Linear", shape=(64, 28, 28), exact=k < lost,
            error=1e-16 * k if k < lost else None if k == lost else 0.3,
            action="no action" if k == lost else "moves along",
        )
        for k, name in enumerate(names)
    ]  # fmt: skip
    return Breaks(element="3 px down", layers=tuple(rows), culprit=names[lost], why=f"{names[lost]} (Linear, 64 × 28 × 28): lost")


def picture(seed: int) -> str:
    return png(torch.rand(3, 128, 128, generator=torch.Generator().manual_seed(seed)))


def check(name: str, judgment: Judgment, **more: Any) -> Checked:
    return Checked(
        name=name, kind="symmetry", judgment=judgment, reason="error 0.572 of the spread, [0.349, 0.771], above 0.1", error=0.572,
        interval=(0.349, 0.771), inputs=9, pairs=72, leak=1.8e-9, floor=2.8e-14, precision="in float64", **more,
    )  # fmt: skip


FLIPS = Flips(rate=0.156, interval=(0.02, 0.4), effective=12.0, flipped=15, pairs=96, ties=2, chance=0.9)
WORST = tuple(Worst(input=k, element="7 px down", error=1.5, pictures=(picture(k), picture(k + 1))) for k in range(3))
TEXTS = (Worst(input=0, element="swap 3, 4", error=2.0, where="position 4", pictures=("11 7 " * 40, "7 11 " * 40)),)
UNSIZED = tuple(point(k, sized=False, word="channels 0, 2, 1 and so") for k in range(12))
CHECKS = (
    check("repeat", "exact"),
    check("translation", "broken", curve=tuple(map(point, range(1, 13))), flips=FLIPS, worst=WORST, unit="pixels",
          breaks=layers(20, 7), advice="Blur before strides.", baseline=0.7, derivative=0.11),
    check("channel-permutation", "broken", curve=UNSIZED, worst=TEXTS, breaks=layers(400, 300)),
    check("scale", "holds", curve=(point(1), point(2))),
    check("rotation", "undecided", curve=(point(1),), detectable=0.2, advice="Give more inputs."),
    check("shape", "not measured", failures=("180°: RuntimeError: too small",)),
    check("edges", "broken", informational=True, curve=(point(1), replace(point(2), error=None, interval=(None, None)))),
)  # fmt: skip
AUDIT = AuditRecord(
    model="ConvNet, 11.2 M parameters", domain="images", inputs=9, source="ndarray", shape="3 × 32 × 32", output="10",
    precision="float32", device="cpu", twin="none: it is TorchScript", threshold=0.1, seed=0, spread=1.5, rms=3.0, checks=CHECKS,
    notes=("The model is in training mode.",), versions={"torch": "2.13"}, machine={"system": "Linux"},
    command="erlangen audit m.py:build",
)  # fmt: skip


def hostile(value: Any) -> Any:
    """A record with every text in it replaced, except judgments, which are a fixed set."""
    if isinstance(value, str):
        return HOSTILE
    if isinstance(value, tuple):
        return tuple(map(hostile, value))
    if isinstance(value, dict):
        return {key + HOSTILE: hostile(entry) for key, entry in value.items()}
    if hasattr(value, "__dataclass_fields__"):
        kept = {Checked: ("judgment", "kind"), LayerError: ("action",)}.get(type(value), ())
        return replace(value, **{name: hostile(getattr(value, name)) for name in value.__dataclass_fields__ if name not in kept})
    return value


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1200, 390])
def test_every_judgment_is_drawn_quietly_and_fits(browser, tmp_path: Path, scheme: str, width: int):
    page, complaints, requests = opened(browser, tmp_path, audit_html(AUDIT), scheme, width)
    assert complaints == []
    assert [url for url in requests if not url.startswith(("file:", "data:", "blob:"))] == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    overflow = "(table => table.scrollWidth - table.clientWidth)(document.querySelector('#judgments .scroll'))"
    assert page.evaluate(overflow) <= 0, "the answer is read without scrolling sideways"
    assert page.locator(".chart").count() == 6
    for chart in page.locator(".chart svg").all():
        box = chart.bounding_box()
        assert 250 < box["width"] <= width
        assert box["height"] > 60
    for k, made in enumerate(AUDIT.checks):
        row = page.locator("table.judgments tbody tr").nth(k)
        assert made.name in row.inner_text()
        assert made.judgment in row.inner_text()
        box = row.locator(".mark").bounding_box()
        assert 0 <= box["x"] <= box["x"] + box["width"] <= width
        assert page.locator(f"#check-{k}").count() == 1
    page.close()


def test_the_table_comes_first_and_what_is_broken_before_what_holds(browser, tmp_path: Path):
    page, _, _ = opened(browser, tmp_path, audit_html(AUDIT))
    headings = [heading.inner_text() for heading in page.locator("h2").all()]
    assert headings[0] == "Judgments"
    assert headings.index("translation") < headings.index("rotation") < headings.index("scale") < headings.index("Exact")
    assert headings.index("scale") < headings.index("edges (informational)"), "nobody is asked to mend it"
    counts = page.locator(".counts").inner_text().split("\n")
    assert counts == ["✗ 2 broken", "? 1 undecided", "– 1 not measured", "✓ 1 holds", "= 1 exact", "1 informational"]
    assert page.locator(".found").inner_text().startswith("Broken: translation, channel-permutation. Undecided: rotation.")
    assert page.locator("#check-1 .worst img").count() == 6
    assert "position 4" in page.locator("#check-2 .worst").inner_text()
    page.locator("#check-1 summary").first.click()
    assert page.locator("#check-1 details").first.locator("tbody tr").count() == 12
    assert f"{PLOTTED} of 400 layers" in page.locator("#check-2").inner_text()
    page.close()


def test_hostile_names_stay_text(browser, tmp_path: Path):
    text = audit_html(hostile(AUDIT))
    page, complaints, requests = opened(browser, tmp_path, text)
    assert complaints == []
    assert len([url for url in requests if not url.startswith("data:")]) == 1
    assert page.evaluate("window.broken") is None
    assert page.locator("h1").inner_text() == HOSTILE
    assert page.locator("main img").count() == 0
    page.close()
    frame = notebook_html(hostile(AUDIT))
    assert re.fullmatch(r"<iframe [^<>]*></iframe>", frame)


def test_in_a_notebook_it_draws_leaves_the_page_around_it_alone_and_links_stay_inside(browser, tmp_path: Path):
    around = "<!doctype html><style>body { color: rgb(1, 2, 3); margin: 33px }</style><main>mine</main>"
    (tmp_path / "notebook.html").write_text(around + notebook_html(AUDIT), encoding="utf-8")
    page = browser.new_page(viewport={"width": 900, "height": 800})
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    page.goto((tmp_path / "notebook.html").as_uri())
    frame = page.frame_locator("iframe")
    frame.locator("#chart-curve-1 svg").wait_for()
    assert page.evaluate("getComputedStyle(document.querySelector('main')).color") == "rgb(1, 2, 3)"
    assert page.evaluate("getComputedStyle(document.body).margin") == "33px"
    frame.locator("table.judgments a").nth(3).click()
    assert frame.locator("#check-3").bounding_box()["y"] < page.locator("iframe").bounding_box()["y"] + 100
    assert complaints == []
    page.close()


def test_it_is_one_file_of_at_most_3_mb_however_much_it_holds():
    worst = tuple(Worst(input=k, element="g", error=1.0, pictures=(picture(2 * k), picture(2 * k + 1))) for k in range(3))
    many = tuple(
        check(f"check {k}", "broken", worst=worst, curve=tuple(map(point, range(1, 13))), breaks=layers(400, 200))
        for k in range(4)
    )
    text = audit_html(replace(AUDIT, checks=many))
    assert len(text.encode()) <= 3_000_000
    assert "default-src 'none'" in text
    without_scripts = re.sub(r"<script.*?</script>", "", text, flags=re.DOTALL)
    assert not re.findall(r"<(?:script|link|img|iframe)[^>]*(?:src|href)=(?!\"data:)", without_scripts)


def test_infinities_and_nans_do_not_silence_the_charts(browser, tmp_path: Path):
    """JSON has neither: one of them in the data, and a browser reads none of it."""
    odd = replace(CHECKS[1], error=float("inf"), curve=(point(1), point(2, error=float("inf")), point(3, error=float("nan"))))
    lost = replace(odd.breaks.layers[-1], error=float("inf"))
    odd = replace(odd, breaks=replace(odd.breaks, layers=(*odd.breaks.layers[:-1], lost)))
    page, complaints, _ = opened(browser, tmp_path, audit_html(replace(AUDIT, checks=(odd,), spread=float("nan"))))
    assert complaints == []
    assert "∞" in page.locator("table.judgments").inner_text()
    page.close()


def test_the_plot_of_many_layers_shows_the_one_that_loses_the_symmetry():
    for n, lost in ((3, 0), (61, 60), (400, 0), (400, 399), (400, 200)):
        breaks = layers(n, lost)
        shown = plotted_layers(breaks)
        assert len(shown) == min(n, PLOTTED)
        assert breaks.culprit in [layer.layer for layer in shown]
        values = layers_spec(breaks)["data"]["values"]
        assert [value["row"].startswith("▸") for value in values].count(True) == 1
        assert len({value["row"] for value in values}) == len(values)
        assert [value["state"] for value in values].count("not compared") == 1


def test_labels_of_layers_are_short_and_never_the_same():
    shown = row_labels(plotted_layers(layers(20, 7)))
    assert max(map(len, shown)) <= LABEL + 1
    assert shown[7].startswith("blocks.7.")
    alike = tuple(replace(layers(1, 0).layers[0], layer=f"a.very.long.name.{k}.with.one.end.for.all.of.them") for k in range(3))
    assert len(set(row_labels(alike))) == 3


@pytest.mark.parametrize("errors", [(0.0,), (0.4, 0.5), (1e-17, 1e3), (1.0, 1.0), (0.0, 1e-12), (None,), (float("inf"), 0.0)])
def test_layer_plots_stand_whatever_the_errors(errors: tuple[float | None, ...]):
    rows = tuple(
        LayerError(
            layer=f"l{k}", kind="L", shape=(1,), action="invariant" if e is not None else "no action", error=e, exact=e == 0
        )
        for k, e in enumerate(errors)
    )
    spec = layers_spec(Breaks(element="g", layers=rows, culprit="l0", why=""))
    low, high = spec["layer"][0]["encoding"]["x"]["scale"]["domain"]
    assert 0 < low < high
    ticks = spec["layer"][0]["encoding"]["x"]["axis"]["values"]
    assert 2 <= len(ticks) <= 8
    assert all(value["at"] is None or low <= value["at"] <= high for value in spec["data"]["values"])
    assert_drawn([Figure(name="l", title="", caption="", columns=(), rows=(), spec=finite(spec))])


def test_an_endless_interval_does_not_flatten_the_curve():
    curve = (point(1), point(2), replace(point(3), interval=(0.1, 1e6)))
    spec = curve_spec(check("x", "broken", curve=curve))
    top = spec["layer"][1]["encoding"]["y"]["scale"]["domain"][1]
    assert max(p.error or 0 for p in curve) < top < 3 * max(p.error or 0 for p in curve)
    high = curve_spec(replace(check("x", "broken", curve=curve), threshold=5.0))
    assert high["layer"][1]["encoding"]["y"]["scale"]["domain"][1] > 5, "the threshold is in sight"


def test_numbers_are_short():
    shown = [brief(value) for value in (None, 0.0, 0.5719, -0.5, 1.763e-7, 12345.0, float("inf"), float("nan"))]
    assert shown == ["–", "0", "0.572", "−0.5", "1.8·10⁻⁷", "1.2·10⁴", "∞", "–"]


def test_junit_counts_and_survives_what_xml_cannot_hold():
    suite = ElementTree.fromstring(audit_junit(AUDIT).encode())
    found = {case.get("name"): [child.tag for child in case] for case in suite}
    assert found == {
        "repeat": ["system-out"], "translation": ["failure"], "channel-permutation": ["failure"], "scale": ["system-out"],
        "rotation": ["skipped"], "shape": ["error"], "edges": ["skipped"],
    }  # fmt: skip
    assert {key: suite.get(key) for key in ("tests", "failures", "errors", "skipped")} == {
        "tests": "7", "failures": "2", "errors": "1", "skipped": "2",
    }  # fmt: skip
    text = next(case for case in suite if case.get("name") == "translation")[0].text
    assert "worst pair: input 0, 7 px down" in str(text)
    strictly = ElementTree.fromstring(audit_junit(AUDIT, strict=True, missing=["gone"]).encode())
    assert {key: strictly.get(key) for key in ("tests", "failures", "errors")} == {"tests": "8", "failures": "3", "errors": "2"}
    odd = ElementTree.fromstring(audit_junit(hostile(replace(AUDIT, checks=CHECKS[:2]))).encode())
    assert [case.get("name") for case in odd] == [HOSTILE, HOSTILE]
    reason = "bell \x07, null \x00, half \ud800"
    assert len(ElementTree.fromstring(audit_junit(replace(AUDIT, checks=(replace(CHECKS[1], reason=reason),))))) == 1


def test_the_text_names_every_check_and_what_to_do():
    text = audit_text(AUDIT)
    for made in CHECKS:
        assert re.search(rf"{made.name} +{made.judgment}", text)
    assert "Blur before strides." in text
    assert "note: The model is in training mode." in text
    assert "worst pair: input 0, 7 px down: error 1.5 of the spread" in text
    assert max(map(len, text.splitlines())) <= 132


@pytest.mark.parametrize(
    ("judgments", "said"),
    [
        ((("exact", False),), "the check that counts is exact"),
        (
            (("exact", False), ("exact", False), ("broken", True)),
            "the 2 checks that count are exact; 1 informational one is broken",
        ),
        (
            (("exact", False), ("holds", False), ("exact", False), ("broken", True), ("holds", True), ("broken", True)),
            "of the 3 checks that count, 2 are exact and 1 holds; of 3 informational ones, 1 holds and 2 are broken",
        ),
        ((("broken", True), ("broken", True)), "no check counts; 2 informational ones are broken"),
    ],
)
def test_what_the_judgments_add_up_to(judgments: tuple[tuple[Judgment, bool], ...], said: str):
    checks = tuple(check(str(k), judgment, informational=aside) for k, (judgment, aside) in enumerate(judgments))
    assert tally_judgments(replace(AUDIT, checks=checks)) == said


def test_a_single_input_is_one_input():
    assert ": 1 input (" in audit_text(replace(AUDIT, inputs=1))
    assert ": 9 inputs (" in audit_text(AUDIT)


@pytest.mark.parametrize(
    ("unit", "title"),
    [
        ("pixels", "size of the shift (pixels)"),
        ("spreads of the points", "size of the shift (spreads of the points)"),
        ("degrees", "angle (degrees)"),
        ("share of nodes moved", "share of nodes moved"),
        ("last position kept", "last position kept"),
        ("", "size of the element"),
        ("yards", "size of the element (yards)"),
    ],
)
def test_the_axis_of_a_curve_says_what_grows(unit: str, title: str):
    spec = curve_spec(check("c", "broken", curve=(point(1), point(2)), unit=unit))
    assert spec["layer"][0]["encoding"]["x"]["title"] == title
