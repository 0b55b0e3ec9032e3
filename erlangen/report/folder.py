"""Reading a run folder, with one clear line where it is not one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from erlangen.errors import DamagedFileError, ErlangenError, OlderSchemaError
from erlangen.records.files import from_json, read_json
from erlangen.records.runs import Answer, Claim, Figures, Run, Verdict

Record = TypeVar("Record")


@dataclass(frozen=True, kw_only=True)
class Conclusion:
    """What a run says of one claim: its answer, None where the run gave none, and the verdicts behind it.

    others: the folders of smaller runs that concluded something, too; the newest first. beyond: those of runs that judged
    something else than the claim as stated, such as a graph of the user's.
    """

    folder: Path
    run: Run
    answer: Answer | None
    verdicts: tuple[Verdict, ...]
    others: tuple[Path, ...] = ()
    beyond: tuple[Path, ...] = ()

    @property
    def outcome(self) -> str:
        """The answer as one word; that the claim was not run where this run judged something else."""
        if self.is_beyond:
            return "not run"
        return "not measured" if self.answer is None else self.answer.answer

    @property
    def is_beyond(self) -> bool:
        """Whether the run judged something else than the claim as stated."""
        return self.answer is not None and bool(self.answer.beyond)

    @property
    def seeds(self) -> int | None:
        """The number of seeds of its recipe."""
        return seeds_of(self.run)

    def source(self) -> str:
        """'runs/padding-standard: standard preset, changed: fit=80, 10 seeds'"""
        return f"{self.folder}: {setting(self.run)}"

    def fullness(self) -> tuple[bool, bool, int, bool]:
        """What makes a run tell more of a claim: that it measured it, a preset as it is, its seeds, and the standard preset."""
        return self.outcome != "not measured", not self.run.changed, self.seeds or 0, self.run.preset == "standard"

    def claim(self) -> Claim | None:
        """The claim as the run recorded it."""
        return next((claim for claim in self.run.claims if claim.id == self.verdicts[0].claim), None)


def read(folder: Path, name: str) -> Any:
    """The JSON file `name` of a run folder. Raises ErlangenError where the folder, the file or its content is missing."""
    if not folder.is_dir():
        raise ErlangenError(f"{folder}: no such folder; `erlangen run NAME` writes runs/NAME-quick")
    path = folder / name
    if not path.exists():
        if not (folder / "run.json").exists():
            raise ErlangenError(f"{folder} is not a run folder: it has no run.json")
        command = read_run(folder).command if name != "run.json" else ""
        raise ErlangenError(f"{folder} has no {name}: its run is not finished; resume it with: {command}")
    if name == "run.json":
        return read_json(path)
    with naming_remedy(folder):
        return read_json(path)


@contextmanager
def naming_remedy(folder: Path) -> Iterator[None]:
    """Says of a damaged file that a run makes from its jobs how to make it again."""
    try:
        yield
    except OlderSchemaError:
        raise
    except DamagedFileError as error:
        raise DamagedFileError(f"{error}: run `{read_run(folder).command}` again; its jobs are kept") from None


def read_run(folder: Path) -> Run:
    return from_json(Run, read(folder, "run.json"), str(folder / "run.json"))


def read_verdicts(folder: Path) -> list[Verdict]:
    return read_list(folder, "verdicts.json", Verdict)


def read_answers(folder: Path) -> list[Answer]:
    return read_list(folder, "answers.json", Answer)


def read_figures(folder: Path) -> Figures:
    data = read(folder, "figures.json")
    with naming_remedy(folder):
        return from_json(Figures, data, str(folder / "figures.json"))


def read_list(folder: Path, name: str, kind: type[Record]) -> list[Record]:
    """A file that holds a list of records."""
    data = read(folder, name)
    with naming_remedy(folder):
        if not isinstance(data, list):
            raise DamagedFileError(f"{folder / name} does not hold a list")
        return [from_json(kind, entry, str(folder / name)) for entry in data]


def fullest_conclusions(runs: Path) -> tuple[dict[str, Conclusion], list[str]]:
    """For every claim the conclusion of the fullest run among the folders of `runs`, of equally full ones the newest.

    `runs` may be a run folder itself, whose conclusions these then are. A quick run after a standard one replaces nothing, a
    changed recipe no preset, and one that judged something else than the claim as stated stands only where nothing else does.
    Also returns why folders could not be read, a line each.
    """
    files = [runs / "verdicts.json"] if (runs / "run.json").exists() else sorted(runs.glob("*/verdicts.json"), key=age)
    concluded: dict[str, list[Conclusion]] = {}
    unreadable = []
    for file in files:
        try:
            for claim, conclusion in read_conclusions(file.parent).items():
                concluded.setdefault(claim, []).append(conclusion)
        except ErlangenError as error:
            unreadable.append(f"skipped: {error}")
    return {claim: fullest(conclusions) for claim, conclusions in concluded.items()}, unreadable


def age(file: Path) -> float:
    """What sorts the newest file first."""
    return -file.stat().st_mtime


def fullest(conclusions: Sequence[Conclusion]) -> Conclusion:
    """The fullest of several conclusions, the newest of which comes first; it names the folders of the others."""
    stated = [conclusion for conclusion in conclusions if not conclusion.is_beyond]
    best = max(stated or conclusions, key=Conclusion.fullness)
    return replace(
        best,
        others=tuple(other.folder for other in stated if other is not best),
        beyond=tuple(other.folder for other in conclusions if other.is_beyond),
    )


def seeds_of(run: Run) -> int | None:
    """The number of seeds of its recipe."""
    seeds = run.recipe.get("seeds")
    return seeds if isinstance(seeds, int) else None


def setting(run: Run) -> str:
    """'quick preset, changed: edge=−15, 5 seeds': how a run was set, in words."""
    texts = {key: ",".join(map(str, value)) if isinstance(value, list | tuple) else value for key, value in run.changed.items()}
    values = (f"{key}={text}" for key, text in texts.items())
    seeds = seeds_of(run)
    said = [f"{run.preset} preset", f"changed: {', '.join(values)}" if run.changed else ""]
    return ", ".join(filter(None, [*said, f"{seeds} seed{'s' * (seeds != 1)}" if seeds is not None else ""]))


def read_conclusions(folder: Path) -> dict[str, Conclusion]:
    """What a run says of each claim that it judged."""
    run, verdicts = read_run(folder), read_verdicts(folder)
    answers = {answer.claim: answer for answer in read_answers(folder)}
    return {
        claim: Conclusion(
            folder=folder,
            run=run,
            answer=answers.get(claim),
            verdicts=tuple(verdict for verdict in verdicts if verdict.claim == claim),
        )
        for claim in dict.fromkeys(verdict.claim for verdict in verdicts)
    }
