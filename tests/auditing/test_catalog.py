"""The catalog: what each domain checks, that every check comes with advice, and that the docs list what is there."""

from __future__ import annotations

import importlib
import pkgutil
import re
from pathlib import Path

import pytest
import torch
from torch import Tensor

import erlangen
from erlangen import symmetries
from erlangen.auditing.catalog import CONDITIONS, find_checks
from erlangen.auditing.domain import DOMAINS, all_domains, load_domain
from erlangen.auditing.inputs import generated
from erlangen.errors import ErlangenError
from erlangen.symmetries import Reflection, Symmetry

DOCS = Path(__file__).parents[2] / "docs" / "audit.md"
SHAPES = {"images": (3, 8, 8), "texts": (8,), "graphs": (8, 3), "points": (8, 3), "series": (2, 8), "volumes": (2, 4, 5, 6)}


def own_symmetries() -> list[type[Symmetry]]:
    """Every class of symmetries in `erlangen.symmetries`, listed in a domain or not."""
    modules = [
        importlib.import_module(f"erlangen.symmetries.{entry.name}") for entry in pkgutil.iter_modules(symmetries.__path__)
    ]
    members = [value for module in modules for value in vars(module).values() if isinstance(value, type)]
    ours = {kind for kind in members if issubclass(kind, Symmetry) and kind.__module__.startswith("erlangen.symmetries.")}
    return sorted(ours - {Symmetry}, key=lambda kind: kind.__name__)


@pytest.mark.parametrize("kind", own_symmetries(), ids=lambda kind: kind.__name__)
def test_every_symmetry_has_advice(kind: type[Symmetry]) -> None:
    assert_is_advice(kind.advice)


@pytest.mark.parametrize("condition", CONDITIONS, ids=lambda condition: condition.name)
def test_every_condition_has_advice(condition) -> None:
    assert_is_advice(condition.advice)


def assert_is_advice(text: str) -> None:
    """Whole sentences, short enough for a terminal."""
    assert re.fullmatch(r"[A-Z].*\.", text), text
    assert 20 < len(text) < 250


def test_every_symmetry_is_listed_in_one_domain() -> None:
    listed = [type(symmetry) for domain in all_domains() for symmetry in domain.symmetries]
    assert set(listed) == set(own_symmetries())
    for domain in all_domains():
        names = [symmetry.name for symmetry in domain.symmetries] + [entry.name for entry in CONDITIONS]
        assert len(set(names)) == len(names)


@pytest.mark.parametrize("name", DOMAINS)
def test_a_domain_knows_all_about_inputs_of_its_own(name: str) -> None:
    """What `read` makes of tensors, or `recognize` of objects, is what `generate` makes; it can be described and moved."""
    domain = load_domain(name)
    assert domain.name == name
    x = generated(name, SHAPES[name], 1)[0]
    assert domain.describe(x)
    others = [other.name for other in all_domains() if other.recognize(x) is not None]
    assert others in ([], [name])
    for check in find_checks(None, domain)[3:]:
        g = check.symmetry.generators(x)[0]
        shown = domain.pictures(check.symmetry.reference(x, g), check.symmetry.act(x, g))
        assert len(shown) in (0, 2)


@pytest.mark.parametrize(
    ("name", "shape", "sites"),
    [
        ("images", (5, 4, 3), 12),
        ("images", (7, 5), 7),
        ("series", (5, 8), 8),
        ("points", (7, 5), 7),
        ("texts", (9, 5), 9),
        ("graphs", (6, 5), 6),
        ("volumes", (5, 4, 3, 2), 24),
    ],
)
def test_sites_of_an_output_are_its_rows_or_for_series_its_columns(name: str, shape: tuple[int, ...], sites: int) -> None:
    """(C, h, w) has a site per pixel, (T, D) and (N, D) one per row, (C, T) one per step; a vector is one site."""
    adapter = load_domain(name).adapter(lambda x, edge_index: x)
    assert adapter.sites(torch.zeros(shape)).shape == (sites, 5)
    assert adapter.sites(torch.zeros(5)).shape == (1, 5)


