"""Contents that go with purged posts, as no kept post shares them."""

from collections.abc import Collection, Mapping

import pyarrow as pa
import pyarrow.compute as pc

from mmrl.catalog import Catalog
from mmrl.catalog.columns import TEXT
from mmrl.catalog.keys import text_content, visual_content
from mmrl.purge.rows import LATE, Doomed


def doom(catalog: Catalog, posts: Mapping[str, str]) -> Doomed:
    """These posts with the contents that go with them, and those the last purge left to check.

    Args:
        posts: reasons by post id; posts that the catalog does not know are only kept out.
    """
    doomed = Doomed(dict(posts))
    contents = doomed.contents
    for row in catalog.read(LATE).to_pylist():
        contents[row["kind"]].add(row["value"])
    title_of = _pairs(catalog, "posts", "post_id", posts, ["post_id", "title"])
    image_of = _pairs(catalog, "post_images", "post_id", posts, ["post_id", "sha256"])
    images, titles = set(image_of.values()), set(title_of.values())

    shown_by = _pairs(catalog, "post_images", "sha256", images, ["post_id", "sha256"])
    kept = {post: image for post, image in shown_by.items() if post not in posts}
    own_images = images - set(kept.values())
    contents["image"] |= own_images

    titled = _pairs(catalog, "posts", "title", titles, ["post_id", "title"])
    own_titles = titles - {title for post, title in titled.items() if post not in posts}
    contents["title"] |= {text_content(title) for title in own_titles}

    kept_titles = _pairs(catalog, "posts", "post_id", kept, ["post_id", "title"])
    shared = {visual_content(kept[post], title) for post, title in kept_titles.items()}
    contents["visual"] |= {
        visual_content(image, title_of[post])
        for post, image in image_of.items()
        if post in title_of
    } - shared

    captions = catalog.lookup("captions", "sha256", own_images, ["sha256", "text"])
    captioned = set(zip(captions["sha256"].to_pylist(), captions["text"].to_pylist(), strict=True))
    contents["visual"] |= {visual_content(image, text) for image, text in captioned}
    texts = {text for _, text in captioned}
    again = catalog.lookup("captions", "text", texts, ["sha256", "text"]).to_pylist()
    elsewhere = {row["text"] for row in again if row["sha256"] not in own_images}
    contents["caption"] |= {text_content(text) for text in texts - elsewhere}
    shown = catalog.lookup("image_texts", "sha256", own_images, ["text"])["text"].to_pylist()
    contents[TEXT] |= _own_texts(catalog, posts) | {text_content(text) for text in shown if text}
    return doomed


def _own_texts(catalog: Catalog, posts: Mapping[str, str]) -> set[str]:
    """Keys of the extra features of these posts that no other post shares."""
    flairs = _pairs(catalog, "posts", "post_id", posts, ["post_id", "flair"])
    extras = catalog.lookup("extra_features", "post_id", posts, ["value"])["value"]
    texts = {*extras.to_pylist(), *(flair for flair in flairs.values() if flair is not None)}
    going = pa.array(list(posts), pa.string())
    for table, column in (("extra_features", "value"), ("posts", "flair")):
        rows = catalog.lookup(table, column, texts, ["post_id", column])
        kept = rows.filter(pc.invert(pc.is_in(rows["post_id"], value_set=going)))
        texts.difference_update(pc.unique(kept[column]).to_pylist())
    return {text_content(text) for text in texts}


def _pairs(
    catalog: Catalog, table: str, column: str, values: Collection[str], names: list[str]
) -> dict[str, str]:
    rows = catalog.lookup(table, column, values, names)
    return dict(zip(rows[names[0]].to_pylist(), rows[names[1]].to_pylist(), strict=True))
