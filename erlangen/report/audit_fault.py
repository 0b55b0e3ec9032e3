"""An audit that failed, in every format that was asked for: so that no file of an earlier run is taken for this one's."""

from __future__ import annotations

import html
from typing import Any
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from erlangen.records.files import SCHEMA
from erlangen.report.audit_junit import NOT_XML

PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>{target}: the audit failed</title>
<body style="font: 16px/1.5 system-ui, sans-serif; max-width: 50rem; margin: 3rem auto; padding: 0 1rem">
<h1 style="font-size: 1.3rem">The audit of {target} failed</h1><p>{fault}</p></body></html>
"""


def fault_junit(target: str, fault: str) -> str:
    """JUnit XML with a single test case, which is an error."""
    suite = Element("testsuite", name="erlangen audit", tests="1", failures="0", errors="1", skipped="0")
    case = SubElement(suite, "testcase", classname=target, name="audit")
    SubElement(case, "error", message=fault)
    indent(suite)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + NOT_XML.sub("�", tostring(suite, encoding="unicode")) + "\n"


def fault_html(target: str, fault: str) -> str:
    """A page with the one line that the command printed."""
    return PAGE.format(target=html.escape(target), fault=html.escape(fault))


def fault_data(target: str, fault: str, exit_code: int) -> dict[str, Any]:
    """The fault as JSON data, in place of the record."""
    return {"schema": SCHEMA, "target": target, "fault": fault, "exit_code": exit_code}
