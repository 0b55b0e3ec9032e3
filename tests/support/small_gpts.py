"""Configurations that every decoder must handle, and settings that use every filter at once."""

from __future__ import annotations

from dataclasses import replace

from erlangen.generate.settings import Settings
from erlangen.models.gpt import GPTConfig
from erlangen.nn.positions import Rotary

TRAINED = {"factor": 3.0, "original_max_position_embeddings": 9}
EVERY_FILTER = Settings(
    temperature=1.3, top_k=9, top_p=0.9, min_p=0.05, typical_p=0.9, min_tokens_to_keep=3, repetition_penalty=1.2,
    no_repeat_ngram_size=3, seed=7,
)  # fmt: skip


def scaled(base: GPTConfig) -> dict[str, GPTConfig]:
    """With rotary positions that are scaled beyond the trained length within a block."""
    pairs = base.head_dim // 2
    long = {"short_factor": [1.5] * pairs, "long_factor": [1.0, 4.0] * (pairs // 2)}
    return {
        "yarn": replace(base, rotary=Rotary(scaling="yarn", **TRAINED)),
        "dynamic": replace(base, rotary=Rotary(scaling="dynamic", layout="interleaved", **TRAINED)),
        "longrope": replace(base, rotary=Rotary(scaling="longrope", **long, **TRAINED)),
    }


def with_shared_keys(base: GPTConfig) -> dict[str, GPTConfig]:
    """With keys and values that several heads share."""
    return {
        "shared keys": replace(base, heads=4, kv_heads=2),
        "shared keys and slopes": replace(base, heads=4, kv_heads=1, window=5, positions="alibi", bias=True),
    }
