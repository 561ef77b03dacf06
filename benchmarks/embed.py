"""Speed of embedding images and titles, beside the bare model and other ways to do it.

    python -m benchmarks.embed [--images 192] [--titles 600] [--rounds 3] [--threads 2] [--json]

For each kind of image, from the bytes of JPEG files to vectors:

- `bare model`: the network alone on float tensors decoded beforehand, same batch, same threads.
- `encode`: what the embed stage calls, decoding included. Held to 85% of the bare model.
- `one a call`: the same encoder, one image a call, as the original system did.
- `one a call, as published`: the same, with the network as its package gives it, not folded.
- `Daft`: `encode` as a class UDF on Daft's native runner (left out where Daft is not installed).

The ways take turns in every round and the best round counts, so that a busy machine hits all
alike. Images: noise over smooth shapes at 320x256 and 1280x960, simulated; and the real
thumbnails of MMRL_SHARED_DATA (or ../shared/data), left out where they are missing.
"""

import argparse
import csv
import io
import json
import os
import random
import time
from collections.abc import Callable
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from mmrl.encoders.device import threads
from mmrl.encoders.packaged import efficientnet, minilm

SHARED = Path(os.environ.get("MMRL_SHARED_DATA", "../shared/data"))
WORDS = ("old", "red", "quiet", "bridge", "lake", "cat", "street", "after", "rain", "sunrise")


def simulated_jpegs(count: int, width: int, height: int, seed: int = 0) -> list[bytes]:
    """Distinct JPEG files of simulated images: smooth colours with grain."""
    rng = np.random.default_rng(seed)
    files = []
    for _ in range(count):
        coarse = Image.fromarray(rng.integers(0, 256, (6, 8, 3), np.uint8))
        smooth = np.asarray(coarse.resize((width, height), Image.Resampling.BICUBIC), np.int16)
        grain = rng.normal(0, 6, (height, width, 1))
        pixels = np.clip(smooth + grain, 0, 255).astype(np.uint8)
        buffer = io.BytesIO()
        Image.fromarray(pixels).save(buffer, "JPEG", quality=88)
        files.append(buffer.getvalue())
    return files


def real_jpegs(count: int) -> list[bytes]:
    """Distinct real thumbnails, as they are; none where the data is missing."""
    paths = sorted((SHARED / "earthporn" / "images").glob("*.jpg"))
    return list(dict.fromkeys(path.read_bytes() for path in paths))[:count]


def titles(count: int) -> tuple[str, list[str]]:
    """Titles and where they are from."""
    path = SHARED / "earthporn" / "posts.csv"
    if path.is_file():
        with path.open(newline="", encoding="utf-8") as file:
            return "real r/EarthPorn titles", [row["title"] for row in csv.DictReader(file)][:count]
    generator = random.Random(0)
    made = [" ".join(generator.choices(WORDS, k=generator.randint(3, 14))) for _ in range(count)]
    return "simulated titles", made


@cache
def published_network() -> Any:
    """EfficientNet-Lite2 as its package gives it."""
    import torch
    from efficientnet_lite_pytorch import EfficientNet

    network = EfficientNet.from_name("efficientnet-lite2")
    path = efficientnet.EFFICIENTNET_LITE2.path()
    network.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
    return network.eval()


def one_a_call_as_published(images: list[bytes]) -> None:
    """The original's way: decode one, run one."""
    import torch

    for data in images:
        pixels = torch.from_numpy(efficientnet.CROP.apply(data)[None]).permute(0, 3, 1, 2)
        with torch.inference_mode():
            published_network().extract_features((pixels.float() - 127) / 128).mean((2, 3))


def daft_way(encode: Callable[[list[bytes]], np.ndarray]) -> Callable[[list[bytes]], None]:
    """The encoder as a Daft class UDF on the native runner, 64 rows a batch."""
    import daft

    # In this process, where the model is loaded already; max_concurrency would start others.
    @daft.cls(use_process=False)
    class Encode:
        @daft.method.batch(
            return_dtype=daft.DataType.fixed_size_list(daft.DataType.float32(), efficientnet.DIM),
            batch_size=64,
        )
        def __call__(self, data: daft.Series) -> Any:
            return list(encode(data.to_pylist()))

    udf = Encode()

    def way(images: list[bytes]) -> None:
        frame = daft.from_pydict({"bytes": images})
        rows = frame.select(udf(frame["bytes"]).alias("vector")).to_arrow()
        assert rows.num_rows == len(images)

    return way


