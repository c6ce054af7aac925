"""What goes on of compactions, what has been, how fast and whether they may; and those that write SSTables again."""

from typing import Any

from cqlserver.nodetool.arguments import UsageError
from cqlserver.nodetool.printing import as_json, as_yaml, double, file_size, local_time, table
from cqlserver.nodetool.program import Tool

_HISTORY_COLUMNS = (
    "id", "keyspace_name", "columnfamily_name", "compacted_at", "bytes_in", "bytes_out", "rows_merged",
    "compaction_properties",
)  # fmt: skip
_HISTORY_JSON_COLUMNS = (
    "keyspace_name", "bytes_out", "bytes_in", "compaction_properties", "columnfamily_name", "rows_merged", "id",
    "compacted_at",
)  # fmt: skip
"""In the order of Java's hash map."""


def compactionstats(tool: Tool) -> None:
    stats = tool.call("compaction_stats")
    is_human = tool.options["human_readable"]
    pending = stats["pending"]
    rows = [
        ["concurrent compactors", str(stats["concurrent_compactors"])],
        ["pending tasks", str(sum(count for tables in pending.values() for count in tables.values()))],
        *([keyspace, name, str(n)] for keyspace, tables in pending.items() for name, n in tables.items()),
        ["compactions completed", str(stats["completed"])],
        ["data compacted", file_size(stats["bytes_compacted"]) if is_human else str(stats["bytes_compacted"])],
        ["compactions aborted", str(stats["aborted"])],
        ["compactions reduced", "0"],
        ["sstables dropped from compaction", "0"],
        ["15 minute rate", f"{stats['fifteen_minute_rate']:.2f}/minute"],
        ["mean rate", f"{stats['mean_rate'] * 60:.2f}/hour"],
        ["compaction throughput (MiB/s)", _throughput(stats["throughput_mib"])],
    ]
    compactions = stats["compactions"]
    if compactions:
        rows += _running(compactions, is_human, tool.options["vtable"])
        rows.append(["active compaction remaining time", _remaining(compactions, stats["throughput_mib"])])
    tool.write(table(rows))


def _throughput(mib: float) -> str:
    return double(mib) if mib else "throttling disabled (0)"


def _running(compactions: list[dict[str, Any]], is_human: bool, as_vtable: bool) -> list[list[str]]:
    rows = []
    for c in compactions:
        as_size = is_human and c["unit"] == "bytes"
        completed, total = (file_size(c[n]) if as_size else str(c[n]) for n in ("completed", "total"))
        progress = f"{c['completed'] / c['total'] * 100:.2f}%" if c["total"] else "n/a"
        if as_vtable:
            rows.append(
                [c["keyspace"], c["table"], c["id"], progress, c["kind"], completed, str(c["sstables"]), total, c["unit"],
                 c["target"]]
            )  # fmt: skip
        else:
            rows.append([c["id"], c["kind"], c["keyspace"], c["table"], completed, total, c["unit"], progress])
    if as_vtable:
        header = "keyspace,table,task id,completion ratio,kind,progress,sstables,total,unit,target directory"
    else:
        header = "id,compaction type,keyspace,table,completed,total,unit,progress"
    return [header.split(","), *rows]


