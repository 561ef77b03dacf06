"""Samples as they were known at a time."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from mmrl.catalog import Catalog, quote
from mmrl.catalog.columns import EMBEDDED, SPACES, TEXT
from mmrl.catalog.keys import text_content, visual_content
from mmrl.catalog.query import distinct_values
from mmrl.config import Settings
from mmrl.encoders.profiles import Profile
from mmrl.errors import InputError
from mmrl.images.measures.quality import VERSION
from mmrl.samples.batches import Contents, HeldVectors, StoredVectors
from mmrl.samples.extras import (
    EXTRA,
    extras_column,
    extras_of_posts,
    text_columns,
    text_contents,
)
from mmrl.samples.features import microseconds, nullable
from mmrl.samples.history import History, Matured, log_scores
from mmrl.samples.known import IN_TIME, outcomes_of, read_known, read_outcomes
from mmrl.samples.known_at import NEVER
from mmrl.samples.reposts import Reposts, image_keys, images_alike
from mmrl.samples.schema import samples_schema
from mmrl.samples.statistics import MEASURES, STATISTICS, join_measures
from mmrl.samples.vectors import join_vectors, vector_dim

_OF_REPOSTS = ("created_at", "score", "image_content")


def load(
    catalog: Catalog,
    settings: Settings,
    as_of: datetime,
    *,
    encoders: Mapping[str, str] | None = None,
    captioner: str | None = None,
    visual_text: str = "title",
    dims: Mapping[str, int] | None = None,
    columns: Sequence[str] | None = None,
    labelled_only: bool = False,
    posts: Collection[str] | None = None,
) -> pa.Table:
    """The samples at `as_of`: posts first seen by then, with the labels observed by then.

    Later calls with the same `as_of` give the same posts, features and labels, whatever has been
    observed since. Two things are not as of then: an image, its statistics or a vector count from
    whenever the pipeline made it, and the posts are those that today's filter keeps and no purge
    has erased.

    Args:
        encoders: which encoder's vectors to join, by space (see `EMBEDDED`); a space that is absent
            has no column, nor has one of images whose dimension is not given where no post has one.
            The space `text` has a column for each extra feature that is words.
        captioner: whose captions the caption vectors are of; needed only if there are several.
        visual_text: the text that visual vectors hold beside the image: title or caption.
        dims: the vectors' dimension by space; found in the catalog for spaces left out.
        columns: which to return, in that order; all by default. Vectors, statistics and extra
            features that are left out are not read.
        labelled_only: leave out posts that have no label at `as_of`.
        posts: only these; their history is still that of all.

    Returns:
        a table in the schema of `samples_schema`, sorted by (created_at, post_id).

    Raises:
        InputError: an unknown space or column, an encoder that embedded nothing, or several
            captioners to choose from.
    """
    rows = _asked_for(catalog, settings, as_of, labelled_only=labelled_only, posts=posts)
    extras = _extras(catalog, settings, rows, columns)
    contents = _vector_contents(
        catalog, rows, extras, encoders or {}, dims or {}, captioner, visual_text, columns
    )
    rows = _with_measures(catalog, rows, columns).append_column(EXTRA, extras_column(extras))
    for name, one in contents.items():
        vectors = join_vectors(catalog, one.space, one.encoder, one.dim, one.contents)
        if one.space != TEXT or vectors.null_count < rows.num_rows:
            rows = rows.append_column(name, vectors)
    schema = samples_schema(
        {name: one.dim for name, one in contents.items() if name in rows.schema.names}
    )
    rows = rows.select(schema.names).cast(schema)
    if columns is None:
        return rows
    unknown = sorted(set(columns) - set(schema.names))
    if unknown:
        raise InputError(
            f"Samples have no column {', '.join(unknown)}; they have {', '.join(schema.names)}."
        )
    return rows.select(list(columns))


def encoders_of(profile: Profile) -> dict[str, str]:
    """What samples of a profile were made by: its models by role, and the images' measure."""
    return {**profile.ids, STATISTICS: VERSION}


def samples_with_vectors(
    catalog: Catalog,
    settings: Settings,
    as_of: datetime,
    profile: Profile,
    *,
    labelled_only: bool = False,
    posts: Collection[str] | None = None,
) -> pa.Table:
    """The samples at `as_of` with all the vectors of a profile's encoders."""
    vectors = vectors_of(profile)
    return load(catalog, settings, as_of, **vectors, labelled_only=labelled_only, posts=posts)


