"""One image fetched from a server of tests."""

from mmrl.catalog.reasons import Reason
from mmrl.config import ImageSettings
from mmrl.images.fetching.fetch import Fetcher
from mmrl.images.image import FetchedImage, Refused


def settings(**changes: object) -> ImageSettings:
    """Settings with which images come from loopback."""
    return ImageSettings.model_validate(
        {"allow_loopback": True, "timeout_seconds": 60, "attempts": 2, **changes}
    )


def fetch_one(url: str, **changes: object) -> FetchedImage | Refused:
    """What a fetcher of its own makes of an address."""
    return Fetcher(settings(**changes), seed=0).fetch([url])[url]


def reason(url: str, **changes: object) -> Reason:
    """Why an address is refused."""
    got = fetch_one(url, **changes)
    assert isinstance(got, Refused), got
    return got.reason
