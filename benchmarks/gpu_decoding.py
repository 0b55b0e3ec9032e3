"""Decoding by GPT-2 124M in bfloat16 on a GPU, beside its peers in the same run: 256 tokens after a prompt of 16.

Ours is `erlangen.generate.captured` (one CUDA graph a step, sampling inside), greedy and with top-p 0.9. The peers:

plain loop      our own model with its cache, an operation at a time
CUDA graph      the loop that one would write in plain torch: static cache, one captured step, greedy
transformers    GPT2LMHeadModel with its dynamic cache, and with the static cache, whose steps `generate` compiles by itself

Ours also by torch's kernels instead of its own, and by both with three heads of keys instead of twelve. The first text ever on a
machine waits for Triton to compile them.

All weights are random. Times include the reading of the prompt; captures and compilations were made by an earlier run and are not
counted, but the first text of a fresh process is timed with them. A peer that fails is reported as text.

--only chooses figures by a regular expression, as "static|ours, greedy, batch" for the comparison with the static cache alone.
With --variants, the kinds of steps of `erlangen.generate.fused` are compared instead, for 4, 8 and 16 texts.

    python benchmarks/gpu_decoding.py [--limit 100] [--only REGEX] [--variants] [--json -]
"""

from __future__ import annotations

import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from erlangen.generate import fused
from erlangen.generate.captured import CapturedDecoder
from erlangen.generate.decode import generate
from erlangen.generate.settings import Settings
from erlangen.models.gpt import GPT, PRESETS

PROMPT, NEW = 16, 256
GREEDY, NUCLEUS = Settings(temperature=0), Settings(top_p=0.9)
BATCHES = (1, 16)
GREEDY_TARGET, NUCLEUS_TARGET, STATIC_TARGET, FIRST_TARGET = 1500.0, 0.8, 1.5, 2.0
SHARED = 3  # heads of keys, each for four heads of queries
DEVICE = "cuda"


def model(kv_heads: int | None = None) -> GPT:
    """GPT-2 124M with random weights, on the device; kv_heads: heads of keys, where its 12 heads of queries share them."""
    torch.manual_seed(0)
    return GPT(replace(PRESETS["gpt2"], kv_heads=kv_heads)).eval().to(DEVICE)


def prompts(batch: int) -> Tensor:
    return torch.randint(50257, (batch, PROMPT), generator=torch.Generator().manual_seed(1))


def synchronize() -> None:
    if DEVICE == "cuda":
        torch.cuda.synchronize()


def pace(run: Callable[[], object], tokens: int, rounds: int = 3) -> float:
    """Tokens a second of a run that makes `tokens`: the median of `rounds`, after one that is not counted."""
    run()
    times = []
    for _ in range(rounds):
        synchronize()
        start = time.perf_counter()
        run()
        synchronize()
        times.append(time.perf_counter() - start)
    return tokens / statistics.median(times)


def ours(gpt: GPT, batch: int, settings: Settings, dtype: torch.dtype = torch.bfloat16, fused: bool | None = None) -> float:
    """Tokens a second of the captured decoder, over all rows."""
    read, prompt = CapturedDecoder(gpt, batch, dtype, fused=fused), prompts(batch)
    return pace(lambda: generate(gpt, prompt, NEW, settings=settings, read=read), NEW * batch)


def plain(gpt: GPT, batch: int, tokens: int = 48) -> float:
    """Tokens a second of the plain loop under autocast; of fewer tokens, since it plans attention anew for every length."""
    prompt = prompts(batch).to(DEVICE)

    def run() -> None:
        with torch.autocast(DEVICE, torch.bfloat16):
            generate(gpt, prompt, tokens, settings=GREEDY)

    return pace(run, tokens * batch, 1)


