"""The Python face of the audit: what goes in, what comes out, and what stays as it was."""

from __future__ import annotations

import copy
import dataclasses
import html
import json
import random
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import erlangen
from erlangen import testing
from erlangen.auditing import Audit, BrokenError, ModelError, audit
from erlangen.errors import ErlangenError
from erlangen.records.audit import AuditRecord
from erlangen.records.files import finite, from_json, to_json
from erlangen.symmetries.graph import Graph
from erlangen.symmetries.translation import Translation

FAST = ["translation", "reflection"]


def net(padding: str = "zeros", norm: bool = False) -> nn.Module:
    """Convolutions, a nonlinearity, a global mean: keeps every shift where its border is circular."""
    torch.manual_seed(1)
    middle = [nn.BatchNorm2d(4)] if norm else []
    return nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1, padding_mode=padding), *middle, nn.Tanh(),
        nn.Conv2d(4, 3, 3, padding=1, padding_mode=padding), nn.Tanh(), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
    ).eval()  # fmt: skip


def images(n: int = 6, side: int = 6) -> Tensor:
    return torch.randn(n, 1, side, side, generator=torch.Generator().manual_seed(n))


@pytest.fixture(scope="module")
def found() -> Audit:
    """One symmetry kept, one broken."""
    return audit(net("circular"), images(16), FAST, elements=3)


def numbers(found: AuditRecord) -> dict[str, object]:
    """All that is measured: neither seconds nor p, which Holm's rule makes of all checks together."""
    fields = {check.name: dataclasses.replace(check, seconds=0.0, p=None) for check in found.checks}
    return {name: finite(dataclasses.asdict(check)) for name, check in fields.items()}


# --- the result ---------------------------------------------------------------------------------------------------------------


def test_the_result_is_frozen_and_prints_every_check(found: Audit):
    with pytest.raises(dataclasses.FrozenInstanceError):
        found.seed = 3
    assert [check.name for check in found.checks] == ["repeat", "batch-composition", "batch-size", *FAST]
    for check in found.checks:
        assert re.search(rf"{check.name}\s+{check.judgment}", str(found))
    assert found.exit_code() == 1


@pytest.mark.parametrize("inputs", [6, 1])
def test_the_record_survives_json(inputs: int):
    """Also where one input leaves no spread to divide by."""
    found = audit(net(), images(inputs), ["translation"], elements=2)
    text = json.dumps(to_json(found))
    assert "Infinity" not in text
    assert "NaN" not in text
    back = from_json(AuditRecord, json.loads(text))
    assert to_json(back) == json.loads(text)
    assert back.exit_code() == found.exit_code() == (1 if inputs > 1 else 5)


def test_saved_as_a_page_or_as_a_record(found: Audit, tmp_path: Path):
    page = found.save(tmp_path / "new" / "audit.html")
    assert page.read_text(encoding="utf-8").startswith("<!doctype html>")
    record = found.save(str(tmp_path / "audit.json"))
    assert to_json(from_json(AuditRecord, json.loads(record.read_text()))) == to_json(found)
    with pytest.raises(ErlangenError, match=r"audit\.pdf: an audit is saved as \.html \(a page\) or \.json") as error:
        found.save(tmp_path / "audit.pdf")
    assert "\n" not in str(error.value)
    with pytest.raises(ErlangenError, match=r"cannot write /dev/null/x/audit\.html"):
        found.save("/dev/null/x/audit.html")


def test_in_a_notebook_it_is_a_frame_that_keeps_its_style_to_itself(found: Audit):
    shown = found._repr_html_()
    assert re.fullmatch(r'<iframe [^<>]*sandbox="allow-scripts"[^<>]*></iframe>', shown)
    assert "<script" not in shown
    page = html.unescape(re.search(r'srcdoc="([^"]*)"', shown).group(1))
    assert page.startswith("<!doctype html>")
    assert "Content-Security-Policy" in page


def test_raise_if_broken(found: Audit):
    with pytest.raises(BrokenError, match=r"(?m)^reflection broken: error") as error:
        found.raise_if_broken()
    assert "translation" not in str(error.value)
    kept = audit(net("circular"), images(), ["translation"], only_exact=True)
    assert kept.raise_if_broken() is kept
    assert kept.raise_if_broken(strict=True) is kept
    constant = audit(lambda x: torch.ones(len(x), 2), images(), ["translation"])
    assert constant.raise_if_broken() is constant
    with pytest.raises(BrokenError, match="not measured"):
        constant.raise_if_broken(strict=True)
    doubtful = dataclasses.replace(found, checks=tuple(dataclasses.replace(c, judgment="undecided") for c in found.checks))
    assert doubtful.raise_if_broken() is doubtful
    with pytest.raises(BrokenError, match="reflection undecided"):
        doubtful.raise_if_broken(strict=True)
    told = dataclasses.replace(found, checks=tuple(dataclasses.replace(c, informational=True) for c in found.checks))
    assert told.raise_if_broken(strict=True) is told


