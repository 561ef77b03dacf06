"""Settings: `mmrl.toml` in the home, then environment variables `MMRL_*`, then flags.

A nested setting is `[section] name = ...` in the file and `MMRL_SECTION__NAME` in the environment.
"""

import difflib
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails, PydanticCustomError
from pydantic_settings import (
    BaseSettings,
    InitSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
)

from mmrl.errors import ConfigError
from mmrl.runtime.retry import CAPTIONS, IMAGES
from mmrl.storage.location import Location
from mmrl.storage.opening import storage_of

DEFAULT_SUBREDDITS = [
    *("aww", "EarthPorn", "funny", "gifs", "mildlyinteresting", "pics"),
    *("food", "OldSchoolCool", "Art", "photoshopbattles", "space", "DIY"),
]


def _unset(fields: Mapping[str, FieldInfo], values: Any) -> Any:
    """The values with "" as None where a setting may be unset, as the template writes it."""
    if not isinstance(values, dict):
        return values
    return {
        name: None if value == "" and name in fields and fields[name].default is None else value
        for name, value in values.items()
    }


class Section(BaseModel):
    """A part of the settings; an unknown name in it is an error, not ignored."""

    model_config = ConfigDict(extra="forbid")

    @model_validator(mode="before")
    @classmethod
    def _blank_is_unset(cls, values: Any) -> Any:
        return _unset(cls.model_fields, values)


class RedditSettings(Section):
    """Collecting posts from Reddit, and observing their scores."""

    subreddits: list[str] = Field(default=DEFAULT_SUBREDDITS, description="followed, without r/")
    site: str = Field(default="mmrl", description="the section of praw.ini with the credentials")
    observe_site: str | None = Field(
        default=None, description="another section for observations; unset: the same one"
    )
    discovery: Literal["new", "comments"] = Field(
        default="new",
        description="new: each subreddit's newest; comments: r/all's, so only commented posts",
    )
    requests_per_minute: int | None = Field(
        default=None, ge=1, description="the most to send; unset: as many as Reddit allows"
    )
    poll_seconds: tuple[float, float] = Field(
        default=(10.0, 900.0), description="shortest and longest time between two polls of a group"
    )
    look_wait_minutes: float = Field(
        default=8.0, ge=0, description="the time observations wait for others, to share a request"
    )
    commit_seconds: float = Field(
        default=30.0, gt=0, description="the time posts wait for others, to be written together"
    )
    keep_versions_days: float = Field(
        default=3.0, ge=0, description="older versions of the collector's tables are deleted"
    )
    restart_at_mb: int = Field(
        default=1_000, ge=0, description="memory at which the collector starts anew; 0: never"
    )
    checkpoints_hours: list[float] = Field(
        default=[1, 6, 24, 36], description="ages at which each post is observed again"
    )


class SourceSettings(Section):
    """The live source that new posts come from."""

    live: Literal["reddit", "arctic-shift"] = Field(
        default="reddit",
        description="reddit needs credentials; arctic-shift, an archive of Reddit, needs none",
    )


class ArcticShiftSettings(Section):
    """Collecting posts from Arctic Shift; the followed subreddits are those of [reddit]."""

    base_url: str = Field(
        default="https://arctic-shift.photon-reddit.com", description="the address of its API"
    )
    contact: str = Field(
        default="",
        max_length=200,
        description="how its maintainer reaches you, such as an e-mail address; it goes into the "
        "user agent",
    )
    requests_per_second: int = Field(
        default=2, ge=1, le=2, description="the most to send; it asks for no more than a couple"
    )
    poll_seconds: tuple[float, float] = Field(
        default=(300.0, 3_600.0),
        description="shortest and longest time between two polls of a subreddit",
    )
    wait_minutes: float = Field(
        default=30.0, ge=0, description="the time posts wait for others, to be asked for together"
    )


class PurgeSettings(Section):
    """Erasing posts that are gone from Reddit, with `mmrl purge`."""

    recheck_days: float = Field(
        default=1.0,
        ge=0,
        description="a post is checked this long after its last check or observation",
    )
    moderated: bool = Field(
        default=True, description="also erase posts that moderators or Reddit's filters removed"
    )
    moderated_after_hours: float = Field(
        default=24.0, ge=0, description="once removed for this long; some posts come back before"
    )
    absent_after_days: float = Field(
        default=7.0,
        ge=0,
        description="time after which posts are erased that Reddit does not show at all, such as "
        "those of a subreddit gone private",
    )
    settle_seconds: float = Field(
        default=60.0,
        ge=0,
        description="the longest time that other processes may read or write an older version, "
        "which is then deleted from the disk",
    )


