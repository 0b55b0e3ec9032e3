"""The page of a look: quiet, small, one file, and every number on it that of the record."""

import base64
import json
import math
import re
import zlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from support import pages
from support.pages import Opened

from erlangen.records.inspection import HeadSummary, Look, Prediction
from erlangen.report.look_page import SHOWN, look_html, pack, page_data, printable, strongest, summary, visible

HOSTILE = """</script><script>window.broken = 1</script><img src=x onerror="window.broken = 2">'"&amp;<b>{{ 7 * 7 }}"""
LETTERS = "abcdefgh \n"


def made(t: int = 24, layers: int = 2, heads: int = 3, seed: int = 0, top: int = 3, **more: Any) -> Look:
    """A record of random numbers that fit each other, tokens 0 ... 9."""
    rng = torch.Generator().manual_seed(seed)
    tokens = torch.randint(10, (t,), generator=rng).tolist()
    lens = []
    for _ in range(layers + 1):
        row = []
        for place in range(t):
            p = torch.randn(10, generator=rng).mul(2).softmax(0)
            order = p.argsort(descending=True).tolist()
            nxt = tokens[place + 1] if place + 1 < t else None
            likely = None if nxt is None else float(p[nxt])
            row.append(
                Prediction(
                    next=nxt, probability=likely, rank=None if nxt is None else 1 + order.index(nxt),
                    surprisal=None if likely is None else -math.log(likely), entropy=float(torch.special.entr(p).sum()),
                    top=tuple(order[:top]), probabilities=tuple(float(p[k]) for k in order[:top]),
                )
            )  # fmt: skip
        lens.append(tuple(row))
    attention = [
        [[torch.rand(query + 1, generator=rng).square().mul(4).softmax(0).tolist() for query in range(t)] for _ in range(heads)]
        for _ in range(layers)
    ]
    summaries = [
        HeadSummary(
            layer=layer, head=head, entropy=0.1 * layer, distance=1.0 * head, first=0.2, previous=0.3, itself=0.1 + 0.01 * head,
            induction=0.5 if (layer, head) == (layers - 1, heads - 1) else 0.25,
        )
        for layer in range(layers)
        for head in range(heads)
    ]  # fmt: skip
    fields: dict[str, Any] = {
        "tokens": tuple(tokens), "lens": tuple(lens), "heads": tuple(summaries), "even": replace(summaries[0], induction=None),
        "induction_queries": 7, "begin": 0, "vocabulary": 10, "texts": dict(enumerate(LETTERS)), "model": "gpt-nano",
        "attention": tuple(tuple(tuple(map(tuple, head)) for head in layer) for layer in attention), "source": "runs/gpt/x",
        "command": "erlangen gpt look x", "versions": {"torch": "2"}, "machine": {"system": "Linux", "cores": 2},
    }  # fmt: skip
    return Look(**{**fields, **more})


def opened(browser: Any, folder: Path, look: Look, scheme: str = "light", width: int = 1200) -> Opened:
    return pages.opened(browser, folder, look_html(look), scheme, width, "document.body.dataset.drawn === 'yes'")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1200, 390])
def test_everything_is_drawn_quietly_and_fits(browser: Any, tmp_path: Path, scheme: str, width: int):
    look = made()
    page, complaints, requests = opened(browser, tmp_path, look, scheme, width)
    assert complaints == []
    assert [url for url in requests if not url.startswith(("file:", "data:", "blob:"))] == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.locator("#prompt [role=option]").count() == 24, "all tokens but the first, and what comes next"
    assert page.locator("#lens-grid td.cell").count() == 3 * 24
    assert page.locator("#maps canvas").count() == 6
    pixels = (
        "canvas => [...canvas.getContext('2d').getImageData(0, 0, 24, 24).data].filter((v, k) => k % 4 === 3 && v > 0).length"
    )
    for canvas in [*page.locator("#maps canvas").all(), page.locator("#big canvas")]:
        assert 150 < canvas.evaluate(pixels) <= 300, "the lower triangle, and nothing above it"
    assert page.locator("#heads tbody tr").count() == 7
    page.close()


