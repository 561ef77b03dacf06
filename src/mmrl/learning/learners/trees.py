"""Gradient boosted trees: CatBoost and LightGBM, on metadata, with or without short embeddings.

Their number follows from the number of posts alone. With such small steps and strong shrinkage the
error hardly rises after its least, and a few hundred validation posts tell less about where that is
than the rule does (docs/decisions.md has the figures).
"""

import json
import re
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np

from mmrl.catalog.columns import SPACES
from mmrl.learning.grid import Grid
from mmrl.learning.inputs import Inputs
from mmrl.learning.learners.forest import Forest, of_catboost, of_lightgbm
from mmrl.learning.task import Part
from mmrl.runtime.lean import allow_pandas
from mmrl.samples.extras import EXTRA

Library = Literal["catboost", "lightgbm"]
TREES: tuple[Library, ...] = get_args(Library)
METADATA = ("post", "author", EXTRA)  # modalities
COMPONENTS = 16  # of a space; 64 made trees worse on 1,500 posts and no better on 8,000
_LEAST_STEPS = 500
_FEW_POSTS = 5_000
_MANY_POSTS = 100_000  # below, LightGBM's threads wait for each other longer than they work
_CATBOOST_SHRINKAGE, _LIGHTGBM_SHRINKAGE = 25.0, 20.0  # steps times learning rate


@dataclass
class Trees:
    """Fitted trees.

    Attributes:
        forest: the trees, which predict.
        modalities: those that they read, beside the subreddit.
        components: how many of each space's, from the first; None for all.
        model: the library's own; None where only the trees were loaded.
    """

    library: Library
    forest: Forest
    modalities: tuple[str, ...]
    components: int | None = COMPONENTS
    model: Any = None

    def predict(self, inputs: Inputs) -> np.ndarray:
        """(n,) predictions, in the target's units."""
        if inputs.grid is None:
            return self.forest.predict(self._matrix(inputs))
        examples = [self._matrix(inputs.take(rows)) for rows, _ in inputs.grid.examples()]
        return self.forest.of_grid(examples, self._part_of(inputs.grid), inputs.grid)

    def _matrix(self, inputs: Inputs) -> np.ndarray:
        return matrix(inputs, self.modalities, self.components)

    def _part_of(self, grid: Grid) -> np.ndarray:
        """Which part of the posts each column of `matrix` is of."""
        parts = [
            grid.part_of[name][: self.components if name in SPACES else None]
            for name in self.modalities
        ]
        return np.concatenate([*parts, [grid.subreddit]])

    def save(self, stem: Path) -> None:
        """Writes `STEM.npz`, and the library's own file beside it: `STEM.cbm` or `STEM.txt`."""
        if self.model is not None:
            self.model.save_model(str(stem.with_suffix(_ENDINGS[self.library])))
        self.forest.save(stem.with_suffix(".npz"))

    def facts(self) -> dict[str, Any]:
        """What `load` needs besides the file, as JSON can hold it."""
        return {
            "library": self.library,
            "modalities": self.modalities,
            "components": self.components,
        }

    @classmethod
    def load(cls, stem: Path, facts: Mapping[str, Any]) -> "Trees":
        """Reads what `save` wrote; raises the library's own error for a broken file.

        Models of an earlier mmrl have the library's file alone.
        """
        library: Library = facts["library"]
        arrays, path = stem.with_suffix(".npz"), stem.with_suffix(_ENDINGS[library])
        if arrays.is_file():
            forest = Forest.load(arrays)
        elif library == "lightgbm":
            written = path.read_bytes()
            _require_whole(written)
            forest = of_lightgbm(written.decode())
        else:
            allow_pandas()
            import catboost

            forest = _of_catboost(catboost.CatBoostRegressor().load_model(str(path)))
        return cls(library, forest, tuple(facts["modalities"]), facts["components"])


def _require_whole(text: bytes) -> None:
    """Refuses a LightGBM file whose trees are not all there.

    What is left of a cut one could be read, and would predict something else.

    Raises:
        ValueError: the file is cut, or its trees have other sizes than its head says.
    """
    head, _, rest = text.partition(b"\n\n")
    sizes = re.search(rb"^tree_sizes=([0-9 ]+)$", head, re.MULTILINE)
    place = 0
    for number, size in enumerate(sizes[1].split() if sizes else ()):
        tree = rest[place : place + int(size)]
        single = b"\nnum_leaves=1\n" in tree
        names = (b"leaf_value",) if single else _TREE
        if not tree.startswith(b"Tree=%d\n" % number) or any(
            b"\n%s=" % name not in tree for name in names
        ):
            raise ValueError(f"tree {number} of the LightGBM file is broken")
        place += int(size)
    if not sizes or not rest[place:].startswith(b"end of trees"):
        raise ValueError("the LightGBM file is cut")


