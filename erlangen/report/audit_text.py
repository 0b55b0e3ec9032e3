"""An audit as text for a terminal: one line per check, and below it where it breaks and what to do."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

from erlangen.records.audit import AuditRecord, Breaks, Checked

MARKS = {"exact": "=", "holds": "✓", "broken": "✗", "undecided": "?", "not measured": "–"}
WIDTH = 110


def audit_text(audit: AuditRecord) -> str:
    """The whole audit; apart from long names and reasons, at most 110 columns wide."""
    outputs = f"{describe_outputs(audit)}, {audit.precision} on {audit.device}"
    inputs = f"{audit.inputs} input{'s' if audit.inputs != 1 else ''}"
    head = f"{audit.model}: {inputs} ({audit.shape}) -> {outputs}"
    width = max((len(check.name) for check in audit.checks), default=0)
    notes = [*audit.notes, *([describe_twin(audit)] if lacks_twin(audit) else [])]
    lines = [head, *(f"note: {note}" for note in notes)]
    for check in audit.checks:
        lines += check_lines(check, width)
    return "\n".join(lines)


def check_lines(check: Checked, width: int) -> list[str]:
    """One check: its judgment and the reason, then the details."""
    tag = " (informational)" if check.informational else ""
    lines = [f"{MARKS[check.judgment]} {check.name:<{width}}  {check.judgment:<12}  {reason_of(check)}{tag}"]
    indent = " " * (width + 4)
    for text in details(check):
        lines += textwrap.wrap(text, WIDTH, initial_indent=indent, subsequent_indent=indent)
    return lines


def details(check: Checked) -> list[str]:
    """The judgment of each output, where a broken check breaks, the changes of the class, the untrained baseline, and advice."""
    texts = [judgments_of(check)] if check.outputs else []
    if check.judgment == "broken" and check.breaks is not None and check.breaks.culprit is not None:
        texts.append(first_lost(check.breaks))
    if check.judgment == "broken" and check.worst:
        worst = check.worst[0]
        place = f", {worst.where}" if worst.where else ""
        size = "" if worst.error is None else f": error {worst.error:.3g} of the spread"
        texts.append(f"worst pair: input {worst.input}, {worst.element}{place}{size}")
    if check.flips is not None and check.flips.flipped:
        rate, (low, high), chance = check.flips.rate, check.flips.interval, check.flips.chance
        texts.append(
            f"the predicted class changes in {100 * rate:.1f} % of pairs [{100 * low:.1f}, {100 * high:.1f}]; "
            f"between two random inputs, in {100 * chance:.0f} %"
        )
    if check.baseline is not None:
        texts.append(f"an untrained copy has an error of {check.baseline:.3g} of the spread of its outputs")
    if check.advice and not check.informational:
        texts.append(f"advice: {check.advice}")
    return texts


def first_lost(breaks: Breaks) -> str:
    """`first lost at conv1 (Conv2d, 8 × 30 × 30): error 0.3 of its spread`; `first lost before fc (function, 12 × 8): ...`"""
    return f"first lost {breaks.why}" if breaks.why.startswith("before ") else f"first lost at {breaks.why}"


def tally_judgments(audit: AuditRecord) -> str:
    """`the 3 checks that count are exact; of 6 informational ones, 5 are broken and 1 holds`"""
    counting = [check.judgment for check in audit.checks if not check.informational]
    others = [check.judgment for check in audit.checks if check.informational]
    checks = "the check that counts" if len(counting) == 1 else f"the {len(counting)} checks that count"
    ones = f"{len(others)} informational one{'s' if len(others) > 1 else ''}"
    return "; ".join(filter(None, [say_of(checks, counting) or "no check counts", say_of(ones, others)]))


def say_of(checks: str, judgments: Sequence[str]) -> str:
    """`the 3 checks that count are exact`, `of 3 informational ones, 2 are broken and 1 holds`; '' if there are none."""
    if len(set(judgments)) == 1:
        return f"{checks} {have(judgments[0], len(judgments))}"
    return f"of {checks}, {count_judgments(judgments)}" if judgments else ""


def count_judgments(judgments: Sequence[str]) -> str:
    """`3 are exact, 1 holds and 2 are broken`"""
    numbers = {judgment: judgments.count(judgment) for judgment in MARKS if judgment in judgments}
    counts = [f"{n} {have(judgment, n)}" for judgment, n in numbers.items()]
    return " and ".join([", ".join(counts[:-1]), counts[-1]] if len(counts) > 1 else counts)


def have(judgment: str, n: int) -> str:
    """What n checks do: `are exact`, `hold`."""
    if judgment == "holds":
        return "holds" if n == 1 else "hold"
    return f"{'is' if n == 1 else 'are'} {judgment}"


def describe_outputs(audit: AuditRecord) -> str:
    """The shape of the output; `logits 12 × 5 and boxes 12 × 4` if there are several."""
    shapes = [f"{output.name} {output.shape}" for output in audit.outputs] or [audit.output]
    return " and ".join([", ".join(shapes[:-1]), shapes[-1]] if len(shapes) > 1 else shapes)


def reason_of(check: Checked) -> str:
    """The reason for a judgment; if there are several outputs, which one it is about."""
    return f"{check.output}: {check.reason}" if check.output else check.reason


def judgments_of(check: Checked) -> str:
    """`logits exact; boxes broken`"""
    return "; ".join(f"{output.name} {output.judgment}" for output in check.outputs)


def lacks_twin(audit: AuditRecord) -> bool:
    """Whether a reader has to know that there is no twin: something was measured without one."""
    return audit.twin.startswith("none") and any(check.judgment != "not measured" for check in audit.checks)


def describe_twin(audit: AuditRecord) -> str:
    """What exactness was tested on."""
    if audit.twin == "float64":
        return "Exactness is tested on a float64 twin of the model."
    if audit.twin.startswith("none"):
        reason = audit.twin.removeprefix("none: ")
        return f"Exactness is tested in the model's own precision, because it has no float64 twin: {reason}."
    return "Exactness is tested on the model itself, which computes in float64."
