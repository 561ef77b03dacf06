"""Speed of the reference models' stages, beside the bare models and the device's own limit.

    python -m benchmarks.encoders [--only text,image,visual,caption] [--items N] [--rounds 2]
        [--device auto] [--dtype auto] [--threads N] [--folder DIR] [--json]

For each model, of full size with random weights (speed does not depend on what they are):

- `bare model`: the network alone on tokens and pixels prepared beforehand, at its best batch.
- `stage`: `mmrl run embed-...` or `caption`: from JPEG files or titles in the catalog to stored
  vectors or texts, decoding, tokenizing, transfers and commits included. Held to 85% of it.
- `one at a time`: the same encoder, one item a call, as the original's loop does it.
- the bare model's rate as a share of the device's measured peak for matrix products, in the same
  number format; operations are counted by torch (`FlopCounterMode`).
- the peak of the host's memory in a stage over N items and over 4 N: flat if they are equal.

All of it in one process and one run, the ways taking turns; the best round counts.
"""

import argparse
import gc
import json
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from benchmarks import full_size
from benchmarks.embed import simulated_jpegs, titles
from mmrl.catalog import Catalog
from mmrl.catalog.keys import image_content
from mmrl.catalog.tables import CAPTIONS, IMAGES, POST_IMAGES, POSTS, SELECTION
from mmrl.config import Settings
from mmrl.encoders.caption import Kosmos2
from mmrl.encoders.device import loaded_models as loaded
from mmrl.encoders.device import threads
from mmrl.encoders.device.device import Place, choose_place
from mmrl.encoders.hub.checkpoint import checkpoint
from mmrl.encoders.profiles import ROLES, Profile, load_profile
from mmrl.pipeline import Silent, Stage, run_stage
from mmrl.pipeline.stages.caption import CaptionStage
from mmrl.pipeline.stages.embed import EmbedStage

AS_OF = datetime(2026, 6, 1, tzinfo=UTC)
BGE, VIT = "BAAI/bge-m3", "timm/vit_large_patch16_384.augreg_in21k_ft_in1k"
VISUAL, KOSMOS = "BAAI/bge-visualized", "microsoft/kosmos-2-patch14-224"


@dataclass
class Contents:
    """What the stages work on."""

    titles: list[str]
    images: list[bytes]


def filled(home: Path, contents: Contents, captioner: str) -> Catalog:
    """A catalog with these posts, each with its title, image and caption."""
    catalog = Catalog.open(home, create=True)
    posts, decided, images, links, captions = [], [], {}, [], {}
    for number, title in enumerate(contents.titles):
        post_id = f"p{number}"
        post = {"post_id": post_id, "title": title, "subreddit": "pics", "source": "table:bench"}
        posts.append(post | {"created_at": AS_OF, "first_seen_at": AS_OF})
        decided.append({"post_id": post_id, "rules": "r", "reason": None, "decided_at": AS_OF})
        if number >= len(contents.images):
            continue
        data = contents.images[number]
        sha256 = image_content(data)
        size = {"width": 1280, "height": 960, "format": "JPEG", "byte_size": len(data)}
        images[sha256] = {"sha256": sha256, "phash": "0" * 16, "bytes": data, **size}
        link = {"post_id": post_id, "sha256": sha256, "fetched_at": AS_OF, "final_url": "x:y"}
        links.append(link)
        captions[sha256] = {"sha256": sha256, "captioner": captioner, "text": title}
    for table, rows, schema in (
        ("posts", posts, POSTS),
        ("selection", decided, SELECTION),
        ("images", list(images.values()), IMAGES),
        ("post_images", links, POST_IMAGES),
        ("captions", list(captions.values()), CAPTIONS),
    ):
        catalog.upsert(table, pa.Table.from_pylist(rows, schema=schema))
    return catalog


def matmul_peak(place: Place) -> float:
    """Operations a second of a large matrix product, the best of a few sizes."""
    import torch

    best = 0.0
    for side in (8192, 16384) if place.on_gpu else (1024, 2048):
        left = torch.randn(side, side, device=place.torch_device, dtype=place.torch_dtype)
        right = torch.randn(side, side, device=place.torch_device, dtype=place.torch_dtype)
        for _ in range(4):
            seconds = timed(lambda left=left, right=right: left @ right, place, 10)
            best = max(best, 10 * 2 * side**3 / seconds)
    return best


def timed(call: Callable[[], object], place: Place, times: int = 1) -> float:
    """Seconds of so many calls, until the device has done them."""
    finish(place)
    started = time.perf_counter()
    for _ in range(times):
        call()
    finish(place)
    return time.perf_counter() - started


def finish(place: Place) -> None:
    """Waits for the device."""
    import torch

    if place.device.startswith("cuda"):
        torch.cuda.synchronize(place.torch_device)


