"""The speaker encoder of Resemblyzer, without its audio code, which needs librosa and webrtcvad."""

import sys
from types import ModuleType

from torch import nn


def build() -> nn.Module:
    audio = ModuleType("resemblyzer.audio")
    audio.__getattr__ = lambda name: None  # type: ignore[method-assign]  # the names that the package imports from it
    sys.modules.setdefault("resemblyzer.audio", audio)
    from resemblyzer.voice_encoder import VoiceEncoder

    return VoiceEncoder("cpu", verbose=False).eval()
