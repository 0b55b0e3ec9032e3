"""What users import: names that load when they are asked for, in Python as type checkers see them."""

from __future__ import annotations

import ast
import importlib
import importlib.util
import inspect
import os
import subprocess
import sys
import textwrap
import venv
from pathlib import Path

import pytest

import erlangen
from erlangen._lazy import public_names

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "erlangen"
NAMESPACES = {".".join(path.parent.relative_to(ROOT).parts): path for path in PACKAGE.rglob("__init__.py") if public_names(path)}
NAMES = [(package, name) for package, path in NAMESPACES.items() for name in public_names(path)]


def python(code: str, *options: str, cwd: Path = ROOT) -> str:
    """What a Python of its own prints."""
    command = [sys.executable, *options, "-c", textwrap.dedent(code)]
    out = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=120)
    assert out.returncode == 0, out.stderr
    return out.stdout


def test_the_packages_that_people_import_from_are_namespaces() -> None:
    parts = (
        "auditing",
        "data",
        "generate",
        "measure",
        "models",
        "nn",
        "nn.graph",
        "records",
        "statistics",
        "symmetries",
        "train",
    )
    assert {"erlangen", *(f"erlangen.{part}" for part in parts)} <= set(NAMESPACES)


@pytest.mark.parametrize(("package", "name"), NAMES, ids=[f"{package}.{name}" for package, name in NAMES])
def test_every_public_name_is_what_its_module_has(package: str, name: str) -> None:
    home, original = public_names(NAMESPACES[package])[name]
    found = getattr(importlib.import_module(package), name)
    if home == package:
        assert found is importlib.import_module(f"{package}.{name}")
    else:
        assert found is getattr(importlib.import_module(home), original)
        assert found.__doc__ or not (inspect.isclass(found) or inspect.isfunction(found))


@pytest.mark.parametrize("package", NAMESPACES)
def test_names_are_listed_and_others_are_missing(package: str) -> None:
    module = importlib.import_module(package)
    assert set(public_names(NAMESPACES[package])) == set(dir(module)) == set(module.__all__)
    with pytest.raises(AttributeError, match=f"module '{package}' has no attribute 'GCNCov'"):
        _ = module.GCNCov


def test_a_name_stays_itself_when_its_module_of_the_same_name_is_imported() -> None:
    """Python sets `erlangen.data.tales`, the module, as an attribute of the package; users want the function."""
    pairs = [(package, name) for package, name in NAMES if (NAMESPACES[package].parent / f"{name}.py").exists()]
    same = [(package, name) for package, name in pairs if public_names(NAMESPACES[package])[name][0] != package]
    assert ("erlangen.nn.graph", "aggregate") in same
    code = "".join(
        f"import {package}.{name}\nfrom {package} import {name}\nassert not hasattr({name}, '__path__')\n"
        f"assert callable({name}), {name}\nassert callable({package}.{name})\n"
        for package, name in same
    )
    python(code)


def test_functions_of_that_name_come_from_that_module() -> None:
    """So that whoever reads `erlangen.data.tales` finds the one or the other where they look for it."""
    for package, name in NAMES:
        home, original = public_names(NAMESPACES[package])[name]
        if (NAMESPACES[package].parent / f"{name}.py").exists() and home != package:
            assert (home, original) == (f"{package}.{name}", name)


def test_star_imports() -> None:
    out = python("from erlangen.nn.graph import *; print(GATConv.__name__, aggregate.__name__)")
    assert out == "GATConv aggregate\n"


def test_what_the_documents_promise() -> None:
    code = """
        import erlangen
        from erlangen import audit, load, run, testing
        from erlangen.nn.graph import GATConv
        from erlangen.nn import PaddedConv2d
        from erlangen.symmetries import Translation
        from erlangen.statistics import paired_interval
        erlangen.nn.graph.GATConv, erlangen.symmetries.Symmetry, erlangen.data.red_green, erlangen.models.GPT
        print(erlangen.__version__, run.__module__, audit is erlangen.audit)
    """
    assert python(code) == f"{erlangen.__version__} erlangen.sweep.run True\n"


def test_the_version_is_that_of_the_project() -> None:
    assert f'\nversion = "{erlangen.__version__}"\n' in (ROOT / "pyproject.toml").read_text(encoding="utf-8")


HEAVY = ("torch", "numpy", "scipy", "altair", "pydantic", "jinja2")


@pytest.mark.parametrize(
    "code",
    [
        "import erlangen; erlangen.testing.assert_invariant; erlangen.testing.check_symmetry",
        "import erlangen.nn.graph, erlangen.symmetries, erlangen.data, erlangen.models, erlangen.measure, erlangen.train",
        "import erlangen; dir(erlangen); erlangen.nn.graph",
    ],
)
def test_nothing_heavy_is_loaded_before_it_is_used(code: str) -> None:
    assert python(f"{code}; import sys; print(sorted(set(sys.modules) & set({HEAVY!r})))") == "[]\n"


def test_importing_it_takes_a_tenth_of_a_second() -> None:
    """Of processor time, the least of five: others may be at work on this machine."""

    def seconds() -> float:
        before = os.times()
        python("import erlangen; erlangen.testing.assert_invariant")
        after = os.times()
        return after.children_user + after.children_system - before.children_user - before.children_system

    assert min(seconds() for _ in range(5)) <= 0.1


def test_namespaces_hold_names_and_no_logic() -> None:
    """They count in no key (see `sweep.fingerprint`): so nothing that decides a number may be in one."""
    offer = ast.dump(ast.parse("__getattr__, __dir__, __all__ = attach(__name__, __file__)").body[0])
    for path in NAMESPACES.values():
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            text = ast.unparse(node)
            is_text = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
            is_offer = isinstance(node, ast.If) and [ast.dump(line) for line in node.orelse] == [offer]
            assert is_text or is_offer or isinstance(node, ast.ImportFrom), f"{path}: {text}"
            if isinstance(node, ast.ImportFrom):
                assert node.module in ("__future__", "typing", "erlangen._lazy", "erlangen._version"), f"{path}: {text}"


