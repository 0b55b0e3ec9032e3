"""One format for numbers, intervals and regions, in pages, documents and the terminal."""

from __future__ import annotations

from erlangen.records.files import Scalar
from erlangen.records.runs import Ends, Verdict

MINUS = "\N{MINUS SIGN}"


def number(value: float | None) -> str:
    """Four significant digits without trailing zeros, or all digits of large counts; an en dash where nothing was measured."""
    if value is None:
        return "–"
    digits = ".0f" if 9999.5 <= abs(value) < 1e9 else ".4g"  # 14990 pairs are not 1.499e+04
    return f"{value + 0.0:{digits}}".replace("-", MINUS)  # + 0.0: no minus before 0


def interval(ends: Ends | None) -> str:
    """'−1.5 to 2'; '' where there is none or its ends are unknown."""
    if ends is None or None in ends:
        return ""
    return " to ".join(number(end) for end in ends)


def measured(verdict: Verdict) -> str:
    """'1.2 [0.8 to 1.6] points, n = 10'; '' where nothing was measured."""
    if verdict.effect is None:
        return ""
    ends = interval(verdict.interval) if verdict.kind == "statistical" else ""
    count = f"n = {verdict.n}" if verdict.kind == "statistical" else f"{verdict.n} cases"
    return f"{number(verdict.effect)}{f' [{ends}]' if ends else ''} {verdict.unit}".rstrip() + f", {count}"


def region(verdict: Verdict) -> str:
    """What the true value must be for the part to hold: '> 0.5', 'between −1.5 and 1.5', '≤ 1.2', '= 0'."""
    if verdict.region is None or verdict.region == (None, None):
        return ""
    low, high = verdict.region
    if low == high:
        return f"= {number(low)}"
    if high is None:
        return f"> {number(low)}" if verdict.kind == "statistical" else f"≥ {number(low)}"
    if low is None:
        return f"≤ {number(high)}"
    return f"within ±{number(high)}" if low == -high else f"between {number(low)} and {number(high)}"


def cell(value: Scalar) -> str:
    """A table's entry; numbers given as text keep their digits, with a real minus sign."""
    if isinstance(value, float):
        return number(value)
    text = "–" if value is None else str(value)
    return text.replace("-", MINUS) if text[:1] in "+-" and text[1:2].isdigit() else text
