"""Signal of the sandbox's law in the vectors of the packaged encoders.

    python -m benchmarks.sandbox_signal [--posts 1000] [--seed 0]

Image posts of a simulated world are encoded with the packaged profile. From the vectors alone,
ridge regressions say the image's and the title's term of the law, and logistic regressions the
interaction's two ingredients (open view or thing seen close; glad or sad title). All figures are
of five-fold cross-validation, so of posts that the regression has not seen. The two crossed rows
are a check: a title must say nothing of the image, nor an image of the title.
"""

import argparse
import json

import numpy as np
from sklearn.linear_model import LogisticRegressionCV, RidgeCV
from sklearn.metrics import r2_score
from sklearn.model_selection import KFold, StratifiedKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from mmrl.config import Settings
from mmrl.encoders.profiles import load_profile
from mmrl.sandbox import World
from mmrl.sandbox.images import FAMILY
from mmrl.sandbox.world import WITH_IMAGE


def explained(vectors: np.ndarray, term: np.ndarray) -> float:
    """R2 of a ridge regression on posts it has not seen."""
    ridge = make_pipeline(StandardScaler(), RidgeCV(np.logspace(0, 5, 11)))
    folds = KFold(5, shuffle=True, random_state=0)
    return float(r2_score(term, cross_val_predict(ridge, vectors, term, cv=folds)))


def told_apart(vectors: np.ndarray, sign: np.ndarray) -> np.ndarray:
    """Which of two each post is, as a logistic regression says that has not seen it."""
    logistic = make_pipeline(
        StandardScaler(),
        LogisticRegressionCV(
            Cs=(1e-4, 1e-3, 1e-2), l1_ratios=(0,), cv=3, max_iter=500, use_legacy_attributes=False
        ),
    )
    folds = StratifiedKFold(5, shuffle=True, random_state=0)
    return np.asarray(cross_val_predict(logistic, vectors, sign, cv=folds))


def measure(count: int, seed: int) -> dict[str, float]:
    """All figures of one world with so many shown posts."""
    world = World.make(posts=int(count * 1.2) + 50, seed=seed)
    truth = world.truth().to_pandas().set_index("post_id")
    shown = [post for post in world if post.kind in WITH_IMAGE][:count]
    images = [data for post in shown if (data := post.image()) is not None]
    terms = truth.loc[[post.id for post in shown]]
    profile = load_profile(Settings())
    image = profile.image().encode(images)
    title = profile.title().encode([post.title for post in shown])
    tags = profile.captioner().caption(images)

    family = np.array([FAMILY[post.drawing.subject] for post in shown if post.drawing])
    interaction = terms["interaction"].to_numpy()
    both = np.where(interaction > (interaction.min() + interaction.max()) / 2, 1, -1)
    mood = family * both  # the interaction is family times mood, and each is +1 or -1
    saw_family, read_mood = told_apart(image, family), told_apart(title, mood)
    return {
        "posts": len(shown),
        "r2_image_from_image": explained(image, terms["image"].to_numpy()),
        "r2_title_from_title": explained(title, terms["title"].to_numpy()),
        "r2_image_from_title": explained(title, terms["image"].to_numpy()),
        "r2_title_from_image": explained(image, terms["title"].to_numpy()),
        "accuracy_family_from_image": float(np.mean(saw_family == family)),
        "accuracy_mood_from_title": float(np.mean(read_mood == mood)),
        "accuracy_interaction": float(np.mean(saw_family * read_mood == both)),
        "share_with_tags": float(np.mean([bool(text) for text in tags])),
    }


def main() -> None:
    """Prints one JSON object."""
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--posts", type=int, default=1_000)
    arguments.add_argument("--seed", type=int, default=0)
    given = arguments.parse_args()
    figures = measure(given.posts, given.seed)
    print(json.dumps({name: round(value, 3) for name, value in figures.items()}, indent=1))


if __name__ == "__main__":
    main()
