"""What a node says of its compactions: those under way, those that have been."""

from typing import Final

from cqlserver.control.context import Control
from cqlserver.control.storing import task_facts
from storage.background import Lane, TaskState
from storage.engine import stored_values

_RATE_S: Final = 15 * 60


async def compaction_stats(control: Control) -> object:
    """Rates are a minute's."""
    node = control.node
    background, now_s = node.engine.background, node.environment.clock.monotonic()
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
        "throughput_mib": 0.0,
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