def test_numbers_on_the_page_are_those_of_the_record(browser: Any, tmp_path: Path):
    look = made()
    page, _, _ = opened(browser, tmp_path, look)
    for place in (0, 5, 22, 23):
        page.locator("#prompt [role=option]").nth(place).click()
        entry = look.lens[-1][place]
        shown = page.locator("#expected").inner_text()
        assert f"(token {place + 1})" in shown
        if entry.next is None:
            assert "the prompt ends" in shown
        else:
            assert f"came {visible(LETTERS[entry.next])}: probability {entry.probability:.3f}, rank {entry.rank}" in shown
            assert f"{entry.surprisal:.2f} nats" in shown
        rows = [row.inner_text().split() for row in page.locator("#expected tbody tr").all()]
        assert [row[1] for row in rows] == [visible(LETTERS[token]) for token in entry.top]
        assert [float(row[2]) for row in rows] == pytest.approx(entry.probabilities, abs=6e-4)
        column = [page.locator("#lens-grid td.cell").nth((2 - layer) * 24 + place).inner_text() for layer in range(3)]
        assert column == [visible(LETTERS[look.lens[layer][place].top[0]]) for layer in range(3)]
        layers = [row.inner_text().split("\t") for row in page.locator("#lens-table tbody tr").all()]
        assert [float(row[3]) for row in layers] == pytest.approx([look.lens[k][place].entropy for k in (2, 1, 0)], abs=6e-3)
        weights = look.attention[1][2][place]  # the head with the most induction is the one that is open
        assert page.locator("#big-title").inner_text() == "Layer 2, head 3"
        rows = [row.inner_text().split() for row in page.locator("#key-table tbody tr").all()]
        best = sorted(weights, reverse=True)[:6]
        assert [float(row[2]) for row in rows] == pytest.approx(best, abs=0.01)
        assert [weights[int(row[0]) - 1] for row in rows] == pytest.approx(best, abs=0.01)
    page.close()


def test_right_guesses_are_marked(browser: Any, tmp_path: Path):
    look = made()
    page, _, _ = opened(browser, tmp_path, look)
    marked = page.locator("#lens-grid td.cell").evaluate_all("cells => cells.map(cell => cell.classList.contains('right'))")
    assert marked == [look.lens[layer][place].rank == 1 for layer in (2, 1, 0) for place in range(24)]
    assert any(marked)
    page.close()


def test_the_keyboard_reaches_all_of_it(browser: Any, tmp_path: Path):
    page, complaints, _ = opened(browser, tmp_path, made())
    stops = '[...document.querySelectorAll(\'{} [tabindex="0"], {} button:not([tabindex="-1"])\')].length'
    for place in ("#prompt", "#lens-grid", "#maps", "#keys"):
        assert page.evaluate(stops.format(place, place)) == 1, f"{place}: one stop for Tab, arrows within"
    page.locator("#prompt [tabindex='0']").focus()
    page.keyboard.press("Home")
    assert "(token 1)" in page.locator("#expected").inner_text()
    for _ in range(4):
        page.keyboard.press("ArrowRight")
    assert "(token 5)" in page.locator("#expected").inner_text()
    assert "(token 5)" not in page.locator("#query-title").inner_text(), "walking shows, Enter chooses"
    page.keyboard.press("Enter")
    assert "(token 5)" in page.locator("#query-title").inner_text()
    assert "(token 5)" in page.locator("#lens-title").inner_text()
    page.locator("#maps button[tabindex='0']").focus()
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Enter")
    assert page.locator("#big-title").inner_text() == "Layer 1, head 3"
    assert page.locator("#maps button[aria-pressed=true]").get_attribute("aria-label") == "layer 1, head 3"
    page.locator("#lens-grid [tabindex='0']").focus()
    page.keyboard.press("Home")
    for key in ("ArrowDown", "ArrowRight", "Enter"):
        page.keyboard.press(key)
    assert "(token 2)" in page.locator("#lens-title").inner_text()
    assert page.locator("#lens-table tr.came td").first.inner_text() == "1"
    page.locator("#heads .pick").nth(1).press("Enter")
    assert page.locator("#big-title").inner_text() == "Layer 1, head 2"
    assert complaints == []
    page.close()


