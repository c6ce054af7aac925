"""What a node is doing, in the words of nodetool (service/StorageService.java, Mode), and how far a bootstrap has come."""

from enum import Enum


class Mode(Enum):
    STARTING = "STARTING"
    NORMAL = "NORMAL"
    JOINING = "JOINING"
    JOINING_FAILED = "JOINING_FAILED"
    LEAVING = "LEAVING"
    DECOMMISSIONED = "DECOMMISSIONED"
    DECOMMISSION_FAILED = "DECOMMISSION_FAILED"
    MOVING = "MOVING"


class BootstrapState(Enum):
    """system.local's `bootstrapped`."""

    NEEDS_BOOTSTRAP = "NEEDS_BOOTSTRAP"
    COMPLETED = "COMPLETED"
    IN_PROGRESS = "IN_PROGRESS"
    DECOMMISSIONED = "DECOMMISSIONED"
