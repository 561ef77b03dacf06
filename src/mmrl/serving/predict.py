"""Predictions of drafts: an image, a title, a subreddit and an hour, before anything is posted."""

import difflib
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import numpy as np
import pyarrow as pa

from mmrl.catalog import Catalog, Reason, moment, quote
from mmrl.catalog.columns import SPACES, TEXT, TIME
from mmrl.catalog.keys import author_keys
from mmrl.config import Settings
from mmrl.encoders.contents import Encoded, caption_images, embed
from mmrl.encoders.device.threads import use_threads
from mmrl.encoders.image_text import read_texts
from mmrl.encoders.profiles import Profile, load_profile
from mmrl.encoders.protocols import Uncaptioned
from mmrl.errors import Failure, InputError, NotFoundError
from mmrl.images.decode import use_limit
from mmrl.images.image import ImageFacts, UnreadableError
from mmrl.images.probe import probe
from mmrl.images.quality import measure_file
from mmrl.learning.inputs import FeatureSpec
from mmrl.learning.model import Quantiles
from mmrl.learning.registry.registry import Registry
from mmrl.samples import Known, statistics_columns, vector_column
from mmrl.samples.extras import EXTRA, extras_column, text_column, text_key
from mmrl.samples.load import encoders_of
from mmrl.samples.reposts import image_key
from mmrl.serving.prediction import Draft, Interval, Prediction
from mmrl.sources.extras import FLAIR, IMAGE_TEXT, extra_value
from mmrl.sources.kinds import SIMULATED
from mmrl.times import iso

_FEW = 100  # posts; a model that learned from fewer of a kind says so of that kind

_LONGEST_TITLE = 300  # on Reddit
_ADVICE = {
    Reason.TOO_MANY_PIXELS: "Give a smaller image, or raise that setting.",
    Reason.TOO_SMALL: "Give a larger image, or lower that setting.",
    Reason.ANIMATED: "Give a still image, such as one frame of it.",
    Reason.BROKEN_IMAGE: "Open it in an image program and save it anew.",
    Reason.FORMAT_NOT_READ: "Save it as JPEG or PNG.",
}


def predict_draft(
    catalog: Catalog, settings: Settings, draft: Draft, as_of: datetime, version: str = "champion"
) -> Prediction:
    """Predicts one draft as if posted at `as_of`.

    Raises:
        NotFoundError: the image or the model version does not exist.
        InputError: the file is no usable image, the title or the subreddit is empty, the model does
            not know a feature of the draft, or there is no image and the model learned from no post
            without one.
        Failure: the captioner gave nothing.
    """
    use_threads(settings.threads)
    use_limit(settings.images.max_pixels)
    data, facts = _read(draft, settings)
    registered = Registry(catalog.home).load(version)
    learned = registered.model.encoding.spec
    if data is None:
        _require_posts_without_image(learned, registered.version)
    if not learned.reads_images:
        data, facts = None, None
    profile = load_profile(settings)
    registered.model.require_encoders(encoders_of(profile))
    extras = _image_text(data, learned) | _extras(draft, learned.extras.names, registered.version)
    texts = {name: text for name, text in extras.items() if text_column(name) in learned.dims}
    caption, vectors = encode_draft(profile, data, draft.title, texts)
    subreddit = draft.subreddit.strip().strip("/").removeprefix("r/")
    author_id = _author_id(catalog, draft.author)
    post = _as_post(draft, subreddit, author_id, facts, extras)
    known = Known(catalog, settings, as_of)
    features = known.features(post, vectors, measure_draft(data))
    subscribers = features["subscribers"][0].as_py()
    quantiles = registered.model.predict(features)
    score, popularity, percentile = _outcomes(quantiles, subscribers, known, post)
    simulated = catalog.count("posts", SIMULATED) > 0
    return Prediction(
        title=draft.title,
        subreddit=subreddit,
        posted_at=iso(draft.posted_at or as_of),
        model_version=registered.version,
        score=score,
        popularity=popularity,
        percentile=percentile,
        caption=caption,
        caption_kind=profile.shown_as.get("captioner", "caption"),
        simulated=simulated,
        notes=[
            *_notes(draft, subreddit, author_id, subscribers, score, features, simulated),
            *_notes_of_words(catalog, draft, subreddit, learned, as_of),
            *_notes_of_image(draft, learned),
            *_untold(quantiles, score),
        ],
    )


def _require_posts_without_image(learned: FeatureSpec, version: str) -> None:
    if learned.without_image == 0:
        raise InputError(
            f"Version {version} learned only from posts with an image, so it can't tell what one "
            "without would get: give the image's file as well, or train a model of both with "
            "filter.require_image = false."
        )


