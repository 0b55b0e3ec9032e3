"""Audits of models on a GPU: no crash, the judgments of the CPU, and the arithmetic that really ran."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from auditing.oracles.case import Case
from auditing.oracles.cases import CASES
from auditing.oracles.images import convolutions, noise, pooled
from auditing.oracles.soundness import QUESTIONS, Question
from torch import nn

import erlangen
from erlangen.auditing.adapt import adapt
from erlangen.auditing.domain import load_domain
from erlangen.nn.tf32 import EPSILON, tf32

pytestmark = pytest.mark.cuda
SOUND = [q for q in QUESTIONS if q.dtype == torch.float32 and not (q.hidden and q.domain != "images")]


def on_cuda(x: Any) -> Any:
    return x.cuda() if isinstance(x, torch.Tensor) else x


@pytest.mark.parametrize("question", SOUND, ids=lambda question: question.label)
@pytest.mark.parametrize("coarse", [False, True], ids=["float32", "tf32"])
def test_soundness_on_a_gpu(question: Question, coarse: bool) -> None:
    """In TF32 less can be told, but nothing wrong may be said."""
    torch.manual_seed(0)
    model = question.make().to(question.dtype).eval().cuda()
    served = (lambda *args: model(*args)) if question.hidden else model
    inputs = on_cuda(question.inputs(0, question.dtype))
    with tf32(coarse):
        found = erlangen.audit(served, inputs, [question.check], domain=question.domain, where=False, elements=4)
    check = next(check for check in found.checks if check.name == question.check)
    allowed = replace(question, decided=question.decided and not coarse).allowed()
    assert found.device.startswith("cuda")
    assert check.judgment in allowed, f"{check.judgment}: {check.reason} (twin: {found.twin})"


FAST = [case for case in CASES if case.domain == "images" and case.fast]
IMAGES = [case for case in FAST if isinstance(case.model(0, torch.float32), nn.Module)]
CHANGED = frozenset(["exact", "holds"])  # TF32 may turn one into the other


@pytest.mark.parametrize("case", IMAGES, ids=lambda case: case.name.replace(" ", "-"))
def test_the_oracles_on_a_gpu(case: Case) -> None:
    model = case.model(0, torch.float32).cuda()
    with tf32(False):
        found = case.audit(model, on_cuda(case.inputs(0, torch.float32)), 0)
    right = case.judgments(torch.float32)
    for check in found.checks:
        allowed = right[check.name] | (CHANGED if right[check.name] & CHANGED else frozenset())
        assert check.judgment in allowed, f"{check.name} {check.judgment}: {check.reason}"


@pytest.mark.parametrize("enabled", [False, True])
@pytest.mark.parametrize("hidden", [False, True])
def test_the_arithmetic_that_ran_is_known(enabled: bool, hidden: bool) -> None:
    net = pooled(convolutions()).eval().cuda()
    model = (lambda x: net(x)) if hidden else net
    with tf32(enabled):
        adapted = adapt(model, list(noise(0, torch.float32)), load_domain("images"), device=torch.device("cuda"))
    assert adapted.eps == (EPSILON if enabled else torch.finfo(torch.float32).eps)


def test_inputs_on_the_cpu_serve_a_model_on_a_gpu_and_the_other_way_round() -> None:
    torch.manual_seed(0)
    net, x = pooled(convolutions()).eval(), noise(0, torch.float32)
    judged = [
        [check.judgment for check in erlangen.audit(net.to(device), inputs, ["reflection"], where=False).checks]
        for device, inputs in (("cuda", x), ("cuda", x.cuda()), ("cpu", x.cuda()))
    ]
    assert judged[0] == judged[1] == judged[2]


@pytest.mark.parametrize("there", [False, True])
def test_the_check_cuda_compares_two_devices(there: bool) -> None:
    torch.manual_seed(0)
    net = pooled(convolutions()).eval()
    found = erlangen.audit(net.cuda() if there else net, noise(0, torch.float32), ["cuda"], where=False)
    check = next(check for check in found.checks if check.name == "cuda")
    assert check.judgment == "holds", check.reason
    assert check.error is not None
    assert check.error > 0, "a model compared with itself has no error at all"


def test_default_audit_of_a_resnet_with_derivatives_and_layers() -> None:
    from auditing.test_healthy import resnet

    torch.manual_seed(0)
    images = torch.rand(8, 3, 32, 32) * 2 - 1
    found = erlangen.audit(resnet().cuda(), images.cuda(), elements=3)
    assert found.exit_code() == 0
    assert any(check.derivative is not None for check in found.checks)
