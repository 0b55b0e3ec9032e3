import pytest
import torch

from erlangen.errors import ErlangenError
from erlangen.train.seeds import check_device, has_bfloat16, seed_everything


def cuda(monkeypatch: pytest.MonkeyPatch, devices: int, bfloat16: bool = True) -> None:
    """A machine with this many CUDA devices."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: devices > 0)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: devices)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation=True: including_emulation or bfloat16)


def cpu(monkeypatch: pytest.MonkeyPatch, **features: bool) -> None:
    """A processor with these features."""
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx2": True, **features})


def test_one_seed_one_stream() -> None:
    with torch.backends.cudnn.flags():
        seed_everything(7)
        first = torch.rand(5)
        seed_everything(7)
        assert torch.equal(first, torch.rand(5))
        seed_everything(8)
        assert not torch.equal(first, torch.rand(5))


def test_seeding_asks_for_deterministic_convolutions() -> None:
    with torch.backends.cudnn.flags(benchmark=True, deterministic=False):
        seed_everything(0)
        assert torch.backends.cudnn.deterministic
        assert not torch.backends.cudnn.benchmark


def test_the_processor_is_always_there() -> None:
    check_device("cpu", "float32")


@pytest.mark.parametrize("device", ["tpu", "gpu", "CPU", ""])
def test_an_unknown_device_is_refused_with_the_known_ones(device: str) -> None:
    with pytest.raises(ErlangenError, match=f"--device {device} is unknown: choose cpu, cuda, cuda:N or mps"):
        check_device(device, "float32")


@pytest.mark.parametrize("device", ["cuda", "cuda:0"])
def test_a_machine_without_cuda_says_so(monkeypatch: pytest.MonkeyPatch, device: str) -> None:
    cuda(monkeypatch, 0)
    with pytest.raises(ErlangenError, match=rf"--device {device} is not available on this machine.*: use cpu"):
        check_device(device, "float32")


def test_a_machine_without_mps_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    with pytest.raises(ErlangenError, match=r"--device mps is not available on this machine.*: use cpu"):
        check_device("mps", "float32")


@pytest.mark.parametrize("device", ["cuda", "cuda:0", "cuda:1"])
def test_a_cuda_device_that_is_there_passes(monkeypatch: pytest.MonkeyPatch, device: str) -> None:
    cuda(monkeypatch, 2)
    check_device(device, "float32")
    check_device(device, "bfloat16")


@pytest.mark.parametrize("device", ["cuda:2", "cuda:-1", "cuda:first"])
def test_a_cuda_device_that_is_not_there_is_refused(monkeypatch: pytest.MonkeyPatch, device: str) -> None:
    cuda(monkeypatch, 2)
    with pytest.raises(ErlangenError, match=f"--device {device} does not exist: there are 2 CUDA devices, counted from 0"):
        check_device(device, "float32")


@pytest.mark.parametrize("feature", ["avx512_bf16", "amx_bf16", "bf16"])
def test_a_processor_with_bfloat16_passes(monkeypatch: pytest.MonkeyPatch, feature: str) -> None:
    cpu(monkeypatch, **{feature: True})
    assert has_bfloat16("cpu")
    check_device("cpu", "bfloat16")


@pytest.mark.parametrize("features", [{}, {"avx512_bf16": False, "amx_bf16": False, "avx512_f": True}], ids=["none", "others"])
def test_a_processor_without_bfloat16_is_refused(monkeypatch: pytest.MonkeyPatch, features: dict[str, bool]) -> None:
    cpu(monkeypatch, **features)
    assert not has_bfloat16("cpu")
    with pytest.raises(ErlangenError, match=r"--precision bfloat16: cpu has no bfloat16 in hardware.*leave the option out"):
        check_device("cpu", "bfloat16")
    check_device("cpu", "float32")


def test_emulated_bfloat16_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    cuda(monkeypatch, 1, bfloat16=False)
    with pytest.raises(ErlangenError, match=r"--precision bfloat16: cuda has no bfloat16 in hardware"):
        check_device("cuda", "bfloat16")
