"""What a node says of its compactions: those under way, those that have been."""

from typing import Final

import trio

from cqlserver.control.context import BadArgument, Control, Refused
from cqlserver.control.storing import NoSuchTable, chosen_stores, flush_stores, task_facts, wait_for
from cqlserver.node import KEPT_BY_EACH, Node
from cqlserver.snapshots import taking
from storage.background import Lane, TaskState
from storage.memtable.memtable import Position
from storage.reads import FIRST_POSITION
from storage.schema.metadata import is_local_system_keyspace
from storage.stored_values import stored_values

_RATE_S: Final = 15 * 60
MIB: Final = 1 << 20
_LAST_POSITION: Final = b"\xff" * 9
REWRITES: Final = ("cleanup", "garbagecollect", "recompress", "scrub", "upgradesstables")


def whole_ring() -> tuple[tuple[Position, Position], ...]:
    return ((FIRST_POSITION, _LAST_POSITION),)


class MembersChange(Refused):
    """Somebody joins, leaves or moves: which ranges are the node's is not settled."""

    code = "MembersChange"


def held_ranges(node: Node, keyspace: str) -> tuple[tuple[Position, Position], ...]:
    """First and last position of each range that a node has a replica of: all, where it is alone. Raises MembersChange."""
    if node.is_alone or keyspace in KEPT_BY_EACH or is_local_system_keyspace(keyspace):
        return whole_ring()
    from cluster.streaming.ranges import intervals, owned_ranges
    from cluster.topology import Standing

    coordinator = node.coordinator
    topology = coordinator.topology
    if topology is not None and any(member.standing is not Standing.NORMAL for member in topology.members):
        raise MembersChange("Node is involved in cluster membership changes. Not safe to run cleanup.")
    strategy = coordinator.strategy(node.schema.keyspaces[keyspace])
    owned = intervals(owned_ranges(strategy, coordinator.ring, coordinator.local))
    # no partition lies just where an interval ends: its position has a key behind the token
    return tuple((start, end if end is not None else _LAST_POSITION) for start, end in owned)


async def compaction_stats(control: Control) -> object:
    """Rates are a minute's."""
    node, files = control.node, control.node.engine.maybe_files
    background, now_s = node.engine.background, node.environment.clock.monotonic()
    bytes_per_s = node.engine.options.compaction_bytes_per_s if files is None else files.compactions.bytes_per_s
    tasks = [task for task in background.tasks if task.lane is Lane.COMPACTION]
    pending: dict[str, dict[str, int]] = {}
    for task in tasks:
        keyspace, _, table = task.subject.partition(".")
        pending.setdefault(keyspace, {}).setdefault(table, 0)
        pending[keyspace][table] += 1
    done, tallies = (Lane.COMPACTION, TaskState.DONE), background.tallies
    up_s = max(now_s - node.started_s, 1.0)
    since_s = now_s - _RATE_S
    lately = sum(1 for t in background.finished if (t.lane, t.state) == done and t.ended_s >= since_s)
    return {
        "concurrent_compactors": 1,
        "pending": pending,
        "completed": tallies[done],
        "bytes_compacted": background.total_done[Lane.COMPACTION],
        "aborted": tallies[Lane.COMPACTION, TaskState.CANCELLED] + tallies[Lane.COMPACTION, TaskState.FAILED],
        "fifteen_minute_rate": lately / min(up_s, _RATE_S) * 60,
        "mean_rate": tallies[done] / up_s * 60,
        "throughput_mib": bytes_per_s / MIB,
        "compactions": [task_facts(task) for task in tasks if task.state is TaskState.RUNNING],
    }


