"""Attention with a window, forward and backward, compared with torch's: with the window as a mask, causal alone, and naive.

One text, 6 heads of 64 features, window 128. On a CPU in float32 on one thread; with --device cuda in bfloat16, where the window
runs in FlexAttention. All forms alternate, and times are medians. The exponent is the slope of log time over log tokens from 2048
to 16384 tokens. Peak memory at 4096 tokens is measured in a process of its own for each form; the naive form holds its matrix of
weights and what the gradient needs of it.

    MALLOC_MMAP_MAX_=0 MALLOC_TRIM_THRESHOLD_=-1 python benchmarks/attention.py [--rounds 5] [--device cuda] [--json -]
"""

from __future__ import annotations

import json
import math
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable

import printing
import torch
import torch.nn.functional as F
from torch import Tensor

from erlangen.measure.cost import peak_mib
from erlangen.nn.attention import hide, local_attention, naive_attention
from erlangen.nn.flex import band, flex_attention
from erlangen.sweep.machine import processor

WINDOW, HEADS, FEATURES, LENGTH = 128, 6, 64, 4096
TARGETS = {"masked": 5.0, "causal": 2.5}
EXPONENT = 1.10
MEMORY = 16.0  # times less than the naive form
Attention = Callable[[Tensor, Tensor, Tensor], Tensor]


def local(n: int, device: str) -> Attention:
    """Blocks along the diagonal; on a GPU the same window in FlexAttention."""
    if device == "cpu":
        return lambda q, k, v: local_attention(q, k, v, WINDOW)
    seen = band(n, WINDOW, None, torch.device(device))
    return lambda q, k, v: flex_attention(q, k, v, seen)


def causal(n: int, device: str) -> Attention:
    return lambda q, k, v: F.scaled_dot_product_attention(q, k, v, is_causal=True)


def biased(n: int, device: str) -> Tensor:
    """The window as a bias."""
    positions = torch.arange(n, device=device)
    return hide(positions[:, None] - positions, WINDOW)


def masked(n: int, device: str) -> Attention:
    """torch's attention with the window as a bias, which is made once."""
    bias = biased(n, device)
    return lambda q, k, v: F.scaled_dot_product_attention(q, k, v, bias.to(q.dtype))


def naive(n: int, device: str) -> Attention:
    """The whole matrix of weights, with the window as a bias, which is made once."""
    bias = biased(n, device)
    return lambda q, k, v: naive_attention(q, k, v, bias)[0]


FORMS: dict[str, Callable[[int, str], Attention]] = {"local": local, "causal": causal, "masked": masked, "naive": naive}


def step_of(form: Attention, n: int, device: str) -> Callable[[], None]:
    """Forward and backward over n tokens."""
    torch.manual_seed(0)
    dtype = torch.float32 if device == "cpu" else torch.bfloat16
    inputs = [x.requires_grad_() for x in torch.randn(3, 1, HEADS, n, FEATURES).to(device, dtype)]
    out = torch.randn(1, HEADS, n, FEATURES).to(device, dtype)

    def step() -> None:
        torch.autograd.grad(form(*inputs), inputs, out)
        if device != "cpu":
            torch.cuda.synchronize()

    return step


def medians(names: list[str], n: int, rounds: int, device: str) -> dict[str, float]:
    """Median seconds of a forward and backward pass of each form over n tokens, after one that does not count."""
    steps = {name: step_of(FORMS[name](n, device), n, device) for name in names}
    times: dict[str, list[float]] = {name: [] for name in names}
    for _ in range(rounds + 1):
        for name, step in steps.items():
            start = time.perf_counter()
            step()
            times[name].append(time.perf_counter() - start)
    return {name: statistics.median(found[1:]) for name, found in times.items()}


def peak(name: str, device: str) -> float:
    """The most MiB that a form holds over LENGTH tokens, above those before. To be called in a process of its own."""
    torch.set_num_threads(1)
    step = step_of(FORMS[name](LENGTH, device), LENGTH, device)
    if device == "cpu":
        step_of(FORMS[name](4 * WINDOW, device), 4 * WINDOW, device)()  # the libraries load their parts
        return peak_mib(step)
    step()
    before = torch.cuda.memory_allocated()
    torch.cuda.reset_peak_memory_stats()
    step()
    return (torch.cuda.max_memory_allocated() - before) / 2**20


def peak_apart(name: str, device: str) -> float:
    """`peak` in a process of its own, with the allocator as torch and glibc set it."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("MALLOC_")}
    command = [sys.executable, __file__, "--peak", name, "--device", device]
    return float(json.loads(subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout))


def main() -> None:
    options = printing.parser(__doc__)
    options.add_argument("--rounds", type=int, default=5, help="runs of each form, of which medians are taken (default: 5)")
    options.add_argument("--device", default="cpu", help="cpu or cuda (default: cpu)")
    options.add_argument("--peak", choices=FORMS, help="print the peak memory of one form in MiB and nothing else")
    args = options.parse_args()
    if args.peak:
        print(json.dumps(peak(args.peak, args.device)))
        return
    torch.set_num_threads(1)
    out = printing.table_stream(args.json)
    print(f"{processor() if args.device == 'cpu' else torch.cuda.get_device_name()}; torch {torch.__version__}", file=out)
    results: list[dict[str, object]] = []
    found = medians(["local", *TARGETS], LENGTH, args.rounds, args.device)
    name = f"{LENGTH} tokens, window {WINDOW}"
    for peer, target in TARGETS.items():
        ratio = found[peer] / found["local"]
        print(f"  {LENGTH} tokens, local against {peer:<8} {ratio:>6.2f}x  (>= {target})", file=out)
        results.append({"name": name, "ratio": round(ratio, 2), "target": target, "peer": peer, "unit": "times faster"})
    held = {form: peak_apart(form, args.device) for form in ("local", "naive")}
    less = held["naive"] / held["local"]
    print(f"  peak memory {held['local']:.0f} MiB against {held['naive']:.0f} naive {less:>6.1f}x  (>= {MEMORY})", file=out)
    results.append({"name": name, "ratio": round(less, 1), "target": MEMORY, "peer": "naive", "unit": "times less memory"})
    lengths = (2048, 4096, 8192, 16384)
    seconds = [medians(["local"], n, args.rounds, args.device)["local"] for n in lengths]
    logs = torch.tensor([[math.log(n), math.log(s)] for n, s in zip(lengths, seconds, strict=True)]).T
    exponent = float(torch.cov(logs)[0, 1] / logs[0].var())
    print(f"  exponent {exponent:.2f}  (<= {EXPONENT})", file=out)
    results.append({"name": "exponent", "ratio": round(exponent, 2), "target": EXPONENT, "peer": "none", "unit": "exponent"})
    printing.emit(results, args.json)


if __name__ == "__main__":
    main()
