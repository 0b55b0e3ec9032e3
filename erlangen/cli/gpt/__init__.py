"""`erlangen gpt`: train, evaluate, sample and inspect a small GPT. Parsing and printing; no torch before a command runs."""

from __future__ import annotations

import typer

from erlangen.cli.gpt.evaluate import evaluate
from erlangen.cli.gpt.generate import generate
from erlangen.cli.gpt.look import look
from erlangen.cli.gpt.train import train

app = typer.Typer(
    help="Train, evaluate, sample and inspect a small GPT.",
    no_args_is_help=True,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command()(train)
app.command()(evaluate)
app.command()(generate)
app.command()(look)
