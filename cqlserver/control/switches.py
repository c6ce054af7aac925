"""What of a node can be stopped, begun again, emptied and set while it runs; all of it holds until the next start."""

from typing import Final

from cqlserver.control.context import BadArgument, Control, Refused
from cqlserver.control.stoppable import STOPPABLE
from cqlserver.control.storing import DRAINED
from cqlserver.system.virtual_tables import CACHES
from storage.background import TaskState

MIB: Final = 1 << 20


async def stop(control: Control, *, kind: str, id: str) -> object:
    """Stops what goes on of a kind, or what has an id."""
    for task in control.node.engine.background.tasks:
        if task.state is TaskState.RUNNING and (task.id == id if id else task.kind == STOPPABLE.get(kind)):
            task.cancel()
    return {}


async def native_transport(control: Control, *, on: bool) -> object:
    """Takes clients again, or ends their connections and takes no more."""
    commit_log = control.node.commit_log
    if on and commit_log is not None and commit_log.failure == DRAINED:
        raise Refused("Unable to start native transport because the node was drained.")
    change = control.take_clients_again if on else control.turn_clients_away
    try:
        await control.exclusively(change, settles=not on)
    except OSError as error:
        raise Refused(f"Error starting native transport: {error.strerror or error}") from error
    return {}


async def invalidate_cache(control: Control, *, cache: str) -> object:
    """Forgets what a cache holds: keys, rows or counters."""
    engine = control.node.engine
    match cache:
        case "keys":
            if engine.maybe_files is not None:
                engine.maybe_files.caches.keys.clear()
        case "counters":
            for store in engine.stores.values():
                store.counter_cache.clear()
        case "rows":
            if engine.maybe_files is not None:
                engine.maybe_files.caches.rows.clear()
        case _:
            raise BadArgument(f"cache is {cache!r}, and none of keys, rows, counters")
    return {}


async def invalidate_auth_cache(control: Control, *, cache: str, roles: list[str], resource: str) -> object:
    """Forgets what is believed of roles, or of all; of permissions those on one resource (`data/ks/t`, as Cassandra names
    them)."""
    if cache not in CACHES:
        raise BadArgument(f"cache is {cache!r}, and none of {', '.join(CACHES)}")
    found = control.node.virtual_tables.maybe_cache(cache)
    if found is not None and not roles:
        found.clear()
    elif found is not None:
        for role in roles:
            found.forget((role, resource) if cache == "permissions" else role)
    return {}


async def set_cache_capacity(control: Control, *, keys_mib: int, rows_mib: int) -> object:
    """How much caches may take."""
    if min(keys_mib, rows_mib) < 0:
        raise Refused("capacity should not be negative")
    if control.node.durable:
        files = control.node.engine.files
        files.caches.keys.resize(keys_mib * MIB)
        files.set_row_cache_bytes(rows_mib * MIB)
    return {}


async def column_index_size(control: Control) -> object:
    """How much lies between two entries of a wide partition's index, in KiB; -1: as much as its format has."""
    size = control.node.config.storage.column_index_bytes
    return {"kib": -1 if size is None else size >> 10}
