"""The network's forward pass in NumPy gives what Keras gives."""

from pathlib import Path

import numpy as np
import pytest

from mmrl.errors import CatalogError
from mmrl.learning.grid import Grid
from mmrl.learning.learners.forward import ForwardPass
from mmrl.learning.learners.network import NetworkShape, Reading, build, spread
from mmrl.learning.model import TrainedModel
from mmrl.learning.train import Trained
from tests.support.command import printed
from tests.support.filled_home import SAMPLES

WIDTHS = {"title": 7, "image": 5, "post": 3}
SUBREDDITS = 4


def batch(rows: int, seed: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    held: dict[str, np.ndarray] = {
        "subreddit": rng.integers(0, SUBREDDITS + 1, rows).astype(np.int32)
    }
    for name, width in WIDTHS.items():
        held[name] = (3 * rng.normal(size=(rows, width))).astype(np.float32)
        held[f"has_{name}"] = rng.integers(0, 2, rows).astype(np.float32)
    return held


@pytest.mark.slow
def test_it_equals_keras_within_1e_5_whatever_is_missing_or_may_not_be_read() -> None:
    shape = NetworkShape(members=3, tower=6, rank=4)
    model = build(WIDTHS, SUBREDDITS, shape, seed=1)
    rng = np.random.default_rng(0)
    for variable in model.trainable_variables:  # tokens and biases begin as zeros
        variable.assign(rng.normal(size=variable.shape).astype(np.float32))
    forward = ForwardPass.of(model, tuple(WIDTHS))
    everything = Reading.everything(WIDTHS, shape.members)
    some = Reading(
        {**everything.modalities, "image": np.array([1, 0, 1], np.float32)},
        {**everything.columns, "post": rng.integers(0, 2, (3, 3)).astype(np.float32)},
        np.array([0, 1, 1], np.float32),
    )
    for reading in (everything, some):
        for rows in (1, 40):
            given = batch(rows, seed=rows)
            keras = np.asarray(model(spread(given, reading), training=False))
            assert np.allclose(forward(given, reading), keras, rtol=1e-5, atol=1e-5)


@pytest.mark.slow
def test_posts_of_a_grid_get_what_each_gets_alone_whatever_is_the_content_s_or_the_place_s() -> (
    None
):
    shape = NetworkShape(members=3, tower=6, rank=4)
    model = build(WIDTHS, SUBREDDITS, shape, seed=1)
    rng = np.random.default_rng(0)
    for variable in model.trainable_variables:
        variable.assign(rng.normal(size=variable.shape).astype(np.float32))
    forward = ForwardPass.of(model, tuple(WIDTHS))
    reading = Reading.everything(WIDTHS, shape.members)
    contents, places = batch(4, seed=3), batch(5, seed=4)
    part_of = {"title": np.zeros(7, int), "image": np.ones(5, int), "post": np.array([1, 0, 1])}
    rows = rng.permutation(20)[:17]
    content, place = rows // 5, rows % 5
    grid = Grid((content, place), part_of, subreddit=1)
    posts = {name: values[content] for name, values in contents.items()}
    for name in ("subreddit", "image", "has_image"):
        posts[name] = places[name][place]
    posts["post"] = np.where(part_of["post"], places["post"][place], contents["post"][content])
    alone = [
        forward({name: values[[row]] for name, values in posts.items()}, reading)
        for row in range(len(rows))
    ]
    found = forward.of_grid(posts, reading, grid, rows=6)
    assert np.allclose(found, np.concatenate(alone), rtol=1e-5, atol=1e-5)
    nothing = {name: values[:0] for name, values in posts.items()}
    none = grid.take(rows[:0])
    assert forward.of_grid(nothing, reading, none, rows=6).shape == (0, 3, 4)


def test_a_kept_model_predicts_as_the_trained_one_and_without_tensorflow(
    trained: Trained, tmp_path: Path
) -> None:
    trained.model.save(tmp_path)
    kept = TrainedModel.load(tmp_path)
    one, other = trained.model.predict(SAMPLES), kept.predict(SAMPLES)
    for name in ("q10", "q50", "q90"):
        assert np.allclose(getattr(one, name), getattr(other, name), atol=1e-5)
    code = (
        "import sys\nfrom pathlib import Path\n"
        "from mmrl.learning.model import TrainedModel\n"
        "from tests.support.filled_home import SAMPLES\n"
        "TrainedModel.load(Path(sys.argv[1])).predict(SAMPLES)\n"
        "print(sorted({'tensorflow', 'keras'} & set(sys.modules)))"
    )
    assert printed(code, tmp_path) == "[]\n"


def test_broken_arrays_are_told_by_a_sentence(trained: Trained, tmp_path: Path) -> None:
    trained.model.save(tmp_path)
    (tmp_path / "network.npz").write_bytes(b"cut off")
    with pytest.raises(CatalogError, match="can't be read"):
        TrainedModel.load(tmp_path)


def test_a_model_that_an_earlier_mmrl_kept_is_read_by_keras(
    trained: Trained, tmp_path: Path
) -> None:
    trained.model.save(tmp_path)
    (tmp_path / "network.npz").unlink()
    earlier = TrainedModel.load(tmp_path)
    assert np.allclose(earlier.predict(SAMPLES).q50, trained.model.predict(SAMPLES).q50, atol=1e-5)
