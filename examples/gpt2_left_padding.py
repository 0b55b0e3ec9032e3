"""GPT-2 from Hugging Face with padding on the left: without `position_ids` its output changes by more than its spread.

The mask hides the padding, but positions are counted from the beginning of the row, so every real token gets a later position.

    python examples/gpt2_left_padding.py [PAGE.html]
"""

import sys
import tempfile
from pathlib import Path

import torch
from transformers import GPT2Config, GPT2LMHeadModel

import erlangen
from erlangen.auditing.audit import Audit
from erlangen.auditing.inputs import generated
from erlangen.symmetries.left_padding import LeftPadding


def find() -> Audit:
    """Audit both ways to call it: with a mask only, and with positions that are counted from the first real token."""
    torch.manual_seed(0)
    config = GPT2Config(n_layer=2, n_head=2, n_embd=32, vocab_size=50, n_positions=64, bos_token_id=0, eos_token_id=0)
    texts = generated("texts", (16,), n=12, vocabulary=50)
    return erlangen.audit(GPT2LMHeadModel(config).eval(), texts, ["left-padding", LeftPadding(positions=True), "causality"])


if __name__ == "__main__":
    audit = find()
    print(audit)
    print(audit.save(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(tempfile.mkdtemp()) / "gpt2.html"))
