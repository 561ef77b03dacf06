"""The simulated world: its law, its shares, and that nothing of the law can be collected."""

import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from mmrl.config import ImageSettings
from mmrl.errors import InputError
from mmrl.images.image import ImageFacts
from mmrl.images.probe import probe
from mmrl.sandbox import World, law, noise_ceiling, realised_shares
from mmrl.sandbox.api import LISTING_DEPTH, Api
from mmrl.sandbox.world import WITH_IMAGE

HOUR = 3_600.0


@pytest.fixture(scope="module")
def world() -> World:
    return World.make(posts=400, seed=7, days=30)


@pytest.mark.parametrize("seed", range(4))
def test_no_account_makes_more_than_a_twentieth_of_the_posts(seed: int) -> None:
    world = World.make(2_000, seed)
    counts = Counter(post.author for post in world.posts if post.author is not None)
    assert counts.most_common(1)[0][1] <= 100
    assert len(counts) > 200


def test_a_seed_makes_the_same_world_and_another_seed_another(world: World) -> None:
    again = World.make(posts=400, seed=7, days=30)
    assert list(again) == list(world)
    assert again.authors == world.authors
    assert again.truth().equals(world.truth())
    assert again.posts[5].image() == world.posts[5].image()
    other = World.make(posts=400, seed=8, days=30)
    assert [post.title for post in other] != [post.title for post in world]
    assert [post.score for post in other] != [post.score for post in world]


@pytest.mark.parametrize("seed", range(5))
def test_no_factor_is_a_giveaway_and_none_is_missing(seed: int) -> None:
    made = World.make(posts=2_000, seed=seed)
    shares = realised_shares(made.truth())
    for term in ("image", "title", "author"):
        assert 0.10 <= shares[term] <= 0.25, term
    assert shares["interaction"] >= 0.05
    assert shares["hour"] >= 0.05
    assert shares["subreddit"] <= 0.20
    assert shares["noise"] >= 0.25
    assert abs(shares["covariance"]) < 0.1
    created = [post.created for post in made]
    assert created == sorted(created)
    assert created[-1] - created[0] >= 60 * 24 * HOUR


def test_the_log_score_is_the_sum_of_the_terms(world: World) -> None:
    truth = world.truth()
    terms = sum(truth[term].to_numpy() for term in law.TERMS)
    expected = truth["expected_log_score"].to_numpy()
    np.testing.assert_allclose(law.MEAN + terms - truth["noise"].to_numpy(), expected)
    happened = np.maximum(expected + truth["noise"].to_numpy(), 0)
    # a score is a whole number: rounding moves a small one's logarithm by up to log1p(1/2)
    np.testing.assert_allclose(truth["log_score"].to_numpy(), happened, atol=0.41)


def test_the_noise_has_heavier_tails_than_a_normal_distribution() -> None:
    noise = World.make(posts=10_000, seed=0).truth()["noise"].to_numpy()
    standard = (noise - noise.mean()) / noise.std()
    assert np.mean(np.abs(standard) > 4) > 10 * 6.3e-5  # of a normal one, 6.3e-5 lie there


def test_the_noise_ceiling_is_what_the_expected_score_reaches(world: World) -> None:
    truth = world.truth()
    posts = truth.slice(300).select(["post_id", "log_score"])
    ceiling = noise_ceiling(truth, posts)
    assert 0.5 < ceiling["r2"] < 0.95
    assert 0.5 < ceiling["spearman"] < 1
    assert ceiling["posts"] == 100
    scores = pa.table({"post_id": posts["post_id"], "score": np.expm1(posts["log_score"])})
    assert noise_ceiling(truth, scores)["r2"] == pytest.approx(ceiling["r2"])


def test_a_noise_ceiling_wants_posts_of_this_world(world: World) -> None:
    foreign = pa.table({"post_id": ["nowhere", "neither"], "score": [1, 2]})
    with pytest.raises(InputError, match="2 of 2 posts are not of this simulated world"):
        noise_ceiling(world.truth(), foreign)
    with pytest.raises(InputError, match="needs post_id"):
        noise_ceiling(world.truth(), pa.table({"post_id": ["a"]}))


