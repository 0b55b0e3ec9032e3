import pytest
import torch

from erlangen.errors import ErlangenError
from erlangen.nn.tf32 import in_tf32
from erlangen.train.precision import arithmetic, best_device, best_precision, check_device, has_bfloat16, resolve_device


def cuda(monkeypatch: pytest.MonkeyPatch, devices: int, bfloat16: bool = True) -> None:
    """A machine with this many CUDA devices."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: devices > 0)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: devices)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation=True: including_emulation or bfloat16)


def cpu(monkeypatch: pytest.MonkeyPatch, **features: bool) -> None:
    """A processor with these features."""
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx2": True, **features}, raising=False)


def test_an_older_torch_is_asked_in_its_own_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(torch.cpu, "get_capabilities", raising=False)
    for avx, amx in ((False, False), (True, False), (False, True)):
        monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda avx=avx: avx)
        monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda amx=amx: amx)
        assert has_bfloat16("cpu") == (avx or amx)


def test_the_processor_is_always_there() -> None:
    check_device("cpu", "float32")


@pytest.mark.parametrize("device", ["tpu", "gpu", "CPU", ""])
def test_an_unknown_device_is_refused_with_the_known_ones(device: str) -> None:
    with pytest.raises(ErlangenError, match=f"--device {device} is unknown: choose auto, cpu, cuda, cuda:N or mps"):
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


def test_tf32_and_float16_need_a_cuda_device() -> None:
    for precision in ("tf32", "float16"):
        with pytest.raises(ErlangenError, match=f"--precision {precision} needs a CUDA device, not cpu"):
            check_device("cpu", precision)


@pytest.mark.parametrize(("capability", "passes"), [((7, 5), False), ((8, 0), True), ((9, 0), True)])
def test_tf32_needs_ampere(monkeypatch: pytest.MonkeyPatch, capability: tuple[int, int], passes: bool) -> None:
    cuda(monkeypatch, 1)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: capability)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "T4")
    if passes:
        check_device("cuda", "tf32")
        return
    with pytest.raises(ErlangenError, match="--precision tf32: T4 has no TF32: use float32"):
        check_device("cuda", "tf32")


@pytest.mark.parametrize(("devices", "best"), [(0, "cpu"), (1, "cuda")])
def test_auto_is_cuda_where_there_is_one(monkeypatch: pytest.MonkeyPatch, devices: int, best: str) -> None:
    cuda(monkeypatch, devices)
    assert best_device() == resolve_device("auto") == best
    assert resolve_device("cpu") == "cpu"


def test_the_best_precision_is_bfloat16_where_it_is_in_hardware(monkeypatch: pytest.MonkeyPatch) -> None:
    cpu(monkeypatch, amx_bf16=True)
    assert best_precision("cpu") == "bfloat16"
    cpu(monkeypatch)
    assert best_precision("cpu") == "float32"


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_arithmetic_on_a_cpu_leaves_the_process_alone(precision: str) -> None:
    x, before = torch.randn(4, 4), in_tf32()
    with arithmetic("cpu", precision):
        assert in_tf32() == before
        assert (x @ x).dtype == (torch.bfloat16 if precision == "bfloat16" else torch.float32)
        with arithmetic("cpu", "float32"):
            assert (x @ x).dtype == torch.float32


@pytest.mark.cuda
@pytest.mark.parametrize("precision", ["float32", "tf32", "bfloat16"])
def test_arithmetic_on_a_gpu_is_what_its_name_says_and_ends_with_its_context(precision: str) -> None:
    x, before = torch.randn(4, 4, device="cuda"), in_tf32()
    with arithmetic("cuda", precision):
        assert in_tf32() == ((precision == "tf32"),) * 2
        assert (x @ x).dtype == (torch.bfloat16 if precision == "bfloat16" else torch.float32)
        with arithmetic("cuda", "float32"):
            assert in_tf32() == (False, False)
            assert (x @ x).dtype == torch.float32
    assert in_tf32() == before
