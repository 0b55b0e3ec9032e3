"""A pytest plugin: transformers' own tests of rotary frequencies then run our functions.

python -m pytest -p peers.swap_rope .../transformers/tests/utils/test_modeling_rope_utils.py

The number of times that a test ran one of ours is written to the JUnit file, as the property `calls`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from support.torchvision_ops import declare_torchvision_ops
from torch import Tensor

from erlangen.nn.positions import Rotary
from erlangen.nn.rotary_scaling import NEEDED, OPTIONAL, TRAINED

SCALINGS = ("linear", *NEEDED)
calls = 0


def pytest_configure() -> None:
    """Put ours in the place of transformers', before any test file is imported."""
    declare_torchvision_ops()  # transformers imports torchvision where it is installed
    from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS
    from transformers.models.llama.modeling_llama import LlamaRotaryEmbedding

    ROPE_INIT_FUNCTIONS.update({scaling: ours(scaling) for scaling in SCALINGS})
    LlamaRotaryEmbedding.compute_default_rope_parameters = staticmethod(ours("none"))


def ours(scaling: Any) -> Callable[..., tuple[Tensor, float]]:
    """Our inverse frequencies and attention factor, called as transformers calls its own."""

    def compute(config: Any, device: Any = None, seq_len: Any = None, layer_type: str | None = None) -> tuple[Tensor, float]:
        global calls
        calls += 1
        config.standardize_rope_params()
        given = config.rope_parameters
        names = ("factor", *NEEDED.get(scaling, ()), *OPTIONAL.get(scaling, ())) if scaling != "none" else ()
        options = {name: given[name] for name in names if given.get(name) is not None}
        if scaling == "dynamic":
            options[TRAINED] = config.max_position_embeddings
        rotary = Rotary(scaling=scaling, base=given["rope_theta"], **options)
        head_dim = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
        theta = Rotary(base=rotary.base).frequencies(head_dim, device).float()  # transformers computes in float32
        return rotary.scaled(theta, 0 if seq_len is None else seq_len), rotary.amplitude

    return compute


@pytest.fixture(autouse=True)
def counted(record_property: Callable[[str, object], None]) -> Iterator[None]:
    """Writes how often a test ran ours."""
    before = calls
    yield
    record_property("calls", calls - before)
