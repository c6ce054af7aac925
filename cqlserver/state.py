"""What the server remembers of one connection between requests."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Protocol

from cqlserver.metrics.meters import RequestMeter
from storage.schema.metadata import TableMetadata


class RequestTrace(Protocol):
    """What those who work for a traced request tell of it (system/tracing.py)."""

    def note(self, activity: str) -> None: ...
    def preparing(self) -> None: ...
    def wrote(self, tables: Iterable[TableMetadata]) -> None: ...
    def note_batch(self, write_type: str, tables: Iterable[TableMetadata]) -> None: ...
    def note_unavailable(self, write_type: str) -> None: ...
    def decided(self, table: TableMetadata, is_applied: bool) -> None: ...


@dataclass(frozen=True, slots=True)
class User:
    """Who a connection belongs to (auth/AuthenticatedUser.java): a role, by name. `is_anonymous`: nobody has to log in;
    `is_system`: the server itself, which may do everything."""

    name: str
    is_anonymous: bool = False
    is_system: bool = False


@dataclass(frozen=True, slots=True)
class Peer:
    """What an encrypted connection tells of the other side. `names`: URIs that its certificate is for; `has_certificate`: it
    showed one that is believed."""

    protocol: str
    cipher: str
    names: tuple[str, ...] = ()
    has_certificate: bool = False


@dataclass(slots=True)
class ReadWork:
    """What a SELECT has read: live rows, those that a filter threw away too, and tombstones that it passed over."""

    rows: int = 0
    tombstones: int = 0


ANONYMOUS = User("anonymous", is_anonymous=True)
SYSTEM = User("system", is_system=True)


def _plain() -> None:
    """Of a connection that is not encrypted."""


@dataclass(slots=True)
class ClientState:
    """`keyspace` is what USE chose; `warnings` gathers what the current request has to say beside its answer, and is
    emptied before each request; `trace`: that of the current request, if it has one; `user` is None until somebody logs
    in, where that is asked for; `peer` tells of an encrypted connection. `cleared` is the guard's (auth/guard.py): until
    when it need not look at a plan again, and `cleared_at` how many changes of roles there were when it looked. `meters`
    count the current request, once it is known what it asks for; `read_work`: what it has read, where that is counted."""

    address: str
    port: int
    keyspace: str | None = None
    version: int = 0
    options: dict[str, str] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    is_warned_of_use: bool = False
    trace: RequestTrace | None = None
    user: User | None = ANONYMOUS
    peer: Callable[[], Peer | None] = _plain
    cleared: dict[object, float] = field(default_factory=dict)
    cleared_at: int = 0
    meters: tuple[RequestMeter, ...] = ()
    read_work: ReadWork | None = None

    @property
    def driver(self) -> str:
        return f"{self.options.get('DRIVER_NAME', '')} {self.options.get('DRIVER_VERSION', '')}".strip()

    def warn(self, message: str) -> None:
        if message not in self.warnings:
            self.warnings.append(message)
