"""Images on the device: decoded ahead of a model, put through it in batches, rows fetched once."""

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from mmrl.encoders.device.batch_size import BatchSize
from mmrl.encoders.device.device import Place
from mmrl.encoders.protocols import UnreadableImagesError
from mmrl.errors import InputError
from mmrl.images.decode import decode_ahead
from mmrl.images.image import UnreadableError

if TYPE_CHECKING:
    import torch

Prepared = TypeVar("Prepared")


class Rows:
    """Rows that come in any order, left on the device until all are there.

    Fetching a batch's rows would wait for the device, and leave it idle while the next batch is
    put together.
    """

    def __init__(self) -> None:
        self._places: list[int] = []
        self._rows: list[torch.Tensor] = []

    def add(self, places: Iterable[int], rows: "torch.Tensor") -> None:
        """Keeps rows for these places."""
        self._places += places
        self._rows.append(rows)

    def stacked(self) -> np.ndarray:
        """The rows that were added, in the order of their places, (n, dim), float32."""
        import torch

        if not self._rows:
            return np.empty((0, 0), np.float32)
        rows = torch.cat(self._rows).float().cpu().numpy()
        return np.ascontiguousarray(rows[np.argsort(self._places)])


def same_number(images: Sequence[bytes], texts: Sequence[str]) -> None:
    """Raises InputError where there are not as many texts as images."""
    if len(images) != len(texts):
        raise InputError(
            f"{len(images)} images were given with {len(texts)} texts; give as many texts, "
            'with "" for an image without one.'
        )


def encode_images(
    images: Sequence[bytes],
    order: Sequence[int],
    prepare: Callable[[bytes], Prepared],
    batches: BatchSize,
    forward: Callable[[Sequence[tuple[int, Prepared]]], "torch.Tensor"],
) -> np.ndarray:
    """Decodes images ahead of a model and puts them through it in batches.

    Args:
        order: places of images, in the order to be taken.
        prepare: a file to what the model takes; raises UnreadableError.
        batches: counted in images.
        forward: places and what was prepared for them, to rows on the device.

    Returns:
        rows of shape (len(images), dim), float32, in the order of the images.

    Raises:
        UnreadableImagesError: at least one image does not decode.
    """
    rows = Rows()
    errors: dict[int, UnreadableError] = {}
    ordered = [images[i] for i in order]
    for batch in decode_ahead(ordered, prepare, batches.size, errors):
        items = [(order[place], prepared) for place, prepared in batch]
        for part, vectors in batches.run_items(items, forward):
            rows.add([place for place, _ in part], vectors)
    if errors:
        broken = {order[place]: error for place, error in errors.items()}
        raise UnreadableImagesError(broken, rows.stacked())
    return rows.stacked()


def to_device(array: np.ndarray, place: Place) -> "torch.Tensor":
    """An array on the device; on CUDA copied while the device still works on the last one."""
    import torch

    tensor = torch.from_numpy(array)
    if place.torch_device.type == "cuda":
        tensor = tensor.pin_memory()
    return tensor.to(place.torch_device, non_blocking=True)
