"""What each part of a training gives: it is taken away, and both are judged on the same posts.

    python -m benchmarks.without [SET ...] [--split time authors] [--seeds 0 1 2] [--home FOLDER]
        [--only PART ...] [--kept FOLDER] [--json FILE]
    python -m benchmarks.without --simulated 2000 [--cache FOLDER] [...]
    python -m benchmarks.without --table posts.csv [--feature selftext ...] [...]

Sets and splits are those of benchmarks.real, simulated worlds those of benchmarks.learning (there
a seed is a world). A part is some of what is known of a post, one of the steps of a training, or a
learner; the last row takes away every part at once, but the network and CatBoost. Printed is what
all of mmrl has more than mmrl without the part, with an interval that holds the chance of the test
posts and, of several seeds, that of training. Parts overlap: colours are in the image vector, too,
so what each gives beside all others is less than what it would give alone. With --kept a run that
was killed goes on; the folder's predictions must be of the same code and posts.
"""

import argparse
import json
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, nullcontext
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import pyarrow as pa

from benchmarks.learning import samples_of
from benchmarks.real.judge import FOLDS, splits_of
from benchmarks.real.samples import load_set
from benchmarks.real.sets import SETS, SplitName, authors_of, set_of
from mmrl.catalog.columns import COLOURS, IMAGE_STATISTICS
from mmrl.config import Settings
from mmrl.encoders.profiles import load_profile
from mmrl.learning.blend import Blend, Fits, blend_learners, fit_learners, predict_in_time
from mmrl.learning.evaluation.ablation import mean_difference
from mmrl.learning.evaluation.evaluate import truth_of
from mmrl.learning.evaluation.judge import Judged, judge
from mmrl.learning.evaluation.metrics import METRICS
from mmrl.learning.evaluation.record import Measure
from mmrl.learning.evaluation.statistics import Predicted
from mmrl.learning.model import TrainedModel
from mmrl.learning.outcomes import Outcomes
from mmrl.learning.splits import Split
from mmrl.learning.task import Task, prepare
from mmrl.runtime.progress import Silent
from mmrl.samples.extras import EXTRA, extras_column, text_columns
from mmrl.samples.load import encoders_of
from mmrl.samples.schema import (
    AUTHOR_FEATURES,
    IMAGE_HISTORY_FEATURES,
    SUBREDDIT_FEATURES,
    TIME_FEATURES,
    emptied,
)
from mmrl.sandbox.world import World

_SHOWN = ("spearman", "rmse_log", "spearman_within")
_RESAMPLES = 1000
_IMAGE = ("image", "visual", "caption")
_FIRST_SUBREDDIT = ("log_subreddit_posts", "subreddit_mean_log_score")
_FIRST_AUTHOR = ("log_author_posts", "author_seen_before", "author_mean_log_score")
_TOGETHER = "every part"


@dataclass(frozen=True)
class Part:
    """A part of a training, and how to do without it. Each function gives what it is given where
    there is nothing to take away.

    Attributes:
        label: what it is, for people.
        samples, split, task: before the learners are fitted.
        fits: of learners that are fitted.
        rule: stands in for a rule of the blend while it is made.
    """

    label: str
    samples: Callable[[pa.Table], pa.Table] | None = None
    split: Callable[[Split], Split] | None = None
    task: Callable[[Task], Task] | None = None
    fits: Callable[[Fits], Fits] | None = None
    rule: Callable[[], AbstractContextManager[Any]] = nullcontext

    @property
    def refits(self) -> bool:
        """Whether the learners have to be fitted again to do without it."""
        return any((self.samples, self.split, self.task))


def _emptied(*names: str) -> Callable[[pa.Table], pa.Table]:
    """Samples of which these columns are unknown."""

    def empty(samples: pa.Table) -> pa.Table:
        there = [name for name in names if name in samples.schema.names]
        return emptied(samples, [n for n in there if samples[n].null_count < samples.num_rows])

    return empty


