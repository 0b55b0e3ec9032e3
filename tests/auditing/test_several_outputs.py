"""A model that returns several outputs: each is judged by its name, the worst counts, and one call serves them all."""

import json
from typing import Any

import pytest
import torch
from auditing.oracles.several_outputs import LENGTH, VOCABULARY, autoencoder, circular, language, padded, pyramid
from support.torchvision_ops import declare_torchvision_ops
from torch import Tensor, nn

import erlangen
from erlangen.auditing.inputs import generated
from erlangen.auditing.part import Part
from erlangen.auditing.shared_calls import SharedCalls, digest
from erlangen.records.audit import AuditRecord
from erlangen.records.files import from_json, to_json
from erlangen.report.audit_junit import audit_junit
from erlangen.report.audit_page import audit_html

declare_torchvision_ops()
TEXTS = generated("texts", (LENGTH,), 10, VOCABULARY)
IMAGES = generated("images", (3, 12, 12), 10)


def judgments(found: erlangen.Audit, name: str) -> dict[str, str]:
    check = next(check for check in found.checks if check.name == name)
    return {output.name: output.judgment for output in check.outputs}


@pytest.fixture(scope="module")
def broken() -> erlangen.Audit:
    torch.manual_seed(0)
    return erlangen.audit(language(True).eval(), TEXTS, ["causality"], domain="texts")


def test_the_worst_output_counts_and_is_named(broken: erlangen.Audit) -> None:
    assert judgments(broken, "causality") == {"logits": "exact", "value": "broken"}
    check = broken.checks[-1]
    assert (check.name, check.judgment, check.output) == ("causality", "broken", "value")
    assert check.breaks is not None
    assert check.breaks.culprit == "before value"
    assert broken.exit_code() == 1
    assert [(output.name, output.shape) for output in broken.outputs] == [("logits", "10 × 20"), ("value", "10 × 1")]


def test_every_report_names_the_outputs(broken: erlangen.Audit) -> None:
    said = str(broken)
    assert "-> logits 10 × 20 and value 10 × 1, float32" in said
    assert "value: not exact" in said
    assert "logits exact; value broken" in said
    assert "first lost before value (function" in said
    with pytest.raises(erlangen.auditing.result.BrokenError, match="causality broken: value: not exact"):
        broken.raise_if_broken()
    page = audit_html(broken)
    assert "<td>value</td><td>✗ broken</td>" in page
    assert "<td>logits</td><td>= exact</td>" in page
    junit = audit_junit(broken)
    assert 'failure message="broken: value: not exact' in junit
    assert "logits exact; value broken" in junit
    again = from_json(AuditRecord, json.loads(json.dumps(to_json(broken))), "here")
    assert again.checks[-1].outputs == broken.checks[-1].outputs
    assert again.outputs == broken.outputs


def test_one_selected_output_is_judged_alone() -> None:
    torch.manual_seed(0)
    model = language(True).eval()
    found = erlangen.audit(model, TEXTS, ["causality"], domain="texts", select="logits")
    assert found.checks[-1].judgment == "exact"
    assert not found.checks[-1].outputs
    assert not found.outputs
    assert erlangen.audit(model, TEXTS, ["causality"], domain="texts", select="value", where=False).exit_code() == 1


class Counter:
    """How many inputs a model was called with."""

    def __init__(self) -> None:
        self.inputs = 0

    def __call__(self, module: nn.Module, args: tuple[Tensor, ...], output: Any) -> None:
        self.inputs += len(args[0])

    def __deepcopy__(self, memo: object) -> "Counter":
        return self  # the twin's calls count, too


@pytest.mark.parametrize("only_exact", [False, True])
def test_one_call_serves_all_outputs(only_exact: bool) -> None:
    """But for the worst pairs, which are others for each output, and the calls that show what is returned."""
    counts = []
    for select in ("2", None):
        torch.manual_seed(0)
        model, counter = autoencoder(False).eval(), Counter()
        model.register_forward_hook(counter)
        erlangen.audit(model, IMAGES, select=select, only_exact=only_exact, where=False)
        counts.append(counter.inputs)
    assert counts[0] < counts[1] < 1.1 * counts[0]


def test_outputs_read_in_other_ways_get_calls_of_their_own() -> None:
    """Shifts by 1 px act on the fine map alone, those by 2 px on both."""
    torch.manual_seed(0)
    found = erlangen.audit(pyramid(circular).eval(), IMAGES, ["translation"])
    assert judgments(found, "translation") == {"0": "exact", "1": "exact"}
    assert "multiples of 2" in next(output.reason for output in found.checks[-1].outputs if output.name == "1")
    assert judgments(erlangen.audit(pyramid(padded).eval(), IMAGES, ["translation"]), "translation")["1"] == "broken"


def note_of(model: Any, inputs: Any, **options: Any) -> str:
    found = erlangen.audit(model, inputs, ["repeat"], where=False, **options)
    return next((note for note in found.notes if note.startswith("Of what the model returns")), "")


