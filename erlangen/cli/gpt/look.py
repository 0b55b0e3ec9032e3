"""`erlangen gpt look`. Parsing and printing only; torch is loaded when the command runs."""

from __future__ import annotations

import json
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from erlangen.cli.terminal import say
from erlangen.errors import ErlangenError

if TYPE_CHECKING:
    from erlangen.data.tokenizer import Tokenizer
    from erlangen.models.gpt import GPT
    from erlangen.records.inspection import HeadSummary, Look

ROWS = 48  # of a printed table at most
MEASURES = ("entropy", "distance", "first", "previous", "itself", "induction")


def look(
    checkpoint: Annotated[Path, typer.Argument(metavar="CHECKPOINT", help="Folder of `gpt train`, or GPT-2 from Hugging Face.")],
    prompt: Annotated[str, typer.Option(metavar="TEXT", help="Text for the model to read.")],
    page: Annotated[
        Path | None, typer.Option("--html", metavar="FILE", help="Write a page with predictions and attention maps.")
    ] = None,
    target: Annotated[
        str | None, typer.Option("--json", metavar="FILE", help="Write all numbers as JSON; - prints them.")
    ] = None,
    top: Annotated[int, typer.Option(min=1, max=50, help="Show this many of the likeliest tokens.")] = 5,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N; auto prefers a GPU.")] = "auto",
) -> None:
    """Show what layers predict and where heads attend."""
    from dataclasses import replace

    from erlangen.cli.gpt.opened import opened
    from erlangen.cli.outputs import foresee_file
    from erlangen.records.files import to_json, write_atomically
    from erlangen.train.precision import check_device, resolve_device

    files = [path for path in (page, Path(target) if target not in (None, "-") else None) if path is not None]
    for path in files:
        foresee_file(path, files)
    place = resolve_device(device)
    check_device(place, "float32")
    model, tokenizer, notes = opened(checkpoint)
    for note in notes:
        say(f"note: {note}")
    if device == "auto":
        say(f"device: {place}")
    record = replace(
        looked(model.to(place), tokenizer, prompt, top),
        model=f"{checkpoint.resolve().name}, {model.parameter_count() / 1e6:.2f} M parameters",
        source=str(checkpoint),
        notes=notes,
        command=shlex.join(["erlangen", *sys.argv[1:]]),
    )
    as_json = "" if target is None else json.dumps(to_json(record), ensure_ascii=True)  # one line: it holds 10⁵ numbers and more
    print(as_json if target == "-" else text(record, top), flush=True)
    if target not in (None, "-"):
        write_atomically(Path(str(target)), as_json + "\n")
    if page is not None:
        from erlangen.report.look_page import look_html

        write_atomically(page, look_html(record))
        if target != "-":
            print(f"\nPage: {page}")


def looked(model: GPT, tokenizer: Tokenizer, prompt: str, top: int) -> Look:
    """The record, with texts. Raises ErlangenError for a prompt that is empty or too long, and where no numbers come out."""
    import math
    from dataclasses import replace

    from erlangen.measure.lens import look
    from erlangen.sweep.machine import machine, versions

    tokens, block = tokenizer.encode(prompt), model.config.block
    if not len(tokens):
        raise ErlangenError("--prompt is empty: give the model something to read")
    if len(tokens) > block:
        raise ErlangenError(f"--prompt has {len(tokens)} tokens, but this model reads at most {block}: shorten it")
    if int(tokens.max()) >= model.config.vocabulary:
        raise ErlangenError(
            f"the tokenizer gives token {int(tokens.max())}, the model has {model.config.vocabulary}: they do not belong together"
        )
    record = look(model, tokens.to(model.embed.weight.device), top)
    if not all(math.isfinite(entry.entropy) for entry in record.lens[-1]):
        raise ErlangenError("this model's predictions are not finite numbers: its training diverged; use an earlier checkpoint")
    texts = {k: tokenizer.decode([k]) if k < tokenizer.size else f"<{k}>" for k in sorted(record.mentioned())}
    return replace(record, texts=texts, versions=versions(), machine=machine())


def text(record: Look, top: int) -> str:
    """The next-token table and the summary of heads."""
    parts = [next_tokens(record, top)]
    loss = record.model_loss()
    if loss is not None:
        known = [entry for entry in record.lens[-1] if entry.rank is not None]
        right = sum(entry.rank == 1 for entry in known)
        parts.append(f"{loss:.3f} nats per token over {len(known)} tokens; the likeliest token came next {right} times")
        parts.append(heads(record))
    return "\n\n".join(parts)


def next_tokens(record: Look, top: int) -> str:
    """One line per token: the token read, the next one with its probability, rank and surprisal, and the likeliest tokens."""
    from erlangen.report.look_page import visible

    shown = {token: visible(name) for token, name in record.texts.items()}
    first = max(len(record.tokens) - ROWS, 0)
    rows: list[tuple[str, ...]] = [("at", "read", "next", "p", "rank", "nats", "predicted")]
    for place, entry in list(enumerate(record.lens[-1]))[first:]:
        expected = "  ".join(f"{shown[k]} {p:.3f}" for k, p in zip(entry.top[:top], entry.probabilities, strict=False))
        came: tuple[str, ...] = ("–",) * 4
        if entry.next is not None:
            came = (shown[entry.next], f"{entry.probability:.3f}", str(entry.rank), f"{entry.surprisal:.2f}")
        rows.append((str(place + 1), shown[record.tokens[place]], *came, expected))
    skipped = f"\n(the {first} tokens before these are in --json)" if first else ""
    return table(rows, right=(0, 3, 4, 5)) + skipped


def heads(record: Look) -> str:
    """One line per head, and what even attention would give; of many heads, those that differ most from it."""
    chosen = sorted(sorted(record.heads, key=lambda head: -preference(head, record.even))[:ROWS], key=lambda h: (h.layer, h.head))
    rows: list[tuple[str, ...]] = [("head", *MEASURES)]
    for name, head in [*((f"{h.layer + 1}.{h.head + 1}", h) for h in chosen), ("even", record.even)]:
        values = (getattr(head, measure) for measure in MEASURES)
        rows.append((name, *("–" if value is None else f"{value:.3f}" for value in values)))
    most = (
        f"\n(the {len(chosen)} least even of {len(record.heads)} heads; all are in --json)"
        if len(chosen) < len(record.heads)
        else ""
    )
    return table(rows, right=range(1, len(rows[0]))) + most


def preference(head: HeadSummary, even: HeadSummary) -> float:
    """How far the head's largest share exceeds that of even attention."""
    shares = (
        (getattr(head, name) or 0.0) - (getattr(even, name) or 0.0) for name in ("first", "previous", "itself", "induction")
    )
    return max(shares)


def table(rows: list[tuple[str, ...]], right: range | tuple[int, ...]) -> str:
    """Columns two spaces apart; those in `right` are aligned to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = (
        "  ".join(
            cell.rjust(width) if k in right else cell.ljust(width)
            for k, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
    )
    return "\n".join(line.rstrip() for line in lines)
