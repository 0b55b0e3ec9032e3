"""What recomputes and what does not."""

from __future__ import annotations

import ast
import sys
import zlib
from pathlib import Path

import pytest

from erlangen._lazy import public_names
from erlangen.experiments import module_name, names
from erlangen.experiments.modules import find, is_users
from erlangen.sweep import fingerprint as module
from erlangen.sweep.fingerprint import content, fingerprint, reachable

FILES = {
    "__init__.py": "CLAIMS = 'one, two'\n",
    "run.py": "from {p}.layer import Layer\nfrom . import helper\n\n\ndef run(job):\n    return Layer(), helper.help()\n",
    "layer.py": '"""A layer."""\n\n\nclass Layer:\n    """Doubles."""\n\n    factor = 2\n    """Of the input."""\n',
    "helper.py": "import json\n\n\ndef help():\n    from .deep import floor\n\n    return floor()\n",
    "deep.py": "def floor():\n    return 0\n",
    "judge.py": "def verdicts():\n    return []\n",
}


@pytest.fixture
def package(tmp_path: Path, monkeypatch, request) -> tuple[str, Path]:
    """A package of its own for every test: import machinery remembers names."""
    name = f"package_{zlib.crc32(request.node.nodeid.encode())}"
    folder = tmp_path / name
    folder.mkdir()
    for file, text in FILES.items():
        (folder / file).write_text(text.replace("{p}", name))
    monkeypatch.syspath_prepend(tmp_path)
    return name, folder


def test_it_reaches_what_is_imported_and_no_more(package):
    name, _ = package
    assert set(reachable(f"{name}.run")) == {f"{name}.{part}" for part in ("run", "layer", "helper", "deep")}


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("layer.py", "factor = 2", "factor = 2  # twice"),
        ("layer.py", '"""Doubles."""', '"""Multiplies by two."""'),
        ("layer.py", '"""Of the input."""', '"""Of what comes in."""'),
        ("layer.py", '"""A layer."""\n\n\n', "\n"),
        ("layer.py", "    factor = 2", "\n    factor  =  2"),
        ("judge.py", "[]", "[1]"),
        ("__init__.py", "one, two", "one and two"),
    ],
)
def test_comments_docstrings_layout_verdicts_and_claims_recompute_nothing(package, file, old, new):
    name, folder = package
    before = fingerprint(f"{name}.run")
    replace(folder / file, old, new)
    assert fingerprint(f"{name}.run") == before


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [("layer.py", "factor = 2", "factor = 3"), ("deep.py", "return 0", "return 1"), ("run.py", "Layer()", "Layer")],
)
def test_code_that_the_jobs_reach_recomputes(package, file, old, new):
    name, folder = package
    before = fingerprint(f"{name}.run")
    replace(folder / file, old, new)
    assert fingerprint(f"{name}.run") != before


def test_advice_is_wording_and_other_attributes_are_not(package):
    name, folder = package
    for attribute, counts in (("advice: ClassVar[str]", False), ("advice: str", True), ("unit: ClassVar[str]", True)):
        keys = []
        for text in ("pad", "do not pad"):
            (folder / "layer.py").write_text(f"class Layer:\n    {attribute} = {text!r}\n")
            keys.append(fingerprint(f"{name}.run"))
        assert (keys[0] != keys[1]) == counts, attribute


# Beside the package: a module, a package, a folder without `__init__.py`. {b}: a name that no other test uses.
BESIDE = {
    "{b}.py": '"""Of mine."""\n\nfrom {b}s.inner import two\n\n\ndef one():\n    """1."""\n    return two() - 1\n',
    "{b}s/__init__.py": "FACTOR = 1\n",
    "{b}s/inner.py": "def two():\n    return 2\n",
    "{b}_bare/part.py": "def three():\n    return 3\n",
}
IMPORTS = {
    "plain": ("import {b}", "{b}.one()"),
    "renamed": ("import {b} as other", "other.one()"),
    "a name": ("from {b} import one", "one()"),
    "everything": ("from {b} import *", "one()"),
    "in a package": ("import {b}s.inner", "{b}s.inner.two()"),
    "in a folder": ("from {b}_bare import part", "part.three()"),
    "deep in a folder": ("from {b}_bare.part import three", "three()"),
}
REACHED = {"plain": 3, "renamed": 3, "a name": 3, "everything": 3, "in a package": 2, "in a folder": 1, "deep in a folder": 1}


