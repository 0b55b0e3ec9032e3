"""No wrong verdict on models whose answer is known, and nothing of the user's touched on the way."""

import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch
from auditing.oracles.case import UNMEASURED, Case
from auditing.oracles.cases import CASES
from torch import Tensor, nn

import erlangen
from erlangen.auditing import Audit, ModelError
from erlangen.auditing.symmetry_check import differ

PRECISIONS = [torch.float32, torch.float64]


def params(cases: list[Case]) -> list[Any]:
    """Those that the audit is known to get wrong are expected to fail, so that they speak up once they do not."""
    marks = {case.name: [pytest.mark.xfail(strict=True, reason=case.known_wrong)] if case.known_wrong else [] for case in cases}
    return [pytest.param(case, marks=marks[case.name], id=case.name.replace(" ", "-")) for case in cases]


def judged(case: Case, seed: int, dtype: torch.dtype) -> Audit:
    """The audit, after it was seen to leave model, inputs and random numbers as they were."""
    model, inputs = case.model(seed, dtype), case.inputs(seed, dtype)
    given, state, training, numbers = copy.deepcopy(inputs), state_of(model), modes_of(model), torch.get_rng_state()
    found = case.audit(model, inputs, seed)
    pairs = zip(inputs, given, strict=True)
    assert not any(differ(now, before) for now, before in pairs), "inputs were changed"
    after = state_of(model)
    assert all(torch.equal(after[name].nan_to_num(), state[name].nan_to_num()) for name in state), "the model was changed"
    assert modes_of(model) == training
    assert torch.equal(torch.get_rng_state(), numbers)
    return found


def state_of(model: Callable[..., Any]) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in model.state_dict().items()} if isinstance(model, nn.Module) else {}


def modes_of(model: Callable[..., Any]) -> list[bool]:
    return [part.training for part in model.modules()] if isinstance(model, nn.Module) else []


def assert_right(case: Case, seed: int, dtype: torch.dtype) -> None:
    found, right = judged(case, seed, dtype), case.judgments(dtype)
    assert {check.name for check in found.checks} == right.keys()
    wrong = [
        f"{check.name} {check.judgment}, not {' or '.join(sorted(right[check.name]))}: {check.reason}"
        for check in found.checks
        if check.judgment not in right[check.name]
    ]
    assert not wrong, "\n".join([f"{case.name}, twin: {found.twin}", *wrong])
    for check in found.checks:
        said = " ".join((check.reason, *check.failures))
        assert case.says.get(check.name, "") in said, said
        assert check.flips is None or not case.no_classes
    allowed = any(right[check.name] == {UNMEASURED} for check in found.checks if not check.informational)
    assert (found.exit_code() == 5) <= allowed


@pytest.mark.parametrize("case", params([case for case in CASES if case.fast]))
def test_judgment_is_right(case: Case) -> None:
    assert_right(case, seed=0, dtype=torch.float32)


@pytest.mark.slow
@pytest.mark.parametrize("dtype", PRECISIONS, ids=str)
@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize("case", params(CASES))
def test_judgment_is_right_for_every_seed_and_precision(case: Case, seed: int, dtype: torch.dtype) -> None:
    assert_right(case, seed, dtype)


def test_there_are_at_least_fifty_and_no_name_twice() -> None:
    assert len({case.name for case in CASES}) == len(CASES) >= 50


def test_every_judgment_that_rules_give_is_asked_of_some_model() -> None:
    asked = set().union(*(right for case in CASES for right in case.judgments(torch.float32).values()))
    assert asked == {"exact", "holds", "broken", "undecided", UNMEASURED}


@pytest.mark.parametrize("fault", [ValueError("no such picture"), KeyError("mask")])
def test_a_model_that_always_raises_is_the_users_fault(fault: Exception) -> None:
    def model(x: Tensor) -> Tensor:
        raise fault

    with pytest.raises(ModelError, match=str(fault)):
        erlangen.audit(model, torch.zeros(4, 3, 8, 8))


def test_a_model_that_raises_for_one_input_is_told_which() -> None:
    def model(x: Tensor) -> Tensor:
        if bool((x[:, 0, 0, 0] == 2).any()):
            raise ValueError("two is not a picture")
        return x.mean((2, 3))

    with pytest.raises(ModelError, match=r"input 2 .*two is not a picture"):
        erlangen.audit(model, torch.arange(4.0)[:, None, None, None].expand(-1, 3, 8, 8))
