"""Contents of posts through a profile's encoders: what comes out, and which items failed alone.

The stages and a prediction both call these two, so that a stored post and a draft with the same
content get the same caption and vectors.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

import numpy as np

from mmrl.encoders.profiles import Profile
from mmrl.encoders.protocols import Caption, Captioner, Uncaptioned, UnreadableImagesError
from mmrl.images.image import UnreadableError

Results = TypeVar("Results")


# Why one item gave nothing: its image is to blame, or the captioner, where another may do better.
Unencoded = UnreadableError | Uncaptioned


@dataclass(frozen=True)
class Encoded(Generic[Results]):
    """What a batch came to.

    Attributes:
        places: the items that gave a result, in the order given.
        results: one for each of them.
        failures: why each of the other items gave nothing, by its place in the batch.
        cut: how many texts were longer than the model takes, and were cut.
    """

    places: list[int]
    results: Results
    failures: Mapping[int, Unencoded] = field(default_factory=dict)
    cut: int = 0


def caption_images(captioner: Captioner, images: Sequence[bytes | None]) -> Encoded[list[Caption]]:
    """Captions of images; a caption's text is "" where the captioner abstains.

    Args:
        images: encoded files; None fails as an image that is not there.
    """
    places, results, failures = _readable(images, captioner.caption)
    captions = []
    captioned = []
    for place, result in zip(places, results or [], strict=True):
        if isinstance(result, Uncaptioned):
            failures[place] = result
        else:
            captioned.append(place)
            captions.append(result)
    return Encoded(captioned, captions, failures)


def embed(
    profile: Profile,
    space: str,
    texts: Sequence[str] | None = None,
    images: Sequence[bytes | None] | None = None,
) -> Encoded[np.ndarray]:
    """Vectors of contents in a space: float32, of shape (len(places), the space's dimensions).

    Args:
        space: title, caption and text take `texts`, image takes `images`, visual as many of both.
        images: encoded files; None fails as an image that is not there.
    """
    if space == "image":
        return _embedded(profile, space, _readable(images or [], profile.image().encode))
    texts = texts or []
    if space == "visual":
        visual = profile.visual()
        cut_before = visual.truncated
        items = _readable(images or [], visual.encode, texts)
        return _embedded(profile, space, items, visual.truncated - cut_before)
    encoder = profile.caption() if space == "caption" else profile.title()
    cut_before = encoder.truncated
    items = (list(range(len(texts))), encoder.encode(texts), {})
    return _embedded(profile, space, items, encoder.truncated - cut_before)


def _embedded(
    profile: Profile,
    space: str,
    items: tuple[list[int], np.ndarray | None, dict[int, Unencoded]],
    cut: int = 0,
) -> Encoded[np.ndarray]:
    places, vectors, failures = items
    if vectors is None:
        vectors = np.empty((0, profile.dims[space]), np.float32)
    return Encoded(places, vectors, failures, cut)


def _readable(
    images: Sequence[bytes | None],
    encode: Callable[..., Any],
    texts: Sequence[str] | None = None,
) -> tuple[list[int], Any, dict[int, Unencoded]]:
    """What `encode(images)` or `encode(images, texts)` gives for the images that decode.

    Returns:
        the places of those images, what `encode` gave for them (None where there are none), and
        the failures of the others.
    """
    failures: dict[int, Unencoded] = {
        place: UnreadableError("its bytes are not in the catalog")
        for place, image in enumerate(images)
        if image is None
    }
    kept = [place for place, image in enumerate(images) if image is not None]
    for _ in range(2):  # once more for the good ones, where the encoder remembers them
        if not kept:
            break
        arguments: list[Any] = [[images[place] for place in kept]]
        if texts is not None:
            arguments.append([texts[place] for place in kept])
        try:
            return kept, encode(*arguments), failures
        except UnreadableImagesError as error:
            for number, detail in error.errors.items():
                failures[kept[number]] = UnreadableError(detail, error.reasons[number])
            kept = [place for number, place in enumerate(kept) if number not in error.errors]
            if error.done is not None:
                return kept, error.done, failures
    return [], None, failures
