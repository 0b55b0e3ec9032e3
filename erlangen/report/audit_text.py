"""An audit as text for a terminal: a line a check, and below it what to do."""

from __future__ import annotations

import textwrap

from erlangen.records.audit import AuditRecord, Checked

MARKS = {"exact": "=", "holds": "✓", "broken": "✗", "undecided": "?", "not measured": "–"}


def audit_text(audit: AuditRecord) -> str:
    """The whole audit; 100 columns wide at most, but for names."""
    head = f"{audit.model}: {audit.inputs} inputs ({audit.shape}) -> {audit.output}, {audit.precision} on {audit.device}"
    width = max((len(check.name) for check in audit.checks), default=0)
    lines = [head, *(f"note: {note}" for note in audit.notes)]
    if audit.twin.startswith("none"):
        lines.append(f"note: exactness is decided in the model's own precision; a float64 twin there is {audit.twin}")
    for check in audit.checks:
        lines += check_lines(check, width)
    return "\n".join(lines)


def check_lines(check: Checked, width: int) -> list[str]:
    """One check: its judgment, why, where it breaks, what to do."""
    tag = " (informational)" if check.informational else ""
    lines = [f"{MARKS[check.judgment]} {check.name:<{width}}  {check.judgment:<12}  {check.reason}{tag}"]
    more = []
    if check.judgment == "broken" and check.breaks is not None and check.breaks.culprit is not None:
        more.append(f"first at {check.breaks.why}")
    if check.judgment == "broken" and check.worst:
        worst = check.worst[0]
        place = f", {worst.where}" if worst.where else ""
        size = "" if worst.error is None else f", error {worst.error:.3g} of the spread"
        more.append(f"worst: input {worst.input}, {worst.element}{place}{size}")
    if check.flips is not None:
        low, high = check.flips.interval
        more.append(
            f"the class changes in {100 * check.flips.rate:.1f} % of pairs [{100 * low:.1f}, {100 * high:.1f}], "
            f"by chance {100 * check.flips.chance:.0f} %"
        )
    if check.baseline is not None:
        more.append(f"untrained: error {check.baseline:.3g} of its spread")
    if check.advice and not check.informational:
        more.append(check.advice)
    indent = " " * (width + 4)
    for text in more:
        lines += textwrap.wrap(text, 110, initial_indent=indent, subsequent_indent=indent)
    return lines