def samples_and_vectors(
    catalog: Catalog, settings: Settings, as_of: datetime, profile: Profile
) -> tuple[pa.Table, StoredVectors]:
    """The labelled samples at `as_of` without vectors, and the vectors of a profile's encoders,
    which are read when they are asked for."""
    rows = _asked_for(catalog, settings, as_of, labelled_only=True)
    extras = _extras(catalog, settings, rows)
    contents = _vector_contents(catalog, rows, extras, **vectors_of(profile))
    rows = _with_measures(catalog, rows, None).append_column(EXTRA, extras_column(extras))
    schema = samples_schema({})
    rows = rows.select(schema.names).cast(schema)
    return rows, StoredVectors(catalog, contents, HeldVectors(rows))


def vectors_of(profile: Profile) -> dict[str, Any]:
    """The arguments of `load` that join the vectors of all of a profile's encoders."""
    return {
        "encoders": {space: profile.ids[space] for space in EMBEDDED},
        "captioner": profile.ids["captioner"],
        "visual_text": profile.visual_text,
        "dims": profile.dims,
    }


def mature_after(settings: Settings) -> timedelta:
    """The age from which on an observation gives a label."""
    return timedelta(hours=settings.label.mature_after_hours)


def popularity(score: pa.ChunkedArray, subscribers: pa.ChunkedArray) -> pa.ChunkedArray:
    """Score per thousand subscribers; null where there are none, or not known."""
    thousands = pc.divide(pc.cast(subscribers, pa.float64(), safe=False), 1000.0)
    return pc.divide(
        pc.cast(score, pa.float64(), safe=False),
        pc.if_else(pc.greater(thousands, 0.0), thousands, None),
    )


def _with_history_and_labels(rows: pa.Table, history: History, settings: Settings) -> pa.Table:
    """The rows with their history and with their labels."""
    created = microseconds(rows["created_at"])
    for name, values in history.features(rows["subreddit"], rows["author_id"], created).items():
        rows = rows.append_column(name, nullable(values))
    # The label observation's count stands in where the first had none, and comes with the label.
    subscribers = pc.coalesce(rows["subscribers"], rows["label_subscribers"])
    rows = _replace(rows, "subscribers", subscribers)
    rows = rows.append_column("popularity", popularity(rows["score"], subscribers))
    log_score = log_scores(rows["score"])
    rows = rows.append_column("log_score", pa.array(log_score, from_pandas=True))
    percentile = np.full(rows.num_rows, np.nan)
    labelled = ~np.isnan(log_score)
    if labelled.any():  # where posts stand takes longer to sort than all else
        standings = history.standings(timedelta(days=settings.label.percentile_days))
        percentile[labelled] = standings.percentiles(
            rows["subreddit"].filter(pa.array(labelled)), created[labelled], log_score[labelled]
        )
    return rows.append_column("percentile", pa.array(percentile, from_pandas=True))


def _with_reposts(
    catalog: Catalog, rows: pa.Table, known: pa.Table, settings: Settings
) -> pa.Table:
    """The rows with what the known ones tell of their images."""
    images = known["image_content"]
    keys = image_keys(catalog, images)
    reposts = Reposts(known, keys, mature_after(settings))
    place = pc.index_in(rows["image_content"], value_set=images.combine_chunks(), skip_nulls=True)
    asked = keys.take(place)
    for name, values in reposts.features(asked, microseconds(rows["created_at"])).items():
        rows = rows.append_column(name, nullable(values))
    return rows


def _known_of_images(
    catalog: Catalog, settings: Settings, as_of: datetime, images: pa.ChunkedArray
) -> pa.Table:
    """The rows of `read_known` whose image is one of these, or looks the same."""
    keys = distinct_values(image_keys(catalog, images)).to_pylist()
    alike = images_alike(catalog, keys)["sha256"].to_pylist()
    posts = catalog.lookup("samples", "image_content", [*keys, *alike], ["post_id"])
    return read_known(catalog, settings, as_of, _OF_REPOSTS, posts["post_id"].to_pylist())


def _with_measures(catalog: Catalog, rows: pa.Table, columns: Sequence[str] | None) -> pa.Table:
    images = rows["image_content"].combine_chunks()
    measured = join_measures(catalog, images, MEASURES if columns is None else columns)
    for name, values in measured.items():
        rows = rows.append_column(name, values)
    return rows


