"""Queries and keys of a GPT, head by head: how far its products are from those of independent entries with mean 0.

Over all pairs of a query at i and a key at j ≤ i, for one head of width d, with μ_q and μ_k the mean query and key:

    mean          E[q · k]                                    0 for entries with mean 0
    variance      Var(q · k)
    independent   d · σ_q² σ_k²                               what the variance would be for independent entries with mean 0
    from means    1 - E[((q - μ_q) · (k - μ_k))²] / E[(q · k)²]   share of the second moment that is due to the means

Means are taken before queries and keys are rotated, because rotary positions turn a mean along with everything else.
"""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor

from erlangen.data.corpora import load_corpus
from erlangen.data.text_file import check_digest
from erlangen.experiments.attention_scale.tasks import Language
from erlangen.models.gpt import GPT, Block, GPTConfig
from erlangen.nn.positions import rotate
from erlangen.records.runs import Job, Measurement
from erlangen.train.language_model import LanguageSchedule, fit
from erlangen.train.seeds import seed_everything

TALES = 4000
WINDOWS = 32  # of the test part, whose queries and keys are looked at


def language(task: Language, job: Job) -> list[Measurement]:
    """One GPT: its validation loss, and its heads before training and after."""
    check_digest(task.corpus, task.digest)
    corpus = load_corpus(task.corpus, block=task.block, tales=TALES)
    seed_everything(job.seed)
    config = GPTConfig(
        vocabulary=corpus.tokenizer.size, block=task.block, layers=task.layers, heads=task.heads, width=task.width,
        positions=task.positions, dropout=0.0,
    )  # fmt: skip
    model = GPT(config)
    windows = corpus.test.unfold(0, task.block, task.block)[:WINDOWS].long()  # (B, T)
    before = moments(model.eval(), windows, "before")
    schedule = LanguageSchedule(
        steps=task.steps, batch=task.batch, lr=task.lr, warmup=max(task.steps // 10, 1),
        evaluate_every=max(task.steps // 4, 1), evaluation_tokens=8192, seed=job.seed,
    )  # fmt: skip
    history = fit(model, corpus, schedule)
    loss = Measurement("validation_loss", history.best_loss, "nats per character")
    return [loss, *before, *moments(model, windows, "after")]


@torch.no_grad()
def moments(model: GPT, windows: Tensor, when: str) -> list[Measurement]:
    """Each quantity for every head, layer by layer: windows (B, T)."""
    rows = [row for q, k in queries_and_keys(model, windows) for row in zip(*of_heads(model, q, k), strict=True)]
    names = ("mean", "variance", "independent", "from means")
    return [Measurement(f"{when} {name}", column) for name, column in zip(names, zip(*rows, strict=True), strict=True)]


def queries_and_keys(model: GPT, windows: Tensor) -> list[tuple[Tensor, Tensor]]:
    """Those of each layer before they are rotated, (B, T, H, d) each."""
    width, found = model.config.width, []
    for block, h in zip(model.blocks, model.states(windows), strict=False):
        layer = cast(Block, block)
        q, k, _ = layer.attention.qkv(layer.norm1(h)).split(width, -1)
        found.append((q.unflatten(-1, (model.config.heads, -1)), k.unflatten(-1, (model.config.heads, -1))))
    return found


def of_heads(model: GPT, q: Tensor, k: Tensor) -> tuple[list[float], ...]:
    """The four quantities of one layer, by head: q, k (B, T, H, d)."""
    q, k = q.double(), k.double()
    centered = [x - x.mean((0, 1)) for x in (q, k)]  # (B, T, H, d)
    spreads = [x.square().mean((0, 1, 3)) for x in centered]  # (H,), σ²
    product, without = products(model, q, k), products(model, *centered)  # (pairs, H)
    columns = (
        product.mean(0),
        product.var(0),
        q.shape[-1] * spreads[0] * spreads[1],
        1 - without.square().mean(0) / product.square().mean(0),
    )
    return tuple(column.tolist() for column in columns)


def products(model: GPT, q: Tensor, k: Tensor) -> Tensor:
    """q_i · k_j of every pair with j ≤ i, rotated where positions are rotary: (B, T, H, d) -> (B · pairs, H)."""
    config, length = model.config, q.shape[1]
    if config.positions == "rotary":
        table = config.rotary.table(torch.arange(length), config.head_dim).double()[:, :, None]  # (2, T, 1, d)
        q, k = (rotate(x, table, config.rotary.layout) for x in (q, k))
    both = torch.einsum("bihd,bjhd->bijh", q, k)  # (B, T, T, H)
    return both[:, torch.ones(length, length).tril().bool()].flatten(0, 1)