def test_a_replayed_world_has_no_truth_to_tell() -> None:
    row = {"id": "a1", "title": "t", "subreddit": "pics", "created": 1e9, "score": 5}
    with pytest.raises(InputError, match="nobody knows the law"):
        World.from_posts([row]).truth()
    with pytest.raises(InputError, match="at least one"):
        World.from_posts([])


def test_an_account_called_none_is_no_missing_author() -> None:
    row = {"title": "t", "subreddit": "pics", "created": 1e9, "score": 5}
    replayed = World.from_posts(
        [{**row, "id": "a1", "author": "None"}, {**row, "id": "a2", "author": None}]
    )
    assert [post.author for post in replayed] == [0, None]


def test_too_small_a_world_is_refused() -> None:
    with pytest.raises(InputError, match="50 and 3 are the least"):
        World.make(posts=10)


def test_scores_grow_with_age_and_settle_before_36_hours(world: World) -> None:
    for post in world:
        ages = [post.score_at(post.created + hours * HOUR) for hours in (0, 1, 3, 6, 12, 36, 100)]
        assert ages == sorted(ages)
        assert ages[0] == 0
        assert ages[-2] == ages[-1] == post.score
    big = max(world, key=lambda post: post.score)
    assert big.score_at(big.created + HOUR) < big.score / 4


def test_every_kind_of_image_passes_the_checks_of_real_ones(world: World) -> None:
    first = {post.drawing.subject: post for post in reversed(world.posts) if post.drawing}
    for post in first.values():
        data = post.image()
        assert data is not None
        facts = probe(data, ImageSettings())
        assert isinstance(facts, ImageFacts)
        assert (facts.format, facts.width, facts.height) == ("JPEG", 320, 256)


def leaves(value: Any, key: str = "") -> Iterator[tuple[str, Any]]:
    """All values in a JSON object, each under its key."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from leaves(inner, name)
    elif isinstance(value, list):
        for inner in value:
            yield from leaves(inner, key)
    else:
        yield key, value


def leaks(answer: Any, told: np.ndarray) -> list[tuple[str, Any]]:
    """The values in an answer that are a truth's: numbers, and numbers written as text."""
    found = []
    for key, value in leaves(answer):
        if isinstance(value, bool) or value is None:
            continue
        numbers = re.findall(r"-?\d+\.\d+(?:e-?\d+)?", value) if isinstance(value, str) else [value]
        for number in map(float, numbers):
            # whole numbers are counts and times; a term is never one
            if number != int(number) and np.abs(told - number).min() < 1e-9:
                found.append((key, value))
    return found


def test_nothing_the_api_says_is_a_term_of_the_law(world: World) -> None:
    truth = world.truth()
    columns = [name for name in truth.column_names if name not in ("post_id", "with_image")]
    told = np.concatenate([truth[name].to_numpy() for name in columns])
    api = Api(world, "http://127.0.0.1:1")
    everything: list[Any] = []
    for now in (world.start.timestamp() + 15 * 24 * HOUR, world.end.timestamp() + 100 * HOUR):
        everything += [api.post(post, now) for post in world if post.created <= now]
        everything += [api.about(number, now) for number in range(len(world.subreddits))]
        everything += [api.user(author.name, now) for author in world.authors]
        everything.append(api.accounts([f"t2_{author.id}" for author in world.authors], now))
        everything.append(api.comments(range(len(world.subreddits)), now, 100))
        everything.append(api.info([f"t3_{post.id}" for post in world], now))
    assert leaks(everything, told) == []
    values = list(leaves(everything))
    ours = {*truth.column_names, "kind", "pace", "warmth", "mood", "topic", "seed"}
    reddits = {"subreddit", "author", "title", "kind"}  # names of Reddit's own fields
    assert {key for key, _ in values} & ours <= reddits
    assert all(isinstance(value, str) for key, value in values if key in reddits)


def test_the_search_for_leaks_finds_one(world: World) -> None:
    told = world.truth()["noise"].to_numpy()
    assert leaks({"data": [{"x": float(told[3])}]}, told) == [("x", told[3])]
    assert leaks({"flair": f"noise {told[3]}"}, told)


