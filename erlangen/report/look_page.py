"""The page of a look inside a language model, as one self-contained file: surprise, logit lens, attention and heads."""

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

SHOWN = 128  # tokens; of a longer prompt the last ones
BEFORE = 16  # characters of context shown before the most surprising token
LEVELS = (255, 31, 7)  # steps of the root of an attention weight; fewer if the maps would exceed BUDGET
BUDGET = 2_200_000  # characters for all maps; the rest of a page of 128 tokens is below half a megabyte
SIGNS = {" ": "␣", "\n": "↵", "\t": "⇥", "\r": "␍"}
MEASURES = ("entropy", "distance", "first", "previous", "itself", "induction")


def look_html(look: Look) -> str:
    """The page as HTML."""
    templates = environment()
    templates.filters.update(brief=brief, printable=printable, decimals=decimals)
    return templates.get_template("look.html.j2").render(
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
    """A token's text on one line, with visible spaces: 'a b\\n' -> 'a␣b↵'. Other invisible characters are escaped as '\\x07'."""
    seen = "".join(SIGNS.get(c) or printable(c) for c in text)
    return f"◌{seen}" if seen and unicodedata.combining(seen[0]) else seen or "∅"


def printable(text: str) -> str:
    """The text with invisible characters escaped, but spaces kept."""
    return "".join(c if c.isprintable() else c.encode("unicode-escape").decode() for c in text)


def decimals(value: float | None) -> str:
    """A number as '0.123'; an en dash for None."""
    return "–" if value is None else f"{value:.3f}"


def summary(look: Look) -> str:
    """The answer in one or two sentences."""
    known = [(entry.surprisal, entry.rank, t) for t, entry in enumerate(look.lens[-1]) if entry.surprisal is not None]
    if not known:
        return "The prompt has only one token, so there is no next token to predict."
    loss, right = look.model_loss() or 0.0, sum(rank == 1 for _, rank, _ in known)
    worst, _, place = max(known)
    before = "".join(look.texts.get(token, "?") for token in look.tokens[max(place - BEFORE, 0) : place + 1])
    after = visible(before[-BEFORE:])
    return (
        f"The loss is {loss:.2f} nats per token (perplexity {brief(math.exp(min(loss, 700)))}). The next token was the likeliest "
        f"one at {right} of {len(known)} positions. Most surprising was "
        f"‘{visible(look.texts.get(look.tokens[place + 1], '?'))}’ after ‘{after}’, with {worst:.1f} nats."
    )


def layer_rows(look: Look) -> list[tuple[int, float | None, float, float | None]]:
    """For each layer: its number, mean surprisal, mean entropy, and share of positions at which the next token was likeliest."""
    rows = []
    for layer, entries in enumerate(look.lens):
        known = [entry for entry in entries if entry.surprisal is not None]
        surprisal = sum(entry.surprisal or 0.0 for entry in known) / len(known) if known else None
        right = sum(entry.rank == 1 for entry in known) / len(known) if known else None
        rows.append((layer, surprisal, sum(entry.entropy for entry in entries) / len(entries), right))
    return rows


def strongest(heads: Sequence[HeadSummary]) -> dict[str, tuple[int, int]]:
    """The (layer, head) with the largest value of each measure; measures without values are left out."""
    largest = {}
    for name in MEASURES:
        values = [(value, -s.layer, -s.head) for s in heads if (value := getattr(s, name)) is not None]
        if values:
            _, layer, head = max(values)
            largest[name] = (-layer, -head)
    return largest


def page_data(look: Look) -> dict[str, Any]:
    """The data for the page's script. A cell of the lens is [entropy, surprisal, rank, probability, top tokens, their shares]."""
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
    """The number of levels, and the weights as bytes round(levels · √w): lower triangles by rows, deflated, in base64.

    The root keeps small weights distinguishable; (byte / levels)² restores a weight. If the result exceeds the budget, there are
    fewer levels.
    """
    packed = ""
    for levels in LEVELS:
        steps = bytes(round(levels * math.sqrt(min(w, 1.0))) for layer in maps for head in layer for row in head for w in row)
        packed = base64.b64encode(zlib.compress(steps, 9)).decode()
        if len(packed) <= budget:
            break
    return levels, packed


def _short(value: float | None) -> float | None:
    """The value with four significant digits; None if it is not finite."""
    return None if value is None or not math.isfinite(value) else json.loads(f"{value:.4g}")
