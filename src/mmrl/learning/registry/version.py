"""Kept versions of the model, as lists, charts and `models show` present them."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from mmrl.learning.evaluation.record import Evaluation, Measure, Measures
from mmrl.learning.evaluation.written import metrics_rows
from mmrl.runtime.html_tables import html_table

if TYPE_CHECKING:
    from mmrl.learning.model import TrainedModel


@dataclass(frozen=True)
class Version:
    """A kept model as lists and charts show it.

    Attributes:
        trained_at: the `as_of` it was trained at, ISO 8601.
        metrics: its own on its test posts, as in an evaluation.
        noise_ceiling: the ceiling's, by name, for simulated posts; else empty.
        test_posts: how many those were; versions were judged on different ones.
        decision: why it became champion, or why not.
    """

    version: str
    run_id: str
    trained_at: str
    champion: bool
    metrics: Measures
    noise_ceiling: Measures
    test_posts: int
    decision: str

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


@dataclass(frozen=True)
class Shown(Version):
    """A kept model with its whole evaluation."""

    evaluation: Evaluation

    def summary(self) -> str:
        """Version, date, splits, encoders and decision in a few lines."""
        parts = ", ".join(
            f"{part.posts:,} {name} ({part.start:%Y-%m-%d} to {part.end:%Y-%m-%d})"
            for name, part in self.evaluation.splits.parts.items()
        )
        if between := self.evaluation.splits.between_posts:
            parts += f", {between:,} learned from between train and validation"
        if earlier := self.evaluation.splits.earlier_tests:
            tests = sum(part.posts for part in earlier)
            parts += f", {tests:,} test posts of earlier blocks"
        leaking = " A random split: it leaks the future." if self.evaluation.splits.leaking else ""
        encoders = "\n".join(f"  {role}: {name}" for role, name in self.evaluation.encoders.items())
        mark = " (champion)" if self.champion else ""
        return (
            f"Version {self.version}{mark}, trained as of {self.trained_at}. "
            f"{self.decision}\n"
            f"Posts: {parts}.{leaking}\n{self.evaluation.verdict}\nEncoders:\n{encoders}"
        )

    def _repr_html_(self) -> str:
        head, rows = metrics_rows(self.evaluation)
        return html_table(head, rows, caption=self.summary().splitlines()[0])


@dataclass(frozen=True)
class ComparedMetric:
    """A metric of versions a and b; `difference` is b's value minus a's."""

    a: Measure | None
    b: Measure | None
    difference: float | None


@dataclass(frozen=True)
class Comparison:
    """Two versions side by side, metric by metric."""

    a: Version
    b: Version
    metrics: Mapping[str, ComparedMetric]
    same_test_posts: bool

    @classmethod
    def of(cls, a: Version, b: Version, *, same_test_posts: bool) -> "Comparison":
        """Compares what two versions reached, each on its test posts."""
        metrics = {}
        for name in dict.fromkeys([*a.metrics, *b.metrics]):
            one, other = a.metrics.get(name), b.metrics.get(name)
            difference = None if one is None or other is None else other.value - one.value
            metrics[name] = ComparedMetric(one, other, difference)
        return cls(a, b, metrics, same_test_posts)

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


@dataclass(frozen=True)
class Registered:
    """A kept model, ready to predict."""

    version: str
    model: "TrainedModel"
