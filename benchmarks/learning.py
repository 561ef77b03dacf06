"""Learns simulated worlds and says how much of what can be learned was learned.

    python -m benchmarks.learning [--posts 2000 10000] [--seeds 0 1 2] [--cache FOLDER] [--terms]
        [--noise-free]

For each world: images are drawn and encoded with the packaged profile, features are made by the
code that makes them of collected posts, and a model is trained and judged as `mmrl train` does.
Printed are the Spearman of mmrl, of its network alone, of every baseline and of the noise ceiling
on the same test posts, with bootstrap intervals, and the ratios to the ceiling. With --terms also
what the model and each of its parts learned of every term of the law, and what one would reach who
knows the law and of authors only what their karma and earlier posts tell. With --noise-free the
scores to learn from are the law's expected ones, history aside: what is missing then is not missed
for noise in what was learned. Encoding takes most of the time; its vectors are kept in the cache
folder.
"""

import argparse
import json
import tempfile
import time
from datetime import timedelta
from hashlib import sha256
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from scipy.stats import spearmanr

from benchmarks.law_terms import knowable, learned
from mmrl.catalog.columns import AUTHOR_FACTS, COLOURS, POST_FEATURES, SPACES, TIME
from mmrl.config import Settings
from mmrl.encoders.profiles import Profile, load_profile
from mmrl.images.measures.quality import VERSION, Measures, measure_file
from mmrl.learning.evaluation.record import Evaluation
from mmrl.learning.splits import split_samples
from mmrl.learning.targets import labelled
from mmrl.learning.train import Trained, train
from mmrl.samples.extras import EXTRA, extras_column
from mmrl.samples.features import INPUTS, microseconds, nullable, post_features
from mmrl.samples.history import History, Matured
from mmrl.samples.load import encoders_of
from mmrl.samples.reposts import Reposts
from mmrl.samples.schema import samples_schema
from mmrl.samples.statistics import measures_columns
from mmrl.sandbox import law
from mmrl.sandbox.images import HEIGHT, WIDTH
from mmrl.sandbox.world import WITH_IMAGE, Post, World

_AT_ONCE = 500


def vectors_of(posts: list[Post], profile: Profile, cache: Path) -> dict[str, np.ndarray]:
    """By space, (n, dim) vectors of the posts; rows of NaN where the captioner abstains.

    Also `bytes`, the size of each image's file, and `statistics` and `colours` of its pixels.
    """
    made = repr([(post.title, post.drawing) for post in posts])
    made += repr(sorted(encoders_of(profile).items()))
    made += VERSION + COLOURS
    name = sha256(made.encode()).hexdigest()[:16]
    parts = []
    for start in range(0, len(posts), _AT_ONCE):
        file = cache / f"{name}-{start}.npz"
        if not file.is_file():
            some = posts[start : start + _AT_ONCE]
            np.savez(file, **_encode(some, profile))
        parts.append(dict(np.load(file)))
    return {space: np.concatenate([part[space] for part in parts]) for space in parts[0]}


def _encode(posts: list[Post], profile: Profile) -> dict[str, np.ndarray]:
    images = [data for post in posts if (data := post.image()) is not None]
    texts = [post.title for post in posts]
    captions = [caption.text for caption in profile.captioner().caption(images)]
    measures = [measure_file(data) for data in images]
    caption = profile.caption().encode(captions)
    caption[[not text for text in captions]] = np.nan
    return {
        "title": profile.title().encode(texts),
        "caption": caption,
        "image": profile.image().encode(images),
        "visual": profile.visual().encode(images, texts),
        "bytes": np.array([len(data) for data in images]),
        "statistics": np.stack([each.statistics for each in measures]),
        "colours": np.stack([each.colours for each in measures]),
    }


