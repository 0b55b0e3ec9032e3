"""Configuration of an attention layer."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, get_args

from erlangen.nn.positions import Rotary

Form = Literal["auto", "naive", "fused", "local"]
Positions = Literal["rotary", "absolute", "alibi", "none"]


@dataclass(frozen=True, kw_only=True)
class AttentionConfig:
    """Configuration of an attention layer.

    kv_heads: heads of keys and values, each shared by heads / kv_heads heads of queries that follow one another (grouped-query
    attention: Ainslie et al., "GQA", EMNLP 2023; with one, multi-query attention: Shazeer, 2019); None for as many as `heads`.
    window: tokens that a query sees, including itself; None for all tokens up to it. form: `auto` chooses the fastest one for the
    device, the dtype, the length and dropout. Raises ValueError for values that do not fit.
    """

    width: int
    heads: int
    kv_heads: int | None = None
    positions: Positions = "rotary"
    rotary: Rotary = field(default_factory=Rotary)
    form: Form = "auto"
    window: int | None = None
    dropout: float = 0.0
    bias: bool = False

    def __post_init__(self) -> None:
        if self.width < 1 or self.heads < 1 or self.width % self.heads:
            raise ValueError(f"width {self.width} must be a multiple of the number of heads, {self.heads}, and both at least 1")
        if self.kv_heads is not None and (self.kv_heads < 1 or self.heads % self.kv_heads):
            raise ValueError(f"kv_heads {self.kv_heads} must divide the number of heads, {self.heads}, and be at least 1")
        if self.form not in get_args(Form):
            raise ValueError(f"attention {self.form!r} is unknown: choose one of {', '.join(get_args(Form))}")
        if self.positions not in get_args(Positions):
            raise ValueError(f"positions {self.positions!r} are unknown: choose one of {', '.join(get_args(Positions))}")
        if self.form == "local" and self.window is None:
            raise ValueError("attention 'local' needs a window: give one, or choose another form of attention")
        if self.window is not None and self.window < 1:
            raise ValueError(f"window {self.window} must be at least 1 token")
        if not 0 <= self.dropout < 1:
            raise ValueError(f"dropout {self.dropout} is outside [0, 1)")
        if self.positions == "rotary":
            self.rotary.frequencies(self.head_dim)

    @property
    def head_dim(self) -> int:
        """The number of features per head."""
        return self.width // self.heads

    @property
    def key_heads(self) -> int:
        """The number of heads of keys and values."""
        return self.kv_heads or self.heads
