"""Predictions for live posts: those that are up and have not matured."""

from datetime import datetime, timedelta

import pyarrow as pa
import pyarrow.compute as pc

from mmrl.catalog import Catalog, moment
from mmrl.catalog.tables import SCHEMAS
from mmrl.config import Settings
from mmrl.encoders.profiles import load_profile
from mmrl.samples.load import encoders_of, samples_with_vectors


def live_posts(catalog: Catalog, settings: Settings, as_of: datetime) -> pa.Table:
    """post_id and created_at of posts with samples that can't have matured by `as_of`."""
    youngest = as_of - timedelta(hours=settings.label.mature_after_hours)
    return catalog.read(
        "samples",
        ["post_id", "created_at"],
        f"created_at > {moment(youngest)} AND first_seen_at <= {moment(as_of)}",
    )


def predict_live(
    catalog: Catalog, settings: Settings, as_of: datetime, live: pa.Table, version: str
) -> bool:
    """Records what a version expects of posts that have not matured.

    Args:
        live: their post_id and created_at, as `live_posts` gives them.

    Returns:
        False where it can't: it learned from the vectors of other encoders than the profile's.
    """
    from mmrl.learning.registry.registry import Registry

    profile = load_profile(settings)
    model = Registry(catalog.home).load(version).model
    encoders = encoders_of(profile)
    if model.differing(encoders):
        return False
    posts = live["post_id"].to_pylist()
    samples = samples_with_vectors(catalog, settings, as_of, profile, posts=posts)
    quantiles = model.predict(samples, encoders)
    age = pc.subtract(pa.scalar(as_of, samples["created_at"].type), samples["created_at"])
    rows = pa.table(
        {
            "post_id": samples["post_id"],
            "model_version": pa.array([version] * samples.num_rows, pa.string()),
            "predicted_at": pa.array([as_of] * samples.num_rows),
            "age_hours": pc.divide(pc.cast(pc.cast(age, pa.int64()), pa.float64()), 3.6e9),
            "q10": quantiles.q10,
            "q50": quantiles.q50,
            "q90": quantiles.q90,
            "unit": pa.array([quantiles.unit] * samples.num_rows, pa.string()),
        }
    )
    catalog.insert("predictions", rows.cast(SCHEMAS["predictions"]))
    return True
