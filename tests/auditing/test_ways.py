"""How models can be called: one input at a time, with NumPy arrays, with further arguments; found on the first calls."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import erlangen
from erlangen.auditing import Audit
from erlangen.auditing.arguments import WithArguments
from erlangen.auditing.array_calls import is_array, to_tensors
from erlangen.auditing.arrays import Arrays
from erlangen.auditing.batch_second import BatchSecond
from erlangen.auditing.calling import ModelError
from erlangen.auditing.domain import load_domain
from erlangen.auditing.inputs import generated
from erlangen.auditing.model import Model
from erlangen.auditing.ways import find_way, takes_batches

IMAGES = torch.stack(generated("images", (1, 8, 8), 6))
TEXTS = generated("texts", (6,), 6, 20)


def audited(model: Any, inputs: Any, *checks: str, **more: Any) -> Audit:
    return erlangen.audit(model, inputs, list(checks), only_exact=True, where=False, **more)


def judgments(found: Audit) -> dict[str, str]:
    return {check.name: check.judgment for check in found.checks}


def mean(x: Tensor) -> Tensor:
    return x.sin().mean((-2, -1))


class Baked(nn.Module):
    """A batch of `n` is written into the code."""

    def __init__(self, n: int = 1) -> None:
        super().__init__()
        self.n = n
        torch.manual_seed(0)
        self.layer = nn.Linear(64, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.layer(x.view(self.n, 64).sin())


class Unbatched(nn.Module):
    """Takes (C, H, W) and returns one vector."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.layer = nn.Linear(8, 3)

    def forward(self, x: Tensor) -> Tensor:
        _, height, _ = x.shape
        assert height == 8
        return self.layer(x.sin().mean((0, 1)))


def model_of(function: Any, domain: str = "images", **more: Any) -> Model:
    module = function if isinstance(function, nn.Module) else None
    return Model(function=function, adapter=load_domain(domain).adapter(function), module=module, **more)


# --- batches ------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("model", "together"),
    [
        (mean, True),
        (Baked(), False),
        (lambda x: mean(x[:1]), False),  # the wrong first axis
        (lambda x: mean(x).sum(0, keepdim=True), False),
    ],
)
def test_a_batch_of_two_shows_whether_batches_are_taken(model: Any, together: bool) -> None:
    found, why = takes_batches(model_of(model), list(IMAGES))
    assert found is together
    assert bool(why) is not together
    if why:
        assert why.startswith("The model takes one input at a time: a batch of two fails (")
        assert why.endswith(").")


def test_inputs_that_share_no_call_are_not_tried() -> None:
    calls = []

    def network(x: Tensor, edge_index: Tensor) -> Tensor:
        calls.append(len(x))
        return x

    graphs = generated("graphs", (5, 2), 3)
    assert takes_batches(model_of(network, "graphs"), graphs) == (True, "")
    assert calls == []


@pytest.mark.parametrize("twin", [True, False])
def test_a_batch_of_one_in_the_code_is_audited_with_batches_of_one(twin: bool) -> None:
    model = Baked().eval()
    found = audited(model if twin else model.forward, IMAGES, "translation", "reflection")
    assert judgments(found)["repeat"] == "exact"
    assert judgments(found)["translation"] == "broken"
    assert judgments(found)["batch-composition"] == "not measured"
    assert "one input at a time" in " ".join(found.notes)
    assert found.twin == "float64" if twin else found.twin.startswith("none")


def test_batches_of_exactly_a_number_are_declared() -> None:
    found = audited(Baked(4).eval(), IMAGES, "reflection", batch_size=4)
    assert judgments(found)["batch-composition"] == "exact"
    assert found.notes == ("The model does not take a single input: it was called with batches of 4.",)
    with pytest.raises(ModelError, match="failed on input 0"):
        audited(Baked(4).eval(), IMAGES, "reflection")


def test_a_batch_size_of_one_works() -> None:
    assert judgments(audited(lambda x: x.sin().mean((2, 3)), IMAGES, "translation", batch_size=1))["translation"] == "exact"


@pytest.mark.parametrize("module", [True, False])
def test_inputs_without_a_batch_axis(module: bool) -> None:
    model = Unbatched().eval()
    found = audited(model if module else model.forward, IMAGES, "translation", "reflection")
    assert "The model takes one input without a batch axis." in found.notes
    assert judgments(found)["batch-composition"] == "not measured"
    assert judgments(found)["translation"] == "broken"  # the mean over rows alone
    assert found.output == "3"
    assert found.twin == "float64" if module else found.twin.startswith("none")


def test_an_output_that_does_not_fit_its_batch_is_no_reason_to_leave_the_batch_out() -> None:
    """It would hide that the model takes a mean over the batch."""
    with pytest.raises(ModelError, match="first dimension"):
        audited(lambda x: x.mean(), IMAGES, "reflection")


