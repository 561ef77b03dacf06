"""Contents of an export: streams of Arrow tables of bounded size, right in time."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

import pyarrow as pa
import pyarrow.compute as pc

from mmrl.catalog import Catalog, moment, quote
from mmrl.catalog.columns import COLOURS, SPACES
from mmrl.catalog.tables import embeddings_table
from mmrl.config import Settings
from mmrl.encoders.profiles import Profile, load_profile
from mmrl.errors import InputError
from mmrl.samples.known import read_known
from mmrl.samples.load import load
from mmrl.samples.statistics import join_measures

_ROWS = 4_096  # of samples and predictions at a time
_VECTORS = 1_024  # posts at a time, with four vectors each
_IMAGES = 64  # at a time: of 30 MB each at the most
# No list of fixed size: those with nulls among them can't be read back from Parquet.
VECTOR = pa.list_(pa.float32())
_FACTS = ["post_id", "subreddit", "created_at"]
_LABELS = ["score", "popularity", "log_score", "percentile"]


@dataclass(frozen=True)
class Exporting:
    """A home at a moment, and the version whose evaluation is asked for."""

    catalog: Catalog
    settings: Settings
    as_of: datetime
    version: str

    @cached_property
    def profile(self) -> Profile:
        """The profile whose vectors and captions are exported."""
        return load_profile(self.settings)


@dataclass(frozen=True)
class Content:
    """Something that can be exported.

    Attributes:
        about: what a row is, as a sentence for the card.
        formats: those that can hold it.
        batches: its rows; each batch has the same schema.
        image: the column that holds an image file's bytes.
    """

    name: str
    about: str
    formats: tuple[str, ...]
    batches: Callable[[Exporting], Iterator[pa.Table]]
    image: str | None = None


def _samples(home: Exporting) -> Iterator[pa.Table]:
    rows = load(home.catalog, home.settings, home.as_of)
    place = rows.schema.get_field_index(COLOURS)
    yield from _cut(rows.set_column(place, COLOURS, rows[COLOURS].cast(VECTOR)), _ROWS)


def _vectors(home: Exporting) -> Iterator[pa.Table]:
    rows = _with_contents(home)
    for part in _cut(rows, _VECTORS):
        columns = {name: part[name] for name in _FACTS}
        captions = _captions(home, part["image_content"])
        contents = {
            "title": part["title_content"],
            "image": part["image_content"],
            "caption": _caption_contents(captions),
            "visual": _visual_contents(home, part, captions),
        }
        for space in SPACES:
            columns[space] = _lookup_vectors(home, space, contents[space])
        columns[COLOURS] = _lookup_colours(home, part["image_content"])
        yield pa.table(columns)


def _images(home: Exporting) -> Iterator[pa.Table]:
    rows = _with_contents(home)
    rows = rows.filter(pc.is_valid(rows["image_content"]))
    for part in _cut(rows, _IMAGES):
        ids, contents = part["post_id"], part["image_content"]
        titles = home.catalog.lookup("posts", "post_id", ids, ["post_id", "title"])
        images = home.catalog.lookup("images", "sha256", contents, ["sha256", "format", "bytes"])
        place = pc.index_in(contents, value_set=images["sha256"].combine_chunks())
        table = pa.table(
            {
                **{name: part[name] for name in (*_FACTS, *_LABELS)},
                "title": _taken(titles["title"], ids, titles["post_id"]),
                "caption": _captions(home, contents),
                "sha256": contents,
                "format": images["format"].take(place),
                "image": images["bytes"].cast(pa.binary()).take(place),
            }
        )
        yield table.filter(pc.is_valid(table["image"]))


def _predictions(home: Exporting) -> Iterator[pa.Table]:
    where = f"predicted_at <= {moment(home.as_of)}"
    rows = home.catalog.read("predictions", where=where)
    rows = rows.sort_by([("predicted_at", "ascending"), ("post_id", "ascending")])
    known = load(home.catalog, home.settings, home.as_of, columns=[*_FACTS, *_LABELS])
    for part in _cut(rows, _ROWS):
        columns = {name: part[name] for name in part.schema.names}
        for name in (*_FACTS[1:], *_LABELS):  # null: not matured, or no sample any more
            columns[name] = _taken(known[name], part["post_id"], known["post_id"])
        yield pa.table(columns)


def _evaluation(home: Exporting) -> Iterator[pa.Table]:
    from mmrl.learning.registry.registry import Registry

    yield from _cut(Registry(home.catalog.home).test_predictions(home.version), _ROWS)


_PLAIN = ("parquet", "csv", "hf")
CONTENTS = (
    Content(
        "samples",
        "A row is a post: its features as they were known when it went up, and its labels where "
        "they had settled. Without vectors; export those as `vectors`.",
        (*_PLAIN, "webdataset"),
        _samples,
    ),
    Content(
        "vectors",
        "A row is a post with the vectors of its title, caption, image, and image with text, and "
        "its image's colours (shares of a histogram), float32; null where it has no such content.",
        ("parquet", "hf", "webdataset"),
        _vectors,
    ),
    Content(
        "images",
        "A row is a post with its image's file, title, caption and labels. An image that was "
        "posted again is there again.",
        ("parquet", "hf", "webdataset"),
        _images,
        image="image",
    ),
    Content(
        "predictions",
        "A row is what a model version expected of a post while it was young, with what became of "
        "it where that is known: 10, 50 and 90% quantiles in `unit`.",
        _PLAIN,
        _predictions,
    ),
    Content(
        "evaluation",
        "A row is a test post of one model version: the truth, the model's 10, 50 and 90% "
        "quantiles, and what each baseline says; of a small set also posts of earlier blocks, as "
        "learners fitted before these said. `evaluation.json` holds the metrics.",
        _PLAIN,
        _evaluation,
    ),
)
FORMATS = ("parquet", "csv", "hf", "webdataset")


def content_of(name: str, form: str) -> Content:
    """What is to be exported, where the format can hold it.

    Raises:
        InputError: there is no such content or format, or the two don't go together.
    """
    known = {content.name: content for content in CONTENTS}
    if name not in known:
        raise InputError(f"{name!r} can't be exported: give one of {', '.join(known)}.")
    if form not in known[name].formats:
        raise InputError(
            f"{name} are not exported as {form!r}: give --format one of "
            f"{', '.join(known[name].formats)}."
        )
    return known[name]


def _with_contents(home: Exporting) -> pa.Table:
    """Facts, labels and the keys of contents of the samples, by (created_at, post_id)."""
    samples = load(home.catalog, home.settings, home.as_of, columns=[*_FACTS, *_LABELS])
    keys = ["title_content", "image_content", "visual_content"]
    known = read_known(home.catalog, home.settings, home.as_of, ["post_id", *keys])
    for name in keys:
        column = _taken(known[name], samples["post_id"], known["post_id"])
        samples = samples.append_column(name, column)
    return samples


def _cut(table: pa.Table, rows: int) -> Iterator[pa.Table]:
    """The table in parts; one without rows where it has none, so that its schema is known."""
    for start in range(0, max(1, table.num_rows), rows):
        yield table.slice(start, rows)


def _taken(values: pa.ChunkedArray, keys: pa.ChunkedArray, of: pa.ChunkedArray) -> pa.ChunkedArray:
    """The values by their keys; null where a key is not there."""
    return values.take(pc.index_in(keys, value_set=of.combine_chunks(), skip_nulls=True))


def _captions(home: Exporting, images: pa.ChunkedArray) -> pa.ChunkedArray:
    """The captions of images by the profile's captioner; null where there is none."""
    captioner = f"captioner = {quote(home.profile.ids['captioner'])}"
    captions = home.catalog.lookup("captions", "sha256", images, ["sha256", "text"], captioner)
    return _taken(captions["text"], images, captions["sha256"])


