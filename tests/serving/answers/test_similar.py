"""Posts like a draft: the nearest, right in time, and whether they predict anything."""

import shutil
from datetime import timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from mmrl.catalog import Catalog
from mmrl.catalog.tables import SCHEMAS
from mmrl.errors import InputError
from mmrl.serving.answers import agreement as agreement_module
from mmrl.serving.answers.agreement import agreement
from mmrl.serving.answers.similar import By, Neighbour, similar
from mmrl.serving.inputs.drafts import Drafts, ImageFile
from mmrl.serving.ranks.rank import Predictor
from tests.support.filled_home import SETTINGS
from tests.support.image_server import image_file
from tests.support.serving_home import NOW, POSTS, SUBREDDITS, title_of

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def predictor(serving_home: Path) -> Predictor:
    return Predictor.open(Catalog.open(serving_home), SETTINGS, NOW)


def draft(number: int, subreddit: str = SUBREDDITS[0]) -> Drafts:
    """A draft with the contents of a stored post."""
    return Drafts([title_of(number)], [subreddit], [ImageFile("x.jpg", image_file(number))])


def likenesses(predictor: Predictor, number: int, space: str) -> dict[str, float]:
    """By post, the cosine of its vector with that of another, worked out one by one."""
    catalog = predictor.catalog
    rows = catalog.read("samples", ["post_id", f"{space}_content"]).to_pylist()
    table = f"embeddings_{space}_{predictor.profile.dims[space]}"
    vectors = {
        row["content"]: np.array(row["vector"]) / np.linalg.norm(row["vector"])
        for row in catalog.read(table).to_pylist()
    }
    of_post = {row["post_id"]: vectors[row[f"{space}_content"]] for row in rows}
    return {post: float(vector @ of_post[f"p{number}"]) for post, vector in of_post.items()}


@pytest.mark.parametrize("by", ["image", "title", "both"])
def test_the_nearest_posts_are_those_of_the_largest_cosine(predictor: Predictor, by: By) -> None:
    spaces = ("image", "title") if by == "both" else (by,)
    each = [likenesses(predictor, 4, space) for space in spaces]
    expected = {post: np.mean([alike[post] for alike in each]) for post in each[0] if post != "up"}
    everywhere = similar(predictor, draft(4), by=by, everywhere=True, count=6)
    assert [post.likeness for post in everywhere] == pytest.approx(
        sorted(expected.values(), reverse=True)[:6], abs=1e-4
    )
    assert everywhere[0] == Neighbour(
        "p4",
        "aww",
        title_of(4),
        NOW - timedelta(hours=48 + 24),
        12,
        everywhere[0].percentile,
        "/r/aww/comments/p4/",
        "https://www.reddit.com/comments/p4/",
        everywhere[0].image,
        False,
        pytest.approx(1, abs=1e-4),
    )
    here = similar(predictor, draft(4, "r/PICS"), by=by, count=6)
    assert {post.subreddit for post in here} == {"pics"}
    others = [value for post, value in expected.items() if int(post[1:]) % 2]
    assert [post.likeness for post in here] == pytest.approx(
        sorted(others, reverse=True)[:6], abs=1e-4
    )


def test_a_simulated_post_has_no_page_to_link_to(serving_home: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    shutil.copytree(serving_home, home)
    catalog = Catalog.open(home)
    posts = catalog.read("posts")
    place, simulated = posts.schema.names.index("source"), pa.array(["sandbox"] * posts.num_rows)
    catalog.upsert("posts", posts.set_column(place, "source", simulated))
    near = similar(Predictor.open(catalog, SETTINGS, NOW), draft(4), count=3)
    assert [post.link for post in near] == [None] * 3
    assert all(post.permalink for post in near)


def test_no_post_is_shown_whose_outcome_was_not_known_or_that_is_left_out_or_purged(
    serving_home: Path, tmp_path: Path
) -> None:
    home = tmp_path / "home"
    shutil.copytree(serving_home, home)
    catalog = Catalog.open(home)
    left_out = {"post_id": "p5", "rules": "r", "reason": "removed", "decided_at": NOW}
    catalog.upsert("selection", pa.Table.from_pylist([left_out], schema=SCHEMAS["selection"]))
    earlier = NOW - timedelta(hours=48 + 6 * 4)  # p4 is just up
    now, then = (Predictor.open(catalog, SETTINGS, at) for at in (NOW, earlier))
    seen = {post.post_id for post in similar(now, draft(4), everywhere=True, count=POSTS)}
    assert seen == {f"p{number}" for number in range(POSTS) if number != 5}
    seen = {post.post_id for post in similar(then, draft(4), everywhere=True, count=POSTS)}
    # Posts of 36 hours and older: those that went up six hours apart before it, from the sixth on.
    assert seen == {f"p{number}" for number in range(10, POSTS)}
    catalog.delete("posts", "post_id = 'p4'")  # as a purge does, while the predictor is open
    seen = {post.post_id for post in similar(now, draft(4), everywhere=True, count=3)}
    assert len(seen) == 3
    assert "p4" not in seen


def test_posts_are_compared_by_an_image_only_where_there_is_one(predictor: Predictor) -> None:
    with pytest.raises(InputError, match="compare by title"):
        similar(predictor, Drafts(["A"], ["pics"]), by="image")


def test_agreement_is_that_of_the_mean_of_the_nearest_known_in_time_and_is_kept(
    serving_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "home"
    shutil.copytree(serving_home, home)
    predictor = Predictor.open(Catalog.open(home), SETTINGS, NOW)
    test = predictor.catalog.read("samples", ["post_id", "created_at", "score"])
    scores = test["score"].fill_null(0).to_numpy()
    for name, values in (("log_score", np.log1p(scores)), ("popularity", scores / 100.0)):
        test = test.append_column(name, pa.array(values))
    test = test.append_column("subreddit", pa.array(["pics"] * len(scores)))
    monkeypatch.setattr(agreement_module.Registry, "test_predictions", lambda self, version: test)
    found = agreement(predictor, everywhere=True)
    assert 0 < found.posts < POSTS
    assert found.spearman is not None
    assert -1 <= found.spearman.low <= found.spearman.value <= found.spearman.high <= 1
    assert f"{found.posts} later posts" in found.sentence
    monkeypatch.setattr(agreement_module, "_measure", None)  # from here on it is only looked up
    assert agreement(Predictor.open(predictor.catalog, SETTINGS, NOW), everywhere=True) == found


def test_the_mean_of_the_nearest_is_that_of_five_and_of_no_fewer() -> None:
    alike = np.array([[0.9, 0.1, 0.8, 0.7, 0.6, 0.5], [0.9, 0.1, 0.8, np.nan, np.nan, 0.5]])
    stands = np.array([0.1, 1.0, 0.2, 0.3, 0.4, 0.5])
    mean = agreement_module._mean_of_nearest(alike, stands)
    assert mean == pytest.approx([0.3, np.nan], nan_ok=True)
