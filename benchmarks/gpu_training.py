"""Training a GPT on a GPU, compared with a plain loop in the manner of nanoGPT; as tokens per second and as a share of the peak.

The peer is written with plain `torch.nn`: LayerNorm, GELU, learned positions, a tied head whose vocabulary is padded to a
multiple of 64, `scaled_dot_product_attention`, autocast to bfloat16, fused AdamW, batches stacked on the host from slices,
pinned and copied without waiting. Ours are the steps of `erlangen gpt train`. Both train on random tokens, in bfloat16, without
dropout; they alternate in one process, and every figure is a median. A share of the peak is that of

    6 N + 12 L T C   floating-point operations per token,   N parameters without positions, L layers, T tokens, C features

in the fastest product of two 8192 × 8192 matrices measured here, and in the 989 TFLOP/s that NVIDIA states for an H100.

The targets in tokens per second are the speed of the plain compiled loop on gpt2, and three times that on gpt-mini, as first
measured on an H200.

With --profile, no case is timed: the kernels that take longest in one step of the first case are printed for both loops.

    python benchmarks/gpu_training.py [--rounds 7] [--cases eager compiled mini] [--profile] [--json -]
"""

from __future__ import annotations

import gc
import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import printing
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from erlangen.data.characters import CharacterTokenizer
from erlangen.data.corpus import Corpus
from erlangen.models.gpt import GPT, PRESETS, GPTConfig
from erlangen.train.compiling import compiled
from erlangen.train.language_model import LanguageSchedule, Training

NOMINAL = 989e12  # FLOP/s of dense bfloat16 products on an H100 SXM or an H200
TOKENS = 2_000_000
CASES = ("eager", "compiled", "mini")
Run = Callable[[], object]


