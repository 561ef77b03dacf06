"""An opened model: it turns drafts into what the model reads, by what was known at a time."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Self

import numpy as np
import pyarrow as pa

from mmrl.catalog import Catalog, quote
from mmrl.catalog.keys import author_keys
from mmrl.config import Settings
from mmrl.encoders.device.threads import use_threads
from mmrl.encoders.profiles import Profile, load_profile
from mmrl.errors import InputError
from mmrl.images.decode import use_limit
from mmrl.learning.grid import Grid
from mmrl.learning.inputs import MODALITIES, Inputs
from mmrl.learning.registry.registry import Registry
from mmrl.learning.registry.version import Registered
from mmrl.runtime.malloc import give_back_now
from mmrl.samples import Known, extras_column, text_column
from mmrl.samples.extras import EXTRA
from mmrl.samples.load import encoders_of
from mmrl.samples.schema import AUTHOR_FEATURES
from mmrl.serving.inputs.combine import Combinations, Facts
from mmrl.serving.inputs.content_memo import ContentMemo
from mmrl.serving.inputs.contents import Content, EncodedContents, ReadImage, read_images
from mmrl.serving.inputs.drafts import Drafts, check_drafts
from mmrl.serving.inputs.groups import columns_of_places
from mmrl.serving.ranks.once import Once
from mmrl.sources.extras import FLAIR, IMAGE_TEXT, extra_value
from mmrl.sources.kinds import SIMULATED

_CONTENTS = 256  # at a time as vectors
_OF_DRAFT = ("post", "author")  # modalities; the others are of the content alone
_OF_CONTENT = tuple(name for name in MODALITIES if name not in _OF_DRAFT)


@dataclass(frozen=True)
class Opened:
    """A model, and what was known at a time.

    Attributes:
        known: of authors, subreddits and images, as of its time.
        simulated: whether the home holds posts that nobody ever wrote.
        memo: what was worked out of what is known, for as long as that is not read anew.
        contents: what was made of drafts' contents, whatever is known.
    """

    catalog: Catalog
    settings: Settings
    registered: Registered
    profile: Profile
    known: Known
    simulated: bool
    memo: Once = field(default_factory=Once, repr=False, compare=False)
    contents: ContentMemo = field(default_factory=ContentMemo, repr=False, compare=False)

    @classmethod
    def open(
        cls, catalog: Catalog, settings: Settings, as_of: datetime, version: str = "champion"
    ) -> Self:
        """Loads a version of the model and reads what is known.

        Raises:
            NotFoundError: the version does not exist.
            InputError: the model learned from vectors of other encoders than the settings name.
        """
        use_threads(settings.threads)
        use_limit(settings.images.max_pixels)
        registered = Registry(catalog.home).load(version)
        profile = load_profile(settings)
        registered.model.require_encoders(encoders_of(profile))
        known = _known(catalog, settings, as_of)
        simulated = catalog.count("posts", SIMULATED) > 0
        return cls(catalog, settings, registered, profile, known, simulated)

    def at(self, as_of: datetime) -> Self:
        """The same model with what was known at another time, read anew."""
        return replace(self, known=_known(self.catalog, self.settings, as_of), memo=Once())

    @property
    def as_of(self) -> datetime:
        """The time up to which posts are known."""
        return self.known.as_of

    def combine(
        self,
        drafts: Sequence[Drafts],
        images: Sequence[Sequence[ReadImage]] | None = None,
        memo: ContentMemo | None = None,
    ) -> tuple[Combinations, EncodedContents]:
        """Every combination of the drafts' choices, and what makes their vectors.

        Args:
            images: those of each of the drafts, where they are read already.
            memo: another than `contents`, for images that nobody asks for again.

        Raises:
            InputError: see `Predictor.rank`.
        """
        check_drafts(drafts)
        learned, version = self.registered.model.encoding.spec, self.registered.version
        if learned.without_image == 0 and not all(each.images for each in drafts):
            raise InputError(
                f"Version {version} learned only from posts with an image, so it can't tell what "
                "one without would get: give the image's file as well, or train a model of both "
                "with filter.require_image = false."
            )
        names = [name for name in learned.extras.names if name != FLAIR]
        facts = [
            Facts(
                _author_id(self.catalog, each.author),
                each.over_18,
                each.spoiler,
                _extras(each, names, version),
            )
            for each in drafts
        ]
        if images is None:
            images = self.read_images(drafts)
        if not learned.reads_images:
            images = [[] for _ in drafts]
        by_hash = {image.facts.sha256: image.file for of_drafts in images for image in of_drafts}
        combined = Combinations.of(drafts, facts, images, self.as_of)
        kept = self.contents if memo is None else memo
        return combined, EncodedContents(self.profile, dict(sorted(by_hash.items())), kept)

    def read_images(self, drafts: Sequence[Drafts]) -> list[list[ReadImage]]:
        """The images of each of the drafts; each file is read once.

        What takes longest of a ranking, the image's vectors, is made at the same time.

        Raises:
            InputError: one is no usable image.
        """
        files = [file for each in drafts for file in each.images]
        by_hash = {file.content: file for file in files}
        encoded = EncodedContents(self.profile, by_hash, self.contents)
        looks = self.registered.model.encoding.spec.reads_images

        def probe() -> list[ReadImage]:
            read = read_images(files, self.settings.images, self.contents)
            if looks:
                encoded.measure()
            return read

        with ThreadPoolExecutor(1, "probe") as aside:  # models and decoders leave Python's lock
            probing = aside.submit(probe)
            if looks:
                encoded.look()
            read = iter(probing.result())
        return [[next(read) for _ in each.images] for each in drafts]

    def inputs(self, combined: Combinations, encoded: EncodedContents) -> "DraftInputs":
        """What the model reads of the drafts."""
        at = combined.table(combined.there)
        samples = self.known.features(at, extras=False)
        places = self.registered.model.encoding(samples, _OF_DRAFT)
        contents = self._inputs_of_contents(combined, encoded)
        part_of = {name: np.zeros(made.shape[1], int) for name, made in contents.values.items()}
        part_of["post"] = columns_of_places(self.registered.model.encoding.spec).astype(int)
        part_of["author"] = np.ones(places.values["author"].shape[1], int)
        return DraftInputs(
            (contents, places),
            Grid((combined.content, combined.place), part_of, subreddit=1),
            samples.select(["subreddit", "subscribers", "log_subreddit_posts", *AUTHOR_FEATURES]),
        )

    def _inputs_of_contents(self, combined: Combinations, encoded: EncodedContents) -> Inputs:
        """The inputs of each content, without those that depend on where and when it is posted."""
        encoding = self.registered.model.encoding
        parts = []
        for start in range(0, len(combined.example), _CONTENTS):
            rows = combined.example[start : start + _CONTENTS]
            extras = [self._extras_of(combined, int(row), encoded) for row in rows]
            contents = [
                _content(combined, int(row), of_row, encoding.spec.dims)
                for row, of_row in zip(rows, extras, strict=True)
            ]
            drafts = combined.table(rows).append_column(EXTRA, extras_column(extras))
            samples = self.known.features(drafts, encoded.columns(contents))
            parts.append(encoding(samples, _OF_CONTENT))
        return _joined(parts)

    def _extras_of(
        self, combined: Combinations, row: int, encoded: EncodedContents
    ) -> dict[str, str]:
        """A draft's extra features; the text that its image shows is one for some models."""
        learned, image = self.registered.model.encoding.spec, int(combined.image[row])
        reads = IMAGE_TEXT in learned.extras.names or text_column(IMAGE_TEXT) in learned.dims
        extras = dict(combined.facts_of(row).extras)
        if reads and image >= 0:
            text = encoded.image_texts[combined.images[image][2].facts.sha256]
            return {IMAGE_TEXT: text, **extras} if text else extras
        return extras


