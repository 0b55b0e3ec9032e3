"""The older text recognizer of ddddocr: it returns (steps, 1, characters), and the audit needs the batch axis first."""

from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import numpy as np


def build() -> Callable[[np.ndarray], np.ndarray]:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # its declared output shape is wrong, and onnxruntime warns in every call
    session = onnxruntime.InferenceSession(Path(find_spec("ddddocr").origin).parent / "common_old.onnx", options)

    def recognize(x: np.ndarray) -> np.ndarray:
        return session.run(None, {"input1": x})[0].transpose(1, 0, 2)

    return recognize
