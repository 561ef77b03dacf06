"""Checks of a home and this machine: what is there, what is missing, how to mend it."""

import importlib.metadata
import os
import shutil
import sys
from collections.abc import Callable
from contextlib import closing
from dataclasses import asdict, dataclass
from typing import Literal

from mmrl.catalog import Catalog
from mmrl.config import FILE, Settings, load_settings
from mmrl.errors import MmrlError, NotFoundError, WeightsError
from mmrl.soundness import check
from mmrl.sources.arctic_shift.source import ArcticShiftSource
from mmrl.sources.kinds import ARCTIC_SHIFT, LIVE, Kind
from mmrl.storage.location import Location
from mmrl.storage.opening import storage_of

_LEAST_FREE_BYTES = 2 * 1024**3
_PATIENCE = 20.0  # seconds that a live source is asked again for
State = Literal["ok", "missing", "wrong"]


@dataclass(frozen=True)
class Finding:
    """The result of one check.

    Attributes:
        state: `ok`; `missing` where something can't be done without it; `wrong` where mmrl can't
            work until it is mended.
    """

    what: str
    state: State
    detail: str
    mend: str = ""

    def as_dict(self) -> dict[str, str]:
        """For `--json`."""
        return asdict(self)


def examine(home: str, live: bool = False) -> list[Finding]:
    """All findings for a home, in the order a person would mend them.

    Args:
        live: also send each live source one request, where there are the credentials that it
            needs, and compare its answer.
    """
    findings = [_python(), _home(home), *_soundness(home)]
    try:
        settings = load_settings(home)
        there = storage_of(home).exists(FILE)
        files = str(Location.of(home).join(FILE)) if there else f"defaults (no {FILE})"
        own = sorted(
            name
            for name in os.environ
            if name.startswith("MMRL_")
            and name.removeprefix("MMRL_").partition("__")[0].lower() in Settings.model_fields
        )
        findings.append(Finding("settings", "ok", ", then ".join([files, *own])))
    except MmrlError as error:
        return [*findings, Finding("settings", "wrong", str(error), "correct that setting")]
    checks: list[Callable[[], Finding]] = [
        lambda: _encoders(settings),
        lambda: _devices(settings),
        *([_text_reader] if settings.read_text else []),
        *([lambda: _cluster(settings)] if settings.engine == "ray" else []),
        lambda: _disk(home),
    ]
    sources = [*_credentials(home, settings), _arctic_shift(settings)]
    if live:
        sources += [_ask(kind, home, settings) for kind in LIVE]
    return [*findings, *sources, *(check() for check in checks)]


def _python() -> Finding:
    packages = ("torch", "tensorflow-cpu", "tensorflow", "lancedb", "mlflow", "praw")
    versions = [f"Python {sys.version.split()[0]}"]
    for package in packages:
        try:
            versions.append(f"{package} {importlib.metadata.version(package)}")
        except importlib.metadata.PackageNotFoundError:
            continue
    return Finding("software", "ok", ", ".join(versions))


def _home(home: str) -> Finding:
    try:
        catalog = Catalog.open(home)
        counts = f"{catalog.count('posts'):,} posts, {catalog.count('images'):,} images"
    except NotFoundError:
        return Finding("home", "wrong", f"none at {home}", f"mmrl init {home}, or another --home")
    except MmrlError as error:  # its sentence says how to mend it
        return Finding("home", "wrong", str(error))
    return Finding("home", "ok", f"{catalog.home}: {counts}")


def _soundness(home: str) -> list[Finding]:
    """Whether tables open, models load and the images of a sample are what their hash says."""
    try:
        if not storage_of(home).folders("catalog"):
            return []
        damages = list(check(home))
    except MmrlError as error:
        return [Finding("soundness", "wrong", str(error))]
    if not damages:
        return [Finding("soundness", "ok", "tables open, models load, images agree with hashes")]
    return [
        Finding(
            damage.what,
            "wrong",
            damage.broken,
            f"`mmrl repair`: {damage.way_out}" if damage.mend else damage.way_out,
        )
        for damage in damages
    ]


def _credentials(home: str, settings: Settings) -> list[Finding]:
    """One finding, or two where observations have a client of their own."""
    reddit = settings.reddit
    sites = dict.fromkeys((reddit.site, reddit.observe_site or reddit.site))
    return [_site(home, site) for site in sites]


def _site(home: str, site: str) -> Finding:
    from mmrl.sources.reddit.credentials import find_credentials

    try:
        credentials = find_credentials(home, site)
    except MmrlError as error:  # its sentence says how to mend it
        return Finding("Reddit credentials", "wrong", str(error))
    if credentials is None:
        location = Location.of(home)
        own = location.join("praw.ini") if location.is_local else "a praw.ini here or in ~/.config"
        return Finding(
            "Reddit credentials",
            "missing",
            f"no [{site}] with client_id, client_secret in any praw.ini",
            f"fill in {own}; or collect from arctic-shift, which needs none",
        )
    return Finding("Reddit credentials", "ok", f"[{site}] in {credentials}")


