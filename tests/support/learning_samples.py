"""Samples with a law that is known, for the tests of learning. No real post is in them."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pytest

from mmrl.catalog.columns import COLOUR_BINS, COLOURS, IMAGE_STATISTICS
from mmrl.catalog.keys import text_content
from mmrl.learning.judged_blocks import BASELINES
from mmrl.samples.extras import EXTRA, extras_column, text_column, text_key
from mmrl.samples.schema import NUMERIC_FEATURES, samples_schema
from mmrl.samples.vectors import vector_column

# A post's numbers that only an image has.
_OF_IMAGE = tuple(name for name in NUMERIC_FEATURES if "image" in name.split("_"))
QUICK_TRAINING = {"bootstrap": 100, "ablation": False, "test_blocks": 1}  # settings of [train]
DIMS = {"title": 24, "caption": 16, "image": 40, "visual": 24}
ENCODERS = {space: f"made-up-{space}" for space in DIMS}
TEXT_DIM = DIMS["title"]  # of the vectors of extra features, which the title's encoder makes
START = datetime(2026, 6, 1, tzinfo=UTC)
AS_OF = datetime(2026, 9, 15, tzinfo=UTC)
SUBREDDITS = ("aww", "pics", "food", "space")


def make_samples(
    n: int = 600,
    seed: int = 0,
    *,
    dims: dict[str, int] | None = None,
    missing: float = 0.1,
    days: int = 60,
    measured: bool = False,
    extras: Sequence[Mapping[str, str]] | None = None,
) -> pa.Table:
    """n posts over `days` days: log score = subreddit + author + image + title + product + noise.

    Image and title are one direction each in the image and title vectors, `missing` of the
    images (with caption and visual vector) are null. Also has the column `expected_log_score`,
    which is no part of the schema. The images' statistics and colours are null, or noise where
    `measured`.
    Posts have the `extras` given, or none; those that are words with a vector for each text.
    """
    dims = DIMS if dims is None else dims
    rng = np.random.default_rng(seed)
    # the world (directions, effects of subreddits and authors) is the same for every seed
    world = np.random.default_rng(12345)
    seconds = np.sort(rng.uniform(0, days * 86400, n))
    created = [START + timedelta(seconds=float(s)) for s in seconds]
    subreddit = rng.integers(0, len(SUBREDDITS), n)
    author = rng.integers(0, 40, n)
    author_effect = world.normal(0, 0.5, 40)[author]
    image, title = rng.normal(size=n), rng.normal(size=n)
    expected = (
        4.5
        + np.array([-0.6, -0.2, 0.2, 0.6])[subreddit]
        + author_effect
        + 0.6 * image
        + 0.6 * title
        + 0.4 * image * title
    )
    log_score = np.maximum(expected + 0.6 * rng.standard_t(4, n), 0.0)
    score = np.round(np.expm1(log_score)).astype(int)
    gone = rng.uniform(size=n) < missing
    says = {
        "title": title,
        "caption": image,
        "image": image,
        "visual": image + title,
    }
    columns: dict[str, pa.Array] = {
        "post_id": pa.array([f"p{seed}_{i:06d}" for i in range(n)]),
        "subreddit": pa.array([SUBREDDITS[i] for i in subreddit]),
        "author_id": pa.array([None if i % 17 == 0 else f"a{a}" for i, a in enumerate(author)]),
        "created_at": pa.array(created, pa.timestamp("us", "UTC")),
        "subscribers": pa.array([None if i % 10 == 0 else 100_000 for i in range(n)]),
        "score": pa.array(score),
        "popularity": pa.array([None if i % 10 == 0 else score[i] / 100 for i in range(n)]),
        "log_score": pa.array(np.log1p(score)),
        "percentile": pa.array(np.argsort(np.argsort(score)) / n),
        "first_look_at": pa.array(
            [at + timedelta(hours=0.5) for at in created], pa.timestamp("us", "UTC")
        ),
        "label_observed_at": pa.array(
            [at + timedelta(hours=36.5) for at in created], pa.timestamp("us", "UTC")
        ),
    }
    for name in NUMERIC_FEATURES:
        columns[name] = pa.array(rng.normal(size=n).astype(np.float32))
    columns["author_mean_lift"] = pa.array(
        (author_effect + rng.normal(0, 0.2, n)).astype(np.float32),
        mask=np.arange(n) % 17 == 0,
    )
    for space, dim in dims.items():
        direction = world.normal(size=dim)
        vectors = np.outer(says[space], direction) * 0.5 + 0.3 * rng.normal(size=(n, dim))
        mask = gone if space != "title" else np.zeros(n, bool)
        columns[space] = pa.FixedSizeListArray.from_arrays(
            pa.array(vectors.astype(np.float32).ravel()), dim, mask=pa.array(mask)
        )
    noise = np.random.default_rng(seed + 1)
    unmeasured = gone if measured else np.ones(n, bool)
    for name in IMAGE_STATISTICS:
        values = noise.normal(size=n).astype(np.float32)
        columns[name] = pa.array(values, mask=unmeasured)
    shares = noise.dirichlet(np.ones(COLOUR_BINS), n).astype(np.float32)
    columns[COLOURS] = pa.FixedSizeListArray.from_arrays(
        pa.array(np.sqrt(shares).ravel()), COLOUR_BINS, mask=pa.array(unmeasured)
    )
    columns[EXTRA] = extras_column([{}] * n if extras is None else extras)
    texts = _texts(extras or [])
    schema = samples_schema(dims | dict.fromkeys(texts, TEXT_DIM))
    columns |= texts
    table = pa.table({name: columns[name] for name in schema.names}).cast(schema)
    return table.append_column("expected_log_score", pa.array(expected))


def take_images(samples: pa.Table, gone: np.ndarray) -> pa.Table:
    """The samples as they would be if the posts where `gone`, (n,) bool, had no image."""
    spaces = [name for name in ("caption", "image", "visual") if name in samples.schema.names]
    for name in (*spaces, *_OF_IMAGE, *IMAGE_STATISTICS, COLOURS):
        place = samples.schema.get_field_index(name)
        rows = pa.array(np.where(gone, -1, np.arange(len(gone))), mask=gone)
        taken = samples[name].take(rows)
        samples = samples.set_column(place, samples.schema.field(place), taken)
    return samples


def text_vector(text: str) -> np.ndarray:
    """A text's made-up vector, (TEXT_DIM,)."""
    seed = int(text_content(text)[:8], 16)
    return np.random.default_rng(seed).normal(size=TEXT_DIM).astype(np.float32)


def _texts(extras: Sequence[Mapping[str, str]]) -> dict[str, pa.Array]:
    names = sorted({name for of_post in extras for name in of_post})
    vectors = {
        text_column(name): [
            text_vector(of_post[name]) if text_key(of_post.get(name, "0")) else None
            for of_post in extras
        ]
        for name in names
    }
    return {
        name: vector_column(column, TEXT_DIM)
        for name, column in vectors.items()
        if any(vector is not None for vector in column)
    }


@contextmanager
def quick_baselines() -> Iterator[None]:
    """Trainings of this process go without the baselines that take longest to fit."""
    long = {"metadata_boosting", "original_mlp"}
    quick = tuple(baseline for baseline in BASELINES if baseline.name not in long)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("mmrl.learning.judged_blocks.BASELINES", quick)
        yield
