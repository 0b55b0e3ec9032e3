"""The largest entry of logits and probabilities is a class; that of embeddings and boxes is none."""

import pytest
import torch
from torch import nn

import erlangen
from erlangen.auditing.class_scores import are_scores
from erlangen.auditing.inputs import generated

ROWS = torch.randn(20, 6, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize(
    ("rows", "name", "scores"),
    [
        (ROWS, "", True),
        (ROWS, "logits", True),
        (ROWS.softmax(1), "", True),
        ((1e4 * ROWS).softmax(1), "", True),  # saturated: of length 1, too
        (nn.functional.normalize(ROWS), "", False),
        (nn.functional.normalize(ROWS.relu()), "", False),
        (ROWS, "pooler_output", False),
        (ROWS, "hidden.0", True),  # only the last name counts
        (ROWS, "heads.boxes", False),
        (ROWS.int(), "", False),
        (ROWS[:, :, None], "", False),
    ],
)
def test_what_has_classes(rows: torch.Tensor, name: str, scores: bool) -> None:
    assert are_scores(list(rows), name) is scores


def test_no_class_of_an_embedding_changes() -> None:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(3, 16, 3, padding=1), nn.ReLU(), nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(64, 8)).eval()
    images = generated("images", (3, 12, 12), 16)
    flips = []
    for model in (net, nn.Sequential(net, nn.Softmax(1)), lambda x: nn.functional.normalize(net(x))):
        found = erlangen.audit(model, images, ["reflection"], where=False)
        flips.append(found.checks[-1].flips is not None)
    assert flips == [True, True, False]
