"""A GPT with so many heads on a text: its loss, what its attention layers give, and what it costs."""

from __future__ import annotations

import copy
import math
from dataclasses import replace

import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from erlangen.data.corpora import load_corpus
from erlangen.data.corpus import Corpus, windows
from erlangen.data.text_file import check_digest
from erlangen.errors import ErlangenError
from erlangen.experiments.heads.spectrum import effective_rank, energy_rank
from erlangen.experiments.heads.tasks import TEST, VALIDATION, Learn
from erlangen.models.gpt import GPT, GPTConfig
from erlangen.records.runs import Job, Measurement
from erlangen.train.language_model import LanguageSchedule, fit, part_losses
from erlangen.train.seeds import seed_everything

TALES = 4000
LONGEST_TALE = 256  # characters


def learn(task: Learn, job: Job) -> list[Measurement]:
    """Parameters, products and ranks of a net, before training and after it, and its losses.

    A training whose loss is no longer finite has a validation loss of NaN, and nothing is measured after it.
    """
    corpus = text(task)
    seed_everything(job.seed)
    model = GPT(
        GPTConfig(
            vocabulary=corpus.tokenizer.size,
            block=task.block,
            layers=task.layers,
            heads=task.heads,
            width=task.width,
            dropout=0.0,
        )
    )
    rows = held_out(corpus, task)
    measured = [*cost(model, rows[:1]), *ranks("before", model, rows)]
    measured.append(Measurement("pair_loss", pair_loss(corpus), "nats per character"))
    schedule = LanguageSchedule(
        steps=task.steps, batch=task.batch, lr=task.lr, warmup=task.steps // 10, evaluate_every=max(task.steps // 5, 1),
        evaluation_tokens=None, seed=job.seed,
    )  # fmt: skip
    try:
        history = fit(model, corpus, schedule)
    except ErlangenError:  # of a schedule that is valid, only because a loss is not finite
        return [*measured, Measurement("validation_loss", math.nan, "nats per character")]
    return [
        *measured,
        *ranks("after", model, rows),
        *exact_ranks(model, rows),
        Measurement("best_step", history.best_step),
        Measurement("validation_loss", history.best_loss, "nats per character"),
        Measurement("test_loss", float(part_losses(model, corpus, "test")[0].mean()), "nats per character"),
    ]


def text(task: Learn) -> Corpus:
    """The text in three parts; tales one after the other, so that windows of any size have as many tokens as they can hold."""
    check_digest(task.corpus, task.digest)
    block = max(task.block, LONGEST_TALE) if task.corpus == "tales" else task.block
    corpus = load_corpus(task.corpus, block=block, validation=VALIDATION, test=TEST, tales=TALES)
    return replace(corpus, train_starts=None, validation_starts=None, test_starts=None)


def held_out(corpus: Corpus, task: Learn) -> Tensor:
    """Windows of the test part that do not overlap, spread over it: (windows, block)."""
    stride = (len(corpus.test) - 1) // task.windows
    rows, _ = windows(corpus.test, torch.arange(task.windows) * stride, task.block)
    return rows


def pair_loss(corpus: Corpus) -> float:
    """Test loss of p(b | a) ∝ 1 + times that b follows a in training: what a net reaches without attention."""
    size = corpus.tokenizer.size
    train, test = corpus.train.long(), corpus.test.long()
    pairs = torch.bincount(train[:-1] * size + train[1:], minlength=size * size).view(size, size).double() + 1
    return -float((pairs / pairs.sum(1, keepdim=True)).log()[test[:-1], test[1:]].mean())


@torch.no_grad()
def attention_outputs(model: GPT, rows: Tensor) -> list[Tensor]:
    """What each attention layer adds to the stream, (windows, block, width) each."""
    outputs: list[Tensor] = []
    hooks = [
        block.get_submodule("attention").register_forward_hook(lambda layer, given, out: outputs.append(out))
        for block in model.blocks
    ]
    model.eval()(rows)
    for hook in hooks:
        hook.remove()
    return outputs


def ranks(when: str, model: GPT, rows: Tensor) -> list[Measurement]:
    """Effective ranks of each layer's output, a matrix (block, width) for each window; means over windows, and over layers."""
    outputs = attention_outputs(model, rows)
    layers = tuple(float(effective_rank(out).mean()) for out in outputs)
    energies = tuple(float(energy_rank(out).mean()) for out in outputs)
    return [
        Measurement(f"effective_rank_{when}", sum(layers) / len(layers), "directions"),
        Measurement(f"energy_rank_{when}", sum(energies) / len(energies), "directions"),
        Measurement(f"layer_ranks_{when}", layers, "directions, layer by layer"),
    ]


def exact_ranks(model: GPT, rows: Tensor) -> list[Measurement]:
    """Ranks in float64 of the outputs, layer by layer and window by window; the same once half of the value weights are 0."""
    double = copy.deepcopy(model).double()
    found = torch.stack([torch.linalg.matrix_rank(out) for out in attention_outputs(double, rows)])  # (layers, windows)
    for block in double.blocks:
        qkv = block.get_parameter("attention.qkv.weight")  # (3 · width, width): queries, keys, values
        qkv.data[-qkv.shape[1] // 2 :] = 0
    planted = torch.stack([torch.linalg.matrix_rank(out) for out in attention_outputs(double, rows)])
    return [
        Measurement("distinct_tokens", tuple(float(len(row.unique())) for row in rows), "of each window"),
        Measurement("exact_ranks", tuple(found.double().flatten().tolist()), "layer by layer, window by window"),
        Measurement("planted_exact_ranks", tuple(planted.double().flatten().tolist()), "layer by layer, window by window"),
    ]


@torch.no_grad()
def cost(model: GPT, rows: Tensor) -> list[Measurement]:
    """Parameters; multiply-adds of all matrix products of a forward pass over one window; what its softmaxes give."""
    weights: list[Tensor] = []  # asking for them makes attention use plain products, all of which the counter sees
    with FlopCounterMode(display=False) as counter:
        model.eval().unembed(model.states(rows, weights=weights)[-1])
    return [
        Measurement("parameters", model.parameter_count()),
        Measurement("products", counter.get_total_flops() / 2, "multiply-adds per window"),
        Measurement("attention_weights", sum(matrix.numel() for matrix in weights), "per window"),
    ]
