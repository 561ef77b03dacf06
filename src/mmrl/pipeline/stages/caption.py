"""The `caption` stage: captions the images of the selected posts, once an image and captioner."""

import json
from dataclasses import asdict
from datetime import datetime
from typing import cast

import pyarrow as pa

from mmrl.catalog import Catalog, quote
from mmrl.catalog.tables import CAPTIONS
from mmrl.encoders.contents import caption_images
from mmrl.encoders.profiles import Profile
from mmrl.encoders.protocols import Follower, Phrase
from mmrl.pipeline.stage import Results
from mmrl.pipeline.stages.images import (
    add_bytes,
    add_seen,
    failed,
    images_of,
    remember_seen,
    to_do,
)


class CaptionStage:
    """Reads the bytes of images, writes `captions`; the text is "" where the captioner abstains.

    Args:
        role: the profile's model that captions.
    """

    name = "caption"
    chunk = 1024

    def __init__(self, role: str, profile: Profile) -> None:
        self._profile = profile
        self._role = role
        self._captioner = self.rules = profile.ids[role]
        self.reads = ("selection", "post_images")
        self.writes = "captions"

    def pending(self, catalog: Catalog, as_of: datetime, posts: pa.Array | None = None) -> pa.Table:
        """Images without a caption by this captioner: `key` is the image's sha256."""
        done = (self.writes, "sha256", f"captioner = {quote(self._captioner)}")
        failures = (self.name, as_of, self._captioner)
        return to_do(catalog, images_of(catalog, posts), done, failures, posts is not None)

    def load(self, catalog: Catalog, pending: pa.Table) -> pa.Table:
        """Adds `bytes`, and `seen` where the captioner follows from stored vectors."""
        rows = add_bytes(catalog, pending, "key")
        return add_seen(catalog, rows, "key", self._profile, self._role)

    def worker(self, as_of: datetime) -> "CaptionWorker":
        """Makes the captioner."""
        return CaptionWorker(self._profile)

    def commit(self, catalog: Catalog, done: pa.Table, as_of: datetime) -> None:
        """Writes the captions."""
        catalog.upsert("captions", done)


class CaptionWorker:
    """Captions one batch of (key, bytes)."""

    def __init__(self, profile: Profile) -> None:
        from mmrl.encoders.caption_server.server import ServerCaptions

        captioner = profile.captioner()
        # A server may have a budget of requests, which begins anew with each run.
        self._captioner = (
            captioner.for_run() if isinstance(captioner, ServerCaptions) else captioner
        )

    def __call__(self, batch: pa.Table) -> Results:
        if "seen" in batch.column_names:
            remember_seen(cast(Follower, self._captioner), batch, "key")
        captioned = caption_images(self._captioner, batch["bytes"].to_pylist())
        images = batch["key"].to_pylist()
        rows = [
            {
                "sha256": images[place],
                "captioner": self._captioner.id,
                "text": caption.text,
                "phrases": _as_json(caption.phrases),
            }
            for place, caption in zip(captioned.places, captioned.results, strict=True)
        ]
        return Results(
            pa.Table.from_pylist(rows, schema=CAPTIONS),
            failed(batch, captioned.failures, self._captioner.id),
        )


def _as_json(phrases: tuple[Phrase, ...]) -> str | None:
    return json.dumps([asdict(phrase) for phrase in phrases]) if phrases else None
