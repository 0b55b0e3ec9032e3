"""Models, builders, symmetries and functions by name; texts within a model's limits; and where the user's own code failed."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import nn

from erlangen.auditing.blame import is_users
from erlangen.auditing.loading import load_model, load_symmetry
from erlangen.auditing.reading import load_inputs
from erlangen.auditing.request import AuditRequest
from erlangen.auditing.worker import answer
from erlangen.errors import ErlangenError

BUILDERS = """
import torch
from torch import nn

def build(width, depth=1, kind="relu"):
    net = nn.Linear(width, 2 * depth)
    net.kind = kind
    return net

def pair(n=3):
    return nn.Flatten(), torch.randn(n, 1, 4, 4)

class Net(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.width = width

def itself(x, edge_index):
    return x
"""
MINE = """
from dataclasses import dataclass
from typing import ClassVar
from erlangen.symmetries import Symmetry

@dataclass(frozen=True)
class Negation(Symmetry):
    power: int = 1
    name: ClassVar[str] = "negation"
    def generators(self, x):
        return (-1,)
    def elements(self, x, n, rng):
        return (-1,)[:n]
    def act(self, x, g):
        return g * x

mine = Negation(2)
def even(x):
    return x.square().mean((2, 3)), x.mean((2, 3))
def double(x):
    return x[:, 1:-1, 1:-1]
def build():
    return even
"""


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder of the user's; what is imported from it is forgotten again."""
    monkeypatch.chdir(tmp_path)
    modules, path = dict(sys.modules), list(sys.path)
    yield tmp_path
    sys.path[:] = path
    for name in sys.modules.keys() - modules.keys():
        if str(tmp_path) in str(getattr(sys.modules[name], "__file__", "") or ""):
            del sys.modules[name]


# --- builders -----------------------------------------------------------------------------------------------------------------


def test_builders_take_arguments_by_name(here: Path) -> None:
    (here / "m.py").write_text(BUILDERS)
    model, inputs = load_model("m.py:build(width=8, kind='a:b')")
    assert (model.in_features, model.out_features, model.kind, inputs) == (8, 2, "a:b", None)
    assert load_model("m.py:build(width=8)", {"depth": 3})[0].out_features == 6
    assert load_model("m.py:build", {"width": 5})[0].in_features == 5
    assert load_model("m.py:Net", {"width": 5})[0].width == 5
    model, inputs = load_model("m.py:pair(n=7)")
    assert isinstance(model, nn.Flatten)
    assert len(inputs) == 7
    assert load_model("m.py:itself")[0](1, 2) == 1  # needs arguments, and is given none: the model itself


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("m.py:build(widht=8)", r"m\.py:build\(widht=8\) cannot be called with .*'widht'.*its arguments are: width, depth, kind"),
        ("m.py:build(depth=8)", r"missing a required argument: 'width'"),
        ("m.py:Net", "needs width: add --build width=VALUE"),
    ],
)
def test_arguments_that_do_not_fit_are_named(target: str, words: str, here: Path) -> None:
    (here / "m.py").write_text(BUILDERS)
    with pytest.raises(ErlangenError, match=words):
        load_model(target)


# --- the user's own symmetry, preprocessing, selection ------------------------------------------------------------------------


def test_a_symmetry_a_preprocessing_and_an_output_by_name(here: Path) -> None:
    (here / "m.py").write_text(MINE)
    request = AuditRequest(
        target="m.py:build",
        input="1x6x6",
        n=4,
        symmetries=("m.py:Negation", "reflection"),
        preprocess="m.py:double",
        only_exact=True,
    )
    kept = answer(AuditRequest(**{**vars(request), "select": "0"}))["record"]
    assert {check["name"]: check["judgment"] for check in kept["checks"]}["negation"] == "exact"
    assert kept["shape"] == "1 × 4 × 4"
    assert kept["model"].startswith("m.py:build (")
    broken = answer(AuditRequest(**{**vars(request), "select": "1"}))["record"]
    assert {check["name"]: check["judgment"] for check in broken["checks"]}["negation"] == "broken"
    assert load_symmetry("m.py:mine").power == 2
    assert load_symmetry("m.py:Negation(power=3)").power == 3


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"symmetries": ("m.py:even",)}, "--symmetry m.py:even is a function instead of a Symmetry"),
        ({"symmetries": ("m.py:Nagation",)}, "m.py has no 'Nagation'"),
        ({"preprocess": "m.py:nothing"}, "m.py has no 'nothing'"),
        ({"select": "2"}, "no '2' to select; it returns 0, 1"),
    ],
)
def test_names_that_are_not_there(options: dict[str, Any], words: str, here: Path) -> None:
    (here / "m.py").write_text(MINE)
    found = answer(AuditRequest(target="m.py:build", input="1x6x6", n=2, only_exact=True, **options))
    assert words in found["fault"]


