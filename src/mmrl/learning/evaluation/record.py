"""Evaluation of a trained model, and its form as `evaluation.json`.

The JSON has the dataclasses' names as its keys, but that a part's first and last moment are `from`
and `to`, and that an ablation's row holds its losses beside its name. Times are ISO 8601 in UTC, to
the second. Evaluations written by earlier versions are read.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from typing import Annotated, Any, Literal

from pydantic import (
    BeforeValidator,
    Field,
    PlainSerializer,
    SerializerFunctionWrapHandler,
    TypeAdapter,
    ValidationError,
    WrapSerializer,
)

from mmrl.errors import CatalogError
from mmrl.times import iso, parse_time

FORMAT = 1

Kind = Literal["model", "part", "baseline", "ceiling"]
# "part": one of the model's learners by itself; "ceiling": the sandbox's law, where it is known.

Moment = Annotated[
    datetime,
    BeforeValidator(lambda text: parse_time(text) if isinstance(text, str) else text),
    PlainSerializer(iso, return_type=str),
]


@dataclass(frozen=True)
class Measure:
    """A metric's value with its 95% bootstrap interval over test posts.

    Attributes:
        low, high: the interval's ends; equal to the value where no resample was drawn.
    """

    value: float
    low: float
    high: float

    @property
    def interval(self) -> tuple[float, float] | None:
        """The interval's ends, or None where none was taken."""
        return None if self.low == self.high else (self.low, self.high)


# By the metric's name; None where the test posts don't allow it.
Measures = dict[str, Measure | None]


@dataclass(frozen=True)
class Part:
    """Posts of a split's part, and when the first and the last of them went up."""

    posts: int
    start: Annotated[Moment, Field(alias="from")]
    end: Annotated[Moment, Field(alias="to")]


@dataclass(frozen=True)
class Splits:
    """What the model learned from, was tuned on and was judged on.

    Attributes:
        gap_posts: labelled posts that lie in the gaps, and nobody learned from.
        kind: all but "time" leak the future, and `leaking` then says so wherever results are shown.
        posts_of_seen_authors: test posts by authors of posts that were learned from, or of posts
            that were thinned out of these.
        authors_seen: how many authors those are.
        too_old: labelled posts left out because they are older than `train.window_days`.
        thinned_out: labelled posts left out because there are more than `train.max_posts`.
        learned_of: by subreddit in lower case, how many posts that were learned from are of it;
            None in an evaluation by an earlier mmrl.
        between_posts: in the gap before the validation posts, that the second fit learned from.
        earlier_tests: of a small set, test posts of earlier blocks, the oldest first: models that
            learned like this one, each from older posts alone, were judged on them. This one has
            learned from most of them since.
    """

    train: Part
    validation: Part
    test: Part
    gap_posts: int
    gap_hours: float
    kind: Literal["time", "random", "author", "subreddit", "column"]
    leaking: bool
    posts_of_seen_authors: int
    posts_of_unseen_authors: int
    authors_seen: int
    authors_unseen: int
    too_old: int = 0
    thinned_out: int = 0
    learned_of: dict[str, int] | None = None
    between_posts: int = 0
    earlier_tests: list[Part] = field(default_factory=list)

    @property
    def parts(self) -> dict[str, Part]:
        """The parts in time's order."""
        return {"train": self.train, "validation": self.validation, "test": self.test}

    @property
    def judged_posts(self) -> int:
        """How many test posts there are, those of earlier blocks among them."""
        return self.test.posts + sum(part.posts for part in self.earlier_tests)

    @property
    def judged_on(self) -> str:
        """Which posts models were judged on, in words that go after "judged on"."""
        posts = f"{self.judged_posts:,} posts"
        if self.leaking:
            return f"{posts} drawn at random"
        if self.earlier_tests:
            blocks = 1 + len(self.earlier_tests)
            return f"{posts} in {blocks} blocks, each later than all that its model learned from"
        return f"{posts} that went up after everything the model learned from"

    @property
    def learned_posts(self) -> int:
        """How many posts the second fit learned from."""
        return self.train.posts + self.between_posts + self.validation.posts


@dataclass(frozen=True)
class ModelResult:
    """A predictor's metrics on the test posts.

    Attributes:
        seen_authors, unseen_authors: the same metrics, on those authors' posts.
        seconds: to fit and predict; None for a ceiling.
    """

    label: str
    kind: Kind
    metrics: Measures
    seen_authors: Measures
    unseen_authors: Measures
    seconds: float | None


@dataclass(frozen=True)
class AblationRow:
    """What is lost without a group of inputs.

    Attributes:
        modalities: those left out.
        losses: by metric, with everything minus without; positive means that the group helps.
    """

    name: str
    label: str
    modalities: list[str]
    losses: Measures


