"""A made-up evaluation and a small catalog to write reports from."""

import io
import math
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
from PIL import Image

from mmrl.catalog import Catalog, Failed, Reason
from mmrl.catalog.tables import SCHEMAS
from mmrl.learning.evaluation.record import (
    AblationRow,
    Calibrated,
    Evaluation,
    Kind,
    Measure,
    Measures,
    ModelResult,
    Part,
    Reliability,
    RemovalResult,
    Splits,
    Training,
)
from mmrl.learning.registry.version import Version

START = datetime(2026, 8, 1, tzinfo=UTC)
AS_OF = START + timedelta(days=70)
HOSTILE_TITLES = (
    "<script>alert('x')</script>",
    '"><img src=x onerror=alert(1)>',
    "' onmouseover='alert(1)' x='",
    "\u202egnihton si siht\u202c but fine",
    "a $\\frac{1}{0}$ and $x$ formula {{ 7 * 7 }} {% raw %}",
    "🎉👩‍👩‍👧‍👦 " * 60,
    "W" * 5_000,
    "one\x00two\x07three\nfour",
    "</style></title><svg onload=alert(1)>",
    "&lt;script&gt; &amp; already escaped",
)
PLAIN_TITLES = (
    "Sunrise over the Dolomites, 40 minutes before the storm [OC] [4000x3000]",
    "My grandmother in 1957, the day she bought her first car",
    "This espresso cup fits perfectly inside this other cup",
    "Found this guy asleep in my shoe",
    "First attempt at sourdough, be kind",
)
_SUBREDDITS = ("EarthPorn", "aww", "mildlyinteresting", "food", "OldSchoolCool")
_BASELINES = {
    "subreddit_median": ("Subreddit's median", 0.0),
    "metadata_boosting": ("Boosted trees, metadata only", 0.33),
    "ridge": ("Ridge on embeddings", 0.24),
    "original_mlp": ("Original's network", 0.15),
    "boosting": ("Boosted trees, metadata and embeddings", 0.41),
}


def make_predictions(posts: int = 400, seed: int = 0) -> pa.Table:
    """Test predictions of a plausible model with a calibrated 80% interval."""
    draw = np.random.default_rng(seed)
    level = draw.normal(4.0, 1.3, posts)
    true = np.clip(level + draw.normal(0, 1.1, posts), 0, None)
    middle = 4.0 + 0.75 * (level - 4.0) + draw.normal(0, 0.3, posts)
    half = 1.2816 * 1.2
    score = np.round(np.expm1(true)).astype(np.int64)
    return pa.table(
        {
            "post_id": [f"p{row}" for row in range(posts)],
            "subreddit": [_SUBREDDITS[row % len(_SUBREDDITS)] for row in range(posts)],
            "created_at": pa.array(
                [START + timedelta(days=56, minutes=20 * row) for row in range(posts)],
                pa.timestamp("us", tz="UTC"),
            ),
            "score": score,
            "log_score": np.log1p(score),
            "popularity": pa.nulls(posts, pa.float64()),
            "percentile": draw.random(posts),
            "q10": middle - half,
            "q50": middle,
            "q90": middle + half,
            **{name: middle + draw.normal(0, 0.5, posts) for name in _BASELINES},
        }
    )


