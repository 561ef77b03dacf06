"""Predictions of a home's models, and the samples that they are made from."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from mmrl.errors import InputError
from mmrl.home.incoming import Incoming
from mmrl.home.moments import Moment, days_before, moment

if TYPE_CHECKING:
    from mmrl.home.ranker import Ranker
    from mmrl.images.given import GivenImage
    from mmrl.learning.evaluation.prospective import Scores
    from mmrl.serving.answers.similar import By, Neighbour
    from mmrl.serving.communities import Community
    from mmrl.serving.prediction import Draft, Predictions
    from mmrl.serving.ranks.ranking import Ranking


class Predicting(Incoming):
    """The part of `Home` that predicts, and shows how its predictions came out."""

    def predict(
        self, drafts: "Sequence[Draft]", *, model: str | int = "champion", as_of: Moment = None
    ) -> "Predictions":
        """Predicts how popular posts would be, before they are posted.

        Args:
            drafts: any number of them.
            model: a version, `champion` or `latest`.

        Returns:
            a prediction a draft, in their order: a list, which a notebook shows as a table.

        Raises:
            NotFoundError: an image or the model version does not exist.
            InputError: an image can't be used, a title or a subreddit is empty, or the model does
                not know a feature of a draft.

        Example:
            >>> draft = mmrl.Draft("images/lake.png", "Lake at dawn", "pics")
            >>> [prediction] = home.predict([draft])
            >>> prediction.model_version, prediction.score.low <= prediction.score.middle
            ('1', True)
        """
        from mmrl.serving.predict import predict_drafts
        from mmrl.serving.prediction import Predictions

        if not drafts:
            return Predictions()
        options = (list(drafts), moment(as_of), str(model))
        return Predictions(predict_drafts(self.catalog, self.settings, *options))

    def ranker(self, model: str | int = "champion", *, as_of: Moment = None) -> "Ranker":
        """A version that ranks drafts and answers what else is asked of them, loaded once.

        The command line, the page and the API ask one, too.

        Args:
            model: a version, `champion` or `latest`.

        Example:
            >>> ranker = home.ranker(as_of="2026-09-15")
            >>> drafts = ranker.drafts(["Lake at dawn"], ["pics"], ["images/lake.png"])
            >>> best = ranker.rank(drafts)[0]
            >>> best.place, ranker.why(drafts).typical < 20
            (1, True)
        """
        from mmrl.home.ranker import Ranker

        return Ranker(self.catalog, self.settings, str(model), moment(as_of))

    def rank(
        self,
        titles: Sequence[str],
        subreddits: Sequence[str],
        images: "Sequence[GivenImage]" = (),
        *,
        model: str | int = "champion",
        as_of: Moment = None,
        **choices: Any,
    ) -> "Ranking":
        """Predicts each image with each title in each subreddit at each hour, the best first.

        Args:
            images: paths, web addresses, the bytes of files, or Pillow images.
            model: a version, `champion` or `latest`.
            choices: `hours` (a list of times and texts such as `Sat 18:00`, or `best`) and more, as
                of `Ranker.drafts`.

        Returns:
            a sequence of drafts, each with its place, its intervals and what to mind.

        Raises:
            NotFoundError: an image or the model version does not exist.
            InputError: see `Ranker.drafts` and `Ranker.rank`.

        Example:
            >>> titles = ["Lake at dawn", "Dawn"]
            >>> ranking = home.rank(titles, ["pics"], ["images/lake.png", "images/hill.png"])
            >>> len(ranking), ranking[0].place
            (4, 1)
        """
        ranker = self.ranker(model, as_of=as_of)
        return ranker.rank(ranker.drafts(titles, subreddits, images, **choices))

    def similar(
        self,
        image: "GivenImage | None" = None,
        title: str | None = None,
        *,
        subreddit: str | None = None,
        k: int = 10,
        model: str | int = "champion",
        as_of: Moment = None,
    ) -> "list[Neighbour]":
        """The matured posts most like an image, a title, or both; the nearest first.

        Only posts count whose outcome was known by `as_of`.

        Args:
            image: the path or the bytes of an image file, or a Pillow image.
            subreddit: only posts of this one; of all unless given.
            k: how many at most.
            model: the version whose encoders are used.

        Returns:
            posts, each with its score, its percentile and its likeness: the cosine between the
            encoders' vectors, of both the mean.

        Raises:
            InputError: neither image nor title is given, or the image can't be used.
            NotFoundError: the image or the version does not exist.

        Example:
            >>> found = home.similar("images/lake.png", as_of="2026-09-15", k=3)
            >>> len(found), found[0].likeness >= found[1].likeness
            (3, True)
        """
        if image is None and not title:
            raise InputError("There is nothing to be like: give an image, a title, or both.")
        by: By = "title" if image is None else "both" if title else "image"
        ranker = self.ranker(model, as_of=as_of)
        # What is not given stands for itself: it is neither compared nor looked up.
        images = [] if image is None else [image]
        draft = ranker.drafts([title or "untitled"], [subreddit or "all"], images)
        return ranker.similar(draft, by=by, everywhere=subreddit is None, k=k)

    def communities(self, as_of: Moment = None) -> "list[Community]":
        """The communities that posts are known of, the best known first.

        Posts count that the filter keeps; matured ones have a settled score.

        Example:
            >>> home.communities(as_of="2026-09-15")[0].matured > 0
            True
        """
        from mmrl.serving.communities import communities

        return communities(self.catalog, self.settings, moment(as_of))

    def scores(self, days: int = 28, *, as_of: Moment = None) -> "Scores":
        """How published predictions of live posts came out, by the day the posts went up.

        A post's earliest prediction counts, and none that was written when the outcome could be
        known. `home.run` publishes the champion's predictions of posts that have not matured.

        Args:
            days: posts of so many days.

        Raises:
            InputError: so many days ago no post can have gone up.

        Example:
            >>> home.scores(as_of="2026-09-15").days  # nothing was published
            ()
        """
        from mmrl.learning.evaluation.prospective import prospective

        at = moment(as_of)
        return prospective(self.catalog, self.settings, at, days_before(at, days))