def _without_words(samples: pa.Table) -> pa.Table:
    if all(not words for words in samples[EXTRA].to_pylist()):
        return samples
    place, nothing = samples.schema.get_field_index(EXTRA), extras_column([{}] * len(samples))
    return samples.set_column(place, samples.schema.field(EXTRA), nothing)


def _without_text_vectors(samples: pa.Table) -> pa.Table:
    return _emptied(*text_columns(samples.schema.names))(samples)


def _without_learner(name: str) -> Callable[[Fits], Fits]:
    def away(fits: Fits) -> Fits:
        return replace(fits, regressors={n: o for n, o in fits.regressors.items() if n != name})

    return away


def _equal_weights() -> AbstractContextManager[Any]:
    return patch(
        "mmrl.learning.blend.blend_weights",
        lambda predicted, target: np.full(predicted.shape[1], 1 / predicted.shape[1]),
    )


def _no_levels() -> AbstractContextManager[Any]:
    def none(
        outcomes: Outcomes, subreddit: np.ndarray, moments: np.ndarray, of: str, learned: int
    ) -> np.ndarray:
        return np.zeros(len(moments))

    return patch("mmrl.learning.outcomes.levels", none)


def _median() -> AbstractContextManager[Any]:
    interval = TrainedModel.interval

    def of_median(model: TrainedModel, *facts: Any) -> Any:
        return interval(replace(model, point="median"), *facts)

    return patch.object(TrainedModel, "interval", of_median)


def _rest(names: Iterable[str], first: Sequence[str]) -> list[str]:
    return [name for name in names if name not in first]


PARTS: Mapping[str, Part] = {
    "authors": Part("all that is known of authors", _emptied(*AUTHOR_FEATURES)),
    "author_history": Part(
        "an author's newest, best and local scores, and pace",
        _emptied(*_rest(AUTHOR_FEATURES[3:], _FIRST_AUTHOR)),
    ),
    "subreddit_history": Part(
        "a subreddit's newest scores", _emptied(*_rest(SUBREDDIT_FEATURES, _FIRST_SUBREDDIT))
    ),
    "time": Part("absolute time", _emptied(*TIME_FEATURES)),
    "words": Part("flair, tags and columns as words and numbers", _without_words),
    "text_vectors": Part("their texts as vectors", _without_text_vectors),
    "image_vectors": Part("image, visual and caption vectors", _emptied(*_IMAGE)),
    "image_statistics": Part("statistics of light, colour and form", _emptied(*IMAGE_STATISTICS)),
    "colours": Part("the histogram of colours", _emptied(COLOURS)),
    "reposts": Part("what the same image earned before", _emptied(*IMAGE_HISTORY_FEATURES)),
    "picture": Part(
        "all of the picture's",
        _emptied(*_IMAGE, *IMAGE_STATISTICS, COLOURS, *IMAGE_HISTORY_FEATURES),
    ),
    "gap": Part("posts of the gap", split=lambda split: replace(split, between=split.gap[:0])),
    "second_fit": Part(
        "learning validation posts, too", task=lambda task: replace(task, both=task.train)
    ),
    "boosting": Part("CatBoost", fits=_without_learner("boosting")),
    "lightgbm": Part("LightGBM", fits=_without_learner("lightgbm")),
    "no_history": Part("trees without history", fits=_without_learner("no_history")),
    "kernel": Part("kernel ridge", fits=_without_learner("kernel")),
    "weights": Part("fitted weights (or equal ones)", rule=_equal_weights),
    "levels": Part("levels of the newest outcomes", rule=_no_levels),
    "location": Part("the location (or the median)", rule=_median),
}
_STAYS = ("boosting",)  # what all parts together leave, beside the network


@dataclass(frozen=True)
class Case:
    """Posts to learn from and to be judged on, in one way or in several folds.

    Attributes:
        seed: of the training, or of a simulated world.
    """

    name: str
    seed: int
    samples: pa.Table
    splits: list[Split]
    settings: Settings
    encoders: dict[str, str]
    as_of: datetime

    @property
    def truth(self) -> pa.Table:
        """The samples of all test posts, fold by fold."""
        return pa.concat_tables([self.samples.take(pa.array(s.test)) for s in self.splits])


