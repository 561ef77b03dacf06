"""About the best draft of a ranking: what else a person may ask of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from mmrl.serving.answers.agreement import Agreement, agreement
from mmrl.serving.answers.explain import Explanation, explain
from mmrl.serving.answers.similar import By, Neighbour, similar
from mmrl.serving.answers.when import HourTable, when
from mmrl.serving.inputs.drafts import Drafts
from mmrl.serving.ranks.compare import Compared
from mmrl.serving.ranks.rank import Predictor
from mmrl.serving.ranks.ranking import Ranking, draft_of


@dataclass(frozen=True)
class AboutBest:
    """Answers about the best draft; None for what was not asked.

    Attributes:
        compared: with the second best; None where there is none, or the model tells nothing.
        neighbours: posts like it.
        agreement: whether such posts predict anything.
    """

    compared: Compared | None
    hours: HourTable | None
    why: Explanation | None
    neighbours: tuple[Neighbour, ...] | None
    agreement: Agreement | None

    def as_dict(self) -> dict[str, Any]:
        """For JSON: what was asked alone."""
        answers: dict[str, Any] = {}
        if self.compared is not None:
            answers["first_against_second"] = {
                "first_better": self.compared.first_better,
                "by": self.compared.by,
                "sentence": self.compared.sentence,
            }
        if self.hours is not None:
            answers["when"] = self.hours.as_dict()
        if self.why is not None:
            answers["why"] = self.why.as_dict()
        if self.neighbours is not None and self.agreement is not None:
            answers["similar"] = [post.as_dict() for post in self.neighbours]
            answers["similar_posts_predict"] = self.agreement.as_dict()
        return answers


def about_best(
    predictor: Predictor,
    drafts: Sequence[Drafts],
    ranking: Ranking,
    *,
    hours: bool = False,
    why: bool = False,
    neighbours: int = 0,
    zone: str = "UTC",
) -> AboutBest:
    """Answers what is asked of the best draft.

    Args:
        drafts: what was ranked.
        neighbours: how many posts like it, of its subreddit.
        zone: the time zone of the hours.
    """
    best = draft_of(drafts, ranking[0])
    by: By = "both" if best.images else "title"
    told = len(ranking) > 1 and ranking[1].percentile is not None
    return AboutBest(
        predictor.compare(ranking[0], ranking[1]) if told else None,
        when(predictor, best, zone) if hours else None,
        explain(predictor, best) if why else None,
        tuple(similar(predictor, best, by=by, count=neighbours)) if neighbours else None,
        agreement(predictor, by=by) if neighbours else None,
    )