def test_only_posts_that_are_there_by_now_show_anywhere(world: World) -> None:
    now = world.start.timestamp() + 10 * 24 * HOUR
    api = Api(world, "http://127.0.0.1:1")
    every = range(len(world.subreddits))
    later = {post.id for post in world if post.created > now}
    assert later
    shown = api.info([f"t3_{post.id}" for post in world], now)["data"]["children"]
    assert len(shown) == len(world.posts) - len(later)
    assert not later & {child["data"]["id"] for child in shown}
    newest = api.new(every, now, 100, None, None)["data"]["children"]
    assert all(child["data"]["created_utc"] <= now for child in newest)
    spoken = api.comments(every, now, 100)["data"]["children"]
    assert not {f"t3_{name}" for name in later} & {child["data"]["link_id"] for child in spoken}
    assert all(api.find(name, now) is None for name in later)


def test_karma_is_what_was_there_and_what_posts_have_earned_so_far(world: World) -> None:
    api = Api(world, "http://127.0.0.1:1")
    busiest = max(range(len(world.authors)), key=lambda n: sum(p.author == n for p in world))
    author = world.authors[busiest]
    before, after = world.start.timestamp() - 1, world.end.timestamp() + 100 * HOUR
    assert (api.user(author.name, before) or {})["link_karma"] == author.link_karma
    earned = sum(post.score for post in world if post.author == busiest)
    assert (api.user(author.name, after) or {})["link_karma"] == author.link_karma + earned


def pages(api: Api, now: float, limit: int) -> list[str]:
    """The ids of all pages of the newest posts."""
    ids: list[str] = []
    after = None
    while True:
        data = api.new(range(len(api.world.subreddits)), now, limit, after, None)["data"]
        ids += [child["data"]["id"] for child in data["children"]]
        after = data["after"]
        if after is None:
            return ids


def test_pages_go_back_a_thousand_posts_without_gap_or_double() -> None:
    world = World.make(posts=1_300, seed=1, days=40)
    now = world.end.timestamp() + 100 * HOUR
    ids = pages(Api(world, ""), now, 64)
    there = [post.id for post in reversed(world.posts) if post.kind != "removed"]
    assert len(ids) == LISTING_DEPTH
    assert ids == there[:LISTING_DEPTH]


def test_a_listing_goes_on_after_a_post_that_was_removed_in_between(world: World) -> None:
    api = Api(world, "")
    removed = next(post for post in world if post.kind == "removed" and post.number > 10)
    every, now = range(len(world.subreddits)), world.end.timestamp() + 100 * HOUR
    older = api.new(every, now, 5, f"t3_{removed.id}", None)["data"]["children"]
    newer = api.new(every, now, 5, None, f"t3_{removed.id}")["data"]["children"]
    numbers = {post.id: post.number for post in world}
    shown = [post.number for post in world if post.kind != "removed"]
    below = [number for number in shown if number < removed.number][-5:]
    above = [number for number in shown if number > removed.number][:5]
    assert [numbers[child["data"]["id"]] for child in older] == below[::-1]
    assert [numbers[child["data"]["id"]] for child in newer] == above[::-1]
    assert api.new(every, now, 5, "t3_never", None)["data"]["children"] == []


def test_a_removed_post_leaves_the_listing_but_can_still_be_asked_for(world: World) -> None:
    api = Api(world, "")
    removed = next(post for post in world if post.kind == "removed")
    early, late = removed.created + HOUR, removed.created + 4 * HOUR
    assert removed.id in pages(api, early, 100)
    assert removed.id not in pages(api, late, 100)
    assert api.post(removed, early)["removed_by_category"] is None
    child = api.info([f"t3_{removed.id}"], late)["data"]["children"][0]
    assert child["data"]["removed_by_category"] == "moderator"


def test_the_world_holds_what_a_filter_meets() -> None:
    kinds = {post.kind for post in World.make(posts=2_000, seed=0)}
    assert kinds >= WITH_IMAGE
    assert kinds >= {"text", "link", "video", "removed", "image_gone", "placeholder"}
