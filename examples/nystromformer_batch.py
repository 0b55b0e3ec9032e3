"""The output of Nyströmformer for a text depends on the other texts in the batch.

Its attention inverts a matrix by iteration, and scales the first guess by the largest row sum *of the whole batch*. The iteration
then converges to nearly, but not exactly, the same result. The effect is small here (1e-9 of the output, 1e-6 of a layer's
spread), but it is not rounding, as float64 shows.

    python examples/nystromformer_batch.py [PAGE.html]
"""

import sys
import tempfile
from pathlib import Path

import torch
from transformers import NystromformerConfig, NystromformerModel

import erlangen
from erlangen.auditing.audit import Audit
from erlangen.auditing.inputs import generated


def find() -> Audit:
    """Audit a model with random weights and four landmarks for sixteen tokens."""
    torch.manual_seed(0)
    config = NystromformerConfig(
        vocab_size=50, hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=64, num_landmarks=4,
        segment_means_seq_len=16, max_position_embeddings=64,
    )  # fmt: skip
    texts = generated("texts", (16,), n=12, vocabulary=50)
    return erlangen.audit(NystromformerModel(config).eval(), texts, ["batch-composition"])


if __name__ == "__main__":
    audit = find()
    print(audit)
    print(audit.save(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(tempfile.mkdtemp()) / "nystromformer.html"))
