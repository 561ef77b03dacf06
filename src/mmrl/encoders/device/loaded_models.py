"""Large models in memory: each once a process, and no more of them than there is room for.

Stages run one after another and a prediction needs all models of a profile, so what is loaded
stays. Where the next model would not fit beside the others, those make room; they are loaded
again when they are asked for.
"""

import gc
import logging
from collections.abc import Callable, Hashable
from typing import Any, TypeVar, cast

import psutil

from mmrl.encoders.device.device import Place
from mmrl.encoders.device.threads import apply_threads

Network = TypeVar("Network")

_log = logging.getLogger(__name__)
_ROOM = 1.5  # times the weights: room for activations, and for both copies while they are moved
_loaded: dict[Hashable, Any] = {}


def loaded(key: Hashable, place: Place, size_bytes: int, load: Callable[[], Network]) -> Network:
    """The network of that key, loaded if it is not in memory.

    Args:
        size_bytes: of the weights in memory, roughly; decides whether others must make room.
    """
    if key not in _loaded:
        apply_threads()
        if _loaded and _free_bytes(place) < _ROOM * size_bytes:
            _log.info("%d models make room for the next one", len(_loaded))
            unload()
        _loaded[key] = load()
    return cast(Network, _loaded[key])


def unload() -> None:
    """Lets go of all networks."""
    import torch

    _loaded.clear()
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def _free_bytes(place: Place) -> int:
    if place.device.startswith("cuda"):
        import torch

        return int(torch.cuda.mem_get_info(place.torch_device)[0])
    return int(psutil.virtual_memory().available)
