"""500 tokens from gpt-mini on a CPU, compared in alternating runs with transformers' cached `generate` and with recomputation.

Ours is gpt-mini (6 layers, 6 heads, width 384) with a vocabulary of 87 and a block of 512, which the prompt and the text fill.
The peers are the closest architecture in transformers, Llama (rotary positions, RMSNorm; a gated MLP of width 1024, so that both
have 10.69 M parameters), and GPT-2 of the same widths, which does less work per token. All sample at temperature 1 without
filters, with random weights. Recomputation by the model's forward pass is timed at nine lengths and integrated by the trapezoid
rule, because 500 steps at batch 10 would take minutes.

    python benchmarks/gpt_generate.py [--rounds 5] [--tokens 500] [--batches 1 10] [--json -]
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial

import printing
import torch
from torch import Tensor, nn

from erlangen.generate.decode import generate
from erlangen.generate.fast import fast_decoder
from erlangen.generate.packed import works
from erlangen.models.gpt import GPT, PRESETS
from erlangen.sweep.machine import cores, processor

sys.modules.setdefault("torchvision", None)  # type: ignore[arg-type]  # a CUDA build of it breaks transformers here

import transformers  # noqa: E402

PROMPT, BLOCK, VOCABULARY = 12, 512, 87
TARGETS = {  # by batch: (a peer in float32, a peer in the fastest mode, recomputation)
    1: (1.2, 2.0, 12.0),
    10: (1.7, 3.0, 40.0),
}
Run = Callable[[], object]


def ours() -> GPT:
    return GPT(replace(PRESETS["gpt-mini"], vocabulary=VOCABULARY, block=BLOCK)).eval()


def peers() -> dict[str, nn.Module]:
    transformers.logging.set_verbosity_error()
    none = {"bos_token_id": None, "eos_token_id": None, "pad_token_id": None}
    llama = transformers.LlamaConfig(
        vocab_size=VOCABULARY, hidden_size=384, intermediate_size=1024, num_hidden_layers=6, num_attention_heads=6,
        max_position_embeddings=BLOCK, rms_norm_eps=1e-5, **none,
    )  # fmt: skip
    gpt2 = transformers.GPT2Config(vocab_size=VOCABULARY, n_positions=BLOCK, n_embd=384, n_layer=6, n_head=6, **none)
    return {"Llama": transformers.LlamaForCausalLM(llama).eval(), "GPT-2": transformers.GPT2LMHeadModel(gpt2).eval()}


def theirs(model: nn.Module, prompt: Tensor, tokens: int) -> Run:
    settings = {"do_sample": True, "temperature": 1.0, "top_k": 0, "top_p": 1.0, "use_cache": True, "pad_token_id": 0}
    mask = torch.ones_like(prompt)
    return lambda: model.generate(prompt, attention_mask=mask, max_new_tokens=tokens, min_new_tokens=tokens, **settings)


def fast(model: GPT, prompt: Tensor, tokens: int, precision: str) -> Run:
    """Generation with `fast_decoder`, including the time to rearrange the weights."""
    return lambda: generate(model, prompt, tokens, read=fast_decoder(model, len(prompt), precision))  # type: ignore[arg-type]


def seconds(run: Run) -> float:
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def recomputation(model: GPT, batch: int, tokens: int, rounds: int) -> float:
    """The seconds of `tokens` forward passes over PROMPT, PROMPT + 1, ... tokens."""
    lengths = [PROMPT + round(i * (tokens - 1) / 8) for i in range(9)]
    texts = [torch.zeros(batch, n, dtype=torch.int64) for n in lengths]
    with torch.inference_mode():
        times = [statistics.median(seconds(partial(model, text)) for _ in range(rounds)) for text in texts]
    return sum((end - start) * (a + b) / 2 for start, end, a, b in zip(lengths, lengths[1:], times, times[1:], strict=False))


def main() -> None:
    options = printing.parser(__doc__)
    options.add_argument("--rounds", type=int, default=5, help="runs of each side, of which medians are taken (default: 5)")
    options.add_argument("--tokens", type=int, default=BLOCK - PROMPT, help="tokens per text (default: 500)")
    options.add_argument("--batches", type=int, nargs="+", default=[1, 10], help="numbers of texts at a time (default: 1 10)")
    args = options.parse_args()
    torch.set_num_threads(cores())
    torch.manual_seed(0)
    out = printing.table_stream(args.json)
    print(f"{processor()}, {cores()} threads; torch {torch.__version__}, transformers {transformers.__version__}", file=out)
    print(f"{args.tokens} tokens after {PROMPT}, medians of {args.rounds}; ms per step", file=out)
    model, others = ours(), peers()
    results: list[dict[str, object]] = []
    for batch in args.batches:
        prompt = torch.randint(VOCABULARY, (batch, PROMPT))
        modes = [mode for mode in ("float32", "bfloat16", "int8") if works(mode, batch) and (mode != "int8" or batch <= 2)]  # type: ignore[arg-type]
        runs = {
            **{f"transformers, {name}": theirs(peer, prompt, args.tokens) for name, peer in others.items()},
            "the model and its cache": lambda prompt=prompt: generate(model, prompt, args.tokens),
            **{mode: fast(model, prompt, args.tokens, mode) for mode in modes},
        }
        for run in runs.values():
            run()
        times: dict[str, list[float]] = {name: [] for name in runs}
        for _ in range(args.rounds):
            for name, run in runs.items():
                times[name].append(seconds(run))
        medians = {name: statistics.median(found) for name, found in times.items()}
        medians["recomputation"] = recomputation(model, batch, args.tokens, 3)
        print(f"\nbatch {batch}", file=out)
        for name, median in medians.items():
            print(f"  {name:<26} {1000 * median / args.tokens:>8.2f}", file=out)
        fastest = min(modes, key=medians.__getitem__)
        same, best, again = TARGETS.get(batch, (1.0, 1.0, 1.0))
        for peer, mode, target in [
            ("transformers, Llama", "float32", same),
            ("transformers, Llama", fastest, best),
            ("transformers, GPT-2", "float32", same),
            ("transformers, GPT-2", fastest, best),
            ("recomputation", "float32", again),
            ("recomputation", fastest, again),
        ]:
            ratio = medians[peer] / medians[mode]
            print(f"  {mode:<9} against {peer:<20} {ratio:>8.2f}x  (>= {target})", file=out)
            results.append(
                {
                    "name": f"{args.tokens} tokens, batch {batch}, {mode}",
                    "ratio": round(ratio, 2),
                    "target": target,
                    "peer": peer,
                    "unit": "times faster",
                }
            )
    printing.emit(results, args.json)


if __name__ == "__main__":
    main()
