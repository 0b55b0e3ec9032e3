"""`erlangen list` and `erlangen show`: the experiments, the claims, and what came of them. Loads no torch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from erlangen.cli import facts, show_text
from erlangen.cli.outputs import Json, Outputs, as_json
from erlangen.cli.own_claims import own_claims, own_judges
from erlangen.cli.targets import ALL, TOPIC_NAMES, complete, discovered, load
from erlangen.cli.terminal import say
from erlangen.errors import ErlangenError

if TYPE_CHECKING:
    from erlangen.report.folder import Conclusion

Data = dict[str, Any]
Printer = Callable[[], None]


def list_experiments(json_file: Json = None) -> None:
    """List experiments, their claims and run times."""
    outputs = Outputs({"--json": json_file})
    listed = [facts.of_experiment(name, experiment) for name, experiment in discovered().items()]
    finish(outputs, {"experiments": listed}, lambda: show_text.print_experiments(listed))


def show(
    name: Annotated[
        str | None, typer.Argument(metavar="[CLAIM|EXPERIMENT|TOPIC]", help="Default: all claims.", autocompletion=complete)
    ] = None,
    keys: Annotated[bool, typer.Option("--keys", help="Explain the keys that --set changes.")] = False,
    runs: Annotated[Path, typer.Option(metavar="DIR", help="Directory of run folders, or one run folder.")] = Path("runs"),
    json_file: Json = None,
) -> None:
    """Show a claim or experiment and what came of it."""
    from erlangen.report.folder import fullest_conclusions

    outputs = Outputs({"--json": json_file})
    if keys and name is None:
        raise ErlangenError("--keys: name an experiment, as in `erlangen show padding --keys`")
    concluded, unreadable = fullest_conclusions(runs)
    claims = facts.known_claims(concluded)
    if name is None or name in TOPIC_NAMES:
        rows = [row for claim in claims if (row := facts.of_claim(claim, concluded))["topic"] == name or name in (None, ALL)]
        data, printer = {"claims": rows}, lambda: show_text.print_overview(rows)
    elif claim := next((known for known in (*claims, *own_claims()) if known.upper() == name.upper()), None):
        data, printer = of_claim(claim, concluded, runs)
    else:
        data, printer = of_experiment(name, concluded, keys)
    for line in unreadable:
        say(line)
    finish(outputs, data, printer)


def of_claim(claim: str, concluded: dict[str, Conclusion], runs: Path) -> tuple[Data, Printer]:
    """What there is to show of a claim, and what prints it."""
    own = {} if facts.judging(claim, concluded, {}) else {name: load(name) for name in own_judges(claim)}
    row, best = facts.of_claim(claim, concluded, own), concluded.get(claim)
    stands = best is not None and not best.is_beyond
    verdicts = [asdict(verdict) for verdict in best.verdicts] if best and stands else []
    others = [str(folder) for folder in best.others] if best else []
    return {**row, "verdicts": verdicts, "others": others}, lambda: show_text.print_claim_page(row, best, runs)


def of_experiment(name: str, concluded: dict[str, Conclusion], keys: bool) -> tuple[Data, Printer]:
    """What there is to show of an experiment, or with `keys` of its recipe, and what prints it."""
    from erlangen.cli.recipe_keys import recipe_keys

    experiment = load(name)
    row, documented = facts.of_experiment(name, experiment), recipe_keys(experiment.PRESETS)
    rows = [facts.of_claim(claim.id, concluded, {name: experiment}) for claim in experiment.CLAIMS]
    data = {**row, "claims": rows, "keys": [asdict(key) for key in documented]}
    if keys:
        return data, lambda: show_text.print_keys(name, documented)
    return data, lambda: show_text.print_experiment(row, rows)


def finish(outputs: Outputs, data: Data, printer: Printer) -> None:
    """Write the JSON that was asked for, and print it or the text."""
    from erlangen.records.files import SCHEMA, finite

    code = outputs.deliver({"--json": lambda: as_json(finite({"schema": SCHEMA, **data}))}, printer)
    raise SystemExit(code)
