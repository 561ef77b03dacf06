"""Learns the real sets as a user would, and shows mmrl beside its baselines and others' figures.

    python -m benchmarks.real [lospec_palettes ...] [--split time authors] [--home FOLDER]
        [--posts N] [--json FILE] [--against autogluon --python PYTHON
        [--preset medium_quality] [--seconds N]]
    python -m benchmarks.real --table posts.csv [--feature flair_text ...] [...]

Sets lie in MMRL_SHARED_DATA (or ../shared/data). Each is imported by `mmrl import` into a home of
its own, its stages are run by `mmrl run` up to merge, and a model is trained and judged by
mmrl.learning. With --home the homes are kept, and a second run embeds nothing.

Splits: `time`, the last 25% of the posts are the test posts; `authors`, five folds, each judged by
a model that has not seen its authors' posts (sha256 of the author modulo 5; a post without an
author is a group of its own), its validation posts are of other authors again, all folds'
predictions pooled before the metrics are taken.

--table is a table of one's own, of posts whose scores are settled: its titles are learned from, and
what else `mmrl import table` finds in it, by time. --feature names columns that were known when a
post went up.

--against autogluon writes the facts that mmrl learns from as a CSV file and runs AutoGluon on them
in the environment of --python; see benchmarks/real/against.py for how to set it up.
"""

import argparse
import json
import os
import sys
import tempfile
import time
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.real.against import AutoGluon
from benchmarks.real.judge import FOLDS, Judged, judge_set, splits_of
from benchmarks.real.samples import load_set
from benchmarks.real.sets import SETS, SHARED, RealSet, SplitName, authors_of, set_of
from mmrl.learning.evaluation import evaluate
from mmrl.learning.evaluation.metrics import METRICS
from mmrl.version import __version__

_SHOWN = ("spearman", "rmse_log", "spearman_within", "pair_accuracy", "coverage_80", "width_80")
_HEADS = ("Spearman", "RMSE", "in sub", "pairs", "coverage", "width")
_TITLES = {"time": "last 25% by time", "authors": "folds by author, pooled"}


def main() -> None:
    """Prints a table a set and split."""
    given = _arguments()
    sets = SETS if given.table is None else (set_of(given.table, given.feature),)
    if given.table is None and not SHARED.is_dir():
        sys.exit(f"benchmarks.real: no real data in {SHARED}: set MMRL_SHARED_DATA to its folder.")
    with tempfile.TemporaryDirectory() as scratch:
        homes = given.home or Path(scratch)
        autogluon = None
        if given.against is not None:
            autogluon = AutoGluon(given.python, given.preset, homes / "autogluon", given.seconds)
            autogluon.check()
        found = [
            row
            for real in sets
            if real.name in (given.sets or [one.name for one in sets])
            for row in _set(real, homes, given.split, given.folds, given.posts, autogluon)
        ]
    facts = {
        "mmrl_version": __version__,
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "load": os.getloadavg()[0],
        "cpus": os.cpu_count(),
        "sets": found,
    }
    print(f"\n{facts['at']}, load {facts['load']:.1f} on {facts['cpus']} cores")
    if given.json is not None:
        given.json.write_text(json.dumps(facts, indent=1), encoding="utf-8")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.real",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    names = [real.name for real in SETS]
    parser.add_argument("sets", nargs="*", metavar="SET", help=f"all unless given: {names}")
    parser.add_argument("--table", type=Path, help="a table of your own, in place of the sets")
    parser.add_argument("--feature", nargs="+", default=[], metavar="COLUMN", help="of the table")
    parser.add_argument("--split", nargs="+", choices=list(_TITLES), default=list(_TITLES))
    parser.add_argument("--folds", type=int, default=FOLDS, help="by author; %(default)s")
    parser.add_argument("--home", type=Path, help="a folder to keep the homes in")
    parser.add_argument("--posts", type=int, help="only so many posts of each set, evenly spread")
    parser.add_argument("--json", type=Path, help="a file to write the figures to")
    parser.add_argument("--against", choices=["autogluon"], help="another learner, side by side")
    parser.add_argument("--python", type=Path, help="the Python of AutoGluon's environment")
    parser.add_argument("--preset", default="medium_quality", help="AutoGluon's")
    parser.add_argument("--seconds", type=float, help="that AutoGluon may learn; any, if not given")
    given = parser.parse_args()
    if given.folds < 2:
        parser.error(f"--folds {given.folds}: expected 2 or more")
    if given.table is not None and (given.sets or not given.table.is_file()):
        parser.error(f"--table takes the place of sets, and {given.table} must be a file")
    if unknown := sorted(set(given.sets) - set(names)):
        parser.error(f"no set {', '.join(unknown)}: sets are {', '.join(names)}")
    if given.against is not None and given.python is None:
        parser.error("--against autogluon needs --python, the Python of AutoGluon's environment")
    return given


