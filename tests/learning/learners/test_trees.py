"""Boosted trees: how many steps they take, that their arrays predict what the libraries do, and how
broken files end."""

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from mmrl.learning.grid import Grid
from mmrl.learning.inputs import Inputs
from mmrl.learning.learners import forest
from mmrl.learning.learners.trees import Library, Trees, fit_trees, steps_of
from mmrl.learning.task import Part


@pytest.mark.parametrize(
    ("posts", "steps"),
    [(1, 1500), (5_000, 1500), (7_500, 1000), (15_000, 500), (1_000_000, 500)],
)
def test_few_posts_get_many_small_steps_and_many_posts_fewer(posts: int, steps: int) -> None:
    assert steps_of(posts, 1500) == steps


@pytest.mark.parametrize("share", [0.0, 0.3, 0.9])
def test_a_cut_file_of_lightgbm_is_an_error_and_ends_no_process(
    trained_home: Path, tmp_path: Path, share: float
) -> None:
    [file] = trained_home.glob("models/*/artifacts/model/lightgbm.txt")
    facts = json.loads((file.parent / "model.json").read_text(encoding="utf-8"))["regressors"]
    whole = file.read_bytes()
    (tmp_path / "lightgbm.txt").write_bytes(whole)
    Trees.load(tmp_path / "lightgbm", facts["lightgbm"])
    (tmp_path / "lightgbm.txt").write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(ValueError, match="LightGBM file"):
        Trees.load(tmp_path / "lightgbm", facts["lightgbm"])


def numbers(n: int, seed: int) -> np.ndarray:
    """(n, 6) float32, some missing, some 0, and the last a whole number."""
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(n, 6)).astype(np.float32)
    values[rng.random(values.shape) < 0.1] = np.nan
    values[rng.random(values.shape) < 0.1] = 0
    values[:, 5] = rng.integers(0, 4, n)
    return values


def learned(library: Library, seed: int = 0, unread: tuple[int, ...] = ()) -> Trees:
    """Trees that read the title's first two numbers, the post's three, and the subreddit."""
    values = numbers(300, seed)
    target = np.nan_to_num(values[:, 0] - 2 * np.abs(values[:, 3])) + values[:, 5]
    ones = np.ones(len(values), np.float32)
    inputs = Inputs(
        {"title": values[:, :2], "post": values[:, 2:5]},
        {"title": ones, "post": ones},
        values[:, 5].astype(np.int32),
    )
    part = Part(pa.table({}), inputs, target)
    return fit_trees(library, part, ("title", "post"), seed=seed, threads=1, unread=unread)


@pytest.mark.parametrize("library", ["catboost", "lightgbm"])
def test_the_arrays_predict_what_the_library_predicts_and_are_kept_and_loaded_equal(
    library: Library, tmp_path: Path
) -> None:
    trees = learned(library)
    values = numbers(200, 1)
    expected = trees.model.predict(values)
    assert np.std(expected) > 0.5
    np.testing.assert_allclose(trees.forest.predict(values), expected, atol=1e-9)
    assert trees.forest.predict(values[:0]).shape == (0,)
    trees.save(tmp_path / "kept")
    loaded = Trees.load(tmp_path / "kept", trees.facts())
    assert (loaded.forest.predict(values) == trees.forest.predict(values)).all()
    (tmp_path / "kept.npz").unlink()  # as an earlier mmrl kept them
    earlier = Trees.load(tmp_path / "kept", trees.facts())
    np.testing.assert_allclose(earlier.forest.predict(values), expected, atol=1e-9)


@pytest.mark.parametrize("library", ["catboost", "lightgbm"])
def test_a_column_that_is_not_read_changes_no_prediction(library: Library) -> None:
    values = numbers(200, 1)
    other = values.copy()
    other[:, 3] = 9 - other[:, 3]  # the post's second number, which the target hangs on
    for unread, alike in (((), False), ((1,), True)):
        trees = learned(library, unread=unread)
        one, changed = trees.forest.predict(values), trees.forest.predict(other)
        assert (one == changed).all() == alike


@pytest.mark.parametrize("library", ["catboost", "lightgbm"])
def test_posts_of_a_grid_get_what_they_get_without_it(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(forest, "_CELLS", 5_000)  # several parts of the trees
    trees = learned(library)
    contents, places = numbers(4, 2), numbers(5, 3)
    ones = np.ones(5, np.float32)
    of_contents = Inputs(
        {"title": contents[:, :2], "post": contents[:, 2:5]},
        {"title": np.array([1, 0, 1, 1], np.float32), "post": ones[:4]},
        np.zeros(4, np.int32),
    )
    at = Inputs({"post": places[:, 2:5]}, {"post": ones}, places[:, 5].astype(np.int32))
    part_of = {"title": np.zeros(2, int), "post": np.array([0, 1, 1])}
    for rows in (np.random.default_rng(0).permutation(20)[:17], np.array([0, 6, 12, 18])):
        grid = Grid((rows // 5, rows % 5), part_of, subreddit=1)
        inputs = Inputs.of_grid((of_contents, at), grid)
        plain = Inputs(inputs.values, inputs.present, inputs.subreddit)
        np.testing.assert_allclose(trees.predict(inputs), trees.predict(plain), atol=1e-9)


def test_trees_of_another_kind_are_refused() -> None:
    text = learned("lightgbm").model.model_to_string()
    with pytest.raises(ValueError, match="splits of another kind"):
        forest.of_lightgbm(text.replace("decision_type=", "decision_type=1 ", 1))
