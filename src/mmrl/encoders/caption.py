"""Pictures through a captioner on this machine: what such captioners have in common."""

from collections.abc import Callable, Sequence
from typing import TypeVar

from mmrl.encoders.device.batch_size import BatchSize
from mmrl.encoders.protocols import Caption, Uncaptioned, UnreadableImagesError
from mmrl.images.decode import decode_ahead
from mmrl.images.picture import UnreadableError

Prepared = TypeVar("Prepared")
Captions = list[Caption | Uncaptioned]


def caption_pictures(
    images: Sequence[bytes],
    prepare: Callable[[bytes], Prepared],
    batches: BatchSize,
    forward: Callable[[Sequence[Prepared]], Captions],
) -> Captions:
    """Decodes pictures ahead of a model and captions them in batches, in their order.

    Args:
        prepare: a file to what the model takes; raises UnreadableError.
        batches: counted in pictures.

    Raises:
        UnreadableImagesError: at least one picture does not decode; has the others' captions.
    """
    captions: Captions = []
    errors: dict[int, UnreadableError] = {}
    place = 0
    for decoded in decode_ahead(images, prepare, batches.size):
        good: list[Prepared] = []
        for found in decoded:
            if isinstance(found, UnreadableError):
                errors[place] = found
            else:
                good.append(found)
            place += 1
        captions += _caption(good, batches, forward)
    if errors:
        raise UnreadableImagesError(errors, captions)
    return captions


def _caption(
    good: Sequence[Prepared],
    batches: BatchSize,
    forward: Callable[[Sequence[Prepared]], Captions],
) -> Captions:
    captions: Captions = []
    for batch in batches.split([1] * len(good)):
        for _, found in batches.run(batch, lambda chosen: forward([good[i] for i in chosen])):
            captions += found  # parts come in their order
    return captions