def _set(
    real: RealSet,
    homes: Path,
    splits: list[SplitName],
    folds: int,
    most: int | None,
    autogluon: AutoGluon | None,
) -> list[dict[str, Any]]:
    """A set's results, printed as they come."""
    started = time.perf_counter()
    loaded = load_set(real, homes, most)
    samples, settings, notes = loaded.samples, loaded.settings, loaded.notes
    print(
        f"\n{real.name}: {samples.num_rows:,} posts with a label, "
        f"{time.perf_counter() - started:.0f} s to have their samples"
    )
    authors = authors_of(real) if "authors" in real.splits else {}
    rows = []
    for name in real.splits:
        if name not in splits:
            continue
        parts = splits_of(name, samples, authors, settings, folds)
        judged = judge_set(samples, parts, settings, loaded.encoders, autogluon)
        _print(real, name, judged)
        rows.append(_row(real, name, judged, notes))
    for note in notes:
        print(f"  {note}")
    return rows


def _print(real: RealSet, name: SplitName, judged: Judged) -> None:
    parts = "/".join(f"{number:,}" for number in judged.posts.values())
    print(f"\n  {_TITLES[name]}, posts {parts}, {judged.seconds:.0f} s")
    print(
        f"  {'':56} {'Spearman [95%]':22}"
        + "".join(f"{head:>9}" for head in _HEADS[1:])
        + f"{'seconds':>9}"
    )
    for result in judged.judgement.results.values():
        cells = []
        for metric in _SHOWN:
            measure = result.metrics.get(metric)
            cells.append("" if measure is None else METRICS[metric].written(measure.value))
        spearman = result.metrics["spearman"]
        if spearman is not None and spearman.interval is not None:
            low, high = (METRICS["spearman"].written(end) for end in spearman.interval)
            cells[0] += f" [{low}, {high}]"
        seconds = "" if result.seconds is None else f"{result.seconds:.1f}"
        print(
            f"  {result.label:56} {cells[0]:22}"
            + "".join(f"{cell:>9}" for cell in cells[1:])
            + f"{seconds:>9}"
        )
    for anchor in real.anchors.get(name, ()):
        label = f"* {anchor.label}"
        print(f"  {label:56} {anchor.spearman:<22.3f}{anchor.rmse_log:>9.3f}")
    if real.anchors:
        print("  * an anchor of the data's README, not run here")
    print(f"  {_verdict(judged)}")


def _verdict(judged: Judged) -> str:
    results = judged.judgement.results
    labels = {name: result.label for name, result in results.items()}
    return evaluate.verdict(evaluate.differences(judged.judgement), labels)[1]


def _row(real: RealSet, name: SplitName, judged: Judged, notes: list[str]) -> dict[str, Any]:
    models = {}
    for key, result in judged.judgement.results.items():
        models[key] = {
            "label": result.label,
            "kind": result.kind,
            "seconds": result.seconds,
            "metrics": {
                metric: None if measure is None else asdict(measure)
                for metric, measure in result.metrics.items()
            },
        }
    return {
        "set": real.name,
        "split": name,
        "posts": judged.posts,
        "seconds": judged.seconds,
        "models": models,
        "verdict": _verdict(judged),
        "anchors": [asdict(anchor) for anchor in real.anchors.get(name, ())],
        "notes": notes,
    }


if __name__ == "__main__":
    main()
