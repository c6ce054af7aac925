"""What the request that is being served is guarded by. Nothing of guardrails is imported unless a server has them."""

from collections.abc import Mapping
from contextvars import ContextVar
from typing import TYPE_CHECKING, Final

import trio

if TYPE_CHECKING:
    from cqlserver.guardrails import Guarded
    from cqlserver.node import Node

guarding: "ContextVar[Guarded | None]" = ContextVar("guarding", default=None)
"""Set while a request of somebody is compiled and begun who is no superuser, where clients log in."""

LOOKS_EVERY_S: Final = 30.0
"""At the disk, as often as Cassandra does."""
_OF_DISK: Final = ("data_disk_usage_percentage_warn_threshold", "data_disk_usage_percentage_fail_threshold")


def minds_disk(settings: Mapping[str, object]) -> bool:
    """Whether guardrails ask how full the disk is."""
    return any(name in settings for name in _OF_DISK)


async def look_at_disk_forever(node: "Node") -> None:
    """Where guardrails ask for it, which may be set while the server runs."""
    while True:
        if minds_disk(node.config.guardrails):
            node.disk_usage.look()
        await trio.sleep(LOOKS_EVERY_S)