# --- the same numbers every time ----------------------------------------------------------------------------------------------


def test_two_runs_differ_in_seconds_alone_and_another_seed_in_more(found: Audit):
    again = audit(net("circular"), images(16), FAST, elements=3)
    assert numbers(again) == numbers(found)
    assert numbers(audit(net("circular"), images(16), FAST, elements=3, seed=1)) != numbers(found)


def test_what_else_is_asked_and_in_which_order_changes_no_number(found: Audit):
    turned = numbers(audit(net("circular"), images(16), [*reversed(FAST), "intensity"], elements=3))
    assert {name: turned[name] for name in FAST} == {name: numbers(found)[name] for name in FAST}


# --- what stays as it was -----------------------------------------------------------------------------------------------------


def state(model: nn.Module) -> dict[str, object]:
    """All of a module that a call could change."""
    hooks = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_forward_hooks_with_kwargs")
    return {
        "training": [part.training for part in model.modules()],
        "tensors": {name: value.clone() for name, value in model.state_dict().items()},
        "places": [id(value) for value in (*model.parameters(), *model.buffers())],
        "grads": [None if p.grad is None else p.grad.clone() for p in model.parameters()],
        "wanted": [p.requires_grad for p in model.parameters()],
        "hooks": [len(getattr(part, name)) for part in model.modules() for name in hooks],
        "names": [sorted(vars(part)) for part in model.modules()],
    }


def same(left: object, right: object) -> bool:
    if isinstance(left, Tensor):
        return isinstance(right, Tensor) and torch.equal(left, right)
    if isinstance(left, dict):
        return left.keys() == right.keys() and all(same(left[key], right[key]) for key in left)
    if isinstance(left, list):
        return len(left) == len(right) and all(map(same, left, right))
    return left == right


