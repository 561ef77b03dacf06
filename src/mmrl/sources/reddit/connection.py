"""Connections as the commands use them: with repetitions, within their client's shared budget."""

from typing import TYPE_CHECKING

from mmrl.config import RedditSettings, Settings
from mmrl.errors import ConfigError
from mmrl.runtime.clock import Clock, SystemClock
from mmrl.sources.budget import Budget, budget_name
from mmrl.sources.live import LiveSource
from mmrl.sources.reddit.api import connect
from mmrl.sources.reddit.source import RedditSource
from mmrl.sources.transport import Transport
from mmrl.storage.opening import storage_of

if TYPE_CHECKING:
    import praw


def open_connection(
    settings: RedditSettings, home: str, site: str | None = None, clock: Clock | None = None
) -> "tuple[praw.Reddit, Transport]":
    """A connection and the transport that its requests go through; asks nothing yet.

    Args:
        home: the home whose praw.ini counts first, and which holds the budget.
        site: the section of praw.ini; that of the settings by default.

    Raises:
        ConfigError: there are no credentials, or they can't be read.
    """
    transport = Transport(clock or SystemClock())
    reddit = connect(site or settings.site, home, transport=transport)
    try:
        window = float(reddit.config.window_size)
    except ValueError:
        raise ConfigError(
            f"window_size is {reddit.config.window_size!r} in praw.ini, expected seconds: take it "
            "out, Reddit's windows have 600."
        ) from None
    transport.budget = Budget(
        storage_of(home),
        budget_name(str(reddit.config.client_id)),
        per_minute=settings.requests_per_minute,
        window_seconds=window,
    )
    return reddit, transport


def connect_live(
    settings: Settings, home: str, *, observing: bool = False, clock: Clock | None = None
) -> tuple[LiveSource, Transport]:
    """Reddit as a live source; see `sources.connection`."""
    site = settings.reddit.observe_site if observing else None
    reddit, transport = open_connection(settings.reddit, home, site, clock)
    return RedditSource(reddit), transport
