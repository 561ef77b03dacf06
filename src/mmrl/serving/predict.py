"""Predictions of drafts in the order given: rankings, each draft by itself."""

from collections.abc import Sequence
from datetime import datetime

from mmrl.catalog import Catalog
from mmrl.config import ImageSettings, Settings
from mmrl.images.given import require_file
from mmrl.serving.inputs.contents import image_file
from mmrl.serving.inputs.drafts import MOST_IMAGES, Drafts
from mmrl.serving.inputs.hours import posting_moment
from mmrl.serving.prediction import Draft, Prediction
from mmrl.serving.ranks.rank import Predictor


def predict_drafts(
    catalog: Catalog,
    settings: Settings,
    drafts: Sequence[Draft],
    as_of: datetime,
    version: str = "champion",
) -> list[Prediction]:
    """Predicts drafts, each content encoded once in up to `MOST_IMAGES` drafts.

    Raises:
        NotFoundError: an image or the model version does not exist.
        InputError: an hour is none, or past.
        InputError, Failure: see `Predictor.rank`.
    """
    hours = []
    for draft in drafts:  # before a model is loaded
        if draft.image is not None:
            require_file(draft.image)
        hours.append([] if draft.at is None else [posting_moment(draft.at, as_of)])
    predictor = Predictor.open(catalog, settings, as_of, version)
    # What a ranking says of all its drafts depends on their author and on whether they have images.
    alike: dict[tuple[str | None, bool], list[int]] = {}
    for number, draft in enumerate(drafts):
        alike.setdefault((draft.author, draft.image is None), []).append(number)
    predictions: dict[int, Prediction] = {}
    for numbers in alike.values():
        for start in range(0, len(numbers), MOST_IMAGES):
            part = numbers[start : start + MOST_IMAGES]
            singles = [_drafts(drafts[number], settings.images, hours[number]) for number in part]
            for place, prediction in _rank(predictor, singles):
                predictions[part[place]] = prediction
    return [predictions[number] for number in range(len(drafts))]


def _drafts(draft: Draft, images: ImageSettings, hours: Sequence[datetime]) -> Drafts:
    """A draft as the only one of its kind, at its hour where it has one."""
    return Drafts(
        [draft.title],
        [draft.subreddit],
        [] if draft.image is None else [image_file(draft.image, images)],
        hours,
        author=draft.author,
        over_18=draft.over_18,
        flair=draft.flair,
        features=draft.features,
    )


def _rank(predictor: Predictor, drafts: Sequence[Drafts]) -> list[tuple[int, Prediction]]:
    """Predictions, each with the place of its draft in those given."""
    ranking = predictor.rank(*drafts)
    return [(ranked.drafts, ranking.prediction(place)) for place, ranked in enumerate(ranking)]
