"""A simulated Reddit: subreddits, authors and posts made from a seed by the law of popularity.

Everything here is made up. The same arguments give the same world. A world knows the future; what
of it shows at which time is decided in `api`.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pyarrow as pa

from mmrl.errors import InputError
from mmrl.sandbox import law, titles
from mmrl.sandbox.images import Drawing, render
from mmrl.sandbox.removals import removed
from mmrl.sandbox.traits import Contents, Numbers

START = datetime(2026, 6, 1, tzinfo=UTC)
DAYS = 70
SUBREDDITS = (
    "SimPics",
    "SimScenes",
    "SimTown",
    "SimNature",
    "SimDaily",
    "SimArt",
    "SimOld",
    "SimFun",
)

# What an account's karma tells of its author's effect: the correlation of the logarithms. Karma of
# real accounts tells of popularity, but far from all.
KARMA_TELLS = 0.7
KARMA_MEAN, KARMA_SPREAD = 8.5, 1.4  # of the logarithm of link karma
_POSTS_AN_AUTHOR = 7.0
_KINDS = {  # of 1,000 posts; the rest are plain image posts
    "text": 20,
    "link": 15,
    "video": 20,
    "gallery": 60,
    "crosspost": 20,
    "removed": 12,
    "image_gone": 8,
    "placeholder": 6,
    "deleted_author": 10,
}
WITH_IMAGE = frozenset({"image", "gallery", "crosspost", "deleted_author"})


@dataclass(frozen=True, slots=True)
class Subreddit:
    """A subreddit: its subscribers at the start, and the share it grows by in a day."""

    id: str
    name: str
    subscribers: int
    growth: float

    def subscribers_at(self, days: float) -> int:
        """Its subscribers so many days after the world's start."""
        return int(self.subscribers * (1 + self.growth) ** days)


@dataclass(frozen=True, slots=True)
class Author:
    """An account, with the karma it had before the world began."""

    id: str
    name: str
    created: float  # epoch seconds
    link_karma: int
    comment_karma: int


@dataclass(frozen=True, slots=True)
class Post:
    """A post with all its future.

    Attributes:
        kind: `image`, or another of the kinds that a filter meets.
        score: what it comes to in the end; `pace` over 1 gets there slower.
        drawing: what to draw; None where a file is replayed or there is no image.
        file: the image file of a replayed post.
    """

    id: str
    number: int
    created: float
    subreddit: int
    author: int | None
    title: str
    kind: str
    score: int
    pace: float
    ratio: float
    talk: float
    over_18: bool
    spoiler: bool
    drawing: Drawing | None = None
    file: Path | None = None

    def score_at(self, now: float) -> int:
        """Its score at a time, in epoch seconds."""
        return round(self.score * law.grown((now - self.created) / 3600, self.pace))

    def comments_at(self, now: float) -> int:
        """Its number of comments at a time."""
        return round(self.talk * law.grown((now - self.created) / 3600, self.pace))

    def image(self) -> bytes | None:
        """The bytes of its image; None where it has none."""
        if self.file is not None:
            return self.file.read_bytes() if self.file.is_file() else None
        return None if self.drawing is None else render(self.drawing)


