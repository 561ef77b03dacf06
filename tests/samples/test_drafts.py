"""Samples of posts that are not posted yet."""

from datetime import timedelta

import numpy as np
import pyarrow as pa
import pytest

from mmrl import samples
from mmrl.catalog import Catalog
from mmrl.catalog.columns import COLOUR_BINS, COLOURS, IMAGE_STATISTICS
from mmrl.config import Settings
from mmrl.errors import InputError
from mmrl.images.measures.quality import Measures
from tests.support.samples_catalog import at, merge, observation, post, write
from tests.support.stored_features import END, keep_extras, load


def test_a_draft_has_the_features_of_the_same_post_once_it_is_up(catalog: Catalog) -> None:
    facts = {"over_18": False, "spoiler": False, "is_gallery": False}
    alike = {"phash": "5" * 16}
    before = [post(f"p{i:02}", i, author_id=f"a{i % 3}", **alike) for i in range(20)]
    up = post("up", 200, author_id="a1", title="Is it [OC]?", flair="OC", **alike)
    up["first_seen_at"] = at(200)
    karma = {"author_link_karma": 50, "author_comment_karma": 8, "author_created_at": at(-500)}
    observations = [
        observation(p, age, score=i, **karma) for i, p in enumerate(before) for age in (0, 36)
    ]
    write(
        catalog,
        [*before, up],
        [*observations, observation(up, 0, score=1, **karma), observation(up, 36, score=15)],
    )
    merge(catalog, END)
    extras = {"tags": "red blue", "runtime": "93"}
    keep_extras(catalog, {"up": extras, "p01": {"tags": "green"}})
    draft = {"subreddit": "Pics", "title": up["title"], "author_id": "a1", **facts}
    draft |= {"width": 640, "height": 480, "byte_size": 1000, "image_key": "5" * 16}
    drafts = pa.Table.from_pylist([{**draft, "flair": "OC"}])
    drafts = drafts.append_column("extra", samples.extras_column([extras]))
    made = samples.features_for(catalog, Settings(), at(200), drafts)
    (seen,) = (row for row in load(catalog) if row["post_id"] == "up")
    assert made["extra"][0].as_py() == seen["extra"]
    for name in (*samples.NUMERIC_FEATURES, "subscribers"):
        assert made[name][0].as_py() == pytest.approx(seen[name]), name
    assert made["score"].null_count == 1
    known = samples.Known(catalog, Settings(), at(200))
    moment = np.array([int(at(200).timestamp() * 1e6)])
    stands = known.standings.percentiles(drafts["subreddit"], moment, np.log1p([15]))
    assert stands[0] == pytest.approx(seen["percentile"])


def test_a_draft_says_nothing_of_what_was_observed_after_its_time(catalog: Catalog) -> None:
    p = post("p", 0)
    write(
        catalog, [p], [observation(p, 1, score=1, author_link_karma=5), observation(p, 36, score=3)]
    )
    merge(catalog, END)
    drafts = pa.table({"subreddit": ["pics"], "title": ["x"], "author_id": ["author"]})
    early = samples.features_for(catalog, Settings(), at(0.75), drafts).to_pylist()[0]
    assert early["subscribers"] is None
    assert early["log_author_link_karma"] is None
    later = samples.features_for(catalog, Settings(), at(35), drafts).to_pylist()[0]
    assert later["subscribers"] == 1000
    assert later["author_seen_before"] == 0
    late = samples.features_for(catalog, Settings(), at(36), drafts).to_pylist()[0]
    assert late["author_seen_before"] == 1


def test_drafts_take_vectors_and_statistics_and_refuse_what_they_cannot_use(
    catalog: Catalog,
) -> None:
    drafts = pa.table({"subreddit": ["pics", "aww"], "title": ["x", "y"]})
    vectors = {"image": samples.vector_column([np.array([1.0, 2.0]), None], 2)}
    measured = np.arange(len(IMAGE_STATISTICS), dtype=np.float32)
    colours = np.linspace(0, 1, COLOUR_BINS, dtype=np.float32)
    measures = samples.measures_columns([None, Measures(measured, colours)])
    made = samples.features_for(catalog, Settings(), END, drafts, vectors, measures)
    assert made[COLOURS].to_pylist() == [None, colours.tolist()]
    assert [made[name].to_pylist() for name in IMAGE_STATISTICS] == [
        [None, number] for number in range(len(IMAGE_STATISTICS))
    ]
    assert made["image"].to_pylist() == [[1, 2], None]
    assert made["created_at"].to_pylist() == [END + timedelta(0)] * 2
    with pytest.raises(InputError, match="has no score"):
        samples.features_for(catalog, Settings(), END, pa.table({"score": [1]}))
    with pytest.raises(InputError, match="needs a title"):
        samples.features_for(catalog, Settings(), END, pa.table({"subreddit": ["pics"]}))