def main() -> None:
    """Prints a table a set and split."""
    options = _arguments()
    tables = []
    with tempfile.TemporaryDirectory() as scratch:
        kept = options.kept or Path(scratch) / "kept"
        for cases in _cases(options, Path(scratch)):
            rows = compare(cases, options.only or PARTS, kept)
            _print(cases, rows)
            tables.append({"set": cases[0].name, "seeds": len(cases), "parts": rows})
    if options.json is not None:
        options.json.write_text(json.dumps(tables, indent=1, default=asdict), encoding="utf-8")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.without",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    names, splits = [real.name for real in SETS], ["time", "authors"]
    parser.add_argument("sets", nargs="*", metavar="SET", help=f"all unless given: {names}")
    parser.add_argument("--table", type=Path, help="a table of your own, in place of the sets")
    parser.add_argument("--feature", nargs="+", default=[], metavar="COLUMN", help="of the table")
    parser.add_argument("--simulated", type=int, metavar="POSTS", help="simulated worlds instead")
    parser.add_argument("--split", nargs="+", choices=splits, default=splits)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--only", nargs="+", choices=list(PARTS), help="parts; all by default")
    parser.add_argument("--home", type=Path, help="a folder to keep the homes in")
    default = Path(tempfile.gettempdir()) / "mmrl-benchmark-learning"
    parser.add_argument("--cache", type=Path, default=default, help="of simulated vectors")
    parser.add_argument("--kept", type=Path, help="a folder to keep predictions in")
    parser.add_argument("--json", type=Path, help="a file to write the figures to")
    options = parser.parse_args()
    if unknown := sorted(set(options.sets) - set(names)):
        parser.error(f"no set {', '.join(unknown)}: sets are {', '.join(names)}")
    return options


def _cases(options: argparse.Namespace, scratch: Path) -> Iterator[list[Case]]:
    """Of each set and split, a case a seed."""
    if options.simulated is not None:
        options.cache.mkdir(parents=True, exist_ok=True)
        yield [_world(options.simulated, seed, options.cache) for seed in options.seeds]
        return
    sets = SETS if options.table is None else (set_of(options.table, options.feature),)
    for real in sets:
        if real.name not in (options.sets or [one.name for one in sets]):
            continue
        loaded = load_set(real, options.home or scratch)
        authors = authors_of(real) if "authors" in real.splits else {}
        for name in real.splits:
            if name in options.split:
                cases = []
                for seed in options.seeds:
                    train = loaded.settings.train.model_copy(update={"seed": seed})
                    settings = loaded.settings.model_copy(update={"train": train})
                    splits = splits_of(name, loaded.samples, authors, settings, FOLDS)
                    case = Case(
                        _title(real.name, name),
                        seed,
                        loaded.samples,
                        splits,
                        settings,
                        loaded.encoders,
                        datetime.now(UTC),
                    )
                    cases.append(case)
                yield cases


def _title(name: str, split: SplitName) -> str:
    return f"{name}, {'by time' if split == 'time' else 'folds by author'}"


def _world(posts: int, seed: int, cache: Path) -> Case:
    profile, world = load_profile(Settings()), World.make(posts, seed)
    settings = Settings(train={"ablation": False})
    samples = samples_of(world, profile, cache)
    (split,) = splits_of("time", samples, {}, settings)
    encoders = encoders_of(profile)
    return Case(
        f"simulated, {posts:,} posts", seed, samples, [split], settings, encoders, world.end
    )


