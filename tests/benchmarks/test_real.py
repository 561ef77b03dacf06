"""The benchmark on real sets: its splits, another learner beside mmrl, and a small run."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from benchmarks.real.against import AutoGluon, facts_of
from benchmarks.real.judge import FOLDS, splits_of
from mmrl.config import Settings
from mmrl.learning.splits import Split
from tests.support.learning_samples import ENCODERS, make_samples
from tests.support.paths import ROOT

# In place of AutoGluon: predicts the mean of the posts to learn from, and says what it was given.
MEAN = """
import pathlib
class TabularPredictor:
    def __init__(self, label, **more):
        self.label = label
    def fit(self, table, presets):
        pathlib.Path(GIVEN).write_text(f"{len(table)} {table[self.label].isna().sum()} {presets}")
        self.mean = table[self.label].mean()
    def predict(self, table):
        assert self.label not in table
        return [self.mean + number for number in range(len(table))]
"""


def test_every_post_is_a_test_post_of_one_fold_that_learns_from_none_of_its_author() -> None:
    samples = make_samples(400)
    ids, authors = samples["post_id"].to_pylist(), samples["author_id"].to_pylist()
    named = {post: author for post, author in zip(ids, authors, strict=True) if author}
    splits = splits_of("authors", samples, named, Settings())
    tests = np.concatenate([split.test for split in splits])
    assert sorted(tests) == list(range(400))
    assert len(splits) == FOLDS
    for split in splits:
        learned, tuned, tested = (
            {authors[row] for row in part} - {None}
            for part in (split.train, split.validation, split.test)
        )
        assert len(learned | tuned | tested) == len(learned) + len(tuned) + len(tested)
        assert min(map(len, (learned, tuned, tested))) > 0
    alone = [row for row, author in enumerate(authors) if author is None]
    assert sum(bool(set(alone) & set(split.test)) for split in splits) > 1


def test_the_last_quarter_is_tested_by_time() -> None:
    samples = make_samples(400)
    (split,) = splits_of("time", samples, {}, Settings())
    assert list(split.test) == list(range(300, 400))


def test_another_environment_learns_from_the_same_posts_and_sees_no_test_label(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "autogluon").mkdir()
    given = tmp_path / "given.txt"
    (tmp_path / "autogluon" / "tabular.py").write_text(f"GIVEN = {str(given)!r}\n{MEAN}")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    samples = make_samples(400)
    split = Split(
        np.arange(200), np.arange(210, 240), np.arange(399, 299, -1), np.arange(0), "random", 0
    )
    other = AutoGluon(Path(sys.executable), "some_quality", tmp_path / "facts")
    other.check()
    values, seconds = other.predict(samples, split, Settings(), ENCODERS)
    mean = samples["log_score"].to_numpy()[[*split.train, *split.validation]].mean()
    np.testing.assert_allclose(values, mean + np.arange(100))
    assert given.read_text() == "230 0 some_quality"
    assert seconds >= 0


def test_a_post_has_the_same_facts_to_learn_from_and_to_be_tested_on() -> None:
    samples = make_samples(400)
    tested = np.arange(180, 220)  # training and validation posts
    split = Split(np.arange(200), np.arange(200, 300), tested, np.arange(0), "random", 0)
    facts = facts_of(samples, split, Settings(), ENCODERS).to_pandas().set_index("post_id")
    learned, test = (
        facts[facts["part"] == part].drop(columns="part") for part in ("learn", "test")
    )
    assert len(learned) == 300
    assert test["log_score"].isna().all()
    same = learned.loc[test.index].drop(columns="log_score")
    # Sums of float32 differ in their last bits with the number of posts that are projected at once.
    pd.testing.assert_frame_equal(same, test.drop(columns="log_score"), atol=1e-6)
    assert {"title_0", "visual_0", "author_mean_lift", "subreddit"} < set(test.columns)


def test_an_environment_without_the_other_learner_is_named_with_what_to_do(tmp_path: Path) -> None:
    for python, words in (
        (tmp_path / "none", "no Python at"),
        (Path(sys.executable), "can't import"),
    ):
        with pytest.raises(SystemExit, match=words) as stop:
            AutoGluon(python, "medium_quality", tmp_path).check()
        assert "pip install" in str(stop.value)


@pytest.mark.slow
@pytest.mark.shared_data
def test_palettes_are_learned_and_a_kept_home_is_not_embedded_again(
    shared_data: Path, tmp_path: Path
) -> None:
    words = ["lospec_palettes", "--posts", "150", "--home", str(tmp_path / "homes")]
    (by_time,) = run(shared_data, tmp_path, *words, "--split", "time")["sets"]
    vectors = {path: path.stat().st_mtime_ns for path in files(tmp_path / "homes", "embeddings")}
    assert vectors
    (by_authors,) = run(shared_data, tmp_path, *words, "--split", "authors", "--folds", "2")["sets"]
    assert {path: path.stat().st_mtime_ns for path in vectors} == vectors
    assert set(files(tmp_path / "homes", "embeddings")) == set(vectors)
    assert by_time["posts"]["test"] == 38  # a quarter of 150
    assert by_authors["posts"]["test"] == 150
    for row in (by_time, by_authors):
        ours = row["models"]["mmrl"]["metrics"]
        assert all(ours[name] for name in ("spearman", "rmse_log", "coverage_80", "width_80"))
        assert row["models"]["subreddit_median"]["metrics"]["rmse_log"]
        assert row["anchors"]
        assert any("only 150 posts were read" in note for note in row["notes"])


@pytest.mark.slow
@pytest.mark.shared_data
def test_titles_without_images_are_learned(shared_data: Path, tmp_path: Path) -> None:
    (row,) = run(shared_data, tmp_path, "earth_pics", "--posts", "150")["sets"]
    assert row["posts"]["test"] == 38
    assert row["models"]["mmrl"]["metrics"]["rmse_log"]


@pytest.mark.slow
def test_a_table_of_ones_own_is_learned_with_the_columns_that_are_named(tmp_path: Path) -> None:
    table = tmp_path / "mine.csv"
    rows = [
        f"p{n},about {n % 7} things,{1_700_000_000 + 90_000 * n},{n % 5},pics,room {n % 3}"
        for n in range(150)
    ]
    table.write_text("\n".join(["id,title,created_utc,score,subreddit,room", *rows]))
    (row,) = run(tmp_path, tmp_path, "--table", str(table), "--feature", "room")["sets"]
    assert row["set"] == "mine"
    assert row["posts"]["test"] == 38
    assert row["models"]["mmrl"]["metrics"]["rmse_log"]


def files(home: Path, table: str) -> list[Path]:
    """Data files of the tables whose names begin so."""
    return [path for path in home.rglob(f"{table}*/data/*") if path.is_file()]


def run(shared_data: Path, folder: Path, *words: str) -> dict[str, Any]:
    """What the benchmark writes."""
    found = folder / "found.json"
    variables = {
        **os.environ,
        "MMRL_SHARED_DATA": str(shared_data),
        "MMRL_TRAIN__MIN_SAMPLES": "50",
        "MMRL_TRAIN__BOOTSTRAP": "100",
    }
    command = [sys.executable, "-m", "benchmarks.real", *words, "--json", str(found)]
    subprocess.run(command, cwd=ROOT, env=variables, check=True, capture_output=True)
    read: dict[str, Any] = json.loads(found.read_text())
    return read
