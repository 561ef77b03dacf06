"""A package that adds one of each to mmrl by entry points, installed as a wheel is."""

import subprocess
import sys
import zipfile
from pathlib import Path

_FILES = {
    "my_package/__init__.py": "",
    "my_package/colours.toml": (
        'base = "packaged"\n[image]\nclass = "my_package.colours:MeanColour"\n'
        '[captioner]\nclass = "my_package.colours:Sizes"\n'
    ),
    "my_package/colours.py": """
import numpy as np

from mmrl.encoders.protocols import Caption
from mmrl.images.decode import open_rgb


class MeanColour:
    id, dim, truncated = "mean-colour@1+rgb", 3, 0

    def check(self): ...

    def encode(self, images):
        pixels = [np.asarray(open_rgb(image)).reshape(-1, 3) for image in images]
        return np.array([of_image.mean(axis=0) / 255 for of_image in pixels], np.float32)


class Sizes:
    id = "sizes@1"

    def check(self): ...

    def caption(self, images):
        return [Caption("a large file" if len(image) > 100_000 else "") for image in images]
""",
    "my_package/lines.py": """
from mmrl.sources.files.dump import DumpSource
from mmrl.sources.kinds import Kind

KIND = Kind(
    "lines",
    reader="my_package.lines:Lines",
    suffixes=(".lines",),
    help="Imports lines of my own.",
    example="mmrl import lines posts.lines",
)


class Lines(DumpSource): ...
""",
    "my_package/nearest.py": """
import json

import numpy as np

from mmrl.learning.baselines import Baseline


class Nearest:
    label = "The mean of each community"

    def __init__(self, means):
        self.means = means

    @classmethod
    def fit(cls, learn, choose, seed):
        numbers, target = learn.inputs.subreddit, learn.target
        means = {str(n): float(target[numbers == n].mean()) for n in np.unique(numbers)}
        return cls({"": float(target.mean()), **means})

    def predict(self, inputs):
        return np.array([self.means.get(str(n), self.means[""]) for n in inputs.subreddit])

    def save(self, stem):
        stem.with_suffix(".json").write_text(json.dumps(self.means))

    def facts(self):
        return {}

    @classmethod
    def load(cls, stem, facts):
        return cls(json.loads(stem.with_suffix(".json").read_text()))


def overall_mean(task):
    return np.full(len(task.test.target), task.both.target.mean())


OVERALL = Baseline("overall_mean", "Mean of all posts", overall_mean)
""",
}
_ENTRY_POINTS = """
[mmrl.profiles]
colours = my_package
[mmrl.sources]
lines = my_package.lines:KIND
[mmrl.learners]
nearest = my_package.nearest:Nearest
[mmrl.baselines]
overall = my_package.nearest:OVERALL
"""
_METADATA = "Metadata-Version: 2.1\nName: my-package\nVersion: 1.0\n"
_WHEEL = "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"


def install(folder: Path, **changed: str) -> Path:
    """Installs the package into a folder, which then stands on PYTHONPATH.

    Args:
        changed: other entry points, by group.
    """
    info = "my_package-1.0.dist-info"
    entry_points = _ENTRY_POINTS
    if changed:
        entry_points = "\n".join(f"[mmrl.{group}]\n{line}" for group, line in changed.items())
    files = {
        **_FILES,
        f"{info}/METADATA": _METADATA,
        f"{info}/WHEEL": _WHEEL,
        f"{info}/entry_points.txt": entry_points,
    }
    record = "".join(f"{name},,\n" for name in [*files, f"{info}/RECORD"])
    wheel = folder / "my_package-1.0-py3-none-any.whl"
    folder.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(wheel, "w") as archive:
        for name, text in {**files, f"{info}/RECORD": record}.items():
            archive.writestr(name, text)
    target = folder / "site"
    uv = Path(sys.executable).parent / "uv"
    options = ["--quiet", "--offline", "--no-deps", "--python", sys.executable, "--target", target]
    subprocess.run([uv, "pip", "install", *options, wheel], check=True, capture_output=True)
    return target