# --- where it failed ----------------------------------------------------------------------------------------------------------

FAULTS = {
    "model": (
        "import torch\ndef f(x):\n    y = x + 1\n    return torch.cat([y, y[:, :0].sum()])\ndef build():\n    return f\n",
        4,
    ),
    "builder": ("def build():\n    a = 1\n    return a['no']\n", 3),
    "import": ("a = 1\n\nb = a.no\n", 3),
    "helper": ("from helper import fail\ndef build():\n    return lambda x: fail(x)\n", 3),
    "preprocessing": ("def build():\n    return lambda x: x\ndef f(x):\n    return x.no\n", 4),
}


@pytest.mark.parametrize("name", FAULTS)
def test_the_line_of_the_users_own_code_is_named(name: str, here: Path) -> None:
    code, line = FAULTS[name]
    (here / "m.py").write_text(code)
    (here / "helper.py").write_text("import json\ndef fail(x):\n    json.loads('{')\n")
    request = AuditRequest(target="m.py:build", input="1x6x6", n=2, preprocess="m.py:f" if name == "preprocessing" else None)
    file = "helper.py" if name == "helper" else "m.py"
    assert answer(request)["fault"].endswith(f" ({file}, line {line})")


def test_libraries_and_our_own_files_are_not_the_users(tmp_path: Path) -> None:
    assert is_users(str(tmp_path / "m.py"))
    for file in (torch.__file__, pytest.__file__, __import__("json").__file__, __import__("erlangen").__file__, "<string>"):
        assert not is_users(str(file))


# --- texts within the model's limits ------------------------------------------------------------------------------------------


def made(config: Any = None, **options: Any) -> Any:
    return load_inputs(AuditRequest(domain="texts", n=20, **options), SimpleNamespace(config=config))


def test_a_config_limits_the_texts_that_are_made() -> None:
    config = SimpleNamespace(vocab_size=7, max_position_embeddings=12)
    texts, notes = made(config, input="12")
    assert texts[0].vocabulary == 7
    assert notes == ()
    with pytest.raises(
        ErlangenError, match=r"--input 12: --vocabulary 8 is more than the model takes: its config.vocab_size is 7"
    ):
        made(config, input="12", vocabulary=8)
    with pytest.raises(
        ErlangenError, match=r"13 tokens is longer than the model takes: its config.max_position_embeddings is 12"
    ):
        made(config, input="13")


def test_without_a_config_the_vocabulary_is_asked_for() -> None:
    texts, notes = made(None, input="12")
    assert texts[0].vocabulary == 100
    assert "--vocabulary" in notes[0]
    assert made(None, input="12", vocabulary=50)[1] == ()


def test_what_was_chosen_for_the_user_stands_in_the_record(here: Path) -> None:
    (here / "m.py").write_text(
        "import torch\ndef build():\n    return lambda ids: torch.nn.functional.one_hot(ids, 100).float()\n"
    )
    record = answer(AuditRequest(target="m.py:build", input="8", n=3, symmetries=("causality",), only_exact=True))["record"]
    assert record["notes"] == ["Token ids were drawn from 0 to 99; name the size of the vocabulary with --vocabulary."]


def test_a_shape_may_have_its_channels_last() -> None:
    images, _ = load_inputs(AuditRequest(input="8x6x3", n=2))
    assert images[0].shape == (8, 6, 3)
    smooth = images[0].movedim(-1, 0)
    assert torch.allclose(smooth.mean((1, 2)), torch.zeros(3), atol=1e-5)  # each channel is a field of its own
    series, _ = load_inputs(AuditRequest(input="40x3", layout="tc", n=2))
    assert series[0].shape == (40, 3)
