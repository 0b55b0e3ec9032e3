"""An audit as JUnit XML: one test case per check, for CI services to display."""

from __future__ import annotations

import re
from collections.abc import Sequence
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from erlangen.records.audit import AuditRecord, Checked
from erlangen.report.audit_text import details, judgments_of, reason_of

OUTCOMES = {"broken": "failure", "not measured": "error", "undecided": "skipped"}
COUNTS = {"failure": "failures", "error": "errors", "skipped": "skipped"}
NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")  # characters that XML 1.0 does not have


def audit_junit(audit: AuditRecord, strict: bool = False, missing: Sequence[str] = ()) -> str:
    """A broken check is a failure, one that was not measured an error, an undecided one skipped (strict: a failure).

    An informational one is never more than skipped. The text of each names the first layer and the worst pair. missing: checks
    that had to be run, but were not: errors.
    """
    outcomes = [outcome_of(check, strict) for check in audit.checks] + ["error"] * len(missing)
    suite = Element("testsuite", name="erlangen audit", tests=str(len(outcomes)), time=f"{audit.seconds:.3f}")
    for kind, attribute in COUNTS.items():
        suite.set(attribute, str(outcomes.count(kind)))
    target = audit.model.partition(" (")[0]  # a history of tests should not break with the number of parameters
    for check, outcome in zip(audit.checks, outcomes, strict=False):
        case = SubElement(suite, "testcase", classname=target, name=check.name, time=f"{check.seconds:.3f}")
        tag = ", informational" if check.informational else ""
        message = f"{check.judgment}{tag}: {reason_of(check)}"
        if outcome is not None:
            SubElement(case, outcome, message=message).text = "\n".join(details(check))
        else:
            SubElement(case, "system-out").text = "\n".join([message, *([judgments_of(check)] if check.outputs else [])])
    for name in missing:
        case = SubElement(suite, "testcase", classname=target, name=name)
        SubElement(case, "error", message="not measured: an expected check that was not run")
    indent(suite)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + NOT_XML.sub("�", tostring(suite, encoding="unicode")) + "\n"


def outcome_of(check: Checked, strict: bool) -> str | None:
    """The element of JUnit that a judgment becomes; None if the check passes."""
    outcome = "failure" if strict and check.judgment == "undecided" else OUTCOMES.get(check.judgment)
    return "skipped" if outcome is not None and check.informational else outcome