def samples_of(world: World, profile: Profile, cache: Path) -> pa.Table:
    """A world's image posts as samples: looked at half an hour after posting, and at 36 hours."""
    posts = [post for post in world if post.kind in WITH_IMAGE]
    vectors = vectors_of(posts, profile, cache)
    n = len(posts)
    age_hours = 0.5
    created = pa.array([int(post.created * 1e6) for post in posts], pa.int64()).cast(TIME)
    days = [(post.created - world.start.timestamp()) / 86_400 for post in posts]
    subreddits = [world.subreddits[post.subreddit] for post in posts]
    authors = [None if post.author is None else world.authors[post.author] for post in posts]
    columns = {
        "title": [post.title for post in posts],
        "created_at": created,
        "over_18": [post.over_18 for post in posts],
        "spoiler": [post.spoiler for post in posts],
        "is_gallery": [post.kind == "gallery" for post in posts],
        "gallery_size": [None] * n,
        "crosspost_parent": ["t3_x" if post.kind == "crosspost" else None for post in posts],
        "flair": [None] * n,
        "width": [WIDTH] * n,
        "height": [HEIGHT] * n,
        "byte_size": vectors.pop("bytes"),
        "observed_age_hours": [age_hours] * n,
        "subscribers": [s.subscribers_at(d) for s, d in zip(subreddits, days, strict=True)],
        "author_link_karma": [None if a is None else a.link_karma for a in authors],
        "author_comment_karma": [None if a is None else a.comment_karma for a in authors],
        "author_created_at": pa.array(
            [None if a is None else int(a.created * 1e6) for a in authors], pa.int64()
        ).cast(TIME),
    }
    inputs = pa.table({field.name: pa.array(columns[field.name], field.type) for field in INPUTS})
    features = post_features(inputs)
    score = pa.array([post.score for post in posts], pa.int64())
    facts = pa.table(
        {
            "post_id": [post.id for post in posts],
            "subreddit": [subreddit.name for subreddit in subreddits],
            "author_id": [None if author is None else author.id for author in authors],
            "created_at": created,
            "first_look_at": _later(created, age_hours),
            "label_observed_at": _later(created, 36.0),
            "score": score,
            "subscribers": inputs["subscribers"],
        }
    )
    history = History(Matured.of(facts, timedelta(hours=36)))
    moments, log_score = microseconds(created), np.log1p(score.to_numpy())
    known = history.features(facts["subreddit"], facts["author_id"], moments)
    standings = history.standings(timedelta(days=90))
    percentile = standings.percentiles(facts["subreddit"], moments, log_score)
    drawings = pa.chunked_array([[repr(post.drawing) for post in posts]])
    reposts = Reposts(facts, drawings, timedelta(hours=36)).features(drawings, moments)
    popularity = score.to_numpy() / inputs["subscribers"].to_numpy() * 1000
    table = {
        **{name: facts[name] for name in facts.column_names},
        **{name: features[name] for name in POST_FEATURES + AUTHOR_FACTS},
        **{name: nullable(values) for name, values in (known | reposts).items()},
        **{space: _column(vectors[space]) for space in SPACES},
        **measures_columns(list(map(Measures, vectors["statistics"], vectors["colours"]))),
        EXTRA: extras_column([{}] * len(posts)),
        "popularity": popularity,
        "log_score": log_score,
        "percentile": nullable(percentile),
    }
    schema = samples_schema(profile.dims)
    return pa.table({name: table[name] for name in schema.names}).cast(schema)


def _later(created: pa.Array, hours: float) -> pa.Array:
    moved = microseconds(created) + int(hours * 3_600_000_000)
    return pa.array(moved, pa.int64()).cast(TIME)


def _column(vectors: np.ndarray) -> pa.FixedSizeListArray:
    gone = np.isnan(vectors[:, 0])
    flat = np.nan_to_num(vectors).astype(np.float32).reshape(-1)
    return pa.FixedSizeListArray.from_arrays(pa.array(flat), vectors.shape[1], mask=pa.array(gone))


