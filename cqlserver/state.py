"""What the server remembers of one connection between requests."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cqlserver.system.tracing import Trace


@dataclass(slots=True)
class ClientState:
    """`keyspace` is what USE chose; `warnings` gathers what the current request has to say beside its answer, and is
    emptied before each request; `trace`: that of the current request, if it has one."""

    address: str
    port: int
    keyspace: str | None = None
    version: int = 0
    options: dict[str, str] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    is_warned_of_use: bool = False
    trace: "Trace | None" = None

    @property
    def driver(self) -> str:
        return f"{self.options.get('DRIVER_NAME', '')} {self.options.get('DRIVER_VERSION', '')}".strip()

    def warn(self, message: str) -> None:
        if message not in self.warnings:
            self.warnings.append(message)