@pytest.fixture
def beside(package, tmp_path: Path) -> tuple[str, Path, str]:
    name, _ = package
    mine = f"mine_{name}"
    for file, text in BESIDE.items():
        path = tmp_path / file.replace("{b}", mine)
        path.parent.mkdir(exist_ok=True)
        path.write_text(text.replace("{b}", mine))
    return name, tmp_path, mine


@pytest.mark.parametrize("where", ["at the top", "in a function"])
@pytest.mark.parametrize("how", IMPORTS)
def test_modules_of_the_users_beside_their_package_count(beside, how, where):
    name, folder, mine = beside
    statement, use = (text.replace("{b}", mine) for text in IMPORTS[how])
    top, inside = (statement, "pass") if where == "at the top" else ("", statement)
    if how != "everything" or where == "at the top":  # Python allows no star inside a function
        (folder / name / "run.py").write_text(f"{top}\n\n\ndef run(job):\n    {inside}\n    return {use}\n")
        reached = {other: file for other, file in reachable(f"{name}.run").items() if other.startswith(mine)}
        assert len(reached) == REACHED[how]
        for file in reached.values():
            before, text = fingerprint(f"{name}.run"), file.read_text()
            file.write_text('"""Another docstring."""\n' + text.replace('"""Of mine."""', "").replace("1.", "One."))
            assert fingerprint(f"{name}.run") == before
            file.write_text(text + "\nADDED = 1\n")
            assert fingerprint(f"{name}.run") != before
            file.write_text(text)


def test_a_module_that_is_written_between_two_runs_counts(beside):
    """Nothing is remembered of the first look: people write files while Python runs."""
    name, folder, mine = beside
    (folder / name / "run.py").write_text(f"from {mine}s import later\n")
    before = fingerprint(f"{name}.run")
    (folder / f"{mine}s" / "later.py").write_text("x = 1\n")
    assert f"{mine}s.later" in reachable(f"{name}.run")
    assert fingerprint(f"{name}.run") != before


def test_nothing_is_imported_to_find_it(beside):
    name, folder, mine = beside
    for file in (folder / f"{mine}s" / "__init__.py", folder / name / "__init__.py"):
        file.write_text(f"open({str(folder / 'imported')!r}, 'w').close()\nraise RuntimeError('imported')\n")
    unused = "xml.etree.cElementTree", "wsgiref.handlers", "hypothesis.extra.django"
    (folder / name / "run.py").write_text(f"import {mine}s.inner\n" + "".join(f"import {other}\n" for other in unused))
    loaded = set(sys.modules)
    assert set(reachable(f"{name}.run")) == {f"{name}.run", f"{mine}s", f"{mine}s.inner"}
    assert set(sys.modules) == loaded
    assert not (folder / "imported").exists()


def test_python_and_installed_packages_do_not_count(package):
    name, folder = package
    (folder / "run.py").write_text("import json, os.path, sys, numpy.linalg\nfrom torch import nn\nfrom scipy import stats\n")
    assert set(reachable(f"{name}.run")) == {f"{name}.run"}
    installed = ("json", "os", "sys", "math", "numpy", "torch", "numpy.linalg", "pytest")
    assert not any(is_users(place) for other in installed if (place := find(other)))
    assert is_users(find(name))


def test_the_package_itself_counts_where_a_name_comes_out_of_it(package):
    name, folder = package
    for statement in (f"from {name} import CLAIMS", f"import {name}\n{name}.CLAIMS", "from . import CLAIMS"):
        (folder / "run.py").write_text(statement + "\n")
        assert name in reachable(f"{name}.run"), statement
    (folder / "run.py").write_text(f"from {name}.layer import Layer\nfrom . import deep\n")
    assert set(reachable(f"{name}.run")) == {f"{name}.{part}" for part in ("run", "layer", "deep")}


def test_a_package_of_experiments_counts(package):
    """Only the experiment's own `__init__.py` holds claims; one above it is code like any other."""
    name, folder = package
    (folder / "first").mkdir()
    (folder / "first" / "__init__.py").write_text("CLAIMS = ()\n")
    (folder / "first" / "run.py").write_text("from . import tasks\nfrom ..deep import floor\n")
    (folder / "first" / "tasks.py").write_text("x = 1\n")
    assert set(reachable(f"{name}.first.run")) == {name, f"{name}.deep", f"{name}.first.run", f"{name}.first.tasks"}


