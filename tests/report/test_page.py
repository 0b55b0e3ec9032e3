"""The page, in a real browser: opened from disk, no network, light and dark, wide and narrow."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from support.command import erlangen
from support.pages import opened

from erlangen.experiments.graph_algebra.figures import drawing
from erlangen.experiments.kit.panels import curves, dots
from erlangen.records.runs import Answer, Claim, Figure, Figures, Group, Run, Verdict
from erlangen.report.markdown import verdicts_markdown
from erlangen.report.page import render, write_page
from erlangen.report.wording import simultaneous
from erlangen.statistics.regions import simultaneous_level
from erlangen.sweep.store import Store

HOSTILE = "</script><script>window.broken = 1</script><b>&amp;"


@pytest.fixture(scope="module")
def page_path(tmp_path_factory) -> Path:
    """The page of a real, tiny run of the padding experiment."""
    folder = tmp_path_factory.mktemp("page")
    tiny = [f"--set={key}" for key in ("rows=Net1/valid,Net2/valid", "epochs=1", "train=40", "validation=40", "test=40", "fit=0")]
    out = erlangen("run", "padding", *tiny, "--seeds", "2", "--out", "run", cwd=folder)
    assert out.returncode == 0, out.stderr
    return folder / "run" / "report.html"


def test_it_is_one_file_of_at_most_3_mb(page_path: Path):
    html = page_path.read_text(encoding="utf-8")
    assert len(html.encode()) <= 3_000_000
    without_scripts = re.sub(r"<script>.*?</script>", "", html, flags=re.DOTALL)
    assert not re.findall(r"<(?:script|link|img|iframe)[^>]*(?:src|href)=", without_scripts)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1200, 360])
def test_it_draws_every_figure_quietly_and_fits(browser, page_path: Path, scheme: str, width: int):
    page, complaints, requests = opened(browser, page_path.parent, page_path, scheme, width)
    assert complaints == []
    assert [url for url in requests if not url.startswith(("file:", "data:", "blob:"))] == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    for name in ("seeds", "samples", "flips", "place", "curves"):
        box = page.locator(f"#chart-{name} svg").bounding_box()
        assert box["width"] > 200, name
        assert box["height"] > 60, name
    page.close()


def brightness(page, selector: str, what: str) -> float:
    color = page.evaluate(f"getComputedStyle(document.querySelector({selector!r})).{what}")
    return sum(int(part) for part in re.findall(r"\d+", color)[:3]) / 3


def test_dark_is_dark_and_charts_follow(browser, page_path: Path):
    for scheme, dark in (("light", False), ("dark", True)):
        page, _, _ = opened(browser, page_path.parent, page_path, scheme)
        assert (brightness(page, "body", "backgroundColor") < 60) == dark
        assert (brightness(page, "#chart-seeds svg text", "fill") > 150) == dark
        page.close()


def test_answers_and_verdicts_come_first_and_every_plot_has_its_table(browser, page_path: Path):
    page, _, _ = opened(browser, page_path.parent, page_path)
    answers = page.locator("ul.answers li")
    claims = ("C1", "C2", "C3", "C4", "C8")
    listed = [item.split()[-1] for item in page.locator("ul.answers a").all_inner_texts()]
    assert listed == sorted([*claims, "C5"]), "C5 needs rows that this recipe lacks, and has no part"
    assert "– not measured This run did not measure the claim: it needs the rows" in page.locator("#C5 .found").inner_text()
    assert answers.first.bounding_box()["y"] < 400
    for claim in claims:
        section = page.locator(f"section#{claim}")
        assert section.locator(".found .mark").count() == 1
        assert section.locator(".part .mark").count() >= 1
    assert page.locator("figure:has(.chart) details table").count() == page.locator(".chart").count()
    page.locator("#seeds summary").click()
    assert page.locator("#seeds tbody tr").count() == 2 * 2 + 2 * 10
    assert page.locator("#table tbody tr").count() == 2
    assert "erlangen run padding" in page.locator("#how").inner_text()
    page.close()


def test_a_part_shows_statement_interval_and_region(browser, page_path: Path):
    page, _, _ = opened(browser, page_path.parent, page_path)
    verdicts = json.loads((page_path.parent / "verdicts.json").read_text(encoding="utf-8"))
    shown = page.locator("body").inner_text()
    page.locator("details.parts").evaluate_all("all => all.forEach(one => one.open = true)")
    shown = page.locator("body").inner_text()
    assert all(verdict["statement"] in shown for verdict in verdicts)
    intervals = [v for v in verdicts if v["kind"] == "statistical" and v["interval"] and None not in v["interval"]]
    assert page.locator("svg.interval").count() == len(intervals) > 0
    page.close()


def test_no_legend_is_cut_off_on_a_phone(browser, tmp_path: Path):
    names = [f"a series with a long name, number {n}" for n in range(4)]
    rows = [(name, f"a line with a long label, {x}", x, x - 1, x + 1) for name in names for x in (1, 2)]
    columns = ("series", "line", "x", "low", "high")
    long = dots(columns, rows, x="x", y="line", color="series", colors=names)
    degrees = [(v, v, v * v + v, v / 10, v - 2, v - 2) for v in (1, 2, 3)]
    graph = drawing(("node", "degree", "change, random X", "change, slowest-varying X", "x", "y"), degrees, [(0, 1)])
    plain = {
        "mark": "point",
        "width": 300,
        "data": {"values": [{"x": 1}]},
        "encoding": {"x": {"field": "x", "type": "quantitative"}},
    }
    specs = {"long": long, "graph": graph, "beside": {"hconcat": [plain, plain]}}
    figures = [Figure(name=name, title=name, caption="", columns=(), rows=(), spec=spec) for name, spec in specs.items()]
    folder = concluded(tmp_path, [VERDICT], [ANSWER], tuple(figures))
    page, complaints, _ = opened(browser, folder, write_page(folder), width=420)
    assert complaints == []
    for name in specs:
        drawn = page.locator(f"#chart-{name} svg").bounding_box()
        assert drawn["width"] <= page.locator(f"#chart-{name}").bounding_box()["width"] + 1, name
        for legend in page.locator(f"#chart-{name} .role-legend").all():
            box = legend.bounding_box()
            assert drawn["x"] - 1 <= box["x"], name
            assert box["x"] + box["width"] <= drawn["x"] + drawn["width"] + 1, name
    page.close()


@pytest.mark.parametrize("width", [1200, 360])
def test_panels_share_the_width_that_there_is(browser, tmp_path: Path, width: int):
    rows = [(name, x, 2.0 * x, x - 1.0, 3.0 * x) for name in ("one", "two") for x in (1, 2, 3)]
    columns = ("panel", "x", "y", "low", "high")
    spec = curves(columns, rows, x="x", y="y", color="panel", colors=("one", "two"), panel="panel", panels=("one", "two"))
    figure = Figure(name="panels", title="Two", caption="Two panels.", columns=columns, rows=tuple(rows), spec=spec)
    folder = concluded(tmp_path, [VERDICT], [ANSWER], (figure,))
    page, complaints, _ = opened(browser, folder, write_page(folder), width=width)
    assert complaints == []
    cells = page.locator("#chart-panels .role-scope.cell path.background")
    boxes = [cells.nth(index).bounding_box() for index in range(cells.count())]
    panels = list({(box["x"], box["y"]): box for box in boxes if box["width"] > 50}.values())  # the rest are axes, layers repeat
    page.close()
    assert len(panels) == 2
    side_by_side = abs(panels[0]["y"] - panels[1]["y"]) < 1
    assert side_by_side == (width == 1200)
    assert all(panel["width"] > (300 if width == 1200 else 200) for panel in panels)


VERDICT = Verdict(
    claim="X", part="a part", of="report", kind="statistical", statement="It is so.", quote="it is so", verdict="refuted",
    corrected="It is not.", effect=-1.0, interval=(-2.0, -0.5), region=(0.0, None), edge="any gain", n=5, level=0.95,
    test="t interval", groups=(Group(name="one arm", mean=2.0, interval=(1.0, 3.0), unit="%"),), sensitive="", note="A note.",
)  # fmt: skip
ANSWER = Answer(claim="X", answer="refuted", sentence="It is not so.", figure="f")


def concluded(
    folder: Path, verdicts: list[Verdict], answers: list[Answer], figures: tuple[Figure, ...], title: str = "A run"
) -> Path:
    """A folder as a finished run leaves it."""
    store = Store(folder)
    claim = Claim(id="X", statement=title, how=title, parts={})
    run = Run(
        experiment=title, preset=title, recipe={title: title}, command=title, precision="float32", device="cpu", workers=1,
        jobs=(), versions={title: title}, machine={"cores": 2}, title=title, claims=(claim,),
    )  # fmt: skip
    store.open(run).close()
    store.conclude(verdicts, answers, Figures(question=title, figures=figures))
    return folder


def test_an_extension_outside_its_region_is_no_refuted_claim(browser, tmp_path: Path):
    extension = replace(VERDICT, part="another", of="extension", corrected="The other way round.")
    folder = concluded(tmp_path, [replace(VERDICT, verdict="supported"), extension], [ANSWER], ())
    page, _, _ = opened(browser, folder, write_page(folder))
    page.locator("details.parts").evaluate_all("all => all.forEach(one => one.open = true)")
    assert page.locator(".part .mark.refuted").count() == 0
    assert "does not hold" in page.locator("body").inner_text()
    assert "1 is supported" in page.locator("#rule").inner_text()  # the extension is not counted
    page.close()


def test_the_level_of_the_intervals_stands_where_they_are_shown(tmp_path: Path):
    parts = [replace(VERDICT, part=str(number), level=0.99) for number in range(5)]
    folder = concluded(tmp_path / "five", [*parts, replace(VERDICT, part="counted", kind="exact", level=None)], [ANSWER], ())
    for text in (render(folder), verdicts_markdown(folder)):
        assert text.count("All intervals: 95 % simultaneous over 5 parts (99 % each).") == 1
    folder = concluded(tmp_path / "one", [VERDICT], [ANSWER], ())
    assert "The interval of its one statistical part: 95 %." in render(folder)
    folder = concluded(tmp_path / "none", [replace(VERDICT, kind="exact", level=None)], [ANSWER], ())
    assert "All intervals" not in verdicts_markdown(folder)
    assert "The interval of its" not in verdicts_markdown(folder)


def test_the_level_is_that_of_the_rule():
    assert [simultaneous([replace(VERDICT, level=simultaneous_level(parts))]) for parts in (2, 48)] == [
        "All intervals: 95 % simultaneous over 2 parts (97.5 % each).",
        "All intervals: 95 % simultaneous over 48 parts (99.9 % each).",
    ]


def test_hostile_text_stays_text(browser, tmp_path: Path):
    spec = {"data": {"values": [{"x": HOSTILE}]}, "mark": "text", "encoding": {"text": {"field": "x", "type": "nominal"}}}
    figure = Figure(name="f", title=HOSTILE, caption=HOSTILE, columns=(HOSTILE,), rows=((HOSTILE,),), spec=spec)
    words = dict.fromkeys(("part", "statement", "quote", "corrected", "unit", "edge", "test", "note", "next_step"), HOSTILE)
    hostile = replace(VERDICT, **words, groups=(Group(name=HOSTILE, mean=1.0, unit=HOSTILE),))
    concluded(tmp_path, [hostile], [replace(ANSWER, sentence=HOSTILE)], (figure,), HOSTILE)
    page, complaints, _ = opened(browser, tmp_path, write_page(tmp_path))
    assert complaints == []
    assert page.evaluate("window.broken") is None
    assert HOSTILE in page.locator("h1").inner_text()
    page.close()


def test_it_is_the_same_page_every_time(page_path: Path):
    assert render(page_path.parent) == page_path.read_text(encoding="utf-8")