class Counter(nn.Module):
    """Puts another tensor in its buffer's place at every call, and draws from all three sources of chance."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("calls", torch.zeros(()))
        self.linear = nn.Linear(36, 3)

    def forward(self, x: Tensor) -> Tensor:
        self.calls = self.calls + 1
        random.random(), np.random.rand(), torch.rand(())
        return self.linear(x.flatten(1)).tanh()


@pytest.mark.parametrize("kind", ["training", "evaluation", "counter"])
def test_the_model_the_inputs_and_the_world_stay_as_they_were(kind: str):
    torch.manual_seed(0)
    model = Counter() if kind == "counter" else net(norm=True).train(kind == "training")
    model(images()).sum().backward()
    x = images()
    before, given = state(model), x.clone()
    random.seed(5), np.random.seed(5), torch.manual_seed(5)
    world = random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist()
    audit(model, x, [*FAST, "bfloat16"], elements=2, baseline=True)
    assert (random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist()) == world
    after = state(model)
    assert [name for name in before if not same(before[name], after[name])] == []
    assert torch.equal(x, given)
    assert torch.get_default_dtype() == torch.float32
    assert torch.is_grad_enabled()


def test_an_audit_that_fails_leaves_buffers_as_they_were_too():
    class Failing(Counter):
        def forward(self, x: Tensor) -> Tensor:
            if self.calls > 3:
                raise KeyboardInterrupt
            return super().forward(x)

    model = Failing()
    with pytest.raises(KeyboardInterrupt):
        audit(model, images(), FAST)
    assert model.calls == 0


# --- what may go in -----------------------------------------------------------------------------------------------------------


def test_inputs_as_a_tensor_an_array_or_a_list_are_the_same():
    x = images(4)
    forms = (x, x.numpy(), list(x), tuple(x.numpy()))
    first, *others = (numbers(audit(net(), form, ["translation"], elements=2)) for form in forms)
    assert all(other == first for other in others)


def test_a_tokenizers_batch_loses_its_padding():
    torch.manual_seed(0)
    embedding = nn.Embedding(9, 5)
    lengths = []

    def model(input_ids: Tensor) -> Tensor:
        lengths.append(input_ids.shape[1])
        return embedding(input_ids).cumsum(1)

    ids, mask = torch.randint(9, (3, 6)), torch.ones(3, 6, dtype=torch.long)
    mask[0, :2] = 0
    found = audit(model, {"input_ids": ids, "attention_mask": mask}, ["causality"], elements=2)
    assert found.domain == "texts"
    assert found.checks[-1].judgment == "exact"
    assert max(lengths) == 6
    assert lengths[0] == 4  # the first text, without its padding


def test_graphs_of_ours_and_of_pytorch_geometric_are_the_same():
    data = pytest.importorskip("torch_geometric.data")
    torch.manual_seed(0)
    weight = torch.randn(4, 2)

    def model(x: Tensor, edge_index: Tensor) -> Tensor:
        return torch.zeros(len(x), 2, dtype=x.dtype).index_add(0, edge_index[1], (x @ weight.to(x.dtype))[edge_index[0]]).tanh()

    ours = [Graph(torch.randn(n, 4), torch.randint(n, (2, 3 * n))) for n in (5, 6, 7)]
    theirs = [data.Data(x=graph.x, edge_index=graph.edge_index) for graph in ours]
    found = audit(model, ours, ["node-permutation"], elements=2)
    assert found.domain == "graphs"
    assert found.checks[-1].judgment in ("exact", "holds")
    assert numbers(audit(model, theirs, ["node-permutation"], elements=2)) == numbers(found)
    assert audit(model, theirs[0], ["node-permutation"], elements=2).inputs == 1


def test_the_domain_is_guessed_or_asked_for():
    assert audit(net(), images(3), [], elements=1).domain == "images"
    points = torch.randn(4, 5, 3)
    with pytest.raises(ModelError, match=r"cannot guess .*\(5, 3\): give domain='images' \(gray\) or graphs or points or series"):
        audit(lambda x: x.mean(1), points)
    assert audit(lambda x: x.mean(1), points, ["point-permutation"], domain="points", elements=2).domain == "points"
    with pytest.raises(ErlangenError, match="unknown domain 'pictures'; choose images, texts"):
        audit(net(), images(), domain="pictures")


def test_select_takes_what_is_judged():
    def model(x: Tensor) -> dict[str, Tensor]:
        return {"kept": net("circular")(x), "lost": x.flatten(1)}

    kept = audit(model, images(), ["translation"], select=lambda y: y["kept"], elements=2)
    lost = audit(model, images(), ["translation"], select=lambda y: y["lost"], elements=2)
    assert (kept.checks[-1].judgment, lost.checks[-1].judgment) == ("exact", "broken")
    both = audit(model, images(), ["translation"], elements=2)
    assert [(output.name, output.judgment) for output in both.checks[-1].outputs] == [("kept", "exact"), ("lost", "broken")]
    with pytest.raises(
        ModelError, match="returned a NoneType; it must return a tensor, or a tuple, dict or object that holds one"
    ):
        audit(lambda x: None, images(), ["translation"])


FAULTS = {
    "threshold 0": ({"threshold": 0}, "threshold 0 must be positive"),
    "threshold nan": ({"threshold": float("nan")}, "threshold nan"),
    "threshold inf": ({"threshold": float("inf")}, "threshold inf"),
    "no elements": ({"elements": 0}, "at least 1"),
    "unknown check": ({"symmetries": ["reflexion"]}, "did you mean reflection"),
    "no inputs": ({"inputs": []}, "no inputs"),
    "not inputs": ({"inputs": 5}, "cannot read inputs of type int"),
    "texts in a list": ({"inputs": ["a", "b"]}, "inputs of type list"),
    "NaN": ({"inputs": torch.full((2, 1, 6, 6), float("nan"))}, "input 0 contains NaN"),
    "no model": ({"model": 3}, "must be callable .*int objects are not"),
    "no module": ({"model": lambda x: x.mean((2, 3)), "baseline": True}, "no untrained baseline"),
    "wrong shape": ({"inputs": torch.randn(2, 3, 6, 6)}, "failed on input 0"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_of_the_user_is_one_line(name: str):
    changed, words = FAULTS[name]
    arguments = {"model": net(), "inputs": images(2), "symmetries": ["translation"], **changed}
    with pytest.raises(ErlangenError, match=words) as error:
        audit(arguments.pop("model"), arguments.pop("inputs"), arguments.pop("symmetries"), **arguments)
    assert "\n" not in str(error.value)


def test_one_input_with_a_map_is_judged_for_this_input_only():
    torch.manual_seed(0)
    found = audit(nn.Conv2d(1, 3, 3, padding=1), images(1), ["translation"], elements=6)
    assert found.checks[-1].inputs == 1
    assert "for this input only" in found.checks[-1].reason or found.checks[-1].judgment == "not measured"


# --- assertions ---------------------------------------------------------------------------------------------------------------


def test_assertions_pass_what_holds_and_name_what_breaks():
    assert testing.assert_invariant(net("circular"), images(), "translation").judgment == "exact"
    assert testing.assert_invariant(net("circular"), images(), Translation("circular")).name == "translation"
    with pytest.raises(AssertionError, match="not invariant under translation") as error:
        testing.assert_invariant(net(), images(), "translation")
    said = str(error.value)
    place = re.search(r"worst: input (\d+), (.+?), error ([\d.]+) of the spread; first lost at 0 \(Conv2d", said)
    assert place, said
    assert int(place[1]) < 6
    assert re.search(r"\d+ px", place[2])
    map_ = nn.Conv2d(1, 2, 3, padding=1, padding_mode="circular")
    assert testing.assert_equivariant(map_, images(), "translation").judgment == "exact"


def test_the_error_that_an_assertion_names_is_the_one_that_is_there():
    """Against the definition: RMS(f(g·x) - f(x)) / spread of f over the inputs."""
    x = images()
    model = lambda x: x[:, 0, 0, :3]  # noqa: E731
    with pytest.raises(AssertionError) as error:
        testing.assert_invariant(model, x, "reflection")
    i, said = re.search(r"worst: input (\d+), left-right, error ([\d.]+)", str(error.value)).groups()
    y, moved = model(x), model(x.flip(-1))
    spread = float((y - y.mean(0)).square().mean().sqrt())
    assert float(said) == pytest.approx(float((moved - y)[int(i)].square().mean().sqrt()) / spread, rel=0.06)


def test_assertions_refuse_the_wrong_question():
    with pytest.raises(AssertionError, match="use assert_equivariant"):
        testing.assert_invariant(nn.Conv2d(1, 2, 3), images(), "translation")
    with pytest.raises(AssertionError, match="use assert_invariant"):
        testing.assert_equivariant(net(), images(), "translation")
    with pytest.raises(ErlangenError, match="threshold 0"):
        testing.assert_invariant(net(), images(), "translation", threshold=0)
    with pytest.raises(AssertionError, match="translation was not measured: the output does not vary"):
        testing.assert_invariant(lambda x: torch.ones(len(x), 2), images(), "translation")


def test_a_threshold_lets_small_errors_pass():
    model = lambda x: x.mean((2, 3)) + 1e-3 * x[:, :, 0, 0]  # noqa: E731
    x = images(12)
    with pytest.raises(AssertionError, match="not exact"):
        testing.assert_invariant(model, x, "translation")
    assert testing.assert_invariant(model, x, "translation", threshold=0.1).judgment == "holds"


def test_repeat_is_a_question_like_any_other():
    """The check that is asked for is judged, not the one that happens to be last."""
    assert testing.assert_invariant(net(), images(), "repeat").name == "repeat"
    with pytest.raises(AssertionError, match="under repeat"):
        testing.assert_invariant(nn.Sequential(nn.Flatten(), nn.Dropout(0.5)), images(), "repeat")


# --- the package --------------------------------------------------------------------------------------------------------------


def test_the_package_is_light_until_audit_is_asked_for(tmp_path: Path):
    code = """