@dataclass(frozen=True)
class Calibrated:
    """The share of true values below a predicted quantile, and what it should be."""

    nominal: float
    observed: float


@dataclass(frozen=True)
class Training:
    """How the fit went.

    Attributes:
        loss, validation_loss: of the network, an epoch each.
        epochs: those that the network kept.
        network_weight: the network's part in the blend, 0 to 1.
        weights: each learner's part; empty in evaluations of models that had two.
        widening: what calibration moved the ends of the interval by, in the target's units.
    """

    loss: list[float]
    validation_loss: list[float]
    epochs: int
    network_weight: float
    widening: float
    seconds: float
    seed: int
    weights: dict[str, float] = field(default_factory=dict)


_BESIDE_LOSSES = ("name", "label", "modalities")


def _nested(row: Any) -> Any:
    if not isinstance(row, Mapping) or "losses" in row:
        return row
    losses = {key: value for key, value in row.items() if key not in _BESIDE_LOSSES}
    return {key: row[key] for key in _BESIDE_LOSSES if key in row} | {"losses": losses}


def _flat(row: AblationRow, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
    written: dict[str, Any] = write(row)
    return {**{key: written[key] for key in _BESIDE_LOSSES}, **written["losses"]}


@dataclass(frozen=True)
class Reliability:
    """Test posts of like chances: the chance that was said, the share that was removed."""

    said: float
    came: float
    posts: int


@dataclass(frozen=True)
class RemovalResult:
    """How chances of removal did on later posts, beside the subreddits' rates as they were known.

    Attributes:
        posts, removed: that it learned from.
        brier, brier_of_rate: mean squared errors of chances; the less the better.
        difference: the first less the second, on the same resamples.
        auc, auc_of_rate: how often a removed post had the larger chance than one that stayed.
        shown: whether it is better than the rates beyond chance, so that people are shown it.
    """

    posts: int
    removed: int
    test_posts: int
    test_removed: int
    brier: Measure
    brier_of_rate: Measure
    difference: Measure
    auc: Measure
    auc_of_rate: Measure
    reliability: list[Reliability]
    shown: bool


@dataclass(frozen=True)
class Evaluation:
    """How a trained model did on its test posts.

    Attributes:
        target: "log_score", "popularity" or "percentile".
        encoders: by space, and `captioner`.
        table_versions: of the catalog that was learned from.
        models: every predictor, in the order to show them.
        differences: by baseline, the model's metrics minus the baseline's, on the same resamples.
        verdict: a sentence on whether it beats all baselines.
        ablation: a row a group of inputs; empty where it was turned off.
        noise_ceiling: the metrics of the model of that name; None for real posts.
        removals: how chances of removal did; None where too few removed posts are known, and in
            evaluations of earlier versions.
        settings: those of [train] that it was trained with; empty in evaluations of earlier
            versions.
    """

    format: int
    mmrl_version: str
    as_of: Moment
    profile: str
    target: str
    encoders: dict[str, str]
    table_versions: dict[str, int]
    splits: Splits
    models: dict[str, ModelResult]
    differences: dict[str, Measures]
    beats_all_baselines: bool
    verdict: str
    ablation: list[Annotated[AblationRow, BeforeValidator(_nested), WrapSerializer(_flat)]]
    calibration: list[Calibrated]
    training: Training
    noise_ceiling: Measures | None
    removals: RemovalResult | None = None
    settings: dict[str, bool | int | float | str | None] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """As JSON holds it."""
        written: dict[str, Any] = as_json(self)
        return written

    def to_json(self) -> str:
        """The text of `evaluation.json`."""
        return json.dumps(self.as_dict(), indent=1, allow_nan=False)

    @classmethod
    def from_json(cls, text: str) -> "Evaluation":
        """Reads what `to_json` wrote.

        Raises:
            CatalogError: a newer mmrl wrote it, or it is broken.
        """
        kind: Any = cls
        try:
            evaluation: Evaluation = _adapter(kind).validate_json(text)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(step) for step in first["loc"])
            raise CatalogError(
                f"An evaluation can't be read ({where or 'evaluation.json'}: {first['msg']}): "
                "update mmrl if a newer one wrote it, or train a new model."
            ) from error
        return evaluation


def as_json(part: Any) -> Any:
    """An evaluation, or a part of one, as `json.dumps` takes it."""
    kind: Any = type(part)
    return _adapter(kind).dump_python(part, mode="json", by_alias=True)


@cache
def _adapter(kind: Any) -> TypeAdapter[Any]:
    return TypeAdapter(kind)
