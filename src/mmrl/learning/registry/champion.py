"""Decision on the champion: a new model is judged against it on the same, newest posts."""

from dataclasses import dataclass
from datetime import datetime

import numpy as np
import pyarrow as pa

from mmrl.errors import InputError, MmrlError
from mmrl.learning.evaluation.evaluate import truth_of
from mmrl.learning.evaluation.judge import difference, judge
from mmrl.learning.evaluation.metrics import DECISIVE, METRICS
from mmrl.learning.evaluation.record import Measure
from mmrl.learning.evaluation.statistics import Predicted
from mmrl.learning.model import Quantiles, TrainedModel
from mmrl.learning.train import Trained

_RESAMPLES = 1000


@dataclass(frozen=True)
class Champion:
    """The version that makes the predictions so far.

    Attributes:
        trained_at: the `as_of` that it learned at.
    """

    version: str
    trained_at: datetime
    model: TrainedModel


@dataclass(frozen=True)
class Unreadable:
    """A version that is the champion by name, and can't be read any more.

    Attributes:
        why: the error's sentence.
    """

    version: str
    why: str


@dataclass(frozen=True)
class Decision:
    """Whether the new model becomes the champion, and why.

    Attributes:
        difference: the decisive metric of the new model minus the champion's; None where they
            can't be compared.
        reason: one sentence.
    """

    promote: bool
    difference: Measure | None
    reason: str


def decide(
    trained: Trained, test_samples: pa.Table, champion: Champion | Unreadable | None
) -> Decision:
    """Promotes the new model unless it ranks its own test posts worse than the champion does.

    The test posts are newer than all posts that either model learned from, so neither is favoured.
    A champion that was trained at a later time (the new model is of an earlier day) may have
    learned from the test posts. It is then not compared, and stays.

    A champion that can't be read gives way to the new model.

    Args:
        champion: None where there is none yet.
    """
    if champion is None:
        return Decision(True, None, "It is the first model, and so the champion.")
    version = champion.version
    if isinstance(champion, Unreadable):
        return _alone(version, champion.why)
    if champion.trained_at > trained.evaluation.as_of:
        return Decision(
            False,
            None,
            f"Version {version} stays champion: it learned from later posts, so these can't judge "
            "the two.",
        )
    try:
        champion.model.require_encoders(trained.model.encoders)
        theirs = champion.model.predict(test_samples, vectors=trained.test_vectors)
    except InputError:
        return Decision(
            True,
            None,
            f"It is the champion: the one before, version {version}, reads the vectors of other "
            "encoders, so the two can't be compared.",
        )
    except MmrlError as error:
        return _alone(version, str(error))
    truth = truth_of(test_samples)
    seed = trained.evaluation.training.seed
    ours = trained.model.predict(test_samples, vectors=trained.test_vectors)
    lead = difference(
        judge(truth, _order(ours), _RESAMPLES, seed),
        judge(truth, _order(theirs), _RESAMPLES, seed),
        DECISIVE,
    )
    if lead is None:
        return Decision(
            False,
            None,
            f"Version {version} stays champion: the test posts are too alike to compare by rank.",
        )
    figures = (
        f"{METRICS[DECISIVE].title} {lead.value:+.3f} against version {version} on the same "
        f"{test_samples.num_rows:,} test posts, 95% interval {lead.low:+.3f} to "
        f"{lead.high:+.3f}"
    )
    if lead.value >= 0:
        return Decision(True, lead, f"It is the champion, as it is not worse: {figures}.")
    return Decision(False, lead, f"Version {version} stays champion: {figures}.")


def _alone(version: str, why: str) -> Decision:
    """A decision without a champion to compare with: training never needs the old model."""
    return Decision(
        True,
        None,
        f"It is the champion: there was nobody to compare with, as the one before, version "
        f"{version}, can't be read. {why}",
    )


def _order(quantiles: Quantiles) -> Predicted:
    return Predicted(None, order=np.nan_to_num(quantiles.q50, nan=0.0))
