"""Ranks drafts: the one way to predict posts that are not posted yet.

Each image, title and pair of them is encoded once; what is known of authors, subreddits and images
is read once, when a `Predictor` is opened; all combinations are predicted in parts of bounded size.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property

import numpy as np
import pyarrow as pa

from mmrl.catalog import Catalog, quote
from mmrl.catalog.keys import author_keys
from mmrl.config import Settings
from mmrl.encoders.device.threads import use_threads
from mmrl.encoders.profiles import Profile, load_profile
from mmrl.errors import InputError
from mmrl.images.decode import use_limit
from mmrl.learning.inputs import MODALITIES, Inputs
from mmrl.learning.registry.registry import Registry
from mmrl.learning.registry.version import Registered
from mmrl.learning.targets import column, to_popularity
from mmrl.samples import Known, extras_column, text_column
from mmrl.samples.extras import EXTRA
from mmrl.samples.load import encoders_of
from mmrl.serving import notes
from mmrl.serving.combine import Combinations, Facts
from mmrl.serving.compare import Compared, compare, shared_error
from mmrl.serving.contents import Content, EncodedContents, ReadImage, read_image
from mmrl.serving.drafts import Drafts, check_drafts
from mmrl.serving.ranking import Choice, Columns, Ranked, Ranking
from mmrl.serving.spread import chance_above
from mmrl.sources.extras import FLAIR, IMAGE_TEXT, extra_value
from mmrl.sources.kinds import SIMULATED
from mmrl.times import parse_time

_CONTENTS, _DRAFTS = 256, 16_384  # at a time: as vectors, as features
_OF_DRAFT = ("post", "author")  # modalities; the others are of the content alone
_OF_CONTENT = tuple(name for name in MODALITIES if name not in _OF_DRAFT)
_TOP = 0.9  # of a subreddit's posts lie below its top tenth


@dataclass(frozen=True)
class Predictor:
    """A model, and what was known at a time, ready to rank drafts.

    Attributes:
        known: of authors, subreddits and images, as of its time.
        simulated: whether the home holds posts that nobody ever wrote.
    """

    catalog: Catalog
    settings: Settings
    registered: Registered
    profile: Profile
    known: Known
    simulated: bool

    @classmethod
    def open(
        cls, catalog: Catalog, settings: Settings, as_of: datetime, version: str = "champion"
    ) -> "Predictor":
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
        known = Known(catalog, settings, as_of)
        simulated = catalog.count("posts", SIMULATED) > 0
        return cls(catalog, settings, registered, profile, known, simulated)

    def at(self, as_of: datetime) -> "Predictor":
        """The same model with what was known at another time, read anew."""
        return replace(self, known=Known(self.catalog, self.settings, as_of))

    @property
    def as_of(self) -> datetime:
        """The time up to which posts are known."""
        return self.known.as_of

    @cached_property
    def shared_error(self) -> float:
        """The correlation of the model's errors of two posts of one subreddit and day."""
        test = Registry(self.catalog.home).test_predictions(self.registered.version)
        return shared_error(test, self._unit)

    def compare(self, one: Ranked, other: Ranked) -> Compared:
        """The chance that one of two ranked drafts does better than the other.

        Raises:
            InputError: the model tells nothing of one of them.
        """
        return compare(one, other, self.known.standings, self.shared_error)

    def rank(self, *drafts: Drafts) -> Ranking:
        """Predicts every combination of the drafts' choices, the best first.

        The order in which choices are given changes nothing.

        Raises:
            InputError: a file is no usable image, a title or a subreddit is empty, there are too
                many combinations, the model does not know a feature, or there is no image and the
                model learned from no post without one.
            Failure: the captioner gave nothing.
        """
        check_drafts(drafts)
        combined, encoded = self._combined(drafts)
        inputs = self._inputs_of_contents(combined, encoded)
        columns = [
            self._predict(combined, inputs, np.arange(start, min(start + _DRAFTS, len(combined))))
            for start in range(0, len(combined), _DRAFTS)
        ]
        whole = Columns(
            **{
                name: np.concatenate([getattr(part, name) for part in columns])
                for name in vars(columns[0])
            }
        )
        return self._ranking(drafts, combined, encoded, whole)

    @property
    def _unit(self) -> str:
        """Of the quantiles that the model predicts."""
        return "percentile" if self.registered.model.target == "percentile" else "log_score"

    def _combined(self, drafts: Sequence[Drafts]) -> tuple[Combinations, EncodedContents]:
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
        read: dict[bytes, ReadImage] = {}
        for each in drafts:
            for file in each.images:
                if file.data not in read:
                    read[file.data] = read_image(file, self.settings.images)
        images = [[replace(read[f.data], file=f) for f in each.images] for each in drafts]
        if not learned.reads_images:
            images = [[] for _ in drafts]
        by_hash = {image.facts.sha256: image for of_drafts in images for image in of_drafts}
        combined = Combinations.of(drafts, facts, images, self.as_of)
        return combined, EncodedContents(self.profile, dict(sorted(by_hash.items())))

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

    def _predict(self, combined: Combinations, contents: Inputs, rows: np.ndarray) -> Columns:
        """Predictions of some of the drafts, in the order of the rows."""
        model = self.registered.model
        drafts = combined.table(rows)
        samples = self.known.features(drafts, extras=False)
        inputs = model.encoding(samples, _OF_DRAFT).with_modalities(
            contents, combined.content[rows]
        )
        found = model.quantiles(inputs, samples)
        quantiles = np.stack([found.q10, found.q50, found.q90], axis=1).astype(np.float64)
        hour = combined.hour[rows]
        outcomes = self._outcomes(samples, hour, quantiles, found.unit)
        return Columns(
            combined.image[rows],
            combined.title[rows],
            combined.subreddit[rows],
            hour,
            quantiles,
            *outcomes,
        )

    def _outcomes(
        self, samples: pa.Table, hour: np.ndarray, quantiles: np.ndarray, unit: str
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Percentile, score and popularity, (n, 3) each, and the chance of the top tenth, (n,)."""
        if unit == "percentile":
            nothing = np.full(quantiles.shape, np.nan)
            top = chance_above(quantiles, np.full(len(quantiles), _TOP))
            return quantiles.clip(0.0, 1.0), nothing, nothing, top
        standings, subreddits = self.known.standings, samples["subreddit"]
        levels = np.maximum(quantiles, 0.0)  # a score under 0 counts as 0
        percentile = standings.percentiles(subreddits, hour, levels)
        # A model of popularity tells nothing where the subscribers are not known.
        percentile[np.isnan(quantiles)] = np.nan
        subscribers = column(samples, "subscribers")[:, None]
        top = chance_above(quantiles, standings.level(subreddits, hour, _TOP))
        return percentile, np.expm1(levels), to_popularity(levels, subscribers), top

    def _ranking(
        self,
        drafts: Sequence[Drafts],
        combined: Combinations,
        encoded: EncodedContents,
        columns: Columns,
    ) -> Ranking:
        registered, learned = self.registered, self.registered.model.encoding.spec
        trained_at = str(registered.model.facts["as_of"])
        of_all = [notes.SIMULATED] if self.simulated else []
        of_all += notes.of_model(parse_time(trained_at), self.as_of)
        of_all += notes.of_home(self.catalog, self.as_of) + notes.of_outcomes(self._unit)
        for each, facts in zip(drafts, combined.facts, strict=True):
            of_all += notes.of_author(each.author, facts.author_id)
            of_all += notes.of_image(bool(each.images), learned)
        return Ranking(
            model_version=registered.version,
            trained_at=trained_at,
            as_of=self.as_of,
            unit=self._unit,
            simulated=self.simulated,
            caption_kind=self.profile.shown_as.get("captioner", "caption"),
            notes=tuple(dict.fromkeys(of_all)),
            columns=columns.take(_order(columns)),
            images=[
                Choice(place, number, image.file.name, (), encoded.captions[image.facts.sha256])
                for place, number, image in combined.images
            ],
            titles=[
                Choice(place, number, title, tuple(notes.of_title(title)))
                for place, number, title in combined.titles
            ],
            subreddits=self._subreddits(combined, columns),
        )

    def _subreddits(self, combined: Combinations, columns: Columns) -> list[Choice]:
        """The subreddits with what is said beside the numbers of drafts in them."""
        learned = self.registered.model.encoding.spec
        _, example = np.unique(combined.subreddit, return_index=True)
        samples = self.known.features(combined.table(example), extras=False)
        posts = np.nan_to_num(column(samples, "log_subreddit_posts"))
        subscribers = column(samples, "subscribers")
        choices = []
        for place, (drafts, number, name) in enumerate(combined.subreddits):
            tells = [
                not np.isnan(values[example[place]]).any()
                for values in (columns.score, columns.percentile)
            ]
            said = notes.of_subreddit(name, learned, posts[place], subscribers[place], tells)
            said += notes.of_popularity(bool(np.isnan(columns.quantiles[example[place]]).any()))
            choices.append(Choice(drafts, number, name, tuple(said)))
        return choices


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


def _order(columns: Columns) -> np.ndarray:
    """The drafts from the best to the worst; equal ones as they are."""
    middle = np.stack(
        [columns.percentile[:, 1], columns.score[:, 1], columns.quantiles[:, 1]], axis=1
    )
    likely, score, quantile = np.where(np.isnan(middle), -np.inf, middle).T
    return np.lexsort((-quantile, -score, -likely))


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
