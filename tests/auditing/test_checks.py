"""The table of checks that loads no torch says what the catalog says."""

from __future__ import annotations

import subprocess
import sys

import pytest

import erlangen
from erlangen.auditing.catalog import CONDITIONS, find_checks
from erlangen.auditing.checks import ANY, CHECKS, check_names, listing, without_skipped
from erlangen.auditing.domain import DOMAINS, load_domain
from erlangen.auditing.inputs import generated
from erlangen.errors import ErlangenError

CATALOG = {name: load_domain(name).symmetries for name in DOMAINS} | {ANY: CONDITIONS}


@pytest.mark.parametrize("domain", CATALOG)
def test_the_table_is_the_catalog(domain: str) -> None:
    assert list(CHECKS) == list(CATALOG)
    assert {name: asked.default for name, asked in CHECKS[domain].items()} == {s.name: s.default for s in CATALOG[domain]}
    told = {name for name, asked in CHECKS[domain].items() if asked.informational}
    assert told == {s.name for s in CATALOG[domain] if s.informational and s.default}


@pytest.mark.parametrize("domain", CATALOG)
def test_every_check_asks_one_question_that_fits_a_line(domain: str) -> None:
    for asked in CHECKS[domain].values():
        assert asked.asks.split()[0] in ("Does", "Is", "Are")
        assert asked.asks.endswith("?")
        assert len(asked.asks) < 80
    assert len({asked.asks for asked in CHECKS[domain].values()}) == len(CHECKS[domain])


def test_the_list_has_a_line_for_each_check() -> None:
    lines = listing().splitlines()
    assert [line for line in lines if line and not line.startswith((" ", "*"))] == list(CATALOG)
    assert sum(line.startswith("  ") for line in lines) == sum(map(len, CATALOG.values()))
    checks = [check for kind in CATALOG.values() for check in kind]
    assert sum(line.startswith("  * ") for line in lines) == sum(c.default and not c.informational for c in checks)
    assert sum(line.startswith("  i ") for line in lines) == sum(c.default and c.informational for c in checks)
    assert max(map(len, lines)) <= 112
    assert "causality" not in listing("images")


@pytest.mark.parametrize("domain", [None, "images", "texts"])
@pytest.mark.parametrize("name", ["translatoin", "xyzzy", "causality", "translation"])
def test_a_misspelled_name_is_refused_with_the_words_of_the_catalog(name: str, domain: str | None) -> None:
    def refusal(ask: object) -> str:
        try:
            ask()  # type: ignore[operator]
        except ErlangenError as error:
            return str(error).partition(" are ")[0]
        return ""

    kind = load_domain(domain) if domain else None
    assert refusal(lambda: check_names([name], domain)) == refusal(lambda: find_checks([name], kind))


def test_checks_are_left_out_by_name() -> None:
    images = generated("images", (1, 6, 6), 3)
    found = erlangen.audit(
        lambda x: x.mean((2, 3)), images, ["reflection", "translation"], skip=["translation", "repeat"], only_exact=True
    )
    assert "reflection" in [check.name for check in found.checks]
    assert {"translation", "repeat"}.isdisjoint(check.name for check in found.checks)
    with pytest.raises(ErlangenError, match=r"cannot skip 'causality': it is not among the checks to run, .*translation"):
        without_skipped(find_checks(None, load_domain("images")), ["causality"])


def test_one_check_is_named_without_a_list() -> None:
    assert (
        erlangen.audit(lambda x: x.mean((2, 3)), generated("images", (1, 6, 6), 3), "reflection").checks[-1].name == "reflection"
    )


def test_it_needs_no_torch() -> None:
    code = "import sys; from erlangen.auditing import checks, targets; checks.listing(); print('torch' in sys.modules)"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert out.stdout.strip() == "False", out.stderr
