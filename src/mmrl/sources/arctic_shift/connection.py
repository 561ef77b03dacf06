"""Connections to Arctic Shift: within a budget that all processes of a home share."""

from urllib.parse import urlsplit

from mmrl.config import Settings
from mmrl.errors import ConfigError
from mmrl.runtime.clock import Clock, SystemClock
from mmrl.runtime.retry import ARCTIC_SHIFT
from mmrl.sources.arctic_shift.api import ArcticShift
from mmrl.sources.arctic_shift.source import ArcticShiftSource
from mmrl.sources.budget import Budget, budget_name
from mmrl.sources.live import LiveSource
from mmrl.sources.transport import Transport
from mmrl.storage.opening import storage_of

_LONGEST = 200  # characters of a contact


def connect_live(
    settings: Settings, home: str, *, observing: bool = False, clock: Clock | None = None
) -> tuple[LiveSource, Transport]:
    """Arctic Shift as a live source; see `sources.connection`. It has no credentials to choose.

    Raises:
        ConfigError: the address or the contact is unusable.
    """
    own = settings.arctic_shift
    _check(own.base_url)
    check_contact(own.contact)
    budget = Budget(
        storage_of(home),
        budget_name(own.base_url),
        per_second=own.requests_per_second,
        unstated=60 * own.requests_per_second,
    )
    transport = Transport(
        clock or SystemClock(), budget, service=ArcticShiftSource.traits.label, retry=ARCTIC_SHIFT
    )
    api = ArcticShift(own.base_url, transport, user_agent(own.contact))
    return ArcticShiftSource(api), transport


def user_agent(contact: str) -> str:
    """Names mmrl, and how its user is reached."""
    from mmrl.version import __version__

    return f"mmrl/{__version__} (contact: {contact or 'none given'})"


def check_contact(contact: str) -> None:
    """Refuses a contact that no user agent can carry.

    Raises:
        ConfigError: it is too long, or has other than printable ASCII.
    """
    if len(contact) > _LONGEST or not (contact.isascii() and contact.isprintable()):
        raise ConfigError(
            f"arctic_shift.contact is {contact[:_LONGEST]!r}, expected an e-mail address or a "
            f"page, in ASCII, of at most {_LONGEST} characters."
        )


def _check(base_url: str) -> None:
    try:
        parts = urlsplit(base_url)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname)
    except ValueError:
        usable = False
    if not usable:
        raise ConfigError(
            f"arctic_shift.base_url is {base_url!r}, expected an http(s) address, such as "
            "https://arctic-shift.photon-reddit.com."
        )
