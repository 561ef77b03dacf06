"""Samples as arrays a model can read: scaled, short, and masked where something is missing.

Everything fitted here (means, spreads, vocabulary, components) is fitted on the training posts.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from itertools import accumulate
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from mmrl.catalog.columns import COLOURS, IMAGE_STATISTICS, POST_FEATURES, SPACES, TEXT
from mmrl.errors import InputError
from mmrl.learning.extras import ExtraFeatures, fit_extras
from mmrl.learning.grid import Grid
from mmrl.learning.projection import Projection, fit_projection, rows_to_fit
from mmrl.learning.scale import Scale, fit_scale, scaled
from mmrl.learning.targets import column, columns
from mmrl.samples.batches import HeldVectors, Vectors
from mmrl.samples.extras import EXTRA, text_column, text_columns
from mmrl.samples.schema import (
    AUTHOR_FEATURES,
    IMAGE_HISTORY_FEATURES,
    SUBREDDIT_FEATURES,
    TIME_FEATURES,
)
from mmrl.samples.statistics import STATISTICS

NUMERIC = {
    "post": POST_FEATURES + SUBREDDIT_FEATURES + TIME_FEATURES + IMAGE_HISTORY_FEATURES,
    "author": AUTHOR_FEATURES,
    STATISTICS: IMAGE_STATISTICS,  # no modality of a model that learned from no measured image
}
TEXTS = "extra_text"  # vectors of the extra features that are words
# Extra features are no modality of a model that learned from none.
_VECTORS = (*SPACES, COLOURS)  # a vector a post, each made short by a projection of its own
MODALITIES = (*_VECTORS, *NUMERIC, EXTRA, TEXTS)

COMPONENTS = 32  # of each embedding, for the network; 64 made it worse on real posts
_TEXT_COMPONENTS = 16  # of the vectors of each extra feature
_ROWS = 16_384  # whose numbers are scaled at a time
_LEAST_POSTS = 5  # a subreddit with fewer training posts is treated as an unknown one


@dataclass(frozen=True)
class FeatureSpec:
    """What a model expects to be given, as JSON can hold it.

    Attributes:
        encoders: by space, the encoder whose vectors it learned from; also `captioner`, and the
            version of `image_statistics`.
        dims: by space, or by column of an extra feature's texts, the dimension of those vectors.
        subreddits: those it knows by name, in lower case.
        scales: by feature; a feature that no training post had is absent, and ignored.
        extras: flair, tags and columns that people bring.
        posts: it learned from; 0 for models of earlier versions, of which every post has an image.
        without_image: those of them that have no image.
        texts: by column of an extra feature's texts, how many inputs come of it.
    """

    encoders: dict[str, str]
    dims: dict[str, int]
    subreddits: list[str]
    scales: dict[str, Scale] = field(default_factory=dict)
    extras: ExtraFeatures = field(default_factory=ExtraFeatures)
    posts: int = 0
    without_image: int = 0
    texts: dict[str, int] = field(default_factory=dict)

    @property
    def reads_images(self) -> bool:
        """Whether any post that it learned from has an image."""
        return self.posts == 0 or self.without_image < self.posts

    @property
    def measured(self) -> bool:
        """Whether any image that it learned from has statistics."""
        return any(name in self.scales for name in IMAGE_STATISTICS)

    def post_columns(self, part: str) -> list[int]:
        """Where the post's numbers speak of its `part` ("title" or "image"): in their names."""
        return self.columns_of("post", [n for n in NUMERIC["post"] if part in n.split("_")])

    def columns_of(self, group: str, names: Collection[str]) -> list[int]:
        """Where these numbers are among a marked group's ("post" or "author"), and then where the
        marks are that say that they are missing."""
        known = [name for name in NUMERIC[group] if name in self.scales]
        chosen = [place for place, name in enumerate(known) if name in names]
        return chosen + [place + len(known) for place in chosen]

    def text_blocks(self) -> dict[str, range]:
        """By column of an extra feature's texts, which columns of the inputs are its own."""
        ends = dict(zip(self.texts, accumulate(self.texts.values()), strict=True))
        return {name: range(end - self.texts[name], end) for name, end in ends.items()}

    def as_json(self) -> dict[str, Any]:
        """For `json.dumps`; `from_json` reads it back equal."""
        return asdict(self)

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> "FeatureSpec":
        """What `as_json` made."""
        scales = {name: Scale(**scale) for name, scale in stored["scales"].items()}
        return cls(
            dict(stored["encoders"]),
            dict(stored["dims"]),
            list(stored["subreddits"]),
            scales,
            ExtraFeatures.from_json(stored["extras"]),
            stored.get("posts", 0),
            stored.get("without_image", 0),
            dict(stored.get("texts", {})),
        )


