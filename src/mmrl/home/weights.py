"""Weights of a home's profile, or of another: what is there, and what comes from the hub."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from mmrl.config import Settings
    from mmrl.encoders.hub.download import Plan
    from mmrl.encoders.hub.models import HubModel
    from mmrl.runtime.progress import Progress

SHORT = 12  # digits of a revision, as in an encoder's id


def kept_in() -> "Path":
    """The folder of this machine that models of the hub are kept in."""
    from mmrl.encoders.hub.cache import cache_folder

    return cache_folder()


def fetch(
    settings: "Settings",
    models: Sequence[str],
    profile: str | None,
    bars: "Callable[[], AbstractContextManager[Progress]]",
    tell: Callable[[str], None],
) -> list[str]:
    """Downloads models at their pinned revisions; see `Home.fetch_weights`.

    Args:
        bars: shows the download; a sentence told beside them would not reach a file.
        tell: is given, sentence by sentence, what comes, how much and where to, and what does not.
    """
    from mmrl.encoders.hub import download
    from mmrl.encoders.hub.cache import cache_folder
    from mmrl.encoders.hub.models import gigabytes

    absent = _absent(settings, models, profile, tell)
    if not absent:
        return []
    plans = [download.plan(model) for model in absent]
    free = download.free_space()
    tell(f"To fetch into {cache_folder()}:")
    for plan in plans:
        tell(_line(plan))
    left = sum(plan.left for plan in plans)
    tell(f"{gigabytes(left)} to come; {gigabytes(free)} are free there.")
    download.require_space(plans, free)
    with bars() as progress:
        for plan in plans:
            download.fetch(plan, progress)
    tell("All weights are there.")
    return [plan.model.name for plan in plans]


def _line(plan: "Plan") -> str:
    """A model that is to be fetched: its commit, size, licence."""
    from mmrl.encoders.hub.models import gigabytes

    model = plan.model
    came = f", {gigabytes(plan.came)} of it came before" if plan.came else ""
    return (
        f"  {model.name} at {plan.commit[:SHORT]}: {gigabytes(plan.size)}{came}; "
        f"licence {model.licence}" + (f"; {model.note}" if model.note else "")
    )


def _absent(
    settings: "Settings", names: Sequence[str], profile: str | None, tell: Callable[[str], None]
) -> "list[HubModel]":
    """The models to fetch; says of each other one why it is not."""
    from mmrl.encoders.hub.checkpoint import checkpoint
    from mmrl.encoders.weights import needed

    if not names:
        chosen = profile or settings.profile
        names = list(needed(chosen, settings))
        if not names:
            tell(
                f"The profile {chosen} takes nothing from the hub: its weights come in packages. "
                "For another: mmrl weights fetch --profile reference"
            )
    absent = []
    for name in dict.fromkeys(names):
        place = checkpoint(name, settings.weights, settings.device, settings.dtype)
        if place.local is not None:
            tell(f"{name} is taken from {place.local} ([weights] in mmrl.toml): not fetched.")
        elif not place.missing():
            tell(f"{name} is there: {place.expected_at}")
        else:
            absent.append(place.model)
    return absent
