"""Training a GPT on a CPU, compared with a nanoGPT-style loop; and making batches, compared with a data set of slices.

The peer is written with plain `torch.nn`: float32, LayerNorm, GELU, learned positions, a tied head,
`scaled_dot_product_attention`, default AdamW, and batches stacked from slices. Ours are the steps of `erlangen gpt train`, with
bfloat16 products if the CPU has them in hardware. Layers, heads, widths, batch, length and threads are the same. The two
alternate, and every figure is a median.

    python benchmarks/gpt.py [--rounds 9] [--sizes gpt-micro gpt-mini] [--batch 32] [--block 128] [--json -]
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import printing
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from erlangen.data.characters import CharacterTokenizer
from erlangen.data.corpus import Corpus, random_starts, windows
from erlangen.models.gpt import GPT, PRESETS, GPTConfig
from erlangen.sweep.machine import cores, processor
from erlangen.train.language_model import LanguageSchedule, Training
from erlangen.train.memory import keep_memory
from erlangen.train.precision import has_bfloat16

TARGETS = {("gpt-micro", 0.1): 3.0, ("gpt-mini", 0.1): 3.0, ("gpt-micro", 0.0): 2.0, ("gpt-mini", 0.0): 2.8}
VOCABULARY, TOKENS = 80, 500_000
Run = Callable[[], object]


class PeerAttention(nn.Module):
    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads, self.p = heads, dropout
        self.qkv, self.out = nn.Linear(width, 3 * width, bias=False), nn.Linear(width, width, bias=False)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        b, t, c = x.shape
        q, k, v = (part.view(b, t, self.heads, c // self.heads).transpose(1, 2) for part in self.qkv(x).split(c, 2))
        y = F.scaled_dot_product_attention(q, k, v, dropout_p=self.p if self.training else 0.0, is_causal=True)
        return self.dropout(self.out(y.transpose(1, 2).reshape(b, t, c)))


class PeerBlock(nn.Module):
    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(width, bias=False), nn.LayerNorm(width, bias=False)
        self.attention = PeerAttention(width, heads, dropout)
        up, down = nn.Linear(width, 4 * width, bias=False), nn.Linear(4 * width, width, bias=False)
        self.mlp = nn.Sequential(up, nn.GELU(), down, nn.Dropout(dropout))

    def forward(self, h: Tensor) -> Tensor:
        h = h + self.attention(self.norm1(h))
        return h + self.mlp(self.norm2(h))


class Peer(nn.Module):
    """A GPT of the same size, made of torch's modules only."""

    def __init__(self, c: GPTConfig) -> None:
        super().__init__()
        self.tokens, self.places = nn.Embedding(c.vocabulary, c.width), nn.Embedding(c.block, c.width)
        self.dropout = nn.Dropout(c.dropout)
        self.blocks = nn.Sequential(*(PeerBlock(c.width, c.heads, c.dropout) for _ in range(c.layers)))
        self.norm = nn.LayerNorm(c.width, bias=False)
        self.head = nn.Linear(c.width, c.vocabulary, bias=False)
        self.tokens.weight = self.head.weight

    def forward(self, x: Tensor) -> Tensor:
        h = self.dropout(self.tokens(x) + self.places(torch.arange(x.shape[1])))
        return self.head(self.norm(self.blocks(h)))


def peer_step(config: GPTConfig, data: np.ndarray, batch: int) -> Run:
    """A step of the loop: slices, forward, backward, clip, AdamW."""
    model = Peer(config).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, betas=(0.9, 0.95), weight_decay=0.1)
    block = config.block

    def run() -> None:
        starts = torch.randint(len(data) - block, (batch,))
        x = torch.stack([torch.from_numpy(data[i : i + block].astype(np.int64)) for i in starts])
        y = torch.stack([torch.from_numpy(data[i + 1 : i + 1 + block].astype(np.int64)) for i in starts])
        loss = F.cross_entropy(model(x).view(-1, config.vocabulary), y.view(-1))
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        loss.item()

    return run


def our_step(config: GPTConfig, corpus: Corpus, batch: int, precision: str) -> Run:
    """A step of `fit`."""
    schedule = LanguageSchedule(batch=batch, lr=1e-3)
    training = Training(GPT(config).train(), corpus, schedule, precision, "cpu")  # type: ignore[arg-type]

    def run() -> None:
        training.model.train()
        training.update(training.model)
        training.read(None)

    return run


def corpus_of(data: np.ndarray) -> Corpus:
    tokens = torch.from_numpy(data)
    tokenizer = CharacterTokenizer("".join(sorted(chr(48 + i) for i in range(VOCABULARY))))
    return Corpus(name="noise", tokenizer=tokenizer, train=tokens, validation=tokens[:2000], test=tokens[:2000])


