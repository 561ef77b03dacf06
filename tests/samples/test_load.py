"""Samples at a time: labels, and what is masked."""

import math

import numpy as np
import pyarrow as pa
import pytest

from mmrl import samples
from mmrl.catalog import Catalog
from mmrl.catalog.tables import SCHEMAS
from mmrl.config import Settings
from mmrl.errors import InputError
from tests.support.samples_catalog import START, at, merge, observation, post, write
from tests.support.stored_features import (
    END,
    load,
)


def test_the_label_is_the_first_look_at_maturity_or_later(catalog: Catalog) -> None:
    p = post("p", 0)
    ages = [(1, 5), (35.99, 50), (36, 60), (48, 70)]
    write(catalog, [p], [observation(p, age, score=score) for age, score in ages])
    merge(catalog, END)
    (row,) = load(catalog)
    assert row["score"] == 60
    assert row["label_observed_at"] == at(36)
    assert row["log_score"] == pytest.approx(math.log1p(60))
    assert row["popularity"] == pytest.approx(60 / 1000 * 1000)


def test_an_unsettled_score_is_passed_over(catalog: Catalog) -> None:
    p = post("p", 0)
    observations = [
        observation(p, 40, score=1, settled=False),
        observation(p, 50, score=2, settled=True),
    ]
    write(catalog, [p], observations)
    merge(catalog, END)
    assert load(catalog)[0]["score"] == 2


def test_a_post_removed_at_its_label_observation_has_no_label(catalog: Catalog) -> None:
    p = post("p", 0)
    write(
        catalog,
        [p],
        [observation(p, 40, score=9, removed_by="moderator"), observation(p, 50, score=9)],
    )
    merge(catalog, END)
    (row,) = load(catalog)
    assert [row[label] for label in samples.LABELS] == [None] * 4
    assert row["label_observed_at"] is None
    assert catalog.read("samples")["unlabelled"].to_pylist() == ["removed"]


def test_without_subscribers_there_is_a_score_and_no_popularity(catalog: Catalog) -> None:
    unknown, none = post("a", 0), post("b", 0)
    observations = [
        observation(unknown, 40, score=9, subscribers=None),
        observation(none, 40, score=9, subscribers=0),
    ]
    write(catalog, [unknown, none], observations)
    merge(catalog, END)
    for row in load(catalog):
        assert row["score"] == 9
        assert row["popularity"] is None


def test_a_negative_score_has_log_score_zero(catalog: Catalog) -> None:
    p = post("p", 0)
    write(catalog, [p], [observation(p, 40, score=-3)])
    merge(catalog, END)
    assert load(catalog)[0]["log_score"] == 0


def test_a_past_time_shows_neither_later_posts_nor_later_labels(catalog: Catalog) -> None:
    posts = [post("a", 0), post("b", 10), post("c", 20)]
    write(catalog, posts, [observation(p, age, score=1) for p in posts for age in (0.5, 36)])
    merge(catalog, END)
    assert [r["post_id"] for r in load(catalog, 15)] == ["a", "b"]
    assert [r["score"] for r in load(catalog, 35.9)] == [None, None, None]
    assert [r["score"] for r in load(catalog, 46)] == [1, 1, None]
    assert [r["post_id"] for r in load(catalog, 46, labelled_only=True)] == ["a", "b"]


def test_what_the_first_look_told_is_unknown_before_it(catalog: Catalog) -> None:
    p = post("p", 0, first_seen_at=START)
    write(
        catalog, [p], [observation(p, 1, score=1, author_link_karma=5, author_created_at=at(-99))]
    )
    merge(catalog, END)
    told = ("subscribers", "log_subscribers", "log_author_link_karma", "log_author_age_days")
    assert all(load(catalog, 0.5)[0][name] is None for name in told)
    assert all(load(catalog, 1)[0][name] is not None for name in told)


