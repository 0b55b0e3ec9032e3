"""`erlangen gpt generate`. Parsing and printing only; torch is loaded when the command runs."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from erlangen.cli.gpt.decoding import MODES, TOGETHER, Work
from erlangen.cli.gpt.prompts import Prompt, read_prompts
from erlangen.cli.outputs import emit
from erlangen.cli.terminal import say
from erlangen.errors import ErlangenError

if TYPE_CHECKING:
    from torch import Tensor

    from erlangen.data.tokenizer import Tokenizer
    from erlangen.models.gpt import GPT


def generate(
    checkpoint: Annotated[Path, typer.Argument(metavar="CHECKPOINT", help="Folder of `gpt train`, or GPT-2 from Hugging Face.")],
    prompt: Annotated[
        list[str] | None,
        typer.Option(metavar="TEXT", help="Text to continue; repeatable. Default: new line."),
    ] = None,
    prompts: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            help="One prompt per line, JSON, or `published`.",
        ),
    ] = None,
    tokens: Annotated[int, typer.Option(min=1, help="New tokens per text.")] = 500,
    samples: Annotated[int, typer.Option("-n", "--samples", min=1, help="Texts per prompt.")] = 1,
    temperature: Annotated[float | None, typer.Option(help="Temperature; 0 is greedy. Default: 1.")] = None,
    top_k: Annotated[int | None, typer.Option(help="Keep only the k likeliest tokens.")] = None,
    top_p: Annotated[float | None, typer.Option(help="Keep the likeliest tokens up to this probability.")] = None,
    min_p: Annotated[float | None, typer.Option(help="Keep tokens this likely, relative to the top.")] = None,
    typical_p: Annotated[float | None, typer.Option(help="Keep the most typical tokens up to this mass.")] = None,
    min_tokens_to_keep: Annotated[int | None, typer.Option(help="Let each filter keep at least so many tokens.")] = None,
    repetition_penalty: Annotated[float | None, typer.Option(help="Above 1: make repeated tokens less likely.")] = None,
    no_repeat_ngram_size: Annotated[int | None, typer.Option(help="Never repeat this many tokens in a row.")] = None,
    seed: Annotated[int | None, typer.Option(help="Random seed. Default: 0.")] = None,
    stream: Annotated[
        bool | None,
        typer.Option("--stream/--no-stream", help="Print tokens as they are generated."),
    ] = None,
    fast: Annotated[
        str,
        typer.Option(metavar="|".join(MODES), help="auto: float32 on a CPU, bfloat16 on a GPU."),
    ] = "auto",
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N; auto prefers a GPU.")] = "auto",
    stop: Annotated[str | None, typer.Option(metavar="TEXT", help=r"Stop at this token, for instance '\n'.")] = None,
    target: Annotated[str | None, typer.Option("--json", metavar="FILE", help="Write texts as JSON; - prints them.")] = None,
) -> None:
    """Continue a prompt.

    Past the context length, rotary and ALiBi models slide the window; models with absolute positions drop half of it and re-read
    the rest. Options override settings in a file of prompts. bfloat16 and int8 round the weights.
    """
    from dataclasses import asdict

    from erlangen.cli.gpt.opened import opened
    from erlangen.cli.outputs import foresee_file
    from erlangen.generate.settings import Settings
    from erlangen.train.precision import check_device, resolve_device

    if fast not in MODES:
        raise ErlangenError(f"--fast {fast}: choose {', '.join(MODES)}")
    check_device(resolve_device(device), "float32")
    if target not in (None, "-"):
        foresee_file(Path(str(target)), [])
    named: dict[str, Any] = {
        "temperature": temperature, "top_k": top_k, "top_p": top_p, "min_p": min_p, "typical_p": typical_p,
        "min_tokens_to_keep": min_tokens_to_keep, "repetition_penalty": repetition_penalty,
        "no_repeat_ngram_size": no_repeat_ngram_size, "seed": seed,
    }  # fmt: skip
    named = {name: value for name, value in named.items() if value is not None}
    asked = [Prompt(text, {}) for text in prompt or ([] if prompts else [""])] + (read_prompts(prompts) if prompts else [])
    settings = [Settings(**cast("dict[str, Any]", {**each.settings, **named})) for each in asked]
    model, tokenizer, notes = opened(checkpoint)
    starts = [started(each.text, tokenizer, model, number if len(asked) > 1 else 0) for number, each in enumerate(asked, 1)]
    end = None if stop is None else stop_token(stop, tokenizer)
    for note in notes:
        say(f"note: {note}")
    live = target != "-" and samples == 1 and (stream if stream is not None else sys.stdout.isatty())
    if stream and not live:
        say("note: --stream is for one text per prompt on stdout: texts are printed when they are complete")
    place = chosen_device(device)
    model.to(place)
    mode = fast_mode(fast, place, model)
    work = Work(model, tokenizer, tokens, end, mode, live, samples * len(asked))
    texts: list[dict[str, Any]] = []
    for each, start, how in zip(asked, starts, settings, strict=True):
        for first in range(0, samples, TOGETHER):
            rows = range(first, min(first + TOGETHER, samples))
            if samples * len(asked) > 1 and live:
                print(heading(len(texts), samples, len(asked)), flush=True)
            found = work.done(each.text, start.to(place if work.mode == "off" else "cpu"), how, rows)
            for row, text in zip(rows, found, strict=True):
                if target != "-" and not live:
                    if samples * len(asked) > 1:
                        print(heading(len(texts), samples, len(asked)))
                    print(each.text + text, flush=True)
                texts.append({"prompt": each.text, "text": text, "sample": row, **asdict(how)})
    say(work.summary())
    emit({"checkpoint": str(checkpoint), "products": work.mode, "tokens": tokens, "stop": stop, "texts": texts}, target)


def chosen_device(device: str) -> str:
    """The device that --device names; one line says which it is where that is left to us."""
    from erlangen.train.precision import resolve_device

    place = resolve_device(device)
    if device == "auto":
        say(f"device: {place}")
    return place


def fast_mode(fast: str, device: str, model: GPT) -> str:
    """The mode of `decoding.Work` on a device. Raises ErlangenError for one that the device lacks."""
    import torch

    from erlangen.train.precision import has_bfloat16

    kind = device.split(":")[0]
    if kind == "cpu":
        return fast
    if fast == "int8" or (fast == "bfloat16" and not has_bfloat16(device)):
        raise ErlangenError(f"--fast {fast}: {device} has no such products: leave it out, or use --device cpu")
    if kind != "cuda":
        return "off"
    if fast == "auto" and model.embed.weight.dtype == torch.float32:
        return "bfloat16" if has_bfloat16(device) else "float32"
    return fast


def started(text: str, tokenizer: Tokenizer, model: GPT, number: int) -> Tensor:
    """The tokens of a prompt, or of a new line where it is empty. Raises ErlangenError that names unknown characters."""
    which = f"prompt {number}" if number else "--prompt"
    try:
        tokens = tokenizer.encode(text or "\n")
    except ErlangenError as error:
        if not text:
            raise ErlangenError(
                f"{which} is empty, and this tokenizer has no new line to start from: give at least one character"
            ) from None
        raise ErlangenError(f"{which}: {error}") from None
    if int(tokens.max()) >= model.config.vocabulary:
        raise ErlangenError(
            f"the tokenizer gives token {int(tokens.max())}, the model has {model.config.vocabulary}: they do not belong together"
        )
    if len(tokens) > model.config.block:
        say(f"note: {which} has {len(tokens)} tokens; the model reads the last {model.config.block} of them")
    return tokens


def stop_token(text: str, tokenizer: Tokenizer) -> int:
    r"""The one token of --stop. A backslash followed by n, as shells pass it on, means a new line."""
    try:
        found = tokenizer.encode(text.replace("\\n", "\n")).tolist()
    except ErlangenError as error:
        raise ErlangenError(f"--stop: {error}") from None
    if len(found) != 1:
        raise ErlangenError(f"--stop {text!r} is {len(found)} tokens: give a text that is a single token")
    return int(found[0])


def heading(before: int, samples: int, prompts: int) -> str:
    """`--- prompt 2 of 4, sample 1 of 3`"""
    parts = [f"prompt {before // samples + 1} of {prompts}"] if prompts > 1 else []
    return "--- " + ", ".join(parts + ([f"sample {before % samples + 1} of {samples}"] if samples > 1 else []))