class FilterSettings(Section):
    """Choice of the posts to work on."""

    min_score: int | None = Field(
        default=None, description="lowest score at the first observation; unset, as it biases"
    )
    over_18: bool = Field(default=True, description="keep posts marked over 18")
    only_followed: bool = Field(default=False, description="leave out other subreddits' posts")
    require_image: bool = Field(
        default=True,
        description="leave out posts without an image; false: learn from their titles and facts",
    )


class ImageSettings(Section):
    """Fetching images."""

    allowed_hosts: list[str] = Field(
        default=[
            "i.redd.it",
            "preview.redd.it",
            "external-preview.redd.it",
            "i.imgur.com",
            "imgur.com",
            "live.staticflickr.com",
            "farm*.staticflickr.com",
            "upload.wikimedia.org",
        ],
        description="host names whose images are fetched; * stands for any run of letters",
    )
    allow_loopback: bool = Field(default=False, description="from this machine; for the sandbox")
    max_bytes: int = Field(default=30_000_000, gt=0, description="largest file, in bytes")
    max_pixels: int = Field(default=100_000_000, gt=0, description="largest width x height")
    min_side: int = Field(default=16, gt=0, description="shortest side, in pixels")
    concurrency: int = Field(default=32, gt=0, description="fetches at once")
    per_host: int = Field(default=8, gt=0, description="fetches at once from one host")
    timeout_seconds: float = Field(default=20.0, gt=0, description="of one request")
    attempts: int = Field(default=IMAGES.attempts, gt=0, description="tries within one run")


class CaptionServerSettings(Section):
    """A server that captions images in place of the profile's captioner; off without a URL."""

    base_url: str | None = Field(
        default=None,
        description="address of an OpenAI-compatible API, such as http://127.0.0.1:8000/v1",
    )
    model: str = Field(default="", description="as the server names it")
    key_variable: str = Field(
        default="MMRL_CAPTION_KEY",
        description="the environment variable that holds the server's key, if it wants one",
    )
    prompt: str = Field(default="Describe this image in one or two plain sentences.", min_length=1)
    max_tokens: int = Field(default=128, gt=0, description="longest answer, in tokens")
    image_side: int = Field(
        default=768, ge=64, description="longest side of the image that is sent, in pixels"
    )
    concurrency: int = Field(default=8, gt=0, description="requests at once")
    attempts: int = Field(
        default=CAPTIONS.attempts, gt=0, description="tries of one image within one run"
    )
    timeout_seconds: float = Field(default=120.0, gt=0, description="of one request, whole")
    budget: int | None = Field(
        default=None,
        gt=0,
        description="most requests in one run, tries counted; the rest waits for the next run",
    )


class RaySettings(Section):
    """A Ray cluster for the heavy stages, where `engine` is "ray"; takes the extra mmrl[ray]."""

    address: str | None = Field(
        default=None,
        description="of a cluster's head, such as 10.0.0.5:6379, or auto on one of its machines; "
        "unset: RAY_ADDRESS, or a Ray on this machine alone for the time of a run",
    )
    actors: int | None = Field(
        default=None,
        ge=1,
        description="processes that do a stage's chunks; unset: one for each GPU where the stage "
        "runs a model, else one for each cpus_per_actor",
    )
    cpus_per_actor: float = Field(
        default=4.0, gt=0, description="CPUs of one actor, or all that the largest machine has"
    )
    gpus_per_actor: float | None = Field(
        default=None,
        ge=0,
        description="GPUs of an actor that runs a model, 0.5 for two on one GPU; unset: 1 where "
        "the cluster has any",
    )
    batch: int | None = Field(
        default=None, ge=1, description="most rows of a chunk; unset: each stage's own"
    )
    start_seconds: float = Field(
        default=300.0, gt=0, description="the longest wait for a stage's first actor"
    )


class LabelSettings(Section):
    """The label: a post's popularity once its score has settled."""

    mature_after_hours: float = Field(
        default=36.0, gt=0, description="age from which a score counts as final"
    )
    percentile_days: int = Field(
        default=90, gt=0, description="days of posts that a percentile compares with"
    )