def test_posts_the_filter_leaves_out_are_no_samples_and_no_history(catalog: Catalog) -> None:
    posts = [post("a", 0), post("b", 100)]
    write(catalog, posts, [observation(p, 36, score=1) for p in posts])
    merge(catalog, END)
    assert load(catalog)[1]["author_seen_before"] == 1
    row = {"post_id": "a", "rules": "s", "reason": "over_18", "decided_at": START}
    catalog.upsert("selection", pa.Table.from_pylist([row], catalog.read("selection").schema))
    (left,) = load(catalog)
    assert (left["post_id"], left["author_seen_before"]) == ("b", 0)
    assert samples.load(catalog, Settings(), END, posts=["a", "b"]).to_pylist() == [left]


def test_posts_that_an_unfinished_purge_is_about_are_no_samples_and_no_history(
    catalog: Catalog,
) -> None:
    posts = [post("a", 0), post("b", 100)]
    write(catalog, posts, [observation(p, 36, score=1) for p in posts])
    merge(catalog, END)
    catalog.delete("selection", "post_id = 'a'")  # killed before it came to `samples`
    row = {"kind": "post", "value": "a", "said": None}
    catalog.upsert("purging", pa.Table.from_pylist([row], SCHEMAS["purging"]))
    for asked in (None, ["a", "b"]):
        (left,) = samples.load(catalog, Settings(), END, posts=asked).to_pylist()
        assert (left["post_id"], left["author_seen_before"]) == ("b", 0)


def test_posts_without_an_image_are_history_only_where_none_is_required(catalog: Catalog) -> None:
    posts = [post("a", 0), post("b", 100)]
    write(catalog, posts, [observation(p, 36, score=1) for p in posts])
    merge(catalog, END)
    row = catalog.lookup("samples", "post_id", ["a"]).to_pylist()[0] | {"image_content": None}
    catalog.upsert("samples", pa.Table.from_pylist([row], catalog.read("samples").schema))
    for required, seen in ((True, 0), (False, 1)):
        chosen = Settings(filter={"require_image": required})
        for asked in (None, ["b"]):
            (*_, left) = samples.load(catalog, chosen, END, posts=asked).to_pylist()
            assert (left["post_id"], left["author_seen_before"]) == ("b", seen)


def test_samples_are_sorted_by_creation_then_id(catalog: Catalog) -> None:
    posts = [post("z", 1), post("b", 1), post("a", 2), post("y", 0)]
    write(catalog, posts, [])
    merge(catalog, END)
    assert [row["post_id"] for row in load(catalog)] == ["y", "b", "z", "a"]


def test_only_wanted_columns_come_and_unknown_ones_are_named(catalog: Catalog) -> None:
    write(catalog, [post("a", 0)], [])
    merge(catalog, END)
    assert load(catalog, columns=["score", "post_id"]) == [{"score": None, "post_id": "a"}]
    with pytest.raises(InputError, match="no column sorce"):
        load(catalog, columns=["sorce"])


def test_an_empty_catalog_has_no_samples(catalog: Catalog) -> None:
    assert merge(catalog, END) == 0
    table = samples.load(catalog, Settings(), END, encoders={"title": "e"}, dims={"title": 3})
    assert table.num_rows == 0
    assert table.schema == samples.samples_schema({"title": 3})


def test_scores_that_became_known_at_one_instant_count_in_the_order_of_their_posts(
    catalog: Catalog,
) -> None:
    posts = [post(name, hours) for name, hours in (("z", 0), ("a", 1), ("later", 100))]
    at_once = [observation(posts[0], 41, score=3), observation(posts[1], 40, score=50)]
    first = [observation(p, 0.5) for p in posts]
    write(catalog, posts, [*first, *at_once])
    merge(catalog, END)
    (row,) = (
        r for r in samples.load(catalog, Settings(), END).to_pylist() if r["post_id"] == "later"
    )
    assert row["author_last_log_score"] == pytest.approx(np.log1p(50))
    draft = pa.table({"subreddit": ["pics"], "title": ["t"], "author_id": ["author"]})
    for _ in range(2):  # rows are stored in another order once they were written again
        features = samples.features_for(catalog, Settings(), at(100), draft)
        assert features["author_last_log_score"][0].as_py() == pytest.approx(np.log1p(50))
        stored = catalog.read("samples").sort_by([("post_id", "descending")])
        catalog.upsert("samples", stored)
