"""The connection to Ray: made when a first stage has work, ended with the run."""

import logging
import os
import warnings
from datetime import datetime
from functools import partial
from importlib.util import find_spec
from itertools import count
from typing import Any

from mmrl.catalog import Catalog
from mmrl.config import Settings
from mmrl.errors import ConfigError, Failure, first_line
from mmrl.pipeline.cluster.actor import Job, StageActor
from mmrl.pipeline.cluster.executor import work_on_cluster
from mmrl.pipeline.cluster.pool import ACTOR_CHUNKS, Pool
from mmrl.pipeline.cluster.shares import Shares, share_of, shares_of
from mmrl.pipeline.stage import Executor, MakeStage
from mmrl.stages import StageInfo
from mmrl.version import __version__

# Of a Ray that is mmrl's own, read as Ray is imported: it listens on loopback alone, which is what
# Ray means by the first; and its actors have this process's priority, as the plain loop has.
_OWN = {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0", "RAY_worker_niceness": "0"}

Nodes = list[dict[str, float]]
"""What each machine has, as Ray counts it, such as `{"CPU": 8.0, "GPU": 1.0}`."""


class Cluster:
    """Ray for a run of the pipeline.

    Raises:
        ConfigError: Ray is not installed.
    """

    def __init__(self, settings: Settings) -> None:
        if find_spec("ray") is None:
            raise ConfigError(
                'The setting engine = "ray" takes Ray, which is not installed: '
                "pip install 'mmrl[ray]', or set engine = \"local\"."
            )
        self._settings = settings
        self._connected = False
        self._numbers = count()
        self._idle: list[Any] = []
        self._idle_shares = (0.0, 0.0)

    @property
    def address(self) -> str | None:
        """Where the cluster is; None where a run starts a Ray of its own."""
        return self._settings.ray.address or os.environ.get("RAY_ADDRESS")

    def executor(self, info: StageInfo, make_stage: MakeStage) -> Executor:
        """What does the chunks of a stage; connects when there are any."""
        make_pool = partial(self._pool, info, make_stage)
        return partial(work_on_cluster, make_pool, self._settings.ray.batch)

    def nodes(self) -> Nodes:
        """The machines of the cluster; connects to it.

        Raises:
            Failure: it can't be reached.
        """
        self._connect()
        import ray

        return [node["Resources"] for node in ray.nodes() if node["Alive"]]

    def close(self) -> None:
        """Ends the actors and the connection, and a Ray that was started for it."""
        if not self._connected and not self._idle:
            return
        import ray

        for actor in self._idle:
            ray.kill(actor)
        self._idle.clear()
        if self._connected:
            ray.shutdown()
            self._connected = False

    def _pool(
        self, info: StageInfo, make_stage: MakeStage, catalog: Catalog, as_of: datetime, chunks: int
    ) -> Pool:
        shares = shares_of(info, self._settings, self.nodes(), chunks)
        own = share_of(self._settings, shares)
        budget = info.role == "captioner" and own.caption_server.budget is not None

        def lacking() -> str:
            wants = f"{shares.cpus:g} CPUs and {shares.gpus:g} GPUs"
            return f"an actor wants {wants}, and the cluster has {what_is_there(self.nodes())}"

        return Pool(
            partial(_actor, shares),
            self._idle_for(shares),
            Job(
                next(self._numbers),
                partial(make_stage, info, own),
                own,
                catalog.home,
                as_of,
                __version__,
            ),
            shares.actors,
            self._settings.ray.start_seconds,
            replaces=not budget,
            lacking=lacking,
        )

    def _idle_for(self, shares: Shares) -> list[Any]:
        """The idle actors of an earlier stage with such a share; those with another one end."""
        import ray

        if (shares.cpus, shares.gpus) != self._idle_shares:
            for actor in self._idle:
                ray.kill(actor)
            self._idle, self._idle_shares = [], (shares.cpus, shares.gpus)
        return self._idle

    def _connect(self) -> None:
        # Ray tells of dead processes on standard output, which `--json` has to itself.
        os.environ.setdefault("RAY_DEDUP_LOGS_SKIP_REGEX", ".*")
        address = self.address
        if address is None:
            os.environ.update(_OWN)
        import ray

        if ray.is_initialized():
            return
        how: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR}
        if address is None:
            how |= {"_node_ip_address": "127.0.0.1", "include_dashboard": False}
        try:
            with warnings.catch_warnings():  # Lance's, of the forks by which Ray's programs start
                warnings.simplefilter("ignore")
                ray.init(address=address or "local", **how)
        except Exception as error:  # of a dozen kinds
            raise Failure(
                f"Ray can't be reached at {address or 'this machine'}: {first_line(error)}. Set "
                "ray.address to a cluster of the same versions of Ray and Python, or to nothing "
                "for a Ray on this machine alone."
            ) from error
        self._connected = True


def _actor(shares: Shares) -> Any:
    import ray

    actor = ray.remote(StageActor).options(
        num_cpus=shares.cpus,
        num_gpus=shares.gpus,
        max_concurrency=ACTOR_CHUNKS,
        max_restarts=0,  # the pool does so, and knows which chunk it was
        max_task_retries=0,
        scheduling_strategy="SPREAD",
    )
    return actor.remote()


def what_is_there(nodes: Nodes) -> str:
    """What a cluster has, such as `2 machines with 16 CPUs, 2 GPUs, 61.2 GiB of memory`."""
    has = {name: sum(node.get(name, 0.0) for node in nodes) for name in ("CPU", "GPU", "memory")}
    machines = f"{len(nodes)} machine{'s' if len(nodes) != 1 else ''}"
    memory = f"{has['memory'] / 1024**3:,.1f} GiB of memory"
    return f"{machines} with {has['CPU']:g} CPUs, {has['GPU']:g} GPUs, {memory}"
