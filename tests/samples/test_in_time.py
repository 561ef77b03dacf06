"""Samples of random catalogs do not change with what comes later."""

import tempfile
from datetime import datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmrl import samples
from mmrl.catalog import Catalog
from mmrl.config import Settings
from tests.support.samples_catalog import at, image_of, merge, observation, post, write

pytestmark = pytest.mark.slow

END = 1_000.0  # hours after the start, later than all that happens below
World = tuple[list[dict[str, Any]], list[dict[str, Any]]]
few = settings(max_examples=12)

seen = st.fixed_dictionaries(
    {
        "score": st.integers(-2, 50),
        "settled": st.sampled_from([None, True, False]),
        "subscribers": st.sampled_from([None, 0, 10, 5000]),
        "author_link_karma": st.sampled_from([None, 1, 900]),
        "author_comment_karma": st.sampled_from([None, 2, 800]),
        "removed_by": st.sampled_from([None, None, None, "moderator"]),
    }
)
observations_at = st.dictionaries(
    st.sampled_from([0.5, 2, 20, 35, 36, 40, 60, 200]), seen, max_size=4
)


@st.composite
def worlds(draw: st.DrawFn, prefix: str = "p", start: int = 0, stop: int = 300) -> World:
    """A few posts, each with a few observations."""
    posts, observations = [], []
    for number in range(draw(st.integers(3, 14))):
        hours = draw(st.integers(start, stop))
        facts = {
            "subreddit": draw(st.sampled_from(["pics", "aww"])),
            "author_id": draw(st.sampled_from(["a", "b", None])),
            "phash": draw(st.sampled_from(["0" * 16, "5" * 16, "3" * 16])),
            "flair": draw(st.sampled_from(["OC", "Fan art", None])),
        }
        ages = draw(observations_at)
        first_seen = at(hours + min(ages, default=0.25))
        posts.append(post(f"{prefix}{number}", hours, first_seen_at=first_seen, **facts))
        observations += [observation(posts[-1], age, **what) for age, what in ages.items()]
    return posts, observations


def load(*worlds: World, as_of: float = END, merged: float = END) -> list[dict[str, Any]]:
    """The samples of worlds that are kept one after another, with a run after each."""
    with tempfile.TemporaryDirectory() as folder:
        catalog = Catalog.open(folder, create=True)
        for posts, observations in worlds:
            if posts or observations:
                write(catalog, posts, observations)
                merge(catalog, at(merged))
        return samples.load(catalog, Settings(), at(as_of)).to_pylist()


def features(row: dict[str, Any]) -> dict[str, Any]:
    return {name: row[name] for name in (*samples.NUMERIC_FEATURES, "extra")}


def observations_of(world: World, post_id: str) -> list[dict[str, Any]]:
    found = [observation for observation in world[1] if observation["post_id"] == post_id]
    return sorted(found, key=lambda observation: observation["observed_at"])


def was_watched(world: World, other: dict[str, Any], created_at: datetime) -> bool:
    """Whether a post's observations count from when they were made, seen from a post of that time.

    The exception is a post that had matured by then and was first looked at only after it matured:
    it counts from its maturity, see `mmrl.samples.history`.
    """
    found = observations_of(world, other["post_id"])
    young = bool(found) and found[0]["observed_at"] - other["created_at"] < (at(36) - at(0))
    return young or other["created_at"] + (at(36) - at(0)) > created_at


@few
@given(worlds(), st.data())
def test_no_observation_after_a_post_went_up_changes_its_features(
    world: World, data: st.DataObject
) -> None:
    posts, observations = world
    chosen = data.draw(st.sampled_from(posts))
    created, own = chosen["created_at"], observations_of(world, chosen["post_id"])[:1]
    watched = {p["post_id"] for p in posts if was_watched(world, p, created)}
    altered = [
        {**observation, **data.draw(seen)}
        if observation["observed_at"] > created
        and observation not in own
        and observation["post_id"] in watched
        else observation
        for observation in observations
    ]
    before = {row["post_id"]: row for row in load(world)}[chosen["post_id"]]
    after = {row["post_id"]: row for row in load((posts, altered))}[chosen["post_id"]]
    assert features(before) == features(after)


@few
@given(worlds(), st.data())
def test_no_post_that_comes_or_matures_later_changes_a_posts_features(
    world: World, data: st.DataObject
) -> None:
    posts, observations = world
    chosen = data.draw(st.sampled_from(posts))
    hours = int((chosen["created_at"] - at(0)).total_seconds() / 3600)
    later, later_observations = data.draw(worlds("q", max(hours - 35, 0), hours + 300))
    before = {row["post_id"]: row for row in load(world)}[chosen["post_id"]]
    together = load((posts + later, observations + later_observations))
    after = {row["post_id"]: row for row in together}[chosen["post_id"]]
    for young in ("image_seen_before", "log_image_posts_before"):  # count young posts, too
        assert before.pop(young) <= after.pop(young)
    assert before == after