def _asked_for(
    catalog: Catalog,
    settings: Settings,
    as_of: datetime,
    *,
    labelled_only: bool,
    posts: Collection[str] | None = None,
) -> pa.Table:
    """Those rows of `read_known` that are asked for, in time's order, with history and labels.

    Of the posts that only history is of, a few columns are read, and an image's history is read of
    the images asked for alone.
    """
    rows = known = read_known(catalog, settings, as_of, posts=posts)
    if posts is not None:
        known = _known_of_images(catalog, settings, as_of, rows["image_content"])
    rows = rows.sort_by(IN_TIME).combine_chunks()
    rows = _with_reposts(catalog, rows, known, settings)
    matured = Matured.of(  # arrays alone: of millions, tables are freed before these are sorted
        outcomes_of(known)
        if posts is None
        else read_outcomes(catalog, settings, as_of, rows["author_id"]),
        mature_after(settings),
    )
    history = History(matured, since=microseconds(rows["created_at"]).min(initial=NEVER))
    rows = _with_history_and_labels(rows, history, settings)
    return rows.filter(pc.is_valid(rows["score"])) if labelled_only else rows


def _extras(
    catalog: Catalog, settings: Settings, rows: pa.Table, columns: Sequence[str] | None = None
) -> list[dict[str, str]]:
    """Each row's extra features by name; none of any where no column of them is asked for."""
    if not (columns is None or EXTRA in columns or text_columns(columns)):
        return [{} for _ in range(rows.num_rows)]
    posts = rows["post_id"]
    return list(extras_of_posts(catalog, posts, image_texts=settings.read_text).values())


def _vector_contents(
    catalog: Catalog,
    rows: pa.Table,
    extras: Sequence[Mapping[str, str]],
    encoders: Mapping[str, str],
    dims: Mapping[str, int],
    captioner: str | None,
    visual_text: str,
    columns: Sequence[str] | None = None,
) -> dict[str, Contents]:
    """What the vectors of each column are of; the arguments are those of `load`."""
    contents = {}
    for space, dim in _dims(catalog, rows, encoders, dims, columns).items():
        keys = _contents(catalog, space, rows, captioner, visual_text)
        contents[space] = Contents(space, encoders[space], dim, keys)
    if TEXT in encoders and (columns is None or text_columns(columns)):
        contents |= text_contents(catalog, encoders[TEXT], dims.get(TEXT), extras)
    return contents


def _contents(
    catalog: Catalog, space: str, rows: pa.Table, captioner: str | None, visual_text: str
) -> pa.Array:
    """The key of each row's vector in a space's embedding table."""
    if space in ("title", "image") or (space == "visual" and visual_text == "title"):
        return rows[f"{space}_content"].combine_chunks()
    captions = _captions(catalog, captioner, rows["image_content"])
    if space == "caption":
        captions = captions.filter(pc.not_equal(captions["text"], ""))
        texts = captions["text"].combine_chunks().dictionary_encode()
        hashes = [text_content(text) for text in texts.dictionary.to_pylist()]
        keys = pc.take(pa.array(hashes, pa.string()), texts.indices)
    else:
        pairs = zip(captions["sha256"].to_pylist(), captions["text"].to_pylist(), strict=True)
        keys = pa.array([visual_content(image, text) for image, text in pairs], pa.string())
    row = pc.index_in(
        rows["image_content"], value_set=captions["sha256"].combine_chunks(), skip_nulls=True
    )
    return pc.take(keys, row).combine_chunks()


def _captions(catalog: Catalog, captioner: str | None, images: pa.ChunkedArray) -> pa.Table:
    """`sha256` and `text` of one captioner's captions of images."""
    where = None if captioner is None else f"captioner = {quote(captioner)}"
    names = ["sha256", "captioner", "text"]
    captions = catalog.lookup("captions", "sha256", images, names, where)
    captioners = pc.unique(captions["captioner"]).to_pylist()
    if len(captioners) > 1:
        raise InputError(
            f"The images have captions of {', '.join(sorted(captioners))}: say whose to use."
        )
    return captions.select(["sha256", "text"])


def _dims(
    catalog: Catalog,
    rows: pa.Table,
    encoders: Mapping[str, str],
    dims: Mapping[str, int],
    columns: Sequence[str] | None,
) -> dict[str, int]:
    unknown = sorted(set(encoders) - set(EMBEDDED))
    if unknown:
        raise InputError(
            f"There is no embedding space {', '.join(unknown)}: spaces are {', '.join(EMBEDDED)}."
        )
    imageless = rows["image_content"].null_count == rows.num_rows > 0
    return {
        space: dims[space] if space in dims else vector_dim(catalog, space, encoders[space])
        for space in SPACES
        if space in encoders
        and (columns is None or space in columns)
        and (space in dims or space == "title" or not imageless)
    }


def _replace(rows: pa.Table, name: str, values: pa.ChunkedArray) -> pa.Table:
    return rows.set_column(rows.schema.get_field_index(name), name, values)
