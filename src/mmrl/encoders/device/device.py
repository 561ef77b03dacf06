"""Device and number format of a model, and why: a GPU in bfloat16, a CPU in float32."""

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from mmrl.errors import ConfigError

if TYPE_CHECKING:
    import torch

DEVICES = "auto, cpu, mps, cuda, or cuda:N"
FORMATS = ("auto", "float32", "bfloat16")


@dataclass(frozen=True)
class Place:
    """A device and a number format.

    Attributes:
        device: as torch names it, such as `cuda:0`.
        dtype: `float32` or `bfloat16`.
        reason: why these, in a few words for `mmrl doctor`.
    """

    device: str
    dtype: str
    reason: str

    @property
    def torch_device(self) -> "torch.device":
        """The device, for torch."""
        import torch

        return torch.device(self.device)

    @property
    def torch_dtype(self) -> "torch.dtype":
        """The number format, for torch."""
        import torch

        number_format: torch.dtype = getattr(torch, self.dtype)
        return number_format

    @property
    def on_gpu(self) -> bool:
        """False on a CPU."""
        return self.device != "cpu"


@cache
def choose_place(device: str = "auto", dtype: str = "auto") -> Place:
    """The device and number format for the settings `device` and `dtype`.

    bfloat16 has float32's range and half its size, and GPUs multiply it several times as fast; a
    CPU without matrix units for it (AMX) is slower in it than in float32, so it is not chosen
    there unasked. Apple's MPS runs float32: not all of its operations take bfloat16.

    Raises:
        ConfigError: no such device on this machine, or no such format.
    """
    import torch

    if dtype not in FORMATS:
        raise ConfigError(
            f"There is no number format {dtype!r}: set `dtype` to {' or '.join(FORMATS)}."
        )
    if device == "auto":
        if torch.cuda.is_available():
            name, why = "cuda:0", f"a CUDA GPU is there ({torch.cuda.get_device_name(0)})"
        elif torch.backends.mps.is_available():
            name, why = "mps", "Apple's GPU is there"
        else:
            name, why = "cpu", "no GPU is there, or this torch was built without CUDA"
    else:
        name, why = _named(device), f'set by device = "{device}"'
    if dtype == "auto":
        chosen, because = _best_format(name)
    else:
        chosen, because = dtype, f'set by dtype = "{dtype}"'
    return Place(name, chosen, f"{why}; {chosen}: {because}")


def _named(device: str) -> str:
    import torch

    kind, _, number = device.partition(":")
    if kind == "cpu" and not number:
        return "cpu"
    if kind == "mps" and not number:
        if torch.backends.mps.is_available():
            return "mps"
        raise ConfigError('device = "mps", but Apple\'s GPU can\'t be used here: set "auto".')
    if kind == "cuda" and (number.isdecimal() or number == ""):
        count = torch.cuda.device_count() if torch.cuda.is_available() else 0
        if int(number or 0) < count:
            return f"cuda:{int(number or 0)}"
        raise ConfigError(
            f'device = "{device}", but torch {torch.__version__} sees {count} CUDA GPUs: set '
            '"auto" or "cpu", or install a torch with CUDA and the GPU\'s driver.'
        )
    raise ConfigError(f"There is no device {device!r}: set `device` to {DEVICES}.")


def _best_format(device: str) -> tuple[str, str]:
    import torch

    if device.startswith("cuda"):
        if torch.cuda.get_device_capability(torch.device(device)) >= (8, 0):
            return "bfloat16", "the GPU multiplies it natively"
        return "float32", "this GPU is older than bfloat16 (compute capability 8.0)"
    if device == "mps":
        return "float32", "not all of MPS's operations take bfloat16"
    return "float32", "exact, and on most CPUs the fastest"
