"""MTCNN's first network (facenet-pytorch): boxes and face probabilities on a grid of cells, 2 px apart.

The rest of the package is left out, since it needs a torchvision that fits torch.
"""

import sys
from importlib.util import find_spec
from types import ModuleType

from torch import nn


def build() -> nn.Module:
    package, boxes = ModuleType("facenet_pytorch"), ModuleType("facenet_pytorch.models.utils.detect_face")
    package.__path__ = list(find_spec("facenet_pytorch").submodule_search_locations)
    boxes.detect_face = boxes.extract_face = None
    sys.modules |= {"facenet_pytorch": package, boxes.__name__: boxes}
    from facenet_pytorch.models.mtcnn import PNet

    return PNet().eval()
