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
    from collections.abc import Callable, Sequence
    from datetime import datetime
    from pathlib import Path

    from mmrl.errors import MmrlError
    from mmrl.home.home import Home
    from mmrl.home.samples import Samples
    from mmrl.home.starting import StartReport
    from mmrl.home.vectors import ContentEncoder
    from mmrl.serving.prediction import Draft, Prediction
    from mmrl.soundness.doctor import Finding
    from mmrl.soundness.repair import Repair
    from mmrl.web.server import Server

__all__ = [
    "Draft",
    "Home",
    "MmrlError",
    "Prediction",
    "Samples",
    "__version__",
    "doctor",
    "encoder",
    "init",
    "open",
    "repair",
    "server",
    "start",
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


def start(
    home: "str | Path",
    subreddits: "Sequence[str]",
    *,
    days: int = 90,
    contact: str | None = None,
    quiet: bool = False,
    sandbox_clock: str | None = None,
    **settings: Any,
) -> "StartReport":
    """From nothing to a model of communities, on their real posts; needs no credentials.

    Makes a home, brings the posts of the last days with their settled scores from Arctic Shift,
    fetches the images, runs every stage, and trains. What was stopped is ended by the same call.

    Args:
        home: its folder.
        subreddits: the communities, without r/.
        days: how much of the past to bring.
        contact: how Arctic Shift's maintainer reaches you; kept in the home's settings.
        sandbox_clock: the time of a sandbox, for tests.
        quiet, settings: as of `open`.

    Returns:
        the home, open, and what was done: the posts that came, and each stage.

    Raises:
        InputError: `home` is no folder, or follows other communities.
        ConfigError: the contact can't be sent.
        SourceError: the archive does not answer; what was read is kept.

    Example:
        >>> report = mmrl.start("started", ["SimPics"], days=30, quiet=True, sandbox_clock="jump")
        >>> report.brought.counts.new == report.home.catalog.count("posts")
        True
    """
    from mmrl.runtime.quiet import quiet_libraries

    quiet_libraries()
    from mmrl.home.starting import start as begin

    return begin(home, subreddits, days, quiet, sandbox_clock, settings, contact)


def server(
    home: "str | Path",
    *,
    host: str = "127.0.0.1",
    port: int = 8400,
    names: "Sequence[str]" = (),
    as_of: "datetime | str | None" = None,
) -> "Server":
    """The page and the API: which picture, which title, where, when, and why.

    Binds the port and loads the champion; `run()` on what comes back serves until Ctrl-C, and takes
    up a new champion meanwhile.

    Args:
        home: its folder, or its `s3://` address.
        host: the address to listen on; another than loopback takes a token of 16 characters or more
            in the environment variable MMRL_SERVE_TOKEN.
        port: 0 takes a free one.
        names: host names that it is asked for by, as behind a proxy.
        as_of: the one moment that it works as of; the present unless given.

    Raises:
        NotFoundError: there is no home, or no model in it.
        ConfigError: others could ask, and there is no token.
        InputError: the port is in use, or the host is not this machine's.

    Example:
        >>> with mmrl.server("earth", port=0, as_of="2026-09-15") as server:
        ...     server.version, server.url.startswith("http://127.0.0.1:")
        ('1', True)
    """
    from mmrl.web.server import Server

    return Server.of(home, host, port, names, as_of)


def doctor(home: "str | Path", *, live: bool = False) -> "list[Finding]":
    """Checks a home, its settings, credentials and weights, and this machine.

    Works on a home that does not open, and where there is none. Asks nobody anything.

    Args:
        live: also send each live source one request, where there are the credentials that it
            needs, and compare its answer.

    Returns:
        what was found, and how to mend it, in the order a person would.

    Raises:
        InputError: `home` is a file.

    Example:
        >>> [finding.what for finding in mmrl.doctor("earth") if finding.state == "wrong"]
        []
    """
    from mmrl.home.opened import require_folder
    from mmrl.runtime.quiet import quiet_libraries
    from mmrl.soundness.doctor import examine

    quiet_libraries()
    require_folder(home)
    return examine(str(home), live)


def repair(
    home: "str | Path",
    *,
    dry_run: bool = False,
    tell: "Callable[[str], None] | None" = None,
) -> "list[Repair]":
    """Mends what a crash, a full disk or a bad copy broke, as far as it can be made again.

    Tables lose the files that can't be read, images the ones that are not what their hash says, and
    the list of models the versions that don't load. Stop what works on the home before.

    Args:
        dry_run: only say what is broken and what would be done.
        tell: is given a text on each as soon as it is dealt with.

    Returns:
        what was broken, what is done about it, and whether it is whole again.

    Raises:
        InputError: `home` is a file.
        NotFoundError: there is no home.

    Example:
        >>> mmrl.repair("earth", dry_run=True)
        []
    """
    from mmrl.home.opened import require_folder
    from mmrl.runtime.quiet import quiet_libraries
    from mmrl.soundness.repair import repair as mend

    quiet_libraries()
    require_folder(home)
    return mend(home, dry_run, tell)


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
