"""Vectors, statistics and extra features joined to samples."""

from typing import Any

import pyarrow as pa
import pytest

from mmrl import samples
from mmrl.catalog import Catalog
from mmrl.catalog.columns import COLOUR_BINS, COLOURS, IMAGE_STATISTICS
from mmrl.catalog.keys import text_content, visual_content
from mmrl.catalog.tables import SCHEMAS
from mmrl.config import FilterSettings, Settings
from mmrl.encoders.image_text import READER
from mmrl.errors import InputError
from mmrl.images.measures.quality import VERSION
from tests.support.samples_catalog import merge, post, write
from tests.support.stored_features import (
    END,
    keep_captions,
    keep_extras,
    keep_statistics,
    keep_vectors,
    load,
)


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