def make_evaluation(*, ceiling: bool = True, wins: bool = True) -> Evaluation:
    """An evaluation as training makes it."""
    model = 0.46 if wins else 0.39
    models = {"mmrl": _judged("mmrl", "model", model, interval=True)}
    models |= {
        name: _judged(label, "baseline", within) for name, (label, within) in _BASELINES.items()
    }
    models["network"] = _judged("mmrl's network alone", "part", model - 0.03, interval=True)
    noise = _judged("Noise ceiling", "ceiling", 0.71)
    if ceiling:
        models["noise_ceiling"] = noise
    return Evaluation(
        format=1,
        mmrl_version="0.1.0",
        as_of=datetime(2026, 10, 10, tzinfo=UTC),
        profile="packaged",
        target="log_score",
        encoders={
            "title": "all-MiniLM-L6-v2@53aa5117",
            "caption": "all-MiniLM-L6-v2@53aa5117",
            "image": "efficientnet-lite2@9656183e+260px",
            "visual": "label-bridge@1",
        },
        table_versions={"posts": 12, "observations": 31, "samples": 4, "images": 8},
        splits=Splits(
            train=_part(1_180, 0, 44),
            validation=_part(170, 46, 53),
            test=_part(400, 56, 61),
            gap_posts=84,
            gap_hours=36.0,
            kind="time",
            leaking=False,
            authors_seen=61,
            authors_unseen=122,
            posts_of_seen_authors=190,
            posts_of_unseen_authors=210,
        ),
        models=models,
        differences={
            name: {
                "spearman": _interval(0.6 * (model - within), 0.03),
                "spearman_within": _interval(model - within, 0.03),
                "pair_accuracy": _interval((model - within) / 3, 0.02),
                "rmse_log": _interval(within - model, 0.03),
                "mae_log": _interval(within - model, 0.03),
            }
            for name, (_, within) in _BASELINES.items()
        },
        beats_all_baselines=wins,
        verdict=(
            "Its lead over the strongest, boosted trees on metadata and embeddings, is clear."
            if wins
            else "Boosted trees on metadata and embeddings are ahead of it."
        ),
        ablation=[
            AblationRow(
                part,
                part.capitalize(),
                [part],
                {
                    "spearman": _interval(0.8 * drop, 0.02),
                    "spearman_within": _interval(drop, 0.02),
                    "r2_log": _interval(0.7 * drop, 0.02),
                },
            )
            for part, drop in (("image", 0.09), ("title", 0.06), ("author", 0.11), ("hour", 0.004))
        ],
        calibration=[
            Calibrated(nominal, nominal + 0.02 * math.sin(9 * nominal))
            for nominal in (0.1, 0.3, 0.5, 0.7, 0.8, 0.9)
        ],
        training=Training([1.5, 1.2], [1.6, 1.4], 31, 0.6, 0.1, 12.5, 0),
        noise_ceiling=noise.metrics if ceiling else None,
        removals=RemovalResult(
            posts=2_000,
            removed=130,
            test_posts=500,
            test_removed=31,
            brier=_interval(0.052, 0.006),
            brier_of_rate=_interval(0.058, 0.007),
            difference=_interval(-0.006, 0.002),
            auc=_interval(0.77, 0.05),
            auc_of_rate=_interval(0.58, 0.06),
            reliability=[Reliability(0.02, 0.01, 250), Reliability(0.11, 0.12, 250)],
            shown=True,
        ),
    )


def make_history(versions: int = 4, *, ceiling: bool = True) -> list[Version]:
    """Model versions a week apart, the last one champion."""
    return [
        Version(
            version=str(number + 1),
            run_id=f"run{number}",
            trained_at=f"2026-09-{5 + 7 * number:02d}T00:00:00Z"
            if number < 4
            else f"2026-10-{7 * (number - 3) % 28 + 1:02d}T00:00:00Z",
            champion=number == versions - 1,
            metrics=_metrics(0.38 + 0.09 * number / max(1, versions - 1), interval=True),
            noise_ceiling=_metrics(0.71) if ceiling else {},
            test_posts=400,
            decision="",
        )
        for number in range(versions)
    ]


