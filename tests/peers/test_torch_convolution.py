"""torch's own tests of Conv2d, with our `PaddedConv2d` in the place of `nn.Conv2d`.

Its test file is read from a checkout of torch at $ERLANGEN_PEERS/pytorch; that of torch 2.4 runs with torch 2.13:
`git clone --branch v2.4.0 --filter=blob:none https://github.com/pytorch/pytorch`. The tables of cases in
`torch.testing._internal` come with torch. All need `pip install expecttest`.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from erlangen.nn.padded_convolution import PaddedConv2d

CHECKOUT = Path(os.environ.get("ERLANGEN_PEERS", "")) / "pytorch"
FILE = CHECKOUT / "test" / "nn" / "test_convolution.py"


@pytest.mark.slow
@pytest.mark.skipif(not FILE.is_file(), reason="$ERLANGEN_PEERS has no checkout of pytorch")
def test_torchs_tests_pass_with_our_layer(tmp_path: Path) -> None:
    pytest.importorskip("expecttest", reason="expecttest is not installed, which torch's tests import")
    out, text = tmp_path / "out.xml", FILE.read_text(encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "peers.swap_convolution", "-p", "no:cacheprovider", "-W", "ignore"]
    path = os.pathsep.join([*(str(Path(__file__).parents[n]) for n in (1, 2)), os.environ.get("PYTHONPATH", "")])
    run = subprocess.run(
        [*command, "-c", os.devnull, "--rootdir", str(CHECKOUT), "--junitxml", str(out), "-k", selection(text), str(FILE)],
        capture_output=True, text=True, env=os.environ | {"PYTHONPATH": path}, cwd=tmp_path,
    )  # fmt: skip
    assert out.exists(), run.stdout + run.stderr
    ours = [case for case in ElementTree.parse(out).iter("testcase") if layers(case) and case.find("skipped") is None]
    failed = {str(case.get("name")) for case in ours if case.find("failure") is not None or case.find("error") is not None}
    assert len(ours) >= 24
    assert not failed, run.stdout


def selection(text: str) -> str:
    """pytest's expression for the tests of a file that mention `nn.Conv2d`, without those for torch's meta device."""
    tests = [part for part in re.split(r"\n    def ", text)[1:] if part.startswith("test_") and "nn.Conv2d" in part]
    names = sorted({part.split("(")[0] for part in tests})
    return f"({' or '.join(names)}) and not META"


def layers(case: ElementTree.Element) -> int:
    """How many layers of ours a test made."""
    return sum(int(str(p.get("value"))) for p in case.iter("property") if p.get("name") == "ours")


def runner() -> Any:
    """What torch's table of modules asks of the test case that runs it: how a module is called and its gradients are read."""
    from torch.testing._internal.common_nn import NNTestCase

    class Runner(NNTestCase):  # type: ignore[misc]
        def _forward(self, module: nn.Module, x: torch.Tensor) -> torch.Tensor:
            return module(*x) if isinstance(x, tuple) else module(x)

        def _backward(
            self, module: nn.Module, x: torch.Tensor, y: torch.Tensor, grad: torch.Tensor, create_graph: bool = False
        ) -> torch.Tensor | None:
            y.backward(grad, retain_graph=True, create_graph=create_graph)
            return x.grad

        def _get_parameters(self, module: nn.Module) -> tuple[list[Any], list[Any]]:
            return list(module.parameters()), [parameter.grad for parameter in module.parameters()]

        def _zero_grad_parameters(self, module: nn.Module) -> None:
            module.zero_grad()

        def _zero_grad_input(self, x: torch.Tensor) -> None:
            x.grad = None

    return Runner()


@pytest.mark.slow
def test_every_case_of_torchs_table_of_modules_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Gradients of first and second order, printing, copies, number formats: `NewModuleTest` of torch's test_nn.py."""
    pytest.importorskip("expecttest", reason="expecttest is not installed, which torch's tests import")
    from torch.testing._internal.common_nn import NewModuleTest, get_new_module_tests

    monkeypatch.setattr(nn, "Conv2d", PaddedConv2d)
    names = []
    for case in get_new_module_tests():
        name = str(case.get("module_name", case.get("fullname", "")))
        if name.split("_")[0] != "Conv2d":
            continue
        constructor = case.get("constructor", PaddedConv2d)
        assert isinstance(constructor(*case.get("constructor_args", ())), PaddedConv2d)
        case.pop("module_name", None)
        NewModuleTest(**case | {"constructor": constructor})(runner())
        names.append(name + str(case.get("desc", "")))
    assert len(names) >= 15


@pytest.mark.slow
@pytest.mark.parametrize("training", [True, False])
def test_every_input_of_torchs_module_database_gives_torchs_numbers(training: bool) -> None:
    pytest.importorskip("expecttest", reason="expecttest is not installed, which torch's tests import")
    from torch.testing._internal.common_modules import module_db

    info = next(info for info in module_db if info.module_cls is nn.Conv2d)
    cases = info.module_inputs_func(info, device="cpu", dtype=torch.float64, requires_grad=True, training=training)
    for case in cases:
        made, given = case.constructor_input, case.forward_input
        ours, theirs = (layer(*made.args, **made.kwargs, dtype=torch.float64) for layer in (PaddedConv2d, nn.Conv2d))
        theirs.load_state_dict(ours.state_dict())
        assert torch.equal(ours(*given.args, **given.kwargs), theirs(*given.args, **given.kwargs))
        assert torch.autograd.gradcheck(lambda x, ours=ours: ours(x), given.args)
        if case.reference_fn is not None:
            expected: Any = case.reference_fn(ours, *given.args, **given.kwargs)
            torch.testing.assert_close(ours(*given.args, **given.kwargs), expected)
    assert len(cases) >= 4
