"""What `erlangen list` and `erlangen show` print."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from erlangen.claims import FOUNDATIONS, TOPICS
from erlangen.cli.text import paint, print_text
from erlangen.cli.verdict_text import COLORS, print_claim
from erlangen.report.citation import citation
from erlangen.report.wording import quoted

if TYPE_CHECKING:
    from erlangen.cli.recipe_keys import Key
    from erlangen.report.folder import Conclusion

Facts = Mapping[str, Any]
STATE = len("no experiment")  # the longest word for where a claim stands


def print_experiments(experiments: Sequence[Facts]) -> None:
    """The experiments by topic: what each asks, the claims it judges, how long it takes."""
    from erlangen.sweep.machine import cores

    width = max(len(entry["name"]) for entry in experiments)
    for topic in (*TOPICS, FOUNDATIONS):
        entries = [entry for entry in experiments if entry["topic"] == topic.name]
        print_heading(topic.title, entries)
        for entry in entries:
            print_text(entry["question"], label=[(f"  {entry['name']:<{width}}  ", "bold")])
            print_text(f"{', '.join(entry['claims'])}: {durations(entry)}", width + 4)
        if entries:
            print()
    print_text(f"Times are estimates for {cores()} idle cores. Run one with `erlangen run NAME`.")


def print_heading(title: str, entries: Sequence[object]) -> None:
    """The title, where anything stands below it."""
    if entries:
        print(paint(title, "bold"))


def durations(experiment: Facts) -> str:
    """'quick 52 s, standard 45 min'"""
    from erlangen.sweep.plan import duration

    return ", ".join(f"{preset} {duration(seconds)}" for preset, seconds in experiment["seconds"].items())


def print_overview(claims: Sequence[Facts]) -> None:
    """All claims by topic, each with where it stands."""
    for topic in (*TOPICS, FOUNDATIONS):
        entries = [claim for claim in claims if claim["topic"] == topic.name]
        print_heading(topic.title, entries)
        for claim in entries:
            print_row(claim)
        if entries:
            print()
    print_text("`erlangen show C5` shows one claim; `erlangen run C5` runs the experiment that judges it.")


def print_row(claim: Facts) -> None:
    """`C5  partly  Accuracy rises ...`"""
    state = claim["answer"] or ("not run" if claim["how"] else "no experiment")
    print_text(claim["statement"], label=[(f"  {claim['id']:<4}  ", "bold"), (f"{state:<{STATE}}  ", COLORS.get(state))])
    indent = 2 + 4 + 2 + STATE + 2
    if claim["sentence"]:
        print_text(f"Answer: {claim['sentence']}", indent)
    if claim["source"]:
        print_text(f"From {claim['source']}.", indent)
    elif claim["documented"]:
        print_text(f"Documented: {'; '.join(map(documented, claim['documented']))}.", indent)


def documented(entry: Facts) -> str:
    """'partly (padding, standard preset, 10 seeds, float32 on cpu, 2026-11-27)'"""
    return f"{entry['answer']} ({entry['experiment']}, {entry['settings']})"


def print_documented(claim: Facts) -> None:
    """What docs/claims.md says of a claim, an answer for each experiment that judged it."""
    for entry in claim["documented"]:
        print()
        print_text(f"Documented: {documented(entry)}. {entry['sentence']}")
    if claim["documented"]:
        print()
        print("docs/claims.md has the numbers.")


def print_claim_page(claim: Facts, best: Conclusion | None, runs: Path) -> None:
    """A claim: its statement, the report's words, how it is measured, the verdicts of the fullest run."""
    print_text(claim["statement"], label=[(f"{claim['id']}  ", "bold")])
    if claim["quotes"]:
        print()
        print_text(f"In the report: {quoted(claim['quotes'], claim['open'])}")
    for name, how in claim["how"].items():
        print()
        print_text(f"How {name} measures it: {how}")
    print()
    if not claim["how"]:
        print("No experiment judges this claim yet.")
    elif best is None or best.is_beyond:
        judging = f" {beyond(best)}" if best else ""
        print_text(f"No result in {runs}/ yet. Run it with `erlangen run {claim['id']}`.{judging}")
        print_documented(claim)
    else:
        print_text(" ".join(filter(None, [f"Result from {best.source()}.", beside(best), beyond(best)])))
        print()
        print_claim(claim["id"], best.answer, best.verdicts)
        if best.answer is not None:
            print()
            print_text(f"Cite as: {citation(best.run, best.answer)}")


def beside(best: Conclusion) -> str:
    """Which other runs there are, and why this one is shown."""
    if not best.others:
        return ""
    folders = ", ".join(map(str, best.others))
    return (
        "This is the run with the most seeds (the newest, if several have as many). A run with changed settings is shown only "
        f"where there is no other. For another: `erlangen verdicts DIR` ({folders})."
    )


def beyond(best: Conclusion) -> str:
    """Which runs judged something else than the claim as stated."""
    if not best.beyond:
        return ""
    folders = ", ".join(map(str, best.beyond))
    return f"Not counted, because they judge something else than the statement: {folders} (`erlangen verdicts DIR`)."


def print_experiment(experiment: Facts, claims: Sequence[Facts]) -> None:
    """An experiment: its question, its claims with the answers of their fullest runs, and how to run it."""
    from erlangen.sweep.machine import cores

    name = experiment["name"]
    print_text(experiment["title"], label=[(f"{name}  ", "bold")])
    print_text(experiment["question"])
    if experiment["terms"]:
        print_text(experiment["terms"])
    print()
    for claim in claims:
        print_row(claim)
    print()
    print_text(f"Presets, with times for {cores()} idle cores: {durations(experiment)}.")
    print_text(f"Precision: {', '.join(experiment['precisions'])}. Device: {', '.join(experiment['devices'])}.")
    print_text(f"Run it with `erlangen run {name}`. `erlangen show {name} --keys` explains what --set can change.")


def print_keys(name: str, keys: Sequence[Key]) -> None:
    """The keys of a recipe: type and bounds, what each is for, the presets' values."""
    from erlangen.cli.recipe_keys import in_text

    print_text(f"The recipe of {name}. Change a key with `erlangen run {name} --set KEY=VALUE`; write a list with commas.")
    for key in keys:
        values = {preset: in_text(value) for preset, value in key.values.items()}
        print()
        print_text(key.kind, 6, label=[(f"  {key.name}  ", "bold")])
        if key.explanation:
            print_text(key.explanation, 6)
        if len(set(values.values())) == 1:
            print_text(f"Default: {next(iter(values.values()))}", 6)
        else:
            print_text("Default: " + "; ".join(f"{value} ({preset})" for preset, value in values.items()), 6)
