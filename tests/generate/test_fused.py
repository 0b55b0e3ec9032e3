"""Fused steps are the plain ones: their kernels run here on a CPU, in Triton's interpreter, which needs a process of its own.

The process runs this file: see `main`. What the interpreter passes over (types, masks, races) is for `test_cuda.py`.
"""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from support.small_gpts import scaled, with_shared_keys

from erlangen.generate.decode import Cached
from erlangen.generate.fused import FEW, BatchedStep, FusedStep, can_fuse
from erlangen.generate.static import StaticReader
from erlangen.models.gpt import GPT, GPTConfig
from erlangen.nn.positions import Rotary

BASE = GPTConfig(vocabulary=13, block=6, layers=1, heads=2, width=32)
KINDS = {
    "like GPT-J": replace(BASE, rotary=Rotary(layout="interleaved"), norm="layer"),
    "like GPT-2": replace(BASE, width=48, positions="absolute", norm="layer", bias=True),
    **with_shared_keys(BASE),
    "shared keys, scaled": replace(scaled(BASE)["dynamic"], kv_heads=1),
    "three heads a key": replace(BASE, width=48, heads=6, kv_heads=2, positions="none"),
}
CASES = [*((name, 1) for name in KINDS), ("shared keys", FEW + 1)]


def difference(config: GPTConfig, rows: int) -> float:
    """The largest difference of logits from the model's, in units of the largest logit, over the end of the ring if it slides."""
    torch.manual_seed(0)
    model = GPT(config).eval()
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    text, plain, reader = torch.randint(13, (rows, 9)), Cached(model, rows), StaticReader(model, rows, torch.float32)
    step = FusedStep(reader) if rows <= FEW else BatchedStep(reader)
    differences, largest = [torch.zeros(())], 0.0
    with torch.inference_mode():
        plain(text[:, :3])
        reader(text[:, :3])
        for column in text[:, 3 : config.block if config.positions == "absolute" else None].unbind(1):
            expected, found = plain(column[:, None]), step(column)
            differences.append((found - expected).abs().max())
            largest = max(largest, float(expected.abs().max()))
    return float(torch.stack(differences).max()) / largest  # NaN if one is


def main() -> None:
    """Print the differences of all kinds as JSON."""
    from triton.runtime import interpreter

    patch = interpreter._patch_lang_tensor

    def patched(tensor: Any, scope: Any) -> None:  # its scalars are arrays (1,), which numpy 2.4 refuses to convert
        patch(tensor, scope)
        scope.set_attr(tensor, "__index__", lambda self: int(self.handle.data.item()))

    interpreter._patch_lang_tensor = patched
    print(json.dumps({f"{name}, {rows} texts": difference(KINDS[name], rows) for name, rows in CASES}))


def test_fused_steps_are_the_models() -> None:
    if importlib.util.find_spec("triton") is None:
        pytest.skip("triton is not installed, as in builds of torch for a CPU")
    path = os.pathsep.join([*(str(Path(__file__).parents[n]) for n in (1, 2)), os.environ.get("PYTHONPATH", "")])
    run = subprocess.run(
        [sys.executable, __file__], capture_output=True, text=True,
        env=os.environ | {"PYTHONPATH": path, "TRITON_INTERPRET": "1"},
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    differences = json.loads(run.stdout)
    assert len(differences) == len(CASES)
    assert {name: share for name, share in differences.items() if not share <= 1e-5} == {}


def test_what_the_kernels_are_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shared keys too. Where a program's numbers of 32 bits could not address the keys, the plain step runs."""
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: object())
    on_gpu = SimpleNamespace(device=torch.device("cuda"))

    def fuses(config: GPTConfig, batch: int = 1, dtype: torch.dtype = torch.bfloat16, block: int = 6) -> bool:
        memory = torch.empty(config.layers, 2, batch, config.key_heads, block, config.head_dim, device="meta")
        cache = SimpleNamespace(memory=memory)
        reader = SimpleNamespace(config=config, batch=batch, dtype=dtype, residual=dtype, cache=cache, embedding=on_gpu)
        return can_fuse(reader)  # type: ignore[arg-type]

    assert all(fuses(config) for config in KINDS.values())
    assert not fuses(BASE, dtype=torch.float64)
    assert not fuses(replace(BASE, width=8192))
    assert not fuses(BASE, batch=2**16)
    assert fuses(BASE, batch=2**15, block=2047)
    assert not fuses(BASE, batch=2**15, block=2048)


@pytest.mark.parametrize("name", KINDS)
def test_without_a_gpu_the_plain_step_runs(name: str) -> None:
    assert not can_fuse(StaticReader(GPT(KINDS[name]), 1, torch.float32))


if __name__ == "__main__":
    main()