def operations(call: Callable[[], object]) -> int:
    """Floating-point operations of a call, counted by torch."""
    from torch.utils.flop_counter import FlopCounterMode

    with FlopCounterMode(display=False) as counter:
        call()
    return int(counter.get_total_flops())


class Bench:
    """All cases over the same contents."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        self.place = choose_place(arguments.device, arguments.dtype)
        self.rounds = arguments.rounds
        on_gpu = self.place.on_gpu
        self.items = arguments.items or {
            "text": 20_000 if on_gpu else 32,
            "image": 4_096 if on_gpu else 6,
            "visual": 4_096 if on_gpu else 6,
            "caption": 256 if on_gpu else 2,
        }
        self.new_tokens = 64 if on_gpu else 12
        self.sizes = (32, 64, 128, 256) if on_gpu else (1, 4)
        found, real = titles(20_000)
        self.kind = found
        self.titles = [*real, *(f"{title} ({n})" for n in range(40) for title in real)]
        self.images = simulated_jpegs(64 if on_gpu else 16, 1280, 960)
        self.folder = Path(arguments.folder)
        self.device, self.dtype = arguments.device, arguments.dtype

    def profile(self, models: Sequence[str]) -> Profile:
        """The reference profile on full-size random weights of these models."""
        made = {name: full_size.make(name, self.folder, self.titles[:5_000]) for name in models}
        weights = {name: str(path) for name, path in made.items()}
        profile = load_profile(
            Settings(profile="reference", weights=weights, device=self.device, dtype=self.dtype)
        )
        if KOSMOS in models:  # with few new tokens, so that a CPU ends, too
            place = checkpoint(KOSMOS, weights, self.device, self.dtype)
            encoders = {role: getattr(profile, role)() for role in ROLES}
            encoders["captioner"] = Kosmos2(place, self.new_tokens)
            profile = Profile("reference", {}, "caption", encoders)
        return profile

    def contents(self, case: str, count: int) -> Contents:
        """So many distinct items; images differ in what follows the end of the JPEG."""
        images = []
        if case != "text":
            images = [
                self.images[n % len(self.images)] + n.to_bytes(4, "big") for n in range(count)
            ]
        return Contents(self.titles[:count], images)

    def bare(self, case: str, profile: Profile) -> Iterator[tuple[int, int, Callable[[], object]]]:
        """Batch sizes, how many items a call does, and the call of the network alone."""
        for size in self.sizes:
            yield size, *_BARE[case](self, profile, size)

    def stage(self, case: str, profile: Profile, count: int) -> tuple[float, float, int]:
        """Items a second of the stage, its seconds, and the peak of the host's memory."""
        with tempfile.TemporaryDirectory() as home:
            captioner = profile.ids["captioner"] if case == "visual" else "none"
            catalog = filled(Path(home), self.contents(case, count), captioner)
            stage: Stage = (
                CaptionStage("captioner", profile)
                if case == "caption"
                else EmbedStage(_SPACE[case], profile)
            )
            report = run_stage(stage, catalog, AS_OF, Silent())
            if report.done != count:
                raise SystemExit(f"{case}: {report.done} of {count} items were done")
            return count / report.seconds, report.seconds, report.peak_bytes

    def measure(self, case: str) -> dict[str, Any]:
        """All figures of one model."""
        import torch

        profile = self.profile(_MODELS[case])
        count = self.items[case] if isinstance(self.items, dict) else self.items
        few = self.contents(case, 16 if self.place.on_gpu else 2)
        encode = _ENCODE[case](profile)
        encode(few)  # loads the model and warms up
        bare: dict[int, float] = {}
        flops = 0.0
        with torch.inference_mode():
            for size, items, call in self.bare(case, profile):
                flops = operations(call) / items
                for _ in range(self.rounds):
                    bare[size] = max(bare.get(size, 0.0), items / timed(call, self.place))
        best = max(bare, key=lambda size: bare[size])
        stage, alone, small, large = 0.0, 0.0, 0, 0
        for _ in range(self.rounds):
            rate, _, peak = self.stage(case, profile, count)
            stage, small = max(stage, rate), max(small, peak)
            items = len(few.titles)
            single = [Contents([few.titles[n]], few.images[n : n + 1]) for n in range(items)]

            def loop(single: list[Contents] = single) -> None:
                for item in single:
                    encode(item)

            alone = max(alone, items / timed(loop, self.place))
        if case != "caption":
            large = self.stage(case, profile, 4 * count)[2]
        peak = matmul_peak(self.place)
        gc.collect()
        return {
            "bare": bare[best],
            "batch": best,
            "stage": stage,
            "one_at_a_time": alone,
            "items": count,
            "gigaflop_an_item": flops / 1e9,
            "matmul_peak_tflops": peak / 1e12,
            "share_of_peak": bare[best] * flops / peak,
            "peak_memory": small,
            "peak_memory_4x": large,
        }


