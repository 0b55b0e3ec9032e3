"""What `test_cuda.py` audits on a GPU makes every tensor where its input is, which can be seen without a GPU."""

from typing import Any

import pytest
import torch
from auditing.oracles.case import Case
from auditing.oracles.soundness import Question
from auditing.test_cuda import IMAGES, SOUND
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves


def arguments(domain: str, one: Any) -> tuple[Tensor, ...]:
    """Those of a call with this input alone."""
    if domain == "texts":
        return (one.ids[None],)
    return (one.x, one.edge_index) if domain == "graphs" else (one[None],)


def assert_made_there(model: nn.Module, *args: Any) -> None:
    """With another default device: a tensor that is made without naming one is there, and cannot be combined with the input."""
    with torch.device("meta"), torch.no_grad():
        out = model(*args)
    assert not any(leaf.is_meta for leaf in tree_leaves(out) if isinstance(leaf, Tensor))


@pytest.mark.parametrize("case", IMAGES, ids=lambda case: case.name.replace(" ", "-"))
def test_an_oracle_makes_its_tensors_where_its_input_is(case: Case) -> None:
    model = case.model(0, torch.float32)
    (images,) = arguments("images", case.inputs(0, torch.float32)[0])
    assert_made_there(model, list(images) if getattr(model, "listed", False) else images)


@pytest.mark.parametrize("question", [q for q in SOUND if not q.hidden], ids=lambda question: question.label)
def test_a_question_makes_its_tensors_where_its_input_is(question: Question) -> None:
    torch.manual_seed(0)
    assert_made_there(question.make().eval(), *arguments(question.domain, question.inputs(0, torch.float32)[0]))