class PeerAttention(nn.Module):
    def __init__(self, c: GPTConfig) -> None:
        super().__init__()
        self.heads = c.heads
        self.qkv, self.out = nn.Linear(c.width, 3 * c.width, bias=c.bias), nn.Linear(c.width, c.width, bias=c.bias)

    def forward(self, x: Tensor) -> Tensor:
        b, t, c = x.shape
        q, k, v = (part.view(b, t, self.heads, c // self.heads).transpose(1, 2) for part in self.qkv(x).split(c, 2))
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        return self.out(y.transpose(1, 2).contiguous().view(b, t, c))


class PeerBlock(nn.Module):
    def __init__(self, c: GPTConfig) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(c.width, bias=c.bias), nn.LayerNorm(c.width, bias=c.bias)
        self.attention = PeerAttention(c)
        up, down = nn.Linear(c.width, 4 * c.width, bias=c.bias), nn.Linear(4 * c.width, c.width, bias=c.bias)
        self.mlp = nn.Sequential(up, nn.GELU(), down)

    def forward(self, h: Tensor) -> Tensor:
        h = h + self.attention(self.norm1(h))
        return h + self.mlp(self.norm2(h))


class Peer(nn.Module):
    """A GPT of the same size that returns its loss, made of torch's modules only."""

    def __init__(self, c: GPTConfig) -> None:
        super().__init__()
        vocabulary = -(-c.vocabulary // 64) * 64
        self.tokens, self.places = nn.Embedding(vocabulary, c.width), nn.Embedding(c.block, c.width)
        self.blocks = nn.Sequential(*(PeerBlock(c) for _ in range(c.layers)))
        self.norm = nn.LayerNorm(c.width, bias=c.bias)
        self.head = nn.Linear(c.width, vocabulary, bias=False)
        self.apply(initialize)
        self.tokens.weight = self.head.weight

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        h = self.tokens(x) + self.places(torch.arange(x.shape[1], device=x.device))
        logits = self.head(self.norm(self.blocks(h)))
        return F.cross_entropy(logits.view(-1, logits.shape[-1]), y.view(-1))


def initialize(module: nn.Module) -> None:
    if isinstance(module, (nn.Linear, nn.Embedding)):
        nn.init.normal_(module.weight, std=0.02)


def peer_step(config: GPTConfig, data: np.ndarray, batch: int, device: str, compile: bool) -> Run:
    """A step of the plain loop: slices, forward, backward, clip, AdamW."""
    torch.manual_seed(0)
    model = Peer(config).to(device).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=6e-4, betas=(0.9, 0.95), weight_decay=0.1, fused=True)
    net, block, cuda = torch.compile(model) if compile else model, config.block, device.startswith("cuda")

    def moved(rows: list[np.ndarray]) -> Tensor:
        x = torch.stack([torch.from_numpy(row.astype(np.int64)) for row in rows])
        return x.pin_memory().to(device, non_blocking=True) if cuda else x

    def run() -> None:
        starts = torch.randint(len(data) - block - 1, (batch,)).tolist()
        x, y = moved([data[i : i + block] for i in starts]), moved([data[i + 1 : i + 1 + block] for i in starts])
        with torch.autocast(device.split(":")[0], torch.bfloat16):
            loss = net(x, y)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)

    return run


def our_steps(config: GPTConfig, corpus: Corpus, batch: int, device: str, compile: bool, capture: bool = True) -> dict[str, Run]:
    """Steps of `fit`: captured in a CUDA graph, as `gpt train` makes them by default, and launched one by one.

    capture: whether to include the captured ones.
    """
    torch.manual_seed(0)
    model = GPT(config).to(device).train()
    training = Training(model, corpus, LanguageSchedule(batch=batch, lr=6e-4, steps=100_000), "bfloat16", device)
    net: nn.Module = compiled(model, training, note) if compile else model
    if capture:
        training.capture(net, note)
    step = training.captured

    def run(graph: bool) -> Callable[[], None]:
        def made() -> None:
            training.captured = step if graph else None
            training.update(net)
            training.read(None, force=False)

        return made

    return {**({"captured": run(True)} if step is not None else {}), "launched": run(False)}


def note(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def corpus_of(data: np.ndarray, vocabulary: int) -> Corpus:
    tokens = torch.from_numpy(data)
    tokenizer = CharacterTokenizer("".join(sorted(chr(0x4E00 + i) for i in range(vocabulary))))
    return Corpus(name="noise", tokenizer=tokenizer, train=tokens, validation=tokens[:4000], test=tokens[:4000])


def in_turns(runs: Mapping[str, Run], rounds: int, steps: int, synchronize: Run) -> dict[str, float]:
    """The median seconds per step of each, which alternate, after a round that does not count."""
    times: dict[str, list[float]] = {name: [] for name in runs}
    for number in range(rounds + 1):
        for name, run in runs.items():
            synchronize()
            start = time.perf_counter()
            for _ in range(steps):
                run()
            synchronize()
            if number:
                times[name].append((time.perf_counter() - start) / steps)
    return {name: statistics.median(seconds) for name, seconds in times.items()}


def peak(device: str, size: int = 8192) -> float:
    """FLOP/s of a large product in bfloat16, best of twenty."""
    a = torch.randn(size, size, device=device).bfloat16()
    synchronize, best = synchronizer(device), float("inf")
    for _ in range(20):
        synchronize()
        start = time.perf_counter()
        a @ a
        synchronize()
        best = min(best, time.perf_counter() - start)
    return 2 * size**3 / best


def synchronizer(device: str) -> Run:
    return torch.cuda.synchronize if device.startswith("cuda") else lambda: None


def flops_per_token(config: GPTConfig) -> float:
    """Floating-point operations of the products, forward and backward, per token."""
    with torch.device("meta"):
        model = GPT(config)
    places = model.place.weight.numel() if model.place is not None else 0
    return 6 * (model.parameter_count() - places) + 12 * config.layers * config.block * config.width


def profile(device: str, small: bool = False, name: str = "eager", count: int = 25) -> dict[str, list[tuple[float, int, str]]]:
    """The `count` kernels that take longest in a step of a case: milliseconds, launches and name, for each loop.

    The first row of a loop is the sum of all its kernels.
    """
    torch.set_float32_matmul_precision("high")
    case = cases(small)[name]
    data = np.random.default_rng(0).integers(case.config.vocabulary, size=TOKENS).astype(np.int32)
    corpus = corpus_of(data, case.config.vocabulary)
    makers: dict[str, Callable[[], Run]] = {
        "ours": lambda: our_steps(case.config, corpus, case.batch, device, case.peer, capture=False)["launched"],
        "plain loop": lambda: peer_step(case.config, data, case.batch, device, case.peer),
    }
    return {name: longest(make(), device, count) for name, make in makers.items()}


def longest(run: Run, device: str, count: int) -> list[tuple[float, int, str]]:
    """The kernels that take longest in one call of `run`, after three that are not recorded. On a CPU: the operations."""
    cuda, synchronize = device.startswith("cuda"), synchronizer(device)
    kind = "CUDA" if cuda else "CPU"
    activity = getattr(torch.profiler.ProfilerActivity, kind)
    for _ in range(3):
        run()
    synchronize()
    with torch.profiler.profile(activities=[activity]) as recorded:
        run()
        synchronize()
    time_of = "self_device_time_total" if cuda else "self_cpu_time_total"
    rows = [(getattr(e, time_of) / 1e3, e.count, e.key) for e in recorded.key_averages() if e.device_type.name == kind]
    rows.sort(reverse=True)
    return [(sum(row[0] for row in rows), sum(row[1] for row in rows), "all"), *rows[:count]]


class Case(NamedTuple):
    """A model and a batch. ours: whether to compile; each way is measured. peer: whether the peer is compiled."""

    name: str
    config: GPTConfig
    batch: int
    steps: int
    ours: tuple[bool, ...]
    peer: bool
    ratio: float
    tokens_per_s: int | None = None


def compare(case: Case, device: str, rounds: int, top: float) -> list[dict[str, Any]]:
    """Ours beside the peer, one result for each way of ours. top: the measured peak in FLOP/s."""
    config = case.config
    data = np.random.default_rng(0).integers(config.vocabulary, size=TOKENS).astype(np.int32)
    corpus, runs = corpus_of(data, config.vocabulary), dict[str, Run]()
    for compile in case.ours:
        for way, run in our_steps(config, corpus, case.batch, device, compile).items():
            runs[f"{'compiled' if compile else 'eager'}, {way}"] = run
    ways = list(runs)
    runs["peer"] = peer_step(config, data, case.batch, device, case.peer)
    seconds = in_turns(runs, rounds, case.steps, synchronizer(device))
    tokens, flops = case.batch * config.block, flops_per_token(config)
    rates = {way: tokens / seconds[way] for way in runs}
    return [
        {
            "name": f"{case.name}, {way}",
            "ratio": round(rates[way] / rates["peer"], 3),
            "target": case.ratio,
            "peer": f"plain {'compiled' if case.peer else 'eager'} loop",
            "unit": "times faster",
            "tokens_per_s": round(rates[way]),
            "target_tokens_per_s": case.tokens_per_s,
            "peer_tokens_per_s": round(rates["peer"]),
            "mfu_measured_peak": round(rates[way] * flops / top, 3),
            "mfu_nominal": round(rates[way] * flops / NOMINAL, 3),
        }
        for way in ways
    ]


def cases(small: bool) -> dict[str, Case]:
    """What is compared, by the names of the option `--cases`. small: tiny models, to try this file on a CPU."""
    gpt2 = replace(PRESETS["gpt2"], dropout=0.0)
    mini = replace(PRESETS["gpt-mini"], vocabulary=80, block=128, dropout=0.0)
    if small:
        gpt2 = replace(gpt2, layers=1, width=32, heads=2, vocabulary=97, block=16)
        mini = replace(mini, layers=1, width=32, heads=2, block=16)
    return {
        "eager": Case("gpt2 124M, 16 × 1024", gpt2, 2 if small else 16, 8, (False,), False, 1.0),
        "compiled": Case("gpt2 124M, 16 × 1024", gpt2, 2 if small else 16, 8, (True,), True, 1.0, 497_000),
        "mini": Case("gpt-mini, 32 × 128", mini, 2 if small else 32, 40, (False, True), True, 3.0, 945_000),
    }


def measure(
    device: str = "cuda",
    rounds: int = 7,
    tell: Callable[[str], None] = note,
    small: bool = False,
    names: Sequence[str] = CASES,
) -> list[dict[str, Any]]:
    """The comparisons of `names`; one that fails is a result with the error as text. small: as for `cases`."""
    torch.set_float32_matmul_precision("high")  # as nanoGPT sets it; our steps set their own
    top = peak(device, 256 if small else 8192)
    tell(f"bfloat16 products: {top / 1e12:.0f} TFLOP/s measured, {NOMINAL / 1e12:.0f} stated")
    results: list[dict[str, Any]] = []
    for case in (cases(small)[name] for name in names):
        start = time.perf_counter()
        try:
            found = compare(case, device, rounds, top)
        except Exception as error:
            found = [{"name": case.name, "error": f"{type(error).__name__}: {(str(error).splitlines() or [''])[0][:300]}"}]
        for one in found:
            tell(line(one))
        tell(f"  ({time.perf_counter() - start:.0f} s)")
        results += found
        gc.collect()
        torch.compiler.reset()
        if device.startswith("cuda"):
            torch.cuda.empty_cache()
    return results


def line(one: dict[str, Any]) -> str:
    if "error" in one:
        return f"{one['name']}: {one['error']}"
    shares = f"{100 * one['mfu_measured_peak']:.0f} % of the measured peak, {100 * one['mfu_nominal']:.0f} % of the stated one"
    speeds = f"{one['tokens_per_s']:>9,} tokens/s  {one['peer']} {one['peer_tokens_per_s']:>9,}"
    return f"{one['name']:<40} {speeds}  {one['ratio']:.2f}x (>= {one['target']})  {shares}"


def main() -> None:
    options = printing.parser(__doc__)
    options.add_argument("--rounds", type=int, default=7, help="rounds, of which medians are taken (default: 7)")
    options.add_argument("--device", default="cuda", help="device (default: cuda)")
    options.add_argument("--small", action="store_true", help="tiny models, to try the benchmark itself on a CPU")
    options.add_argument("--cases", nargs="+", choices=CASES, default=CASES, help="what to compare (default: all)")
    options.add_argument("--profile", action="store_true", help="print the kernels of one step of the first case instead")
    args = options.parse_args()
    out = printing.table_stream(args.json)
    if args.profile:
        for name, rows in profile(args.device, args.small, args.cases[0]).items():
            print(name, file=out)
            for milliseconds, launches, kernel in rows:
                print(f"  {milliseconds:8.3f} ms {launches:5d} x  {kernel[:110]}", file=out, flush=True)
        return
    results = measure(args.device, args.rounds, lambda text: print(text, file=out, flush=True), args.small, args.cases)
    printing.emit(results, args.json)


if __name__ == "__main__":
    main()
