"""The `erlangen` command. Results go to stdout; progress and errors go to stderr, an error as one line with its exit code."""

from __future__ import annotations

import errno
import os
import signal
import sys
import traceback
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, NoReturn, cast

import typer

from erlangen.cli import gpt as gpt_cli
from erlangen.cli.audit import audit
from erlangen.cli.compare import compare
from erlangen.cli.runs import report, run, verdicts
from erlangen.cli.show import list_experiments, show
from erlangen.cli.terminal import Stopped, abandon_stdout, report_error, say
from erlangen.cli.text import show_all_text
from erlangen.errors import INTERNAL, USAGE, ErlangenError

if TYPE_CHECKING:
    from pydantic import ValidationError

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("list")(list_experiments)
app.command()(show)
app.command()(run)
app.command()(verdicts)
app.command()(report)
app.command()(compare)
app.command()(audit)
app.add_typer(gpt_cli.app, name="gpt", help="Train, evaluate, sample and inspect a small GPT.")

# Typer may carry a copy of Click of its own: this is the class that it raises
UsageError = cast("type[typer.BadParameter]", typer.BadParameter.__mro__[1])


def print_version(asked: bool) -> None:
    if asked:
        from erlangen import __version__

        print(f"erlangen {__version__}")
        raise typer.Exit


@app.callback()
def erlangen(
    version: Annotated[
        bool, typer.Option("--version", callback=print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Measure which symmetries a neural network has.

    Audit a model of your own, test the claims about CNNs, Transformers and graph networks, or train a small GPT.
    """


def command() -> typer.core.TyperGroup:
    """The command that Typer makes of `app`, with a summary of ours where Typer's is longer than a line."""
    made = cast("typer.core.TyperGroup", typer.main.get_command(app))
    for parameter in made.params:
        if parameter.name == "show_completion":
            cast("typer.core.TyperOption", parameter).help = "Print completion for the current shell."
    return made


def invoke() -> int | None:
    """Parse and run. Not `app()`, which would end a closed pipe with exit code 1 before anyone here sees it."""
    made = command()
    if "_ERLANGEN_COMPLETE" in os.environ:  # a shell asks what may come next
        made.main(prog_name="erlangen")
    try:
        with made.make_context("erlangen", sys.argv[1:]) as context:
            return cast("int | None", made.invoke(context))
    except (SystemExit, typer.Exit) as done:
        return cast("int | None", done.code if isinstance(done, SystemExit) else done.exit_code)


def guarded(action: Callable[[], int | None]) -> int:
    """The exit code of what is done, or of the error that it raises, which is printed as one line."""
    try:
        return action() or 0
    except ErlangenError as error:
        return report_error(error)
    except UsageError as error:
        say(describe_usage(error))
        return USAGE
    except Stopped as stopped:
        return stopped.exit_code
    except BrokenPipeError:  # `erlangen … | head`
        abandon_stdout()
        return 0
    except Exception as error:
        if isinstance(error, OSError) and error.errno == errno.ENOSPC and error.filename is None:
            say("erlangen: cannot write to standard output: no space left on device")
            abandon_stdout()
            return USAGE
        traceback.print_exc()
        say(f"erlangen: internal error (please report it): {type(error).__name__}: {error}")
        return INTERNAL


def describe_usage(error: typer.BadParameter) -> str:
    """What was typed wrongly, and where to read more: `--threshold must be a number, not 'x'; see erlangen audit --help`."""
    message = error.format_message()
    if message.startswith("Usage:"):  # of a bare `erlangen`: the help itself
        return message
    if hasattr(error.__cause__, "errors") and error.param is not None:  # pydantic's, by which Typer checks values
        from erlangen.records.validation import describe_invalid

        message = f"{error.param.opts[0]} {describe_invalid(cast('ValidationError', error.__cause__))}"
    place = error.ctx.command_path if error.ctx is not None else "erlangen"
    return f"erlangen: {message.rstrip('.')}; see `{place} --help`"


def stop(signum: int, frame: object) -> NoReturn:
    raise Stopped(signum)


def main() -> NoReturn:
    """Run the command; turn every error into one line and its exit code."""
    signal.signal(signal.SIGINT, stop)
    signal.signal(signal.SIGTERM, stop)
    show_all_text()
    code = guarded(invoke)
    unprinted = guarded(sys.stdout.flush)  # here, where an error can still be reported: Python drops it when it exits
    sys.exit(code or unprinted)
