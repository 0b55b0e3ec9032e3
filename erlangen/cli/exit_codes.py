"""The exit code of `erlangen run` and `erlangen verdicts`."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from erlangen.errors import BREACHED, FAILED, INTERNAL, NOT_MEASURED, USAGE
from erlangen.records.runs import Verdict


def exit_code(verdicts: Sequence[Verdict], any_failed: bool, strict: bool, absent: Collection[str] = ()) -> int:
    """FAILED: a job failed; NOT_MEASURED: a part, or a claim that was asked for (`absent`), was not measured; else 0.

    BREACHED, under --strict: a part that the report, a rival, the claim or a control states is refuted or inconclusive.
    """
    outcomes = {verdict.verdict for verdict in verdicts}
    strictly = {verdict.verdict for verdict in verdicts if verdict.of != "extension"}
    if any_failed:
        return FAILED
    if "not measured" in outcomes or not verdicts or absent:
        return NOT_MEASURED
    return BREACHED if strict and strictly & {"refuted", "inconclusive"} else 0


def worst(codes: Collection[int]) -> int:
    """The exit code of several experiments: internal errors first, then failed jobs, unwritten files, what was not measured."""
    return next((code for code in (INTERNAL, FAILED, USAGE, NOT_MEASURED, BREACHED) if code in codes), 0)