def best_rates(ways: dict[str, tuple[Callable[[], object], int]], rounds: int) -> dict[str, float]:
    """Items a second of each way, given as (what to call, how many items that does)."""
    best = dict.fromkeys(ways, 0.0)
    for _ in range(rounds):
        for name, (call, items) in ways.items():
            efficientnet.backbone().memo.forget()
            minilm.network().memo.forget()
            started = time.perf_counter()
            call()
            best[name] = max(best[name], items / (time.perf_counter() - started))
    return best


def image_rates(images: list[bytes], rounds: int) -> dict[str, float]:
    """Images a second, by way."""
    import torch

    backbone = efficientnet.backbone()
    encode = efficientnet.EfficientNetLite2().encode
    decoded = torch.from_numpy(np.stack([efficientnet.CROP.apply(data) for data in images]))
    tensors = [
        ((part.permute(0, 3, 1, 2).float() - 127) / 128)
        for part in decoded.split(efficientnet.BATCH)
    ]

    def bare() -> None:
        with torch.inference_mode():
            for tensor in tensors:
                backbone._network(tensor)

    few = images[:48]
    ways: dict[str, tuple[Callable[[], object], int]] = {
        "bare model": (bare, len(images)),
        "encode": (lambda: encode(images), len(images)),
        "one a call": (lambda: [encode([data]) for data in few], len(few)),
        "one a call, as published": (lambda: one_a_call_as_published(few), len(few)),
    }
    if find_spec("daft"):
        daft_encode = daft_way(encode)
        daft_encode(images[:8])
        ways["Daft"] = (lambda: daft_encode(images), len(images))
    bare()  # warm
    return best_rates(ways, rounds)


def title_rates(texts: list[str], rounds: int) -> dict[str, float]:
    """Titles a second, by way; the bare model gets tokens sorted by length."""
    encoder = minilm.MiniLM()
    network = minilm.network()
    tokens = sorted(network.tokenize(texts)[0], key=len)
    batches = [tokens[at : at + minilm._BATCH] for at in range(0, len(tokens), minilm._BATCH)]
    few = texts[:200]
    return best_rates(
        {
            "bare model": (lambda: [network.forward(batch) for batch in batches], len(texts)),
            "encode": (lambda: encoder.encode(texts), len(texts)),
            "one a call": (lambda: [encoder.encode([text]) for text in few], len(few)),
        },
        rounds,
    )


def table(kind: str, by_way: dict[str, float]) -> str:
    """One kind's rates, each way's share of the bare model's, and what batching gains."""
    lines = [kind]
    for way, rate in by_way.items():
        share = rate / by_way["bare model"]
        lines.append(f"  {way:26s} {rate:8.1f} a second   {share:5.0%} of the bare model")
    gain = by_way["encode"] / by_way["one a call"]
    return "\n".join([*lines, f"  encode is {gain:.1f} times one a call\n"])


def main() -> None:
    """Prints a table a kind of content."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--images", type=int, default=192)
    parser.add_argument("--titles", type=int, default=600)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    os.environ.setdefault("DO_NOT_TRACK", "true")
    os.environ.setdefault("DAFT_PROGRESS_BAR", "0")
    threads.use_threads(arguments.threads)

    kinds = {
        "simulated JPEG 320x256": simulated_jpegs(arguments.images, 320, 256),
        "simulated JPEG 1280x960": simulated_jpegs(arguments.images, 1280, 960),
        "real thumbnails": real_jpegs(arguments.images),
    }
    rates: dict[str, dict[str, float]] = {}

    def keep(kind: str, by_way: dict[str, float]) -> None:
        rates[kind] = by_way
        if not arguments.json:
            print(table(kind, by_way), flush=True)

    if not arguments.json:
        print(f"{arguments.threads} threads, best of {arguments.rounds} rounds\n", flush=True)
    for kind, images in kinds.items():
        if images:
            keep(kind, image_rates(images, arguments.rounds))
    source, texts = titles(arguments.titles)
    keep(source, title_rates(texts, arguments.rounds))
    if arguments.json:
        print(json.dumps(rates))


if __name__ == "__main__":
    main()
