"""What is asked of a run, and the plan that follows from it: recipe, device and folder of an experiment."""

from __future__ import annotations

import glob
import shlex
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast, get_args

from erlangen.errors import ErlangenError
from erlangen.experiments import load as load_experiment, module_name
from erlangen.experiments.kit.recipe import Settings, choose_recipe, parse_settings
from erlangen.experiments.user_code import user_code
from erlangen.records.runs import Precision
from erlangen.sweep.check_conclusions import check_claims
from erlangen.sweep.differences import changes, folder_name
from erlangen.sweep.executor import Executor
from erlangen.sweep.plan import Plan, prepare


@dataclass(frozen=True, kw_only=True)
class Request:
    """What is asked of a run beside its experiment: see `erlangen.sweep.run.run`."""

    preset: str = "quick"
    seeds: int | None = None
    settings: Settings | None = None
    out: str | Path | None = None
    workers: int | None = None
    precision: str = "float32"
    device: str = "cpu"
    timeout: float | None = None
    fresh: bool = False
    force: bool = False
    command: str = ""


def planned(name: str, request: Request, executor: Executor, say: Callable[[str], None]) -> Plan:
    """Choose recipe, device and folder of an experiment, and plan its jobs."""
    precision, device = request.precision, request.device
    if precision not in get_args(Precision):
        *others, last = get_args(Precision)
        raise ErlangenError(f"--precision {precision}: choose {', '.join(others)} or {last}")
    with user_code(module_name(name)):
        presets = load_experiment(name).PRESETS
        recipe = choose_recipe(presets, request.preset, request.settings, request.seeds)
        check_claims(name)
    if device == "auto":
        device = best_device_of(name, executor)
        say(f"device: {device}")
    plain = Path("runs") / folder_name(name, request.preset, {})
    own = Path("runs") / folder_name(name, request.preset, changes(presets[request.preset], recipe))
    folder = Path(request.out) if request.out else own
    return prepare(
        name, recipe, preset=request.preset, folder=folder, command=request.command or equivalent_command(name, request),
        workers=request.workers or executor.workers(device), precision=cast(Precision, precision), device=device,
        executor=executor, notify=say, fresh=request.fresh, force=request.force,
        beside=() if request.out or folder == plain else neighbors(folder, name),
    )  # fmt: skip


def neighbors(folder: Path, name: str) -> list[Path]:
    """The other default folders of an experiment: a changed recipe has some jobs in common with them, if not all."""
    return sorted(other for other in folder.parent.glob(f"{glob.escape(name)}-*") if other != folder)


def best_device_of(name: str, executor: Executor) -> str:
    """The best device of the executor that the jobs of an experiment can use."""
    best = executor.best_device()
    return best if best in getattr(load_experiment(name), "DEVICES", ("cpu",)) else "cpu"


def equivalent_command(name: str, request: Request) -> str:
    """The command that does the same as a call from Python, for the record of the run."""
    options: list[Any] = ["--preset", request.preset]
    options += ["--seeds", request.seeds] if request.seeds is not None else []
    for key, value in parse_settings(request.settings or []).items():
        options += ["--set", f"{key}={value}"]
    options += ["--out", request.out] if request.out else []
    return shlex.join(["erlangen", "run", name, *map(str, options)])