_TREE = (b"split_feature", b"threshold", b"left_child", b"right_child", b"leaf_value")
_ENDINGS: dict[Library, str] = {"catboost": ".cbm", "lightgbm": ".txt"}


def _of_catboost(model: Any) -> Forest:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "trees.json"
        model.save_model(str(file), format="json")
        return of_catboost(json.loads(file.read_bytes()))


def matrix(
    inputs: Inputs, modalities: tuple[str, ...], components: int | None = COMPONENTS
) -> np.ndarray:
    """(n, width) float32 of some modalities; NaN where one is missing. The subreddit comes last.

    Args:
        components: how many of each space's, from the first; None for all.
    """
    parts = [
        np.where(
            inputs.present[name][:, None] > 0,
            inputs.values[name][:, : components if name in SPACES else None],
            np.float32(np.nan),
        )
        for name in modalities
    ]
    return np.concatenate([*parts, inputs.subreddit[:, None].astype(np.float32)], axis=1)


def fit_trees(
    library: Library,
    learn: Part,
    modalities: tuple[str, ...],
    *,
    seed: int,
    threads: int | None,
    unread: Sequence[int] = (),
) -> Trees:
    """Trees on the given modalities and the subreddit: many small steps.

    Args:
        unread: columns of "post" that no tree may split at.
    """
    wide = any(name not in METADATA for name in modalities)
    values = matrix(_without(learn.inputs, unread), modalities)
    if library == "lightgbm":
        model = _fit_lightgbm(values, learn.target, wide, seed, threads)
        forest = of_lightgbm(model.model_to_string())
    else:
        model = _fit_catboost(values, learn.target, wide, seed, threads)
        forest = _of_catboost(model)
    return Trees(library, forest, modalities, model=model)


def _without(inputs: Inputs, columns: Sequence[int]) -> Inputs:
    """Inputs that are all alike in some columns of "post", so that nothing splits there."""
    if not columns:
        return inputs
    post = inputs.values["post"].copy()
    post[:, list(columns)] = 0.0
    return replace(inputs, values={**inputs.values, "post": post})


def steps_of(posts: int, most: int) -> int:
    """How many steps: `most` for few posts, fewer for many, whose noise averages out by itself."""
    return min(most, max(_LEAST_STEPS, most * _FEW_POSTS // posts))


def _fit_catboost(
    values: np.ndarray, target: np.ndarray, wide: bool, seed: int, threads: int | None
) -> Any:
    allow_pandas()
    import catboost

    steps = steps_of(len(target), 1000)
    model = catboost.CatBoostRegressor(
        iterations=steps,
        learning_rate=_CATBOOST_SHRINKAGE / steps,
        depth=5,
        l2_leaf_reg=6.0,
        rsm=0.2 if wide else 0.8,
        loss_function="RMSE",
        random_seed=seed,
        thread_count=threads or -1,
        allow_writing_files=False,
        verbose=False,
    )
    return model.fit(catboost.Pool(values, target))


def _fit_lightgbm(
    values: np.ndarray, target: np.ndarray, wide: bool, seed: int, threads: int | None
) -> Any:
    """Extremely randomised splits (Geurts et al. 2006): trees that are unlike CatBoost's."""
    import lightgbm

    steps = steps_of(len(target), 1500)
    options = {
        "objective": "regression",
        "extra_trees": True,
        "learning_rate": _LIGHTGBM_SHRINKAGE / steps,
        "num_leaves": 15,
        "min_data_in_leaf": 15,
        "feature_fraction": 0.3 if wide else 0.8,
        "bagging_fraction": 0.7,
        "bagging_freq": 1,
        "lambda_l2": 5.0,
        "max_bin": 127,
        "seed": seed,
        "deterministic": True,
        "force_row_wise": True,
        "num_threads": 1 if len(values) < _MANY_POSTS else threads or 0,
        "verbosity": -1,
    }
    return lightgbm.train(options, lightgbm.Dataset(values, target), steps)
