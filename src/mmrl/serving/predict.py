"""Prediction of a single draft: a ranking of one."""

from datetime import datetime

from mmrl.catalog import Catalog
from mmrl.config import Settings
from mmrl.serving.contents import image_file
from mmrl.serving.drafts import Drafts
from mmrl.serving.prediction import Draft, Prediction
from mmrl.serving.rank import Predictor
from mmrl.times import iso


def predict_draft(
    catalog: Catalog, settings: Settings, draft: Draft, as_of: datetime, version: str = "champion"
) -> Prediction:
    """Predicts one draft as if posted at `as_of`.

    Raises:
        NotFoundError: the image or the model version does not exist.
        InputError, Failure: see `Predictor.rank`.
    """
    images = [] if draft.image is None else [image_file(draft.image, settings.images)]
    ranking = Predictor.open(catalog, settings, as_of, version).rank(
        Drafts(
            [draft.title],
            [draft.subreddit],
            images,
            [] if draft.posted_at is None else [draft.posted_at],
            author=draft.author,
            over_18=draft.over_18,
            flair=draft.flair,
            features=draft.features,
        )
    )
    (found,) = ranking
    return Prediction(
        title=found.title,
        subreddit=found.subreddit,
        posted_at=iso(found.posted_at),
        model_version=ranking.model_version,
        score=found.score,
        popularity=found.popularity,
        percentile=found.percentile,
        caption=found.caption,
        caption_kind=ranking.caption_kind,
        simulated=ranking.simulated,
        notes=[*ranking.notes, *found.notes],
    )