@dataclass(frozen=True)
class DraftInputs:
    """What a model reads of n drafts.

    Attributes:
        parts: of contents and of places.
        grid: the drafts as contents at places.
        samples: of each place, subreddit, subscribers, how many posts are known of it, and what is
            known of the author.
    """

    parts: tuple[Inputs, Inputs]
    grid: Grid
    samples: pa.Table

    def of(self, rows: np.ndarray) -> Inputs:
        """Of some of the drafts."""
        return Inputs.of_grid(self.parts, self.grid.take(rows))


def _content(
    combined: Combinations, row: int, extras: dict[str, str], dims: dict[str, int]
) -> Content:
    """What a draft says and shows; of its extra features, those that the model reads as words."""
    image, title = int(combined.image[row]), combined.titles[int(combined.title[row])][2]
    shown = None if image < 0 else combined.images[image][2].facts.sha256
    return Content(
        shown, title, tuple(item for item in extras.items() if text_column(item[0]) in dims)
    )


def _joined(parts: Sequence[Inputs]) -> Inputs:
    return Inputs(
        {name: np.concatenate([part.values[name] for part in parts]) for name in parts[0].values},
        {name: np.concatenate([part.present[name] for part in parts]) for name in parts[0].present},
        np.concatenate([part.subreddit for part in parts]),
    )


def _known(catalog: Catalog, settings: Settings, as_of: datetime) -> Known:
    known = Known(catalog, settings, as_of)
    give_back_now()
    return known


def _author_id(catalog: Catalog, name: str | None) -> str | None:
    if name is None:
        return None
    where = f"lower(author_name) = {quote(name.lower())}"
    rows = catalog.read("posts", ["author_id", "author_name"], where)
    # An id comes before a name, as an account that was read with its id has its history there.
    keys = author_keys(rows["author_id"], rows["author_name"]).to_pylist()
    return min(keys, key=lambda key: key.startswith("u/"), default=None)


def _extras(drafts: Drafts, names: Sequence[str], version: str) -> dict[str, str]:
    """Features and flair of drafts, as a stored post has them.

    Args:
        names: those that the model of this version learned from.
    """
    for name in drafts.features:
        if name == FLAIR:
            raise InputError("The flair is no feature by name: give it as the draft's flair.")
        if name not in names:
            raise InputError(
                f"The model (version {version}) knows no feature {name!r}: it knows "
                f"{', '.join(names) or 'none; import a table with --feature and train again'}."
            )
    values = {**drafts.features, FLAIR: drafts.flair}
    texts = {name: extra_value(value) for name, value in values.items()}
    return {name: text for name, text in texts.items() if text is not None}