def _remaining(compactions: list[dict[str, Any]], throughput_mib: float) -> str:
    if not throughput_mib:
        return "n/a"
    seconds = int(sum(c["total"] - c["completed"] for c in compactions) // (throughput_mib * (1 << 20)))
    return f"{seconds // 3600}h{seconds % 3600 // 60:02}m{seconds % 60:02}s"


def compactionhistory(tool: Tool) -> None:
    form = tool.options["format"]
    if form is not None and form not in ("json", "yaml"):
        raise UsageError("arguments for -F are json,yaml only.")
    history = [
        {**entry, "compacted_at": local_time(entry["compacted_at_ms"])}
        for entry in tool.call("compaction_history")["history"]
    ]
    if form is not None:
        entries = [{name: entry[name] for name in _HISTORY_JSON_COLUMNS} for entry in history]
        tool.write((as_json if form == "json" else as_yaml)({"CompactionHistory": entries}))
        return
    tool.out("Compaction History: ")
    if not history:
        tool.write("There is no compaction history")
        return
    tool.write(table([_HISTORY_COLUMNS, *([str(entry[name]) for name in _HISTORY_COLUMNS] for entry in history)]))


def _check_jobs(tool: Tool) -> None:
    """Says so where more is wanted at once than there can be. Without --jobs it is two in Cassandra, which can be there."""
    jobs = tool.options["jobs"]
    if jobs is None:
        return
    most = tool.call("compaction_stats")["concurrent_compactors"]
    if int(jobs) > most:
        tool.out(
            f"jobs ({int(jobs)}) is bigger than configured concurrent_compactors ({most}) on the host,"
            f" using at most {most} threads"
        )


def cleanup(tool: Tool) -> None:
    _check_jobs(tool)
    tool.call_each_keyspace("rewrite", "distributed", why="cleanup")


def garbagecollect(tool: Tool) -> None:
    granularity = tool.options["granularity"] or "ROW"
    if granularity not in ("ROW", "CELL"):
        raise UsageError(f"{granularity} is not a valid granularity, must be one of [ROW, CELL]")
    tool.call_each_keyspace("rewrite", why="garbagecollect", by_cells=granularity == "CELL")


def scrub(tool: Tool) -> None:
    _check_jobs(tool)
    options = tool.options
    tool.call_each_keyspace(
        "rewrite",
        why="scrub",
        takes_snapshot=not options["no_snapshot"],
        skips_counters=options["skip_corrupted"],
        validates=not options["no_validate"],
    )


def recompress_sstables(tool: Tool) -> None:
    _check_jobs(tool)
    tool.call_each_keyspace("rewrite", why="recompress")


def relocatesstables(tool: Tool) -> None:
    """There is one folder for data: what is asked for is looked at, and nothing is moved."""
    tool.call_each_keyspace("autocompaction_status")


def upgradesstables(tool: Tool) -> None:
    text = tool.options["max_timestamp"]
    try:
        before_ms = None if text is None else _long(text)
    except ValueError:
        raise UsageError(f'max_timestamp: can not convert "{text}" to a long') from None
    _check_jobs(tool)
    includes_current = tool.options["include_all_sstables"]
    tool.call_each_keyspace("rewrite", why="upgradesstables", includes_current=includes_current, before_ms=before_ms)


def _long(text: str) -> int:
    """Raises ValueError."""
    number = int(text)
    if not -(1 << 63) <= number < 1 << 63:
        raise ValueError(text)
    return number


def enableautocompaction(tool: Tool) -> None:
    tool.call_each_keyspace("autocompaction", on=True)


def disableautocompaction(tool: Tool) -> None:
    tool.call_each_keyspace("autocompaction", on=False)


def statusautocompaction(tool: Tool) -> None:
    found = tool.call_each_keyspace("autocompaction_status")["tables"]
    running = [entry["is_running"] for entry in found]
    if tool.options["all"]:
        rows = [[e["keyspace"], e["table"], "running" if e["is_running"] else "not running"] for e in found]
        tool.write(table([["Keyspace", "Table", "Status"], *rows]))
    else:
        tool.out("running" if all(running) else "partially running" if any(running) else "not running")


def getcompactionthroughput(tool: Tool) -> None:
    mib = tool.call("compaction_stats")["throughput_mib"]
    text = f"{double(mib)} MiB/s" if tool.options["precise_mib"] else f"{round(mib)} MB/s"
    tool.out(f"Current compaction throughput: {text}")


def setcompactionthroughput(tool: Tool) -> None:
    if not tool.arguments:
        raise UsageError("Required parameters are missing: compaction_throughput")
    try:
        mib = int(tool.arguments[-1])
    except ValueError:
        raise UsageError(f'compaction_throughput: can not convert "{tool.arguments[-1]}" to a Integer') from None
    tool.call("set_compaction_throughput", mib=mib)
