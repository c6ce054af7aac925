"""What the request that is being served is guarded by. Nothing of guardrails is imported unless a server has them."""

from contextvars import ContextVar
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cqlserver.guardrails import Guarded

guarding: "ContextVar[Guarded | None]" = ContextVar("guarding", default=None)
"""Set while a request of somebody is compiled and begun who is no superuser, where clients log in."""
