"""The rule as a picture: a verdict's interval against its region, as a small SVG of the page's colors."""

from __future__ import annotations

from markupsafe import Markup

from erlangen.records.runs import Verdict
from erlangen.report.numbers import measured, number, region

WIDTH, HEIGHT, MARGIN = 220, 34, 8  # pixels


def interval_plot(verdict: Verdict) -> Markup:
    """The region as a shaded band, the interval as a line, the estimate as a dot, the edges with their values.

    '' for a counted part, and where there is no interval or no edge to compare it with.
    """
    if verdict.kind == "exact" or verdict.interval is None or None in verdict.interval or not verdict.region:
        return Markup("")
    edges = [end for end in verdict.region if end is not None]
    ends = [end for end in verdict.interval if end is not None]
    if not edges or verdict.effect is None:
        return Markup("")
    least, most = min(*edges, *ends), max(*edges, *ends)
    room = 0.15 * (most - least) or abs(most) or 1.0
    left, right = least - room, most + room

    def x(value: float | None, otherwise: float) -> float:
        where = otherwise if value is None else value
        return MARGIN + (WIDTH - 2 * MARGIN) * (where - left) / (right - left)

    start, stop = x(verdict.region[0], left), x(verdict.region[1], right)
    low, high, dot = x(ends[0], left), x(ends[1], right), x(verdict.effect, left)
    marks = [
        f'<rect class="region" x="{start:.1f}" y="3" width="{stop - start:.1f}" height="16"/>',
        *(f'<line class="edge" x1="{x(edge, left):.1f}" x2="{x(edge, left):.1f}" y1="2" y2="20"/>' for edge in edges),
        f'<line class="span" x1="{low:.1f}" x2="{high:.1f}" y1="11" y2="11"/>',
        f'<circle class="dot" cx="{dot:.1f}" cy="11" r="3.6"/>',
        *(label(x(edge, left), edge) for edge in edges),
    ]
    title = f"{measured(verdict)}; the region is {region(verdict)}"
    return Markup('<svg class="interval" viewBox="0 0 {} {}" width="{}" height="{}" role="img" aria-label="{}">{}</svg>').format(
        WIDTH, HEIGHT, WIDTH, HEIGHT, title, Markup("".join(marks))
    )


def label(x: float, edge: float) -> str:
    """An edge's value below it, kept inside the picture."""
    anchor = "start" if x < 24 else "end" if x > WIDTH - 24 else "middle"
    return f'<text x="{x:.1f}" y="31" text-anchor="{anchor}">{number(edge)}</text>'