class TrainSettings(Section):
    """Training and evaluating models."""

    target: Literal["log_score", "popularity", "percentile"] = "log_score"
    validation_share: float = Field(
        default=0.1, gt=0, lt=0.5, description="of the samples, to tune training with"
    )
    test_share: float = Field(
        default=0.2, gt=0, lt=0.5, description="of the samples, to evaluate models with"
    )
    test_blocks: int = Field(
        default=4, ge=1, le=20, description="stretches of test posts, at most, of a small set"
    )
    split: Literal["time", "random"] = Field(
        default="time", description="'random' leaks the future into training; reports say so"
    )
    seed: int = 0
    bootstrap: int = Field(default=1000, ge=100, description="resamples for each interval")
    min_samples: int = Field(default=200, ge=50, description="labelled posts that training needs")
    ablation: bool = Field(default=True, description="also measure what each kind of input adds")
    window_days: float | None = Field(
        default=None, gt=0, description="learn from posts of so many days; unset: of all time"
    )
    max_posts: int | None = Field(
        default=100_000, ge=200, description="learn from so many: the newest, and a sample of older"
    )

    @model_validator(mode="after")
    def _enough_are_left(self) -> Self:
        if self.max_posts is not None and self.max_posts < self.min_samples:
            raise PydanticCustomError(
                "fewer_than_needed",
                "max_posts is less than min_samples, so there would never be enough to learn from",
            )
        return self


class Settings(BaseSettings):
    """All settings, checked; `load_settings` reads them."""

    model_config = SettingsConfigDict(env_prefix="MMRL_", env_nested_delimiter="__", extra="forbid")

    profile: str = Field(default="packaged", description="the set of encoders: see docs/models.md")
    threads: int | None = Field(default=None, description="CPU threads for models; unset: all")
    device: str = Field(default="auto", description="for models: auto, cpu, cuda, cuda:N, mps")
    dtype: Literal["auto", "float32", "bfloat16"] = Field(
        default="auto", description="number format of models; auto: bfloat16 on a GPU that has it"
    )
    engine: Literal["local", "ray"] = Field(
        default="local",
        description="where images are fetched, captioned and embedded: in this process, or on Ray",
    )
    read_text: bool = Field(
        default=False, description="also learn from text in images; takes the extra mmrl[ocr]"
    )
    weights: dict[str, str] = Field(
        default={}, description="local folders of models, by the model's name on the hub"
    )
    source: SourceSettings = SourceSettings()
    reddit: RedditSettings = RedditSettings()
    arctic_shift: ArcticShiftSettings = ArcticShiftSettings()
    purge: PurgeSettings = PurgeSettings()
    filter: FilterSettings = FilterSettings()
    images: ImageSettings = ImageSettings()
    caption_server: CaptionServerSettings = CaptionServerSettings()
    ray: RaySettings = RaySettings()
    label: LabelSettings = LabelSettings()
    train: TrainSettings = TrainSettings()

    @model_validator(mode="before")
    @classmethod
    def _blank_is_unset(cls, values: Any) -> Any:
        return _unset(cls.model_fields, values)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return init_settings, env_settings, InitSettingsSource(settings_cls, _in_file)


FILE = "mmrl.toml"
_in_file: dict[str, Any] = {}  # what the file sets, for the time of one load_settings call


def load_settings(home: str | Path, **flags: Any) -> Settings:
    """Reads the settings of a home; `flags` are sections or values given on the command line.

    Raises:
        ConfigError: the file is no TOML, or a setting is unknown or wrong; names each one.
    """
    global _in_file
    path = Location.of(home).join(FILE)
    data = storage_of(home).read(FILE)
    try:
        _in_file = {} if data is None else tomllib.loads(data.decode())
        return Settings(**flags)
    except ValidationError as error:
        where = "environment or flags" if data is None else path
        wrong = "; ".join(_complaint(item) for item in error.errors(include_input=False))
        raise ConfigError(f"Settings are wrong ({where}): {wrong}.") from None
    except SettingsError as error:  # a variable that should hold JSON
        raise ConfigError(f"Settings are wrong (environment): {error}.") from None
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path} is not UTF-8 (byte {error.start}): save it as UTF-8.") from None
    except ValueError as error:  # tomllib.TOMLDecodeError
        raise ConfigError(f"{path} is not valid TOML: {error}.") from None
    finally:
        _in_file = {}


def _complaint(item: ErrorDetails) -> str:
    """What is wrong with one setting; never its value, which may be a secret in a wrong place."""
    name = ".".join(map(str, item["loc"]))
    if item["type"] != "extra_forbidden":
        return f"{name}: {item['msg']}"
    last = str(item["loc"][-1])
    near = difflib.get_close_matches(last, [known.rpartition(".")[2] for known in _names()], 1, 0.7)
    meant = [known for known in _names() if near and known.rpartition(".")[2] == near[0]]
    # The one of the same section first.
    meant.sort(key=lambda known: known.rpartition(".")[0] != name.rpartition(".")[0])
    hint = f"did you mean {meant[0]}?" if meant else "mmrl.toml lists them all"
    return f"{name}: there is no such setting; {hint}"


def _names() -> list[str]:
    """Every setting and section by its full name."""
    names = []
    for name, field in Settings.model_fields.items():
        names.append(name)
        if isinstance(field.default, BaseModel):
            names += [f"{name}.{setting}" for setting in type(field.default).model_fields]
    return names
