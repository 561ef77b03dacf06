"""Boosted trees: how many steps they take, and how broken files end."""

import json
from pathlib import Path

import pytest

from mmrl.learning.learners.trees import Trees, steps_of


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
