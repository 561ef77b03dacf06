"""The `fetch-images` stage: the images of selected posts, and which post shows which image.

An address is taken to hold the same image for ever (Reddit and Imgur name a file once), so what
one post's address gave serves every later post with that address, without a request. Equal bytes
from other addresses are kept once, by their SHA-256.
"""

import json
import os
from collections import Counter
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from mmrl.catalog import Catalog, Failed, Reason, without
from mmrl.catalog.columns import TIME
from mmrl.catalog.tables import SCHEMAS
from mmrl.config import ImageSettings, Settings
from mmrl.images.fetching.room import MOST_HELD_BYTES
from mmrl.images.files import read_image
from mmrl.images.image import FetchedImage, Refused
from mmrl.pipeline import Results
from mmrl.pipeline.stages.images import may_fetch, selected, to_do
from mmrl.sources.kinds import may_name_files

if TYPE_CHECKING:
    from mmrl.images.fetching.fetch import Fetcher

FROM_PREVIEW = "images from Reddit's preview, as the posted file is gone"
_FILE, _HTTP = "file://", ("http://", "https://")
_GONE = (Reason.IMAGE_GONE, Reason.IMAGE_REMOVED_PLACEHOLDER)
_FOREIGN_FILE = Refused(Reason.HOST_NOT_ALLOWED, "only imported tables may name files")
_DONE = pa.schema(
    [
        SCHEMAS["post_images"].field("post_id"),
        *(SCHEMAS["images"].field(name).with_nullable(True) for name in SCHEMAS["images"].names),
        SCHEMAS["post_images"].field("final_url"),
    ]
)


class FetchImagesStage:
    """Fetches each selected post's image once; see `Stage`. Posts are the keys in `failures`."""

    name = "fetch-images"
    chunk = 256

    def __init__(self, settings: Settings) -> None:
        self._images = settings.images
        self._all_allowed = settings.filter.require_image  # else the filter keeps the others, too
        asked = [sorted(self._images.allowed_hosts), self._images.allow_loopback]
        self.rules = json.dumps("all" if self._all_allowed else asked)
        self.reads = ("selection", "posts")
        self.writes = "post_images"

    def pending(self, catalog: Catalog, as_of: datetime, posts: pa.Array | None = None) -> pa.Table:
        """Selected posts with an address and no image, unless they failed and are not due.

        An address that may not be asked for counts as none.

        Columns: key, image_url, preview_url, source; `sha256` and `final_url` where the same
        address has given another post its image; `comes_again`: more than one of these posts has
        that address; `place`: in the order in which they are committed.
        """
        kept = selected(catalog, posts).rename_columns({"post_id": "key"})
        done = ("post_images", "post_id", "true")
        ids = to_do(catalog, kept, done, (self.name, as_of, None), posts is not None)["key"]
        facts = ["post_id", "image_url", "preview_url", "source"]
        waiting = catalog.lookup("posts", "post_id", ids, facts, "image_url IS NOT NULL")
        if not self._all_allowed:
            pairs = zip(
                waiting["image_url"].to_pylist(), waiting["source"].to_pylist(), strict=True
            )
            allowed = [may_fetch(url, source, self._images) for url, source in pairs]
            waiting = waiting.filter(pa.array(allowed, pa.bool_()))
        known = self._known(catalog, waiting["image_url"])
        row = pc.index_in(waiting["image_url"], value_set=_array(known["image_url"]))
        for name in ("sha256", "final_url"):
            waiting = waiting.append_column(name, known[name].take(row))
        again = _repeated(waiting["image_url"])
        places = pa.array(range(waiting.num_rows), pa.int64())
        waiting = waiting.append_column("comes_again", again).append_column("place", places)
        return waiting.rename_columns({"post_id": "key"})

    def load(self, catalog: Catalog, pending: pa.Table) -> pa.Table:
        """Nothing to add: the worker brings the images."""
        return pending

    def worker(self, as_of: datetime) -> "FetchImagesWorker":
        from mmrl.images.fetching.fetch import Fetcher

        return FetchImagesWorker(self._images, Fetcher(self._images))

    def commit(self, catalog: Catalog, done: pa.Table, as_of: datetime) -> None:
        """Writes images the catalog has not, and then each post's; never a post without one."""
        fetched = done.filter(pc.is_valid(done["bytes"]))
        stored = catalog.lookup("images", "sha256", fetched["sha256"], ["sha256"])
        catalog.insert("images", without(fetched, "sha256", stored["sha256"].to_pylist()))
        times = pa.array([as_of] * done.num_rows, TIME)
        catalog.upsert("post_images", done.append_column("fetched_at", times))

    @staticmethod
    def _known(catalog: Catalog, urls: pa.ChunkedArray) -> pa.Table:
        """`image_url`, `sha256` and `final_url` of these addresses that gave an image before."""
        posts = catalog.lookup("posts", "image_url", pc.unique(urls), ["post_id", "image_url"])
        shown = catalog.lookup(
            "post_images",
            "post_id",
            posts["post_id"],
            ["post_id", "sha256", "final_url"],
        )
        stored = catalog.lookup("images", "sha256", shown["sha256"], ["sha256"])["sha256"]
        shown = shown.filter(pc.is_in(shown["sha256"], value_set=_array(stored)))
        row = pc.index_in(shown["post_id"], value_set=_array(posts["post_id"]))
        return shown.append_column("image_url", posts["image_url"].take(row))


