"""Ids that do not count up, from the start or from the middle of a run: nothing is lost unsaid."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from mmrl.cli.terminal.collector_lines import line, lines
from mmrl.collector.reading import Frontier, Reading
from mmrl.config import Settings
from mmrl.sandbox import Faults
from mmrl.status import survey
from tests.support.service_trial import HOUR, START, Trial, busy


@pytest.mark.slow
@pytest.mark.parametrize("after_hours", [0, 1.0])
def test_every_post_is_kept_once_where_ids_have_no_order(
    make_trial: Callable[..., Trial], after_hours: float
) -> None:
    world = busy(1_500, 2).without_id_order(START + timedelta(hours=after_hours))
    trial = make_trial(world, checkpoints_hours=[30])
    trial.server.misfortune.set(Faults(duplicates=0.05, held_back=0.05, server_error=0.05))
    for hours in (0.7, 0.8, 9.0):  # restarts; the last one long enough for a check
        trial.run(hours)
    ids = trial.ids()
    assert len(ids) == len(set(ids)) == 1_500
    assert any("no longer count up" in sentence for sentence in trial.told)
    assert sum("no longer count up" in sentence for sentence in trial.told) == 1


@pytest.mark.parametrize("after_hours", [0, 0.4])
def test_a_gap_without_order_is_said_with_its_times_and_posts_around_it_are_kept(
    make_trial: Callable[..., Trial], after_hours: float
) -> None:
    world = busy(2_000, 4, subreddits=1).without_id_order(START + after_hours * HOUR)
    trial = make_trial(world, checkpoints_hours=[30])
    trial.run(0.5)
    trial.server.now += 3 * 3_600  # 1,500 posts: the listing shows 1,000 of them
    status = trial.run(0.5)
    kept = set(trial.ids())
    read_by = trial.server.now - 900  # the longest time between two polls
    world_posts = [post for post in trial.server.world if post.created < read_by]
    missing = [post for post in world_posts if post.id not in kept]
    assert 400 < len(missing) < 600
    assert status.gaps_unlisted == 1
    gap = survey(trial.catalog, Settings(), trial.clock.now()).live[0].unlisted[0]
    assert all(gap.from_id <= post.created <= gap.to_id for post in missing)
    assert any("have no order to ask for it by" in sentence for sentence in trial.told)
    for said in (line(status), lines(status)):
        assert "can't be asked for" in said


@pytest.mark.slow
def test_a_gap_from_before_the_change_is_still_filled_by_ids(
    make_trial: Callable[..., Trial],
) -> None:
    world = busy(2_000, 4, subreddits=1).without_id_order(START + 3.6 * HOUR)
    trial = make_trial(world, checkpoints_hours=[30])
    trial.run(0.5)
    trial.server.now += 3 * 3_600
    trial.run(0.01)
    trial.run(1.0)
    assert sorted(trial.ids()) == sorted(trial.there())


def test_a_few_posts_of_another_time_are_no_change_of_order() -> None:
    reading = Reading(Frontier(0, None))
    reading.take([(2_000 - n, 2_000 - n + 50 * (n in (20, 70))) for n in range(100)], 100)
    assert reading.in_order()
    assert reading.in_order_since(1_901) is False  # too few to say
