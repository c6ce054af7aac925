"""What system_traces tells of a request, as lines of an outcome:

    trace: Execute CQL3 query (QUERY), consistency_level ONE, page_size 100, query SELECT * FROM t, ...
      Parsing SELECT * FROM t
      Preparing statement

Each page has one. A Cassandra writes them in the background, event by event: its session has a duration when all was told,
but the last events may come later; here all is there before the answer. That who is told of is the client and the node
itself, and times, are looked at and not shown.
"""

import time
from collections.abc import Iterator, Sequence
from ipaddress import ip_address
from uuid import UUID

from harness.normaliser import Normaliser
from protocol.client import Connection
from protocol.responses import Reply, RowsResult
from protocol.types import INET, INT, TEXT, MapType

WAIT_S = 15.0
SETTLED_S = 0.3
"""Of a Cassandra's trace no event comes any more when none has come for so long."""
_PARAMETERS = MapType(TEXT, TEXT, False)
_SESSION = "client, command, coordinator, duration, parameters, request, started_at"


def trace_lines(
    connection: Connection, pages: Sequence[Reply], host: str, normaliser: Normaliser
) -> Iterator[str]:
    """Of those of the replies that were traced."""
    for page in pages:
        if page.tracing_id is not None:
            yield from _lines(connection, page.tracing_id, host, normaliser)


def _lines(connection: Connection, session_id: UUID, host: str, normaliser: Normaliser) -> Iterator[str]:
    client, command, coordinator, duration, parameters, request, started_at = _settled(connection, session_id)
    told = _PARAMETERS.decode(parameters or b"\0\0\0\0") or {}
    shown = "".join(f", {name} {value}" for name, value in sorted(told.items()))
    yield normaliser.text(f"trace: {_text(request)} ({_text(command)}){shown}")
    if coordinator is None or INET.decode(coordinator) != ip_address(host) or client is None:
        yield f"  of another coordinator than {host}, or no client"
    if duration is None or started_at is None:
        yield "  without an end"
    for activity, source, elapsed in _events(connection, session_id):
        told_of = normaliser.activity(_text(activity))
        if told_of is not None:
            yield f"  {told_of}"
        if source != coordinator or elapsed is None or INT.decode(elapsed) is None:
            yield "  ... of another source, or at no time"


def _text(value: bytes | None) -> str:
    return "null" if value is None else value.decode().replace("\n", "\\n")


def _settled(connection: Connection, session_id: UUID) -> Sequence[bytes | None]:
    until, settled_s = time.monotonic() + WAIT_S, SETTLED_S if _runs_on_java(connection) else 0.0
    session: Sequence[bytes | None] = (None,) * 7
    seen, changed = -1, time.monotonic()
    while time.monotonic() < until:
        found = connection.query(f"SELECT {_SESSION} FROM system_traces.sessions WHERE session_id = {session_id}").response
        if isinstance(found, RowsResult) and found.row_count:
            session = found.rows()[0]
        count = len(_events(connection, session_id))
        if count != seen:
            seen, changed = count, time.monotonic()
        if session[3] is not None and time.monotonic() - changed >= settled_s:
            break
        time.sleep(0.02)
    return session


def _runs_on_java(connection: Connection) -> bool:
    found = connection.query("SELECT value FROM system_views.system_properties WHERE name = 'java.vm.name'").response
    return isinstance(found, RowsResult) and found.row_count > 0


def _events(connection: Connection, session_id: UUID) -> Sequence[Sequence[bytes | None]]:
    asked = f"SELECT activity, source, source_elapsed FROM system_traces.events WHERE session_id = {session_id}"
    found = connection.query(asked).response
    assert isinstance(found, RowsResult), found
    return found.rows()
