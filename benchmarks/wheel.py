"""The wheel as a stranger installs it: built, installed in a fresh environment, tried, weighed.

    python -m benchmarks.wheel --python 3.13
    python -m benchmarks.wheel --python 3.11 --extra ocr --extra ray

Builds the wheel with `uv build`, installs it alone (no source tree beside it) with the pinned
versions as constraints, runs `mmrl doctor`, a small demo and a prediction of one of its pictures,
and prints the sizes of what was installed as JSON. Each extra is installed after that and weighed.
`--torch cpu` takes torch's CPU build, `cu126` and the like one for CUDA, as uv names them; with the
variable UV_FIND_LINKS set, torch comes from there instead.
"""

import argparse
import json
import os
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
CONSTRAINTS = ROOT / "requirements" / "constraints.txt"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--python", default="3.11")
    parser.add_argument("--posts", type=int, default=500, help="of the demo; 0: install alone")
    parser.add_argument("--torch", default="cpu", help="uv's name of torch's build")
    parser.add_argument("--extra", action="append", default=[], help="repeatable")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        print(json.dumps(tried(Path(folder), asked), indent=2))


def tried(folder: Path, asked: argparse.Namespace) -> dict[str, Any]:
    """What came of building, installing and running."""
    _uv("build", "--quiet", "--wheel", "--out-dir", folder, ROOT)
    (wheel,) = folder.glob("mmrl-*.whl")
    place = folder / "env"
    _uv("venv", "--quiet", "--python", asked.python, place)
    began = time.monotonic()
    _install(place, asked.torch, str(wheel))
    result: dict[str, Any] = {
        "python": _output(place / "bin" / "python", "--version"),
        "wheel_kb": round(wheel.stat().st_size / 1000),
        "install_seconds": round(time.monotonic() - began),
        "installed_mb": size(place),
        "largest_mb": dict(largest(place)),
    }
    if asked.posts:
        result |= runs(folder, place / "bin" / "mmrl", asked.posts)
    for extra in asked.extra:
        before = size(place)
        _install(place, asked.torch, f"mmrl[{extra}] @ {wheel.as_uri()}")
        result[f"extra_{extra}_mb"] = size(place) - before
    return result


def runs(folder: Path, mmrl: Path, posts: int) -> dict[str, Any]:
    """Doctor, demo and a prediction, outside of any source tree."""
    home = folder / "demo"
    seconds: dict[str, Any] = {}

    def run(name: str, *words: object) -> str:
        began = time.monotonic()
        output = _output(mmrl, *words, cwd=folder)
        seconds[f"{name}_seconds"] = round(time.monotonic() - began, 1)
        return output

    report = json.loads(run("demo", "demo", "--home", home, "--posts", posts, "--json"))
    findings = json.loads(run("doctor", "doctor", "--home", home, "--json"))
    told = json.loads(
        run(
            *("predict", "predict", home / "pictures" / "1.jpg", "--title", "Sunrise"),
            *("--subreddit", "SimScenes", "--home", home, "--as-of", report["as_of"], "--json"),
        )
    )
    wrong = [finding["what"] for finding in findings if finding["state"] == "wrong"]
    return {
        **seconds,
        "doctor_wrong": wrong,
        "trained_version": report["model_version"],
        "predicted_score": told["score"],
    }


def size(place: Path) -> int:
    """Megabytes of an environment's packages on the disk, each file once."""
    files = {}
    for path in place.rglob("*"):
        if path.is_file() and not path.is_symlink():
            status = path.stat()
            files[status.st_ino] = status.st_blocks * 512
    return round(sum(files.values()) / 1e6)


def largest(place: Path, most: int = 8) -> list[tuple[str, int]]:
    """The packages' folders that take most, in megabytes."""
    (packages,) = place.glob("lib/python*/site-packages")
    sizes = [(path.name, size(path)) for path in packages.iterdir() if path.is_dir()]
    return sorted(sizes, key=lambda one: -one[1])[:most]


def _install(place: Path, torch: str, what: str) -> None:
    build = [] if os.environ.get("UV_FIND_LINKS") else ["--torch-backend", torch]
    _uv("pip", "install", "--quiet", "--python", place, "-c", CONSTRAINTS, *build, what)


def _uv(*words: object) -> None:
    subprocess.run(["uv", *map(str, words)], check=True)


def _output(program: Path, *words: object, cwd: Path | None = None) -> str:
    ours = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [program, *map(str, words)], env=ours, cwd=cwd, text=True, stdout=subprocess.PIPE
    )
    if done.returncode not in (0, 1):  # doctor ends with 1 where something is missing
        raise SystemExit(f"{program.name} {words[0]} ended with {done.returncode}")
    return done.stdout.strip()


if __name__ == "__main__":
    main()
