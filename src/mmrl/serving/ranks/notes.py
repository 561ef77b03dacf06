"""Notes beside predictions: what a reader should know, in sentences."""

import difflib
from collections.abc import Sequence
from datetime import datetime, timedelta

import numpy as np

from mmrl.catalog import Catalog, moment
from mmrl.learning.inputs import FeatureSpec
from mmrl.samples.history import MIN_RANKED
from mmrl.times import iso

SIMULATED = "Simulated: the model learned from posts that nobody ever wrote."
_FEW = 100  # posts; a model that learned from fewer of a kind says so of that kind
_LONGEST_TITLE = 300  # on Reddit
_OLD = timedelta(days=7)  # a model older than this says so


def of_model(trained_at: datetime, as_of: datetime) -> list[str]:
    """What is to be said of the model's age."""
    age = as_of - trained_at
    if age <= _OLD:
        return []
    return [
        f"The model is {age.days} days old: what people like has moved on since. `mmrl run` "
        "trains a new one."
    ]


def of_home(catalog: Catalog, as_of: datetime) -> list[str]:
    """What is odd in the time."""
    if catalog.count("posts") and not catalog.count("posts", f"first_seen_at <= {moment(as_of)}"):
        return [f"As of {iso(as_of)} no post was known yet: give a later --as-of, or none."]
    return []


def of_outcomes(unit: str) -> list[str]:
    """The reason for predictions without a score, where there are none."""
    if unit == "percentile":
        return [
            "The model learned percentiles (train.target), which tell neither score nor popularity."
        ]
    return []


def of_subreddit(
    name: str, learned: FeatureSpec, posts: float, subscribers: float, tells: Sequence[bool]
) -> list[str]:
    """What is known of a community, where it is little.

    Args:
        posts: matured ones that are known.
        subscribers: NaN where they are not known.
        tells: whether the model tells its score, and its percentile.
    """
    score, percentile = tells
    notes = []
    if not posts:
        notes.append(
            f"No matured post of r/{name} is known: this is what the model expects of "
            "a subreddit it has never seen."
        )
    elif score and not subscribers > 0:
        notes.append("The subreddit's subscribers are not known, so popularity is not either.")
    if posts and score and not percentile:
        notes.append(
            f"Of r/{name} fewer than {MIN_RANKED} posts of the last weeks have matured: too few to "
            "say where a score would stand."
        )
    known = {known.lower(): known for known in learned.subreddits}
    near = difflib.get_close_matches(name.lower(), known, 3, 0.6)
    if name.lower() not in known and near:
        names = ", ".join(f"r/{known[each]}" for each in near)
        notes.append(
            f"The model does not know r/{name}; names near it are {names}. The page "
            "Communities, or `mmrl communities`, lists all."
        )
    return notes


def of_popularity(unknown: bool) -> list[str]:
    """The reason for a prediction of a model of popularity without a number."""
    if not unknown:
        return []
    return [
        "The model learned popularity (train.target), which is per subscriber, and the "
        "subreddit's subscribers are not known: it tells no score, popularity or percentile."
    ]


def of_title(title: str) -> list[str]:
    """What is odd in a title."""
    if len(title) <= _LONGEST_TITLE:
        return []
    return [f"The title has {len(title):,} characters; Reddit takes {_LONGEST_TITLE}."]


def of_image(has_image: bool, learned: FeatureSpec) -> list[str]:
    """What the model's posts say of a draft's image, or of its having none."""
    if has_image and not learned.reads_images:
        return ["The model learned from no images: this one changes nothing."]
    if not has_image and learned.without_image < _FEW:
        return [
            f"Only {learned.without_image:,} of the {learned.posts:,} posts that the model learned "
            "from have no image."
        ]
    return []


def of_author(name: str | None, author_id: str | None) -> list[str]:
    """What is known of the author, where it is nothing."""
    if name is None or author_id is not None:
        return []
    return [f"No post of {name} is known: predicted as of somebody unknown."]


def told(values: np.ndarray) -> bool:
    """Whether there is any number among some."""
    return not bool(np.isnan(values).all())