@few
@given(worlds(), st.data())
def test_no_post_that_comes_later_changes_any_of_a_posts_features(
    world: World, data: st.DataObject
) -> None:
    posts, observations = world
    chosen = data.draw(st.sampled_from(posts))
    hours = int((chosen["created_at"] - at(0)).total_seconds() / 3600)
    later, later_observations = data.draw(worlds("q", hours, hours + 300))
    before = {row["post_id"]: row for row in load(world)}[chosen["post_id"]]
    together = load((posts + later, observations + later_observations))
    after = {row["post_id"]: row for row in together}[chosen["post_id"]]
    assert features(before) == features(after)


@few
@given(worlds(stop=150), worlds("q", 151))
def test_posts_after_a_split_change_nothing_before_it(before: World, after: World) -> None:
    alone = load(before)
    together = load((before[0] + after[0], before[1] + after[1]))
    assert together[: len(alone)] == alone


@few
@given(worlds(), st.integers(0, 500))
def test_a_past_time_shows_what_a_load_at_that_time_showed(world: World, hours: int) -> None:
    then = at(hours)
    posts = [post for post in world[0] if post["first_seen_at"] <= then]
    kept = {post["post_id"] for post in posts}
    observations = [
        observation
        for observation in world[1]
        if observation["observed_at"] <= then and observation["post_id"] in kept
    ]
    shown_then = load((posts, observations), as_of=hours, merged=hours)
    shown_now = load(world, as_of=hours)
    assert shown_now == shown_then
    assert all(
        row["label_observed_at"] is None or row["label_observed_at"] <= then for row in shown_now
    )


@few
@given(worlds(), st.integers(0, 400))
def test_labels_never_come_from_younger_observations(world: World, hours: int) -> None:
    for row in load(world, as_of=hours):
        if row["score"] is not None:
            age = row["label_observed_at"] - row["created_at"]
            assert age >= at(36) - at(0)
            told = observations_of(world, row["post_id"])
            assert row["score"] in [
                observation["score"]
                for observation in told
                if observation["observed_at"] == row["label_observed_at"]
            ]


@few
@given(worlds(), st.integers(0, 400))
def test_daily_runs_end_with_the_samples_of_one_run(world: World, hours: int) -> None:
    early = [post for post in world[0] if post["first_seen_at"] <= at(hours)]
    known = {post["post_id"] for post in early}
    early_observations = [
        observation
        for observation in world[1]
        if observation["observed_at"] <= at(hours) and observation["post_id"] in known
    ]
    late = [post for post in world[0] if post not in early]
    late_observations = [
        observation for observation in world[1] if observation not in early_observations
    ]
    assert load((early, early_observations), (late, late_observations)) == load(world)


@few
@given(worlds(), worlds("old"))
def test_older_posts_imported_later_leave_no_stale_history(first: World, older: World) -> None:
    together: World = (first[0] + older[0], first[1] + older[1])
    assert load(first, older) == load(together)


def test_the_altered_futures_are_seen_somewhere() -> None:
    """The properties above would hold of features that never see anything; these do."""
    old, new = (post(name, hours, phash="5" * 16) for name, hours in (("old", 0), ("new", 100)))
    for score, mean in ((0, 0.0), (1, 0.6931)):
        world = [old, new], [observation(old, 1, score=9), observation(old, 36, score=score)]
        row = load(world)[1]
        assert row["author_seen_before"] == 1
        assert abs(row["author_mean_log_score"] - mean) < 1e-3
        assert row["image_seen_before"] == 1
        assert abs(row["image_mean_log_score"] - mean) < 1e-3


def leave_out(catalog: Catalog, posts: set[str]) -> None:
    """Has the filter leave out posts that it had kept."""
    rows = catalog.lookup("selection", "post_id", posts).to_pylist()
    schema = catalog.read("selection").schema
    catalog.upsert("selection", pa.Table.from_pylist([{**r, "reason": "x"} for r in rows], schema))


@few
@given(worlds(), st.data())
def test_samples_of_some_posts_are_those_of_all_posts(world: World, data: st.DataObject) -> None:
    posts, observations = world
    shared = st.sampled_from([{"image": "one"}, {"image": "another"}, {}])
    posts = [{**p, **data.draw(shared)} for p in posts]
    ids = [p["post_id"] for p in posts]
    asked = data.draw(st.sets(st.sampled_from(ids), min_size=1))
    moment = at(data.draw(st.sampled_from([60.0, 200.0, END])))
    with tempfile.TemporaryDirectory() as folder:
        catalog = Catalog.open(folder, create=True)
        write(catalog, posts, observations)
        merge(catalog, at(END))
        gone = data.draw(st.sets(st.sampled_from([image_of(p) for p in posts])))
        where = " OR ".join(f"sha256 = '{image}'" for image in gone) or "false"
        catalog.delete("images", where)
        leave_out(catalog, data.draw(st.sets(st.sampled_from(ids), max_size=3)))
        every = samples.load(catalog, Settings(), moment)
        some = samples.load(catalog, Settings(), moment, posts=asked)
    kept = every.filter(pc.is_in(every["post_id"], value_set=pa.array(sorted(asked))))
    assert some.to_pylist() == kept.to_pylist()
