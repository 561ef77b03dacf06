"""The benchmark that takes parts of a training away."""

from pathlib import Path

import numpy as np
import pytest

from benchmarks.without import PARTS, Case, compare
from mmrl.catalog.columns import COLOURS, IMAGE_STATISTICS
from mmrl.config import Settings
from mmrl.learning.splits import split_samples
from mmrl.learning.targets import labelled
from mmrl.samples.extras import EXTRA, text_columns
from tests.support.learning_samples import AS_OF, ENCODERS, QUICK_TRAINING, make_samples

WORDS = [{"flair": "blue sky" if number % 2 else "red sand"} for number in range(300)]


@pytest.mark.parametrize(
    ("name", "columns"),
    [
        ("picture", ("image", "visual", "caption", COLOURS, IMAGE_STATISTICS[0])),
        ("time", ("days_since_2005",)),
        ("authors", ("author_mean_lift",)),
        ("text_vectors", ("text:flair",)),
    ],
)
def test_what_is_taken_away_is_unknown_and_all_else_is_as_it_was(
    name: str, columns: tuple[str, ...]
) -> None:
    samples = make_samples(300, measured=True, extras=WORDS)
    assert PARTS[name].samples is not None
    left = PARTS[name].samples(samples)
    assert left.schema == samples.schema
    assert all(left[column].null_count == 300 for column in columns)
    kept = [one for one in samples.schema.names if left[one].null_count < 300]
    assert {"title", "score", EXTRA, "subreddit_mean_log_score"} <= set(kept)
    assert all(left[one].equals(samples[one]) for one in kept)


def test_words_are_taken_away_and_their_vectors_stay() -> None:
    samples = make_samples(300, extras=WORDS)
    assert PARTS["words"].samples is not None
    left = PARTS["words"].samples(samples)
    assert left[EXTRA].to_pylist() == [[]] * 300
    (column,) = text_columns(samples.schema.names)
    assert left[column].equals(samples[column])


@pytest.mark.slow
def test_a_part_that_tells_gives_something_and_one_that_is_not_there_nothing(
    tmp_path: Path,
) -> None:
    samples = make_samples(600)
    settings = Settings(train=QUICK_TRAINING)
    split = split_samples(samples, labelled(samples, "log_score"), settings)
    case = Case("made up", 0, samples, [split], settings, dict(ENCODERS), AS_OF)
    names = ["picture", "words", "kernel", "weights", "levels", "location"]
    found = compare([case], names, tmp_path)
    assert list(found) == [*names, "every part"]
    gained = {}
    for name, measures in found.items():
        measure = measures["spearman"]
        assert measure is not None, name
        gained[name] = measure.value
    assert min(gained["picture"], gained["every part"]) > 0.05
    assert gained["words"] == 0.0
    moved = {name: np.load(file) for file in tmp_path.iterdir() for name in [file.stem[10:]]}
    for name in ("kernel", "weights", "levels", "location"):
        assert not np.array_equal(moved[name], moved["whole"]), name
    np.testing.assert_array_equal(moved["words"], moved["whole"])
    before = {file: file.stat().st_mtime_ns for file in tmp_path.iterdir()}
    assert compare([case], names, tmp_path) == found
    assert {file: file.stat().st_mtime_ns for file in tmp_path.iterdir()} == before
