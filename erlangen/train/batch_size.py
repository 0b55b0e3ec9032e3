"""How many tokens a training step takes where the user does not say.

    CPU: 4096.   GPU: the largest power of two up to 32768 with   20 N + tokens · (80 layers · width + 12 V) <= 0.6 · free bytes

N parameters take 16 bytes each with gradient and moments, and 4 for copies of them; a token takes about 80 bytes per layer and
feature for its activations and 12 per token of the vocabulary for its logits, in bfloat16 as in float32, where less is copied.
4096 tokens leave a GPU idle between launches; beyond 32768 a step is not faster per token, and a training has fewer of them.
"""

from __future__ import annotations

import torch

from erlangen.models.gpt import GPT, GPTConfig

ON_CPU, ON_GPU = 4096, 32768  # tokens
SHARE = 0.6  # of the free memory


def tokens_a_step(config: GPTConfig, device: str) -> int:
    """Tokens that a process takes per step by default, on its device."""
    if not device.startswith("cuda"):
        return ON_CPU
    free, _ = torch.cuda.mem_get_info(torch.device(device))
    with torch.device("meta"):
        parameters = GPT(config).parameter_count()
    return tokens_that_fit(config, parameters, int(SHARE * free))


def tokens_that_fit(config: GPTConfig, parameters: int, size: int) -> int:
    """The largest power of two of tokens, from one window up to 32768, that a step can take in `size` bytes."""
    per_token = 80 * config.layers * config.width + 12 * config.vocabulary
    tokens = ON_GPU
    while tokens > config.block and 20 * parameters + tokens * per_token > size:
        tokens //= 2
    return tokens
