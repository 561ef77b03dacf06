"""Schemas of the API's requests and answers, as its OpenAPI document shows them."""

from datetime import date, datetime
from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from mmrl.serving.inputs.drafts import Drafts, ImageFile
from mmrl.serving.inputs.hours import next_seven_days
from mmrl.serving.ranks.ranking import Ranked, Ranking
from mmrl.times import iso
from mmrl.web.form import MOST_COMMUNITIES, MOST_TITLES, check_to_come

_MOST_HOURS = 400

Hours = Literal["now", "best"] | Annotated[list[AwareDatetime], Field(max_length=_MOST_HOURS)]
Share = Annotated[float, Field(ge=0, le=1)]


class RankRequest(BaseModel):
    """Drafts to rank: each picture with each title in each community at each hour."""

    model_config = ConfigDict(extra="forbid")

    titles: list[str] = Field(min_length=1, max_length=MOST_TITLES, description="as posted")
    communities: list[str] = Field(
        min_length=1, max_length=MOST_COMMUNITIES, description="names, with or without r/"
    )
    hours: Hours = Field(
        default="best",
        description="times with a zone, `now`, or `best`: every full hour of the next seven days",
    )
    author: str | None = Field(default=None, description="a user's name; unset: somebody unknown")
    flair: str | None = Field(default=None, description="as it would be chosen")
    over_18: bool = Field(default=False, description="marked as not safe for work")
    spoiler: bool = Field(default=False, description="marked as a spoiler")
    features: dict[str, str] = Field(
        default={}, description="by name, features that posts were imported with"
    )
    most: int = Field(default=100, ge=1, le=10_000, description="drafts to return, the best first")

    def drafts(self, images: list[ImageFile], as_of: datetime) -> Drafts:
        """The drafts; raises InputError where an hour is past."""
        if self.hours == "best":
            hours = next_seven_days(as_of)
        elif self.hours == "now":
            hours = [as_of]
        else:
            hours = [check_to_come(hour, as_of) for hour in self.hours]
        return Drafts(
            titles=self.titles,
            subreddits=self.communities,
            images=images,
            hours=hours,
            author=self.author,
            over_18=self.over_18,
            spoiler=self.spoiler,
            flair=self.flair,
            features=self.features,
        )


class Range(BaseModel):
    """Bounds between which an outcome lies 80 times in 100, and its middle."""

    low: float
    middle: float
    high: float


class RankedDraft(BaseModel):
    """One draft and what is predicted of it; null is not known."""

    place: int = Field(description="1 for the best")
    picture: int | None = Field(description="which of the pictures, from 0; null without one")
    title: str
    community: str
    posted_at: datetime
    percentile: Range | None = Field(description="0 to 1 among the community's last 90 days")
    score: Range | None = Field(description="upvotes less downvotes, once settled")
    popularity: Range | None = Field(description="score per 1,000 subscribers")
    top_tenth: Share | None = Field(description="the chance of the community's top tenth")
    removal: Share | None = Field(
        description="the chance of being removed by moderators or filters"
    )
    caption: str | None = Field(description="what the captioner saw in the picture")
    notes: list[str] = Field(description="what to mind, in sentences")

    @classmethod
    def of(cls, row: Ranked) -> "RankedDraft":
        """A row of a ranking."""
        fields = row.as_dict()
        return cls(
            **{name: fields[name] for name in cls.model_fields if name in fields},
            picture=row.image_number,
            community=row.subreddit,
        )


class RankAnswer(BaseModel):
    """A ranking, the best first."""

    model_version: str = Field(description="the version that answered")
    trained_at: str
    as_of: str = Field(description="the time up to which posts are known")
    simulated: bool = Field(description="it learned from posts that nobody ever wrote")
    combinations: int = Field(description="that were predicted")
    notes: list[str]
    ranking: list[RankedDraft]

    @classmethod
    def of(cls, ranking: Ranking, most: int) -> "RankAnswer":
        """The best of a ranking."""
        return cls(
            model_version=ranking.model_version,
            trained_at=ranking.trained_at,
            as_of=iso(ranking.as_of),
            simulated=ranking.simulated,
            combinations=len(ranking),
            notes=list(ranking.notes),
            ranking=[RankedDraft.of(row) for row in ranking[:most]],
        )


class CommunityFacts(BaseModel):
    """What is known of a community."""

    name: str
    posts: int
    matured: int = Field(description="posts whose score has settled")
    median_score: float | None
    subscribers: int | None
    newest: datetime


class ScoredDay(BaseModel):
    """Published predictions of the posts of a day, or of a week, and what became of these."""

    day: date = Field(description="on which the posts went up; the last one of a week")
    posts: int
    versions: list[str] = Field(description="of the model, whose predictions they are")
    spearman: float | None = Field(description="rank agreement within communities")
    coverage: Share = Field(description="of outcomes inside the 80% interval")
    error: float = Field(description="mean absolute error, in the unit")
    baseline_error: float | None = Field(
        description="that of the mean of the community's last 90 days"
    )


class ScoresAnswer(BaseModel):
    """How published predictions of live posts came out, day by day."""

    unit: str = Field(description="of the errors: log_score or percentile")
    days: list[ScoredDay]
    week: ScoredDay | None = Field(description="the last seven days with outcomes")
    waiting: int = Field(description="predicted posts whose outcome is not known yet")
    late: int = Field(description="posts left out, as they were first predicted after the fact")
    other_unit: int = Field(description="posts left out, as they were predicted in another unit")
    warning: str | None = Field(description="where a week was worse than the baseline")


class Problem(BaseModel):
    """An error (RFC 9457): what was given, what was expected, what to do."""

    type: str
    title: str
    status: int
    detail: str


PROBLEMS: dict[int | str, dict[str, Any]] = {
    status: {
        "description": text,
        "content": {"application/problem+json": {"schema": Problem.model_json_schema()}},
    }
    for status, text in {
        401: "the token is missing",
        413: "too many or too large pictures",
        422: "the request is not as expected",
        429: "too many requests wait; Retry-After says for how long",
    }.items()
}