def _arctic_shift(settings: Settings) -> Finding:
    own = settings.arctic_shift
    detail = f"{own.base_url}, which needs no credentials"
    detail += f", and does not tell {'; '.join(ArcticShiftSource.traits.unknown)}"
    if settings.source.live == ARCTIC_SHIFT.name:
        detail += "; the home's source (source.live)"
    if own.contact:
        return Finding(ARCTIC_SHIFT.name, "ok", f"{detail}; contact {own.contact}")
    mend = "set arctic_shift.contact in mmrl.toml, so that its maintainer can reach you"
    return Finding(ARCTIC_SHIFT.name, "missing", f"{detail}; no contact", mend)


def _ask(kind: Kind, home: str, settings: Settings) -> Finding:
    """Sends a live source one request for the newest posts of a followed subreddit."""
    from mmrl.sources.arctic_shift.shape import differences
    from mmrl.sources.connection import can_ask, connect_live
    from mmrl.sources.live import Unreachable

    name = (settings.reddit.subreddits or ["pics"])[0]
    what = f"{kind.name}, asked for r/{name}"
    # Without a source that is not its own a home works all the same.
    bad: State = "wrong" if kind.name == settings.source.live else "missing"
    try:
        if not can_ask(kind, settings, home):
            mend = "fill in the credentials, where you have some"
            return Finding(f"{kind.name}, not asked", "missing", "no credentials", mend)
        source, transport = connect_live(kind, settings, home)
        transport.patience = _PATIENCE
        posts, _ = source.newest([name])
    except (MmrlError, Unreachable) as error:
        return Finding(what, bad, str(error))
    if not posts:
        return Finding(what, bad, "no post", "correct reddit.subreddits, or try again later")
    unlike = differences(posts, transport.now()) if kind is ARCTIC_SHIFT else []
    if unlike:
        mend = "see whether the API's page tells of a change, and report it to mmrl's project"
        return Finding(what, bad, "; ".join(unlike), mend)
    return Finding(what, "ok", f"{len(posts):,} posts, of the form that mmrl reads")


def _encoders(settings: Settings) -> Finding:
    from mmrl.encoders.profiles import load_profile, profile_models

    try:
        profile = load_profile(settings)
        profile.check()
    except WeightsError as error:
        models = any(profile_models(settings.profile).values())
        mend = f"mmrl weights fetch --profile {settings.profile}" if models else ""
        return Finding(f"encoders ({settings.profile})", "wrong", str(error), mend)
    except MmrlError as error:
        return Finding(f"encoders ({settings.profile})", "wrong", str(error))
    # What follows @ pins weights and preparation: `mmrl models show` has it.
    names = (f"{role} {name.partition('@')[0]}" for role, name in profile.ids.items())
    return Finding(f"encoders ({settings.profile})", "ok", ", ".join(names))


def _text_reader() -> Finding:
    from importlib.util import find_spec

    missing = [name for name in ("rapidocr", "onnxruntime") if find_spec(name) is None]
    if missing:
        detail = f"read_text is on, and {' and '.join(missing)} not installed"
        return Finding("text in images", "wrong", detail, "pip install 'mmrl[ocr]'")
    return Finding("text in images", "ok", f"rapidocr {importlib.metadata.version('rapidocr')}")


def _cluster(settings: Settings) -> Finding:
    """What Ray is installed, and what the cluster has where one is named."""
    from mmrl.pipeline.cluster import Cluster, what_is_there

    try:
        with closing(Cluster(settings)) as cluster:
            version = f"Ray {importlib.metadata.version('ray')}"
            if cluster.address is None:
                return Finding("cluster", "ok", f"{version}, on this machine alone while it works")
            return Finding(
                "cluster", "ok", f"{version} at {cluster.address}: {what_is_there(cluster.nodes())}"
            )
    except MmrlError as error:  # its sentence says how to mend it
        return Finding("cluster", "wrong", str(error))


def _devices(settings: Settings) -> Finding:
    from mmrl.encoders.device.device import choose_place

    try:
        place = choose_place(settings.device, settings.dtype)
    except MmrlError as error:
        return Finding("device", "wrong", str(error))
    detail = f"{place.device}, {place.dtype} ({place.reason})"
    if settings.profile == "packaged":
        detail += "; the packaged profile's small models run on the CPU in float32 anywhere"
    return Finding("device", "ok", f"{detail}; {settings.threads or os.cpu_count()} CPU threads")


def _disk(home: str) -> Finding:
    location = Location.of(home)
    if not location.is_local:
        return Finding("disk", "ok", "object store")
    folder = location.path.absolute()
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    space = f"{free / 1024**3:,.1f} GiB free"
    if free < _LEAST_FREE_BYTES:
        return Finding("disk", "wrong", space, "free some space: 2 GiB is the least to work with")
    return Finding("disk", "ok", space)
