"""The atlas goes on where it stopped, names what failed, and its page says what the records say."""

import re
import sys
from pathlib import Path
from types import ModuleType

import pytest
import torch
from torch import Tensor, nn

EXAMPLES = Path(__file__).parents[1] / "examples"


class Mean(nn.Module):
    """Keeps every order of nodes, but not a further node without edges, told by the mean of all rows."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(8, 4)

    def forward(self, x: Tensor, edge_index: Tensor, batch: Tensor) -> Tensor:
        rows = self.layer(x)
        means = torch.stack([rows[batch == k].mean(0) for k in batch.unique()])
        return rows - 8 * means[batch]


def fails() -> nn.Module:
    raise ValueError("no such\nlayer")


@pytest.fixture
def atlas(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(EXAMPLES))
    import atlas as module

    built: list[str] = []
    monkeypatch.setattr(
        module, "DOMAINS", {"graph": (lambda: {"Mean": lambda: built.append("") or Mean(), "None": fails}, "numpy")}
    )
    module.built_count = built
    yield module
    for name in ("atlas", "atlas_models"):
        sys.modules.pop(name, None)


def test_a_second_run_audits_only_what_is_missing(atlas: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = tmp_path / "atlas.md"
    atlas.main([str(tmp_path), "--write", str(page)])
    first = page.read_text(encoding="utf-8")
    atlas.main([str(tmp_path), "--write", str(page)])
    assert len(atlas.built_count) == 1
    assert page.read_text(encoding="utf-8") == first
    monkeypatch.setattr(atlas, "SEED", 1)  # other settings are another audit
    atlas.main([str(tmp_path)])
    assert len(atlas.built_count) == 2


def test_the_page_has_a_mark_for_each_check_and_names_what_failed(atlas: ModuleType, tmp_path: Path) -> None:
    atlas.main([str(tmp_path), "--write", str(tmp_path / "atlas.md")])
    page = (tmp_path / "atlas.md").read_text(encoding="utf-8")
    row = next(line for line in page.splitlines() if line.startswith("| Mean"))
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    assert cells[:5] == ["Mean", "=", "=", "=", "="]  # the batch's composition and size, the order of nodes and of edges
    assert cells[5].startswith("✗ ")
    assert cells[6] == "="  # it looks at no edge
    assert "Without a row: None failed: ValueError: no such layer." in page


def check(**changes: object) -> dict[str, object]:
    """A check's record, as far as a cell reads it."""
    return {"judgment": "broken", "strict": False, "failures": {}, "error": 0.5, "interval": [0.3, 0.8]} | changes


def test_a_cell_that_its_interval_does_not_decide_says_why(atlas: ModuleType) -> None:
    assert atlas.cell(check()) == "✗ 0.5 [0.3, 0.8]"
    assert atlas.cell(check(interval=[0.0079, 0.8])) == "✗† 0.5 [0.0079, 0.8]"
    assert atlas.cell(check(interval=[None, 0.8])) == "✗† 0.5 [?, 0.8]"
    assert atlas.cell(check(interval=[0.02, 0.25], strict=True)) == "✗ 0.5 [0.02, 0.25]"  # any error breaks a strict check
    assert atlas.cell(check(failures={"order #4": "IndexError"})) == "✗ fails"


def test_the_legend_explains_every_mark_of_the_page() -> None:
    page = (EXAMPLES.parent / "docs" / "atlas.md").read_text(encoding="utf-8")
    legend = set(re.findall(r"^- `(.+?)` ", page, re.M))
    cells = [cell.strip() for line in page.splitlines() if line.startswith("| ") for cell in line.strip("|").split("|")[1:]]
    marks = {match[0] for cell in cells if (match := re.match(r"[=–]|[✓✗?]†?( fails)?", cell))}
    assert len(marks) > 5
    assert marks <= legend