def test_names_are_offered_in_the_way_that_type_checkers_take_for_an_offer() -> None:
    for path in NAMESPACES.values():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.If):
                assert all(alias.name == alias.asname for line in node.body for alias in line.names)  # type: ignore[attr-defined]


def test_our_own_code_imports_from_modules() -> None:
    """A namespace is for users: our modules say where a name comes from, so that a key counts that module and no other."""
    for path in sorted(PACKAGE.rglob("*.py")):
        if path in NAMESPACES.values():
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                assert not {alias.name for alias in node.names} & set(NAMESPACES), f"{path}:{node.lineno}"
            if isinstance(node, ast.ImportFrom) and node.module in NAMESPACES:
                offered = public_names(NAMESPACES[node.module])
                taken = [alias.name for alias in node.names if offered.get(alias.name, (node.module,))[0] != node.module]
                assert not taken, f"{path}:{node.lineno} imports {taken} from {node.module}"


USER = """
    from pathlib import Path

    import torch
    from torch import Tensor, nn

    import erlangen
    from erlangen.data import Graph, LabeledImages, generated_images, image_folder, karate_club, red_green
    from erlangen.generate import Settings
    from erlangen.measure import dirichlet_energy, relative_change
    from erlangen.models import GPT, GPTConfig
    from erlangen.nn import PaddedConv2d, RMSNorm
    from erlangen.nn.graph import GATConv, GCNConv, aggregate
    from erlangen.records import Measurement, Verdict
    from erlangen.statistics import Interval, paired_interval, within
    from erlangen.symmetries import Reflection, Symmetry, Translation
    from erlangen.testing import assert_invariant, check_symmetry
    from erlangen.train import NodeSchedule, classifier, seed_everything


    def signs(folder: Path | None = None) -> LabeledImages:
        return generated_images(4, seed=0) if folder is None else image_folder(folder)[0]


    def judge(folder: Path) -> list[str]:
        run: erlangen.LoadedRun = erlangen.load(folder)
        return [verdict.verdict for verdict in run.verdicts if isinstance(verdict, Verdict)]


    def compare(left: list[float], right: list[float]) -> str:
        interval: Interval = paired_interval(left, right)
        return within(0.5).decide(interval)


    def look(model: nn.Module, images: Tensor) -> float | None:
        audit: erlangen.Audit = erlangen.audit(model, images, ["translation", Reflection()], threshold=0.1)
        check_symmetry(Translation(), images[0])
        return audit.checks[0].error


    def energy(graph: Graph) -> Tensor:
        layer: nn.Module = GATConv(graph.x.shape[1], 8, heads=2)
        hidden: Tensor = layer(graph.x, graph.edge_index)
        return aggregate(hidden, graph.edge_index[1], len(hidden), "mean")


    def main() -> None:
        run = erlangen.run("padding", preset="quick", seeds=3, settings={"epochs": "2"}, notify=print)
        print(run.verdicts, run.measurements.to_csv(), run.failed)
"""
WRONG = {
    "from erlangen.nn.graph import GATCov": 'has no attribute "GATCov"',
    "from erlangen.statistics import paired_intervall": 'has no attribute "paired_intervall"',
    "import erlangen\nerlangen.rnu": 'has no attribute "rnu"',
    "import erlangen\nerlangen.run(3)": "arg-type",
    "import erlangen\nx: int = erlangen.load('runs').verdicts": "assignment",
}


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Python into which the wheel is installed, beside the packages of this one."""
    folder = tmp_path_factory.mktemp("installed")
    wheel = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", folder, ROOT]
    built = subprocess.run(wheel, capture_output=True, text=True, timeout=300)
    if built.returncode and "hatchling" in built.stderr:
        pytest.skip("hatchling, which builds the wheel, is not to be had")
    assert built.returncode == 0, built.stderr
    venv.create(folder / "venv", symlinks=True)
    python = folder / "venv" / "bin" / "python"
    (site,) = (folder / "venv" / "lib").glob("python*/site-packages")
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", site, *folder.glob("*.whl")]
    subprocess.run(install, check=True, timeout=300)
    ours = Path(torch_folder()).parent
    (site / "beside.pth").write_text(f"{ours}\n")
    return python


def torch_folder() -> str:
    spec = importlib.util.find_spec("torch")
    assert spec is not None
    assert spec.submodule_search_locations is not None
    return spec.submodule_search_locations[0]


@pytest.mark.slow
def test_the_wheel_runs_and_says_that_it_is_typed(installed: Path, tmp_path: Path) -> None:
    code = (
        "import erlangen, os; from erlangen.nn.graph import GATConv; print(erlangen.__file__, os.listdir(erlangen.__path__[0]))"
    )
    out = subprocess.run([installed, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert out.stdout.startswith(str(installed.parents[1])), out.stderr
    assert "'py.typed'" in out.stdout


@pytest.mark.slow
def test_strict_mypy_passes_on_a_users_file_and_finds_what_is_wrong_in_it(installed: Path, tmp_path: Path) -> None:
    def mypy(text: str) -> str:
        file = tmp_path / "user.py"
        file.write_text(textwrap.dedent(text))
        command = [sys.executable, "-m", "mypy", "--strict", "--python-executable", installed, "--cache-dir", tmp_path, file]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=600).stdout

    assert mypy(USER) == "Success: no issues found in 1 source file\n"
    for text, words in WRONG.items():
        assert words in mypy(text), text
