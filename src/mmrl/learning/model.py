"""A trained model: predicts, is saved as plain files (no pickle), and is loaded again."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from mmrl.errors import CatalogError, InputError, NotFoundError, first_line
from mmrl.learning.evaluation.calibration import widen
from mmrl.learning.inputs import Encoding, FeatureSpec, Inputs
from mmrl.learning.learners.fitting import FittedNetwork
from mmrl.learning.learners.forward import FILE, KERAS_FILE, ForwardPass
from mmrl.learning.learners.network import Reading
from mmrl.learning.learners.regressors import Regressor, load_regressor
from mmrl.learning.library_errors import library_errors
from mmrl.learning.outcomes import AUTHOR_KINDS, author_kinds
from mmrl.learning.projection import Projection
from mmrl.learning.removals import RemovalModel
from mmrl.learning.targets import TargetName, to_log_score
from mmrl.samples.batches import Vectors

FORMAT = 3
NETWORK_NAME = "network"  # the learner's name, beside the regressors'


@dataclass(frozen=True)
class Quantiles:
    """The 10, 50 and 90% quantiles of n posts, (n,) each.

    Attributes:
        unit: "log_score" for log1p(score), or "percentile" for a model that learned percentiles.
    """

    q10: np.ndarray
    q50: np.ndarray
    q90: np.ndarray
    unit: str


@dataclass(frozen=True)
class Parts:
    """What each learner predicts of n posts, in the target's units.

    Attributes:
        network: (n, 4) its location and its 10, 50 and 90% quantiles.
        points: (n,) by regressor.
    """

    network: np.ndarray
    points: dict[str, np.ndarray]

    def of(self, learner: str) -> np.ndarray:
        """One learner's prediction, (n,): the network's is its location."""
        return self.network[:, 0] if learner == NETWORK_NAME else self.points[learner]


@dataclass
class TrainedModel:
    """The learners, how they are blended, and how their inputs are encoded.

    Attributes:
        regressors: by learner, all but the network.
        weights: by learner, the network's among them; they add up to 1.
        widenings: by subreddit that outcomes are known of, in lower case, what calibration moved
            the ends of the interval by, in units of the target.
        widening: the same for every other subreddit.
        facts: what else is worth keeping with the files: when, from what, by which version.
        levels: by subreddit that outcomes are known of, what is added to its predictions, in units
            of the target: how far the newest matured posts lay above them.
        level: the same for every other subreddit.
        author_widenings: by kind of author (see `author_kinds`), what is added to the widening.
        point: what the model predicts for a post: the blended location; models of format 1 carry
            the network's median along.
        removals: the chance that a post is removed; None where too few removed posts were known,
            and in models of earlier versions.
    """

    encoding: Encoding
    network: FittedNetwork
    regressors: dict[str, Regressor]
    weights: dict[str, float]
    widenings: dict[str, float]
    widening: float
    target: TargetName
    facts: dict[str, Any]
    levels: dict[str, float] = field(default_factory=dict)
    level: float = 0.0
    author_widenings: list[float] = field(default_factory=lambda: [0.0] * len(AUTHOR_KINDS))
    point: Literal["location", "median"] = "location"
    removals: RemovalModel | None = None

    @property
    def encoders(self) -> dict[str, str]:
        """By space, the encoder whose vectors it reads; and `captioner`, whose captions."""
        return dict(self.encoding.spec.encoders)

    def predict(
        self,
        samples: pa.Table,
        encoders: Mapping[str, str] | None = None,
        vectors: Vectors | None = None,
    ) -> Quantiles:
        """Quantiles of samples in the schema of `samples_schema`; labels are not needed.

        Args:
            encoders: whose vectors the samples hold, by space; checked when given.
            vectors: of the samples; those that the table holds for None.

        Raises:
            InputError: the vectors are another encoder's, or of another dimension.
        """
        if encoders is not None:
            self.require_encoders(encoders)
        return self.quantiles(self.encoding(samples, vectors=vectors), samples)

    def quantiles(self, inputs: Inputs, samples: pa.Table) -> Quantiles:
        """Quantiles of inputs at hand.

        Args:
            samples: theirs, for the subscribers and what is known of the authors.
        """
        with library_errors("The prediction"):
            parts = self.parts(inputs)
        subreddit, names = inputs.subreddit, samples["subreddit"]
        widening = self._of_subreddits(self.widenings, self.widening, subreddit, names)
        widening += np.array(self.author_widenings)[author_kinds(samples)]
        low, middle, high = self.interval(parts, self.level_of(subreddit, names), widening)
        q10, q50, q90 = (
            to_log_score(values, samples, self.target) for values in (low, middle, high)
        )
        if q10 is None or q50 is None or q90 is None:
            return Quantiles(low, middle, high, "percentile")
        return Quantiles(q10, q50, q90, "log_score")

    def require_encoders(self, encoders: Mapping[str, str]) -> None:
        """Refuses vectors of encoders that the model did not learn from.

        Args:
            encoders: by space (and `captioner`), as a profile's `ids`.

        Raises:
            InputError: names each one that differs.
        """
        if wrong := self.differing(encoders):
            raise InputError(
                "The samples hold vectors of other encoders than this model learned from "
                f"({'; '.join(wrong)}): set `profile` and `weights` to what it was trained with, "
                "or train anew with `mmrl run`."
            )

    def differing(self, encoders: Mapping[str, str]) -> list[str]:
        """The encoders that are others than the model's, a few words each."""
        return [
            f"{role}: {encoders[role]} instead of {encoder}"
            for role, encoder in self.encoding.spec.encoders.items()
            if role in encoders and encoders[role] != encoder
        ]

    def parts(self, inputs: Inputs) -> Parts:
        """What each learner predicts."""
        return Parts(
            self.network.predict(inputs),
            {name: one.predict(inputs) for name, one in self.regressors.items()},
        )

    def location(self, parts: Parts) -> np.ndarray:
        """What the learners predict together, (n,), before any level is added."""
        blended = sum(weight * parts.of(name) for name, weight in self.weights.items())
        return np.asarray(blended)

    def level_of(self, subreddit: np.ndarray, names: pa.ChunkedArray) -> np.ndarray:
        """What is added to predictions in these subreddits, (n,).

        Args:
            subreddit: (n,) numbered as inputs have them.
            names: (n,) theirs; read of those that the model has not learned from.
        """
        return self._of_subreddits(self.levels, self.level, subreddit, names)

    def _of_subreddits(
        self,
        known: Mapping[str, float],
        other: float,
        subreddit: np.ndarray,
        names: pa.ChunkedArray,
    ) -> np.ndarray:
        values = [known.get(name, other) for name in ("", *self.encoding.spec.subreddits)]
        of_posts = np.array(values)[subreddit]
        newcomer = subreddit == 0
        if newcomer.any():
            lower = pc.utf8_lower(names.filter(pa.array(newcomer))).to_pylist()
            of_posts[newcomer] = [known.get(name, other) for name in lower]
        return of_posts

    def interval(
        self, parts: Parts, level: np.ndarray, widening: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The blend's calibrated 10, 50 and 90% quantiles, in the target's units.

        Args:
            level, widening: (n,) what each prediction is moved by, and each of its ends.
        """
        location = self.location(parts) + level
        # The network's interval, carried along to where the blend stands.
        moved = location - parts.network[:, 0]
        low, median, high = (parts.network[:, column] + moved for column in (1, 2, 3))
        middle = np.asarray(median if self.point == "median" else location)
        low, high = widen(low, middle, high, widening)
        return low, middle, high

    def save(self, folder: Path) -> None:
        """Writes `model.json`, the network's files, `projections.npz` and a file a regressor."""
        folder.mkdir(parents=True, exist_ok=True)
        self.network.save(folder)
        for name, regressor in self.regressors.items():
            regressor.save(folder / name)
        arrays: dict[str, Any] = {}
        for space, projection in self.encoding.projections.items():
            arrays[f"{space}_mean"] = projection.mean
            arrays[f"{space}_components"] = projection.components
        np.savez(folder / "projections.npz", **arrays)
        kept = {
            "format": FORMAT,
            "target": self.target,
            "point": self.point,
            "weights": self.weights,
            "widening": self.widening,
            "widenings": self.widenings,
            "levels": self.levels,
            "level": self.level,
            "author_widenings": self.author_widenings,
            "regressors": {name: one.facts() for name, one in self.regressors.items()},
            "network": {
                "widths": {n: c.shape[1] for n, c in self.network.reading.columns.items()},
                "members": len(self.network.reading.subreddit),
                "mean": self.network.mean,
                "deviation": self.network.deviation,
                "history": self.network.history,
                "epochs": self.network.epochs,
            },
            "features": self.encoding.spec.as_json(),
            "facts": self.facts,
            "removals": None if self.removals is None else self.removals.as_json(),
        }
        (folder / "model.json").write_text(json.dumps(kept, indent=1), encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> "TrainedModel":
        """Reads what `save` wrote.

        Raises:
            NotFoundError: there is no model in the folder.
            CatalogError: a newer mmrl wrote it, or a file of it is broken.
        """
        if not (folder / "model.json").is_file():
            raise NotFoundError(f"There is no model in {folder}: train one with `mmrl train`.")
        try:
            kept = json.loads((folder / "model.json").read_text(encoding="utf-8"))
            if kept["format"] > FORMAT:
                raise CatalogError(
                    f"The model in {folder} has format {kept['format']}, made by a newer mmrl; "
                    f"this one reads up to {FORMAT}: update mmrl."
                )
            kept = _as_format_3(_as_format_2(kept))
            encoding, network, regressors = _read_parts(folder, kept)
            told = kept.get("removals")
            removals = None if told is None else RemovalModel.from_json(told)
        except CatalogError:
            raise
        except Exception as error:  # a broken file is met by json, NumPy, Keras and the trees
            raise CatalogError(
                f"The model in {folder} can't be read ({first_line(error)}): promote another "
                "version, or let `mmrl repair` take this one off the list."
            ) from error
        return cls(
            encoding,
            network,
            regressors,
            kept["weights"],
            kept["widenings"],
            kept["widening"],
            kept["target"],
            kept["facts"],
            kept["levels"],
            kept["level"],
            kept.get("author_widenings", [0.0] * len(AUTHOR_KINDS)),
            kept["point"],
            removals,
        )


def _read_parts(
    folder: Path, kept: dict[str, Any]
) -> tuple[Encoding, FittedNetwork, dict[str, Regressor]]:
    """The encoding and the learners, from the files beside `model.json`."""
    stored = np.load(folder / "projections.npz", allow_pickle=False)
    spec = FeatureSpec.from_json(kept["features"])
    projections = {
        space: Projection(stored[f"{space}_mean"], stored[f"{space}_components"])
        for space in spec.dims
    }
    network = _read_network(folder, kept["network"])
    regressors = {
        name: load_regressor(folder / one.get("file", name), one)
        for name, one in kept["regressors"].items()
    }
    return Encoding(spec, projections), network, regressors


def _read_network(folder: Path, facts: dict[str, Any]) -> FittedNetwork:
    """The network; of a model that an earlier mmrl kept, by Keras."""
    reading = Reading.everything(facts["widths"], facts["members"])
    known = {name: facts[name] for name in ("mean", "deviation", "history", "epochs")}
    if (folder / FILE).exists():
        return FittedNetwork(None, ForwardPass.load(folder), reading, **known)
    from mmrl.learning.learners.layers import keras

    model = keras.saving.load_model(folder / KERAS_FILE, compile=False)
    return FittedNetwork.of(model, reading, **known)


def _as_format_2(kept: dict[str, Any]) -> dict[str, Any]:
    """What is kept of a model, as of format 2; format 1 blended the network with one CatBoost."""
    if kept["format"] > 1:
        return kept
    weight = kept["network_weight"]
    trees = {
        "library": "catboost",
        "modalities": list(kept["network"]["widths"]),
        "rounds": 0,
        "file": "trees",
    }
    return {
        **kept,
        "point": "median",
        "weights": {NETWORK_NAME: weight, "boosting": 1.0 - weight},
        "widenings": {},
        "trees": {"boosting": trees},
    }


def _as_format_3(kept: dict[str, Any]) -> dict[str, Any]:
    """What is kept of a model, as of format 3; earlier ones knew no extra features and no level,
    and their trees read all components."""
    if kept["format"] > 2:
        return kept
    return {
        **kept,
        "features": {**kept["features"], "extras": {"numbers": {}, "words": {}}},
        "regressors": {name: {**one, "components": None} for name, one in kept["trees"].items()},
        "levels": {},
        "level": 0.0,
    }
