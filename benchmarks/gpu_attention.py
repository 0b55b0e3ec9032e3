"""Attention with a window and with ALiBi on a GPU, forward and backward, compared with torch's plain causal attention.

One text, 12 heads of 64 features, bfloat16. Times are medians of CUDA events; memory is the peak above the inputs, so it includes
the output and the gradients. The former way, a bias of T × T numbers in `scaled_dot_product_attention`, is measured at 8192
tokens. All cases of a length run in one process, one after the other, and are compared with plain causal attention there.

With --variants, only ALiBi at 16384 tokens is measured, with other settings of `erlangen.nn.flex`: skipping the blocks of keys
that ALiBi leaves no weight in float32 (for normal queries, and for some 3 times as large), and other tiles.

    python benchmarks/gpu_attention.py [--seconds 40] [--variants] [--json -]
"""

from __future__ import annotations

import statistics
import sys
import time
import warnings
from collections.abc import Callable
from functools import partial

import printing
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.nn.attention import SDPBackend

from erlangen.nn import flex
from erlangen.nn.positions import alibi_slopes

HEADS, FEATURES, WINDOW = 12, 64, 256
LENGTHS = (16384, 8192)  # the longer first, which the targets are for
MASKED = 8192  # tokens, up to which the former way is measured
TIME_TARGET, MEMORY_TARGET = 1.2, 200.0  # of plain causal attention, and MiB
CASES: dict[str, tuple[int | None, bool]] = {  # window, ALiBi
    f"window {WINDOW}": (WINDOW, False),
    "ALiBi": (None, True),
    f"ALiBi, window {WINDOW}": (WINDOW, True),
}
TILES = {"fwd_BLOCK_M": 128, "fwd_BLOCK_N": 64, "fwd_num_warps": 4, "fwd_num_stages": 3}
VARIANTS: dict[str, tuple[int | None, dict[str, int | bool], float]] = {  # NEAR_FROM, ALIBI_OPTIONS, factor of the queries
    "all blocks": (None, {}, 1.0),
    "near blocks": (1, {}, 1.0),
    "all blocks, larger queries": (None, {}, 3.0),
    "near blocks, larger queries": (1, {}, 3.0),
    "near blocks, forward tiles 128 x 64": (1, TILES, 1.0),
    "all blocks, forward tiles 128 x 64": (None, TILES, 1.0),
}
Attention = Callable[[Tensor, Tensor, Tensor], Tensor]
Row = dict[str, object]


def measure(seconds: float = 40.0, lengths: tuple[int, ...] = LENGTHS) -> list[Row]:
    """A row for each case: length, case, kernel, ms, MiB, ratio of the time to plain causal attention, and first_s.

    first_s: the seconds of the first call, which include compilation. A case that fails has an `error`, and one that would begin
    after `seconds` is `skipped`, instead of numbers.
    """
    end, rows = time.monotonic() + seconds, []
    for n in lengths:
        inputs, out = qkv(n), torch.randn(1, HEADS, n, FEATURES, device="cuda", dtype=torch.bfloat16)
        plain = row(n, "causal", causal, inputs, out, end)
        plain["kernel"] = sdpa_kernel_name(inputs)
        rows.append(plain)
        for case, (window, alibi) in CASES.items():
            rows.append(row(n, case, banded(n, window, alibi), inputs, out, end))
            if n <= MASKED:
                rows.append(row(n, case + ", as a bias", masked(n, window, alibi), inputs, out, end))
        for one in rows:
            if one["length"] == n and "ms" in one and "ms" in plain:
                one["ratio"] = round(float(one["ms"]) / float(plain["ms"]), 3)  # type: ignore[arg-type]
    return rows


def variants(seconds: float, n: int = max(LENGTHS)) -> list[Row]:
    """A row for plain causal attention and one for each of `VARIANTS`, as those of `measure`.

    difference: of output and gradients from those of the first variant with the same queries, the largest, as a share of the
    norm.
    """
    end, inputs, out = time.monotonic() + seconds, qkv(n), torch.randn(1, HEADS, n, FEATURES, device="cuda", dtype=torch.bfloat16)
    plain = row(n, "causal", causal, inputs, out, end)
    rows, references, before = [plain], dict[float, list[Tensor]](), (flex.NEAR_FROM, flex.ALIBI_OPTIONS)
    for name, (near, options, factor) in VARIANTS.items():
        if options != flex.ALIBI_OPTIONS:  # which are part of the compiled function
            torch.compiler.reset()
            flex._compile.cache_clear()
        flex.NEAR_FROM, flex.ALIBI_OPTIONS = near, options
        scaled = tuple((x.detach() * (factor if i == 0 else 1)).requires_grad_() for i, x in enumerate(inputs))
        one = row(n, name, banded(n, None, True), scaled, out, end)
        if "ms" in one:
            one["ratio"] = round(float(one["ms"]) / float(plain["ms"]), 3)  # type: ignore[arg-type]
            y = banded(n, None, True)(*scaled)
            found = [y.detach().float(), *(x.float() for x in torch.autograd.grad(y, scaled, out))]
            pairs = zip(found, references.setdefault(factor, found), strict=True)
            one["difference"] = max(float((a - b).norm() / b.norm()) for a, b in pairs)
        rows.append(one)
    flex.NEAR_FROM, flex.ALIBI_OPTIONS = before
    return rows