@dataclass(frozen=True)
class World:
    """Subreddits, authors and posts of a simulated Reddit, with all their future.

    Attributes:
        posts: in the order of their creation; ids grow with it, as Reddit's do, unless
            `without_id_order`.
        start, end: of the time posts are made in; scores go on growing for two days more.
    """

    posts: Sequence[Post]
    authors: Sequence[Author]
    subreddits: Sequence[Subreddit]
    start: datetime
    end: datetime
    terms: Mapping[str, np.ndarray] | None

    @classmethod
    def make(
        cls,
        posts: int = 2_000,
        seed: int = 0,
        days: int = DAYS,
        start: datetime = START,
        removals: float = 0.0,
    ) -> "World":
        """Makes a world by the law.

        Args:
            posts: all of them, also the few that are no usable image posts.
            removals: the share of image posts that moderators remove by a law of its own
                (`mmrl.sandbox.removals`), besides the few that they remove for no reason.

        Raises:
            InputError: there are too few posts or days for a law to show.
        """
        if posts < 50 or days < 3:
            raise InputError(f"{posts} posts over {days} days is no world: 50 and 3 are the least.")
        rng = np.random.default_rng([20260601, seed])
        subreddits = _make_subreddits(rng)
        created = _moments(rng, posts, days, start)
        where = rng.choice(len(subreddits), posts, p=_uneven(len(subreddits), 0.5))
        authors, effect = _make_authors(rng, posts, start)
        who = _cast(rng, posts, len(authors))
        kinds = _kinds(rng, posts)
        with_image = np.isin(kinds, sorted(WITH_IMAGE))
        contents = Contents.draw(rng, posts)
        # The order of the draws makes the world: another order is another world.
        raw = {
            "noise": rng.standard_t(law.NOISE_FREEDOM, posts),
            "subreddit": law.levels(rng, len(subreddits))[where],
            **contents.effects(rng),
            "author": effect[who],
            "hour": law.hour_of_post(created),
        }
        terms = {name: law.scaled(raw[name], with_image, law.SHARES[name]) for name in law.TERMS}
        numbers = Numbers.draw(rng, np.maximum(law.MEAN + sum(terms.values()), 0.0))
        words = Random(f"mmrl sandbox {seed}")
        made = _write_posts(created, where, who, kinds, contents, numbers, words)
        if removals:
            _remove(made, len(subreddits), removals, seed)
            with_image = np.array([post.kind in WITH_IMAGE for post in made])
        end = start + timedelta(days=days)
        return cls(made, authors, subreddits, start, end, {**terms, "with_image": with_image})

    @classmethod
    def from_posts(cls, rows: Sequence[Mapping[str, Any]], seed: int = 0) -> "World":
        """Replays real posts instead of made-up ones.

        Args:
            rows: each with `id`, `title`, `subreddit`, `created` (epoch seconds), `score`, and,
                where known, `author` (a name) and `file` (the path of its image).

        Raises:
            InputError: there are no rows.
        """
        if not rows:
            raise InputError("There are no posts to replay: give at least one.")
        rng = np.random.default_rng([20260601, seed])
        rows = sorted(rows, key=lambda row: (float(row["created"]), str(row["id"])))
        names = list(dict.fromkeys(str(row["subreddit"]) for row in rows))
        people = list(dict.fromkeys(str(row["author"]) for row in rows if row.get("author")))
        place = {name: n for n, name in enumerate(names)}
        account = {name: n for n, name in enumerate(people)}
        subreddits = [
            Subreddit(_base36(0x20000 + n), name, int(rng.integers(50_000, 5_000_000)), 0.0)
            for n, name in enumerate(names)
        ]
        began = float(rows[0]["created"])
        authors = [
            Author(_base36(0x900000 + n), name, began - 3e7, 1_000, 1_000)
            for n, name in enumerate(people)
        ]
        blank = Post("", 0, 0.0, 0, None, "", "image", 0, 1.0, 0.95, 0.0, False, False)
        posts = [
            replace(
                blank,
                id=str(row["id"]),
                number=number,
                created=float(row["created"]),
                subreddit=place[str(row["subreddit"])],
                author=account[str(row["author"])] if row.get("author") else None,
                title=str(row["title"]),
                kind="image" if row.get("file") else "link",
                score=int(row["score"]),
                talk=max(int(row["score"]), 0) / 20,
                file=Path(row["file"]) if row.get("file") else None,
            )
            for number, row in enumerate(rows)
        ]
        start = datetime.fromtimestamp(math.floor(began), tz=UTC)
        end = datetime.fromtimestamp(math.ceil(posts[-1].created), tz=UTC)
        return cls(posts, authors, subreddits, start, end, None)

    def without_id_order(self, after: datetime, seed: int = 0) -> "World":
        """The same world, but ids of the posts made after a moment don't count up.

        They are drawn from the seven-digit ids, above and below those before.
        """
        dice, taken = Random(f"mmrl ids {seed}"), {post.id for post in self.posts}
        posts = []
        for post in self.posts:
            if post.created > after.timestamp():
                while (drawn := _base36(dice.randrange(36**6, 36**7))) in taken:
                    pass
                taken.add(drawn)
                post = replace(post, id=drawn)
            posts.append(post)
        return replace(self, posts=posts)

    def truth(self) -> pa.Table:
        """The law's terms of every post: never part of the API that posts are collected by.

        Returns:
            post_id, with_image, a column a term, `expected_log_score` (all terms but the noise, and
            the mean), `log_score` (what happened).

        Raises:
            InputError: the world replays real posts, whose law nobody knows.
        """
        if self.terms is None:
            raise InputError("This world replays real posts: nobody knows the law they follow.")
        expected = law.MEAN + sum(self.terms[term] for term in law.EXPECTED)
        return pa.table(
            {
                "post_id": [post.id for post in self.posts],
                "with_image": self.terms["with_image"],
                **{term: self.terms[term] for term in law.TERMS},
                "expected_log_score": expected,
                "log_score": np.log1p([float(post.score) for post in self.posts]),
            }
        )

    def __iter__(self) -> Iterator[Post]:
        return iter(self.posts)


