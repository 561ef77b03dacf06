"""A stored post and a draft with the same content: the same caption, vectors and statistics."""

import tempfile
import tomllib
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmrl.catalog import Catalog
from mmrl.catalog.columns import EMBEDDED, IMAGE_STATISTICS, SPACES
from mmrl.catalog.keys import image_content, text_content, visual_content
from mmrl.catalog.tables import SCHEMAS, embeddings_table
from mmrl.config import Settings
from mmrl.encoders import profiles
from mmrl.encoders.profiles import load_profile
from mmrl.pipeline import Silent
from mmrl.pipeline import run as pipeline
from mmrl.serving.inputs.content_memo import ContentMemo
from mmrl.serving.inputs.contents import Content, EncodedContents, read_images
from mmrl.serving.inputs.drafts import ImageFile
from tests.support.image_server import image_file

AS_OF = datetime(2026, 6, 1, tzinfo=UTC)
STAGES = ("measure-images", "caption", *(f"embed-{space}" for space in EMBEDDED))
IMAGES = {image_content(data): data for data in map(image_file, range(4))}
POSTS = st.lists(
    st.tuples(st.text(st.characters(codec="utf-8"), min_size=1), st.sampled_from(list(IMAGES))),
    min_size=1,
    max_size=6,
)


@pytest.fixture(scope="module", autouse=True)
def own_profile() -> Iterator[None]:
    """A profile whose image goes with its caption, and whose captioner never abstains."""
    text = files(profiles).joinpath("packaged.toml").read_text("utf-8")
    own = tomllib.loads(text) | {"visual_text": "caption"}
    own["captioner"] |= {"sure": 0.0, "also": 0.0}
    read = profiles._read
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(profiles, "_read", lambda name: own if name == "own" else read(name))
        yield


def stored(home: Path, posts: list[tuple[str, str]]) -> Catalog:
    """A catalog with these posts, selected, and with their images."""
    catalog = Catalog.open(home, create=True)
    ids = [f"p{number}" for number in range(len(posts))]
    rows = {
        "posts": [
            {"post_id": post, "title": title, "subreddit": "pics", "source": "table:test"}
            | {"created_at": AS_OF, "first_seen_at": AS_OF, "flair": title[::-1]}
            for post, (title, _) in zip(ids, posts, strict=True)
        ],
        "selection": [{"post_id": post, "rules": "r", "decided_at": AS_OF} for post in ids],
        "post_images": [
            {"post_id": post, "sha256": sha256, "fetched_at": AS_OF, "final_url": "file:///x"}
            for post, (_, sha256) in zip(ids, posts, strict=True)
        ],
        "images": [
            {"sha256": sha256, "phash": "0" * 16, "bytes": IMAGES[sha256], "format": "JPEG"}
            | {"width": 320, "height": 256, "byte_size": len(IMAGES[sha256])}
            for sha256 in {sha256 for _, sha256 in posts}
        ],
    }
    for table, contents in rows.items():
        catalog.upsert(table, pa.Table.from_pylist(contents, schema=SCHEMAS[table]))
    return catalog


@pytest.mark.parametrize("profile_name", ["packaged", "own"])
@settings(max_examples=4)
@given(posts=POSTS)
def test_a_draft_gets_the_caption_vectors_and_statistics_of_a_stored_post_with_the_same_content(
    profile_name: str, posts: list[tuple[str, str]]
) -> None:
    options = Settings(profile=profile_name, threads=1)
    profile = load_profile(options)
    with tempfile.TemporaryDirectory() as home:
        catalog = stored(Path(home) / "home", posts)
        pipeline.run(catalog, options, STAGES, AS_OF, Silent())
        captions = values(catalog, "captions", "sha256", "text")
        vectors = {
            space: values(catalog, embeddings_table(space, dim), "content", "vector")
            for space, dim in profile.dims.items()
        }
        measured = catalog.read("image_statistics").to_pylist()
    statistics = {row["sha256"]: [row[name] for name in IMAGE_STATISTICS] for row in measured}
    memo = ContentMemo()
    for title, sha256 in posts:
        file = ImageFile("drafted.png", IMAGES[sha256])
        (read,) = read_images([file], options.images, memo)
        encoded = EncodedContents(profile, {sha256: read.file}, memo)
        draft = encoded.columns([Content(sha256, title, (("flair", title[::-1]),))])
        assert [draft[name][0].as_py() for name in IMAGE_STATISTICS] == statistics[sha256]
        caption = encoded.captions[sha256]
        assert caption == captions[sha256]
        joined = title if profile.visual_text == "title" else caption
        keys = {
            "title": text_content(title),
            "caption": text_content(caption),
            "image": sha256,
            "visual": visual_content(sha256, joined),
        }
        if "text:flair" in draft:
            np.testing.assert_allclose(
                draft["text:flair"].to_pylist()[0],
                vectors["text"][text_content(title[::-1])],
                atol=1e-5,
            )
        for space in SPACES:
            expected = vectors[space].get(keys[space])
            (vector,) = draft[space].to_pylist()
            if expected is None:
                assert (space, caption, vector) == ("caption", "", None)
            else:
                np.testing.assert_allclose(vector, expected, atol=1e-5)


def values(catalog: Catalog, table: str, key: str, value: str) -> dict[str, object]:
    """One column of a table by another."""
    rows = catalog.read(table, [key, value])
    return dict(zip(rows[key].to_pylist(), rows[value].to_pylist(), strict=True))