@dataclass
class Inputs:
    """n posts as float32 arrays.

    Attributes:
        values: by modality, (n, width): short vectors, or scaled numbers followed by a 1 for each
            that was missing (but for statistics, which are there together); extra features as
            `mmrl.learning.extras` has them. Rows of a modality that is not there are zero, and
            not to be read.
        present: by modality, (n,) 1 where the post has it, 0 where it has not.
        subreddit: (n,) int32; 0 for one that the spec doesn't know.
        grid: what the posts have in common with each other, where that is known.
    """

    values: dict[str, np.ndarray]
    present: dict[str, np.ndarray]
    subreddit: np.ndarray
    grid: Grid | None = None

    def __len__(self) -> int:
        return len(self.subreddit)

    @property
    def widths(self) -> dict[str, int]:
        """By modality, how many numbers a post has of it."""
        return {name: values.shape[1] for name, values in self.values.items()}

    def take(self, rows: np.ndarray | slice) -> "Inputs":
        """Some of the posts; of a slice the same arrays, not copies."""
        return Inputs(
            {name: values[rows] for name, values in self.values.items()},
            {name: present[rows] for name, present in self.present.items()},
            self.subreddit[rows],
            None if self.grid is None else self.grid.take(rows),
        )

    @classmethod
    def of_grid(cls, parts: Sequence["Inputs"], grid: Grid) -> "Inputs":
        """The posts of a grid.

        Args:
            parts: of each part, as its numbers count them; each has the modalities that it has
                columns of.
        """
        values, present = {}, {}
        for name, part_of in grid.part_of.items():
            first, *others = np.unique(part_of)
            values[name] = parts[first].values[name][grid.numbers[first]]
            present[name] = parts[first].present[name][grid.numbers[first]]
            for part in others:
                columns = np.flatnonzero(part_of == part)
                values[name][:, columns] = parts[part].values[name][:, columns][grid.numbers[part]]
        subreddit = parts[grid.subreddit].subreddit[grid.numbers[grid.subreddit]]
        return cls(values, present, subreddit, grid)


