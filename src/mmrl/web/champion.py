"""The predictor that answers; a new champion takes its place without a request that fails."""

import io
import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from threading import Lock

from PIL import Image

from mmrl.catalog import Catalog
from mmrl.config import Settings
from mmrl.errors import MmrlError
from mmrl.learning.registry.registry import Registry
from mmrl.serving.inputs.drafts import Drafts, ImageFile
from mmrl.serving.ranks.rank import Predictor

_log = logging.getLogger(__name__)
_WARM_SIDE = 256  # pixels
FRESH = timedelta(minutes=10)  # that what is known of posts is used for before it is read anew


class Champion:
    """Holds a predictor of the home's champion.

    A request takes `current` once and keeps to it; an old one goes with its last request.
    """

    def __init__(self, catalog: Catalog, settings: Settings, now: Callable[[], datetime]) -> None:
        """Loads the champion; raises MmrlError where that fails."""
        self._catalog = catalog
        self._settings = settings
        self._now = now
        self._lock = Lock()
        self.current = self._open()
        self.complaint: str | None = None  # why a newer champion is not taken up

    @property
    def version(self) -> str:
        """Of the model that answers now."""
        return self.current.registered.version

    @property
    def trained_at(self) -> str:
        """When the model that answers now was trained, ISO 8601."""
        return str(self.current.registered.model.facts["as_of"])

    def refresh(self) -> None:
        """Takes up the champion if it is another, and what is new of posts after a while."""
        with self._lock:
            try:
                version = Registry(self._catalog.home).champion()
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

    def _open(self) -> Predictor:
        predictor = Predictor.open(self._catalog, self._settings, self._now())
        _warm(predictor)
        return predictor


def _warm(predictor: Predictor) -> None:
    """Has loaded and read what is so only when it is used, so that no request waits for it."""
    image = Image.new("RGB", (_WARM_SIDE, _WARM_SIDE), "grey")
    file = io.BytesIO()
    image.save(file, "JPEG")
    images = [ImageFile("warm", file.getvalue())]
    predictor.rank(Drafts(titles=["warm"], subreddits=["warm"], images=images))
