"""The only door to Ray's Jobs API: studies are sent to a cluster as jobs, watched, and stopped there.

A job is always the same command, `python -m tuner.cluster.job`, in a folder that travels with it; what it is to do
stands in a file of that folder. So nothing that a user wrote ever reaches a shell.
"""

from tuner.cluster.address import address, is_meant
from tuner.cluster.client import Cluster
from tuner.cluster.following import finished, follow
from tuner.cluster.jobs import Job, LostError, TakenError, digest
from tuner.cluster.parcel import STUDY, Order, packed

__all__ = [
    "STUDY",
    "Cluster",
    "Job",
    "LostError",
    "Order",
    "TakenError",
    "address",
    "digest",
    "finished",
    "follow",
    "is_meant",
    "packed",
]
