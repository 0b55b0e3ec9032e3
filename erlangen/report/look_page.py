"""A look inside a language model as one self-contained page: surprise, logit lens, attention, the summaries of heads."""

from __future__ import annotations

import base64
import json
import math
import unicodedata
import zlib
from collections.abc import Sequence
from typing import Any

from markupsafe import Markup

from erlangen.records.inspection import HeadSummary, Look
from erlangen.report import charts
from erlangen.report.audit_page import brief
from erlangen.report.page import environment

SHOWN = 128  # tokens: the last ones of a longer prompt
BEFORE = 16  # characters of what led to the largest surprise
LEVELS = (255, 31, 7)  # steps of an attention weight's root: fewer where a page would grow beyond BUDGET
BUDGET = 2_200_000  # characters for all maps; the rest of a page of 128 tokens is below half a megabyte
SIGNS = {" ": "␣", "\n": "↵", "\t": "⇥", "\r": "␍"}
MEASURES = ("entropy", "distance", "first", "previous", "itself", "induction")


def look_html(look: Look) -> str:
    """The page as text."""
    made = environment()
    made.filters.update(brief=brief, printable=printable, decimals=decimals)
    return made.get_template("look.html.j2").render(
        look=look,
        summary=summary(look),
        data=page_data(look),
        shown=min(len(look.tokens), SHOWN),
        strongest=strongest(look.heads),
        measures=MEASURES,
        layers=layer_rows(look),
        guess=math.log(look.vocabulary),
        vega=Markup(""),
        specs={},
        light=charts.LIGHT,
        dark=charts.DARK,
    )


def visible(text: str) -> str:
    """A token's text on one line with nothing in it unseen: 'a b\\n' -> 'a␣b↵', other controls and halves of pairs as '\\x07'."""
    seen = "".join(SIGNS.get(c) or printable(c) for c in text)
    return f"◌{seen}" if seen and unicodedata.combining(seen[0]) else seen or "∅"


def printable(text: str) -> str:
    """Text with its unseen characters escaped, spaces kept."""
    return "".join(c if c.isprintable() else c.encode("unicode-escape").decode() for c in text)


def decimals(value: float | None) -> str:
    """'0.123'; an en dash where there is none."""
    return "–" if value is None else f"{value:.3f}"


def summary(look: Look) -> str:
    """The answer in a sentence or two."""
    known = [(entry.surprisal, entry.rank, t) for t, entry in enumerate(look.lens[-1]) if entry.surprisal is not None]
    if not known:
        return "One token alone: nothing came after it that could have been foreseen."
    loss, right = look.model_loss() or 0.0, sum(rank == 1 for _, rank, _ in known)
    worst, _, place = max(known)
    before = "".join(look.texts.get(token, "?") for token in look.tokens[max(place - BEFORE, 0) : place + 1])
    after = visible(before[-BEFORE:])
    return (
        f"{loss:.2f} nats a token (perplexity {brief(math.exp(min(loss, 700)))}); the token that came was the likeliest at "
        f"{right} of {len(known)} places. Most surprising: ‘{visible(look.texts.get(look.tokens[place + 1], '?'))}’ after "
        f"‘{after}’, {worst:.1f} nats."
    )


def layer_rows(look: Look) -> list[tuple[int, float | None, float, float | None]]:
    """For each layer: mean surprisal, mean entropy, share of places where the token that came was the likeliest."""
    rows = []
    for layer, entries in enumerate(look.lens):
        known = [entry for entry in entries if entry.surprisal is not None]
        surprisal = sum(entry.surprisal or 0.0 for entry in known) / len(known) if known else None
        right = sum(entry.rank == 1 for entry in known) / len(known) if known else None
        rows.append((layer, surprisal, sum(entry.entropy for entry in entries) / len(entries), right))
    return rows


def strongest(heads: Sequence[HeadSummary]) -> dict[str, tuple[int, int]]:
    """(layer, head) with the largest of each measure; without one that is None everywhere."""
    found = {}
    for name in MEASURES:
        values = [(value, -s.layer, -s.head) for s in heads if (value := getattr(s, name)) is not None]
        if values:
            _, layer, head = max(values)
            found[name] = (-layer, -head)
    return found


def page_data(look: Look) -> dict[str, Any]:
    """What the page's script draws. A cell of the lens: [entropy, surprisal, rank, probability, likeliest tokens, theirs]."""
    begin = max(len(look.tokens) - SHOWN, look.begin)
    cut = begin - look.begin
    maps = [[[row[cut:] for row in head[cut:]] for head in layer] for layer in look.attention]
    levels, packed = pack(maps)
    return {
        "begin": begin,
        "tokens": look.tokens[begin:],
        "texts": {token: visible(look.texts.get(token, f"#{token}")) for token in look.mentioned()},
        "guess": math.log(look.vocabulary),
        "lens": [
            [
                [
                    _short(e.entropy),
                    _short(e.surprisal),
                    e.rank,
                    _short(e.probability),
                    e.top,
                    [_short(p) for p in e.probabilities],
                ]
                for e in layer[begin:]
            ]
            for layer in look.lens
        ],
        "heads": [len(layer) for layer in look.attention],
        "start": strongest(look.heads).get("induction") or strongest(look.heads).get("previous") or (0, 0),
        "levels": levels,
        "maps": packed,
    }


def pack(maps: Sequence[Sequence[Sequence[Sequence[float]]]], budget: int = BUDGET) -> tuple[int, str]:
    """Weights as bytes round(levels · √w), lower triangles row after row, deflated, in base64, and with how many levels.

    The root keeps small weights apart; (byte / levels)² is the weight again. Fewer levels where more exceed the budget.
    """
    packed = ""
    for levels in LEVELS:
        steps = bytes(round(levels * math.sqrt(min(w, 1.0))) for layer in maps for head in layer for row in head for w in row)
        packed = base64.b64encode(zlib.compress(steps, 9)).decode()
        if len(packed) <= budget:
            break
    return levels, packed


def _short(value: float | None) -> float | None:
    """Four significant digits."""
    return None if value is None or not math.isfinite(value) else json.loads(f"{value:.4g}")
