"""A real Ray cluster of several machines on this one, on loopback alone."""

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

ENVIRONMENT = {
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",  # loopback alone, see pipeline/cluster/connection.py
    "RAY_worker_niceness": "0",  # else the tests wait for whatever else is running
    "RAY_enable_worker_prestart": "0",  # processes that nothing here asks for
}
STORE = 100 << 20  # bytes of each machine's object store


@contextmanager
def ray_cluster(machines: int) -> Iterator[Any]:
    """Ray's own test cluster of machines of one CPU each, to which this process is connected."""
    os.environ.update(ENVIRONMENT)
    pytest.importorskip("ray", reason="Ray is not installed: pip install 'mmrl[ray]'")
    import ray
    from ray.cluster_utils import Cluster

    cluster = Cluster()
    for _ in range(machines):
        add_machine(cluster)
    ray.init(cluster.address, log_to_driver=False, logging_level=logging.ERROR)
    try:
        yield cluster
    finally:
        ray.shutdown()
        cluster.shutdown()


def add_machine(cluster: Any) -> Any:
    """Another machine of the cluster, which `cluster.remove_node` switches off."""
    return cluster.add_node(
        num_cpus=1,
        node_ip_address="127.0.0.1",
        object_store_memory=STORE,
        include_dashboard=False,
    )
