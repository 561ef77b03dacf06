"""Stores vectors: mmrl's catalog beside Chroma, which the original system used.

    python -m benchmarks.store [--vectors 20000] [--dim 1024]

Needs the `bench` extra. Both get the same random unit vectors under the same keys: written in
batches of 1,000, read whole, 1,000 of them replaced, 1,000 looked up by key. Chroma is also fed
one vector at a time, as the original did, on 500 of them, and that rate is put at full size.
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa

from mmrl.catalog import Catalog
from mmrl.catalog.tables import embeddings, embeddings_table

BATCH = 1_000
ONE_AT_A_TIME = 500


def timed(work: Callable[[], object]) -> float:
    """Seconds that `work` takes."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def lance(folder: Path, keys: list[str], vectors: np.ndarray) -> dict[str, float]:
    """Seconds of each job on mmrl's catalog."""
    dim = vectors.shape[1]
    table = embeddings_table("title", dim)
    schema = embeddings(dim)
    catalog = Catalog.open(folder, create=True)

    def rows(start: int, count: int) -> pa.Table:
        flat = pa.array(vectors[start : start + count].ravel())
        columns = [
            pa.array(keys[start : start + count]),
            pa.array(["encoder"] * len(keys[start : start + count])),
            pa.FixedSizeListArray.from_arrays(flat, dim),
        ]
        return pa.Table.from_arrays(columns, schema=schema)

    def write() -> None:
        for start in range(0, len(keys), BATCH):
            catalog.upsert(table, rows(start, BATCH))

    def read() -> None:
        assert catalog.read(table).num_rows == len(keys)

    def look_up() -> None:
        assert catalog.lookup(table, "content", keys[:BATCH]).num_rows == BATCH

    return {
        "write": timed(write),
        "read all": timed(read),
        "replace 1,000": timed(lambda: catalog.upsert(table, rows(0, BATCH))),
        "look up 1,000": timed(look_up),
    }


def chroma(folder: Path, keys: list[str], vectors: np.ndarray) -> dict[str, float]:
    """Seconds of each job on Chroma, and of writing one vector at a time."""
    import chromadb

    client = chromadb.PersistentClient(
        str(folder), settings=chromadb.Settings(anonymized_telemetry=False)
    )
    together = client.create_collection("together")
    single = client.create_collection("single")

    def write() -> None:
        for start in range(0, len(keys), BATCH):
            part = slice(start, start + BATCH)
            together.add(ids=keys[part], embeddings=vectors[part])

    def write_singly() -> None:
        for number in range(ONE_AT_A_TIME):
            single.add(ids=[keys[number]], embeddings=[vectors[number]])

    def read() -> None:
        assert len(together.get(include=["embeddings"])["ids"]) == len(keys)

    def look_up() -> None:
        assert len(together.get(ids=keys[:BATCH], include=["embeddings"])["ids"]) == BATCH

    return {
        "write": timed(write),
        "write, one at a time": timed(write_singly) * len(keys) / ONE_AT_A_TIME,
        "read all": timed(read),
        "replace 1,000": timed(
            lambda: together.upsert(ids=keys[:BATCH], embeddings=vectors[:BATCH])
        ),
        "look up 1,000": timed(look_up),
    }


def main() -> None:
    """Runs both and prints seconds and ratios."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--vectors", type=int, default=20_000)
    parser.add_argument("--dim", type=int, default=1024)
    arguments = parser.parse_args()
    generator = np.random.default_rng(0)
    vectors = generator.standard_normal((arguments.vectors, arguments.dim)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    keys = [f"{number:064x}" for number in range(arguments.vectors)]
    with tempfile.TemporaryDirectory() as folder:
        ours = lance(Path(folder) / "lance", keys, vectors)
        theirs = chroma(Path(folder) / "chroma", keys, vectors)
    print(f"{arguments.vectors:,} vectors of {arguments.dim}, {datetime.now(UTC):%Y-%m-%d}")
    print(f"{'':<24}{'mmrl s':>10}{'Chroma s':>10}{'ratio':>8}")
    for job, seconds in theirs.items():
        own = ours[job.removesuffix(", one at a time")]
        print(f"{job:<24}{own:>10.2f}{seconds:>10.2f}{seconds / own:>7.0f}x")


if __name__ == "__main__":
    main()
