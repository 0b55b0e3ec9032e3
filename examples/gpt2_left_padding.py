"""GPT-2 behind left padding: without `position_ids` it takes each token for a later one, mask or no mask.

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


def main(page: str | None = None) -> Audit:
    torch.manual_seed(0)
    config = GPT2Config(
        vocab_size=100, n_positions=64, n_embd=64, n_layer=2, n_head=4, initializer_range=0.07, bos_token_id=0, eos_token_id=0
    )
    model = GPT2LMHeadModel(config).eval()  # random weights: the fault is in how positions are made up
    texts = generated("texts", (12,), n=24, vocabulary=100)
    found = erlangen.audit(model, texts, [LeftPadding(), LeftPadding(positions=True)], name="GPT-2, random weights")
    checks = {check.name: check for check in found.checks}
    print(f"mask alone:            {checks['left-padding'].judgment}: {checks['left-padding'].reason}")
    print(f"mask and position_ids: {checks['left-padding-positions'].judgment}: {checks['left-padding-positions'].reason}")
    print("page:", found.save(page or Path(tempfile.mkdtemp()) / "gpt2_left_padding.html"))
    return found


if __name__ == "__main__":
    main(*sys.argv[1:2])