def compare(
    cases: Sequence[Case], names: Iterable[str], kept: Path
) -> dict[str, dict[str, Measure | None]]:
    """By part, what all of mmrl has more than mmrl without it, by metric; then of all together.

    Args:
        cases: the same posts and another seed, or another world, each.
        kept: a folder of predictions; those that are there are not made again.
    """
    kept.mkdir(parents=True, exist_ok=True)
    parts = {name: [PARTS[name]] for name in names}
    parts[_TOGETHER] = [part for name, part in PARTS.items() if name not in _STAYS]
    judged: dict[str, list[Judged]] = {name: [] for name in ("", *parts)}
    for number, case in enumerate(cases):
        truth = truth_of(case.truth)
        whole: list[_Fitted] = []
        for name in judged:
            file = kept / f"{case.name}-{case.seed}-{name or 'whole'}.npy".replace(" ", "_")
            if not file.is_file():
                whole = whole or [_fit(case, split, []) for split in case.splits]
                np.save(file, _without(case, parts.get(name, []), whole))
            low, middle, high = np.load(file)
            predicted = Predicted(middle, low=low, high=high)
            judged[name].append(judge(truth, predicted, _RESAMPLES, 0, _SHOWN))
            print(f"{case.name}, {number + 1} of {len(cases)}: {name or 'whole'}", flush=True)
    whole_judged = judged.pop("")
    return {
        name: {metric: mean_difference(whole_judged, without, metric, seed=0) for metric in _SHOWN}
        for name, without in judged.items()
    }


@dataclass(frozen=True)
class _Fitted:
    """Learners of one split, and what they learned from."""

    task: Task
    encoding: Any
    fits: Fits


def _fit(case: Case, split: Split, parts: Sequence[Part]) -> _Fitted:
    samples = case.samples
    for part in parts:
        samples = samples if part.samples is None else part.samples(samples)
        split = split if part.split is None else part.split(split)
    task, encoding = prepare(samples, split, case.settings, case.encoders)
    for part in parts:
        task = task if part.task is None else part.task(task)
    return _Fitted(task, encoding, fit_learners(task, Silent()))


def _without(case: Case, parts: Sequence[Part], whole: Sequence[_Fitted]) -> np.ndarray:
    """The quantiles of the test posts without some parts, (3, n), fold by fold."""
    quantiles = []
    for split, fitted in zip(case.splits, whole, strict=True):
        if any(part.refits for part in parts) and _differ(case, split, parts):
            fitted = _fit(case, split, parts)
        fits = fitted.fits
        for part in parts:
            fits = fits if part.fits is None else part.fits(fits)
        with ExitStack() as rules:
            for part in parts:
                rules.enter_context(part.rule())
            blend = blend_learners(fits, fitted.task, fitted.encoding, case.settings, case.as_of)
            quantiles.append(_quantiles(blend, fitted.task, case.as_of))
    return np.concatenate(quantiles, axis=1)


def _differ(case: Case, split: Split, parts: Sequence[Part]) -> bool:
    """Whether there is anything to take away before the learners are fitted."""
    return any(
        (part.samples is not None and part.samples(case.samples) is not case.samples)
        or (part.split is not None and len(part.split(split).between) < len(split.between))
        or part.task is not None
        for part in parts
    )


def _quantiles(blend: Blend, task: Task, as_of: datetime) -> np.ndarray:
    parts = blend.model.parts(task.test.inputs)
    return np.stack(predict_in_time(blend, task, parts, as_of))


def _print(cases: Sequence[Case], rows: Mapping[str, Mapping[str, Measure | None]]) -> None:
    print(f"\n{cases[0].name}, {len(cases)} seeds; all of mmrl less mmrl without")
    heads = " ".join(f"{METRICS[name].title:26}" for name in _SHOWN)
    print(f"  {'':52} {heads}")
    for name, measures in rows.items():
        label = PARTS[name].label if name in PARTS else name
        cells = [_cell(measure) for measure in measures.values()]
        print(f"  {label:52} " + " ".join(f"{cell:26}" for cell in cells))


def _cell(measure: Measure | None) -> str:
    if measure is None:
        return ""
    return f"{measure.value:+.3f} [{measure.low:+.3f}, {measure.high:+.3f}]"


if __name__ == "__main__":
    main()
