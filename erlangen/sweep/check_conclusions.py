"""What a judge and its figures return, checked before it is written, so that a slip is blamed on the code that made it.

Of an experiment of the user's, the error names their file and the line of the function; of ours, it is an internal error.
"""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from pathlib import Path
from typing import Any, NoReturn, TypeVar

from erlangen.errors import DamagedFileError, UserCodeError
from erlangen.experiments import is_ours, load
from erlangen.experiments.kit.evidence import Evidence
from erlangen.experiments.user_code import shown
from erlangen.records.files import from_json, to_json
from erlangen.records.runs import Answer, Claim, Figure, Verdict
from erlangen.sweep.plan import Plan

Record = TypeVar("Record", Verdict, Answer, Figure)


def check_claims(name: str) -> None:
    """Raises ValueError where a claim of an experiment has fields of a wrong type, or the id of another one."""
    claims = list(load(name).CLAIMS)
    for claim in claims:
        if not isinstance(claim, Claim):
            raise ValueError(f"CLAIMS has a {type(claim).__name__} where a Claim belongs")
        try:
            from_json(Claim, to_json(claim), f"claim {claim.id}")
        except DamagedFileError as error:
            raise ValueError(str(error)) from None
    if twice := [claim for claim, count in Counter(claim.id for claim in claims).items() if count > 1]:
        raise ValueError(f"two claims are called {twice[0]}")


def check_verdicts(function: Callable[..., Iterable[Verdict]], plan: Plan, evidence: Evidence) -> list[Verdict]:
    """What `verdicts` returns: each part of a claim once, and no claim that the experiment does not have."""
    verdicts = checked(function, plan, function(plan.recipe, evidence), Verdict)
    for verdict in verdicts:
        known(function, plan, "claim", verdict.claim, claims_of(plan))
    unique(function, plan, "parts", [f"{verdict.claim} {verdict.part}" for verdict in verdicts])
    return verdicts


def check_figures(function: Callable[..., Iterable[Figure]], plan: Plan, evidence: Evidence) -> tuple[Figure, ...]:
    """What `figures` returns: names of their own, and rows with as many entries as there are columns."""
    figures = checked(function, plan, function(plan.recipe, evidence), Figure)
    unique(function, plan, "figures", [figure.name for figure in figures])
    for figure in figures:
        for row in figure.rows:
            if len(row) != len(figure.columns):
                blame(function, plan, f"figure {figure.name}: a row has {len(row)} entries for {len(figure.columns)} columns")
    return tuple(figures)


def check_answers(
    function: Callable[..., Iterable[Answer]],
    plan: Plan,
    evidence: Evidence,
    verdicts: Sequence[Verdict],
    figures: Sequence[Figure],
) -> list[Answer]:
    """What `answers` returns: each claim once. The figure that an answer names must exist, unless numbers are lacking."""
    answers = checked(function, plan, function(plan.recipe, evidence, verdicts), Answer)
    unique(function, plan, "answers", [answer.claim for answer in answers])
    for answer in answers:
        known(function, plan, "claim", answer.claim, claims_of(plan))
        if answer.figure and not is_ours(plan.name) and complete(evidence):
            known(function, plan, "figure", answer.figure, [figure.name for figure in figures])
    return answers


def checked(function: Callable[..., Any], plan: Plan, returned: Iterable[object], kind: type[Record]) -> list[Record]:
    """The records, each with fields of the right types: what is written must be readable."""
    records = []
    for record in returned:
        if not isinstance(record, kind):
            blame(function, plan, f"{function.__name__} returns a {type(record).__name__} where a {kind.__name__} belongs")
        try:
            from_json(kind, to_json(record), f"a {kind.__name__} that {function.__name__} returns")
        except (DamagedFileError, TypeError, ValueError) as error:
            blame(function, plan, str(error))
        records.append(record)
    return records


def complete(evidence: Evidence) -> bool:
    """Whether every job gave a result, and every number is finite."""
    numbers = [one.value for result in evidence.results for one in result.measurements]
    return not evidence.missing and not any(None in value if isinstance(value, tuple) else value is None for value in numbers)


def claims_of(plan: Plan) -> list[str]:
    return [claim.id for claim in load(plan.name).CLAIMS]


def unique(function: Callable[..., Any], plan: Plan, what: str, names: Sequence[str]) -> None:
    """Each name once."""
    if twice := [name for name, count in Counter(names).items() if count > 1]:
        blame(function, plan, f"two {what} are called {twice[0]}")


def known(function: Callable[..., Any], plan: Plan, what: str, name: str, names: Collection[str]) -> None:
    """The name is one of those that exist."""
    if name not in names:
        close = difflib.get_close_matches(name, names, n=1)
        hint = f"did you mean {close[0]!r}?" if close else f"there are {', '.join(names) or 'none'}"
        blame(function, plan, f"{function.__name__} names the {what} {name!r}, which does not exist; {hint}")


def blame(function: Callable[..., Any], plan: Plan, text: str) -> NoReturn:
    """Raise ValueError in an experiment of ours, UserCodeError with the place of the function in one of the user's."""
    code = getattr(function, "__code__", None)
    if is_ours(plan.name) or code is None:
        raise ValueError(text)
    raise UserCodeError(f"{shown(Path(code.co_filename))}, line {code.co_firstlineno}: ValueError: {text}")
