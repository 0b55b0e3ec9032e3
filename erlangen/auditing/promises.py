"""What a model was not made for, as far as it tells: failing such a check by default would be no fault of it."""

from __future__ import annotations

from torch import nn

DECODERS = ("CausalLM", "LMHead")  # in the class names of Hugging Face's decoders
OF_DECODERS = ("causality", "left-padding")


def unpromised(module: nn.Module | None) -> tuple[str, ...]:
    """Names of the checks that only a decoder promises, for an encoder of Hugging Face's; () if nothing says which it is.

    Their attention layers say it by `is_causal`; models without it are decoders if they are called so.
    """
    if module is None or getattr(module, "config", None) is None:
        return ()
    said = {flag for part in module.modules() if isinstance(flag := getattr(part, "is_causal", None), bool)}
    decodes = True in said if said else any(word in type(module).__name__ for word in DECODERS)
    return () if decodes or not hasattr(module.config, "model_type") else OF_DECODERS
