"""Which device models run on, in which number format, and what is said of it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from mmrl.encoders.device.device import choose_place
from mmrl.errors import ConfigError
from mmrl.soundness.doctor import examine


@pytest.fixture(autouse=True)
def _anew() -> Iterator[None]:
    choose_place.cache_clear()
    yield
    choose_place.cache_clear()


def machine(
    patch: pytest.MonkeyPatch, *, gpus: int = 0, capability: int = 9, mps: bool = False
) -> None:
    patch.setattr(torch.cuda, "is_available", lambda: gpus > 0)
    patch.setattr(torch.cuda, "device_count", lambda: gpus)
    patch.setattr(torch.cuda, "get_device_name", lambda device: "NVIDIA H100")
    patch.setattr(torch.cuda, "get_device_capability", lambda device: (capability, 0))
    patch.setattr(torch.backends.mps, "is_available", lambda: mps)


def test_a_cuda_gpu_runs_bfloat16_and_the_reason_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    machine(monkeypatch, gpus=1)
    place = choose_place()
    assert (place.device, place.dtype, place.on_gpu) == ("cuda:0", "bfloat16", True)
    assert "NVIDIA H100" in place.reason
    assert place.torch_dtype is torch.bfloat16


def test_an_old_gpu_runs_float32(monkeypatch: pytest.MonkeyPatch) -> None:
    machine(monkeypatch, gpus=1, capability=7)
    assert (choose_place().dtype, "older" in choose_place().reason) == ("float32", True)


def test_apples_gpu_runs_float32(monkeypatch: pytest.MonkeyPatch) -> None:
    machine(monkeypatch, mps=True)
    assert (choose_place().device, choose_place().dtype) == ("mps", "float32")


def test_without_a_gpu_it_is_the_cpu_in_float32(monkeypatch: pytest.MonkeyPatch) -> None:
    machine(monkeypatch)
    place = choose_place()
    assert (place.device, place.dtype, place.on_gpu) == ("cpu", "float32", False)
    assert "no GPU" in place.reason


def test_settings_choose_and_the_reason_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    machine(monkeypatch, gpus=2)
    place = choose_place("cuda:1", "float32")
    assert (place.device, place.dtype) == ("cuda:1", "float32")
    assert 'set by device = "cuda:1"' in place.reason
    assert 'set by dtype = "float32"' in place.reason
    assert choose_place("cpu", "bfloat16").torch_device == torch.device("cpu")


@pytest.mark.parametrize(
    ("device", "said"),
    [
        ("cuda:2", "sees 2 CUDA GPUs"),
        ("mps", "can't be used here"),
        ("tpu", "There is no device 'tpu'"),
        ("cpu:1", "There is no device"),
        ("cuda:x", "There is no device"),
    ],
)
def test_a_device_that_is_not_there_is_a_clear_error(
    monkeypatch: pytest.MonkeyPatch, device: str, said: str
) -> None:
    machine(monkeypatch, gpus=2)
    with pytest.raises(ConfigError, match=said):
        choose_place(device)


def test_an_unknown_number_format_is_a_clear_error() -> None:
    with pytest.raises(ConfigError, match="set `dtype` to auto or float32 or bfloat16"):
        choose_place("cpu", "float8")


def test_doctor_says_where_models_run_and_why(monkeypatch: pytest.MonkeyPatch, tmp_path) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setenv("MMRL_DEVICE", "cuda:7")
    machine(monkeypatch)
    (device,) = [finding for finding in examine(str(tmp_path)) if finding.what == "device"]
    assert device.state == "wrong"
    assert "sees 0 CUDA GPUs" in device.detail
    monkeypatch.delenv("MMRL_DEVICE")
    (device,) = [finding for finding in examine(str(tmp_path)) if finding.what == "device"]
    assert device.state == "ok"
    assert device.detail.startswith("cpu, float32 (no GPU is there")


def test_doctor_says_how_to_get_the_weights_that_a_profile_lacks(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setenv("MMRL_PROFILE", "reference")
    (encoders,) = [f for f in examine(str(tmp_path)) if f.what == "encoders (reference)"]
    assert encoders.state == "wrong"
    assert "BAAI/bge-m3 (2.3 GB, MIT)" in encoders.detail
    assert encoders.mend == "mmrl weights fetch --profile reference"
