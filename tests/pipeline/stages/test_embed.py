"""The caption and embed stages: what is pending, what is written, what fails alone."""

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from mmrl.catalog import Catalog, Reason
from mmrl.catalog.columns import EMBEDDED, SPACES
from mmrl.catalog.keys import image_content, text_content, visual_content
from mmrl.catalog.tables import CAPTIONS, IMAGES, POST_IMAGES, POSTS, SCHEMAS, SELECTION
from mmrl.config import ImageSettings, Settings
from mmrl.encoders.packaged.efficientnet import Backbone, backbone
from mmrl.encoders.profiles import Profile, load_profile
from mmrl.encoders.protocols import Caption, Phrase, Uncaptioned
from mmrl.errors import InputError
from mmrl.images.image import ImageFacts, Refused
from mmrl.images.probe import probe
from mmrl.pipeline import Silent, run_stage
from mmrl.pipeline import run as pipeline
from mmrl.pipeline.stage import Stage
from mmrl.pipeline.stages.caption import CaptionStage
from mmrl.pipeline.stages.embed import EmbedStage
from mmrl.report.thumbnails import UnshowableError, thumbnail
from mmrl.sources.extras import extra_rows
from tests.support.command import printed
from tests.support.image_server import image_file

AS_OF = datetime(2026, 6, 1, tzinfo=UTC)
GOOD, OTHER, BROKEN = image_file(1), image_file(2), b"\xff\xd8\xff no image"
PROFILE = load_profile(Settings())


def put(
    catalog: Catalog, post_id: str, title: str, image: bytes | None, reason: str | None
) -> None:
    """A post, decided on and, where it has one, with its image."""
    post = {"post_id": post_id, "title": title, "subreddit": "pics", "source": "table:test"}
    post |= {"created_at": AS_OF, "first_seen_at": AS_OF}
    catalog.upsert("posts", _table([post], POSTS))
    decided = {"post_id": post_id, "rules": "r", "reason": reason, "decided_at": AS_OF}
    catalog.upsert("selection", _table([decided], SELECTION))
    if image is None:
        return
    sha256 = image_content(image)
    size = {"width": 320, "height": 256, "format": "JPEG", "byte_size": len(image)}
    row = {"sha256": sha256, "phash": "0" * 16, "bytes": image, **size}
    catalog.insert("images", _table([row], IMAGES))
    link = {"post_id": post_id, "sha256": sha256, "fetched_at": AS_OF, "final_url": "file:///x"}
    catalog.upsert("post_images", _table([link], POST_IMAGES))


def _table(rows: list[dict], schema: pa.Schema) -> pa.Table:
    return pa.Table.from_pylist(rows, schema=schema)


def every_stage(profile: Profile) -> list[Stage]:
    return [
        CaptionStage("captioner", profile),
        *(EmbedStage(space, profile) for space in EMBEDDED),
    ]


def run(catalog: Catalog, stage: Stage) -> pa.Table:
    """Does all of a stage's pending work; returns what was pending."""
    pending = stage.pending(catalog, AS_OF)
    if pending.num_rows:
        results = stage.worker(AS_OF)(stage.load(catalog, pending))
        stage.commit(catalog, results.done, AS_OF)
        catalog.fail(stage.name, results.failed, AS_OF)
    return pending


@pytest.fixture
def filled(catalog: Catalog) -> Catalog:
    """Five posts: a repost, a left-out one, one with a broken image, one without image."""
    put(catalog, "a", "A cat", GOOD, None)
    put(catalog, "b", "A cat", GOOD, None)
    put(catalog, "c", "Left out", OTHER, "removed")
    put(catalog, "d", "Broken", BROKEN, None)
    put(catalog, "e", "No image", None, None)
    return catalog


def test_a_title_is_embedded_once_and_only_for_selected_posts(filled: Catalog) -> None:
    stage = EmbedStage("title", PROFILE)
    pending = run(filled, stage)
    assert pending.column_names[0] == "key"
    assert set(pending["text"].to_pylist()) == {"A cat", "Broken", "No image"}
    rows = filled.read("embeddings_title_384")
    vectors = dict(zip(rows["content"].to_pylist(), rows["vector"].to_pylist(), strict=True))
    expected = PROFILE.title().encode(["A cat"])[0]
    np.testing.assert_allclose(vectors[text_content("A cat")], expected, atol=1e-5)
    assert stage.pending(filled, AS_OF).num_rows == 0