def test_pictures_of_an_image_share_its_color_scale() -> None:
    x = generated("images", (3, 8, 8), 1)[0]
    pictures = load_domain("images").pictures
    assert pictures(x, x) == pictures(7 * x + 3, 7 * x + 3)
    assert len(set(pictures(x, x.flip(-1)))) == 2
    assert pictures(x[:2], x[:2]) == ()


def test_the_worst_position_or_point_counts() -> None:
    """The last row is always 0, all others move along: an error at 2 of 12 positions, as large there as a token."""
    torch.manual_seed(0)
    embedding = torch.randn(20, 6)

    def model(ids: Tensor) -> Tensor:
        y = embedding[ids]
        y[:, -1] = 0
        return y

    check = erlangen.audit(model, generated("texts", (12,), 12, 20), ["token-permutation"]).checks[-1]
    assert check.error > 0.7
    assert check.worst[0].where.startswith("position ")
    points = erlangen.audit(
        lambda x: torch.cat([x[:, :-1], 0 * x[:, -1:]], 1), torch.randn(12, 12, 6), ["point-permutation"], domain="points"
    )
    assert points.checks[-1].error > 0.7
    assert points.checks[-1].worst[0].where.startswith("point ")


def test_defaults_are_those_of_the_symmetries_and_conditions_come_first() -> None:
    names = [check.name for check in find_checks(None, load_domain("texts"))]
    assert names == [
        "repeat",
        "batch-composition",
        "batch-size",
        "causality",
        "token-permutation",
        "position-shift",
        "left-padding",
    ]


def test_names_symmetries_and_checks_may_be_mixed_and_the_later_of_two_counts() -> None:
    images = load_domain("images")
    bfloat16 = next(check for check in CONDITIONS if check.name == "bfloat16")
    checks = find_checks(["reflection", Reflection("up-down"), bfloat16, "reflection"], images)
    assert [check.name for check in checks] == [
        "repeat",
        "batch-composition",
        "batch-size",
        "reflection",
        "reflection-up-down",
        "bfloat16",
    ]
    assert find_checks([], images) == list(find_checks(["repeat"], images))


@pytest.mark.parametrize(
    ("asked", "domain", "words"),
    [
        ("translatoin", None, "unknown check 'translatoin'; did you mean translation?"),
        ("xyzzy", None, "unknown check 'xyzzy'; the checks are translation, .*causality, .*cuda$"),
        ("xyzzy", "points", "the checks for points are point-permutation, point-rotation, point-translation, repeat"),
        ("causality", "images", "unknown check 'causality'; the checks for images are"),
    ],
)
def test_an_unknown_check_is_named_with_what_there_is(asked: str, domain: str | None, words: str) -> None:
    with pytest.raises(ErlangenError, match=words):
        find_checks([asked], load_domain(domain) if domain else None)


def test_a_check_of_some_domain_is_known_before_the_domain_is() -> None:
    assert [check.name for check in find_checks(["causality", "edge-order"], None)][3:] == ["causality", "edge-order"]


def test_the_docs_list_every_check_and_show_the_defaults_in_bold() -> None:
    text = DOCS.read_text(encoding="utf-8")
    for domain in all_domains():
        row = next(line for line in text.splitlines() if line.startswith(f"| {domain.name} "))
        bold, listed = set(re.findall(r"\*\*([a-z-]+)\*\*", row)), set(re.findall(r"[a-z]+(?:-[a-z]+)*", row.split("|")[2]))
        names = {symmetry.name for symmetry in domain.symmetries}
        assert names <= listed, names - listed
        assert bold & names == {symmetry.name for symmetry in domain.symmetries if symmetry.default}
    assert all(f"`{condition.name}`" in text for condition in CONDITIONS)


def test_what_an_audit_advises_is_what_the_check_advises() -> None:
    x = generated("images", (3, 8, 8), 24)
    found = {check.name: check for check in erlangen.audit(lambda x: x.flatten(1)[:, :5], x, ["reflection"]).checks}
    assert found["reflection"].judgment == "broken"
    assert found["reflection"].advice == Reflection.advice
    assert found["repeat"].advice == ""
