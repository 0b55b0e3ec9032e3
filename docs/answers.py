"""Collect the answers of docs/claims.md: its overview, and the table that `erlangen show` has of them.

    python docs/answers.py

Run it after the sections of docs/claims.md have changed. It rewrites the overview and erlangen/documented.json.
"""

from __future__ import annotations

import json
import re
import unicodedata
from dataclasses import asdict
from pathlib import Path

from erlangen.claims import catalog
from erlangen.report.documented import DocumentedAnswer
from erlangen.report.tables import markdown_table

CLAIMS = Path(__file__).with_name("claims.md")
DOCUMENTED = Path(__file__).parents[1] / "erlangen" / "documented.json"
BEGIN, END = "<!-- Written by `python docs/answers.py`. -->\n", "<!-- End of what it wrote. -->"
SECTION = re.compile(
    r"^## (?P<heading>(?P<claim>\w+): (?P<statement>[^\n]+))\n\n\*\*(?P<answer>[^*\n]+)\.\*\* (?P<sentence>[^\n]+)\n"
    r"(?:(?!^## ).*\n)*?"
    r"Cite as: .+ \(erlangen [\d.]+, experiment (?P<experiment>[\w-]+), (?P<settings>.+)\)\.$",
    re.M,
)


def sections(text: str) -> list[tuple[str, str, DocumentedAnswer]]:
    """Link, statement and answer of each claim's section, in the order of the catalog: the two of C5 one after the other."""
    found = []
    taken: set[str] = set()
    for match in SECTION.finditer(text):
        values = match.groupdict()
        link, statement = f"#{anchor(values.pop('heading'), taken)}", values.pop("statement")
        found.append((link, statement, DocumentedAnswer(**values | {"answer": values["answer"].lower()})))
    order = list(catalog())
    return sorted(found, key=lambda section: (*order, section[2].claim).index(section[2].claim))


def anchor(heading: str, taken: set[str]) -> str:
    """The fragment that GitHub gives a heading: letters, digits (not ²), hyphens; a number where an earlier one has the same."""
    kept = (sign for sign in heading.lower() if sign in "- " or unicodedata.category(sign)[0] in "LM" or sign.isdecimal())
    plain = "".join(kept).replace(" ", "-")
    name = next(name for name in (plain, *(f"{plain}-{k}" for k in range(1, 99))) if name not in taken)
    taken.add(name)
    return name


def overview(text: str) -> str:
    """A row for each section: the claim, its answer, and the answer in one sentence."""
    rows = [
        (
            f"[{entry.claim}]({link})",
            catalog()[entry.claim].statement if entry.claim in catalog() else statement,
            entry.answer,
            entry.sentence,
        )
        for link, statement, entry in sections(text)
    ]
    return markdown_table(("claim", "statement", "answer", "in one sentence"), rows)


def with_overview(text: str) -> str:
    """The document with the overview of its sections. Raises ValueError where the marks of the overview are missing."""
    head, _, rest = text.partition(BEGIN)
    _, end, body = rest.partition(END)
    if not end:
        raise ValueError(f"{CLAIMS}: the marks of the overview are missing")
    return f"{head}{BEGIN}\n{overview(text)}\n{end}{body}"


def documented(text: str) -> str:
    """The answers as JSON."""
    return json.dumps([asdict(entry) for _, _, entry in sections(text)], ensure_ascii=False, indent=1) + "\n"


if __name__ == "__main__":
    text = CLAIMS.read_text(encoding="utf-8")
    CLAIMS.write_text(with_overview(text), encoding="utf-8")
    DOCUMENTED.write_text(documented(text), encoding="utf-8")
    print(f"wrote {CLAIMS} and {DOCUMENTED}")
