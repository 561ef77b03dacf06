"""Reposts, against their definition written out one post at a time."""

from datetime import timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmrl.catalog import Catalog
from mmrl.catalog.columns import TIME
from mmrl.catalog.tables import SCHEMAS
from mmrl.samples.reposts import Reposts, image_key, image_keys
from tests.support.samples_catalog import at

MATURE = timedelta(hours=36)
SCHEMA = pa.schema(
    [
        ("created_at", TIME),
        ("first_look_at", TIME),
        ("label_observed_at", TIME),
        ("score", pa.int64()),
    ]
)
# By the age at the first observation and that at the label's, in hours; None for no such one.
AGES = [(0, 36), (1, 40), (1, None), (36, 36), (300, 300), (50, None), (None, None)]

posts_with_images = st.lists(
    st.fixed_dictionaries(
        {
            "image": st.sampled_from(["a", "b", None]),
            "hours": st.integers(0, 200),
            "ages": st.sampled_from(AGES),
            "score": st.integers(-2, 6),
        }
    ),
    max_size=30,
)


def as_table(posts: list[dict[str, Any]]) -> pa.Table:
    rows = []
    for post in posts:
        first, label = (None if age is None else at(post["hours"] + age) for age in post["ages"])
        rows.append(
            {
                "created_at": at(post["hours"]),
                "first_look_at": first,
                "label_observed_at": label,
                "score": None if label is None else post["score"],
            }
        )
    return pa.Table.from_pylist(rows, SCHEMA)


def keys_of(posts: list[dict[str, Any]]) -> pa.ChunkedArray:
    return pa.chunked_array([pa.array([post["image"] for post in posts], pa.string())])


def known_hours(post: dict[str, Any]) -> tuple[float, float]:
    """The hours from which a post and its score are known; a dump's from its maturity on."""
    first, label = (float("inf") if age is None else post["hours"] + age for age in post["ages"])
    return (post["hours"] + 36.0,) * 2 if first == label < float("inf") else (first, label)


@given(posts_with_images)
@settings(max_examples=80)
def test_an_image_counts_from_its_first_observation_and_its_score_from_its_label(
    posts: list[dict[str, Any]],
) -> None:
    table, keys = as_table(posts), keys_of(posts)
    created = np.array(table["created_at"].cast(pa.int64()))
    features = Reposts(table, keys, MATURE).features(keys, created)
    for row, post in enumerate(posts):
        same = [p for p in posts if p["image"] == post["image"] and p is not post]
        seen = [p for p in same if max(known_hours(p)[0], p["hours"]) < post["hours"]]
        scores = [np.log1p(max(p["score"], 0)) for p in same if known_hours(p)[1] <= post["hours"]]
        if post["image"] is None:
            assert all(np.isnan(values[row]) for values in features.values())
            continue
        assert features["image_seen_before"][row] == bool(seen)
        assert features["log_image_posts_before"][row] == pytest.approx(np.log1p(len(seen)))
        mean = np.mean(scores) if scores else np.nan
        assert features["image_mean_log_score"][row] == pytest.approx(mean, nan_ok=True)


def test_an_image_that_was_never_posted_was_not_seen_before() -> None:
    posts = [{"image": "a", "hours": 0, "ages": (1, 40), "score": 3}]
    asked = pa.chunked_array([["new", "a", None]])
    reposts = Reposts(as_table(posts), keys_of(posts), MATURE)
    features = reposts.features(asked, np.array([10**18] * 3))
    np.testing.assert_array_equal(features["image_seen_before"], [0, 1, np.nan])


def test_plain_images_are_the_same_only_where_their_files_are() -> None:
    detailed, plain = "f58dd0a5f2c825e8", "9100000000000000"
    assert image_key("one", detailed) == image_key("another", detailed)
    assert image_key("one", plain) != image_key("another", plain)


def test_keys_follow_the_images_of_a_catalog(catalog: Catalog) -> None:
    asked = pa.chunked_array([pa.array(["x", None, "gone", "y"], pa.string())])
    assert image_keys(catalog, asked).to_pylist() == ["x", None, "gone", "y"]
    row = {"width": 1, "height": 1, "format": "PNG", "byte_size": 1, "bytes": b""}
    rows = [{"sha256": name, "phash": "5" * 16, **row} for name in ("x", "y")]
    catalog.insert("images", pa.Table.from_pylist(rows, schema=SCHEMAS["images"]))
    assert image_keys(catalog, asked).to_pylist() == ["5" * 16, None, "gone", "5" * 16]
