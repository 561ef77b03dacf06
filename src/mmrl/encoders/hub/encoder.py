"""Base of all encoders and captioners with a checkpoint of the hub."""

from abc import ABC, abstractmethod
from typing import Generic, TypeVar

from mmrl.encoders.device.loaded_models import loaded
from mmrl.encoders.hub.checkpoint import Checkpoint

Loaded = TypeVar("Loaded")


class FromHub(ABC, Generic[Loaded]):
    """A model of the hub: its id, its files, and what is in memory once it is used.

    Args:
        model: the checkpoint with the weights.
        beside: others that files are taken from.

    Attributes:
        name: of the model, as its id says it.
        stored: bytes of a number in the published file.
        share: how much of that file is loaded.
    """

    name: str
    stored = 4
    share = 1.0

    def __init__(self, model: Checkpoint, *beside: Checkpoint) -> None:
        self._model = model
        self._models = (model, *beside)

    @property
    @abstractmethod
    def rules(self) -> str:
        """How inputs are prepared and vectors or texts taken; the rest of the id."""

    @property
    def id(self) -> str:
        """`name@revision+rules`."""
        return f"{self.name}@{self._model.revision}+{self.rules}"

    def check(self) -> None:
        """Raises WeightsError where a file is missing."""
        for model in self._models:
            model.check()

    @abstractmethod
    def _load(self) -> Loaded:
        """The network, and what is needed beside it.

        Raises:
            WeightsError: a file is broken, or not the model's.
        """

    def _network(self) -> Loaded:
        """The same, loaded if it is not in memory."""
        place = self._model.place
        numbers = self._model.weights().stat().st_size * self.share / self.stored
        size = int(numbers * (4 if place.dtype == "float32" else 2))
        return loaded((self.name, *self._models), place, size, self._load)
