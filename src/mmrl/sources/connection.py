"""Connections to live sources, by the name of their kind."""

from mmrl.config import RedditSettings, Settings
from mmrl.errors import InputError
from mmrl.runtime.clock import Clock
from mmrl.sources.kinds import ARCTIC_SHIFT, LIVE, REDDIT, Kind
from mmrl.sources.live import LiveSource
from mmrl.sources.transport import Transport


def live_kind(name: str | None, settings: Settings) -> Kind:
    """The kind of a live source; the home's own unless one is named.

    Raises:
        InputError: there is none of that name.
    """
    chosen = name or settings.source.live
    for kind in LIVE:
        if kind.name == chosen:
            return kind
    names = ", ".join(kind.name for kind in LIVE)
    raise InputError(f"--from is {chosen!r}, expected one of: {names}.")


def connect_live(
    kind: Kind,
    settings: Settings,
    home: str,
    *,
    observing: bool = False,
    clock: Clock | None = None,
) -> tuple[LiveSource, Transport]:
    """A live source, and the transport that its requests go through; asks nothing yet.

    Args:
        home: holds the budget that processes share, and credentials where it has some.
        observing: for observations, which may have credentials of their own.

    Raises:
        ConfigError: credentials or settings are missing or wrong.
    """
    connected: tuple[LiveSource, Transport] = kind.load_connect()(
        settings, home, observing=observing, clock=clock
    )
    return connected


def can_ask(kind: Kind, settings: Settings, home: str) -> bool:
    """Whether there are the credentials that a source needs.

    Raises:
        ConfigError: a praw.ini can't be read.
    """
    from mmrl.sources.reddit.credentials import find_credentials

    return kind is not REDDIT or find_credentials(home, settings.reddit.site) is not None


def collector_settings(kind: Kind, settings: Settings) -> RedditSettings:
    """The collector's settings for a live source: the section `reddit`, with the source's own."""
    if kind is not ARCTIC_SHIFT:
        return settings.reddit
    own = settings.arctic_shift
    changed = {"poll_seconds": own.poll_seconds, "look_wait_minutes": own.wait_minutes}
    return settings.reddit.model_copy(update=changed)
