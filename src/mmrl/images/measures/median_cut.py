"""Median cut (Heckbert 1982): the few colours that stand for an image's many.

The same colours as Pillow's `quantize`, ties included, in a fifth of its time: an image of grain
has nearly as many colours as pixels, which Pillow holds in lists, one colour after the other; here
a box of colours is three arrays, and is cut at the middle of a histogram.
"""

from dataclasses import dataclass

import numpy as np

_WEIGHTS = (77, 150, 29)  # of red, green and blue in lightness, which say how long a side looks


@dataclass
class _Box:
    """Colours that are near each other: once a leaf of the tree of cuts, else cut in two.

    Attributes:
        colours: (3, n) uint8, distinct; n >= 1.
        counts: (n,) int64, how many pixels have each.
        pixels: all of them.
    """

    colours: np.ndarray
    counts: np.ndarray
    pixels: int
    parts: "tuple[_Box, _Box] | None" = None

    def cut(self) -> "tuple[_Box, _Box] | None":
        """Its light and its dark half along the side that looks longest; None for one colour.

        Pixels of one value are never parted.
        """
        low, high = self.colours.min(axis=1), self.colours.max(axis=1)
        sides = (high.astype(np.int64) - low) * _WEIGHTS
        side = int(np.argmax(sides))
        if sides[side] == 0:
            return None
        values = self.colours[side]
        from_above = np.cumsum(np.bincount(values, self.counts, 256)[::-1])
        least = 255 - int(np.argmax(2 * from_above > self.pixels))  # of the light half
        light = values >= max(least, int(low[side]) + 1)
        self.parts = self._of(light), self._of(~light)
        return self.parts

    def _of(self, chosen: np.ndarray) -> "_Box":
        counts = self.counts[chosen]
        return _Box(self.colours[:, chosen], counts, int(counts.sum()))

    def leaves(self) -> "list[_Box]":
        """The boxes that were not cut, the light ones first."""
        if self.parts is None:
            return [self]
        return [leaf for part in self.parts for leaf in part.leaves()]


def median_cut(pixels: np.ndarray, most: int) -> tuple[np.ndarray, np.ndarray]:
    """At most so many colours, each the mean of a box, and how many pixels are nearest to it.

    Args:
        pixels: (..., 3) uint8; one or more.

    Returns:
        (n, 3) uint8 and (n,) int64, n >= 1.
    """
    red, green, blue = pixels.reshape(-1, 3).astype(np.int32).T
    numbers, counts = np.unique((red << 16) | (green << 8) | blue, return_counts=True)
    colours = np.stack([numbers >> 16, (numbers >> 8) & 255, numbers & 255]).astype(np.uint8)
    whole = _Box(colours, counts, int(counts.sum()))
    _cut_largest(whole, most)
    leaves = whole.leaves()
    means = [(leaf.colours @ leaf.counts) / leaf.pixels for leaf in leaves]
    palette = np.floor(np.stack(means) + 0.5).astype(np.uint8)
    return palette, _nearest(leaves, palette)


def _cut_largest(whole: _Box, most: int) -> None:
    """Cuts the box of most pixels, and again, until there are so many or none can be cut."""
    heap = [whole]
    for _ in range(most - 1):
        parts = None
        while parts is None:
            if not heap:
                return
            parts = _taken(heap).cut()
        for part in parts:
            _put(heap, part)


def _nearest(leaves: list[_Box], palette: np.ndarray) -> np.ndarray:
    """How many pixels are nearest to each colour of the palette.

    Among equally near ones their own box's counts, then the one that is nearest to that.
    """
    exact = palette.astype(np.float32)  # all sums below are whole numbers under 2 ** 24
    lengths = (exact**2).sum(axis=1)
    between = lengths[:, None] + lengths - 2 * exact @ exact.T
    nearest = np.zeros(len(palette), np.int64)
    for own, leaf in enumerate(leaves):
        order = np.argsort(between[own], kind="stable")
        order = np.concatenate(([own], order[order != own]))
        apart = lengths[order, None] - 2 * exact[order] @ leaf.colours.astype(np.float32)
        chosen = order[apart.argmin(axis=0)]
        nearest += np.bincount(chosen, leaf.counts, len(palette)).astype(np.int64)
    return nearest


# A heap by pixels, the most first. Which of two equal boxes comes first decides which one is cut,
# and shows in the colours: so these two treat them as Pillow's heap does, and heapq does not.


def _put(heap: list[_Box], box: _Box) -> None:
    heap.append(box)
    place = len(heap)  # counted from 1
    while place > 1 and box.pixels > heap[place // 2 - 1].pixels:
        heap[place - 1] = heap[place // 2 - 1]
        place //= 2
    heap[place - 1] = box


def _taken(heap: list[_Box]) -> _Box:
    first, last = heap[0], heap.pop()
    place = 1
    while 2 * place <= len(heap):
        child = 2 * place
        if child < len(heap) and heap[child - 1].pixels < heap[child].pixels:
            child += 1
        if last.pixels > heap[child - 1].pixels:
            break
        heap[place - 1] = heap[child - 1]
        place = child
    if heap:
        heap[place - 1] = last
    return first