class Slices(Dataset):
    """The text as a list of numbers and windows as slices of it: the data set that most people write first."""

    def __init__(self, data: np.ndarray, block: int) -> None:
        self.data, self.block = data.tolist(), block

    def __len__(self) -> int:
        return len(self.data) - self.block

    def __getitem__(self, i: int) -> tuple[Tensor, Tensor]:
        window = self.data[i : i + self.block + 1]
        return torch.tensor(window[:-1]), torch.tensor(window[1:])


def batches(data: np.ndarray, block: int, batch: int, number: int) -> tuple[Run, Run]:
    """Two ways to make `number` batches: (one gather per batch, a shuffled DataLoader)."""
    tokens, generator, dataset = torch.from_numpy(data), torch.Generator().manual_seed(0), Slices(data, block)

    def ours() -> None:
        for _ in range(number):
            windows(tokens, random_starts(len(tokens), block, batch, generator), block)

    def peer() -> None:
        for _ in DataLoader(dataset, batch, sampler=torch.randint(len(dataset), (number * batch,)).tolist()):
            pass

    return ours, peer


def seconds(run: Run) -> float:
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def in_turns(ours: Run, peer: Run, rounds: int) -> tuple[float, float]:
    """The median seconds of both, which alternate, after two runs each that do not count."""
    for run in (ours, peer, ours, peer):
        run()
    times = [(seconds(ours), seconds(peer)) for _ in range(rounds)]
    return statistics.median(mine for mine, _ in times), statistics.median(theirs for _, theirs in times)


def peak(dtype: torch.dtype) -> float:
    """GFLOP/s of a large matrix product, best of nine."""
    a = torch.randn(2048, 2048).to(dtype)
    return 2 * 2048**3 / min(seconds(lambda: a @ a) for _ in range(9)) / 1e9


def step_flops(config: GPTConfig, batch: int) -> float:
    """Floating-point operations of the products of a step, forward and backward: 6 N + 12 L T C per token."""
    weights = 12 * config.layers * config.width**2 + config.width * config.vocabulary
    return batch * config.block * (6 * weights + 12 * config.layers * config.block * config.width)


def main() -> None:
    options = printing.parser(__doc__)
    options.add_argument("--rounds", type=int, default=9, help="runs of each side, of which medians are taken (default: 9)")
    options.add_argument("--sizes", nargs="+", default=["gpt-micro", "gpt-mini"], help="models (default: gpt-micro gpt-mini)")
    options.add_argument("--batch", type=int, default=32, help="windows per step (default: 32)")
    options.add_argument("--block", type=int, default=128, help="context length in tokens (default: 128)")
    args = options.parse_args()
    torch.set_num_threads(cores())
    keep_memory()  # for both sides, since it applies to the process
    precision = "bfloat16" if has_bfloat16("cpu") else "float32"
    out = printing.table_stream(args.json)
    peaks = {name: peak(getattr(torch, name)) for name in ("float32", precision)}
    print(f"{processor()}, {cores()} threads; torch {torch.__version__}", file=out)
    print("matrix products: " + ", ".join(f"{name} {rate:.0f} GFLOP/s" for name, rate in peaks.items()), file=out)
    print(f"batch {args.batch}, block {args.block}, ours in {precision}; medians of {args.rounds}\n", file=out)
    results: list[dict[str, object]] = []
    data = np.random.default_rng(0).integers(VOCABULARY, size=TOKENS).astype(np.uint8)
    for size in args.sizes:
        for dropout in (0.1, 0.0):
            config = replace(PRESETS[size], vocabulary=VOCABULARY, block=args.block, dropout=dropout)
            corpus = corpus_of(data)
            ours, peer = our_step(config, corpus, args.batch, precision), peer_step(config, data, args.batch)
            mine, theirs = in_turns(ours, peer, args.rounds)
            tokens, share = args.batch * args.block, step_flops(config, args.batch) / mine / 1e9 / peaks[precision]
            target = TARGETS.get((size, dropout), 1.0)
            print(
                f"{size}, dropout {dropout:<4} {tokens / mine:>9,.0f} tokens/s  peer {tokens / theirs:>9,.0f}  "
                f"{theirs / mine:>5.2f}x  (>= {target})  {100 * share:.0f} % of the peak",
                file=out,
            )
            name = f"training {size}, dropout {dropout}"
            results.append(
                {
                    "name": name,
                    "ratio": round(theirs / mine, 2),
                    "target": target,
                    "peer": "plain torch.nn",
                    "unit": "times faster",
                }
            )
    mine, theirs = in_turns(*batches(data, args.block, args.batch, 20), args.rounds)
    print(
        f"a batch of windows  {1e6 * mine / 20:>9.0f} us  peer {1e6 * theirs / 20:>9.0f} us  {theirs / mine:.0f}x  (>= 50)",
        file=out,
    )
    results.append(
        {"name": "batches", "ratio": round(theirs / mine, 1), "target": 50, "peer": "sliced lists", "unit": "times faster"}
    )
    printing.emit(results, args.json)


if __name__ == "__main__":
    main()
