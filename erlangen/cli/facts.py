"""What is known of claims and experiments, as plain data for the terminal and for --json."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from erlangen.claims import catalog, topic_of
from erlangen.cli.targets import discovered, listed_claims, times, topic_of_experiment
from erlangen.experiments import Experiment
from erlangen.records.runs import Claim
from erlangen.report.documented import documented_answers
from erlangen.report.wording import answered

if TYPE_CHECKING:
    from erlangen.report.folder import Conclusion


def known_claims(concluded: Mapping[str, Conclusion]) -> list[str]:
    """The ids of all claims: listed ones first, then those of the runs of the user's own experiments."""
    return list(dict.fromkeys([*listed_claims(), *concluded]))


def of_experiment(name: str, experiment: Experiment) -> dict[str, Any]:
    """An experiment. seconds: preset -> expected seconds on this machine's cores."""
    return {
        "name": name,
        "topic": topic_of_experiment(experiment).name,
        "title": experiment.TITLE,
        "question": experiment.QUESTION,
        "terms": getattr(experiment, "TERMS", ""),
        "claims": [claim.id for claim in experiment.CLAIMS],
        "seconds": times(name, experiment),
        "precisions": list(getattr(experiment, "PRECISIONS", ("float32",))),
        "devices": list(getattr(experiment, "DEVICES", ("cpu",))),
    }


def of_claim(claim: str, concluded: Mapping[str, Conclusion], named: Mapping[str, Experiment] | None = None) -> dict[str, Any]:
    """A claim with the answer of its fullest run. how: experiment -> how that measures it; documented: docs/claims.md's answers.

    `named`: an experiment by its name, which may be the user's own, unknown to discovery.
    """
    entries = judging(claim, concluded, named or {})
    listed, fullest = catalog().get(claim), concluded.get(claim)
    best = None if fullest is None or fullest.is_beyond else fullest
    statements = [entry.statement for entry in ([listed] if listed else entries.values())]
    return {
        "id": claim,
        "topic": topic_of(claim).name,
        "statement": statements[0] if statements else "",
        "quotes": list(listed.quotes) if listed else [],
        "open": list(listed.open) if listed else [],
        "how": {name: entry.how for name, entry in entries.items()},
        "parts": {name: entry.parts for name, entry in entries.items()},
        "answer": best.outcome if best else None,
        "sentence": answered(best.answer) if best and best.answer else None,
        "folder": str(best.folder) if best else None,
        "preset": best.run.preset if best else None,
        "seeds": best.seeds if best else None,
        "changed": dict(best.run.changed) if best else {},
        "source": best.source() if best else None,
        "beyond": [str(folder) for folder in fullest.beyond] if fullest else [],
        "documented": [asdict(entry) for entry in documented_answers() if entry.claim == claim],
    }


def judging(claim: str, concluded: Mapping[str, Conclusion], named: Mapping[str, Experiment]) -> dict[str, Claim]:
    """The claim as each experiment states it that judges it: ours, those `named`, or else the one that a run recorded."""
    known = {**discovered(), **named}
    entries = {name: entry for name, experiment in known.items() for entry in experiment.CLAIMS if entry.id == claim}
    if not entries and claim in concluded and (recorded := concluded[claim].claim()):
        entries = {concluded[claim].run.experiment: recorded}
    return entries
