"""Ranks drafts: the one way to predict posts that are not posted yet.

Each image, title and pair of them is encoded once; what is known of authors, subreddits and images
is read once, when a `Predictor` is opened; all combinations are predicted in parts of bounded size.
"""

from collections.abc import Sequence
from functools import cached_property

import numpy as np
import pyarrow as pa

from mmrl.learning.registry.registry import Registry
from mmrl.learning.targets import column, to_popularity
from mmrl.serving.inputs.combine import Combinations
from mmrl.serving.inputs.content_memo import ContentMemo
from mmrl.serving.inputs.contents import EncodedContents, ReadImage
from mmrl.serving.inputs.drafts import Drafts
from mmrl.serving.ranks import notes
from mmrl.serving.ranks.compare import Compared, compare, shared_error
from mmrl.serving.ranks.opened import DraftInputs, Opened
from mmrl.serving.ranks.posted_before import note_of, posted_before
from mmrl.serving.ranks.ranking import Choice, Columns, Ranked, Ranking
from mmrl.serving.ranks.removal import removal_chances
from mmrl.serving.ranks.spread import chance_above
from mmrl.times import parse_time

_DRAFTS = 16_384  # at a time
_TOP = 0.9  # of a subreddit's posts lie below its top tenth


class Predictor(Opened):
    """An opened model, ready to rank drafts."""

    @cached_property
    def shared_error(self) -> float:
        """The correlation of the model's errors of two posts of one subreddit and day."""
        test = Registry(self.catalog.home).test_predictions(self.registered.version)
        return shared_error(test, self._unit)

    def compare(self, one: Ranked, other: Ranked) -> Compared:
        """The chance that one of two ranked drafts does better than the other.

        Raises:
            InputError: the model tells nothing of one of them.
        """
        return compare(one, other, self.known.standings, self.shared_error)

    def rank(self, *drafts: Drafts) -> Ranking:
        """Predicts every combination of the drafts' choices, the best first.

        The order in which choices are given changes nothing.

        Raises:
            InputError: a file is no usable image, a title or a subreddit is empty, there are too
                many combinations, the model does not know a feature, or there is no image and the
                model learned from no post without one.
            Failure: the captioner gave nothing.
        """
        combined, encoded = self.combine(drafts)
        inputs = self.inputs(combined, encoded)
        return self._ranking(drafts, combined, encoded, inputs, self.columns(combined, inputs))

    def middles(self, drafts: Drafts, images: Sequence[ReadImage]) -> tuple[np.ndarray, str]:
        """The median that is predicted with each of n images, (n,), and its unit.

        Args:
            drafts: of one title, subreddit and hour.
            images: its images, read already.
        """
        combined, encoded = self.combine([drafts], [images], ContentMemo())
        columns = self.columns(combined, self.inputs(combined, encoded))
        return columns.quantiles[np.argsort(columns.image), 1], self._unit

    def columns(self, combined: Combinations, inputs: DraftInputs) -> Columns:
        """Predictions of all combinations, a part at a time, in their order."""
        levels = self._top_levels(combined, inputs)
        parts = [
            self._predict(
                combined, inputs, levels, np.arange(start, min(start + _DRAFTS, len(combined)))
            )
            for start in range(0, len(combined), _DRAFTS)
        ]
        joined = {
            name: np.concatenate([getattr(part, name) for part in parts])
            for name in vars(parts[0])
            if name != "removal"
        }
        return Columns(**joined, removal=removal_chances(self, combined))

    @property
    def _unit(self) -> str:
        """Of the quantiles that the model predicts."""
        return "percentile" if self.registered.model.target == "percentile" else "log_score"

    def _predict(
        self, combined: Combinations, inputs: DraftInputs, levels: np.ndarray, rows: np.ndarray
    ) -> Columns:
        """Predictions of some of the drafts, in the order of the rows.

        Args:
            levels: of each place, what the scores of its top tenth begin with.
        """
        places = combined.place[rows]
        samples = inputs.samples.take(places)
        predicted = self.registered.model.quantiles(inputs.of(rows), samples)
        quantiles = np.stack([predicted.q10, predicted.q50, predicted.q90], axis=1).astype(
            np.float64
        )
        hour = combined.hour[rows]
        return Columns(
            combined.image[rows],
            combined.title[rows],
            combined.subreddit[rows],
            hour,
            quantiles,
            *self._outcomes(samples, hour, quantiles, predicted.unit),
            chance_above(quantiles, levels[places]),
            np.full(len(rows), np.nan),
        )

    def _top_levels(self, combined: Combinations, inputs: DraftInputs) -> np.ndarray:
        """Of each place, what the top tenth of its posts begins with, in the model's unit."""
        if self._unit == "percentile":
            return np.full(len(combined.there), _TOP)
        hours = combined.hour[combined.there]
        return self.known.standings.level(inputs.samples["subreddit"], hours, _TOP)

    def _outcomes(
        self, samples: pa.Table, hour: np.ndarray, quantiles: np.ndarray, unit: str
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Percentile, score and popularity, (n, 3) each."""
        if unit == "percentile":
            nothing = np.full(quantiles.shape, np.nan)
            return quantiles.clip(0.0, 1.0), nothing, nothing
        levels = np.maximum(quantiles, 0.0)  # a score under 0 counts as 0
        percentile = self.known.standings.percentiles(samples["subreddit"], hour, levels)
        # A model of popularity tells nothing where the subscribers are not known.
        percentile[np.isnan(quantiles)] = np.nan
        subscribers = column(samples, "subscribers")[:, None]
        return percentile, np.expm1(levels), to_popularity(levels, subscribers)

    def _ranking(
        self,
        drafts: Sequence[Drafts],
        combined: Combinations,
        encoded: EncodedContents,
        inputs: DraftInputs,
        columns: Columns,
    ) -> Ranking:
        registered, learned = self.registered, self.registered.model.encoding.spec
        trained_at = str(registered.model.facts["as_of"])
        of_all = [notes.SIMULATED] if self.simulated else []
        of_all += notes.of_model(parse_time(trained_at), self.as_of)
        of_all += self.memo.of("home", lambda: notes.of_home(self.catalog, self.as_of))
        of_all += notes.of_outcomes(self._unit)
        for each, facts in zip(drafts, combined.facts, strict=True):
            of_all += notes.of_author(each.author, facts.author_id)
            of_all += notes.of_image(bool(each.images), learned)
        return Ranking(
            model_version=registered.version,
            trained_at=trained_at,
            as_of=self.as_of,
            unit=self._unit,
            simulated=self.simulated,
            caption_kind=self.profile.shown_as.get("captioner", "caption"),
            notes=tuple(dict.fromkeys(of_all)),
            columns=columns.take(_order(columns)),
            images=self._images(combined, encoded),
            titles=[
                Choice(place, number, title, tuple(notes.of_title(title)))
                for place, number, title in combined.titles
            ],
            subreddits=self._subreddits(combined, inputs, columns),
        )

    def _images(self, combined: Combinations, encoded: EncodedContents) -> list[Choice]:
        """The images with what was seen in them, and whether they were posted before."""
        before = posted_before(self, [image.key for _, _, image in combined.images])
        return [
            Choice(
                place,
                number,
                image.file.name,
                note_of(before.get(image.key, ())),
                encoded.captions[image.facts.sha256],
            )
            for place, number, image in combined.images
        ]

    def _subreddits(
        self, combined: Combinations, inputs: DraftInputs, columns: Columns
    ) -> list[Choice]:
        """The subreddits with what is said beside the numbers of drafts in them."""
        learned = self.registered.model.encoding.spec
        _, example = np.unique(combined.subreddit, return_index=True)
        samples = inputs.samples.take(combined.place[example])
        posts = np.nan_to_num(column(samples, "log_subreddit_posts"))
        subscribers = column(samples, "subscribers")
        choices = []
        for place, (drafts, number, name) in enumerate(combined.subreddits):
            tells = [
                not np.isnan(values[example[place]]).any()
                for values in (columns.score, columns.percentile)
            ]
            sentences = notes.of_subreddit(name, learned, posts[place], subscribers[place], tells)
            sentences += notes.of_popularity(
                bool(np.isnan(columns.quantiles[example[place]]).any())
            )
            choices.append(Choice(drafts, number, name, tuple(sentences)))
        return choices


def _order(columns: Columns) -> np.ndarray:
    """The drafts from the best to the worst; equal ones as they are."""
    middle = np.stack(
        [columns.percentile[:, 1], columns.score[:, 1], columns.quantiles[:, 1]], axis=1
    )
    likely, score, quantile = np.where(np.isnan(middle), -np.inf, middle).T
    return np.lexsort((-quantile, -score, -likely))
