"""Captions by a real server: transformers' own, in a process beside."""

import io
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pytest
from PIL import Image

from mmrl.catalog.reasons import Reason
from mmrl.config import CaptionServerSettings, Settings
from mmrl.encoders.caption_server.server import ServerCaptions
from mmrl.encoders.profiles import load_profile
from mmrl.encoders.protocols import Caption, Uncaptioned
from mmrl.errors import Failure, WeightsError
from mmrl.pipeline.stages.caption import CaptionStage
from tests.support.image_server import image_file
from tests.support.serving_process import MODEL, transformers_server

NOW = datetime(2026, 6, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def real_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with transformers_server(tmp_path_factory.mktemp("server")) as url:
        yield url


def real_settings(url: str, **changes: Any) -> CaptionServerSettings:
    given = {"base_url": url, "model": MODEL, "max_tokens": 8, "concurrency": 4, "attempts": 2}
    return CaptionServerSettings(**{**given, **changes})


class TestARealServer:
    def test_images_get_captions_in_their_order_whatever_runs_at_once(
        self, real_server: str
    ) -> None:
        image_files = [image_file(seed, (320, 200)) for seed in range(10)]
        captions = ServerCaptions(real_settings(real_server))
        captions.check()
        together = captions.caption(image_files)
        one_by_one = ServerCaptions(real_settings(real_server, concurrency=1)).caption(image_files)
        texts = [got.text for got in together if isinstance(got, Caption)]
        assert len(texts) == 10
        assert all(len(text.split()) == 8 for text in texts)  # as many words as tokens
        assert len(set(texts)) > 5  # what is said depends on the image
        assert together == one_by_one

    def test_images_of_any_kind_are_sent_as_what_the_server_reads(self, real_server: str) -> None:
        transparent = io.BytesIO()
        Image.new("RGBA", (900, 2000), (10, 200, 30, 0)).save(transparent, "PNG")
        captions = ServerCaptions(real_settings(real_server))
        kinds = [image_file(1, image_format="WEBP"), image_file(1, image_format="GIF")]
        got = captions.caption([*kinds, transparent.getvalue(), b"no image"])
        assert [type(one) for one in got] == [Caption, Caption, Caption, Uncaptioned]
        assert isinstance(got[3], Uncaptioned)
        assert got[3].reason == Reason.BROKEN_IMAGE

    def test_a_wrong_model_name_is_an_error_that_names_the_models_there(
        self, real_server: str
    ) -> None:
        captions = ServerCaptions(real_settings(real_server, model="tiny/other"))
        with pytest.raises(WeightsError, match=f"no model 'tiny/other'; it has {MODEL}"):
            captions.check()
        with pytest.raises(Failure, match="HTTP 400: Server is pinned to"):
            captions.caption([image_file(seed) for seed in range(3)])

    def test_an_address_without_its_path_is_an_error(self, real_server: str) -> None:
        captions = ServerCaptions(real_settings(real_server.removesuffix("/v1")))
        with pytest.raises(WeightsError, match=r"HTTP 404.*end in /v1"):
            captions.check()
        with pytest.raises(Failure, match=r"HTTP 404.*end in /v1"):
            captions.caption([image_file()])

    def test_the_settings_alone_put_it_in_the_profiles_place(self, real_server: str) -> None:
        settings = Settings(caption_server=real_settings(real_server))
        profile = load_profile(settings)
        assert profile.ids["captioner"].startswith(f"{MODEL}@server+")
        assert "captioner" not in profile.shown_as  # captions, no tags
        batch = pa.table({"key": ["one", "two"], "bytes": [image_file(1), b"broken"]})
        results = CaptionStage("captioner", profile).worker(NOW)(batch)
        assert results.done["sha256"].to_pylist() == ["one"]
        assert results.done["captioner"].to_pylist() == [profile.ids["captioner"]]
        assert [(one.key, one.reason) for one in results.failed] == [("two", Reason.BROKEN_IMAGE)]
