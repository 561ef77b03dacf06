"""A home filled with made-up samples of the packaged encoders, and a model that learned from them.

The vectors are made up, too; but they have the packaged encoders' ids and dimensions, so that a
home that holds them is read by mmrl as it is, with nothing replaced.
"""

from datetime import timedelta

import pyarrow as pa
import pyarrow.compute as pc

from mmrl.catalog import Catalog
from mmrl.catalog.columns import SPACES
from mmrl.catalog.keys import text_content
from mmrl.catalog.tables import SCHEMAS, embeddings, embeddings_table
from mmrl.config import Settings
from mmrl.encoders.profiles import load_profile
from mmrl.learning.train import Trained, train
from tests.support.learning_samples import AS_OF, QUICK_TRAINING, make_samples

PROFILE = load_profile(Settings())
SETTINGS = Settings(threads=1, filter={"require_image": False}, train=QUICK_TRAINING)
ENCODERS = PROFILE.ids
DIMS = {space: PROFILE.dims[space] for space in SPACES}


def packaged_samples(n: int, seed: int = 0, **options: float) -> pa.Table:
    """As `make_samples`, with vectors of the packaged encoders' dimensions."""
    return make_samples(n, seed, dims=DIMS, **options)


SAMPLES = packaged_samples(500)


def train_packaged() -> Trained:
    """A small training on SAMPLES."""
    truth = SAMPLES.select(["post_id", "expected_log_score"])
    versions = {"posts": 3}
    return train(SAMPLES, SETTINGS, ENCODERS, AS_OF, truth=truth, table_versions=versions)


def fill_samples(catalog: Catalog, samples: pa.Table) -> None:
    """Keeps samples as the stages before training leave them: merged, with captions and vectors."""
    ids = pc.cast(samples["post_id"], pa.string()).combine_chunks()
    images = pc.if_else(pc.is_valid(samples["image"]), _named("image", ids), None)
    captions = _named("caption", ids)
    seen = pc.add(samples["created_at"], pa.scalar(timedelta(minutes=30)))
    _keep(
        catalog,
        "samples",
        samples,
        rules=pa.array(["r"] * len(ids)),
        first_seen_at=seen,
        first_look_at=seen,
        title_content=_named("title", ids),
        image_content=images,
        visual_content=pc.if_else(pc.is_valid(images), _named("visual", ids), None),
    )
    decided = pa.array([AS_OF] * len(ids), SCHEMAS["selection"].field("decided_at").type)
    _keep(catalog, "selection", samples, rules=pa.array(["r"] * len(ids)), decided_at=decided)
    captioned = pa.table({"sha256": images, "text": captions}).filter(pc.is_valid(images))
    captioner = pa.array([ENCODERS["captioner"]] * captioned.num_rows)
    _keep(catalog, "captions", captioned, captioner=captioner)
    hashes = pa.array([text_content(text) for text in captions.to_pylist()])
    contents = {"title": _named("title", ids), "image": images, "caption": hashes}
    contents["visual"] = _named("visual", ids)
    for space, dim in DIMS.items():
        rows = pa.table({"content": contents[space], "vector": samples[space]})
        rows = rows.filter(pc.is_valid(rows["vector"]))
        rows = rows.append_column("encoder", pa.array([ENCODERS[space]] * rows.num_rows))
        schema = embeddings(dim)
        catalog.upsert(embeddings_table(space, dim), rows.select(schema.names).cast(schema))


def fill_posts(catalog: Catalog, samples: pa.Table) -> None:
    """Keeps the posts of samples, each with a title."""
    facts = samples.select(["post_id", "subreddit", "created_at"]).to_pylist()
    posts = [
        {
            **post,
            "title": f'Title, "of {post["post_id"]}"',
            "first_seen_at": post["created_at"],
            "source": "table:posts.csv",
        }
        for post in facts
    ]
    catalog.upsert("posts", pa.Table.from_pylist(posts, schema=SCHEMAS["posts"]))


def _named(kind: str, ids: pa.Array) -> pa.Array:
    return pc.binary_join_element_wise(kind, ids, "-")


def _keep(catalog: Catalog, table: str, rows: pa.Table, **columns: pa.Array) -> None:
    """Keeps rows with these columns more; what the table has besides is null."""
    held = {name: rows[name] for name in rows.schema.names} | columns
    schema = SCHEMAS[table]
    missing = pa.nulls(rows.num_rows)
    catalog.upsert(
        table,
        pa.table([held.get(name, missing) for name in schema.names], schema.names).cast(schema),
    )