def test_pointing_shows_and_leaving_restores(browser: Any, tmp_path: Path):
    page, _, _ = opened(browser, tmp_path, made())
    before = page.locator("#expected").inner_text()
    page.locator("#prompt [role=option]").nth(2).hover()
    assert "(token 3)" in page.locator("#expected").inner_text() != before
    page.mouse.move(5, 5)
    assert page.locator("#expected").inner_text() == before
    page.locator("#big").scroll_into_view_if_needed()
    box = page.locator("#big").bounding_box()
    page.mouse.move(box["x"] + box["width"] * 1.5 / 24, box["y"] + box["height"] * 3.5 / 24)
    shown = page.locator("#readout").inner_text()
    assert "(4) → " in shown
    assert "(2): " in shown
    assert float(shown.split(": ")[1]) == pytest.approx(made().attention[1][2][3][1], abs=0.01)
    page.mouse.move(box["x"] + box["width"] * 20.5 / 24, box["y"] + box["height"] * 3.5 / 24)
    assert "cannot see" in page.locator("#readout").inner_text()
    page.close()


def test_a_change_of_scheme_draws_the_maps_anew(browser: Any, tmp_path: Path):
    page, complaints, _ = opened(browser, tmp_path, made())
    color = "document.querySelector('#maps canvas').toDataURL()"
    light = page.evaluate(color)
    page.emulate_media(color_scheme="dark")
    page.wait_for_function(f"{color} !== '{light}'")
    assert complaints == []
    page.close()


def test_hostile_texts_stay_text(browser: Any, tmp_path: Path):
    texts = dict.fromkeys(range(10), HOSTILE)
    look = made(texts=texts, model=HOSTILE, source=HOSTILE, command=HOSTILE, notes=(HOSTILE,), versions={HOSTILE: HOSTILE})
    page, complaints, requests = opened(browser, tmp_path, look)
    assert complaints == []
    assert len(requests) == 1
    assert page.evaluate("window.broken") is None
    assert page.locator("h1").inner_text() == HOSTILE
    assert page.locator("main img").count() == 0
    assert page.locator("#lens-grid td.cell").first.text_content() == visible(HOSTILE)
    page.close()


@pytest.mark.parametrize("texts", [{}, dict.fromkeys(range(10), chr(0xD800) + "\u202e\x00"), dict.fromkeys(range(10), "")])
def test_tokens_without_a_text_and_unseen_ones_are_drawn(browser: Any, tmp_path: Path, texts: dict[int, str]):
    page, complaints, _ = opened(browser, tmp_path, made(texts=texts))
    assert complaints == []
    cell = page.locator("#lens-grid td.cell").first.inner_text()
    assert re.fullmatch(r"#\d|\\ud800\\u202e\\x00|∅", cell)
    page.close()


@pytest.mark.parametrize(("t", "layers", "heads"), [(1, 1, 1), (2, 3, 1), (3, 1, 16)])
def test_small_prompts_and_odd_sizes_are_drawn(browser: Any, tmp_path: Path, t: int, layers: int, heads: int):
    look = made(t=t, layers=layers, heads=heads)
    if t == 1:
        nothing = replace(look.even, entropy=None, distance=None, first=None, previous=None, itself=None, induction=None)
        look = replace(look, heads=(nothing,), even=nothing)
    page, complaints, _ = opened(browser, tmp_path, look, width=390)
    assert complaints == []
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert page.locator("#prompt [role=option]").count() == t
    page.close()


def test_a_long_prompt_shows_its_end_and_says_so(browser: Any, tmp_path: Path):
    t = SHOWN + 22
    look = made(t=t, layers=1, heads=1)
    tail = tuple(row[10:] for row in look.attention[0][0][10:])
    look = replace(look, attention=((tail,),), begin=10)
    data = page_data(look)
    assert (data["begin"], len(data["tokens"]), len(data["lens"][0])) == (22, SHOWN, SHOWN)
    steps = zlib.decompress(base64.b64decode(data["maps"]))
    assert len(steps) == SHOWN * (SHOWN + 1) // 2
    assert (steps[-1] / 255) ** 2 == pytest.approx(look.attention[0][0][-1][-1], abs=0.005)
    page, complaints, _ = opened(browser, tmp_path, look)
    assert complaints == []
    assert f"shows the last {SHOWN} tokens" in page.locator("header").inner_text()
    page.locator("#prompt [role=option]").first.click()
    assert "(token 23)" in page.locator("#expected").inner_text()
    page.close()


