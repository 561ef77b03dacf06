"""Shares of a stage: the number of actors, and what each takes of the cluster and its limits."""

import sys
from dataclasses import dataclass

from mmrl.config import Settings
from mmrl.stages import StageInfo


@dataclass(frozen=True)
class Shares:
    """How a stage is shared out.

    Attributes:
        actors: how many do it.
        cpus, gpus: of the cluster, for each of them.
    """

    actors: int
    cpus: float
    gpus: float


def shares_of(
    info: StageInfo, settings: Settings, nodes: list[dict[str, float]], chunks: int
) -> Shares:
    """The actors of a stage on a cluster.

    Args:
        nodes: what each machine has, as Ray counts it, such as `{"CPU": 8.0, "GPU": 1.0}`.
        chunks: of the pending work; more actors would have nothing to do.
    """
    ray = settings.ray
    cpus = sum(node.get("CPU", 0.0) for node in nodes)
    gpus = sum(node.get("GPU", 0.0) for node in nodes)
    each_gpus = 0.0
    if runs_model(info, settings):
        each_gpus = (1.0 if gpus else 0.0) if ray.gpus_per_actor is None else ray.gpus_per_actor
    largest = max((node.get("CPU", 0.0) for node in nodes), default=0.0)
    each_cpus = min(ray.cpus_per_actor, largest or 1.0)
    actors = ray.actors
    if actors is None:
        actors = int(gpus / each_gpus) if each_gpus else int(cpus / each_cpus)
    most = min(chunks, *_limits(info, settings))
    return Shares(max(1, min(actors, most)), each_cpus, each_gpus)


def runs_model(info: StageInfo, settings: Settings) -> bool:
    """True where a stage's worker holds a model that wants a GPU; a server's captioner does not."""
    served = info.role == "captioner" and settings.caption_server.base_url is not None
    return info.role is not None and not served


def _limits(info: StageInfo, settings: Settings) -> list[int]:
    """The limits of a run that the stage's actors share; each of them gets at least 1."""
    if info.name == "fetch-images":
        return [settings.images.concurrency, settings.images.per_host]
    budget = settings.caption_server.budget
    return [budget] if info.role == "captioner" and budget is not None else [sys.maxsize]


def share_of(settings: Settings, shares: Shares) -> Settings:
    """The settings of one actor: a run's limits towards others hold for all its actors together.

    `images.concurrency` and `images.per_host` spare other people's servers, and
    `caption_server.budget` a purse; each actor gets its part of them, and at least 1.
    `caption_server.concurrency` is of each actor, for that server is one's own.
    """
    images = settings.images
    own = images.model_copy(
        update={
            "concurrency": max(1, images.concurrency // shares.actors),
            "per_host": max(1, images.per_host // shares.actors),
        }
    )
    captions = settings.caption_server
    if captions.budget is not None:
        captions = captions.model_copy(update={"budget": max(1, captions.budget // shares.actors)})
    # Ray shows an actor its GPUs alone, so `auto` finds them; without any it must not look.
    device = "cpu" if settings.device == "auto" and not shares.gpus else settings.device
    return settings.model_copy(update={"images": own, "caption_server": captions, "device": device})
