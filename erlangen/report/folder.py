"""Reading a run folder, with one clear line where it is not one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from erlangen.errors import DamagedFileError, ErlangenError
from erlangen.records.files import from_json, read_json
from erlangen.records.runs import Answer, Claim, Figures, Run, Verdict

Record = TypeVar("Record")


@dataclass(frozen=True, kw_only=True)
class Conclusion:
    """What a run says of one claim: its answer, None where the run gave none, and the verdicts behind it.

    others: the folders of smaller runs that concluded something, too; the newest first.
    """

    folder: Path
    run: Run
    answer: Answer | None
    verdicts: tuple[Verdict, ...]
    others: tuple[Path, ...] = ()

    @property
    def outcome(self) -> str:
        """The answer as one word."""
        return "not measured" if self.answer is None else self.answer.answer

    @property
    def seeds(self) -> int | None:
        """The number of seeds of its recipe."""
        seeds = self.run.recipe.get("seeds")
        return seeds if isinstance(seeds, int) else None

    def source(self) -> str:
        """'runs/padding-standard: standard preset, 10 seeds'"""
        seeds = f", {self.seeds} seed{'s' * (self.seeds != 1)}" if self.seeds is not None else ""
        return f"{self.folder}: {self.run.preset} preset{seeds}"

    def fullness(self) -> tuple[bool, int, bool]:
        """What makes a run tell more of a claim than another: that it measured it, its seeds, and the standard preset."""
        return self.outcome != "not measured", self.seeds or 0, self.run.preset == "standard"

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
    return read_json(path)


def read_run(folder: Path) -> Run:
    return from_json(Run, read(folder, "run.json"), str(folder / "run.json"))


def read_verdicts(folder: Path) -> list[Verdict]:
    return read_list(folder, "verdicts.json", Verdict)


def read_answers(folder: Path) -> list[Answer]:
    return read_list(folder, "answers.json", Answer)


def read_figures(folder: Path) -> Figures:
    return from_json(Figures, read(folder, "figures.json"), str(folder / "figures.json"))


def read_list(folder: Path, name: str, kind: type[Record]) -> list[Record]:
    """A file that holds a list of records."""
    data = read(folder, name)
    if not isinstance(data, list):
        raise DamagedFileError(f"{folder / name} does not hold a list: run the experiment again")
    return [from_json(kind, entry, str(folder / name)) for entry in data]


def fullest_conclusions(runs: Path) -> tuple[dict[str, Conclusion], list[str]]:
    """For every claim the conclusion of the fullest run among the folders of `runs`, of equally full ones the newest.

    A quick run after a standard one replaces nothing. Also returns why folders could not be read, a line each.
    """
    files = sorted(runs.glob("*/verdicts.json"), key=lambda path: path.stat().st_mtime, reverse=True)
    concluded: dict[str, list[Conclusion]] = {}
    unreadable = []
    for file in files:
        try:
            for claim, conclusion in read_conclusions(file.parent).items():
                concluded.setdefault(claim, []).append(conclusion)
        except ErlangenError as error:
            unreadable.append(f"skipped: {error}")
    return {claim: fullest(conclusions) for claim, conclusions in concluded.items()}, unreadable


def fullest(conclusions: Sequence[Conclusion]) -> Conclusion:
    """The fullest of several conclusions, the newest of which comes first; it names the folders of the others."""
    best = max(conclusions, key=Conclusion.fullness)
    return replace(best, others=tuple(other.folder for other in conclusions if other is not best))


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
