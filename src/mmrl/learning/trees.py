"""Gradient boosted trees (CatBoost) on metadata, with or without shortened embeddings."""

from typing import Any

import numpy as np

from mmrl.learning.inputs import Inputs

_ROUNDS = 800
_PATIENCE = 60


def matrix(inputs: Inputs, modalities: tuple[str, ...]) -> np.ndarray:
    """(n, width) float32 of some modalities; NaN where one is missing. The subreddit comes last."""
    parts = [
        np.where(inputs.present[name][:, None] > 0, inputs.values[name], np.float32(np.nan))
        for name in modalities
    ]
    return np.concatenate([*parts, inputs.subreddit[:, None].astype(np.float32)], axis=1)


def fit_trees(
    train: Inputs,
    target: np.ndarray,
    validation: Inputs,
    validation_target: np.ndarray,
    modalities: tuple[str, ...],
    *,
    seed: int,
    threads: int | None = None,
) -> Any:
    """Trees on the given modalities and the subreddit, stopped early on the validation posts."""
    import catboost

    wide = any(name not in ("post", "author") for name in modalities)
    model = catboost.CatBoostRegressor(
        iterations=_ROUNDS,
        learning_rate=0.05,
        depth=5 if wide else 6,
        l2_leaf_reg=5.0,
        rsm=0.3 if wide else 0.8,
        loss_function="RMSE",
        random_seed=seed,
        thread_count=threads or -1,
        allow_writing_files=False,
        verbose=False,
    )
    model.fit(
        catboost.Pool(matrix(train, modalities), target),
        eval_set=catboost.Pool(matrix(validation, modalities), validation_target),
        early_stopping_rounds=_PATIENCE,
    )
    return model


def predict_trees(model: Any, inputs: Inputs, modalities: tuple[str, ...]) -> np.ndarray:
    """(n,) predictions."""
    if not len(inputs):
        return np.zeros(0)
    return np.asarray(model.predict(matrix(inputs, modalities)), dtype=np.float64)
