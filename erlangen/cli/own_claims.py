"""The claims of the user's own experiments: those of the packages in the working directory, read without running them."""

from __future__ import annotations

import ast
from pathlib import Path

PARTS = ("__init__.py", "run.py", "judge.py")  # by which a package is known as an experiment


def own_experiments() -> dict[str, list[str]]:
    """Package -> the ids of its claims, for every experiment in the working directory.

    The ids are those that its `__init__.py` writes down as `Claim(id="...")`: nothing is imported, so that a name that is typed
    runs no code but that of the experiment it stands for.
    """
    try:
        homes = sorted(path for path in Path().iterdir() if path.name.isidentifier())
    except OSError:  # a directory that has been removed, or may not be read
        return {}
    return {home.name: claim_ids(home / PARTS[0]) for home in homes if all((home / part).is_file() for part in PARTS)}


def own_judges(claim: str) -> list[str]:
    """The experiments in the working directory that judge a claim; upper and lower case are the same."""
    return [name for name, claims in own_experiments().items() if claim.upper() in (known.upper() for known in claims)]


def own_claims() -> list[str]:
    """The ids of all claims of experiments in the working directory."""
    return list(dict.fromkeys(claim for claims in own_experiments().values() for claim in claims))


def claim_ids(file: Path) -> list[str]:
    """The ids in calls of `Claim`; none of a file that is not Python."""
    try:
        tree = ast.parse(file.read_bytes(), str(file))
    except (SyntaxError, ValueError, OSError):
        return []
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[-1] == "Claim"]
    values = [keyword.value for call in calls for keyword in call.keywords if keyword.arg == "id"]
    return [value.value for value in values if isinstance(value, ast.Constant) and isinstance(value.value, str)]
