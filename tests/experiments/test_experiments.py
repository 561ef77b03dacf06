"""Experiments: plans, cells that are trained once, and the table of them."""

import csv
import shlex
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

import mmrl
from mmrl.catalog.tombstones import mark_posts
from mmrl.cli.app import app
from mmrl.errors import InputError, NotFoundError
from mmrl.experiments import run
from mmrl.experiments.plan import cells, read_plan
from mmrl.experiments.run import restricted
from mmrl.experiments.table import rows_of
from mmrl.learning.splits import split_by_column, split_by_group
from tests.support.filled_home import fill_samples, packaged_samples
from tests.support.learning_samples import make_samples, quick_baselines

PLAN = """
name = "pictures"
as_of = "2026-09-15"
targets = ["log_score"]
splits = ["time", "author"]
seeds = [0, 1]
learners = ["mmrl", "subreddit_median"]

[features]
everything = ["all"]
no_picture = ["title", "post", "author"]
"""
SAMPLES = make_samples(400)


def plan_file(folder: Path, text: str = PLAN) -> Path:
    file = folder / "plan.toml"
    file.write_text(text)
    return file


def test_a_plan_stands_for_every_combination_each_with_its_own_key(tmp_path: Path) -> None:
    plan = read_plan(plan_file(tmp_path))
    found = list(cells(plan))
    assert len(found) == 2 * 2 * 2
    assert len({cell.key(plan) for cell in found}) == len(found)
    other = read_plan(plan_file(tmp_path, PLAN.replace('"title", ', "")))
    changed = [cell.features for cell in found if cell.key(plan) != cell.key(other)]
    assert set(changed) == {"no_picture"}


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('splits = ["tim"]', "'tim' is none of time, random"),
        ('learners = ["gpt"]', "'gpt' is none of mmrl, network"),
        ("seed = [1]", "seed: Extra inputs"),
        ("seeds = []", "seeds: List should have at least 1"),
        ('[features]\nx = ["colour"]', "'colour' is none of all, title"),
        ("seeds = [", "not valid TOML"),
    ],
)
def test_a_wrong_line_of_a_plan_is_named(tmp_path: Path, line: str, message: str) -> None:
    text = f'name = "x"\nas_of = "2026-09-15"\n{line}\n'
    with pytest.raises(InputError, match=message.replace("[", r"\[")):
        read_plan(plan_file(tmp_path, text))


def test_without_a_group_nothing_of_it_can_be_learned() -> None:
    kept = restricted(SAMPLES, ("title", "author"))
    assert "image" not in kept.schema.names
    assert "title" in kept.schema.names
    for name in run.NUMERIC["post"]:
        assert kept[name].null_count == SAMPLES.num_rows
    assert kept["author_mean_lift"].equals(SAMPLES["author_mean_lift"])
    assert kept["log_score"].equals(SAMPLES["log_score"])
    assert restricted(SAMPLES, tuple(run.NUMERIC)).schema.names.count("title") == 0


@pytest.mark.parametrize("column", ["author_id", "subreddit"])
def test_no_author_and_no_subreddit_is_in_two_parts(column: str) -> None:
    everything = np.ones(SAMPLES.num_rows, bool)
    shares = {"validation_share": 0.25, "test_share": 0.25}
    split = split_by_group(SAMPLES, everything, column, seed=3, **shares)  # type: ignore[arg-type]
    names = np.array(SAMPLES[column].to_pylist(), dtype=object)
    parts = [set(names[rows]) - {None} for rows in (split.train, split.validation, split.test)]
    assert not parts[0] & parts[1] | parts[0] & parts[2] | parts[1] & parts[2]
    assert split.leaking
    total = sum(len(rows) for rows in (split.train, split.validation, split.test))
    assert total == SAMPLES.num_rows


