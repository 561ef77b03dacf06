"""The benchmark of simulated worlds makes samples as the pipeline does."""

from pathlib import Path

import numpy as np
import pytest

from benchmarks.learning import samples_of
from mmrl.catalog.columns import COLOURS, IMAGE_STATISTICS, SPACES
from mmrl.config import Settings
from mmrl.encoders.profiles import load_profile
from mmrl.samples.schema import samples_schema
from mmrl.sandbox.world import WITH_IMAGE, World


@pytest.mark.slow
def test_a_world_becomes_samples_of_the_pipelines_schema_and_its_vectors_are_kept(
    tmp_path: Path,
) -> None:
    profile, world = load_profile(Settings()), World.make(50, 0)
    samples = samples_of(world, profile, tmp_path)
    assert samples.schema == samples_schema(profile.dims)
    assert samples.num_rows == sum(post.kind in WITH_IMAGE for post in world)
    for name in ("title", "image", "visual", COLOURS, IMAGE_STATISTICS[0], "image_seen_before"):
        assert samples[name].null_count == 0, name
    assert np.isfinite(samples["log_score"].to_numpy()).all()
    (kept,) = tmp_path.iterdir()
    made = kept.stat().st_mtime_ns
    again = samples_of(world, profile, tmp_path)
    assert kept.stat().st_mtime_ns == made
    assert all(again[space].equals(samples[space]) for space in SPACES)
