"""Batches as large as the device holds."""

import logging
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmrl.encoders.device import batch_size as batches
from mmrl.encoders.device.batch_size import BatchSize, out_of_memory
from mmrl.errors import Failure


@pytest.fixture(autouse=True, scope="module")
def _nothing_to_free() -> Iterator[None]:
    """Collecting garbage after each of thousands of simulated errors takes minutes."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(batches, "_free", lambda: None)
        yield


@given(st.lists(st.integers(1, 50), max_size=40), st.integers(1, 200), st.booleans())
def test_a_batch_costs_its_dearest_times_its_length_and_no_more_than_the_size(
    costs: list[int], size: int, ordered: bool
) -> None:
    costs = sorted(costs) if ordered else costs
    found = list(BatchSize("model", size, "tokens").split(costs))
    assert [place for batch in found for place in batch] == list(range(len(costs)))
    for batch in found:
        cost = max(costs[place] for place in batch) * len(batch)
        assert cost <= size or len(batch) == 1


@given(st.integers(1, 30), st.integers(1, 10))
def test_out_of_memory_halves_until_it_fits_and_every_item_is_done_once(
    count: int, fits: int
) -> None:
    size = BatchSize("model", 1_000, "items")
    done: list[int] = []

    def forward(part) -> int:  # type: ignore[no-untyped-def]
        if len(part) > fits:
            raise MemoryError
        done.extend(part)
        return len(part)

    parts = list(size.run(list(range(count)), forward))
    assert done == list(range(count)) == [place for part, _ in parts for place in part]
    assert (size.size == 1_000) == (count <= fits)


def test_it_is_said_that_the_batch_was_halved(caplog: pytest.LogCaptureFixture) -> None:
    size = BatchSize("bge-m3", 64, "tokens")

    def forward(part) -> None:  # type: ignore[no-untyped-def]
        if len(part) > 4:
            raise RuntimeError("MPS backend out of memory (MPS allocated: 5 GB)")

    with caplog.at_level(logging.WARNING):
        list(size.run(list(range(8)), forward))
    assert size.size == 32
    assert "bge-m3 ran out of memory with 8 items: going on with half (32 tokens a batch)" in (
        caplog.text
    )


def test_an_item_that_does_not_fit_alone_is_a_clear_error() -> None:
    def forward(part) -> None:  # type: ignore[no-untyped-def]
        raise MemoryError

    with pytest.raises(
        Failure, match=r'does not fit into memory with a single item.*device = "cpu"'
    ):
        list(BatchSize("ViT", 4, "images").run([0, 1], forward))


def test_another_error_is_passed_on() -> None:
    def forward(part) -> None:  # type: ignore[no-untyped-def]
        raise RuntimeError("shapes cannot be multiplied")

    with pytest.raises(RuntimeError, match="shapes"):
        list(BatchSize("ViT", 4, "images").run([0, 1], forward))


def test_torch_says_in_several_ways_that_memory_is_used_up() -> None:
    import torch

    assert out_of_memory(torch.OutOfMemoryError("CUDA out of memory."))
    with pytest.raises(RuntimeError) as caught:
        torch.empty(2**60)
    assert out_of_memory(caught.value)
    for said in (
        "CUDA error: out of memory",
        "CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`",
        "MPS backend out of memory (MPS allocated: 5 GB)",
    ):
        assert out_of_memory(RuntimeError(said))
    assert not out_of_memory(RuntimeError("CUDA error: device-side assert triggered"))
    assert not out_of_memory(RuntimeError("CUDA error: device-side assert triggered"))
