"""mmrl learns what makes an image post popular on Reddit, and tells people before they post.

    import mmrl

    home = mmrl.init("earth")
    home.import_table("posts.csv", images="images/", subreddit="EarthPorn")
    home.run()
    home.models.leaderboard()

The names below are the documented surface (docs/api.md); all else may change.
"""

from typing import TYPE_CHECKING, Any

from mmrl.runtime.quiet import quiet_environment
from mmrl.version import __version__

if TYPE_CHECKING:
    from pathlib import Path

    from mmrl.errors import MmrlError
    from mmrl.home.home import Home
    from mmrl.home.samples import Samples
    from mmrl.home.vectors import ContentEncoder
    from mmrl.serving.prediction import Draft, Prediction

__all__ = [
    "Draft",
    "Home",
    "MmrlError",
    "Prediction",
    "Samples",
    "__version__",
    "encoder",
    "init",
    "open",
]

quiet_environment()  # before any library reads it

_LATER = {  # imported when they are first asked for, so that `import mmrl` costs nothing
    "Draft": "mmrl.serving.prediction",
    "Home": "mmrl.home.home",
    "MmrlError": "mmrl.errors",
    "Prediction": "mmrl.serving.prediction",
    "Samples": "mmrl.home.samples",
}


def open(
    home: "str | Path", *, create: bool = False, quiet: bool = False, **settings: Any
) -> "Home":
    """Opens a home.

    Args:
        home: its folder, or its `s3://` address.
        create: make its catalog where it is not there; `init` also writes its settings' file.
        quiet: show no bars and no notes.
        settings: sections or values that go before `mmrl.toml` and the environment, such as
            `profile="reference"` or `train={"seed": 1}`.

    Raises:
        NotFoundError: there is no home.
        ConfigError: a setting is unknown or wrong, or a newer mmrl wrote the home.

    Example:
        >>> home = mmrl.open("earth", train={"seed": 1})
        >>> home.settings.train.seed
        1
    """
    from mmrl.home.home import Home

    return Home.open(home, create=create, quiet=quiet, **settings)


def init(home: "str | Path", *, quiet: bool = False, **settings: Any) -> "Home":
    """Makes a home where there is none, and opens it; what is there is left as it is.

    Args:
        home: its folder, which gets a catalog, a commented `mmrl.toml` and a `praw.ini` to fill in;
            or its `s3://` address, which gets no `praw.ini`.
        quiet, settings: as of `open`.

    Raises:
        InputError: `home` is a file.

    Example:
        >>> mmrl.init("new", quiet=True).settings.profile
        'packaged'
    """
    from mmrl.home.home import Home
    from mmrl.home.make import init as make

    make(home)
    return Home.open(home, quiet=quiet, **settings)


def encoder(role: str, profile: str = "packaged", **settings: Any) -> "ContentEncoder":
    """An encoder of a profile, for vectors without a home.

    Args:
        role: `title`, `caption`, `image` or `visual` (an image and a text to one vector).
        profile: a set of encoders; see docs/models.md.
        settings: as of `open`, such as `device="cpu"` or `weights={...}`.

    Raises:
        InputError: there is no such role.
        ConfigError: there is no such profile.

    Example:
        >>> titles = mmrl.encoder("title")
        >>> titles.encode(["Lake at dawn", "My cat"]).shape
        (2, 384)
    """
    from mmrl.home.vectors import ContentEncoder

    return ContentEncoder.of(role, profile, settings)


def __getattr__(name: str) -> Any:
    from importlib import import_module

    if name in _LATER:
        return getattr(import_module(_LATER[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