def test_it_is_one_file_of_at_most_3_mb_at_the_size_of_gpt2():
    """12 layers of 12 heads, 128 tokens, and weights as hard to compress as random ones are."""
    small = made(t=128, layers=1, heads=1, top=5)
    look = replace(
        small, lens=(small.lens[0],) * 13, attention=((small.attention[0][0],) * 12,) * 12, heads=(small.heads[0],) * 144
    )
    rng = torch.Generator().manual_seed(0)
    random = [[[torch.rand(query + 1, generator=rng).tolist() for query in range(128)] for _ in range(12)] for _ in range(12)]
    text = look_html(replace(look, attention=tuple(tuple(tuple(map(tuple, head)) for head in layer) for layer in random)))
    assert len(text.encode()) <= 3_000_000
    assert "default-src 'none'" in text
    assert not re.findall(r"<(?:script|link|img|iframe)[^>]*(?:src|href)=", text)


def test_what_scrolls_is_reached_by_the_keyboard():
    """By itself, or by what it holds: the lens and the maps have cells and buttons that take the focus."""
    regions = re.findall(r'<div class="scroll"([^>]*)>\s*<\w+([^>]*)>', look_html(made()))
    assert len(regions) == 7
    for own, first in regions:
        named = 'tabindex="0"' in own and 'aria-label="' in own
        assert named or 'id="lens-scroll"' in own or 'id="maps"' in first, (own, first)


def test_weights_survive_packing_and_large_maps_lose_steps_instead_of_growing():
    rng = torch.Generator().manual_seed(0)
    maps = [[[torch.rand(query + 1, generator=rng).softmax(0).tolist() for query in range(40)]]]
    flat = [w for row in maps[0][0] for w in row]
    for budget, expected in ((10**6, 255), (len(pack(maps)[1]) - 1, 31), (1, 7)):
        levels, packed = pack(maps, budget)
        assert levels == expected
        found = [(step / levels) ** 2 for step in zlib.decompress(base64.b64decode(packed))]
        assert len(found) == len(flat)
        assert max(abs(math.sqrt(a) - math.sqrt(b)) for a, b in zip(found, flat, strict=True)) <= 0.5 / levels + 1e-9
    steps = zlib.decompress(base64.b64decode(pack([[[[1.02]]]])[1]))
    assert list(steps) == [255], "half precision may put a weight above one"


def test_tokens_are_seen_whatever_they_are():
    shown = [visible(text) for text in (" the", "\n", "a\tb\r", "", "\x07", "\u0301", "\ud800", "\u202e", "é", "\u00a0")]
    assert shown == ["␣the", "↵", "a⇥b␍", "∅", "\\x07", "◌\u0301", "\\ud800", "\\u202e", "é", "\\xa0"]
    assert printable("a b\n\x1b[1m") == "a b\\n\\x1b[1m"


def test_the_answer_names_the_loss_and_the_largest_surprise():
    look = made()
    known = [entry for entry in look.lens[-1] if entry.surprisal is not None]
    text = summary(look)
    worst = max(known, key=lambda entry: entry.surprisal)
    assert text.startswith(f"The loss is {sum(entry.surprisal for entry in known) / 23:.2f} nats per token")
    assert f"at {sum(entry.rank == 1 for entry in known)} of 23 positions" in text
    assert f"‘{visible(LETTERS[worst.next])}’ after" in text
    assert text.endswith(f"{worst.surprisal:.1f} nats.")
    assert len(re.findall("‘(.*?)’", summary(made(texts=dict.fromkeys(range(10), " long token"))))[1]) == 16
    assert "only one token" in summary(made(t=1))


def test_the_largest_of_each_measure_is_the_first_of_equals():
    assert strongest(made().heads) == {
        "entropy": (1, 0), "distance": (0, 2), "first": (0, 0), "previous": (0, 0), "itself": (0, 2), "induction": (1, 2),
    }  # fmt: skip
    assert "induction" not in strongest([replace(made().even, induction=None)])


def test_numbers_that_are_none_reach_the_browser_as_json():
    look = made()
    odd = replace(look.lens[-1][3], surprisal=float("inf"), probability=0.0)
    data = page_data(replace(look, lens=(*look.lens[:-1], (*look.lens[-1][:3], odd, *look.lens[-1][4:]))))
    assert json.loads(json.dumps(data, allow_nan=False))["lens"][-1][3][1] is None
