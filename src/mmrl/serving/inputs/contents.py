"""Contents of drafts: images and titles, read, measured and encoded as the stages do a post's."""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeGuard

import numpy as np

from mmrl.catalog import Reason
from mmrl.catalog.columns import SPACES, TEXT
from mmrl.config import ImageSettings
from mmrl.encoders.contents import Encoded, caption_images, embed
from mmrl.encoders.image_text import read_texts
from mmrl.encoders.profiles import Profile
from mmrl.encoders.protocols import Uncaptioned
from mmrl.errors import Failure, InputError
from mmrl.images.decode import in_threads
from mmrl.images.fetching.fetch import Fetcher
from mmrl.images.given import image_bytes
from mmrl.images.image import FetchedImage, ImageFacts, UnreadableError
from mmrl.images.measures.quality import Measures, measure_file
from mmrl.images.probe import probe
from mmrl.samples import measures_columns, vector_column
from mmrl.samples.extras import text_column, text_key
from mmrl.samples.reposts import image_key
from mmrl.serving.inputs.content_memo import ContentMemo
from mmrl.serving.inputs.drafts import ImageFile

if TYPE_CHECKING:
    from mmrl.images.given import GivenImage

_ADVICE = {
    Reason.TOO_MANY_PIXELS: "Give a smaller image, or raise that setting.",
    Reason.TOO_SMALL: "Give a larger image, or lower that setting.",
    Reason.ANIMATED: "Give a still image, such as one frame of it.",
    Reason.BROKEN_IMAGE: "Open it in an image program and save it anew.",
    Reason.FORMAT_NOT_READ: "Save it as JPEG or PNG.",
}


@dataclass(frozen=True)
class ReadImage:
    """An image file that was read and is good to encode.

    Attributes:
        key: what it has in common with other files of the same image.
    """

    file: ImageFile
    facts: ImageFacts
    key: str


@dataclass(frozen=True)
class Content:
    """What one draft says and shows.

    Attributes:
        image: its SHA-256; None without one.
        texts: its extra features that are words, by name.
    """

    image: str | None
    title: str
    texts: tuple[tuple[str, str], ...] = ()


def image_file(image: "GivenImage", images: ImageSettings) -> ImageFile:
    """An image as people hand it over: a path, the bytes of a file, or a Pillow image.

    Raises:
        NotFoundError: there is no such file.
        InputError: it is too large, or no image.
    """
    name = str(image) if isinstance(image, str | Path) else "The image"
    return ImageFile(name, image_bytes(image, images.max_bytes))


def is_on_web(image: object) -> TypeGuard[str]:
    """Whether an image is given by an address on the web, and not by a path or as it is."""
    return isinstance(image, str) and image.startswith(("http://", "https://"))


def images_of(pictures: "Sequence[GivenImage]", images: ImageSettings) -> list[ImageFile]:
    """Images as people hand them over; those on the web are fetched as a post's would be.

    Raises:
        NotFoundError: there is no such file.
        InputError: an address gives no image, or a file is too large or no image.
    """
    on_web = [each for each in pictures if is_on_web(each)]
    fetched = Fetcher(images).fetch(on_web) if on_web else {}
    files = []
    for each in pictures:
        if is_on_web(each):
            answer = fetched.get(each)
            if not isinstance(answer, FetchedImage):
                why = "" if answer is None else f": {answer.reason.sentence} ({answer.detail})"
                raise InputError(f"No image came from {each}{why}. Give a file of it.")
            files.append(ImageFile(each, answer.data))
        else:
            files.append(image_file(each, images))
    return files


def read_images(
    files: Sequence[ImageFile], images: ImageSettings, memo: ContentMemo
) -> list[ReadImage]:
    """Reads the facts of images.

    Args:
        memo: what was read of contents before.

    Raises:
        InputError: one is no usable image.
    """
    contents = in_threads(lambda file: file.content, files)
    first = dict(zip(reversed(contents), reversed(files), strict=True))

    def read(new: list[str]) -> list[ImageFacts]:
        return in_threads(lambda content: _facts(first[content], images), new)

    facts = memo.of("facts", contents, read)
    return [
        ReadImage(file, facts[content], image_key(content, facts[content].phash))
        for file, content in zip(files, contents, strict=True)
    ]


def _facts(file: ImageFile, images: ImageSettings) -> ImageFacts:
    _check_size(file.name, len(file.data), images)
    facts = probe(file.data, images)
    if not isinstance(facts, ImageFacts):
        raise InputError(
            f"{file.name}: {facts.reason.sentence} ({facts.detail}). "
            f"{_ADVICE.get(facts.reason, 'Give a still JPEG, PNG or WebP image.')}"
        )
    return facts


