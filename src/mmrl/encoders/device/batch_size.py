"""Batches as large as the device holds: out of memory halves them, and says so.

A size counts what a batch costs: images, or tokens with their padding.
"""

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeVar

from mmrl.errors import Failure

Item = TypeVar("Item")
Result = TypeVar("Result")

_log = logging.getLogger(__name__)


class BatchSize:
    """The size of what goes through a model at once.

    Attributes:
        size: the most a batch may cost; halved where the device runs out of memory, and kept so.
    """

    def __init__(self, model: str, size: int, unit: str) -> None:
        self.size = size
        self._model = model
        self._unit = unit

    def split(self, costs: Sequence[int]) -> Iterator[list[int]]:
        """Places of items in their order, in batches.

        Args:
            costs: of each item; a batch costs its dearest item times its length, as padding does.
        """
        batch: list[int] = []
        dearest = 0
        for place, cost in enumerate(costs):
            dearest = max(dearest, cost)
            if batch and dearest * (len(batch) + 1) > self.size:
                yield batch
                batch, dearest = [], cost
            batch.append(place)
        if batch:
            yield batch

    def run(
        self, places: Sequence[int], forward: Callable[[Sequence[int]], Result]
    ) -> Iterable[tuple[Sequence[int], Result]]:
        """Calls `forward` on places; in halves where the device has no memory for all.

        Returns:
            the places and what `forward` gave for them, part by part.

        Raises:
            Failure: one item alone does not fit.
        """
        waiting = [places]
        while waiting:
            part = waiting.pop()
            result = self._attempt(part, forward)
            if result is None:
                half = len(part) // 2
                waiting += [part[half:], part[:half]]
            else:
                yield part, result[0]

    def run_items(
        self, items: Sequence[Item], forward: Callable[[Sequence[Item]], Result]
    ) -> Iterator[tuple[Sequence[Item], Result]]:
        """Calls `forward` on items that cost 1 each, in batches, in their order.

        Yields:
            the items of a batch, and what `forward` gave for them.

        Raises:
            Failure: one item alone does not fit.
        """
        for batch in self.split([1] * len(items)):
            for part, result in self.run(batch, lambda chosen: forward([items[i] for i in chosen])):
                yield [items[i] for i in part], result

    def _attempt(
        self, part: Sequence[int], forward: Callable[[Sequence[int]], Result]
    ) -> tuple[Result] | None:
        try:
            return (forward(part),)
        except (RuntimeError, MemoryError) as error:
            if not out_of_memory(error):
                raise
            if len(part) == 1:
                raise Failure(
                    f"{self._model} does not fit into memory with a single item: {error}. Set "
                    'device = "cpu", close what else uses the GPU, or choose a smaller profile.'
                ) from error
        # Outside of the except clause: the error's traceback holds the failed batch's tensors.
        _free()
        self.size = max(1, self.size // 2)
        _log.warning(
            "%s ran out of memory with %d items: going on with half (%d %s a batch)",
            *(self._model, len(part), self.size, self._unit),
        )
        return None


def out_of_memory(error: BaseException) -> bool:
    """True where an error says that a device's memory is used up."""
    import torch

    return (
        isinstance(error, torch.OutOfMemoryError | MemoryError)
        or "out of memory" in str(error)  # MPS, CUDA itself
        or "ALLOC_FAILED" in str(error)  # cuBLAS, cuDNN
        or "can't allocate memory" in str(error)  # torch's CPU allocator
        or "not enough memory" in str(error)  # the same, on Windows
    )


def _free() -> None:
    import gc

    import torch

    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
