"""A model ready to rank drafts: what the command line, the page, the API and Python all ask."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Self

from mmrl.errors import InputError

if TYPE_CHECKING:
    from mmrl.catalog import Catalog
    from mmrl.config import Settings
    from mmrl.images.given import GivenImage
    from mmrl.images.image import ImageFacts
    from mmrl.serving.answers.agreement import Agreement
    from mmrl.serving.answers.best import AboutBest
    from mmrl.serving.answers.explain import Explanation
    from mmrl.serving.answers.occlude import OcclusionMap
    from mmrl.serving.answers.similar import By, Neighbour
    from mmrl.serving.answers.when import HourTable
    from mmrl.serving.inputs.drafts import Drafts, ImageFile
    from mmrl.serving.ranks.compare import Compared
    from mmrl.serving.ranks.posted_before import Before
    from mmrl.serving.ranks.rank import Predictor
    from mmrl.serving.ranks.ranking import Ranked, Ranking
    from mmrl.serving.ranks.removal import Removal


@dataclass(frozen=True)
class Ranker:
    """A version of a home's model with what was known at a time; `home.ranker` gives one.

    The model is loaded when it is first asked, so what is wrong with drafts is said before. It is
    safe to ask from several threads once it was asked.

    Attributes:
        as_of: the time up to which posts are known.
    """

    _catalog: "Catalog"
    _settings: "Settings"
    _named: str
    as_of: datetime

    @cached_property
    def _predictor(self) -> "Predictor":
        from mmrl.serving.ranks.rank import Predictor

        return Predictor.open(self._catalog, self._settings, self.as_of, self._named)

    @property
    def version(self) -> str:
        """The version's number."""
        return self._predictor.registered.version

    @property
    def trained_at(self) -> str:
        """When that version was trained, ISO 8601."""
        return str(self._predictor.registered.model.facts["as_of"])

    @property
    def simulated(self) -> bool:
        """Whether the home holds posts that nobody ever wrote."""
        return self._predictor.simulated

    def at(self, as_of: datetime) -> Self:
        """The same model with what was known at another time, read anew.

        Example:
            >>> from datetime import UTC, datetime
            >>> ranker.at(datetime(2026, 9, 1, tzinfo=UTC)).version == ranker.version
            True
        """
        other = type(self)(self._catalog, self._settings, self._named, as_of)
        other.__dict__["_predictor"] = self._predictor.at(as_of)
        return other

    def drafts(
        self,
        titles: Sequence[str],
        subreddits: Sequence[str],
        images: "Sequence[GivenImage]" = (),
        *,
        hours: Sequence[datetime | str] | Literal["best"] = (),
        zone: str = "UTC",
        author: str | None = None,
        over_18: bool = False,
        spoiler: bool = False,
        flair: str | None = None,
        features: Mapping[str, str] | None = None,
    ) -> "Drafts":
        """Choices to rank: each image with each title in each subreddit at each hour.

        Args:
            titles: one at least.
            subreddits: names, with or without r/; one at least.
            images: paths, web addresses, the bytes of files, or Pillow images.
            hours: times, or texts such as `Sat 18:00`; `best` for every full hour of the next
                seven days; the moment that is known of unless given.
            zone: the time zone that such texts are meant in.
            author, over_18, spoiler, flair, features: as of `mmrl.Draft`.

        Raises:
            NotFoundError: there is no image at a path.
            InputError: an image is too large or does not come, an hour is none or is past, or there
                is no such time zone.

        Example:
            >>> titles = ["Lake at dawn", "Dawn"]
            >>> ranker.drafts(titles, ["pics"], ["images/lake.png"], hours="best").combinations
            336
        """
        from mmrl.serving.inputs.contents import images_of
        from mmrl.serving.inputs.drafts import Drafts
        from mmrl.serving.inputs.hours import next_seven_days, posting_moment, zone_of

        zone_of(zone)
        if hours == "best":
            moments = next_seven_days(self.as_of)
        elif isinstance(hours, str):
            raise InputError(f"hours is {hours!r}: give a list of hours, or 'best'.")
        else:
            moments = [posting_moment(hour, self.as_of, zone) for hour in hours]
        return Drafts(
            titles,
            subreddits,
            images_of(images, self._settings.images),
            moments,
            author=author,
            over_18=over_18,
            spoiler=spoiler,
            flair=flair,
            features=features or {},
        )

    def read_drafts(self, path: str | Path, *, zone: str = "UTC") -> "list[Drafts]":
        """The drafts of a CSV file, a draft a row; docs/predicting.md has its columns.

        Args:
            zone: the time zone of its hours.

        Raises:
            NotFoundError: there is no such file.
            InputError: a column or a value is none that a draft may have; names the line.

        Example:
            >>> drafts = ranker.read_drafts("drafts.csv", zone="Europe/Berlin")
            >>> ranking = ranker.rank(*drafts)
            >>> len(drafts), len(ranking)
            (2, 2)
        """
        from mmrl.serving.drafts_file import read_drafts
        from mmrl.serving.inputs.hours import zone_of

        zone_of(zone)
        return read_drafts(Path(path), self._settings.images, zone, self.as_of)

    def rank(self, *drafts: "Drafts") -> "Ranking":
        """Predicts every combination of the drafts' choices, the best first.

        The order in which choices are given changes nothing.

        Raises:
            NotFoundError: the version does not exist.
            InputError: a file is no usable image, a title or a subreddit is empty, there are too
                many combinations, the model does not know a feature, there is no image and the
                model learned from no post without one, or it learned from other encoders' vectors.
            Failure: the captioner gave nothing.

        Example:
            >>> drafts = ranker.drafts(["Lake at dawn", "Dawn"], ["pics"], ["images/lake.png"])
            >>> ranking = ranker.rank(drafts)
            >>> ranking[0].score.middle >= ranking[1].score.middle
            True
        """
        return self._predictor.rank(*drafts)

    def write(self, ranking: "Ranking", to: str | Path) -> None:
        """Writes a ranking as a CSV file, the best first; what is not known is empty.

        Example:
            >>> drafts = ranker.drafts(["Lake at dawn", "Dawn"], ["pics"], ["images/lake.png"])
            >>> ranking = ranker.rank(drafts)
            >>> ranker.write(ranking, "ranking.csv")
            >>> open("ranking.csv").readline()[:6]
            'place,'
        """
        from mmrl.serving.drafts_file import write_ranking

        write_ranking(ranking, Path(to))

    def compare(self, one: "Ranked", other: "Ranked") -> "Compared":
        """The chance that one of two ranked drafts does better than the other.

        Raises:
            InputError: the model tells nothing of one of them.

        Example:
            >>> drafts = ranker.drafts(["Lake at dawn", "Dawn"], ["pics"], ["images/lake.png"])
            >>> one, other = ranker.rank(drafts)
            >>> ranker.compare(one, other).sentence
            'No clear difference (...% for the first).'
        """
        return self._predictor.compare(one, other)

    def about_best(
        self,
        ranking: "Ranking",
        *drafts: "Drafts",
        hours: bool = False,
        why: bool = False,
        neighbours: int = 0,
        zone: str = "UTC",
    ) -> "AboutBest":
        """Answers what is asked of a ranking's best draft: `when`, `why`, and posts like it.

        Args:
            drafts: what was ranked.
            neighbours: how many posts like it, of its subreddit.
            zone: the time zone of the hours.

        Example:
            >>> drafts = ranker.drafts(["Lake at dawn", "Dawn"], ["pics"], ["images/lake.png"])
            >>> about = ranker.about_best(ranker.rank(drafts), drafts, neighbours=3)
            >>> len(about.neighbours), about.hours  # which nobody asked for
            (3, None)
        """
        from mmrl.serving.answers.best import about_best

        asked = self._predictor, drafts, ranking
        return about_best(*asked, hours=hours, why=why, neighbours=neighbours, zone=zone)

    def when(self, draft: "Drafts", zone: str = "UTC") -> "HourTable":
        """One draft at each full hour of the next seven days.

        Args:
            draft: one image at most, one title and one subreddit; so for what is asked below.

        Raises:
            InputError: they are several drafts, or the model tells nothing of the subreddit.

        Example:
            >>> draft = ranker.drafts(["Lake at dawn"], ["pics"], ["images/lake.png"])
            >>> week = ranker.when(draft, "Europe/Berlin")
            >>> week.values.shape, week.best[0].draft.place
            ((7, 24), 1)
        """
        from mmrl.serving.answers.when import when

        return when(self._predictor, draft, zone)

    def why(self, draft: "Drafts") -> "Explanation":
        """What each kind of input adds to one draft's prediction, and what each word is worth.

        Raises:
            InputError: they are several drafts, or no post is known to compare with.

        Example:
            >>> draft = ranker.drafts(["Lake at dawn"], ["pics"], ["images/lake.png"])
            >>> why = ranker.why(draft)
            >>> added = sum(kind.value for kind in why.contributions)
            >>> abs(why.typical + added - why.predicted) < 0.001
            True
        """
        from mmrl.serving.answers.explain import explain

        return explain(self._predictor, draft)

    def squares(self, draft: "Drafts") -> "OcclusionMap":
        """What the prediction loses where a square of the image is covered.

        Raises:
            InputError: they are several drafts, there is no image, or the model reads none.

        Example:
            >>> draft = ranker.drafts(["Lake at dawn"], ["pics"], ["images/lake.png"])
            >>> ranker.squares(draft).values.shape
            (6, 6)
        """
        from mmrl.serving.answers.occlude import occlude

        return occlude(self._predictor, draft)

    def removal(self, draft: "Drafts") -> "Removal":
        """The chance that moderators or filters remove one draft, and what would change that.

        Raises:
            InputError: they are several drafts.

        Example:
            >>> draft = ranker.drafts(["Lake at dawn"], ["pics"], ["images/lake.png"])
            >>> ranker.removal(draft).chance is None  # of too few posts it is known
            True
        """
        from mmrl.serving.ranks.removal import removal

        return removal(self._predictor, draft)

    def similar(
        self, draft: "Drafts", *, by: "By" = "both", everywhere: bool = False, k: int = 10
    ) -> "list[Neighbour]":
        """The matured posts most like one draft, the nearest first.

        Args:
            by: image, title or both; without an image, both is the title.
            everywhere: of all subreddits; else of the draft's own.
            k: how many at most.

        Raises:
            InputError: they are several drafts, or there is no image to compare by.

        Example:
            >>> draft = ranker.drafts(["Lake at dawn"], ["pics"], ["images/lake.png"])
            >>> nearest, next = ranker.similar(draft, by="image", everywhere=True, k=2)
            >>> nearest.likeness >= next.likeness
            True
        """
        from mmrl.serving.answers.similar import similar

        return similar(self._predictor, draft, by=by, everywhere=everywhere, count=k)

    def agreement(self, *, by: "By" = "both", everywhere: bool = False) -> "Agreement":
        """Whether such posts predict anything; worked out once a version, by its test posts.

        Example:
            >>> ranker.agreement(by="title", everywhere=True).posts
            100
        """
        from mmrl.serving.answers.agreement import agreement

        return agreement(self._predictor, by=by, everywhere=everywhere)

    def read_images(self, images: "Sequence[ImageFile]") -> "list[ImageFacts]":
        """The facts of images; a ranking that is asked for later need not read them again.

        Raises:
            InputError: one is no usable image.

        Example:
            >>> draft = ranker.drafts(["Lake at dawn"], ["pics"], ["images/lake.png"])
            >>> [lake] = ranker.read_images(draft.images)
            >>> lake.width, lake.height, lake.format
            (64, 64, 'PNG')
        """
        from mmrl.serving.inputs.contents import read_images

        read = read_images(images, self._settings.images, self._predictor.contents)
        return [image.facts for image in read]

    def posted_before(self, images: "Sequence[ImageFacts]") -> "list[list[Before]]":
        """The earlier posts of each image, or of files that look alike, the newest first.

        Example:
            >>> draft = ranker.drafts(["Lake at dawn"], ["pics"], ["images/lake.png"])
            >>> ranker.posted_before(ranker.read_images(draft.images))  # never
            [[]]
        """
        from mmrl.samples.reposts import image_key
        from mmrl.serving.ranks.posted_before import posted_before

        keys = [image_key(image.sha256, image.phash) for image in images]
        earlier = posted_before(self._predictor, keys)
        return [earlier.get(key, []) for key in keys]