class EncodedContents:
    """The captions, statistics and vectors of images, titles and texts; each is made once.

    Args:
        images: by SHA-256.
        memo: what was made of contents before.

    Raises (each of its methods):
        InputError: an encoder can't read an image.
        Failure: the captioner gave nothing.
    """

    def __init__(
        self, profile: Profile, images: Mapping[str, ImageFile], memo: ContentMemo
    ) -> None:
        self._profile, self._images, self._memo = profile, images, memo

    def look(self) -> None:
        """Has the images' vectors made already; what is wrong with one is for its probe to say."""
        with suppress(InputError):
            _ = self._vectors

    def measure(self) -> None:
        """Has the images' statistics made already."""
        _ = self._measured

    @cached_property
    def captions(self) -> dict[str, str]:
        """By image; "" where the captioner abstains."""

        def made(images: list[str]) -> list[str]:
            captioner = self._profile.captioner()
            captions = self._whole(caption_images(captioner, self._files(images)), images)
            return [caption.text for caption in captions]

        return self._memo.of("caption", self._images, made)

    @cached_property
    def image_texts(self) -> dict[str, str]:
        """The text that each image shows; "" where it shows none.

        Raises:
            ConfigError: the extra that reads it is not installed.
        """

        def made(images: list[str]) -> list[str]:
            texts: list[str] = self._whole(read_texts(self._files(images)), images)
            return texts

        return self._memo.of("image_text", self._images, made)

    @cached_property
    def _vectors(self) -> dict[str, np.ndarray]:
        def made(images: list[str]) -> list[np.ndarray]:
            encoded = embed(self._profile, "image", None, self._files(images))
            return _apart(self._whole(encoded, images))

        return self._memo.of(_vectors_of("image"), self._images, made)

    @cached_property
    def _measured(self) -> dict[str, Measures]:
        return self._memo.of("measures", self._images, self._measure)

    def columns(self, contents: Sequence[Content]) -> dict[str, Any]:
        """Vectors by space, or column of an extra feature, and statistics: columns of n samples.

        They are null where a content has no such thing.
        """
        with ThreadPoolExecutor(1, "measure") as aside:  # models and decoders leave Python's lock
            measuring = aside.submit(lambda: self._measured)
            columns = self._vector_columns(contents)
            of_images = measuring.result()
        measured = [None if one.image is None else of_images[one.image] for one in contents]
        return columns | dict(measures_columns(measured))

    def _vector_columns(self, contents: Sequence[Content]) -> dict[str, Any]:
        dims = self._profile.dims
        images = [content.image for content in contents]
        captions = [None if image is None else self.captions[image] for image in images]
        vectors = {
            "title": self._of_texts("title", [content.title for content in contents]),
            "image": [None if image is None else self._vectors[image] for image in images],
            "caption": self._of_texts("caption", [caption or None for caption in captions]),
            "visual": self._visual(contents, captions),
        }
        columns: dict[str, Any] = {
            space: vector_column(vectors[space], dims[space]) for space in SPACES
        }
        for name in sorted({name for content in contents for name, _ in content.texts}):
            values = [dict(content.texts).get(name) for content in contents]
            texts = [
                None if value is None or text_key(value) is None else value for value in values
            ]
            if any(texts):
                columns[text_column(name)] = vector_column(self._of_texts(TEXT, texts), dims[TEXT])
        return columns

    def _of_texts(self, space: str, texts: Sequence[str | None]) -> list[np.ndarray | None]:
        """The vectors of texts; None for None."""
        asked = sorted({text for text in texts if text is not None})

        def made(new: list[str]) -> list[np.ndarray]:
            return _apart(embed(self._profile, space, new).results)

        vectors = self._memo.of(_vectors_of(space), asked, made)
        return [None if text is None else vectors[text] for text in texts]

    def _visual(
        self, contents: Sequence[Content], captions: Sequence[str | None]
    ) -> list[np.ndarray | None]:
        """The vectors of images joined with titles or captions, as the profile has it."""
        titles = [content.title for content in contents]
        texts = titles if self._profile.visual_text == "title" else captions
        pairs = [
            None if content.image is None else (content.image, text)
            for content, text in zip(contents, texts, strict=True)
        ]

        def made(new: list[tuple[str, str | None]]) -> list[np.ndarray]:
            images = [image for image, _ in new]
            words = [text or "" for _, text in new]
            encoded = embed(self._profile, "visual", words, self._files(images))
            return _apart(self._whole(encoded, images))

        asked = [pair for pair in pairs if pair is not None]
        vectors = self._memo.of(_vectors_of("visual"), asked, made)
        return [None if pair is None else vectors[pair] for pair in pairs]

    def _measure(self, images: list[str]) -> list[Measures]:
        def measured(image: str) -> Measures:
            try:
                return measure_file(self._images[image].data)
            except UnreadableError as error:
                raise _unreadable(self._images[image], error) from error

        return in_threads(measured, images)

    def _files(self, images: Sequence[str]) -> list[bytes]:
        return [self._images[image].data for image in images]

    def _whole(self, encoded: Encoded[Any], images: Sequence[str]) -> Any:
        """The results of a batch of images in which nothing may fail."""
        for place, failure in encoded.failures.items():
            file = self._images[images[place]]
            if isinstance(failure, Uncaptioned):
                raise Failure(
                    f"{file.name} got no caption: {failure.reason.sentence} ({failure.detail})."
                )
            raise _unreadable(file, failure)
        return encoded.results


def _vectors_of(space: str) -> str:
    """The kind of a space's vectors in the memo."""
    return f"vectors of {space}"


def _apart(vectors: np.ndarray) -> list[np.ndarray]:
    """Each vector by itself: a view would hold its whole batch in memory."""
    return [vector.copy() for vector in vectors]


def _check_size(name: str, size: int, images: ImageSettings) -> None:
    if size > images.max_bytes:
        raise InputError(
            f"{name} is larger than {images.max_bytes:,} bytes "
            "(images.max_bytes): give a smaller file, or raise that setting."
        )


def _unreadable(file: ImageFile, error: UnreadableError) -> InputError:
    return InputError(
        f"{file.name} can't be encoded: {error.reason.sentence} ({error.detail}). Give "
        "another still JPEG, PNG or WebP image."
    )
