"""Reading a run folder, with one clear line where it is not one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from erlangen.errors import DamagedFileError, ErlangenError
from erlangen.records.files import from_json, read_json
from erlangen.records.runs import Answer, Figures, Run, Verdict


def read(folder: Path, name: str) -> Any:
    """The JSON file `name` of a run folder. Raises ErlangenError where the folder, the file or its content is missing."""
    if not folder.is_dir():
        raise ErlangenError(f"{folder}: no such folder; `erlangen run NAME` writes runs/NAME-quick")
    path = folder / name
    if not path.exists():
        if not (folder / "run.json").exists():
            raise ErlangenError(f"{folder} is no run folder: it holds no run.json")
        command = read_run(folder).command if name != "run.json" else ""
        raise ErlangenError(f"{folder} holds no {name}: its run is not finished; go on with: {command}")
    return read_json(path)


def read_run(folder: Path) -> Run:
    return from_json(Run, read(folder, "run.json"), str(folder / "run.json"))


def read_verdicts(folder: Path) -> list[Verdict]:
    data = read(folder, "verdicts.json")
    if not isinstance(data, list):
        raise DamagedFileError(f"{folder / 'verdicts.json'}: does not hold a list")
    return [from_json(Verdict, entry, str(folder / "verdicts.json")) for entry in data]


def read_answers(folder: Path) -> list[Answer]:
    data = read(folder, "answers.json")
    if not isinstance(data, list):
        raise DamagedFileError(f"{folder / 'answers.json'}: does not hold a list")
    return [from_json(Answer, entry, str(folder / "answers.json")) for entry in data]


def read_figures(folder: Path) -> Figures:
    return from_json(Figures, read(folder, "figures.json"), str(folder / "figures.json"))


def latest_verdicts(runs: Path, claim: str) -> tuple[Path | None, list[Verdict]]:
    """The newest folder below `runs` that judged a claim, with its verdicts; (None, []) where none did."""
    files = sorted(runs.glob("*/verdicts.json"), key=lambda path: path.stat().st_mtime, reverse=True)
    for file in files:
        verdicts = [verdict for verdict in read_verdicts(file.parent) if verdict.claim == claim]
        if verdicts:
            return file.parent, verdicts
    return None, []
