"""The trained network's forward pass in NumPy: predicting needs no Keras and no TensorFlow.

`network.npz` holds each layer's arrays by the layer's name; see `network.build` for what they are.
"""

import zipfile
from collections.abc import Sequence
from functools import cached_property
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np

from mmrl.learning.grid import Grid
from mmrl.learning.learners.network import Reading

FILE = "network.npz"
KERAS_FILE = "network.keras"  # the same network, for Keras
SUBREDDIT = "subreddit"  # beside the towers, by whose names modalities go
_AFTER = ("left", "right", "alone")  # the layers that read all towers
_DENSE = (*_AFTER, "together")


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
            kernel, bias = model.get_layer(name).get_weights()
            held[f"{name}/kernel"], held[f"{name}/bias"] = kernel, bias.reshape(len(bias), -1)
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
        return self._raw(self._joined(batch, reading, (*reading.modalities, SUBREDDIT)))

    def of_grid(
        self, posts: dict[str, np.ndarray], reading: Reading, grid: Grid, rows: int
    ) -> np.ndarray:
        """The same for the posts of a grid, `rows` at a time.

        What a tower adds to the next layer is worked out once for each of its part's numbers; of a
        tower that reads of several parts, what each adds to the tower.
        """
        mixed = [name for name in reading.modalities if len(set(grid.part_of[name].tolist())) > 1]
        examples = grid.examples()
        added, before = [], []
        for part, (first, _) in zip(grid.parts(), examples, strict=True):
            seen = {name: values[first] for name, values in posts.items()}
            alone = [
                name
                for name in reading.modalities
                if name not in mixed and grid.part_of[name][0] == part
            ]
            names = [*alone, SUBREDDIT] if part == grid.subreddit else alone
            added.append(self._joined(seen, reading, names) if names else None)
            here = {name: grid.part_of[name] == part for name in mixed}
            before.append(
                {
                    name: self._before(seen, reading, name, columns)
                    for name, columns in here.items()
                    if columns.any()
                }
            )
        raw = [np.zeros((0, len(reading.subreddit), 4), np.float32)]
        for start in range(0, len(examples[0][1]), rows):
            at = slice(start, start + rows)
            which = [of_part[at] for _, of_part in examples]
            joined = sum(one[w] for one, w in zip(added, which, strict=True) if one is not None)
            for name in mixed:
                made = self._arrays[f"{name}_tower/bias"] + sum(
                    one[name][w] for one, w in zip(before, which, strict=True) if name in one
                )
                tower = self._with_token(name, made, posts[f"has_{name}"][at], reading)
                joined = joined + self._dense(self._kernels[name], tower)
            raw.append(self._raw(joined))
        return np.concatenate(raw)

    def _joined(
        self, batch: dict[str, np.ndarray], reading: Reading, names: Sequence[str]
    ) -> np.ndarray:
        """What some towers, and the subreddit's vector, add to the layers that read them all.

        (n, members, 2 rank + 4): for `left`, `right` and `alone`.
        """
        towers = []
        for name in names:
            if name == SUBREDDIT:
                vectors = self._arrays["subreddit_vector"][:, batch["subreddit"], :]
                towers.append(vectors.transpose(1, 0, 2) * reading.subreddit[None, :, None])
                continue
            everything = np.ones(batch[name].shape[1], bool)
            made = self._before(batch, reading, name, everything)
            made += self._arrays[f"{name}_tower/bias"]
            towers.append(self._with_token(name, made, batch[f"has_{name}"], reading))
        kernel = np.concatenate([self._kernels[name] for name in names], axis=1)
        return self._dense(kernel, np.concatenate(towers, axis=-1))

    def _before(
        self, batch: dict[str, np.ndarray], reading: Reading, name: str, columns: np.ndarray
    ) -> np.ndarray:
        """What some columns of a modality add to its tower, (n, members, width)."""
        values = batch[name][:, None, columns] * reading.columns[name][None, :, columns]
        return self._dense(self._arrays[f"{name}_tower/kernel"][:, columns], values)

    def _with_token(
        self, name: str, made: np.ndarray, has: np.ndarray, reading: Reading
    ) -> np.ndarray:
        """A tower, with its token where a post or a member lacks the modality."""
        there = has[:, None] * reading.modalities[name][None] > 0.5
        return np.where(there[..., None], _gelu(made), self._arrays[f"{name}_token"][None])

    @cached_property
    def _kernels(self) -> dict[str, np.ndarray]:
        """By tower, that by which the layers after it read it: (members, width, 2 rank + 4)."""
        joint = np.concatenate([self._arrays[f"{name}/kernel"] for name in _AFTER], axis=2)
        widths = {
            name.removesuffix("_token"): values.shape[-1]
            for name, values in self._arrays.items()
            if name.endswith("_token")
        }
        ends = accumulate(widths.values())
        kernels = {
            name: joint[:, end - width : end]
            for (name, width), end in zip(widths.items(), ends, strict=True)
        }
        return kernels | {SUBREDDIT: joint[:, sum(widths.values()) :]}

    def _raw(self, joined: np.ndarray) -> np.ndarray:
        """Location and quantiles, of what all towers add to the layers that read them."""
        bias = np.concatenate([self._arrays[f"{name}/bias"] for name in _AFTER], axis=1)
        rank = self._arrays["left/bias"].shape[1]
        left, right, alone = np.split(joined + bias, (rank, 2 * rank), axis=-1)
        together = self._dense(self._arrays["together/kernel"], left * right)
        return _quantiles(alone + together + self._arrays["together/bias"])

    @staticmethod
    def _dense(kernel: np.ndarray, values: np.ndarray) -> np.ndarray:
        # (batch, members, in) by (members, in, out): a product of matrices a member.
        return np.matmul(values.transpose(1, 0, 2), kernel).transpose(1, 0, 2)


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
