"""Profiles: the encoder of each space and the captioner, from a TOML file of this folder.

A profile is a file `NAME.toml` with a table for each of title, caption, image, visual and
captioner: `class` is `module:name`, the other entries are the class's arguments. An argument
`model` or `text_model` names a model of the hub and reaches the class as a `Checkpoint`. Classes
are cheap to make (see `encoders.protocols`), so ids are known without loading a model.
`models` holds the facts of the hub's models that it brings (see `hub.models`).
`visual_text` says which text is joined with the image: the title (by default) or the caption.
`base` names a profile whose tables stand in for those that this one lacks.
"""

import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from typing import Any, cast

from mmrl.catalog.columns import SPACES, TEXT
from mmrl.config import CaptionServerSettings, Settings
from mmrl.encoders.hub.checkpoint import Checkpoint, checkpoint
from mmrl.encoders.profile_files import profile_files
from mmrl.encoders.profiles.moved import MOVED
from mmrl.encoders.protocols import (
    Captioner,
    Encoder,
    Follower,
    ImageEncoder,
    TextEncoder,
    VisualEncoder,
)
from mmrl.errors import ConfigError

ROLES = (*SPACES, "captioner")
_MODELS = ("model", "text_model")  # arguments that name models of the hub


@dataclass(frozen=True)
class Profile:
    """A set of encoders.

    Attributes:
        name: as in the setting `profile`.
        shown_as: what people are told its captions and visual vectors are: "tags" is no caption.
        visual_text: the text that the visual encoder gets with the image: title or caption.
    """

    name: str
    shown_as: dict[str, str]
    visual_text: str
    _encoders: dict[str, Encoder]

    @property
    def ids(self) -> dict[str, str]:
        """Each role's encoder id: the four spaces, `captioner`, and `text`, the title's again."""
        ids = {role: encoder.id for role, encoder in self._encoders.items()}
        return {**ids, TEXT: ids["title"]}

    @property
    def dims(self) -> dict[str, int]:
        """Each space's number of dimensions; `text` has the title's."""
        dims = {space: cast(TextEncoder, self._encoders[space]).dim for space in SPACES}
        return {**dims, TEXT: dims["title"]}

    def follows(self, role: str) -> bool:
        """Whether a role's model makes what it makes of the vectors of this image encoder."""
        model = self._encoders[role]
        return isinstance(model, Follower) and model.follows == self._encoders["image"].id

    def title(self) -> TextEncoder:
        """Encodes titles, and flair, tags and texts that people bring."""
        return cast(TextEncoder, self._encoders["title"])

    def caption(self) -> TextEncoder:
        """Encodes captions."""
        return cast(TextEncoder, self._encoders["caption"])

    def image(self) -> ImageEncoder:
        """Encodes images."""
        return cast(ImageEncoder, self._encoders["image"])

    def visual(self) -> VisualEncoder:
        """Encodes an image and the text of `visual_text` together."""
        return cast(VisualEncoder, self._encoders["visual"])

    def captioner(self) -> Captioner:
        """Puts images into words."""
        return cast(Captioner, self._encoders["captioner"])

    def check(self) -> None:
        """Looks at every model's weights without loading them.

        Raises:
            WeightsError: one is missing, or not the recorded one.
        """
        for encoder in self._encoders.values():
            encoder.check()


def profile_names() -> list[str]:
    """The profiles there are."""
    return list(profile_files())


def load_profile(settings: Settings) -> Profile:
    """The profile that the settings name, with their weights, device and captioning server.

    The same settings give the same object within a process.

    Raises:
        ConfigError: there is no such profile, or its file or a setting is wrong.
    """
    return _load(
        settings.profile,
        tuple(sorted(settings.weights.items())),
        settings.device,
        settings.dtype,
        settings.caption_server.model_dump_json(),
    )


def profile_models(name: str) -> dict[str, tuple[str, ...]]:
    """The hub's models that serve each role of a profile; none where weights come in packages.

    Raises:
        ConfigError: there is no such profile.
    """
    profile = _read(name)
    entries = {role: profile.get(role, {}) for role in ROLES}
    return {
        role: tuple(entry[key] for key in _MODELS if key in entry)
        for role, entry in entries.items()
    }


def profile_classes(name: str) -> dict[str, str]:
    """The class that serves each role of a profile, as `module:name`.

    Raises:
        ConfigError: there is no such profile.
    """
    profile = _read(name)
    return {role: str(profile.get(role, {}).get("class", "")) for role in ROLES}


def _read(name: str) -> dict[str, Any]:
    known = profile_files()
    if name not in known:
        raise ConfigError(
            f"There is no profile {name!r}: set `profile` to one of {', '.join(known)}."
        )
    try:
        profile = tomllib.loads(known[name].read_text("utf-8"))
    except (OSError, ValueError) as error:  # of another package
        raise ConfigError(f"The profile {name!r} can't be read: {error}.") from error
    base = profile.pop("base", None)
    return profile if base is None else {**_read(str(base)), **profile}


@cache
def _load(
    name: str, weights: tuple[tuple[str, str], ...], device: str, dtype: str, server: str
) -> Profile:
    entries = _read(name)
    shown_as = {str(role): str(words) for role, words in entries.pop("shown_as", {}).items()}
    visual_text = entries.pop("visual_text", "title")
    entries.pop("models", None)  # see `hub.models`
    if set(entries) != set(ROLES) or visual_text not in ("title", "caption"):
        raise ConfigError(
            f"The profile {name!r} has {', '.join(sorted(entries)) or 'nothing'}, and the visual "
            f"text {visual_text!r}; it needs exactly {', '.join(ROLES)}, and title or caption."
        )

    def resolve(model: str) -> Checkpoint:
        return checkpoint(model, dict(weights), device, dtype)

    encoders = {role: _make(name, role, entries[role], resolve) for role in ROLES}
    server_settings = CaptionServerSettings.model_validate_json(server)
    if server_settings.base_url is not None:
        from mmrl.encoders.caption_server.server import ServerCaptions

        encoders["captioner"] = ServerCaptions(server_settings)
        for role in ("captioner", "caption"):
            shown_as.pop(role, None)  # they are captions now, whatever the profile has
    return Profile(name, shown_as, visual_text, encoders)


def _make(
    profile: str, role: str, entry: dict[str, Any], resolve: Callable[[str], Checkpoint]
) -> Encoder:
    arguments = {
        name: resolve(value) if name in _MODELS else value
        for name, value in entry.items()
        if name != "class"
    }
    path = str(entry.get("class", ""))
    if path in MOVED:
        raise ConfigError(
            f"The profile {profile!r} makes its {role} encoder from {path}, which has moved: give "
            f'class = "{MOVED[path]}".'
        )
    module, _, attribute = path.partition(":")
    try:
        return cast(Encoder, getattr(import_module(module), attribute)(**arguments))
    except (ImportError, AttributeError, TypeError, ValueError) as error:
        raise ConfigError(
            f"The profile {profile!r} can't make its {role} encoder from {entry}: {error}. "
            'Give class = "module:name" and the arguments of that class.'
        ) from error
