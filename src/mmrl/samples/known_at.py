"""The moment from which a post's label was known, for history and for what a model learns from.

A post whose first observation is earlier than its label observation was watched: its label is known
from its label observation on, however late that came. A post whose first observation is its label
observation (an import, a backfill, or a first run that met it late) counts as known from when it
matured. Its score was not observed by then, but scores hardly move after that age, so the
observation is taken to tell what one at that age would have told. Without this, imported posts,
retrieved years later in one go, would have no history at all, and could not be split by time.
"""

from datetime import timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from mmrl.samples.features import microseconds

NEVER = int(np.iinfo(np.int64).max)  # of a post without a label


def label_known_at(samples: pa.Table, mature_after: timedelta) -> np.ndarray:
    """When each of n posts' labels was known.

    Args:
        samples: with created_at, first_look_at and label_observed_at. A post without a first
            observation counts as watched; one without a label observation has no label.
        mature_after: the maturity age.

    Returns:
        (n,) int64 microseconds since 1970; `NEVER` where there is no label.
    """
    observed = samples["label_observed_at"]
    matured = microseconds(samples["created_at"]) + mature_after // timedelta(microseconds=1)
    first_seen_mature = pc.fill_null(pc.equal(samples["first_look_at"], observed), False)
    watched_until = pc.fill_null(pc.cast(observed, pa.int64()), NEVER).to_numpy()
    return np.where(first_seen_mature.to_numpy(), matured, watched_until)
