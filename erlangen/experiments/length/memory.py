"""What each kind of positions stores with a model and computes for a text, counted in the models of the lab, and where it fails.

    absolute   a table of block × width learned numbers
    rotary     nothing learned; sines and cosines of every position, (2, T, d), once per call
    alibi      nothing learned; a bias of every head, query and key, (H, T, T), where the form of attention needs it
    t5         buckets × heads learned numbers for the whole model; a bias (H, T, T) made of them

Source of t5: Raffel et al., "Exploring the Limits of Transfer Learning ...", 2020, section 2.1.
"""

from __future__ import annotations

import math
from dataclasses import replace

import torch
from torch import Tensor, nn

from erlangen.experiments.length.tasks import Answer, Memory
from erlangen.models.gpt import GPT, PRESETS, GPTConfig
from erlangen.nn.attention import context
from erlangen.records.runs import Job, Measurement
from erlangen.train.seeds import seed_everything

BUCKETS, FARTHEST = 32, 128  # of T5


class RelativeBias(nn.Module):
    """T5's bias for a causal model: length T -> (H, T, T), one learned number for each head and bucket of distances."""

    def __init__(self, heads: int) -> None:
        super().__init__()
        self.values = nn.Embedding(BUCKETS, heads)

    def forward(self, length: int) -> Tensor:
        place = torch.arange(length, device=self.values.weight.device)
        bias: Tensor = self.values(bucket((place[:, None] - place).clamp(min=0)))  # (T, T, H)
        return bias.permute(2, 0, 1)


def bucket(distance: Tensor) -> Tensor:
    """The bucket of each distance ≥ 0: one each below BUCKETS / 2, then ever wider ones, the last from FARTHEST on."""
    exact = BUCKETS // 2
    share = torch.log(distance.clamp(min=exact) / exact) / math.log(FARTHEST / exact)
    wide = exact + (share * (BUCKETS - exact)).long()
    return torch.where(distance < exact, distance, wide.clamp(max=BUCKETS - 1))


def memory(task: Memory, job: Job) -> list[Measurement]:
    """Parameters of the model and of its positions, and bytes that the positions take in a call at the model's block."""
    config = PRESETS[task.preset]
    stored = {kind: parameters(replace(config, positions=kind)) for kind in ("absolute", "rotary", "alibi", "none")}
    with torch.device("meta"):
        t5 = RelativeBias(config.heads)
        computed = t5(config.block)
    stored["t5"] = stored["none"] + sum(parameter.numel() for parameter in t5.parameters())
    called = {kind: call_bytes(replace(config, positions=kind)) for kind in ("absolute", "rotary", "alibi")}
    called["t5"] = bytes_of(computed)
    return [
        Measurement("model", stored["absolute"], "parameters, with a table"),
        Measurement("block", config.block, "tokens"),
        Measurement("rows", config.block * config.width, "block × width"),
        *(Measurement(f"{kind} stored", stored[kind] - stored["none"], "parameters") for kind in called),
        *(Measurement(f"{kind} computed", value, "bytes in a call") for kind, value in called.items()),
    ]


def parameters(config: GPTConfig) -> int:
    """The parameters and stored buffers of the lab's model, each counted once."""
    with torch.device("meta"):
        model = GPT(config)
    return sum(tensor.numel() for tensor in (*model.parameters(), *model.buffers()))


def call_bytes(config: GPTConfig) -> int:
    """The bytes of what all layers share in a call on a CPU at the model's block, beyond those of a model without positions."""
    like = torch.empty(0)
    with_positions, without = (
        context(replace(config, positions=kind).layer(), config.block, like) for kind in (config.positions, "none")
    )
    shared = ("table", "bias", "slopes")
    return sum(bytes_of(getattr(with_positions, name)) - bytes_of(getattr(without, name)) for name in shared)


def bytes_of(tensor: Tensor | None) -> int:
    """Bytes of a tensor's numbers."""
    return 0 if tensor is None else tensor.numel() * tensor.element_size()


@torch.no_grad()
def answer(task: Answer, job: Job) -> list[Measurement]:
    """Whether a net of a given block answers with finite numbers, for each kind of positions and length: 1, or 0."""
    measured = []
    for kind in ("absolute", "rotary", "alibi"):
        seed_everything(job.seed)
        net = GPT(GPTConfig(vocabulary=16, block=task.block, layers=2, heads=2, width=16, positions=kind)).eval()
        given = tuple(float(answers(net, length)) for length in task.lengths)
        measured.append(Measurement(f"{kind} answers", given, "1 if it does"))
    return measured


def answers(net: GPT, length: int) -> bool:
    """Whether the net gives finite logits for so many tokens."""
    tokens = torch.randint(16, (1, length))
    try:
        return bool(net(tokens).isfinite().all())
    except ValueError:  # what the model raises for more tokens than its table has rows
        return False
