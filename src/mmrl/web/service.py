"""State that all requests share: the home, the ranker, the gate, the pictures, and the clock."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import pyarrow as pa

from mmrl.catalog import Catalog
from mmrl.config import Settings
from mmrl.learning.evaluation.prospective import Scores, prospective
from mmrl.learning.registry.registry import Registry
from mmrl.learning.registry.version import Shown
from mmrl.report.data import SubredditResult, by_subreddit, complete
from mmrl.report.unit import unit_of
from mmrl.serving.communities import Community, communities
from mmrl.sources.kinds import SIMULATED
from mmrl.web.champion import Champion
from mmrl.web.facts.community import samples_of
from mmrl.web.pictures import Pictures
from mmrl.web.remembered import Remembered
from mmrl.web.requests.access import Access
from mmrl.web.requests.gate import Gate
from mmrl.web.requests.uploads import Memory

SCORED = timedelta(days=28)  # of posts whose predictions are scored
_SAMPLES_SECONDS = 600.0  # that what takes reading all samples is used for
_UPLOADS = 400_000_000  # bytes of all requests under way together


@dataclass
class Service:
    """The parts of a server.

    Attributes:
        now: the time up to which posts are known; the one clock of the server.
        gate: before everything that decodes pictures or runs models.
        memory: of bodies under way.
        known: the communities, read again each minute; so are the others that are called.
    """

    catalog: Catalog
    settings: Settings
    access: Access
    now: Callable[[], datetime]
    champion: Champion
    gate: Gate = field(default_factory=Gate)
    pictures: Pictures = field(default_factory=Pictures)
    memory: Memory = field(default_factory=lambda: Memory(_UPLOADS))
    known: Callable[[], list[Community]] = field(init=False)
    simulated: Callable[[], bool] = field(init=False)
    shown: Callable[[], Shown] = field(init=False)
    judged: Callable[[], dict[str, SubredditResult]] = field(init=False)
    samples: Callable[[], pa.Table] = field(init=False)
    scores: Callable[[], Scores] = field(init=False)

    def __post_init__(self) -> None:
        self.known = Remembered(lambda: communities(self.catalog, self.settings, self.now()))
        self.simulated = Remembered(lambda: self.catalog.count("posts", SIMULATED) > 0)
        self.shown = Remembered(self._shown)
        self.judged = Remembered(self._judged)
        self.samples = Remembered(
            lambda: samples_of(self.catalog, self.settings, self.now()), _SAMPLES_SECONDS
        )
        self.scores = Remembered(self._scores, _SAMPLES_SECONDS)

    def _shown(self) -> Shown:
        """The evaluation of the version that answers."""
        return Registry(self.catalog.home).show(self.champion.version)

    def _scores(self) -> Scores:
        """How predictions of the posts of the last weeks came out."""
        now = self.now()
        return prospective(self.catalog, self.settings, now, now - SCORED)

    def _judged(self) -> dict[str, SubredditResult]:
        """How that version did on the test posts of each community, by name in lower case."""
        predictions = Registry(self.catalog.home).test_predictions(self.champion.version)
        unit = unit_of(self.shown().evaluation.target)
        results, _ = by_subreddit(complete(predictions, unit), unit, most=None)
        return {result.name.lower(): result for result in results}
