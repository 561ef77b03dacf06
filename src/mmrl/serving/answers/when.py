"""Hours: what a draft may expect at each hour of the coming week."""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from mmrl.errors import InputError
from mmrl.serving.inputs.drafts import Drafts, single
from mmrl.serving.inputs.hours import next_seven_days, zone_of
from mmrl.serving.ranks.compare import Compared
from mmrl.serving.ranks.rank import Predictor
from mmrl.serving.ranks.ranking import Ranked

WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_NAMED = 3  # hours that are called the best, and the worst


@dataclass(frozen=True)
class Hour:
    """An hour of the coming week.

    Attributes:
        weekday: 0 for Monday, in the table's time zone.
        hour: 0 to 23, likewise.
        draft: what is predicted for then.
    """

    weekday: int
    hour: int
    draft: Ranked

    @property
    def name(self) -> str:
        """As people say it, such as `Sat 18:00`."""
        return f"{WEEKDAYS[self.weekday]} {self.hour:02}:00"


@dataclass(frozen=True)
class HourTable:
    """A draft at each hour of the coming week.

    Attributes:
        zone: the time zone's name.
        by: what the values are: the percentile's middle, or the score's where none is known.
        values: (7, 24) by weekday and hour; NaN for an hour that the clock skips.
        best, worst: the three best hours, and the three worst.
        compared: the best hour with the worst one.
    """

    zone: str
    by: Literal["percentile", "score"]
    values: np.ndarray
    best: tuple[Hour, ...]
    worst: tuple[Hour, ...]
    compared: Compared

    @property
    def matters(self) -> bool:
        """Whether the best hour is clearly better than the worst one: by a chance over 60%."""
        return self.compared.clear

    @property
    def sentence(self) -> str:
        """For people."""
        best, worst = (", ".join(hour.name for hour in hours) for hours in (self.best, self.worst))
        if not self.matters:
            return f"The hour hardly matters here. Best by a little: {best}."
        return f"Best: {best}. Worst: {worst}."

    def as_dict(self) -> dict[str, Any]:
        """For JSON; the values by weekday from Monday, null for an hour that the clock skips."""
        values = [
            [None if np.isnan(value) else float(value) for value in day] for day in self.values
        ]
        return {
            "zone": self.zone,
            "by": self.by,
            "values": values,
            "best": [hour.name for hour in self.best],
            "worst": [hour.name for hour in self.worst],
            "matters": self.matters,
            "sentence": self.sentence,
        }


def when(predictor: Predictor, drafts: Drafts, zone: str = "UTC") -> HourTable:
    """Predicts one draft at each full hour of the next seven days.

    Args:
        drafts: one image at most, one title and one subreddit; their hours are not looked at.
        zone: a time zone's name, such as `Europe/Berlin`, in which weekdays and hours are meant.

    Raises:
        InputError: they are several drafts, there is no such zone, or the model tells nothing of
            the subreddit.
    """
    place = zone_of(zone)
    one = single(drafts, next_seven_days(predictor.as_of))
    hours = []
    for draft in predictor.rank(one):
        local = draft.posted_at.astimezone(place)
        hours.append(Hour(local.weekday(), local.hour, draft))
    by: Literal["percentile", "score"] = "percentile" if hours[0].draft.percentile else "score"
    values = np.full((7, 24), np.nan)
    for hour in hours:
        interval = getattr(hour.draft, by)
        if interval is None:
            raise InputError(
                f"The model tells no score in r/{hour.draft.subreddit}: choose a subreddit whose "
                "subscribers are known."
            )
        values[hour.weekday, hour.hour] = interval.middle
    compared = predictor.compare(hours[0].draft, hours[-1].draft)
    best, worst = tuple(hours[:_NAMED]), tuple(reversed(hours[-_NAMED:]))
    return HourTable(zone, by, values, best, worst, compared)
