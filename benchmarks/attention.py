"""Attention with a window on a CPU, forward and backward, compared with torch's: with the window as a mask, and causal alone.

One text, 6 heads of 64 features, float32, one thread, window 128. All forms alternate, and times are medians. The exponent is the
slope of log time over log tokens from 2048 to 16384 tokens.

    MALLOC_MMAP_MAX_=0 MALLOC_TRIM_THRESHOLD_=-1 python benchmarks/attention.py [--rounds 5] [--json -]
"""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable

import printing
import torch
import torch.nn.functional as F
from torch import Tensor

from erlangen.nn.attention import hide, local_attention
from erlangen.sweep.machine import processor

WINDOW, HEADS, FEATURES, LENGTH = 128, 6, 64, 4096
TARGETS = {"masked": 5.0, "causal": 2.5}
EXPONENT = 1.10
Attention = Callable[[Tensor, Tensor, Tensor], Tensor]


def local(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    return local_attention(q, k, v, WINDOW)


def causal(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    return F.scaled_dot_product_attention(q, k, v, is_causal=True)


def masked(n: int) -> Attention:
    """torch's attention with the window as a bias, which is made once."""
    bias = hide(torch.arange(n)[:, None] - torch.arange(n), WINDOW)
    return lambda q, k, v: F.scaled_dot_product_attention(q, k, v, bias)


def medians(forms: dict[str, Attention], n: int, rounds: int) -> dict[str, float]:
    """Median seconds of a forward and backward pass of each form over n tokens, after one that does not count."""
    torch.manual_seed(0)
    inputs, out = [x.requires_grad_() for x in torch.randn(3, 1, HEADS, n, FEATURES)], torch.randn(1, HEADS, n, FEATURES)
    times: dict[str, list[float]] = {name: [] for name in forms}
    for _ in range(rounds + 1):
        for name, form in forms.items():
            start = time.perf_counter()
            torch.autograd.grad(form(*inputs), inputs, out)
            times[name].append(time.perf_counter() - start)
    return {name: statistics.median(found[1:]) for name, found in times.items()}


def main() -> None:
    options = printing.parser(__doc__)
    options.add_argument("--rounds", type=int, default=5, help="runs of each form, of which medians are taken (default: 5)")
    args = options.parse_args()
    torch.set_num_threads(1)
    out = printing.table_stream(args.json)
    print(f"{processor()}, 1 thread; torch {torch.__version__}", file=out)
    results: list[dict[str, object]] = []
    found = medians({"local": local, "causal": causal, "masked": masked(LENGTH)}, LENGTH, args.rounds)
    for peer, target in TARGETS.items():
        ratio = found[peer] / found["local"]
        print(f"  {LENGTH} tokens, local against {peer:<8} {ratio:>6.2f}x  (>= {target})", file=out)
        name = f"{LENGTH} tokens, window {WINDOW}"
        results.append({"name": name, "ratio": round(ratio, 2), "target": target, "peer": peer, "unit": "times faster"})
    lengths = (2048, 4096, 8192, 16384)
    seconds = [medians({"local": local}, n, args.rounds)["local"] for n in lengths]
    logs = torch.tensor([[math.log(n), math.log(s)] for n, s in zip(lengths, seconds, strict=True)]).T
    exponent = float(torch.cov(logs)[0, 1] / logs[0].var())
    print(f"  exponent {exponent:.2f}  (<= {EXPONENT})", file=out)
    results.append({"name": "exponent", "ratio": round(exponent, 2), "target": EXPONENT, "peer": "none", "unit": "exponent"})
    printing.emit(results, args.json)


if __name__ == "__main__":
    main()
