"""A real set's samples: imported, worked on and loaded as a user would."""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa

from benchmarks.real.sets import RealSet, import_set, run_stages
from mmrl.catalog import Catalog
from mmrl.catalog.columns import TEXT
from mmrl.config import Settings, load_settings
from mmrl.encoders.profiles import load_profile
from mmrl.samples.load import encoders_of, load
from mmrl.samples.schema import AUTHOR_FEATURES

_TRAIN = {"ablation": False, "target": "log_score"}


@dataclass(frozen=True)
class Loaded:
    """A set, ready to be learned from.

    Attributes:
        samples: those with a label.
        encoders: by space, whose vectors they hold.
        notes: what mmrl could not know, and how the anchors were judged.
    """

    samples: pa.Table
    settings: Settings
    encoders: dict[str, str]
    notes: list[str]


def load_set(real: RealSet, homes: Path, most: int | None = None) -> Loaded:
    """Imports a set into a home of its own, runs its stages and loads its samples.

    Args:
        homes: the folder of the homes; what a kept home has already is not done again.
        most: only so many posts, evenly spread; all where None.
    """
    home = homes / (real.name if most is None else f"{real.name}-{most}")
    settings = load_settings(home, **real.settings, train=_TRAIN)
    notes = import_set(real, home, most)
    run_stages(real, home)
    profile = load_profile(settings)
    spaces = {
        space: encoder
        for space, encoder in profile.ids.items()
        if space in profile.dims and (real.images is not None or space in ("title", TEXT))
    }
    samples = load(
        Catalog.open(home),
        settings,
        datetime.now(UTC),
        encoders=spaces,
        captioner=profile.ids["captioner"],
        visual_text=profile.visual_text,
        dims=profile.dims,
        labelled_only=True,
    )
    if all(samples[name].null_count == samples.num_rows for name in AUTHOR_FEATURES):
        notes.append("mmrl knew the author of no post")
    notes += real.remarks
    if most is not None:
        notes.append(f"only {most:,} posts were read; anchors are of all")
    return Loaded(samples, settings, encoders_of(profile), notes)
