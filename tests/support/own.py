"""An experiment of a user's own, written to a folder: one job, one number, one verdict."""

from __future__ import annotations

from pathlib import Path

FILES = {
    "__init__.py": '''"""One number."""

from dataclasses import dataclass

from erlangen.experiments.kit.tasks import job
from erlangen.records.runs import Claim

from .tasks import Measure

TITLE = "One number"
QUESTION = "Is it two?"
MEMORY_MB = 300
CLAIMS = (Claim(id="N1", statement="The number is two.", how="By looking.", parts={"number": "the number"}),)


@dataclass(frozen=True, kw_only=True)
class Recipe:
    seeds: int = 1


PRESETS = {"quick": Recipe()}


def jobs(recipe):
    return [job(Measure(), seed=seed) for seed in range(recipe.seeds)]
''',
    "tasks.py": """from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Measure:
    pass
""",
    "run.py": """from erlangen.experiments.kit.tasks import perform
from erlangen.records.runs import Measurement

from .tasks import Measure


def run(job):
    return perform(job, {Measure: measure})


def measure(task, job):
    return [Measurement("number", 2.0)]
""",
    "judge.py": """from erlangen.experiments.kit.answers import answer
from erlangen.experiments.kit.compare import decide
from erlangen.experiments.kit.parts import Exact

from .tasks import Measure


def verdicts(recipe, evidence):
    numbers = [result.value("number") for result in evidence.of(Measure)]
    missing = tuple(job.label() for job in evidence.missing)
    part = Exact(
        claim="N1", part="number", of="report", statement="The number is two.",
        cases=len(numbers), count=sum(number != 2 for number in numbers), missing=missing,
    )
    return decide([part])


def answers(recipe, evidence, verdicts):
    return [answer("N1", verdicts, "It is two.")]
""",
    "figures.py": """def figures(recipe, evidence):
    return []
""",
}


def write_experiment(folder: Path, package: str, **changed: tuple[str, str]) -> Path:
    """Write the package, dotted names as folders in folders. changed: an old and a new text of a file (`run`, `init`, ...)."""
    home = folder.joinpath(*package.split("."))
    home.mkdir(parents=True)
    for above in home.relative_to(folder).parents:
        if above != Path():
            (folder / above / "__init__.py").touch()
    for file, text in FILES.items():
        old, new = changed.get(file.removesuffix(".py").strip("_"), ("", ""))
        assert old in text, f"{file}: {old}"
        (home / file).write_text(text.replace(old, new) if old else text)
    return home
