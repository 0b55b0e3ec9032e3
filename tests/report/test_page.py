"""The page, in a real browser: opened from disk, no network, light and dark, wide and narrow."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from support.command import erlangen
from support.pages import opened

from erlangen.records.runs import Figure, Findings, Run, Verdict
from erlangen.report.page import render, write_page
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


def test_every_plot_has_its_table_and_every_verdict_its_place(browser, page_path: Path):
    page, _, _ = opened(browser, page_path.parent, page_path)
    assert page.locator("section:has(.chart) details table").count() == page.locator(".chart").count()
    page.locator("#seeds summary").click()
    assert page.locator("#seeds tbody tr").count() == 2 * 2 + 2 * 10
    assert page.locator("#table tbody tr").count() == 2
    for claim in ("C1", "C2", "C3", "C4", "C8"):
        assert page.locator(f"article#{claim} .mark").count() >= 1
    assert "erlangen run padding" in page.locator("#how").inner_text()
    page.close()


def test_hostile_text_stays_text(browser, tmp_path: Path):
    store = Store(tmp_path)
    spec = {"data": {"values": [{"x": HOSTILE}]}, "mark": "text", "encoding": {"text": {"field": "x", "type": "nominal"}}}
    store.open(
        Run(
            experiment=HOSTILE, preset=HOSTILE, recipe={HOSTILE: HOSTILE}, command=HOSTILE, precision="float32", device="cpu",
            workers=1, jobs=(), versions={HOSTILE: HOSTILE}, machine={"cores": 2}, title=HOSTILE,
        )
    ).close()  # fmt: skip
    figure = Figure(name="f", title=HOSTILE, caption=HOSTILE, columns=(HOSTILE,), rows=((HOSTILE,),), spec=spec)
    verdict = Verdict(claim="X", part=HOSTILE, kind="exact", statement=HOSTILE, verdict="supported")
    store.conclude([verdict], Findings(asked=HOSTILE, found=HOSTILE, figures=(figure,)))
    page, complaints, _ = opened(browser, tmp_path, write_page(tmp_path))
    assert complaints == []
    assert page.evaluate("window.broken") is None
    assert HOSTILE in page.locator("h1").inner_text()
    page.close()


def test_it_is_the_same_page_every_time(page_path: Path):
    assert render(page_path.parent) == page_path.read_text(encoding="utf-8")