def noise_free(samples: pa.Table, world: World, settings: Settings) -> pa.Table:
    """Samples whose log score is the law's expected one before the test posts."""
    truth, scores = world.truth(), samples["log_score"].to_numpy().copy()
    place = pc.index_in(samples["post_id"], truth["post_id"].combine_chunks())
    split = split_samples(samples, labelled(samples, settings.train.target), settings)
    before = np.setdiff1d(np.arange(len(scores)), split.test)
    scores[before] = truth["expected_log_score"].take(place).to_numpy()[before]
    column = samples.schema.get_field_index("log_score")
    return samples.set_column(column, samples.schema.field(column), pa.array(scores))


def main() -> None:
    """Prints a table a world."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--posts", type=int, nargs="+", default=[2_000, 10_000])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--threads", type=int, default=None)
    parser.add_argument("--no-ablation", action="store_true")
    parser.add_argument("--terms", action="store_true", help="what was learned of each")
    parser.add_argument("--noise-free", action="store_true", help="learn from expected scores")
    default = Path(tempfile.gettempdir()) / "mmrl-benchmark-learning"
    parser.add_argument("--cache", type=Path, default=default)
    given = parser.parse_args()
    given.cache.mkdir(parents=True, exist_ok=True)
    profile = load_profile(Settings())
    settings = Settings(threads=given.threads, train={"ablation": not given.no_ablation})
    for posts in given.posts:
        for seed in given.seeds:
            world = World.make(posts, seed)
            samples = samples_of(world, profile, given.cache)
            if given.noise_free:
                samples = noise_free(samples, world, settings)
            started = time.perf_counter()
            trained = train(samples, settings, encoders_of(profile), world.end, truth=world.truth())
            _print(posts, seed, trained.evaluation, time.perf_counter() - started)
            if given.terms:
                _print_terms(world, trained)


def _print(posts: int, seed: int, evaluation: Evaluation, seconds: float) -> None:
    splits, models = evaluation.splits, evaluation.models
    sizes = "/".join(str(part.posts) for part in splits.parts.values())
    print(f"\n{posts:,} posts, seed {seed} ({sizes}), {seconds:.0f} s, simulated")
    ceiling = models["noise_ceiling"].metrics["spearman"]
    for name, model in models.items():
        overall, within, r2 = (
            model.metrics[metric] for metric in ("spearman", "spearman_within", "r2_log")
        )
        cover = model.metrics.get("coverage_80")
        print(
            f"  {name:20} Spearman {overall.value:.3f} [{overall.low:.3f}, {overall.high:.3f}]"
            f"  {overall.value / ceiling.value:4.0%} of the ceiling  within {within.value:.3f}"
            f"  R2 {r2.value:.3f}" + (f"  coverage {cover.value:.2f}" if cover else "")
        )
    print(f"  {evaluation.verdict}")
    if evaluation.ablation:
        lost = {row.name: round(row.losses["r2_log"].value, 3) for row in evaluation.ablation}
        print(f"  R2 lost without: {json.dumps(lost)}")


def _print_terms(world: World, trained: Trained) -> None:
    predicted, truth = trained.test_predictions, world.truth()
    place = pc.index_in(predicted["post_id"], truth["post_id"].combine_chunks()).to_numpy()
    terms = {name: truth[name].to_numpy()[place] for name in law.EXPECTED}
    parts = {"mmrl": "q50", **{name: name for name in trained.model.weights}}
    for label, column in parts.items():
        shares, left = learned(predicted[column].to_numpy(), terms)
        told = ", ".join(f"{name} {share:.2f}" for name, share in shares.items())
        print(f"  {label:12} learned of {told}; variance of other things {left:.3f}")
    happened = predicted["log_score"].to_numpy()
    best = spearmanr(knowable(world)[place], happened).statistic
    ceiling = spearmanr(truth["expected_log_score"].to_numpy()[place], happened).statistic
    print(f"  with authors known as they can be: {best:.3f}, {best / ceiling:.1%} of the ceiling")


if __name__ == "__main__":
    main()