_MODELS = {"text": [BGE], "image": [VIT], "visual": [VISUAL, BGE], "caption": [KOSMOS]}
_SPACE = {"text": "title", "image": "image", "visual": "visual"}
_ENCODE: dict[str, Callable[[Profile], Callable[[Contents], object]]] = {
    "text": lambda profile: lambda given: profile.title().encode(given.titles),
    "image": lambda profile: lambda given: profile.image().encode(given.images),
    "visual": lambda profile: lambda given: profile.visual().encode(given.images, given.titles),
    "caption": lambda profile: lambda given: profile.captioner().caption(given.images),
}


Bare = tuple[int, Callable[[], object]]


def _bare_text(bench: Bench, profile: Profile, size: int) -> Bare:
    """Titles of all lengths, sorted, so many at once."""
    net: Any = profile.title()._network()  # type: ignore[attr-defined]
    count = max(2_048 if bench.place.on_gpu else 32, size)
    tokens = sorted(net.tokenize(bench.titles[:count])[0], key=len)
    batches = [tokens[start : start + size] for start in range(0, count, size)]
    return count, lambda: [net.vectors(batch, 1) for batch in batches]


def _bare_image(bench: Bench, profile: Profile, size: int) -> Bare:
    net: Any = profile.image()._network()  # type: ignore[attr-defined]
    pixels = np.stack([net.prepare(bench.images[n % 8]) for n in range(size)])
    return size, lambda: net.vectors(pixels)


def _bare_caption(bench: Bench, profile: Profile, size: int) -> Bare:
    """Reading the prompt and writing the new tokens."""
    net: Any = profile.captioner()._network()  # type: ignore[attr-defined]
    pixels = np.stack([net.prepare(bench.images[n % 8]) for n in range(size)])
    return size, lambda: net.captions(pixels, bench.new_tokens)


def _bare_visual(bench: Bench, profile: Profile, size: int) -> Bare:
    """With titles of the middle length: the image's 256 tokens are most of an item."""
    net: Any = profile.visual()._network()  # type: ignore[attr-defined]
    tokens = sorted(net.tokenize(bench.titles[:512])[0], key=len)
    start = max(0, len(tokens) // 2 - size // 2)
    pixels = [net.prepare(bench.images[n % 8]) for n in range(size)]
    return size, lambda: net.together(pixels, tokens[start : start + size])


_BARE: dict[str, Callable[[Bench, Profile, int], Bare]] = {
    "text": _bare_text,
    "image": _bare_image,
    "visual": _bare_visual,
    "caption": _bare_caption,
}


def shown(case: str, figures: dict[str, Any], place: Place) -> str:
    """One model's figures in words."""
    share = figures["stage"] / figures["bare"]
    gain = figures["stage"] / figures["one_at_a_time"]
    lines = [
        f"{case}: {', '.join(_MODELS[case])} ({place.device}, {place.dtype})",
        f"  bare model     {figures['bare']:10.2f} items/s at a batch of {figures['batch']}, "
        f"{figures['share_of_peak']:.0%} of {figures['matmul_peak_tflops']:.2f} TFLOP/s "
        f"({figures['gigaflop_an_item']:.1f} GFLOP an item)",
        f"  stage          {figures['stage']:10.2f} items/s over {figures['items']:,} items, "
        f"{share:.0%} of the bare model",
        f"  one at a time  {figures['one_at_a_time']:10.2f} items/s; the stage is {gain:.1f} times "
        "that",
        f"  host memory    {figures['peak_memory'] / 1e9:.2f} GB at most",
    ]
    if figures["peak_memory_4x"]:
        lines[-1] += f", {figures['peak_memory_4x'] / 1e9:.2f} GB over four times as many items"
    return "\n".join(lines)


def main() -> None:
    """Prints the figures of each model as they come."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--only", default=",".join(_BARE))
    parser.add_argument("--items", type=int)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--dtype", default="auto")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    folder = Path(tempfile.gettempdir()) / "mmrl-full-size"
    parser.add_argument("--folder", default=str(folder), help="for the weights (14 GB)")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    threads.use_threads(arguments.threads)
    bench = Bench(arguments)
    kept = {}
    for case in arguments.only.split(","):
        kept[case] = bench.measure(case)
        if not arguments.json:
            print(shown(case, kept[case], bench.place), flush=True)
        loaded.unload()
    if arguments.json:
        print(json.dumps(kept))


if __name__ == "__main__":
    main()