def encode_draft(
    profile: Profile, image: bytes | None, title: str, extras: Mapping[str, str] | None = None
) -> tuple[str | None, dict[str, pa.FixedSizeListArray]]:
    """The caption of a draft's image, and the draft's vectors, as the stages make a post's.

    Args:
        extras: its extra features by name.

    Returns:
        the caption ("" where the captioner abstains, None without an image), and by space, or
        column of an extra feature, a column of one row, which is null where the draft has no such
        content.

    Raises:
        InputError: an encoder can't read the image.
        Failure: the captioner gave nothing.
    """
    caption = None if image is None else _only(caption_images(profile.captioner(), [image])).text
    texts = {"title": title, "caption": caption, "image": None}
    texts["visual"] = texts[profile.visual_text]
    there = {"title"} if image is None else {"title", "image", "visual"}
    if caption:
        there.add("caption")
    vectors = {}
    for space in SPACES:
        text = texts[space]
        vector = None
        if space in there:
            images = [image] if space in ("image", "visual") else None
            vector = _only(embed(profile, space, None if text is None else [text], images))
        vectors[space] = vector_column([vector], profile.dims[space])
    for name, text in (extras or {}).items():
        if text_key(text) is not None:
            vector = _only(embed(profile, TEXT, [text]))
            vectors[text_column(name)] = vector_column([vector], profile.dims[TEXT])
    return caption, vectors


def measure_draft(image: bytes | None) -> Mapping[str, pa.Array]:
    """The statistics of a draft's image as columns of one row, as the stage makes a post's.

    They are null without an image.

    Raises:
        InputError: the image does not decode.
    """
    try:
        return statistics_columns([None if image is None else measure_file(image)])
    except UnreadableError as error:
        raise _unreadable(error) from error


def _outcomes(
    quantiles: Quantiles, subscribers: int | None, known: Known, post: pa.Table
) -> tuple[Interval | None, Interval | None, Interval | None]:
    """Score, popularity and percentile of a draft, as far as its quantiles tell them."""
    values = np.array([quantiles.q10[0], quantiles.q50[0], quantiles.q90[0]], dtype=np.float64)
    if quantiles.unit == "percentile":
        return None, None, Interval(*values.clip(0.0, 1.0).tolist())
    if np.isnan(values).any():  # a popularity, and no subscribers to multiply it by
        return None, None, None
    scores = np.expm1(values).clip(min=0)
    popularity = Interval(*(scores / subscribers * 1000).tolist()) if subscribers else None
    shares = known.percentiles(pa.concat_tables([post] * 3), scores)
    percentile = None if np.isnan(shares).any() else Interval(*shares.tolist())
    return Interval(*scores.tolist()), popularity, percentile


def _read(draft: Draft, settings: Settings) -> tuple[bytes | None, ImageFacts | None]:
    if not draft.title.strip() or not draft.subreddit.strip():
        raise InputError("A prediction needs a title and a subreddit: neither may be empty.")
    if draft.image is None:
        return None, None
    if not draft.image.is_file():
        raise NotFoundError(f"There is no image file at {draft.image}: give the path of an image.")
    if draft.image.stat().st_size > settings.images.max_bytes:
        raise InputError(
            f"{draft.image} is larger than {settings.images.max_bytes:,} bytes "
            "(images.max_bytes): give a smaller file, or raise that setting."
        )
    data = draft.image.read_bytes()
    facts = probe(data, settings.images)
    if not isinstance(facts, ImageFacts):
        raise InputError(
            f"{draft.image}: {facts.reason.sentence} ({facts.detail}). "
            f"{_ADVICE.get(facts.reason, 'Give a still JPEG, PNG or WebP image.')}"
        )
    return data, facts


def _only(encoded: Encoded[Any]) -> Any:
    """The result of a batch of one image.

    Raises:
        InputError: the image is to blame.
        Failure: the model is.
    """
    for failure in encoded.failures.values():
        if isinstance(failure, Uncaptioned):
            raise Failure(
                f"The image got no caption: {failure.reason.sentence} ({failure.detail})."
            )
        raise _unreadable(failure)
    return encoded.results[0]


def _unreadable(error: UnreadableError) -> InputError:
    return InputError(
        f"The image can't be encoded: {error.reason.sentence} ({error.detail}). Give "
        "another still JPEG, PNG or WebP image."
    )


def _extras(draft: Draft, known: Sequence[str], version: str) -> dict[str, str]:
    """A draft's features and flair, as a stored post has them.

    Args:
        known: those that the model of this version learned from.
    """
    names = [name for name in known if name != FLAIR]
    for name in draft.features:
        if name == FLAIR:
            raise InputError("The flair is no feature by name: give it as the draft's flair.")
        if name not in names:
            raise InputError(
                f"The model (version {version}) knows no feature {name!r}: it knows "
                f"{', '.join(names) or 'none; import a table with --feature and train again'}."
            )
    values = {**draft.features, FLAIR: draft.flair}
    texts = {name: extra_value(value) for name, value in values.items()}
    return {name: text for name, text in texts.items() if text is not None}


