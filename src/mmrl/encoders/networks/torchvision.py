"""torchvision beside a torch that was built for another device: made importable.

PyPI's torchvision for Linux is built for CUDA. Beside a CPU build of torch its compiled operators
can't be loaded, and its Python part then fails at import because it registers shapes for two of
them (`operator torchvision::nms does not exist`). timm and transformers need that Python part
only, for image transforms, and never call the operators. Declaring their schemas is enough.
"""

import importlib
from functools import cache
from importlib.util import find_spec

from mmrl.errors import Failure

_SCHEMAS = (
    "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
)


@cache
def ensure_torchvision() -> None:
    """Imports torchvision; call it before the first import of timm or transformers.

    Where a matching torchvision is installed, or none, nothing is declared.

    Raises:
        Failure: torchvision is installed and fails to import for another reason.
    """
    if find_spec("torchvision") is None:
        return  # timm says itself that it needs it
    try:
        importlib.import_module("torchvision")
    except RuntimeError as error:
        if "operator torchvision::" not in str(error):
            raise _broken(error) from error
        _declare()
    except (ImportError, OSError) as error:
        raise _broken(error) from error


# torch drops a library's declarations when the object is collected.
_declared: list[object] = []


def _declare() -> None:
    import sys

    import torch

    library = torch.library.Library("torchvision", "DEF")
    for schema in _SCHEMAS:
        library.define(schema)
    _declared.append(library)
    for name in [name for name in sys.modules if name.partition(".")[0] == "torchvision"]:
        del sys.modules[name]  # what the failed import left half made
    try:
        importlib.import_module("torchvision")
    except (ImportError, OSError, RuntimeError) as error:
        raise _broken(error) from error


def _broken(error: Exception) -> Failure:
    return Failure(
        f"torchvision is installed but can't be imported: {error}. "
        "Install the torchvision that belongs to the installed torch."
    )