def _caption_contents(captions: pa.ChunkedArray) -> pa.Array:
    from mmrl.catalog.keys import text_content

    texts = captions.to_pylist()
    return pa.array([text_content(text) if text else None for text in texts], pa.string())


def _visual_contents(
    home: Exporting, part: pa.Table, captions: pa.ChunkedArray
) -> pa.ChunkedArray | pa.Array:
    from mmrl.catalog.keys import visual_content

    if home.profile.visual_text == "title":
        return part["visual_content"]
    pairs = zip(part["image_content"].to_pylist(), captions.to_pylist(), strict=True)
    return pa.array(
        [None if None in pair else visual_content(*pair) for pair in pairs], pa.string()
    )


def _lookup_vectors(
    home: Exporting, space: str, contents: pa.ChunkedArray | pa.Array
) -> pa.ChunkedArray:
    dim = home.profile.dims[space]
    encoder = f"encoder = {quote(home.profile.ids[space])}"
    table = embeddings_table(space, dim)
    embeddings = home.catalog.lookup(table, "content", contents, ["content", "vector"], encoder)
    place = pc.index_in(contents, value_set=embeddings["content"].combine_chunks(), skip_nulls=True)
    return embeddings["vector"].cast(pa.list_(pa.float32(), dim)).take(place).cast(VECTOR)


def _lookup_colours(home: Exporting, images: pa.ChunkedArray) -> pa.Array:
    colours = join_measures(home.catalog, images.combine_chunks(), [COLOURS])[COLOURS]
    return colours.cast(VECTOR)