import sys
import erlangen
print('torch' in sys.modules)
import torch
x = torch.randn(3, 1, 4, 4)
first = erlangen.audit(lambda x: x.flatten(1), x, ['reflection'], elements=1)
second = erlangen.audit(lambda x: x.flatten(1), x, ['reflection'], elements=1)
from erlangen import audit
print(audit is erlangen.audit, first.checks[-1].error == second.checks[-1].error)
"""
    out = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True)
    assert out.stdout.split() == ["False", "True", "True"], out.stderr
    assert "audit" in erlangen.__all__
    with pytest.raises(AttributeError, match="no attribute 'audti'"):
        erlangen.audti  # noqa: B018


def test_a_model_with_a_copy_of_itself_is_audited_as_one():
    """A second audit of the same model, and of a deep copy: the same numbers."""
    model = net(norm=True)
    first, second = (numbers(audit(each, images(), FAST, elements=2)) for each in (model, copy.deepcopy(model)))
    assert first == second == numbers(audit(model, images(), FAST, elements=2))


def test_an_exception_of_the_users_code_is_said_with_its_line() -> None:
    """Where it is the model's only answer, and where it is that of some elements."""

    def upright(x: Tensor) -> Tensor:
        if x.shape[-1] != 6:
            raise ValueError("six columns are wanted")  # the line that is named
        return x.flatten(1)

    line = upright.__code__.co_firstlineno + 2
    with pytest.raises(ModelError, match=rf"six columns are wanted \(test_audit\.py, line {line}\)$"):
        audit(upright, torch.randn(4, 1, 6, 8))
    turned = audit(upright, torch.randn(4, 1, 8, 6), ["quarter-turns"], where=False).checks[-1]
    assert f"six columns are wanted (test_audit.py, line {line})" in turned.reason