def test_what_only_type_checkers_import_does_not_count(package):
    name, folder = package
    for guard in ("if TYPE_CHECKING:", "if typing.TYPE_CHECKING:"):
        (folder / "run.py").write_text(f"{guard}\n    from {name}.layer import Layer\nelse:\n    import {name}.deep\n")
        assert set(reachable(f"{name}.run")) == {f"{name}.run", f"{name}.deep"}


def test_compiled_modules_count_by_their_bytes(package):
    name, folder = package
    (folder / "run.py").write_text("from . import fast\n")
    compiled = folder / "fast.abi3.so"
    compiled.write_bytes(b"\x7fELF 1")
    before = fingerprint(f"{name}.run")
    assert reachable(f"{name}.run")[f"{name}.fast"] == compiled
    compiled.write_bytes(b"\x7fELF 2")
    assert fingerprint(f"{name}.run") != before


def test_a_syntax_error_names_its_file(package):
    name, folder = package
    (folder / "deep.py").write_text("def floor(:\n")
    with pytest.raises(SyntaxError) as caught:
        fingerprint(f"{name}.run")
    assert caught.value.filename == str(folder / "deep.py")
    assert caught.value.lineno == 1


NAMESPACES = {
    "from erlangen.nn.graph import GATConv": "erlangen.nn.graph.attention",
    "from erlangen.nn.graph import aggregate\naggregate(x)": "erlangen.nn.graph.aggregate",
    "import erlangen\nerlangen.nn.graph.GATConv(3)": "erlangen.nn.graph.attention",
    "import erlangen as e\ndef run(job):\n    return e.nn.graph.GATConv(3)": "erlangen.nn.graph.attention",
    "from erlangen import nn\nnn.graph.GATConv(3)": "erlangen.nn.graph.attention",
    "from erlangen.data import tales": "erlangen.data.tales",
    "import erlangen\nerlangen.audit(model, x)": "erlangen.auditing.audit",
}


@pytest.mark.parametrize("statement", NAMESPACES)
def test_a_name_of_ours_counts_as_the_module_that_it_comes_from(package, statement):
    name, folder = package
    (folder / "run.py").write_text(statement + "\n")
    reached = set(reachable(f"{name}.run"))
    assert NAMESPACES[statement] in reached
    assert not reached & {"erlangen", "erlangen.nn", "erlangen.nn.graph", "erlangen.data", "erlangen.nn.graph.encodings"}


def test_everything_of_a_namespace_of_ours(package):
    name, folder = package
    (folder / "run.py").write_text("from erlangen.nn.graph import *\n")
    homes = {home for home, _ in public_names(Path(find("erlangen.nn.graph").file)).values()}
    assert homes <= set(reachable(f"{name}.run"))


WORDED = ("experiments.kit.answers", "experiments.kit.compare", "experiments.kit.panels", "experiments.kit.parts")
ELSEWHERE = ("erlangen.report", "erlangen.cli", "erlangen.sweep", "erlangen.records", "erlangen.errors", "erlangen.auditing")


@pytest.mark.parametrize("name", names())
def test_no_wording_claim_preset_or_color_is_in_a_key(name):
    package = module_name(name)
    reached = set(reachable(f"{package}.run"))
    assert f"{package}.run" in reached
    assert not reached & {package, f"{package}.judge", f"{package}.figures"}
    assert not reached & {f"erlangen.{worded}" for worded in WORDED}
    assert not [other for other in reached if other.startswith(ELSEWHERE)]


@pytest.mark.parametrize("name", names())
def test_a_comma_in_a_claim_leaves_the_key_as_it_is(name, monkeypatch):
    """Whatever is written in the texts of an experiment's `__init__`, `judge` and `figures`."""
    package = module_name(name)
    before = fingerprint(f"{package}.run")
    worded = {find(f"{package}{part}").file for part in ("", ".judge", ".figures")}

    def reworded(file: Path) -> str:
        return ast.dump(ast.parse("changed")) if file in worded else content(file)

    monkeypatch.setattr(module, "content", reworded)
    assert fingerprint(f"{package}.run") == before


def test_another_torch_recomputes(monkeypatch):
    before = fingerprint("erlangen.experiments.padding.run")
    monkeypatch.setattr(module.importlib.metadata, "version", lambda name: "9.9.9")
    assert fingerprint("erlangen.experiments.padding.run") != before


def test_the_padding_jobs_reach_their_layers():
    reached = set(reachable("erlangen.experiments.padding.run"))
    assert {
        "erlangen.nn.padding",
        "erlangen.models.padded_cnn",
        "erlangen.data.red_green",
        "erlangen.train.classifier",
    } <= reached


def replace(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
