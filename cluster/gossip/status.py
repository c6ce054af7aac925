"""The words of STATUS_WITH_PORT (gms/VersionedValue.java), by which a node says what it is in the ring."""

from enum import Enum
from typing import Final, NamedTuple


class Status(Enum):
    BOOTSTRAPPING = "BOOT"
    BOOTSTRAPPING_REPLACE = "BOOT_REPLACE"
    NORMAL = "NORMAL"
    LEAVING = "LEAVING"
    LEFT = "LEFT"
    MOVING = "MOVING"
    REMOVING = "removing"
    REMOVED = "removed"
    HIBERNATE = "hibernate"
    SHUTDOWN = "shutdown"


DEAD = frozenset((Status.REMOVING, Status.REMOVED, Status.LEFT, Status.HIBERNATE))
"""Nobody calls them, and nothing that they say makes them alive (Gossiper.DEAD_STATES)."""

SILENT_AT_SHUTDOWN = DEAD | {Status.BOOTSTRAPPING, Status.BOOTSTRAPPING_REPLACE}
"""A node of this status does not announce that it stops (Gossiper.SILENT_SHUTDOWN_STATES)."""


class StatusValue(NamedTuple):
    """A status and what stands behind it: a token, a host id, a time in milliseconds."""

    status: Status
    arguments: tuple[str, ...] = ()

    def __str__(self) -> str:
        return ",".join((self.status.value, *self.arguments))


HIBERNATING: Final = StatusValue(Status.HIBERNATE, ("true",))


def parse_status(text: str) -> StatusValue | None:
    """None for a word that this version does not know."""
    word, *arguments = text.split(",")
    try:
        return StatusValue(Status(word), tuple(arguments))
    except ValueError:
        return None
