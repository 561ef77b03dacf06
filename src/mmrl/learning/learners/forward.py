"""The trained network's forward pass in NumPy: predicting needs no Keras and no TensorFlow.

`network.npz` holds each layer's arrays by the layer's name; see `network.build` for what they are.
"""

import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from mmrl.learning.learners.network import Reading

FILE = "network.npz"
KERAS_FILE = "network.keras"  # the same network, for Keras
_DENSE = ("left", "right", "alone", "together")


class ForwardPass:
    """The network as arrays.

    Args:
        arrays: by layer and what it is of the layer, such as `image_tower/kernel`.
    """

    def __init__(self, arrays: dict[str, np.ndarray]) -> None:
        self._arrays = arrays

    @classmethod
    def of(cls, model: Any, modalities: tuple[str, ...]) -> "ForwardPass":
        """The forward pass of a Keras model that `network.build` made."""
        held: dict[str, np.ndarray] = {}
        for name in (*(f"{modality}_tower" for modality in modalities), *_DENSE):
            held[f"{name}/kernel"], held[f"{name}/bias"] = model.get_layer(name).get_weights()
        for modality in modalities:
            (held[f"{modality}_token"],) = _own(model.get_layer(f"{modality}_token"))
        (held["subreddit_vector"],) = _own(model.get_layer("subreddit_vector"))
        return cls(held)

    @classmethod
    def load(cls, folder: Path) -> "ForwardPass":
        """Reads what `save` wrote.

        Raises:
            ValueError, OSError, zipfile.BadZipFile: the file, or Keras' beside it, is broken.
        """
        with zipfile.ZipFile(folder / KERAS_FILE) as beside:
            if (broken := beside.testzip()) is not None:
                raise ValueError(f"{KERAS_FILE}: {broken} is broken")
        with np.load(folder / FILE, allow_pickle=False) as stored:
            return cls({name: stored[name] for name in stored.files})

    def save(self, folder: Path) -> None:
        """Writes `network.npz`."""
        arrays: dict[str, Any] = self._arrays
        np.savez(folder / FILE, **arrays)

    def __call__(self, batch: dict[str, np.ndarray], reading: Reading) -> np.ndarray:
        """What the Keras model gives for `network.spread(batch, reading)`, (n, members, 4)."""
        towers = [
            self._tower(modality, batch, may, reading.columns[modality])
            for modality, may in reading.modalities.items()
        ]
        vectors = self._arrays["subreddit_vector"][:, batch["subreddit"], :].transpose(1, 0, 2)
        towers.append(vectors * reading.subreddit[None, :, None])
        joined = np.concatenate(towers, axis=-1)
        products = self._dense("left", joined) * self._dense("right", joined)
        return _quantiles(self._dense("alone", joined) + self._dense("together", products))

    def _tower(
        self, modality: str, batch: dict[str, np.ndarray], may: np.ndarray, columns: np.ndarray
    ) -> np.ndarray:
        """A modality's tower, with its token where a post or a member lacks it."""
        given, has = batch[modality], batch[f"has_{modality}"]
        first = _first_of_runs(given, has)  # drafts in a row often share an image or a title
        values = given[first][:, None, :] * columns[None]
        made = _gelu(self._dense(f"{modality}_tower", values))
        there = has[first][:, None] * may[None] > 0.5
        tower = np.where(there[..., None], made, self._arrays[f"{modality}_token"][None])
        return np.repeat(tower, np.diff(np.append(first, len(given))), axis=0)

    def _dense(self, name: str, values: np.ndarray) -> np.ndarray:
        # (batch, members, in) by (members, in, out): a product of matrices a member.
        product = np.matmul(values.transpose(1, 0, 2), self._arrays[f"{name}/kernel"])
        return np.asarray(product.transpose(1, 0, 2) + self._arrays[f"{name}/bias"])


def _first_of_runs(values: np.ndarray, has: np.ndarray) -> np.ndarray:
    """The rows, of n, that differ from the row before them; 0 is one."""
    differs = np.any(values[1:] != values[:-1], axis=1) | (has[1:] != has[:-1])
    return np.flatnonzero(np.append(True, differs)) if len(values) else np.zeros(0, np.int64)


def _own(layer: Any) -> list[np.ndarray]:
    """A layer's learned arrays, without the state of its draws."""
    return [np.asarray(weight.numpy()) for weight in layer.trainable_weights]


def _gelu(values: np.ndarray) -> np.ndarray:
    """x P(X <= x) of a standard normal X (Hendrycks and Gimpel 2016), exact, as Keras has it."""
    from scipy.special import erf

    half = np.float32(0.5)
    return np.asarray(half * values * (1 + erf(values * np.float32(np.sqrt(0.5)))))


def _softplus(values: np.ndarray) -> np.ndarray:
    return np.logaddexp(values, np.float32(0))


def _quantiles(raw: np.ndarray) -> np.ndarray:
    """As `layers.Quantiles`: location and the 10, 50 and 90% quantiles, never crossing."""
    location = raw[..., 0]
    middle = location + np.float32(0.1) * raw[..., 1]
    low, high = middle - _softplus(raw[..., 2]), middle + _softplus(raw[..., 3])
    return np.stack([location, low, middle, high], axis=-1)