def _image_text(image: bytes | None, learned: FeatureSpec) -> dict[str, str]:
    """The text that a draft's image shows, as an extra feature, where the model learned from such.

    Raises:
        ConfigError: the extra that reads it is not installed.
    """
    reads = IMAGE_TEXT in learned.extras.names or text_column(IMAGE_TEXT) in learned.dims
    if image is None or not reads:
        return {}
    text = _only(read_texts([image]))
    return {IMAGE_TEXT: text} if text else {}


def _as_post(
    draft: Draft,
    subreddit: str,
    author_id: str | None,
    facts: ImageFacts | None,
    extras: Mapping[str, str],
) -> pa.Table:
    """The draft as a row of what is known of a post when it goes up."""
    of_image = {name: getattr(facts, name, None) for name in ("width", "height", "byte_size")}
    return pa.table(
        {
            "subreddit": [subreddit],
            "title": [draft.title],
            "created_at": pa.array([draft.posted_at], TIME),
            "author_id": pa.array([author_id], pa.string()),
            "over_18": [draft.over_18],
            "spoiler": [False],
            "is_gallery": [False],
            **{name: pa.array([value], pa.int64()) for name, value in of_image.items()},
            "image_key": pa.array(
                [None if facts is None else image_key(facts.sha256, facts.phash)], pa.string()
            ),
            "flair": pa.array([extras.get(FLAIR)], pa.string()),
            EXTRA: extras_column([extras]),
        }
    )


def _author_id(catalog: Catalog, name: str | None) -> str | None:
    if name is None:
        return None
    where = f"lower(author_name) = {quote(name.lower())}"
    rows = catalog.read("posts", ["author_id", "author_name"], where)
    # An id comes before a name, as an account that was read with its id has its history there.
    keys = author_keys(rows["author_id"], rows["author_name"]).to_pylist()
    return min(keys, key=lambda key: key.startswith("u/"), default=None)


def _notes(
    draft: Draft,
    subreddit: str,
    author_id: str | None,
    subscribers: int | None,
    score: Interval | None,
    features: pa.Table,
    simulated: bool,
) -> list[str]:
    notes = ["Simulated: the model learned from posts that nobody ever wrote."] if simulated else []
    if not (features["log_subreddit_posts"][0].as_py() or 0):
        notes.append(
            f"No matured post of r/{subreddit} is known: this is what the model expects of "
            "a subreddit it has never seen."
        )
    elif score is not None and not subscribers:
        notes.append("The subreddit's subscribers are not known, so popularity is not either.")
    if draft.author is not None and author_id is None:
        notes.append(f"No post of {draft.author} is known: predicted as of somebody unknown.")
    return notes


def _notes_of_words(
    catalog: Catalog, draft: Draft, subreddit: str, learned: FeatureSpec, as_of: datetime
) -> list[str]:
    """What is odd in the title, the community's name or the time."""
    notes = []
    if len(draft.title) > _LONGEST_TITLE:
        notes.append(
            f"The title has {len(draft.title):,} characters; Reddit takes {_LONGEST_TITLE}."
        )
    known = {name.lower(): name for name in learned.subreddits}
    near = difflib.get_close_matches(subreddit.lower(), known, 3, 0.6)
    if subreddit.lower() not in known and near:
        names = ", ".join(f"r/{known[name]}" for name in near)
        notes.append(
            f"The model does not know r/{subreddit}; names near it are {names} (`mmrl communities` "
            "lists all)."
        )
    if catalog.count("posts") and not catalog.count("posts", f"first_seen_at <= {moment(as_of)}"):
        notes.append(f"As of {iso(as_of)} no post was known yet: give a later --as-of, or none.")
    return notes


def _notes_of_image(draft: Draft, learned: FeatureSpec) -> list[str]:
    """What the model's posts say of the draft's image, or of its having none."""
    if draft.image is not None and not learned.reads_images:
        return ["The model learned from no images: this one changes nothing."]
    if draft.image is None and learned.without_image < _FEW:
        return [
            f"Only {learned.without_image:,} of the {learned.posts:,} posts that the model learned "
            "from have no image."
        ]
    return []


def _untold(quantiles: Quantiles, score: Interval | None) -> list[str]:
    """The reason for a prediction without a score, where it has none."""
    if quantiles.unit == "percentile":
        return [
            "The model learned percentiles (train.target), which tell neither score nor popularity."
        ]
    if score is None:
        return [
            "The model learned popularity (train.target), which is per subscriber, and the "
            "subreddit's subscribers are not known: it tells no score, popularity or percentile."
        ]
    return []
