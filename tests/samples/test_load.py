"""Samples at a time: labels, what is masked, vectors."""

import math
from datetime import timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from mmrl import samples
from mmrl.catalog import Catalog
from mmrl.catalog.columns import COLOUR_BINS, COLOURS, IMAGE_STATISTICS
from mmrl.catalog.keys import text_content, visual_content
from mmrl.catalog.tables import CAPTIONS, SCHEMAS, embeddings
from mmrl.config import FilterSettings, Settings
from mmrl.encoders.image_text import READER
from mmrl.errors import InputError
from mmrl.images.measures.quality import VERSION, Measures
from mmrl.sources.extras import extra_rows
from tests.support.samples_catalog import START, at, merge, observation, post, write

END = at(10_000)


def load(catalog: Catalog, hours: float = 10_000, **options: Any) -> list[dict[str, Any]]:
    return samples.load(catalog, Settings(), at(hours), **options).to_pylist()


def keep_vectors(
    catalog: Catalog, space: str, encoder: str, vectors: dict[str, list[float]]
) -> None:
    values = np.array(list(vectors.values()), np.float32)
    rows = {
        "content": list(vectors),
        "encoder": [encoder] * len(vectors),
        "vector": pa.FixedSizeListArray.from_arrays(pa.array(values.ravel()), values.shape[1]),
    }
    schema = embeddings(values.shape[1])
    catalog.insert(f"embeddings_{space}_{values.shape[1]}", pa.table(rows).cast(schema))


def keep_captions(catalog: Catalog, captioner: str, texts: dict[str, str]) -> None:
    rows = [{"sha256": image, "captioner": captioner, "text": t} for image, t in texts.items()]
    catalog.insert("captions", pa.Table.from_pylist(rows, CAPTIONS))


def keep_extras(catalog: Catalog, extras: dict[str, dict[str, str]]) -> None:
    rows = pa.Table.from_pylist(extra_rows(extras), SCHEMAS["extra_features"])
    catalog.insert("extra_features", rows)


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


def test_samples_are_sorted_by_creation_then_id(catalog: Catalog) -> None:
    posts = [post("z", 1), post("b", 1), post("a", 2), post("y", 0)]
    write(catalog, posts, [])
    merge(catalog, END)
    assert [row["post_id"] for row in load(catalog)] == ["y", "b", "z", "a"]


def test_vectors_are_joined_by_content_and_null_where_missing(catalog: Catalog) -> None:
    posts = [post("a", 0), post("b", 1, title="Title of a"), post("c", 2)]
    write(catalog, posts, [])
    merge(catalog, END)
    keep_vectors(catalog, "title", "e", {text_content("Title of a"): [1, 2]})
    keep_vectors(catalog, "title", "other", {text_content("Title of c"): [9, 9]})
    keep_vectors(catalog, "image", "e", {"image-b": [3, 4, 5]})
    keep_vectors(catalog, "visual", "e", {visual_content("image-c", "Title of c"): [6]})
    table = samples.load(
        catalog, Settings(), END, encoders=dict.fromkeys(("title", "image", "visual"), "e")
    )
    assert table.schema == samples.samples_schema({"title": 2, "image": 3, "visual": 1})
    assert table["title"].to_pylist() == [[1, 2], [1, 2], None]
    assert table["image"].to_pylist() == [None, [3, 4, 5], None]
    assert table["visual"].to_pylist() == [None, None, [6]]