def test_caches_and_inner_states_of_a_library_are_left_out() -> None:
    transformers = pytest.importorskip("transformers")
    torch.manual_seed(0)
    config = transformers.BertConfig(
        hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16, vocab_size=VOCABULARY,
        output_hidden_states=True, output_attentions=True, attn_implementation="eager",
    )  # fmt: skip
    note = note_of(transformers.BertModel(config).eval(), TEXTS, domain="texts")
    assert "last_hidden_state and pooler_output are judged, but not hidden_states and attentions (of inner layers)" in note


class Cached(nn.Module):
    def forward(self, ids: Tensor) -> dict[str, Any]:
        h = nn.functional.one_hot(ids, VOCABULARY).float().cumsum(1)
        return {"past_key_values": [(h, h)], "logits": h, "loss": h.sum(), "ids": ids, "attention": h @ h.mT, "twice": h}


def test_what_is_left_out_is_said_with_the_reason() -> None:
    note = note_of(Cached(), TEXTS, domain="texts")
    assert "attention" in note
    assert "loss (one value for the whole batch)" in note
    assert "ids (integers: ids or a mask)" in note
    assert "attention (a number for each pair of positions)" in note
    assert "twice" not in note
    assert note_of(nn.Sequential(nn.Flatten(), nn.Linear(432, 3)), IMAGES) == ""


def pooled(x: Tensor) -> Tensor:
    return x.square()[:, :, :5].mean((2, 3))


@pytest.mark.parametrize(
    ("second", "why"),
    [
        (lambda y: torch.ones(len(y), 3), "the same for every input"),
        (lambda y: y @ y.T, "its shape depends on the batch"),
        (lambda y: y[:, :0], "no part for each input"),
        (lambda y: torch.arange(7.0), "no part for each input"),
        (lambda y: y > 0, "a mask"),
    ],
)
def test_what_cannot_be_judged_is_no_failure(second: Any, why: str) -> None:
    found = erlangen.audit(lambda x: (pooled(x), second(pooled(x))), IMAGES, ["repeat"], where=False)
    assert f"0 is judged, but not 1 ({why})" in "".join(found.notes)
    assert found.exit_code() == 0


@pytest.mark.parametrize("wrong", [lambda y: y * torch.nan, lambda y: torch.where(y == y.max(), torch.inf, y)])
def test_an_output_that_is_not_finite_is_not_left_out(wrong: Any) -> None:
    found = erlangen.audit(lambda x: (pooled(x), wrong(pooled(x))), IMAGES, ["reflection"], where=False)
    assert judgments(found, "reflection")["1"] == "not measured"
    assert found.exit_code() in (1, 5)


def test_a_declared_kind_of_output_is_that_of_the_first() -> None:
    torch.manual_seed(0)
    found = erlangen.audit(pyramid(circular).eval(), IMAGES, ["translation"], output="map", where=False)
    assert not found.outputs
    assert "0 is judged, but not 1 (the output that was declared is the first one)" in "".join(found.notes)


def test_at_most_sixteen_outputs_are_judged() -> None:
    found = erlangen.audit(lambda x: [x + k for k in range(20)], IMAGES, ["repeat"], where=False)
    assert len(found.outputs) == 16
    assert "16, 17, 18 and 19 (beyond the first 16)" in "".join(found.notes)


def test_a_shared_call_is_read_once_by_each_and_never_for_other_arguments() -> None:
    made: list[Tensor] = []

    def function(x: Tensor, scale: float = 1.0) -> tuple[Tensor, Tensor]:
        made.append(x)
        return scale * x + len(made), -x

    calls, x = SharedCalls(function, [Part("0"), Part("1")]), torch.arange(3.0)
    calls.answer(0, (x,), {})
    calls.answer(1, (x,), {})
    assert len(made) == 2  # closed, it shares nothing
    calls.open = True
    first, again = calls.answer(0, (x,), {}), calls.answer(0, (x,), {})
    assert len(made) == 4
    assert not torch.equal(first, again)
    assert [torch.equal(calls.answer(1, (x,), {}), -x) for _ in range(2)] == [True, True]
    assert len(made) == 4
    calls.answer(1, (x,), {})
    assert len(made) == 5
    calls.answer(0, (x, 2.0), {})
    calls.answer(1, (x + 1e-7,), {})
    assert len(made) == 7


def test_a_digest_is_of_every_bit() -> None:
    x = torch.zeros(2, 3)
    near = x.clone()
    near[1, 2] = 1e-38
    different = [
        (x,),
        (near,),
        (x.double(),),
        (x.view(3, 2),),
        (x, None),
        ([x],),
        ({"x": x},),
        (x.bool(),),
        (x.to(torch.bfloat16),),
    ]
    assert len({digest(arguments) for arguments in different}) == len(different)
    assert digest((x.clone(),)) == digest((x,))
    assert digest((object(),)) is None