async def compaction_history(control: Control) -> object:
    """The newest first."""
    node = control.node
    table = node.schema.maybe_table("system", "compaction_history")
    assert table is not None, "it is built in"
    types = {column.name: column.type for column in table.columns}
    found = []
    for values in stored_values(node.engine.stores[table.id], node.now_s()):
        row = {name: types[name].decode(value) for name, value in values.items() if value is not None}
        found.append(
            {
                "id": str(row["id"]),
                "keyspace_name": row["keyspace_name"],
                "columnfamily_name": row["columnfamily_name"],
                "compacted_at_ms": row["compacted_at"],
                "bytes_in": row["bytes_in"],
                "bytes_out": row["bytes_out"],
                "rows_merged": _in_braces(row.get("rows_merged", {})),
                "compaction_properties": _in_braces(row.get("compaction_properties", {})),
            }
        )
    return {"history": sorted(found, key=lambda entry: -entry["compacted_at_ms"])}


def _in_braces(pairs: dict[object, object]) -> str:
    return "{" + ", ".join(f"{key}:{value}" for key, value in pairs.items()) + "}"


async def rewrite(
    control: Control,
    *,
    why: str,
    keyspace: str | None,
    tables: list[str],
    keyspaces: str,
    by_cells: bool,
    includes_current: bool,
    before_ms: int | None,
    takes_snapshot: bool,
    skips_counters: bool,
    validates: bool,
) -> object:
    """Writes SSTables again: without what is not the node's, what is deleted elsewhere, what can't be read, or as the
    version is now."""
    if why not in REWRITES:
        raise BadArgument(f"why is {why!r}, and none of {', '.join(REWRITES)}")
    try:
        stores = chosen_stores(control, keyspace, tables, keyspaces)
    except NoSuchTable as error:
        raise BadArgument(error.message) if why == "scrub" else error from None
    engine = control.node.engine
    if engine.maybe_files is None:
        return {}
    await flush_stores(engine, stores)
    compactions, files = engine.maybe_files.compactions, [engine.maybe_files.files_of(store) for store in stores]
    match why:
        case "cleanup":
            ranges = {each.store.table.keyspace: held_ranges(control.node, each.store.table.keyspace) for each in files}
            tasks = [
                task
                for keyspace, held in ranges.items()
                for task in compactions.clean_up([each for each in files if each.store.table.keyspace == keyspace], held)
            ]
        case "garbagecollect":
            tasks = compactions.collect_garbage(files, by_cells)
        case "recompress":
            tasks = compactions.recompress(files)
        case "scrub":
            await wait_for(compactions.open_by_data(files))
            if takes_snapshot:
                name = f"pre-scrub-{control.node.environment.clock.wall_us() // 1000}"
                scrubbed = [each.store for each in files if each.readers]
                await trio.to_thread.run_sync(taking(control.node, scrubbed, lambda _: name))
            tasks = compactions.scrub(files, skips_counters, validates)
        case _:
            tasks = compactions.upgrade(files, includes_current, before_ms)
    await wait_for(tasks)
    return {}


async def autocompaction(
    control: Control, *, on: bool, keyspace: str | None, tables: list[str], keyspaces: str
) -> object:
    """Whether tables are compacted by themselves; until the next start."""
    stores = chosen_stores(control, keyspace, tables, keyspaces)
    if control.node.durable:
        files = control.node.engine.files
        change = files.compactions.not_automatic.discard if on else files.compactions.not_automatic.add
        for store in stores:
            change(store.table.id)
    return {}


async def autocompaction_status(
    control: Control, *, keyspace: str | None, tables: list[str], keyspaces: str
) -> object:
    files = control.node.engine.maybe_files
    stopped = files.compactions.not_automatic if files is not None else set()
    hidden = control.node.engine.indexed.hidden
    return {
        "tables": [
            {"keyspace": s.table.keyspace, "table": s.table.name, "is_running": s.table.id not in stopped}
            for s in chosen_stores(control, keyspace, tables, keyspaces)
            if s.table.id not in hidden
        ]
    }


async def set_compaction_throughput(control: Control, *, mib: int) -> object:
    """Until the next start; 0: as fast as they can."""
    if mib < 0:
        raise BadArgument(f"mib is {mib}, and less than 0")
    if control.node.durable:
        control.node.engine.files.compactions.bytes_per_s = mib * MIB
    return {}
