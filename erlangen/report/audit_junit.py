"""An audit as JUnit XML: a test case a check, for the pages that CI services make of them."""

from __future__ import annotations

import re
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from erlangen.records.audit import AuditRecord

ENDED = {"broken": "failure", "not measured": "error", "undecided": "skipped"}
NO_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")  # characters that XML 1.0 does not have


def audit_junit(audit: AuditRecord) -> str:
    """broken is a failure, not measured an error, undecided skipped; informational checks always pass."""
    ended = [ENDED.get(check.judgment) if not check.informational else None for check in audit.checks]
    suite = Element("testsuite", name="erlangen audit", tests=str(len(ended)), time=f"{audit.seconds:.3f}")
    for kind in ("failure", "error", "skipped"):
        suite.set({"failure": "failures", "error": "errors"}.get(kind, kind), str(ended.count(kind)))
    for check, end in zip(audit.checks, ended, strict=True):
        case = SubElement(suite, "testcase", classname=audit.model, name=check.name, time=f"{check.seconds:.3f}")
        if end is not None:
            SubElement(case, end, message=f"{check.judgment}: {check.reason}").text = check.advice
        else:
            SubElement(case, "system-out").text = f"{check.judgment}: {check.reason}"
    indent(suite)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + NO_XML.sub("�", tostring(suite, encoding="unicode")) + "\n"