class FetchImagesWorker:
    """Fetches a batch's distinct addresses, and asks for none of them twice in a run."""

    def __init__(self, images: ImageSettings, fetcher: "Fetcher") -> None:
        self._images = images
        self._fetcher = fetcher
        # Only addresses that come again in this run, each with the place of the first post that it
        # was brought for. On a cluster an earlier chunk may come after a later one, and be the one
        # to be committed: it must not rely on what is not in the catalog yet.
        self._seen: dict[str, tuple[int, _Found]] = {}

    def __call__(self, batch: pa.Table) -> Results:
        """Rows of `_DONE`, one a post; bytes and facts only where an image is first met.

        Posts whose images did not fit into memory are the rest.
        """
        posts = batch.to_pylist()
        known = {
            post["image_url"]: _Kept(post["sha256"], post["final_url"])
            for post in posts
            if post["sha256"] is not None
        }
        first = min(post["place"] for post in posts)
        seen = {url: outcome for url, (place, outcome) in self._seen.items() if place <= first}
        outcomes: dict[str, _Found] = {**known, **seen}
        urls = {post["image_url"] for post in posts if _may_ask(post)}
        fetched = self._bring(sorted(urls - outcomes.keys()))
        outcomes.update({url: _kept(url, got) for url, got in fetched.items()})
        gone = {post["preview_url"] for post in posts if _is_gone(post, outcomes)}
        previews = self._bring(sorted(gone - outcomes.keys()))
        outcomes.update({url: _kept(url, got) for url, got in previews.items()})
        self._seen.update(
            {
                post["image_url"]: (first, outcomes[post["image_url"]])
                for post in posts
                if post["comes_again"] and post["image_url"] in outcomes.keys() - seen.keys()
            }
        )
        images = [*fetched.values(), *previews.values()]
        return _results(
            batch,
            [_outcome(post, outcomes) for post in posts],
            {got.facts.sha256: got for got in images if isinstance(got, FetchedImage)},
        )

    def _bring(self, urls: list[str]) -> dict[str, FetchedImage | Refused]:
        """The images of addresses; without those that memory has no room for."""
        fetched = self._fetcher.fetch([url for url in urls if not url.startswith(_FILE)])
        return {**fetched, **self._read([url for url in urls if url.startswith(_FILE)])}

    def _read(self, files: list[str]) -> dict[str, FetchedImage | Refused]:
        images: dict[str, FetchedImage | Refused] = {}
        held, at_once = 0, os.cpu_count() or 1
        with ThreadPoolExecutor(at_once, "read") as threads:
            for start in range(0, len(files), at_once):
                if held >= MOST_HELD_BYTES:
                    break
                some = files[start : start + at_once]
                read = threads.map(partial(read_image, images=self._images), some)
                images.update(zip(some, read, strict=True))
                held = sum(
                    len(got.data) for got in images.values() if isinstance(got, FetchedImage)
                )
        return images


