"""Incremental repairs that a node takes part in: what `nodetool repair_admin` asks for."""

from collections.abc import Sequence
from typing import TYPE_CHECKING
from uuid import UUID

from cqlserver.control.context import BadArgument, Control, Refused
from cqlserver.control.gossiping import cluster_of
from cqlserver.control.repairing import token_ranges
from storage.schema.metadata import TableMetadata, is_local_system_keyspace

if TYPE_CHECKING:
    from cluster.repair.sessions import LocalSession, LocalSessions
    from cluster.streaming.ranges import TokenRange


async def repair_sessions(control: Control, *, all: bool, start_token: str | None, end_token: str | None) -> object:
    """Those that are under way, or `all`; of some ranges, where tokens are given."""
    ranges = _asked_ranges(start_token, end_token)
    sessions = _maybe_sessions(control)
    if sessions is None:
        return {"sessions": []}
    from cluster.repair.sessions import meet

    now_ms = control.node.environment.clock.wall_us() // 1_000
    return {
        "sessions": [
            {
                "id": str(session.id),
                "state": session.state.name,
                "last_activity_s": (now_ms - session.updated_ms) // 1_000,
                "coordinator": str(session.stepping.coordinator),
                "participants": sorted(map(str, session.stepping.participants)),
            }
            for session in sessions.all.values()
            if (all or not session.state.is_over) and (not ranges or meet(session.stepping.ranges, ranges))
        ]
    }


async def cancel_repair_session(control: Control, *, session: str, force: bool) -> object:
    """Ends an incremental repair: what it has set apart is as it was before."""
    try:
        session_id = UUID(session)
    except ValueError:
        raise BadArgument(f"Invalid UUID string: {session}") from None
    sessions = _maybe_sessions(control)
    found = None if sessions is None else sessions.all.get(session_id)
    if found is None:
        raise BadArgument(f"Session {{}} does not exist [{session_id}]")
    cluster = cluster_of(control)
    if found.state.is_over:
        raise BadArgument(f"Cannot cancel session {session_id}, because it is {found.state.name}")
    if found.stepping.coordinator != cluster.endpoint and not force:
        raise BadArgument(
            f"Cancel session {session_id} from it's coordinator (/{found.stepping.coordinator}) or use --force"
        )
    await control.exclusively(lambda: cluster.repairs.cancel(session_id))
    return {}


async def repaired_ranges(
    control: Control, *, keyspace: str | None, tables: list[str], start_token: str | None, end_token: str | None
) -> object:
    """Since when what of each table is repaired, in milliseconds since 1970, 0: never; `sections` are none where no
    session has repaired anything of it."""
    asked = _asked_ranges(start_token, end_token)
    sessions, found = _maybe_sessions(control), []
    for table in _tables(control, keyspace, tables):
        sections = [] if sessions is None else sessions.repaired(table.id, asked or _local_ranges(control, table))
        times = [section.repaired_at_ms for section in sections] or [0]
        found.append(
            {
                "keyspace": table.keyspace,
                "table": table.name,
                "min_repaired_ms": min(times),
                "max_repaired_ms": max(times),
                "sections": list(map(str, sections)),
            }
        )
    return {"tables": found}


async def pending_repairs(
    control: Control, *, keyspace: str | None, tables: list[str], start_token: str | None, end_token: str | None
) -> object:
    """Of each table what waits for the end of a session, and of one that has ended."""
    asked = _asked_ranges(start_token, end_token)
    sessions, found = _maybe_sessions(control), []
    for table in _tables(control, keyspace, tables):
        of_table = [] if sessions is None else sessions.of_table(table.id, asked or _local_ranges(control, table))
        by_end: dict[str, list[LocalSession]] = {"pending": [], "finalized": [], "failed": []}
        for session in of_table:
            by_end[session.state.name.lower() if session.state.is_over else "pending"].append(session)
        told = {end: _size(sessions, table, several) for end, several in by_end.items()}
        total = _size(sessions, table, of_table)
        found.append({"keyspace": table.keyspace, "table": table.name, "total": total, **told})
    return {"tables": found}


async def release_repairs(
    control: Control, *, keyspace: str | None, tables: list[str], start_token: str | None, end_token: str | None
) -> object:
    """Hands back what sessions that are over have set apart still; by table of how many sessions."""
    asked = _asked_ranges(start_token, end_token)
    sessions, found = _maybe_sessions(control), []
    for table in _tables(control, keyspace, tables):
        over = [
            session
            for session in ([] if sessions is None else sessions.of_table(table.id, asked or _local_ranges(control, table)))
            if session.state.is_over
        ]
        released = 0 if sessions is None else sum(sessions.release(session, table.id) for session in over)
        found.append({"keyspace": table.keyspace, "table": table.name, "released": released, "left": 0})
    return {"tables": found}


def _size(sessions: "LocalSessions | None", table: TableMetadata, several: "Sequence[LocalSession]") -> dict[str, int]:
    """Of the SSTables that are set apart for some sessions; of the sessions that have such."""
    found = [] if sessions is None else [sessions.pending_readers(table.id, session.id) for session in several]
    return {
        "bytes": sum(reader.disk_bytes for readers in found for reader in readers),
        "sstables": sum(map(len, found)),
        "sessions": sum(map(bool, found)),
    }


def _maybe_sessions(control: Control) -> "LocalSessions | None":
    """None where there is one node alone."""
    return None if control.node.member is None else cluster_of(control).repairs.participant.sessions


def _asked_ranges(start: str | None, end: str | None) -> "Sequence[TokenRange]":
    """None where there are no tokens. Raises BadArgument."""
    try:
        return token_ranges(start, end)
    except Refused as error:
        raise BadArgument(str(error)) from None


def _local_ranges(control: Control, table: TableMetadata) -> "Sequence[TokenRange]":
    from cluster.streaming.ranges import owned_ranges

    coordinator = cluster_of(control).coordinator
    strategy = coordinator.strategy(control.node.schema.keyspaces[table.keyspace])
    return owned_ranges(strategy, coordinator.ring, coordinator.local)


def _tables(control: Control, keyspace: str | None, names: Sequence[str]) -> list[TableMetadata]:
    """Those that are named, of a keyspace, or of all whose data several nodes may have; by name. Raises BadArgument."""
    schema = control.node.schema
    if keyspace is None:
        several = [found for found in schema.keyspaces.values() if not is_local_system_keyspace(found.name)]
    else:
        found = schema.keyspaces.get(keyspace)
        if found is None or found.is_virtual:
            raise BadArgument("null")  # all that Cassandra says
        several = [found]
        for name in names:
            if name not in found.tables and name not in found.views:
                raise BadArgument(f"Unknown keyspace/cf pair ({keyspace}.{name})")
    wanted = set(names)
    tables = [
        table
        for found in several
        for table in (*found.tables.values(), *(view.table for view in found.views.values()))
        if not wanted or table.name in wanted
    ]
    return sorted(tables, key=lambda table: (table.keyspace, table.name))
