"""Gradient boosted trees: CatBoost and LightGBM, on metadata, with or without short embeddings.

Their number follows from the number of posts alone. With such small steps and strong shrinkage the
error hardly rises after its least, and a few hundred validation posts tell less about where that is
than the rule does (docs/decisions.md has the figures).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol, cast

import numpy as np

from mmrl.catalog.columns import SPACES
from mmrl.learning.inputs import Inputs
from mmrl.learning.learners.blocks import COMPONENTS
from mmrl.learning.task import Part
from mmrl.runtime.lean import allow_pandas
from mmrl.samples.extras import EXTRA

Library = Literal["catboost", "lightgbm"]
METADATA = ("post", "author", EXTRA)  # modalities
_LEAST_STEPS = 500
_FEW_POSTS = 5_000
_CATBOOST_SHRINKAGE, _LIGHTGBM_SHRINKAGE = 25.0, 20.0  # steps times learning rate


class _Booster(Protocol):
    def predict(self, data: np.ndarray) -> Any: ...


@dataclass
class Trees:
    """Fitted trees.

    Attributes:
        modalities: those that they read, beside the subreddit.
        components: how many of each space's, from the first; None for all.
    """

    library: Library
    model: Any
    modalities: tuple[str, ...]
    components: int | None = COMPONENTS

    def predict(self, inputs: Inputs) -> np.ndarray:
        """(n,) predictions, in the target's units."""
        if not len(inputs):
            return np.zeros(0)
        values = cast(_Booster, self.model).predict(
            matrix(inputs, self.modalities, self.components)
        )
        return np.asarray(values, dtype=np.float64)

    def save(self, stem: Path) -> None:
        """Writes `STEM.cbm` or `STEM.txt`."""
        self.model.save_model(str(stem.with_suffix(_ENDINGS[self.library])))

    def facts(self) -> dict[str, Any]:
        """What `load` needs besides the file, as JSON can hold it."""
        return {
            "library": self.library,
            "modalities": self.modalities,
            "components": self.components,
        }

    @classmethod
    def load(cls, stem: Path, facts: Mapping[str, Any]) -> "Trees":
        """Reads what `save` wrote; raises the library's own error for a broken file."""
        library: Library = facts["library"]
        path = str(stem.with_suffix(_ENDINGS[library]))
        if library == "lightgbm":
            _require_whole(Path(path).read_bytes())
            import lightgbm

            model: Any = lightgbm.Booster(model_file=path)
        else:
            allow_pandas()
            import catboost

            model = catboost.CatBoostRegressor().load_model(path)
        modalities = tuple(facts["modalities"])
        return cls(library, model, modalities, facts["components"])


def _require_whole(text: bytes) -> None:
    """Refuses a LightGBM file whose trees are not all there.

    LightGBM reads trees in threads of its own, and an error there ends the whole process.

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
    library: Library, learn: Part, modalities: tuple[str, ...], *, seed: int, threads: int | None
) -> Trees:
    """Trees on the given modalities and the subreddit: many small steps."""
    wide = any(name not in METADATA for name in modalities)
    values = matrix(learn.inputs, modalities)
    fit = _fit_lightgbm if library == "lightgbm" else _fit_catboost
    return Trees(library, fit(values, learn.target, wide, seed, threads), modalities)


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
        "num_threads": threads or 0,
        "verbosity": -1,
    }
    return lightgbm.train(options, lightgbm.Dataset(values, target), steps)