@dataclass(frozen=True)
class Encoding:
    """Turns samples into inputs: the spec, and the projection of each column of vectors.

    Attributes:
        projections: by space, or by column of an extra feature's texts.
    """

    spec: FeatureSpec
    projections: dict[str, Projection]

    @classmethod
    def fit(
        cls,
        train: pa.Table,
        encoders: Mapping[str, str],
        seed: int,
        *,
        vectors: Vectors | None = None,
        both: pa.Table | None = None,
    ) -> "Encoding":
        """Fits on training posts alone.

        Args:
            vectors: of the training posts; those that the table holds for None. Projections are
                fitted on some of them. A column of which none of these has a vector is left out.
            both: the posts that are learned from in the end, which the vocabulary of subreddits
                is of; the training posts for None.
        """
        vectors, both = vectors or HeldVectors(train), train if both is None else both
        extras = fit_extras(train)
        texts = list(map(text_column, extras.words))
        projections = _projections(train, vectors, texts, seed)
        texts = [name for name in texts if name in projections]
        spaces = [name for name in SPACES if name in projections]
        dims = {name: vectors.dims[name] for name in projections}
        counts = pc.utf8_lower(both["subreddit"]).value_counts().to_pylist()
        known = sorted(item["values"] for item in counts if item["counts"] >= _LEAST_POSTS)
        numbers = {name: column(train, name) for names in NUMERIC.values() for name in names}
        scales = {
            name: fit_scale(values)
            for name, values in numbers.items()
            if not np.isnan(values).all()
        }
        without_image = both["log_image_pixels"].null_count
        widths = {name: projections[name].components.shape[1] + 1 for name in texts}
        spec = FeatureSpec({}, dims, known, scales, extras, both.num_rows, without_image, widths)
        roles = [*spaces, *(["captioner"] if "caption" in spaces else [])]
        roles += [STATISTICS] if spec.measured else []
        roles += [TEXT] if texts else []
        spec.encoders.update({role: encoders[role] for role in roles if role in encoders})
        return cls(spec, projections)

    def __call__(
        self,
        samples: pa.Table,
        modalities: Collection[str] = MODALITIES,
        *,
        vectors: Vectors | None = None,
    ) -> Inputs:
        """Inputs of n samples.

        Vectors whose column is absent are missing for all of them.

        Args:
            modalities: which to make; "post" is always among them.
            vectors: of the samples; those that the table holds for None.

        Raises:
            InputError: vectors of another dimension than those learned from.
        """
        values, present = {}, {}
        vectors = vectors or HeldVectors(samples)
        for name in self.projections:
            if name in _VECTORS and name in modalities:
                values[name], there = self._vectors(samples.num_rows, vectors, name)
                present[name] = there.astype(np.float32)
        for group, names in NUMERIC.items():
            if group in ("post", *modalities) and (group != STATISTICS or self.spec.measured):
                marked = group != STATISTICS
                values[group], present[group] = self._numbers(samples, names, marked=marked)
        if self.spec.extras.names and EXTRA in modalities:
            values[EXTRA], present[EXTRA] = self.spec.extras(samples)
        if text_columns(self.projections) and TEXTS in modalities:
            values[TEXTS], present[TEXTS] = self._texts(samples.num_rows, vectors)
        # A post always has its own metadata; only an author may be unknown altogether.
        present["post"] = np.ones(samples.num_rows, np.float32)
        number = {name: index + 1 for index, name in enumerate(self.spec.subreddits)}
        names = pc.utf8_lower(samples["subreddit"]).to_pylist()
        subreddit = [number.get(name, 0) for name in names]
        return Inputs(values, present, np.array(subreddit, np.int32))

    def _vectors(self, n: int, vectors: Vectors, name: str) -> tuple[np.ndarray, np.ndarray]:
        """Short vectors (n, k) of one column, zero where there is none, and which there are."""
        projection = self.projections[name]
        values = np.zeros((n, projection.components.shape[1]), np.float32)
        there = np.zeros(n, bool)
        dim = vectors.dims.get(name)
        if dim is None:
            return values, there
        if dim != self.spec.dims[name]:
            space = name if name in SPACES else TEXT
            raise InputError(
                f"The {space} vectors have {dim} numbers, but this model learned "
                f"from {self.spec.dims[name]}: give those of "
                f"{self.spec.encoders.get(space, 'its encoder')}, or train anew."
            )
        for rows, read in vectors.batches(name):
            values[rows], there[rows] = projection(read), True
        return values, there

    def _texts(self, n: int, vectors: Vectors) -> tuple[np.ndarray, np.ndarray]:
        """Short vectors of the extra features side by side, each with a 1 where it is missing."""
        parts, known = [], []
        for name in text_columns(self.projections):
            values, there = self._vectors(n, vectors, name)
            parts += [values, ~there[:, None]]
            known.append(there)
        present = np.any(known, axis=0).astype(np.float32)
        return np.concatenate(parts, axis=1).astype(np.float32) * present[:, None], present

    def _numbers(
        self, samples: pa.Table, names: tuple[str, ...], *, marked: bool
    ) -> tuple[np.ndarray, np.ndarray]:
        known = [name for name in names if name in self.spec.scales]
        if not known:
            nothing = np.zeros((samples.num_rows, 1), np.float32)
            return nothing, np.zeros(samples.num_rows, np.float32)
        values = np.zeros((samples.num_rows, len(known) * (1 + marked)), np.float32)
        gone = np.ones(samples.num_rows, bool)
        scales = [self.spec.scales[name] for name in known]
        for start in range(0, samples.num_rows, _ROWS):
            rows = slice(start, start + _ROWS)
            standard = scaled(columns(samples.slice(start, _ROWS), known), scales)
            absent = np.isnan(standard)
            values[rows, : len(known)] = np.where(absent, 0.0, standard)
            if marked:
                values[rows, len(known) :] = absent
            gone[rows] = absent.all(axis=1)
        values[gone] = 0.0
        return values, np.asarray(~gone, dtype=np.float32)


def _projections(
    train: pa.Table, vectors: Vectors, texts: Collection[str], seed: int
) -> dict[str, Projection]:
    """The projection of each space, of the colours and of each column of texts that has vectors."""
    chosen = rows_to_fit(train.num_rows, seed)
    fitted = {}
    for name in (*_VECTORS, *texts):
        if name in vectors.dims:
            read, there = vectors.take(name, chosen)
            most = _TEXT_COMPONENTS if name in texts else COMPONENTS
            if there.any():
                fitted[name] = fit_projection(read[there], most)
    return fitted
