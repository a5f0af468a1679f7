"""The only door to Ray's Jobs API: studies are sent to a cluster as jobs, watched, and stopped there.

A job is always the same command, `python -m tuner.cluster.job`, in a folder that travels with it; what it is to do
stands in a file of that folder. So nothing that a user wrote ever reaches a shell.
"""

from tuner.cluster.client import Cluster, Job
from tuner.cluster.parcel import Order, packed

__all__ = ["Cluster", "Job", "Order", "packed"]
