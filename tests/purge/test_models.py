"""Versions that learned from purged posts are named, and can be deleted with their files."""

import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from mmrl.catalog import Catalog
from mmrl.cli.app import app
from mmrl.learning.registry.registry import Registry
from mmrl.purge.models import _learned
from tests.support.earlier_home import unpack_earlier_home
from tests.support.report_factory import make_evaluation


def run(home: Path, *words: str) -> Any:
    result = CliRunner().invoke(app, [*words, "--home", str(home)])
    assert result.exit_code == 0, result.output
    return result


@pytest.mark.slow
def test_a_purge_names_the_versions_that_learned_from_its_posts(tmp_path: Path) -> None:
    home = tmp_path / "home"
    unpack_earlier_home(home)
    (home / "mmrl.toml").write_text("[purge]\nsettle_seconds = 0\n")
    judged = Registry(home).test_predictions("1")["post_id"].to_pylist()
    splits = Registry(home).show("1").evaluation.splits
    samples = Catalog.open(home).read("samples", where="score IS NOT NULL").to_pylist()
    learned = [
        row["post_id"]
        for row in samples
        if splits.train.start <= row["created_at"] <= splits.train.end
    ]
    told = json.loads(run(home, "purge", "--post", judged[0], "--json").stdout)
    assert (told["models"], told["learned"]) == (["1"], [])
    told = json.loads(run(home, "purge", "--post", learned[0], "--json").stdout)
    assert (told["models"], told["learned"]) == (["1"], ["1"])
    said = run(home, "purge", "--post", learned[1]).output
    assert "keep numbers made from them: 1." in said
    assert "`mmrl models drop 1`" in said
    assert list(home.glob("models/*/artifacts/model/model.json"))
    dropped = run(home, "models", "drop", "champion").output
    assert dropped == "Version 1 and its files are deleted; no version is the champion.\n"
    assert not list(home.glob("models/*/artifacts/model/*"))
    assert list(Registry(home).list()) == []


def test_posts_of_the_gap_count_where_a_version_learned_from_such() -> None:
    evaluation = make_evaluation()
    splits = evaluation.splits
    with_between = replace(evaluation, splits=replace(splits, between_posts=7))
    midway = splits.train.end + (splits.validation.start - splits.train.end) / 2
    assert splits.train.end < midway < splits.validation.start
    sample = {"post_id": "p1", "created_at": midway, "first_seen_at": midway}
    sample["label_observed_at"] = midway
    assert _learned(sample, with_between, set())
    assert not _learned(sample, evaluation, set())
    late = {**sample, "label_observed_at": evaluation.as_of + timedelta(hours=1)}
    assert not _learned(late, with_between, set())


def test_test_posts_of_an_earlier_block_were_learned_from_since_and_other_test_posts_not() -> None:
    evaluation = make_evaluation()
    splits = evaluation.splits
    several = replace(evaluation, splits=replace(splits, earlier_tests=[splits.validation]))
    moments = ("created_at", "first_seen_at", "label_observed_at")
    earlier = {"post_id": "p1", **dict.fromkeys(moments, splits.validation.start)}
    newest = {"post_id": "p2", **dict.fromkeys(moments, splits.test.start)}
    assert _learned(earlier, several, {"p1", "p2"})
    assert not _learned(newest, several, {"p1", "p2"})
    assert not _learned(earlier, evaluation, {"p1", "p2"})