def test_a_column_of_one_s_own_says_the_parts() -> None:
    values = ["Train", "validation", "test", "other", None] * 80
    split = split_by_column(SAMPLES, np.ones(400, bool), values)
    assert [len(part) for part in (split.train, split.validation, split.test)] == [80, 80, 80]
    assert len(split.gap) == 160
    with pytest.raises(InputError, match="no post for train"):
        split_by_column(SAMPLES, np.ones(400, bool), ["test"] * 400)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[mmrl.Home]:
    monkeypatch.setenv("MMRL_FILTER__REQUIRE_IMAGE", "false")
    options = {"bootstrap": 100, "min_samples": 100}
    home = mmrl.open(tmp_path / "home", create=True, quiet=True, threads=1, train=options)
    fill_samples(home.catalog, packaged_samples(300))
    with quick_baselines():
        yield home


def train_in_no_time(patch: pytest.MonkeyPatch) -> None:
    """Stands for a training: the newest fifth is the test, and each prediction is the truth."""

    def train(samples: pa.Table, *_: object, **__: object) -> SimpleNamespace:
        newest = samples.slice(samples.num_rows * 4 // 5)
        facts = ["post_id", "subreddit", "created_at", "log_score", "popularity"]
        return SimpleNamespace(test_predictions=with_q50(newest.select(facts)))

    patch.setattr("mmrl.learning.train.train", train)


def with_q50(table: pa.Table) -> pa.Table:
    for name in ("q10", "q50", "q90"):
        table = table.append_column(name, table["log_score"])
    return table


def test_a_cell_is_trained_again_once_posts_settings_or_mmrl_are_others(
    home: mmrl.Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train_in_no_time(monkeypatch)
    file = plan_file(tmp_path, PLAN.replace('"time", "author"', '"time"').replace("[0, 1]", "[0]"))
    first = home.experiment(file)
    assert (first.trained, first.again, first.kept) == (2, 0, 0)
    fill_samples(home.catalog, packaged_samples(310))
    key = next(cells(read_plan(file))).key(read_plan(file))
    one = home.experiment(file, cell=key)
    assert (one.trained, one.again, one.stale) == (1, 1, 1)
    assert {row.features for row in one.rows} == {"everything"}
    after = home.experiment(file)
    assert (after.trained, after.again, after.kept, after.stale) == (1, 1, 1, 0)
    assert [row.posts for row in after.rows] == [62, 62]
    again = mmrl.open(home.address, quiet=True, train={"test_share": 0.3, "min_samples": 100})
    assert again.experiment(file).again == 2
    intervals = mmrl.open(
        home.address, quiet=True, train={"test_share": 0.3, "min_samples": 100, "bootstrap": 150}
    )
    assert intervals.experiment(file).kept == 2
    monkeypatch.setattr("mmrl.experiments.kept.__version__", "0.0.1")
    assert intervals.experiment(file).again == 2


def test_the_command_says_what_is_trained_again(
    home: mmrl.Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train_in_no_time(monkeypatch)
    monkeypatch.setenv("MMRL_TRAIN__MIN_SAMPLES", "100")
    file = plan_file(tmp_path, PLAN.replace('"time", "author"', '"time"').replace("[0, 1]", "[0]"))
    command = ["experiment", str(file), "--home", home.address]
    assert "2 trained, 0 kept" in CliRunner().invoke(app, command).output
    monkeypatch.setenv("MMRL_TRAIN__VALIDATION_SHARE", "0.2")
    key = next(cells(read_plan(file))).key(read_plan(file))
    one = CliRunner().invoke(app, [*command, "--cell", key]).output
    assert "1 trained (1 of them again, as posts, settings or mmrl are others now)" in one
    assert "Left out of the table: 1 trained on other posts" in one


def test_a_broken_cell_is_trained_again(
    home: mmrl.Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train_in_no_time(monkeypatch)
    file = plan_file(tmp_path, PLAN.replace('"time", "author"', '"time"').replace("[0, 1]", "[0]"))
    folder = home.experiment(file).folder / "cells"
    cell = sorted(folder.iterdir())[0]
    cell.write_bytes(cell.read_bytes()[:-8])
    assert home.experiment(file).again == 1


def test_a_post_that_is_purged_while_a_cell_is_trained_is_not_kept_with_it(
    home: mmrl.Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train_in_no_time(monkeypatch)
    real, purged = run._train, []

    def and_purge(*arguments: object) -> pa.Table:
        predictions = real(*arguments)  # type: ignore[arg-type]
        purged.append(predictions["post_id"][0].as_py())
        mark_posts(home.catalog, purged)
        return predictions

    monkeypatch.setattr(run, "_train", and_purge)
    plan = PLAN.replace('"time", "author"', '"time"').replace("[0, 1]", "[0]")
    folder = home.experiment(plan_file(tmp_path, plan)).folder
    for cell in (folder / "cells").iterdir():
        kept = pq.read_table(cell)["post_id"].to_pylist()
        assert len(kept) == 59
        assert purged[0] not in kept


def test_only_trainings_that_were_judged_on_the_same_posts_are_paired(tmp_path: Path) -> None:
    plan = read_plan(plan_file(tmp_path, PLAN.replace('"time", "author"', '"time"')))
    plan = plan.model_copy(update={"targets": ["log_score"], "learners": ["mmrl"]})
    tests = {cell: with_q50(SAMPLES.slice(300)) for cell in cells(plan)}
    commands = dict.fromkeys(tests, "again")
    _, paired = rows_of(plan, tests, commands, 100)
    assert paired.differences["spearman"] is not None
    last = list(tests)[-1]
    _, unpaired = rows_of(plan, {**tests, last: tests[last].slice(1)}, commands, 100)
    assert unpaired.differences == {}
    assert unpaired.metrics["spearman"] is not None


@pytest.mark.slow
def test_an_experiment_trains_each_cell_once_and_goes_on_after_a_kill(
    home: mmrl.Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = PLAN.replace('"time", "author"', '"time"').replace("[0, 1]", "[0]")
    file = plan_file(tmp_path, text)
    real, trained = run._train, []

    def killed(*arguments: object) -> pa.Table:
        if trained:
            raise KeyboardInterrupt
        trained.append(arguments)
        return real(*arguments)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(run, "_train", killed)
        with pytest.raises(KeyboardInterrupt):
            home.experiment(file)
    report = home.experiment(file)
    assert (report.trained, report.kept, report.failed) == (1, 1, {})
    assert home.experiment(file).kept == 2
    assert [(row.features, row.learner) for row in report.rows] == [
        ("everything", "mmrl"),
        ("everything", "subreddit_median"),
        ("no_picture", "mmrl"),
        ("no_picture", "subreddit_median"),
    ]
    first, median, no_picture, _ = report.rows
    assert first.differences == {}
    lead = no_picture.differences["spearman"]
    assert lead is not None
    assert lead.value != 0  # of 300 posts too few are tested to say which way
    own, other = first.metrics["spearman"], no_picture.metrics["spearman"]
    assert own is not None
    assert other is not None
    assert lead.value == pytest.approx(other.value - own.value)
    with (report.folder / "results.csv").open() as opened:
        rows = list(csv.DictReader(opened))
    assert {row["metric"] for row in rows if row["features"] == "everything"} >= {"spearman"}
    assert median.commands[0] in (report.folder / "results.md").read_text()
    assert shlex.split(median.commands[0])[:3] == ["mmrl", "experiment", str(file)]
    assert r"\toprule" in (report.folder / "results.tex").read_text()
    assert not home.models


@pytest.mark.slow
def test_a_cell_that_can_t_be_trained_is_told_and_stops_no_other(
    home: mmrl.Home, tmp_path: Path
) -> None:
    text = PLAN.replace('"time", "author"', '"column:fold"').replace("[0, 1]", "[0]")
    report = home.experiment(plan_file(tmp_path, text))
    assert report.rows == []
    assert len(report.failed) == 2
    assert all("no post for train" in why for why in report.failed.values())
    with pytest.raises(NotFoundError, match="There is no cell 'x'"):
        home.experiment(plan_file(tmp_path), cell="x")