def test_flair_tags_and_texts_are_embedded_once_but_for_numbers(filled: Catalog) -> None:
    posts = filled.read("posts").to_pylist()
    flairs = {"a": "OC", "c": "of a post that is left out"}
    flaired = [{**post, "flair": flairs.get(post["post_id"])} for post in posts]
    filled.upsert("posts", pa.Table.from_pylist(flaired, POSTS))
    extras = {"a": {"tags": "red blue", "runtime": "93.5"}, "b": {"tags": "red blue"}}
    extras |= {"d": {"tags": "OC"}, "c": {"tags": "left out, too"}}
    rows = pa.Table.from_pylist(extra_rows(extras), SCHEMAS["extra_features"])
    filled.insert("extra_features", rows)
    stage = EmbedStage("text", PROFILE)
    assert set(run(filled, stage)["text"].to_pylist()) == {"OC", "red blue"}
    rows = filled.read("embeddings_text_384")
    assert rows["encoder"].to_pylist() == [PROFILE.ids["title"]] * 2
    vectors = dict(zip(rows["content"].to_pylist(), rows["vector"].to_pylist(), strict=True))
    expected = PROFILE.title().encode(["red blue"])[0]
    np.testing.assert_allclose(vectors[text_content("red blue")], expected, atol=1e-5)
    assert stage.pending(filled, AS_OF).num_rows == 0


@pytest.mark.parametrize(("space", "table"), [("image", 1280), ("visual", 384)])
def test_a_broken_image_fails_alone_with_its_reason(
    filled: Catalog, space: str, table: int
) -> None:
    stage = EmbedStage(space, PROFILE)
    pending = run(filled, stage)
    good, broken = image_content(GOOD), image_content(BROKEN)
    keys = {
        "image": (good, broken),
        "visual": (visual_content(good, "A cat"), visual_content(broken, "Broken")),
    }[space]
    assert set(pending["key"].to_pylist()) == set(keys)
    rows = filled.read(f"embeddings_{space}_{table}")
    assert rows["content"].to_pylist() == [keys[0]]
    assert rows["encoder"].to_pylist() == [PROFILE.ids[space]]
    failures = filled.read("failures").to_pylist()
    assert [(f["stage"], f["key"], f["reason"]) for f in failures] == [
        (f"embed-{space}", keys[1], "broken_image")
    ]
    assert stage.pending(filled, AS_OF).num_rows == 0


IN_SIGHT = ("caption", "embed-image", "embed-visual")  # the stages that decode images


def test_what_a_raised_limit_lets_in_is_captioned_embedded_and_shown(
    catalog: Catalog, pixel_limit: None
) -> None:
    wide = image_file(1, (12_000, 10_000))
    settings = Settings(images=ImageSettings(max_pixels=150_000_000))
    assert isinstance(probe(wide, settings.images), ImageFacts)
    put(catalog, "a", "A poster", wide, None)
    pipeline.run(catalog, settings, IN_SIGHT, AS_OF, Silent())
    assert catalog.read("failures").to_pylist() == []
    for table in ("captions", "embeddings_image_1280", "embeddings_visual_384"):
        assert catalog.count(table) == 1
    assert thumbnail(wide).startswith("data:image/jpeg;base64,")


def test_under_a_lowered_limit_every_stage_refuses_with_one_reason_number_and_limit(
    catalog: Catalog, pixel_limit: None
) -> None:
    settings = Settings(images=ImageSettings(max_pixels=50_000))
    put(catalog, "a", "A cat", image_file(1, (320, 256)), None)
    pipeline.run(catalog, settings, IN_SIGHT, AS_OF, Silent())
    refused = probe(image_file(1, (320, 256)), settings.images)
    assert isinstance(refused, Refused)
    assert refused.detail == "320 x 256 pixels, 50,000 at most (images.max_pixels)"
    failures = catalog.read("failures").to_pylist()
    assert sorted((f["stage"], f["reason"], f["detail"]) for f in failures) == [
        (stage, "too_many_pixels", refused.detail) for stage in IN_SIGHT
    ]
    with pytest.raises(UnshowableError, match="320 x 256 pixels, 50,000 at most"):
        thumbnail(image_file(1, (320, 256)))


def test_vectors_in_the_catalog_are_the_encoders_own(filled: Catalog) -> None:
    run(filled, EmbedStage("image", PROFILE))
    run(filled, EmbedStage("visual", PROFILE))
    image = filled.read("embeddings_image_1280")["vector"].to_pylist()
    visual = filled.read("embeddings_visual_384")["vector"].to_pylist()
    np.testing.assert_allclose(image, PROFILE.image().encode([GOOD]), atol=1e-5)
    np.testing.assert_allclose(visual, PROFILE.visual().encode([GOOD], ["A cat"]), atol=1e-5)