class GraphLoop:
    """GPT-2's greedy loop in plain torch, all in bfloat16: one step, captured once, replayed for every token."""

    def __init__(self, gpt: GPT, batch: int) -> None:
        self.w = {name: weight.detach().to(torch.bfloat16) for name, weight in gpt.named_parameters()}
        c, self.batch = gpt.config, batch
        self.layers, self.heads, self.width = c.layers, c.heads, c.width
        shape = (c.layers, batch, c.heads, PROMPT + NEW, c.width // c.heads)
        self.k, self.v = (torch.zeros(shape, dtype=torch.bfloat16, device=DEVICE) for _ in range(2))
        self.token, self.position = (torch.zeros(n, dtype=torch.int64, device=DEVICE) for n in (batch, 1))
        self.text = torch.zeros(batch, PROMPT + NEW, dtype=torch.int64, device=DEVICE)
        self.places = torch.arange(PROMPT + NEW, device=DEVICE)
        with torch.inference_mode():
            if DEVICE == "cuda":
                side = torch.cuda.Stream()
                side.wait_stream(torch.cuda.current_stream())
                with torch.cuda.stream(side):
                    self.step()
                torch.cuda.current_stream().wait_stream(side)
                self.graph = torch.cuda.CUDAGraph()
                with torch.cuda.graph(self.graph):
                    self.step()

    def step(self) -> None:
        w, p, shape = self.w, self.position, (self.batch, 3, self.heads, 1, self.width // self.heads)
        x = w["embed.weight"][self.token] + w["place.weight"][p]
        mask = (self.places <= p)[None, None, None]
        for i in range(self.layers):
            b = f"blocks.{i}."
            a = F.layer_norm(x, (self.width,), w[b + "norm1.weight"], w[b + "norm1.bias"])
            q, k, v = F.linear(a, w[b + "attention.qkv.weight"], w[b + "attention.qkv.bias"]).view(shape).unbind(1)
            self.k[i].index_copy_(2, p, k)
            self.v[i].index_copy_(2, p, v)
            y = F.scaled_dot_product_attention(q, self.k[i], self.v[i], mask).reshape(self.batch, self.width)
            x = x + F.linear(y, w[b + "attention.out.weight"], w[b + "attention.out.bias"])
            a = F.layer_norm(x, (self.width,), w[b + "norm2.weight"], w[b + "norm2.bias"])
            up = F.gelu(F.linear(a, w[b + "mlp.up.weight"], w[b + "mlp.up.bias"]), approximate="tanh")
            x = x + F.linear(up, w[b + "mlp.down.weight"], w[b + "mlp.down.bias"])
        logits = F.linear(F.layer_norm(x, (self.width,), w["norm.weight"], w["norm.bias"]), w["embed.weight"])
        self.token.copy_(torch.where(p < PROMPT - 1, self.text[:, (p + 1) % (PROMPT + NEW)][:, 0], logits.argmax(-1)))
        p.add_(1)
        self.text.index_copy_(1, p % (PROMPT + NEW), self.token[:, None])

    def __call__(self) -> Tensor:
        """The text (B, PROMPT + NEW); the prompt, too, is read a token at a time."""
        with torch.inference_mode():
            self.text[:, :PROMPT] = prompts(self.batch).to(DEVICE)
            self.token.copy_(self.text[:, 0])
            self.position.zero_()
            for _ in range(PROMPT + NEW - 1):
                if DEVICE == "cuda":
                    self.graph.replay()
                else:
                    self.step()
        return self.text


def graph_loop(gpt: GPT, batch: int) -> float:
    """Tokens a second of the plain CUDA-graph loop."""
    return pace(GraphLoop(gpt, batch), (PROMPT + NEW - 1) * batch)  # which is the number of its steps


def transformers_model() -> Any:
    """GPT-2 124M of transformers with random weights, in bfloat16."""
    sys.modules.setdefault("torchvision", None)  # type: ignore[arg-type]  # a build that does not fit breaks transformers
    import transformers

    transformers.logging.set_verbosity_error()
    config = transformers.GPT2Config(bos_token_id=None, eos_token_id=None, pad_token_id=None)
    return transformers.GPT2LMHeadModel(config).eval().to(DEVICE, torch.bfloat16)


def transformers_pace(batch: int, static: bool) -> float:
    """Tokens a second of transformers' greedy `generate`, with its dynamic cache or its static one.

    With the static one `generate` compiles every step after the prompt (mode "reduce-overhead", CUDA graphs). To compile
    `forward` besides, as older documentation advises, compiles the reading of the prompt too, which takes over a minute.
    """
    peer, prompt = transformers_model(), prompts(batch).to(DEVICE)
    options: dict[str, Any] = {"max_new_tokens": NEW, "min_new_tokens": NEW, "do_sample": False, "pad_token_id": 0}
    if static:
        options["cache_implementation"] = "static"
    run = partial(peer.generate, prompt, attention_mask=torch.ones_like(prompt), **options)
    run()
    return pace(run, NEW * batch, 1)


def first_text() -> dict[str, float]:
    """In this process, which has not used the GPU yet: seconds of the first token and of the first 32, with all captures."""
    torch.zeros(1, device=DEVICE)
    gpt = model()
    synchronize()
    start = time.perf_counter()
    times: list[float] = []
    read = CapturedDecoder(gpt, 1, torch.bfloat16)
    generate(gpt, prompts(1), 32, settings=NUCLEUS, read=read, on_token=lambda _: times.append(time.perf_counter() - start))
    return {"first token, s": round(times[0], 3), "32 tokens, s": round(times[-1], 3)}


def in_a_process(part: str, seconds: float, environment: dict[str, str] | None = None) -> Any:
    """What a part of this file prints in a fresh process. Raises RuntimeError with the last line of its errors."""
    command = [sys.executable, str(Path(__file__).resolve()), "--part", part]
    variables = {**os.environ, **(environment or {})}
    done = subprocess.run(command, capture_output=True, text=True, timeout=max(seconds, 1), check=False, env=variables)
    if done.returncode:
        raise RuntimeError(" ".join(done.stderr.strip().splitlines()[-1:]) or f"exit code {done.returncode}")
    return json.loads(done.stdout.strip().splitlines()[-1])


PARTS: dict[str, Callable[[], Any]] = {
    "first": first_text,
    **{f"static {batch}": partial(transformers_pace, batch, True) for batch in BATCHES},
}


def variants(batches: tuple[int, ...] = (16, 8, 4)) -> dict[str, Any]:
    """Tokens a second of greedy texts, by the kind of the step: torch's kernels, a row at a time, and products by torch."""
    gpt, found, few = model(), dict[str, Any](), fused.FEW
    for batch in batches:
        for name, limit in (("plain", None), ("FusedStep", batch), ("BatchedStep", 0)):
            fused.FEW = few if limit is None else limit
            try:
                found[f"{name}, batch {batch}"] = round(ours(gpt, batch, GREEDY, fused=limit is not None), 1)
            except Exception as error:
                found[f"{name}, batch {batch}"] = f"failed: {type(error).__name__}: {' '.join(str(error).split())[:200]}"
        found[f"CUDA graph, batch {batch}"] = round(graph_loop(gpt, batch), 1)
    fused.FEW = few
    return found


def figures(limit: float = 100.0, only: str = "") -> dict[str, Any]:
    """The figures whose names match: tokens a second by name, or the text of what went wrong.

    limit: seconds, after which parts are skipped. only: a regular expression; every name matches the empty one.
    """
    start, found = time.perf_counter(), dict[str, Any]()
    gpt = model()

    def left() -> float:
        return limit - (time.perf_counter() - start)

    def add(name: str, run: Callable[[], Any], needs: float = 3.0) -> None:
        if not re.search(only, name):
            return
        if left() < needs:
            found[name] = "skipped: out of time"
            return
        try:
            result = run()
            found[name] = round(result, 1) if isinstance(result, float) else result
        except Exception as error:  # the failure of one part must not end the others
            found[name] = f"failed: {type(error).__name__}: {' '.join(str(error).split())[:200]}"

    for batch in BATCHES:
        add(f"ours, greedy, batch {batch}", partial(ours, gpt, batch, GREEDY))
        add(f"ours, top-p 0.9, batch {batch}", partial(ours, gpt, batch, NUCLEUS))
        add(f"CUDA graph, greedy, batch {batch}", partial(graph_loop, gpt, batch))
    for batch in (1, 4, 16):
        add(f"ours, greedy, fused kernels, batch {batch}", partial(ours, gpt, batch, GREEDY, fused=True))
        add(f"ours, greedy, torch kernels, batch {batch}", partial(ours, gpt, batch, GREEDY, fused=False))
    for batch in BATCHES:
        for name, kernels in (("fused", True), ("torch", False)):
            shared = partial(lambda b, k: ours(model(SHARED), b, GREEDY, fused=k), batch, kernels)
            add(f"ours, greedy, {SHARED} heads of keys, {name} kernels, batch {batch}", shared)
    add("ours, greedy, float32, batch 1", partial(ours, gpt, 1, GREEDY, torch.float32))
    add("first text of a process", lambda: in_a_process("first", min(left(), 40)), 10)
    with tempfile.TemporaryDirectory() as folder:
        cold = partial(in_a_process, "first", 40, {"TRITON_CACHE_DIR": folder})
        add("first text ever on a machine", cold, 40)
    for batch in BATCHES:
        add(f"transformers, dynamic cache, batch {batch}", partial(transformers_pace, batch, False), 8)
    add("plain loop, batch 1", partial(plain, gpt, 1), 12)
    for batch in BATCHES:
        add(f"transformers, static cache, batch {batch}", lambda b=batch: in_a_process(f"static {b}", min(left(), 120)), 10)
    return found


def ratios(found: dict[str, Any]) -> list[dict[str, object]]:
    """The figures beside their targets, as the other benchmarks report them; those that are missing are left out."""
    first, greedy = found.get("first text of a process"), found.get("ours, greedy, batch 1")
    rows = [
        ("greedy, batch 1", greedy, 1.0, GREEDY_TARGET, "none", "tokens/s"),
        ("top-p 0.9, batch 1", found.get("ours, top-p 0.9, batch 1"), greedy, NUCLEUS_TARGET, "greedy", "times"),
        *(
            (f"greedy, batch {b}", found.get(f"ours, greedy, batch {b}"), found.get(f"{peer}, batch {b}"), target, peer, "times")
            for b in BATCHES
            for peer, target in (("CUDA graph, greedy", 1.0), ("transformers, static cache", STATIC_TARGET))
        ),
        ("first text", first.get("32 tokens, s") if isinstance(first, dict) else None, 1.0, FIRST_TARGET, "none", "s, at most"),
    ]  # fmt: skip
    return [
        {"name": name, "ratio": round(value / base, 2), "target": target, "peer": peer, "unit": unit}
        for name, value, base, target, peer, unit in rows
        if isinstance(value, float) and isinstance(base, float)
    ]


def main() -> None:
    import printing

    options = printing.parser(__doc__)
    options.add_argument("--limit", type=float, default=100.0, help="seconds, after which parts are skipped (default: 100)")
    options.add_argument("--only", default="", metavar="REGEX", help="measure only the figures whose names match")
    options.add_argument("--variants", action="store_true", help="compare the kinds of steps instead")
    options.add_argument("--part", choices=PARTS, help=argparse.SUPPRESS)
    args = options.parse_args()
    if args.part:
        print(json.dumps(PARTS[args.part]()))
        return
    if not torch.cuda.is_available():
        sys.exit("this benchmark needs a CUDA device, and there is none")
    out = printing.table_stream(args.json)
    print(f"{torch.cuda.get_device_name()}; torch {torch.__version__}; {NEW} tokens after {PROMPT}; tokens a second", file=out)
    found = variants() if args.variants else figures(args.limit, args.only)
    for name, value in found.items():
        print(f"  {name:<40} {value}", file=out)
    results = ratios(found)
    for row in results:
        print(
            f"  {row['name']:<20} against {row['peer']:<28} {row['ratio']:>8} {row['unit']}  (target {row['target']})", file=out
        )
    printing.emit(results, args.json)


if __name__ == "__main__":
    main()
