"""Traits of made-up posts, drawn from a seed: their images and titles, and the numbers of each."""

from dataclasses import dataclass

import numpy as np

from mmrl.sandbox import law, titles
from mmrl.sandbox.images import FAMILY, SUBJECTS, Drawing


@dataclass(frozen=True)
class Contents:
    """Contents of n posts, image and title, each array of shape (n,).

    Attributes:
        subject: indexes into SUBJECTS.
        warmth, busyness: of the image, -1 to 1.
        topic, phrasing: indexes into TOPIC_NAMES and PHRASING_NAMES.
        mood: of the title, +1 or -1.
    """

    subject: np.ndarray
    warmth: np.ndarray
    busyness: np.ndarray
    topic: np.ndarray
    phrasing: np.ndarray
    mood: np.ndarray

    @classmethod
    def draw(cls, rng: np.random.Generator, posts: int) -> "Contents":
        """Draws the contents of so many posts."""
        subject = rng.integers(0, len(SUBJECTS), posts)
        warmth, busyness = rng.uniform(-1, 1, (2, posts))
        topic = rng.integers(0, len(titles.TOPIC_NAMES), posts)
        phrasing = rng.integers(0, len(titles.PHRASING_NAMES), posts)
        return cls(subject, warmth, busyness, topic, phrasing, rng.choice([-1, 1], posts))

    def effects(self, rng: np.random.Generator) -> dict[str, np.ndarray]:
        """The raw effects of image, title and both together, by the law's names for them."""
        subjects = law.levels(rng, len(SUBJECTS))
        topics = law.levels(rng, len(titles.TOPIC_NAMES))
        phrasings = law.levels(rng, len(titles.PHRASING_NAMES))
        return {
            "image": subjects[self.subject] + 0.7 * self.warmth + 0.35 * self.busyness,
            "title": topics[self.topic] + 0.7 * phrasings[self.phrasing],
            "interaction": np.array(FAMILY)[self.subject] * self.mood.astype(float),
        }

    def title(self, number: int) -> titles.TitleIdea:
        """The idea of a post's title."""
        return titles.TitleIdea(
            int(self.topic[number]), int(self.mood[number]), int(self.phrasing[number])
        )

    def drawing(self, number: int, key: int) -> Drawing:
        """A post's image; `key` seeds the small things in it."""
        return Drawing(
            int(self.subject[number]),
            float(self.warmth[number]),
            float(self.busyness[number]),
            key,
        )


@dataclass(frozen=True)
class Numbers:
    """The numbers of n posts, each array of shape (n,); see `Post`."""

    score: np.ndarray
    pace: np.ndarray
    ratio: np.ndarray
    talk: np.ndarray
    over_18: np.ndarray
    spoiler: np.ndarray
    key: np.ndarray

    @classmethod
    def draw(cls, rng: np.random.Generator, log_scores: np.ndarray) -> "Numbers":
        """Draws what goes with these log1p scores."""
        posts = len(log_scores)
        score = np.round(np.expm1(log_scores)).astype(np.int64)
        pace = rng.lognormal(0, 0.15, posts)
        ratio = np.clip(rng.normal(0.92, 0.05, posts), 0.5, 1.0)
        talk = score * rng.lognormal(-2.8, 0.8, posts)
        over_18, spoiler = rng.random((2, posts))
        key = rng.integers(0, 2**31, posts)
        return cls(score, pace, ratio, talk, over_18 < 0.02, spoiler < 0.01, key)