# --- NumPy --------------------------------------------------------------------------------------------------------------------


def numpy_mean(x: np.ndarray) -> Any:
    if not isinstance(x, np.ndarray):
        raise TypeError("an array, please")
    return {"classes": np.sin(x).mean((2, 3)), "rows": np.sin(x).mean((1, 3))}


def test_numpy_in_and_out() -> None:
    kept = audited(numpy_mean, IMAGES, "translation", select="classes")
    assert judgments(kept)["translation"] == "exact"
    assert kept.notes == ("The model takes and returns NumPy arrays.",)
    assert judgments(audited(numpy_mean, IMAGES, "translation", select=1))["translation"] == "broken"


def test_lists_of_numbers_are_arrays_if_they_have_one_length() -> None:
    assert torch.equal(to_tensors([[1.0, 2.0], [3, 4]]), torch.tensor([[1.0, 2.0], [3.0, 4.0]]))
    for ragged in ([[1.0, 2.0], [3.0]], [[1.0], 2.0], []):
        assert not is_array(ragged)
    parts = to_tensors([[1.0, 2.0], [3.0]])
    assert [part.tolist() for part in parts] == [[1, 2], [3]]


def test_a_batch_on_the_second_axis_is_only_moved_where_there_is_one() -> None:
    adapter = BatchSecond(Arrays())
    y = torch.randn(7, 2, 4)
    assert torch.equal(adapter.split(y, IMAGES[:2])[1], y[:, 1])
    inner = torch.randn(2, 7, 4)  # of a layer that has the batch first
    assert torch.equal(adapter.split(inner, IMAGES[:2])[1], inner[1])


def test_numpy_of_one_input() -> None:
    one = lambda x: np.asarray([np.sin(x.astype(np.float32)[0]).mean(), x.mean()])  # noqa: E731
    found = audited(one, list(IMAGES), "translation")
    assert "The model takes one input without a batch axis." in found.notes
    assert judgments(found)["translation"] == "exact"


# --- further arguments --------------------------------------------------------------------------------------------------------


class Masked(nn.Module):
    """A bidirectional model of texts that needs a mask, and a scale."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.embedding = nn.Embedding(20, 4)

    def forward(self, input_ids: Tensor, attention_mask: Tensor, scale: float) -> Tensor:
        weights = attention_mask[..., None] / attention_mask.sum(1)[:, None, None]
        y = self.embedding(input_ids)
        return scale * (y + (weights * y).sum(1, keepdim=True))


def test_required_arguments_are_named_and_given() -> None:
    model = Masked().eval()
    with pytest.raises(ModelError, match=r"needs attention_mask and scale: give it with arguments={'attention_mask': VALUE}"):
        audited(model, TEXTS, "causality")
    found = audited(
        model, TEXTS, "causality", "token-permutation", "left-padding", arguments={"attention_mask": "ones", "scale": 2}
    )
    assert judgments(found)["token-permutation"] == "exact"
    assert judgments(found)["causality"] == "broken"
    assert judgments(found)["left-padding"] == "exact"  # its own mask counts, not the constant
    assert found.twin == "float64"


def test_unknown_arguments_are_named() -> None:
    with pytest.raises(ModelError, match=r"no argument 'attention_maks'; it has input_ids, attention_mask, scale"):
        audited(Masked().eval(), TEXTS, "causality", arguments={"attention_maks": "ones", "scale": 2})


def test_constants_are_passed_as_they_are_and_tensors_are_filled() -> None:
    adapter = WithArguments(load_domain("images").adapter(mean), {"a": "zeros", "b": "ones", "c": "text", "d": 3, "e": None})
    (x,), named = adapter.collate(list(IMAGES[:2]))
    assert torch.equal(named.pop("a"), torch.zeros_like(x))
    assert torch.equal(named.pop("b"), torch.ones_like(x))
    assert named == {"c": "text", "d": 3, "e": None}


def test_arguments_reach_an_untrained_copy_too() -> None:
    found = erlangen.audit(
        Masked().eval(), TEXTS, "token-permutation", arguments={"attention_mask": "ones", "scale": 2}, baseline=True, elements=2
    )
    assert found.checks[-1].baseline is not None


# --- what a failure says ------------------------------------------------------------------------------------------------------


def test_of_several_ways_that_fail_the_first_speaks() -> None:
    def fails(x: Any) -> Any:
        raise ValueError(f"no {type(x).__name__} of {x.ndim} axes")

    with pytest.raises(ModelError, match="failed on input 0: ValueError: no Tensor of 4 axes"):
        find_way(model_of(fails), IMAGES[0])


def test_token_ids_beyond_an_embedding_point_at_the_vocabulary() -> None:
    with pytest.raises(ModelError, match=r"IndexError.*vocabulary="):
        audited(nn.Embedding(5, 2), TEXTS, "causality")