def test_an_image_is_captioned_once_and_an_abstention_is_kept(filled: Catalog) -> None:
    stage = CaptionStage("captioner", PROFILE)
    pending = run(filled, stage)
    assert set(pending["key"].to_pylist()) == {image_content(GOOD), image_content(BROKEN)}
    rows = filled.read("captions").to_pylist()
    expected = PROFILE.captioner().caption([GOOD])[0].text
    assert [(row["sha256"], row["text"]) for row in rows] == [(image_content(GOOD), expected)]
    assert stage.pending(filled, AS_OF).num_rows == 0


def test_tags_and_label_bridge_follow_from_stored_vectors_without_another_pass(
    filled: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    def passed(*_: object) -> None:
        raise AssertionError("another pass of the network")

    run(filled, EmbedStage("image", PROFILE))
    for stage in (CaptionStage("captioner", PROFILE), EmbedStage("visual", PROFILE)):
        rows = stage.load(filled, stage.pending(filled, AS_OF))
        rows = rows.filter(pc.is_valid(rows["seen"]))  # all but the broken image
        backbone().memo.forget()  # as in a process of its own
        with monkeypatch.context() as patch:
            patch.setattr(Backbone, "forward", passed)
            followed = stage.worker(AS_OF)(rows).done
        backbone().memo.forget()
        fresh = stage.worker(AS_OF)(rows.drop_columns(["seen"])).done
        assert followed.num_rows == rows.num_rows > 0
        columns = [name for name in fresh.column_names if name != "vector"]
        assert followed.select(columns).equals(fresh.select(columns))
        if "vector" in fresh.column_names:
            vectors = [np.stack(one["vector"].to_numpy()) for one in (followed, fresh)]
            np.testing.assert_allclose(*vectors, atol=1e-5)


def test_an_empty_caption_is_never_pending_and_has_no_vector(filled: Catalog) -> None:
    captioner = PROFILE.ids["captioner"]
    put(filled, "f", "Another", OTHER, None)
    rows = [
        {"sha256": image_content(GOOD), "captioner": captioner, "text": "tabby cat"},
        {"sha256": image_content(OTHER), "captioner": captioner, "text": ""},
        {"sha256": image_content(OTHER), "captioner": "another@1", "text": "not ours"},
    ]
    filled.upsert("captions", _table(rows, CAPTIONS))
    stage = EmbedStage("caption", PROFILE)
    assert run(filled, stage)["text"].to_pylist() == ["tabby cat"]
    assert filled.read("embeddings_caption_384")["content"].to_pylist() == [
        text_content("tabby cat")
    ]
    assert stage.pending(filled, AS_OF).num_rows == 0


def test_an_image_whose_bytes_are_gone_fails_alone(filled: Catalog) -> None:
    filled.delete("images", f"sha256 = '{image_content(GOOD)}'")
    put(filled, "f", "Another", OTHER, None)
    run(filled, EmbedStage("image", PROFILE))
    assert filled.read("embeddings_image_1280")["content"].to_pylist() == [image_content(OTHER)]
    assert set(filled.read("failures")["key"].to_pylist()) == {
        image_content(GOOD),
        image_content(BROKEN),
    }


def test_another_encoder_makes_everything_pending_again(filled: Catalog) -> None:
    run(filled, EmbedStage("title", PROFILE))

    class Newer:
        id = "newer@2"
        dim = 384

        def check(self) -> None: ...

    other: Profile = replace(PROFILE, _encoders={**PROFILE._encoders, "title": Newer()})
    assert EmbedStage("title", other).pending(filled, AS_OF).num_rows == 3


@pytest.mark.slow
def test_finding_that_nothing_is_pending_imports_no_model(filled: Catalog) -> None:
    for space in ("title", "image"):
        run(filled, EmbedStage(space, PROFILE))
    code = f"""
import sys
from datetime import UTC, datetime
from mmrl.catalog import Catalog
from mmrl.config import ImageSettings, Settings
from mmrl.encoders.profiles import load_profile
from mmrl.pipeline.stages.caption import CaptionStage
from mmrl.pipeline.stages.embed import EmbedStage
catalog = Catalog.open({filled.home!r})
profile = load_profile(Settings())
as_of = datetime(2026, 6, 1, tzinfo=UTC)
counts = [EmbedStage(space, profile).pending(catalog, as_of).num_rows
          for space in ("title", "image", "visual")]
captions = CaptionStage("captioner", profile).pending(catalog, as_of).num_rows
print(counts, captions, "torch" in sys.modules)
"""
    assert printed(code).strip() == "[0, 0, 2] 2 False"


def test_an_unknown_space_is_an_error_that_lists_the_spaces() -> None:
    with pytest.raises(InputError, match="title, caption, image, visual"):
        EmbedStage("sound", PROFILE)


class Stand:
    """Encoders that stand in for a profile's, so that only what the stages do is looked at."""

    def __init__(self, name: str, dim: int = 4) -> None:
        self.id, self.dim, self.truncated = f"{name}@1", dim, 0
        self.seen: list[tuple[bytes, str]] = []

    def check(self) -> None: ...

    def encode(self, first: Sequence[Any], texts: Sequence[str] | None = None) -> np.ndarray:
        if texts is not None:
            self.seen += zip(first, texts, strict=True)
        elif isinstance(first[0], str):
            self.truncated += sum(len(text) > 20 for text in first)
        return np.ones((len(first), self.dim), np.float32)

    def caption(self, images: Sequence[bytes]) -> list[Caption | Uncaptioned]:
        said: dict[bytes, Caption | Uncaptioned] = {
            GOOD: Caption("a cat", (Phrase(0, 5, ((0.0, 0.0, 0.5, 1.0),)),)),
            OTHER: Caption(""),
        }
        return [
            said.get(image, Uncaptioned(Reason.PROMPT_ECHOED, "Describe this")) for image in images
        ]


def profile_of(visual_text: str = "title", **names: str) -> Profile:
    roles = ("title", "caption", "image", "visual", "captioner")
    encoders = {role: Stand(names.get(role, role)) for role in roles}
    return Profile("stand-ins", {}, visual_text, encoders)  # type: ignore[arg-type]


def test_a_profile_may_join_the_image_with_its_caption_and_then_waits_for_it(
    filled: Catalog,
) -> None:
    put(filled, "f", "Another", OTHER, None)
    profile = profile_of(visual_text="caption")
    stage = EmbedStage("visual", profile)
    assert stage.pending(filled, AS_OF).num_rows == 0
    run(filled, CaptionStage("captioner", profile))
    failures = filled.read("failures", ["key", "reason", "detail"]).to_pylist()
    assert failures == [
        {"key": image_content(BROKEN), "reason": "prompt_echoed", "detail": "Describe this"}
    ]
    run(filled, stage)
    assert sorted(profile.visual().seen) == sorted([(GOOD, "a cat"), (OTHER, "")])  # type: ignore[attr-defined]
    contents = filled.read("embeddings_visual_4", ["content"])["content"].to_pylist()
    assert set(contents) == {
        visual_content(image_content(GOOD), "a cat"),
        visual_content(image_content(OTHER), ""),
    }
    assert stage.pending(filled, AS_OF).num_rows == 0


def test_what_a_captioner_found_where_is_kept_with_the_caption(filled: Catalog) -> None:
    run(filled, CaptionStage("captioner", profile_of()))
    (row,) = filled.read("captions").to_pylist()
    assert row["text"] == "a cat"
    assert json.loads(row["phrases"]) == [{"start": 0, "end": 5, "boxes": [[0.0, 0.0, 0.5, 1.0]]}]


def test_texts_that_were_cut_are_counted_in_the_stages_summary(filled: Catalog) -> None:
    put(filled, "f", "A title of more than twenty letters", OTHER, None)
    report = run_stage(EmbedStage("title", profile_of()), filled, AS_OF, Silent())
    assert report.summary().endswith("done, 1 texts cut at the model's limit")


def test_a_new_profile_embeds_only_what_its_new_encoders_lack_and_keeps_the_old_vectors(
    filled: Catalog,
) -> None:
    before = profile_of()
    for stage in every_stage(before):
        run(filled, stage)
    counts = {space: filled.count(f"embeddings_{space}_4") for space in SPACES}
    after = profile_of(image="another-image", captioner="another-captioner")
    pending = {stage.name: run(filled, stage).num_rows for stage in every_stage(after)}
    # Another captioner may do what the former failed on; its captions' texts are known.
    assert pending == {
        "caption": 2,
        "embed-title": 0,
        "embed-caption": 0,
        "embed-image": 2,
        "embed-visual": 0,
        "embed-text": 0,
    }
    assert {space: filled.count(f"embeddings_{space}_4") for space in SPACES} == {
        **counts,
        "image": 2 * counts["image"],
    }
    # And back: nothing is to be done again.
    assert all(EmbedStage(space, before).pending(filled, AS_OF).num_rows == 0 for space in SPACES)