def fill_catalog(catalog: Catalog, predictions: pa.Table, titles: tuple[str, ...]) -> None:
    """Posts with titles, marks and images for the predictions, and things left out."""
    ids, created = predictions["post_id"].to_pylist(), predictions["created_at"].to_pylist()
    posts, post_images, images = [], [], []
    for row, post_id in enumerate(ids):
        data = image_file(row)
        digest = f"{row:064x}"
        posts.append(
            {
                "post_id": post_id,
                "subreddit": predictions["subreddit"][row].as_py(),
                "title": titles[row % len(titles)],
                "created_at": created[row],
                "over_18": row % 7 == 0,
                "spoiler": row % 11 == 0,
                "first_seen_at": created[row],
                "source": "reddit",
            }
        )
        post_images.append(
            {"post_id": post_id, "sha256": digest, "fetched_at": AS_OF, "final_url": "file:///x"}
        )
        images.append(
            {
                "sha256": digest,
                "width": 640,
                "height": 480,
                "format": "JPEG",
                "byte_size": len(data),
                "phash": "0" * 16,
                "bytes": data,
            }
        )
    for day in range(56):
        for number in range(8 + 3 * (day % 7)):
            moment = START + timedelta(days=day, hours=number)
            posts.append(
                {
                    "post_id": f"q{day}x{number}",
                    "subreddit": "aww",
                    "title": "earlier",
                    "created_at": moment,
                    "first_seen_at": moment,
                    "source": "reddit",
                }
            )
    reasons = [None] * 700 + [Reason.NO_IMAGE] * 120 + [Reason.VIDEO] * 30 + [Reason.REMOVED] * 9
    selection = [
        {
            "post_id": post["post_id"],
            "rules": "r",
            "reason": reason if reason is None else str(reason),
            "decided_at": AS_OF,
        }
        for post, reason in zip(posts, reasons, strict=False)
    ]
    for table, rows in (
        ("posts", posts),
        ("post_images", post_images),
        ("images", images),
        ("selection", selection),
        ("samples", [_sample(post, row) for row, post in enumerate(posts[:500])]),
    ):
        schema = SCHEMAS[table]
        filled = [{name: row.get(name) for name in schema.names} for row in rows]
        catalog.upsert(table, pa.Table.from_pylist(filled, schema=schema))
    catalog.fail(
        "fetch-images",
        [Failed(f"g{row}", Reason.IMAGE_GONE) for row in range(17)]
        + [Failed(f"n{row}", Reason.NETWORK_ERROR, transient=True) for row in range(5)],
        AS_OF,
    )


def image_file(seed: int, size: tuple[int, int] = (640, 480)) -> bytes:
    """A JPEG with smooth colours and an EXIF comment that must not get out."""
    draw = np.random.default_rng(seed)
    coarse = draw.integers(0, 255, (5, 6, 3), dtype=np.uint8)
    image = Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC)
    exif = Image.Exif()
    exif[0x010E] = "where the author lives"
    out = io.BytesIO()
    image.save(out, "JPEG", exif=exif)
    return out.getvalue()


def _sample(post: dict[str, Any], row: int) -> dict[str, Any]:
    labelled = row < 430
    why = Reason.TOO_YOUNG if row % 3 else Reason.SCORE_NOT_SETTLED
    return {
        "post_id": post["post_id"],
        "rules": "r",
        "subreddit": post["subreddit"],
        "created_at": post["created_at"],
        "first_seen_at": post["created_at"],
        "image_content": f"image of {row}",
        "unlabelled": None if labelled else str(why),
        "score": 5 if labelled else None,
    }


def _part(posts: int, first: int, last: int) -> Part:
    return Part(posts, START + timedelta(days=first), START + timedelta(days=last))


def _judged(label: str, kind: Kind, within: float, *, interval: bool = False) -> ModelResult:
    return ModelResult(
        label,
        kind,
        _metrics(within, interval=interval),
        _metrics(within + 0.03, interval=interval),
        _metrics(within - 0.04, interval=interval),
        None if kind == "ceiling" else 12.5,
    )


def _metrics(within: float, *, interval: bool = False) -> Measures:
    metrics: Measures = {
        "spearman": _interval(0.25 + 0.6 * within, 0.04),
        "spearman_within": _interval(within, 0.05),
        "pair_accuracy": _interval(0.5 + within / 3, 0.03),
        "mae_log": _interval(1.25 - within, 0.04),
        "rmse_log": _interval(1.6 - within, 0.05),
        "r2_log": _interval(within - 0.1, 0.05),
        **dict.fromkeys(("mae", "mse", "rmse", "r2", "mape")),
        "coverage_80": None,
        "width_80": None,
    }
    if interval:
        metrics |= {"coverage_80": _interval(0.79, 0.03), "width_80": _interval(3.1, 0.05)}
    return metrics


def _interval(value: float, half: float) -> Measure:
    return Measure(value, value - half, value + half)
