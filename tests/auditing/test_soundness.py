"""No model that lacks a symmetry is called exact or said to hold it; none that has it is called broken."""

import pytest
import torch
from auditing.oracles.images import noise
from auditing.oracles.soundness import QUESTIONS, After, Question
from hypothesis import given, settings, strategies as st
from torch import Tensor, nn

import erlangen


def served(question: Question, seed: int) -> object:
    torch.manual_seed(seed)
    model = question.make()
    model = model.to(question.dtype).eval()
    return (lambda *args: model(*args)) if question.hidden else model


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda question: question.label)
def test_the_judgment_is_right(question: Question) -> None:
    model, inputs = served(question, 0), question.inputs(0, question.dtype)
    if question.hidden and question.domain == "graphs":
        pytest.skip("a function of graphs has named arguments, which a lambda hides")
    found = erlangen.audit(model, inputs, [question.check], domain=question.domain, where=False, elements=4)
    check = next(check for check in found.checks if check.name == question.check)
    assert check.judgment in question.allowed(), f"{check.judgment}: {check.reason} (twin: {found.twin})"


@settings(max_examples=120)
@given(
    seed=st.integers(0, 10**6),
    dtype=st.sampled_from([torch.float32, torch.float64, torch.bfloat16, torch.float16]),
    leak=st.sampled_from([0.0, 0.0, 1e-9, 1e-7, 1e-5, 1e-3, 0.03, 0.3, 3.0]),
    offset=st.sampled_from([0.0, 1.0, 1e2, 1e4, 3e5]),
    scale=st.sampled_from([1e-3, 1.0, 30.0]),
    hidden=st.booleans(),
    check=st.sampled_from(["translation", "batch-composition"]),
)
def test_exact_is_never_said_beside_an_error_that_can_be_seen(
    seed: int, dtype: torch.dtype, leak: float, offset: float, scale: float, hidden: bool, check: str
) -> None:
    """Whatever the model, its precision, its scale and what is added to it."""

    def faulty(y: Tensor, x: Tensor) -> Tensor:
        wrong = x[:, :1, 3, 3] if check == "translation" else y.mean(0, keepdim=True)
        return scale * (y + leak * wrong) + offset

    torch.manual_seed(seed)
    net = After(faulty).to(dtype).eval()
    model = (lambda x: net(x)) if hidden else net
    found = erlangen.audit(model, noise(seed, dtype), [check], where=False, elements=3, seed=seed % 7)
    judged = next(one for one in found.checks if one.name == check)
    if judged.judgment != "exact":
        return
    assert judged.error is not None
    assert judged.error <= 0.01
    assert judged.flips is None or judged.flips.rate <= judged.flips.chance
    assert leak < 1e-4 or dtype in (torch.float16, torch.bfloat16), "a leak of 1e-3 is no rounding of float32"


class StoredRotation(nn.Module):
    """Distances after a rotation that is stored in float32, so that it is not quite orthogonal."""

    def __init__(self) -> None:
        super().__init__()
        q, _ = torch.linalg.qr(torch.randn(3, 3, dtype=torch.float64))
        self.register_buffer("q", q.float())
        self.head = nn.Linear(2, 5)

    def forward(self, x: Tensor) -> Tensor:
        y = x @ self.q.to(x.dtype).T
        squares = (y[:, :, None] - y[:, None]).square().sum(-1)  # (B, N, N)
        return self.head(torch.stack([squares.mean((1, 2)), (-squares).exp().mean((1, 2))], 1))


def test_constants_stored_in_float32_do_not_break_a_rotation() -> None:
    torch.manual_seed(0)
    found = erlangen.audit(StoredRotation().eval(), torch.randn(16, 9, 3), ["point-rotation"], domain="points", where=False)
    assert found.checks[-1].judgment == "holds"
    assert 1e-12 < (found.checks[-1].leak or 0) < 1e-6
    assert "constants" in found.checks[-1].reason
