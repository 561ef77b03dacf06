"""Gradient boosted trees: CatBoost and LightGBM, on metadata, with or without short embeddings."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol, cast

import numpy as np

from mmrl.catalog.columns import SPACES
from mmrl.learning.inputs import Inputs
from mmrl.learning.learners.blocks import COMPONENTS
from mmrl.learning.task import Part
from mmrl.samples.extras import EXTRA

Library = Literal["catboost", "lightgbm"]
METADATA = ("post", "author", EXTRA)  # modalities
_ROUNDS = 500  # the most
_EVERY = 25  # rounds between two that are compared


class _Booster(Protocol):
    def predict(self, data: np.ndarray) -> Any: ...


@dataclass
class Trees:
    """Fitted trees.

    Attributes:
        modalities: those that they read, beside the subreddit.
        rounds: trees in the sum.
        components: how many of each space's, from the first; None for all.
    """

    library: Library
    model: Any
    modalities: tuple[str, ...]
    rounds: int
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
            "rounds": self.rounds,
            "components": self.components,
        }

    @classmethod
    def load(cls, stem: Path, facts: Mapping[str, Any]) -> "Trees":
        """Reads what `save` wrote; raises the library's own error for a broken file."""
        library: Library = facts["library"]
        path = str(stem.with_suffix(_ENDINGS[library]))
        if library == "lightgbm":
            import lightgbm

            model: Any = lightgbm.Booster(model_file=path)
        else:
            import catboost

            model = catboost.CatBoostRegressor().load_model(path)
        modalities = tuple(facts["modalities"])
        return cls(library, model, modalities, facts["rounds"], facts["components"])


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
    library: Library,
    learn: Part,
    modalities: tuple[str, ...],
    *,
    seed: int,
    threads: int | None,
    choose: Part | None = None,
    rounds: int | None = None,
) -> Trees:
    """Trees on the given modalities and the subreddit.

    Args:
        choose: posts on which to choose the rounds, `_ROUNDS` at the most.
        rounds: exactly so many.
    """
    fit = _Fit(learn, modalities, seed, threads, choose, rounds)
    return _fit_lightgbm(fit) if library == "lightgbm" else _fit_catboost(fit)


@dataclass(frozen=True)
class _Fit:
    """The arguments of `fit_trees`, for either library."""

    learn: Part
    modalities: tuple[str, ...]
    seed: int
    threads: int | None
    choose: Part | None
    rounds: int | None

    def matrix(self, posts: Part) -> np.ndarray:
        return matrix(posts.inputs, self.modalities)


def _fit_catboost(fit: _Fit) -> Trees:
    import catboost

    wide = any(name not in METADATA for name in fit.modalities)
    model = catboost.CatBoostRegressor(
        iterations=fit.rounds or _ROUNDS,
        learning_rate=0.05,
        depth=5,
        l2_leaf_reg=6.0,
        rsm=0.2 if wide else 0.8,
        loss_function="RMSE",
        random_seed=fit.seed,
        thread_count=fit.threads or -1,
        allow_writing_files=False,
        verbose=False,
    )
    model.fit(catboost.Pool(fit.matrix(fit.learn), fit.learn.target))
    if fit.choose is not None:
        pool = catboost.Pool(fit.matrix(fit.choose))
        staged = model.staged_predict(pool, eval_period=_EVERY)
        best = _best_rounds(list(staged), fit.choose.target)
        model.shrink(min(best, model.tree_count_))
    return Trees("catboost", model, fit.modalities, model.tree_count_)


def _fit_lightgbm(fit: _Fit) -> Trees:
    """Extremely randomised splits (Geurts et al. 2006): trees that are unlike CatBoost's."""
    import lightgbm

    options = {
        "objective": "regression",
        "extra_trees": True,
        "learning_rate": 0.04,
        "num_leaves": 15,
        "min_data_in_leaf": 15,
        "feature_fraction": 0.3,
        "bagging_fraction": 0.7,
        "bagging_freq": 1,
        "lambda_l2": 5.0,
        "max_bin": 127,
        "seed": fit.seed,
        "deterministic": True,
        "force_row_wise": True,
        "num_threads": fit.threads or 0,
        "verbosity": -1,
    }
    data = lightgbm.Dataset(fit.matrix(fit.learn), fit.learn.target)
    model = lightgbm.train(options, data, fit.rounds or _ROUNDS)
    if fit.choose is not None:
        values = fit.matrix(fit.choose)
        staged = [
            np.asarray(model.predict(values, num_iteration=count))
            for count in range(_EVERY, _ROUNDS + 1, _EVERY)
        ]
        model.best_iteration = _best_rounds(staged, fit.choose.target)
    return Trees(
        "lightgbm", model, fit.modalities, model.best_iteration or model.current_iteration()
    )


def _best_rounds(staged: Sequence[np.ndarray], target: np.ndarray) -> int:
    """The rounds with the least squared error on validation posts, less their mean error.

    A level that has moved since the training posts says nothing of how long to learn; left in, it
    ends the learning after a few rounds.

    Args:
        staged: predictions after each `_EVERY` rounds.
    """
    return _EVERY * (1 + int(np.argmin([np.std(target - values) for values in staged])))
