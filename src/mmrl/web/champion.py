"""The ranker that answers; a new champion takes its place without a request that fails."""

import io
import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from threading import Lock

from PIL import Image

from mmrl.errors import MmrlError
from mmrl.home.home import Home
from mmrl.home.ranker import Ranker
from mmrl.learning.registry.registry import Registry

_log = logging.getLogger(__name__)
_WARM_SIDE = 256  # pixels
FRESH = timedelta(minutes=10)  # that what is known of posts is used for before it is read anew


class Champion:
    """Holds a ranker of the home's champion.

    A request takes `current` once and keeps to it; an old one goes with its last request.
    """

    def __init__(self, home: Home, now: Callable[[], datetime]) -> None:
        """Loads the champion; raises MmrlError where that fails."""
        self._home = home
        self._now = now
        self._lock = Lock()
        self.current = self._open()
        self.complaint: str | None = None  # why a newer champion is not taken up

    @property
    def version(self) -> str:
        """Of the model that answers now."""
        return self.current.version

    @property
    def trained_at(self) -> str:
        """When the model that answers now was trained, ISO 8601."""
        return self.current.trained_at

    def refresh(self) -> None:
        """Takes up the champion if it is another, and what is new of posts after a while."""
        with self._lock:
            try:
                version = Registry(self._home.catalog.home).champion()
                if version is not None and version != self.version:
                    self.current = self._open()
                    _log.info("Version %s is taken up.", self.version)
                elif self._now() - self.current.as_of >= FRESH:
                    fresh = self.current.at(self._now())
                    _warm(fresh)
                    self.current = fresh
            except MmrlError as error:
                if self.complaint is None:
                    _log.error("What is new can't be taken up: %s", error)
                self.complaint = str(error)
            else:
                self.complaint = None

    def _open(self) -> Ranker:
        ranker = self._home.ranker(as_of=self._now())
        _warm(ranker)
        return ranker


def _warm(ranker: Ranker) -> None:
    """Has loaded and read what is so only when it is used, so that no request waits for it."""
    image = Image.new("RGB", (_WARM_SIDE, _WARM_SIDE), "grey")
    file = io.BytesIO()
    image.save(file, "JPEG")
    ranker.rank(ranker.drafts(["warm"], ["warm"], [file.getvalue()]))
