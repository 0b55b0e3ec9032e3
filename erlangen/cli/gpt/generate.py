"""`erlangen gpt generate`. Parsing and printing only; torch is loaded when the command runs."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from erlangen.cli.gpt.decoding import MODES, TOGETHER, Work
from erlangen.cli.gpt.prompts import Prompt, read_prompts
from erlangen.cli.terminal import emit, say
from erlangen.errors import ErlangenError

if TYPE_CHECKING:
    from torch import Tensor

    from erlangen.data.tokenizer import Tokenizer
    from erlangen.models.gpt import GPT


def generate(
    checkpoint: Annotated[
        Path, typer.Argument(metavar="CHECKPOINT", help="What `erlangen gpt train` wrote, or GPT-2 as Hugging Face keeps it.")
    ],
    prompt: Annotated[
        list[str] | None,
        typer.Option(metavar="TEXT", help="A text to go on from; may be repeated. None or empty: from a new line."),
    ] = None,
    prompts: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            help="One a line, or JSON [{prompt, temperature, top_p, ...}]; `published`: four, with their settings.",
        ),
    ] = None,
    tokens: Annotated[int, typer.Option(min=1, help="New tokens of each text.")] = 500,
    samples: Annotated[int, typer.Option("-n", "--samples", min=1, help="Texts for each prompt.")] = 1,
    temperature: Annotated[float | None, typer.Option(help="0: always the likeliest token. Default 1.")] = None,
    top_k: Annotated[int | None, typer.Option(help="Only the k likeliest.")] = None,
    top_p: Annotated[float | None, typer.Option(help="Only the likeliest up to this probability.")] = None,
    min_p: Annotated[float | None, typer.Option(help="Only those this share as likely as the likeliest.")] = None,
    repetition_penalty: Annotated[float | None, typer.Option(help="Above 1: what was there gets less likely.")] = None,
    seed: Annotated[int | None, typer.Option(help="The same texts again, however many are made. Default 0.")] = None,
    stream: Annotated[
        bool | None,
        typer.Option("--stream/--no-stream", help="Print tokens as they come; default where one text goes to a terminal."),
    ] = None,
    fast: Annotated[
        str,
        typer.Option(
            metavar="|".join(MODES), help="auto: the model's numbers, faster; bfloat16, int8: rounded weights, faster still."
        ),
    ] = "auto",
    stop: Annotated[str | None, typer.Option(metavar="TEXT", help=r"A token that ends a text, as '\n'.")] = None,
    target: Annotated[str | None, typer.Option("--json", metavar="FILE", help="Texts as JSON to a file; `-`: to stdout.")] = None,
) -> None:
    """Go on from a prompt. Beyond the model's block rotary and ALiBi positions slide; absolute ones read half a block anew.

    Options win over settings in a file. Up to the block each token is read once, and the numbers are those of reading all anew.
    """
    from dataclasses import asdict

    from erlangen.cli.gpt.opened import opened
    from erlangen.cli.terminal import foresee_file
    from erlangen.generate.filters import Settings

    if fast not in MODES:
        raise ErlangenError(f"--fast {fast}: choose {', '.join(MODES)}")
    if target not in (None, "-"):
        foresee_file(Path(str(target)), [])
    named: dict[str, Any] = {
        "temperature": temperature, "top_k": top_k, "top_p": top_p, "min_p": min_p,
        "repetition_penalty": repetition_penalty, "seed": seed,
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
        say("note: --stream is for one text a prompt on stdout: texts are printed when they are done")
    work = Work(model, tokenizer, tokens, end, fast, live, samples * len(asked))
    texts: list[dict[str, Any]] = []
    for each, start, how in zip(asked, starts, settings, strict=True):
        for first in range(0, samples, TOGETHER):
            rows = range(first, min(first + TOGETHER, samples))
            if samples * len(asked) > 1 and live:
                print(heading(len(texts), samples, len(asked)), flush=True)
            found = work.done(each.text, start, how, rows)
            for row, text in zip(rows, found, strict=True):
                if target != "-" and not live:
                    if samples * len(asked) > 1:
                        print(heading(len(texts), samples, len(asked)))
                    print(each.text + text, flush=True)
                texts.append({"prompt": each.text, "text": text, "sample": row, **asdict(how)})
    say(work.summary())
    emit({"checkpoint": str(checkpoint), "products": work.mode, "tokens": tokens, "stop": stop, "texts": texts}, target)


def started(text: str, tokenizer: Tokenizer, model: GPT, number: int) -> Tensor:
    """The tokens of a prompt; those of a new line where it is empty. Raises ErlangenError naming characters that are unknown."""
    which = f"prompt {number}" if number else "--prompt"
    try:
        tokens = tokenizer.encode(text or "\n")
    except ErlangenError as error:
        if not text:
            raise ErlangenError(f"{which} is empty, and this tokenizer has no new line to begin with: give a character") from None
        raise ErlangenError(f"{which}: {error}") from None
    if int(tokens.max()) >= model.config.vocabulary:
        raise ErlangenError(
            f"the tokenizer gives token {int(tokens.max())}, the model has {model.config.vocabulary}: they do not belong together"
        )
    if len(tokens) > model.config.block:
        say(f"note: {which} has {len(tokens)} tokens, the model reads the last {model.config.block} of them")
    return tokens


def stop_token(text: str, tokenizer: Tokenizer) -> int:
    r"""The one token of --stop. A backslash and an n, as shells pass it on, are a new line."""
    try:
        found = tokenizer.encode(text.replace("\\n", "\n")).tolist()
    except ErlangenError as error:
        raise ErlangenError(f"--stop: {error}") from None
    if len(found) != 1:
        raise ErlangenError(f"--stop {text!r} is {len(found)} tokens: name one that is a single token")
    return int(found[0])


def heading(before: int, samples: int, prompts: int) -> str:
    """`--- prompt 2 of 4, sample 1 of 3`"""
    parts = [f"prompt {before // samples + 1} of {prompts}"] if prompts > 1 else []
    return "--- " + ", ".join(parts + ([f"sample {before % samples + 1} of {samples}"] if samples > 1 else []))
