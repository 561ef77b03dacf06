"""A stage's work on a Ray cluster: actors do chunks, the driver commits them.

The driver is the process of `mmrl run`. It finds the pending work, cuts it into chunks, and hands
out their keys; an actor reads a chunk's inputs from the catalog, does it, and gives rows and
failures back; it writes nothing.
"""

from mmrl.pipeline.cluster.connection import Cluster, what_is_there

__all__ = ["Cluster", "what_is_there"]
