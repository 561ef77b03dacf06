"""Samples as arrays a model can read: scaled, short, and masked where something is missing.

Everything fitted here (means, spreads, vocabulary, components) is fitted on the training posts.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from mmrl.catalog.columns import IMAGE_STATISTICS, POST_FEATURES, SPACES
from mmrl.errors import InputError
from mmrl.learning.extras import ExtraFeatures, fit_extras
from mmrl.learning.projection import Projection, fit_projection
from mmrl.learning.scale import Scale, fit_scale
from mmrl.learning.targets import column
from mmrl.samples.extras import EXTRA
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
# Extra features are no modality of a model that learned from none.
MODALITIES = (*SPACES, *NUMERIC, EXTRA)

COMPONENTS = 32  # of each embedding, for the network; 64 made it worse on real posts
_LEAST_POSTS = 5  # a subreddit with fewer training posts is treated as an unknown one


@dataclass(frozen=True)
class FeatureSpec:
    """What a model expects to be given, as JSON can hold it.

    Attributes:
        encoders: by space, the encoder whose vectors it learned from; also `captioner`, and the
            version of `image_statistics`.
        dims: by space, the dimension of those vectors.
        subreddits: those it knows by name, in lower case.
        scales: by feature; a feature that no training post had is absent, and ignored.
        extras: flair, tags and columns that people bring.
        posts: it learned from; 0 for models of earlier versions, of which every post has an image.
        without_image: those of them that have no image.
    """

    encoders: dict[str, str]
    dims: dict[str, int]
    subreddits: list[str]
    scales: dict[str, Scale] = field(default_factory=dict)
    extras: ExtraFeatures = field(default_factory=ExtraFeatures)
    posts: int = 0
    without_image: int = 0

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
        names = [name for name in NUMERIC["post"] if name in self.scales]
        chosen = [index for index, name in enumerate(names) if part in name.split("_")]
        return chosen + [index + len(names) for index in chosen]

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
    """

    values: dict[str, np.ndarray]
    present: dict[str, np.ndarray]
    subreddit: np.ndarray

    def __len__(self) -> int:
        return len(self.subreddit)

    def take(self, rows: np.ndarray) -> "Inputs":
        """Some of the posts."""
        return Inputs(
            {name: values[rows] for name, values in self.values.items()},
            {name: present[rows] for name, present in self.present.items()},
            self.subreddit[rows],
        )


@dataclass(frozen=True)
class Encoding:
    """Turns samples into inputs: the spec, and the projection of each space."""

    spec: FeatureSpec
    projections: dict[str, Projection]

    @classmethod
    def fit(cls, train: pa.Table, encoders: Mapping[str, str], seed: int) -> "Encoding":
        """Fits on training posts alone."""
        spaces = [space for space in SPACES if space in train.schema.names]
        vectors = {space: vectors_of(train, space) for space in spaces}
        dims = {space: rows.shape[1] for space, (rows, _) in vectors.items()}
        counts = pc.utf8_lower(train["subreddit"]).value_counts().to_pylist()
        known = sorted(item["values"] for item in counts if item["counts"] >= _LEAST_POSTS)
        numbers = {name: column(train, name) for names in NUMERIC.values() for name in names}
        scales = {
            name: fit_scale(values)
            for name, values in numbers.items()
            if not np.isnan(values).all()
        }
        projections = {
            space: fit_projection(rows[there], COMPONENTS, seed)
            for space, (rows, there) in vectors.items()
        }
        without_image = train["log_image_pixels"].null_count
        extras = fit_extras(train)
        spec = FeatureSpec({}, dims, known, scales, extras, train.num_rows, without_image)
        roles = [*spaces, *(["captioner"] if "caption" in spaces else [])]
        roles += [STATISTICS] if spec.measured else []
        spec.encoders.update({role: encoders[role] for role in roles if role in encoders})
        return cls(spec, projections)

    def __call__(self, samples: pa.Table) -> Inputs:
        """Inputs of n samples.

        A space whose column is absent is missing for all of them.

        Raises:
            InputError: vectors of another dimension than those learned from.
        """
        values, present = {}, {}
        for space, projection in self.projections.items():
            if space not in samples.schema.names:
                values[space] = np.zeros(
                    (samples.num_rows, projection.components.shape[1]), np.float32
                )
                present[space] = np.zeros(samples.num_rows, np.float32)
                continue
            vectors, there = vectors_of(samples, space)
            if vectors.shape[1] != self.spec.dims[space]:
                raise InputError(
                    f"The {space} vectors have {vectors.shape[1]} numbers, but this model learned "
                    f"from {self.spec.dims[space]}: give those of "
                    f"{self.spec.encoders.get(space, 'its encoder')}, or train anew."
                )
            values[space] = np.where(there[:, None], projection(vectors), np.float32(0))
            present[space] = there.astype(np.float32)
        for group, names in NUMERIC.items():
            if group != STATISTICS or self.spec.measured:
                marked = group != STATISTICS
                values[group], present[group] = self._numbers(samples, names, marked=marked)
        if self.spec.extras.names:
            values[EXTRA], present[EXTRA] = self.spec.extras(samples)
        # A post always has its own metadata; only an author may be unknown altogether.
        present["post"] = np.ones(samples.num_rows, np.float32)
        number = {name: index + 1 for index, name in enumerate(self.spec.subreddits)}
        names = pc.utf8_lower(samples["subreddit"]).to_pylist()
        subreddit = [number.get(name, 0) for name in names]
        return Inputs(values, present, np.array(subreddit, np.int32))

    def _numbers(
        self, samples: pa.Table, names: tuple[str, ...], *, marked: bool
    ) -> tuple[np.ndarray, np.ndarray]:
        scaled, missing = [], []
        for name in names:
            scale = self.spec.scales.get(name)
            if scale is None:
                continue
            standard = scale(column(samples, name))
            absent = np.isnan(standard)
            scaled.append(np.where(absent, 0.0, standard))
            missing.append(absent)
        if not scaled:
            nothing = np.zeros((samples.num_rows, 1), np.float32)
            return nothing, np.zeros(samples.num_rows, np.float32)
        gone = np.stack(missing, axis=1)
        there = np.asarray(~gone.all(axis=1), dtype=np.float32)
        numbers = np.stack(scaled, axis=1)
        joined = np.concatenate([numbers, gone], axis=1) if marked else numbers
        return joined.astype(np.float32) * there[:, None], there


def vectors_of(samples: pa.Table, space: str) -> tuple[np.ndarray, np.ndarray]:
    """A space's vectors (n, dim) float32, zero where null, and which posts (n, bool) have one."""
    array = samples[space].combine_chunks()
    if isinstance(array, pa.ChunkedArray):  # no chunk at all
        array = pa.concat_arrays(array.chunks) if array.num_chunks else pa.array([], array.type)
    there = np.asarray(array.is_valid().to_numpy(zero_copy_only=False), dtype=bool)
    vectors = np.zeros((len(array), array.type.list_size), np.float32)
    if there.any():
        vectors[there] = (
            array.flatten().to_numpy(zero_copy_only=False).reshape(-1, vectors.shape[1])
        )
    return vectors, there
