"""Weights that profiles need, and what of them is on this machine."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from mmrl.config import Settings
from mmrl.encoders.hub import cache as hub_cache
from mmrl.encoders.hub.checkpoint import Checkpoint, checkpoint
from mmrl.encoders.hub.models import gigabytes
from mmrl.encoders.packaged.weights import EFFICIENTNET_LITE2, MINILM, Weights
from mmrl.encoders.profiles import profile_classes, profile_models, profile_names
from mmrl.errors import WeightsError

# Whose weights come in packages.
_PACKAGES = {
    "mmrl.encoders.packaged.minilm:MiniLM": (MINILM,),
    "mmrl.encoders.packaged.efficientnet:EfficientNetLite2": (EFFICIENTNET_LITE2,),
    "mmrl.encoders.packaged.labels:LabelBridge": (EFFICIENTNET_LITE2, MINILM),
    "mmrl.encoders.packaged.labels:Tags": (EFFICIENTNET_LITE2,),
}


@dataclass(frozen=True)
class Listed:
    """One model of a profile.

    Attributes:
        roles: what it serves: title, caption, image, visual, captioner.
        kind: where it comes from.
        revision: the commit or the start of a SHA-256; "" while it is not known.
        size_bytes: of the files needed.
        held_bytes: of them that are there.
        path: the folder or file, where there is one.
        detail: for people, what `state` leaves open; may be "".
    """

    profile: str
    roles: tuple[str, ...]
    model: str
    kind: Literal["hub", "local folder", "package"]
    licence: str
    size_bytes: int
    revision: str
    state: Literal["there", "partly there", "not there", "wrong"]
    held_bytes: int
    path: str | None
    detail: str = ""
    note: str = ""

    @property
    def size(self) -> str:
        """The size for people; "" where it is not known."""
        return gigabytes(self.size_bytes) if self.size_bytes else ""

    def as_dict(self) -> dict[str, object]:
        """For `--json`."""
        return asdict(self)


def hub_profiles() -> list[str]:
    """The profiles with models of the hub."""
    return [name for name in profile_names() if any(profile_models(name).values())]


def needed(profile: str, settings: Settings) -> dict[str, tuple[str, ...]]:
    """The hub's models that a profile needs under these settings, each with the roles it serves.

    A captioning server stands in for the captioner, whose model is then not needed.

    Raises:
        ConfigError: there is no such profile.
    """
    roles: dict[str, tuple[str, ...]] = {}
    for role, models in profile_models(profile).items():
        if role == "captioner" and settings.caption_server.base_url is not None:
            continue
        for model in models:
            roles[model] = (*roles.get(model, ()), role)
    return roles


def list_weights(settings: Settings, profiles: Sequence[str]) -> list[Listed]:
    """What is known of every model of these profiles.

    Raises:
        ConfigError: there is no such profile, or a folder under `weights` is none.
    """
    listed: list[Listed] = []
    for profile in profiles:
        for model, roles in needed(profile, settings).items():
            place = checkpoint(model, settings.weights, settings.device, settings.dtype)
            listed.append(_of_hub(profile, roles, place))
        listed.extend(_of_packages(profile))
    return listed


def _of_hub(profile: str, roles: tuple[str, ...], place: Checkpoint) -> Listed:
    model, folder, missing = place.model, place.expected_at, place.missing()
    held = [] if folder is None else [folder / name for name in model.files if name not in missing]
    if place.local is None:
        held += hub_cache.partials(model)
    held_bytes = sum(path.stat().st_size for path in held)
    state: Literal["there", "partly there", "not there", "wrong"]
    state = "there" if not missing else "partly there" if held_bytes else "not there"
    revision, detail = model.revision if place.local is None else "", ""
    if place.local is not None:
        try:
            revision = place.revision
        except WeightsError as error:
            state, detail = ("wrong" if state == "there" else state), str(error)
    elif state == "partly there":
        detail = f"{gigabytes(held_bytes)} of {gigabytes(model.size_bytes)}"
    return Listed(
        profile=profile,
        roles=roles,
        model=model.name,
        kind="hub" if place.local is None else "local folder",
        licence=model.licence,
        size_bytes=model.size_bytes,
        revision=revision,
        state=state,
        held_bytes=held_bytes,
        path=None if folder is None else str(folder),
        detail=detail,
        note=model.note,
    )


def _of_packages(profile: str) -> Iterator[Listed]:
    roles: dict[Weights, tuple[str, ...]] = {}
    for role, name in profile_classes(profile).items():
        for weights in _PACKAGES.get(name, ()):
            roles[weights] = (*roles.get(weights, ()), role)
    for weights, served in roles.items():
        path: Path | None = None
        try:
            path, detail = weights.path(), "the recorded SHA-256"
        except WeightsError as error:
            detail = str(error)
        size = path.stat().st_size if path is not None else 0
        yield Listed(
            profile=profile,
            roles=served,
            model=f"{weights.model} ({weights.distribution})",
            kind="package",
            licence=weights.licence,
            size_bytes=size,
            revision=weights.revision,
            state="there" if path is not None else "wrong",
            held_bytes=size,
            path=None if path is None else str(path),
            detail=detail,
        )
