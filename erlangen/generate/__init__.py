"""Text from a language model: how a token is chosen from logits (filters), the loop that reads and chooses (decode), and leaner
forms of both for a CPU (fast) and for a GPU (captured).

from erlangen.generate import Settings, generate
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from erlangen._lazy import attach

if TYPE_CHECKING:
    from erlangen.generate.captured import CapturedDecoder as CapturedDecoder
    from erlangen.generate.decode import generate as generate, stream as stream
    from erlangen.generate.fast import FastDecoder as FastDecoder, fast_decoder as fast_decoder
    from erlangen.generate.filters import sample as sample
    from erlangen.generate.left_padding import left_padded as left_padded
    from erlangen.generate.settings import Settings as Settings
else:
    __getattr__, __dir__, __all__ = attach(__name__, __file__)