@dataclass(frozen=True)
class _Kept:
    """An image that is in the catalog, or will be when this batch is committed.

    Attributes:
        asked: the address that it was asked for at, in this run.
    """

    sha256: str
    final_url: str
    asked: str = ""


_Found = _Kept | Refused


def _kept(url: str, got: FetchedImage | Refused) -> _Found:
    return got if isinstance(got, Refused) else _Kept(got.facts.sha256, got.final_url, url)


def _is_gone(post: dict[str, Any], outcomes: Mapping[str, _Found]) -> bool:
    """Whether a post's image is gone, and Reddit has kept a preview of it."""
    outcome = outcomes.get(post["image_url"])
    return (
        isinstance(outcome, Refused)
        and outcome.reason in _GONE
        and (post["preview_url"] or _FILE).startswith(_HTTP)
    )


def _outcome(post: dict[str, Any], outcomes: Mapping[str, _Found]) -> _Found | None:
    """A post's image, or the refusal of it; None where it was not asked for yet."""
    if not _may_ask(post):
        return _FOREIGN_FILE
    outcome = outcomes.get(post["image_url"])
    if not _is_gone(post, outcomes):
        return outcome
    preview = outcomes.get(post["preview_url"])
    return outcome if isinstance(preview, Refused) else preview  # why the image itself is missing


def _results(
    batch: pa.Table, outcomes: list[_Found | None], unwritten: dict[str, FetchedImage]
) -> Results:
    """The batch's results.

    Args:
        outcomes: of its posts, in their order.
        unwritten: images that are met for the first time, by hash.
    """
    rows, failed, rest = [], [], []
    noted: Counter[str] = Counter()
    for place, (post, outcome) in enumerate(zip(batch.to_pylist(), outcomes, strict=True)):
        if outcome is None:
            rest.append(place)
        elif isinstance(outcome, Refused):
            failed.append(Failed(post["key"], outcome.reason, outcome.detail, outcome.transient))
        else:
            rows.append(_row(post["key"], outcome, unwritten.pop(outcome.sha256, None)))
            noted[FROM_PREVIEW] += _is_preview(post, outcome)
    done = pa.Table.from_pylist(rows, schema=_DONE)
    return Results(done, failed, +noted, batch.take(rest) if rest else None)


def _is_preview(post: dict[str, Any], kept: _Kept) -> bool:
    return (
        post["preview_url"] not in (None, post["image_url"]) and kept.asked == post["preview_url"]
    )


def _may_ask(post: dict[str, Any]) -> bool:
    """True where the address may be asked for: a post from the net must not name files."""
    return not post["image_url"].startswith(_FILE) or may_name_files(post["source"])


def _row(post_id: str, kept: _Kept, image: FetchedImage | None) -> dict[str, Any]:
    facts = {} if image is None else {**vars(image.facts), "bytes": image.data}
    return {**facts, "post_id": post_id, "sha256": kept.sha256, "final_url": kept.final_url}


def _repeated(values: pa.ChunkedArray) -> pa.ChunkedArray:
    counts = pc.value_counts(values)
    once = counts.field("values").filter(pc.equal(counts.field("counts"), 1))
    return pc.invert(pc.is_in(values, value_set=once))


def _array(values: pa.ChunkedArray | pa.Array) -> pa.Array:
    return values.combine_chunks() if isinstance(values, pa.ChunkedArray) else values
