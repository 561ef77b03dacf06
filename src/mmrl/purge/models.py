"""Models that learned from, or were judged on, posts that a purge erases."""

import time
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from mmrl.catalog import Catalog
from mmrl.catalog.tables import SCHEMAS
from mmrl.learning.evaluation.record import Evaluation
from mmrl.learning.registry.kept import versions_kept
from mmrl.purge.rows import Doomed

NOTE = "model"  # the kind of note: a version, with the posts it learned from and was judged on
_LEFTOVER_SECONDS = 86_400.0  # files that no list names by then are of a training that was killed


@dataclass(frozen=True)
class Met:
    """How many of some posts a model version learned from, and how many it was judged on."""

    version: str
    learned: int
    judged: int


def note(catalog: Catalog, doomed: Doomed) -> None:
    """Notes the versions that met the posts, while the posts' rows are still there."""
    if has_models(catalog.home):
        for met in who_met(catalog, doomed.posts):
            doomed.notes[NOTE][met.version] = f"{met.learned} {met.judged}"


def learned(doomed: Doomed) -> list[str]:
    """The versions that learned from some of the posts: their files keep numbers made of these."""
    return [version for version, counts in doomed.notes[NOTE].items() if int(counts.split()[0])]


def erase(catalog: Catalog, doomed: Doomed) -> None:
    """Takes the posts out of the test predictions of the versions that were judged on them."""
    for version, counts in doomed.notes[NOTE].items():
        if int(counts.split()[1]):
            from mmrl.learning.registry.registry import Registry

            Registry(catalog.home).erase_posts(version, doomed.posts)


def drop_unlisted(home: str) -> None:
    """Deletes files of models that a killed training left, which name posts and are of no use."""
    from mmrl.learning.registry.unlisted import drop_unlisted as drop

    # A file's age is by the machine's clock, whatever time the work is done for.
    drop(home, time.time() - _LEFTOVER_SECONDS)


def count(catalog: Catalog, doomed: Doomed, purge: str) -> None:
    """Writes how many of each version's posts a purge erased; `purge` is its id."""
    met = [
        {
            "model_version": version,
            "purge": purge,
            "learned": int(counts.split()[0]),
            "judged": int(counts.split()[1]),
        }
        for version, counts in doomed.notes[NOTE].items()
    ]
    catalog.upsert("purged_models", pa.Table.from_pylist(met, schema=SCHEMAS["purged_models"]))


def has_models(home: str) -> bool:
    """Whether a model was kept; answers without importing MLflow where no server lists them."""
    return bool(versions_kept(home))


def who_met(catalog: Catalog, posts: Collection[str]) -> list[Met]:
    """The model versions that met any of these posts.

    Judged on are those in the version's test predictions. Learned from are those whose creation
    lies in its training or validation period, or between these where it learned from such posts,
    and whose label was known when it was trained; a post that an import brought only later counts,
    too.
    """
    from mmrl.learning.registry.registry import Registry

    registry = Registry(catalog.home)
    samples = catalog.lookup(
        "samples",
        "post_id",
        posts,
        ["post_id", "created_at", "first_seen_at", "label_observed_at"],
        "score IS NOT NULL",
    ).to_pylist()
    met = []
    for known in registry.list():
        tested = set(registry.test_predictions(known.version)["post_id"].to_pylist())
        judged = tested.intersection(posts)
        evaluation = registry.show(known.version).evaluation
        learned = sum(_learned(sample, evaluation, judged) for sample in samples)
        if learned or judged:
            met.append(Met(known.version, learned, len(judged)))
    return met


def _learned(sample: dict[str, Any], evaluation: Evaluation, judged: set[str]) -> bool:
    """Whether a model learned from a post, which test posts of earlier blocks became since."""
    if sample["post_id"] in judged and not evaluation.splits.earlier_tests:
        return False
    if max(sample["label_observed_at"], sample["first_seen_at"]) > evaluation.as_of:
        return False
    splits, created = evaluation.splits, sample["created_at"]
    if splits.between_posts:
        return bool(splits.train.start <= created <= splits.validation.end)
    return any(part.start <= created <= part.end for part in (splits.train, splits.validation))
