"""Programs of torch.export: by file or as they are, with a float64 twin, and the batch that was written into them."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import erlangen
from erlangen.auditing import ModelError
from erlangen.auditing.inputs import generated
from erlangen.auditing.loading import load_model

IMAGES = generated("images", (1, 8, 8), 9)
EXAMPLE = torch.randn(4, 1, 8, 8)


def net(mode: str = "circular") -> nn.Module:
    torch.manual_seed(0)
    conv = nn.Conv2d(1, 3, 3, padding=1, padding_mode=mode)
    return nn.Sequential(conv, nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(0.5)).eval()


def program(model: nn.Module, example: Tensor = EXAMPLE, fixed: bool = False) -> Any:
    sizes = None if fixed else ({0: torch.export.Dim("batch")},)
    return torch.export.export(model, (example,), dynamic_shapes=sizes)


def judgments(found: erlangen.Audit) -> dict[str, str]:
    return {check.name: check.judgment for check in found.checks}


@pytest.mark.parametrize(("mode", "judgment"), [("circular", "exact"), ("zeros", "broken")])
def test_a_saved_program_is_judged_on_a_twin(tmp_path: Path, mode: str, judgment: str) -> None:
    torch.export.save(program(net(mode)), tmp_path / "net.pt2")
    model, inputs = load_model(str(tmp_path / "net.pt2"))
    assert inputs is None
    found = erlangen.audit(model, IMAGES, "translation", only_exact=True)
    assert judgments(found) == {"repeat": "exact", "batch-composition": "exact", "batch-size": "exact", "translation": judgment}
    assert found.twin == "float64"
    assert not any("training mode" in note for note in found.notes)


def test_a_program_need_not_be_unwrapped() -> None:
    assert judgments(erlangen.audit(program(net()), IMAGES, "translation", only_exact=True))["translation"] == "exact"


@pytest.mark.parametrize("batch", [1, 4])
def test_a_batch_size_of_the_program(batch: int) -> None:
    found = erlangen.audit(program(net(), EXAMPLE[:batch], fixed=True), IMAGES, "translation", only_exact=True)
    expected = {
        "translation": "exact",
        "batch-size": "not measured",
        "batch-composition": "not measured" if batch == 1 else "exact",
    }
    assert judgments(found).items() >= expected.items()
    assert found.exit_code() == 0


def test_dropout_that_was_exported_is_found() -> None:
    model = net().train()
    assert judgments(erlangen.audit(program(model), IMAGES, "translation", only_exact=True))["repeat"] == "broken"


def test_a_file_that_is_no_program(tmp_path: Path) -> None:
    (tmp_path / "net.pt2").write_bytes(b"no program")
    with pytest.raises(ModelError, match=r"net\.pt2 is no program of torch\.export\.save"):
        load_model(str(tmp_path / "net.pt2"))