def results(rows: list[Row]) -> list[Row]:
    """The rows that have targets, in the shape that all benchmarks share; time and memory are to be at most the target."""
    found: list[Row] = []
    for one in rows:
        if one["length"] == max(LENGTHS) and one["case"] in CASES and "ms" in one:
            name, ratio = f"{one['length']} tokens, {one['case']}", one.get("ratio")
            found.append({"name": name, "ratio": ratio, "target": TIME_TARGET, "peer": "causal", "unit": "times as long"})
            found.append({"name": name, "ratio": one["MiB"], "target": MEMORY_TARGET, "peer": "none", "unit": "MiB"})
    return found


def qkv(n: int) -> tuple[Tensor, Tensor, Tensor]:
    """Queries, keys and values (1, H, n, d), strided as a layer's are."""
    torch.manual_seed(0)
    packed = torch.randn(1, n, 3, HEADS, FEATURES, device="cuda", dtype=torch.bfloat16)
    q, k, v = (x.requires_grad_() for x in packed.permute(2, 0, 3, 1, 4).detach().unbind(0))
    return q, k, v


def causal(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    return F.scaled_dot_product_attention(q, k, v, is_causal=True)


def banded(n: int, window: int | None, alibi: bool) -> Attention:
    """Ours. A compiler that fails is an error here, not a reason for another way."""
    device = torch.device("cuda", torch.cuda.current_device())
    band = flex.band(n, window, alibi_slopes(HEADS, device) if alibi else None, device)
    return partial(flex.flex_attention, band=band)


def masked(n: int, window: int | None, alibi: bool) -> Attention:
    """The former way. The bias belongs to the call, as it did."""

    def run(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        device = q.device
        band = flex.Band(n, window, alibi_slopes(HEADS, device) if alibi else None, None)
        return flex.masked_attention(q, k, v, band, FEATURES**-0.5)

    return run


def sdpa_kernel_name(inputs: tuple[Tensor, Tensor, Tensor]) -> str:
    """Which of its kernels torch chooses for plain causal attention; empty if this build does not say."""
    try:
        return SDPBackend(torch._fused_sdp_choice(*inputs, is_causal=True)).name
    except Exception:
        return ""


def row(n: int, case: str, attention: Attention, inputs: tuple[Tensor, ...], out: Tensor, end: float) -> Row:
    """Measure a case: the first call, then the peak of a call, then the median of 15 calls."""
    base: Row = {"length": n, "case": case, "kernel": "flex" if case in CASES or case in VARIANTS else "masked"}
    if time.monotonic() > end:
        return {**base, "skipped": "out of time"}

    def step() -> None:
        torch.autograd.grad(attention(*inputs), inputs, out)

    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("error", message="attention stores")
            start = time.monotonic()
            step()
            torch.cuda.synchronize()
            first = time.monotonic() - start
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        step()
        torch.cuda.synchronize()
        peak = (torch.cuda.max_memory_allocated() - before) / 2**20
        return {**base, "ms": round(median_ms(step), 3), "MiB": round(peak, 1), "first_s": round(first, 1)}
    except Exception as error:
        torch.cuda.empty_cache()
        return {**base, "error": f"{type(error).__name__}: {error}"[:500]}


def median_ms(step: Callable[[], None], repeats: int = 15) -> float:
    """Median milliseconds of `step` between CUDA events."""
    times = []
    for _ in range(repeats):
        start, stop = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
        start.record()
        step()
        stop.record()
        stop.synchronize()
        times.append(start.elapsed_time(stop))
    return statistics.median(times)


def main() -> None:
    options = printing.parser(__doc__)
    options.add_argument("--seconds", type=float, default=40.0, help="begin no case after so many seconds (default: 40)")
    options.add_argument("--variants", action="store_true", help="measure ALiBi with other settings instead")
    args = options.parse_args()
    if not torch.cuda.is_available():
        sys.exit("this benchmark needs a CUDA device, and there is none here")
    out = printing.table_stream(args.json)
    print(f"{torch.cuda.get_device_name()}; torch {torch.__version__}; {HEADS} heads of {FEATURES}, bfloat16", file=out)
    rows = variants(args.seconds) if args.variants else measure(args.seconds)
    for one in rows:
        if "ms" in one:
            numbers = f"{one['ms']:>9.3f} ms {one['MiB']:>9.1f} MiB {one.get('ratio', ''):>7} x causal, first {one['first_s']} s"
            numbers += f", difference {one['difference']:.1e}" if "difference" in one else ""
        else:
            numbers = str(one.get("error") or one.get("skipped"))
        print(f"  {one['length']:>6} {one['case']:<36} {one['kernel']:<18} {numbers}", file=out)
    timed = [one for one in rows if "ms" in one and VARIANTS.get(str(one["case"]), (0, {}, 0.0))[2] == 1]
    if args.variants and timed:
        best = min(timed, key=lambda one: float(one["ms"]))  # type: ignore[arg-type]
        near, tiles, _ = VARIANTS[str(best["case"])]
        print(f"best: NEAR_FROM = {near}, ALIBI_OPTIONS = {tiles}", file=out)
    printing.emit([] if args.variants else results(rows), args.json)


if __name__ == "__main__":
    main()