def test_vectors_are_read_of_the_posts_asked_for_alone(
    catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    posts = [post(f"p{number}", number / 100) for number in range(700)]
    write(catalog, posts, [])
    merge(catalog, END)
    contents = [text_content(p["title"]) for p in posts]
    keep_vectors(catalog, "title", "e", {content: [1.0] for content in contents})
    read, rows = Catalog.read, []

    def counted(catalog: Catalog, table: str, *args: Any, **options: Any) -> pa.Table:
        found = read(catalog, table, *args, **options)
        if table.startswith("embeddings"):
            rows.append(found.num_rows)
        return found

    monkeypatch.setattr(Catalog, "read", counted)
    asked = [p["post_id"] for p in posts[:600]]
    table = samples.load(catalog, Settings(), END, encoders={"title": "e"}, posts=asked)
    assert table["title"].null_count == 0
    assert sum(rows) == len(asked) == table.num_rows


def keep_statistics(catalog: Catalog, version: str, measured: dict[str, float]) -> None:
    """Statistics of images, the first one as given and the others each one more."""
    rows = [
        {"sha256": image, "version": version, COLOURS: [first] * COLOUR_BINS}
        | {name: first + number for number, name in enumerate(IMAGE_STATISTICS)}
        for image, first in measured.items()
    ]
    schema = SCHEMAS["image_statistics"]
    catalog.upsert("image_statistics", pa.Table.from_pylist(rows, schema=schema))


def test_statistics_are_joined_by_image_and_null_where_it_was_not_measured(
    catalog: Catalog,
) -> None:
    write(catalog, [post("a", 0), post("b", 1), post("c", 2)], [])
    merge(catalog, END)
    first, last = IMAGE_STATISTICS[0], IMAGE_STATISTICS[-1]
    assert [row[first] for row in load(catalog)] == [None] * 3
    keep_statistics(catalog, VERSION, {"image-b": 5.0, "image-of-nobody": 9.0})
    keep_statistics(catalog, "of another version", {"image-c": 7.0})
    rows = load(catalog)
    assert [row[first] for row in rows] == [None, 5.0, None]
    assert [row[last] for row in rows] == [None, 4.0 + len(IMAGE_STATISTICS), None]
    assert [row[COLOURS] for row in rows] == [None, [5.0] * COLOUR_BINS, None]
    assert load(catalog, columns=[last]) == [{last: row[last]} for row in rows]


def test_extra_features_are_the_flair_and_what_was_imported_by_name(catalog: Catalog) -> None:
    posts = [post("a", 0, flair="OC"), post("b", 1), post("c", 2)]
    write(catalog, posts, [])
    merge(catalog, END)
    keep_extras(catalog, {"a": {"tags": "red blue"}, "c": {"runtime": "93"}, "gone": {"x": "y"}})
    extras = [dict(row["extra"]) for row in load(catalog)]
    assert extras == [{"flair": "OC", "tags": "red blue"}, {}, {"runtime": "93"}]
    assert [list(row) for row in load(catalog, columns=["extra"])] == [["extra"]] * 3
    hours = {row["post_id"]: dict(row["extra"]) for row in load(catalog, 0.75)}
    assert hours == {"a": extras[0]}


def test_texts_have_a_column_of_vectors_a_feature_and_numbers_none(catalog: Catalog) -> None:
    posts = [post("a", 0, flair="OC"), post("b", 1, flair="Fan art"), post("c", 2)]
    write(catalog, posts, [])
    merge(catalog, END)
    encoders = {"text": "T"}
    assert "text:flair" not in samples.load(catalog, Settings(), END).schema.names
    with pytest.raises(InputError, match="run `mmrl run embed-text`"):
        samples.load(catalog, Settings(), END, encoders=encoders)
    keep_extras(catalog, {"a": {"runtime": "93", "tags": "OC"}, "b": {"genre": "not embedded"}})
    keep_vectors(catalog, "text", "T", {text_content("OC"): [1, 2]})
    table = samples.load(catalog, Settings(), END, encoders=encoders)
    assert table.schema == samples.samples_schema({"text:flair": 2, "text:tags": 2})
    assert table["text:flair"].to_pylist() == [[1, 2], None, None]
    assert table["text:tags"].to_pylist() == [[1, 2], None, None]
    columns = ["text:tags", "post_id"]
    chosen = samples.load(catalog, Settings(), END, encoders=encoders, columns=columns)
    assert chosen.column_names == columns


def test_caption_vectors_follow_the_captions_text(catalog: Catalog) -> None:
    posts = [post("a", 0), post("b", 1), post("c", 2)]
    write(catalog, posts, [])
    merge(catalog, END)
    keep_captions(catalog, "m", {"image-a": "cat", "image-b": ""})
    keep_vectors(catalog, "caption", "e", {text_content("cat"): [1, 2], text_content(""): [7, 7]})
    rows = load(catalog, encoders={"caption": "e"})
    assert [row["caption"] for row in rows] == [[1, 2], None, None]

    keep_captions(catalog, "n", {"image-b": "cat"})
    with pytest.raises(InputError, match="captions of m, n"):
        load(catalog, encoders={"caption": "e"})
    rows = load(catalog, encoders={"caption": "e"}, captioner="n")
    assert [row["caption"] for row in rows] == [None, [1, 2], None]


def test_visual_vectors_may_be_of_the_image_with_its_caption(catalog: Catalog) -> None:
    posts = [post("a", 0), post("b", 1), post("c", 2)]
    write(catalog, posts, [])
    merge(catalog, END)
    keep_captions(catalog, "m", {"image-a": "cat", "image-b": ""})
    vectors = {
        visual_content("image-a", "cat"): [1.0, 2.0],
        visual_content("image-b", ""): [3.0, 4.0],
        visual_content("image-c", "Title of c"): [5.0, 6.0],
    }
    keep_vectors(catalog, "visual", "e", vectors)
    joined = {"encoders": {"visual": "e"}, "captioner": "m"}
    rows = load(catalog, **joined, visual_text="caption")
    assert [row["visual"] for row in rows] == [[1, 2], [3, 4], None]
    assert [row["visual"] for row in load(catalog, **joined)] == [None, None, [5, 6]]


def test_an_encoder_that_embedded_nothing_is_an_error_unless_its_size_is_said(
    catalog: Catalog,
) -> None:
    write(catalog, [post("a", 0)], [])
    merge(catalog, END)
    with pytest.raises(InputError, match="run `mmrl run embed-title`"):
        load(catalog, encoders={"title": "e"})
    assert load(catalog, encoders={"title": "e"}, dims={"title": 4})[0]["title"] is None
    with pytest.raises(InputError, match="no embedding space sound"):
        load(catalog, encoders={"sound": "e"})


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


def test_spaces_of_images_have_no_column_where_no_post_has_an_image(catalog: Catalog) -> None:
    write(catalog, [post("p", 0)], [])
    catalog.delete("post_images", "true")
    imageless = Settings(filter=FilterSettings(require_image=False))
    merge(catalog, END, imageless)
    keep_vectors(catalog, "title", "t", {text_content("Title of p"): [1.0, 2.0]})
    encoders = {"title": "t", "image": "i", "visual": "v", "caption": "c"}
    rows = samples.load(catalog, imageless, END, encoders=encoders)
    assert rows["title"].to_pylist() == [[1.0, 2.0]]
    assert not {"image", "visual", "caption"} & set(rows.schema.names)
    rows = samples.load(catalog, imageless, END, encoders=encoders, dims={"image": 3})
    assert rows["image"].to_pylist() == [None]


def test_text_in_images_is_an_extra_feature_where_it_is_read(catalog: Catalog) -> None:
    posts = [post("a", 0), post("b", 1), post("c", 2)]
    write(catalog, posts, [])
    merge(catalog, END)
    texts = {"a": "ONE DOES NOT", "b": "", "c": "seen"}
    rows = [
        {"sha256": f"image-{name}", "reader": READER, "text": text} for name, text in texts.items()
    ]
    rows.append({"sha256": "image-b", "reader": "another", "text": "not ours"})
    catalog.insert("image_texts", pa.Table.from_pylist(rows, schema=SCHEMAS["image_texts"]))
    keep_extras(catalog, {"c": {"image_text": "brought"}})
    key = text_content("ONE DOES NOT")
    keep_vectors(catalog, "text", "t", {key: [1.0, 2.0]})
    on = samples.load(catalog, Settings(read_text=True), END, encoders={"text": "t"})
    assert on["extra"].to_pylist() == [
        [("image_text", "ONE DOES NOT")],
        [],
        [("image_text", "brought")],
    ]
    assert on["text:image_text"].to_pylist() == [[1.0, 2.0], None, None]
    off = samples.load(catalog, Settings(), END)
    assert off["extra"].to_pylist() == [[], [], [("image_text", "brought")]]