def _make_subreddits(rng: np.random.Generator) -> list[Subreddit]:
    sizes = np.exp(rng.permutation(np.linspace(math.log(3e4), math.log(3e6), len(SUBREDDITS))))
    return [
        Subreddit(_base36(0x20000 + n), name, int(sizes[n]), float(rng.uniform(0, 0.002)))
        for n, name in enumerate(SUBREDDITS)
    ]


def _moments(rng: np.random.Generator, posts: int, days: int, start: datetime) -> np.ndarray:
    """Times of creation, most of them in the American day, sorted, in epoch seconds."""
    hours = np.arange(24)
    weight = 1.2 + np.cos(2 * np.pi * (hours - 19) / 24)
    hour = rng.choice(24, posts, p=weight / weight.sum())
    seconds = rng.integers(0, days, posts) * 86_400 + hour * 3_600 + rng.integers(0, 3_600, posts)
    return np.sort(start.timestamp() + seconds.astype(np.float64))


def _make_authors(
    rng: np.random.Generator, posts: int, start: datetime
) -> tuple[list[Author], np.ndarray]:
    """Accounts, and each one's raw effect; their karma tells of it, noisily."""
    count = max(10, int(posts / _POSTS_AN_AUTHOR))
    effect = rng.normal(size=count)
    told = KARMA_TELLS * effect + math.sqrt(1 - KARMA_TELLS**2) * rng.normal(size=count)
    link = np.exp(KARMA_MEAN + KARMA_SPREAD * told).astype(np.int64)
    comment = np.exp(rng.normal(8, 1.5, count)).astype(np.int64)
    age = rng.uniform(30, 4_000, count) * 86_400
    authors = [
        Author(
            _base36(0x900000 + 11 * n),
            f"sim_user_{n}",
            start.timestamp() - float(age[n]),
            int(link[n]),
            int(comment[n]),
        )
        for n in range(count)
    ]
    return authors, effect


def _cast(rng: np.random.Generator, posts: int, authors: int) -> np.ndarray:
    """Each post's author: some post often, some once, and new ones keep coming."""
    # Without the bound one account may come to make half of all posts.
    weight = np.minimum(rng.pareto(1.8, authors), 15.0) + 0.3
    arrival = np.where(rng.random(authors) < 0.6, 0.0, rng.uniform(0, 0.9, authors))
    chosen = np.empty(posts, dtype=np.int64)
    for number in range(posts):
        here = np.flatnonzero(arrival <= number / posts)
        chosen[number] = rng.choice(here, p=weight[here] / weight[here].sum())
    return chosen


def _kinds(rng: np.random.Generator, posts: int) -> np.ndarray:
    shares = np.array([*_KINDS.values(), 1_000 - sum(_KINDS.values())]) / 1_000
    return np.asarray(rng.choice(np.array([*_KINDS, "image"]), posts, p=shares))


def _write_posts(
    created: np.ndarray,
    where: np.ndarray,
    who: np.ndarray,
    kinds: np.ndarray,
    contents: Contents,
    numbers: Numbers,
    words: Random,
) -> list[Post]:
    """Posts of what was drawn for each, with titles written.

    Args:
        where, who: indexes of subreddits and authors.
    """
    return [
        Post(
            id=_base36(0x1000000 + 37 * n),
            number=n,
            created=float(created[n]),
            subreddit=int(where[n]),
            author=None if kinds[n] == "deleted_author" else int(who[n]),
            title=titles.write(contents.title(n), words),
            kind=str(kinds[n]),
            score=int(numbers.score[n]),
            pace=float(numbers.pace[n]),
            ratio=float(numbers.ratio[n]),
            talk=float(numbers.talk[n]),
            over_18=bool(numbers.over_18[n]),
            spoiler=bool(numbers.spoiler[n]),
            drawing=contents.drawing(n, int(numbers.key[n])),
        )
        for n in range(len(created))
    ]


def _remove(posts: list[Post], subreddits: int, share: float, seed: int) -> None:
    """Has moderators remove this share of the image posts."""
    image = [post for post in posts if post.kind == "image"]
    for place in np.flatnonzero(removed(image, subreddits, share, seed)):
        posts[image[place].number] = replace(image[place], kind="removed")


def _uneven(count: int, power: float) -> np.ndarray:
    weight = 1 / np.arange(1, count + 1) ** power
    return np.asarray(weight / weight.sum())


def _base36(number: int) -> str:
    digits = "0123456789abcdefghijklmnopqrstuvwxyz"
    text = ""
    while number:
        number, rest = divmod(number, 36)
        text = digits[rest] + text
    return text or "0"
