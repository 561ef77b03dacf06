"""Whether a new model becomes the champion: judged against it on the same, newest posts."""

from dataclasses import dataclass
from datetime import datetime

import numpy as np
import pyarrow as pa

from mmrl.errors import InputError
from mmrl.learning.evaluation.evaluate import truth_of
from mmrl.learning.evaluation.metrics import Metric, Predicted, difference, judge
from mmrl.learning.model import Quantiles, TrainedModel
from mmrl.learning.train import Trained
from mmrl.times import parse_time

_RESAMPLES = 1000


@dataclass(frozen=True)
class Champion:
    """The version that predicts so far.

    Attributes:
        trained_at: the `as_of` that it learned at.
    """

    version: str
    trained_at: datetime
    model: TrainedModel


@dataclass(frozen=True)
class Decision:
    """What becomes of the champion.

    Attributes:
        difference: Spearman of the new model minus the champion's; None where they can't be
            compared.
        reason: one sentence.
    """

    promote: bool
    difference: Metric
    reason: str


def decide(trained: Trained, test_samples: pa.Table, champion: Champion | None) -> Decision:
    """Promotes the new model unless it ranks its own test posts worse than the champion does.

    The test posts are newer than all that either of them learned from, so neither is favoured. A
    champion that learned later, as when an older day is made up for, knows them, and stays.

    Args:
        champion: None where there is none yet.
    """
    if champion is None:
        return Decision(True, None, "It is the first model, and so the champion.")
    version = champion.version
    if champion.trained_at > parse_time(trained.evaluation["as_of"]):
        return Decision(
            False,
            None,
            f"Version {version} stays champion: it learned from later posts, so these can't judge "
            "the two.",
        )
    try:
        champion.model.require_encoders(trained.model.encoders)
        theirs = champion.model.predict(test_samples)
    except InputError:
        return Decision(
            True,
            None,
            f"It is the champion: the one before, version {version}, reads the vectors of other "
            "encoders, so the two can't be compared.",
        )
    truth = truth_of(test_samples)
    seed = trained.evaluation["training"]["seed"]
    ours = trained.model.predict(test_samples)
    found = difference(
        judge(truth, _order(ours), _RESAMPLES, seed),
        judge(truth, _order(theirs), _RESAMPLES, seed),
        "spearman",
    )
    if found is None:
        return Decision(
            False,
            None,
            f"Version {version} stays champion: the test posts are too alike to compare by rank.",
        )
    figures = (
        f"Spearman {found['value']:+.3f} against version {version} on the same "
        f"{test_samples.num_rows:,} test posts, 95% interval {found['low']:+.3f} to "
        f"{found['high']:+.3f}"
    )
    if found["value"] >= 0:
        return Decision(True, found, f"It is the champion, as it is not worse: {figures}.")
    return Decision(False, found, f"Version {version} stays champion: {figures}.")


def _order(quantiles: Quantiles) -> Predicted:
    return Predicted(None, order=np.nan_to_num(quantiles.q50, nan=0.0))
