"""tablestats."""

import math
from typing import Any

from cqlserver.nodetool.arguments import UsageError
from cqlserver.nodetool.printing import as_json, as_yaml, double, file_size, in_java_order, memory_size
from cqlserver.nodetool.program import Tool

NAN = math.nan
SORT_KEYS = tuple(
    """
    average_live_cells_per_slice_last_five_minutes average_tombstones_per_slice_last_five_minutes
    bloom_filter_false_positives bloom_filter_false_ratio bloom_filter_off_heap_memory_used bloom_filter_space_used
    compacted_partition_maximum_bytes compacted_partition_mean_bytes compacted_partition_minimum_bytes
    compression_metadata_off_heap_memory_used dropped_mutations full_name index_summary_off_heap_memory_used
    local_read_count local_read_latency_ms local_write_latency_ms maximum_live_cells_per_slice_last_five_minutes
    maximum_tombstones_per_slice_last_five_minutes memtable_cell_count memtable_data_size memtable_off_heap_memory_used
    memtable_switch_count number_of_partitions_estimate off_heap_memory_used_total pending_flushes percent_repaired
    read_latency reads space_used_by_snapshots_total space_used_live space_used_total sstable_compression_ratio
    sstable_count table_name write_latency writes max_sstable_size local_read_write_ratio twcs_max_duration
    sai_local_query_latency_ms sai_post_filtering_read_latency sai_disk_used_bytes sai_sstable_indexes_hit
    sai_index_segments_hit sai_rows_filtered sai_total_query_timeouts sai_total_queryable_index_ratio
    """.split()
)
"""As the tool knows them."""
_SORTED_BY = {
    "bloom_filter_space_used": "bloom_filter_bytes",
    "compacted_partition_maximum_bytes": "partition_bytes_max",
    "compacted_partition_mean_bytes": "partition_bytes_mean",
    "compacted_partition_minimum_bytes": "partition_bytes_min",
    "memtable_cell_count": "memtable_partitions",
    "memtable_data_size": "memtable_bytes",
    "memtable_switch_count": "memtable_switches",
    "number_of_partitions_estimate": "partitions",
    "pending_flushes": "pending_flushes",
    "space_used_by_snapshots_total": "space_used_by_snapshots",
    "space_used_live": "space_used_live",
    "space_used_total": "space_used_live",
    "sstable_compression_ratio": "compression_ratio",
    "sstable_count": "sstable_count",
    "max_sstable_size": "max_sstable_size",
    "local_read_count": "read_count",
    "local_read_latency_ms": "read_latency_ms",
    "local_write_count": "write_count",
    "local_write_latency_ms": "write_latency_ms",
    "reads": "read_count",
    "read_latency": "read_latency_ms",
    "writes": "write_count",
    "write_latency": "write_latency_ms",
}
"""Numbers that tables differ in; by the others all are alike."""
_FANOUT = 10


def tablestats(tool: Tool) -> None:
    options = tool.options
    form, sort_key, top = options["format"], options["sort"], int(options["top"] or 0)
    if form is not None and form not in ("json", "yaml"):
        raise UsageError("arguments for -F are json,yaml only.")
    if sort_key is not None and sort_key not in SORT_KEYS:
        raise UsageError(f"argument for sort must be one of: {', '.join(SORT_KEYS)}")
    if top > 0 and sort_key is None:
        raise UsageError("cannot filter top K tables without specifying a sort key.")
    if top < 0:
        raise UsageError("argument for top must be a positive integer.")
    tables = tool.call("table_stats")["tables"]
    keyspaces, chosen = _chosen(tables, tool.arguments, options["i"])
    sizes = file_size if options["human_readable"] else str
    count = len(chosen)
    if sort_key is not None:
        chosen = _sorted(chosen, sort_key)[: top or None]
    if form is not None:
        content = _as_map(keyspaces, chosen, count, sizes, sort_key is not None, options["sstable_location_check"])
        tool.write((as_json if form == "json" else as_yaml)(content))
    elif sort_key is not None:
        if chosen:
            shown = f" (showing top {min(top, count)} by {sort_key})" if top else ""
            tool.write(f"Total number of tables: {count}{shown}\n----------------\n")
            for stats in chosen:
                tool.write(_told(stats, _full_name(stats), "\t", sizes, options))
            tool.out("----------------")
    else:
        tool.write(f"Total number of tables: {count}\n----------------\n")
        for keyspace, tables in keyspaces.items():
            tool.write(_keyspace_told(keyspace, tables))
            mine = [stats for stats in chosen if stats["keyspace"] == keyspace]
            for stats in mine:
                tool.write(_told(stats, stats["table"], "\t\t", sizes, options))
            tool.out("----------------")


def _chosen(
    tables: list[dict[str, Any]], names: list[str], ignores: bool
) -> tuple[dict[str, list[dict[str, Any]]], list[dict[str, Any]]]:
    """The keyspaces that are told of, with all of their tables, and the tables."""
    known: dict[str, set[str]] = {}
    for stats in tables:
        known.setdefault(stats["keyspace"], set()).add(stats["table"])
    wanted: dict[str, list[str]] = {}
    for name in names:
        keyspace, _, table = name.partition(".")
        wanted.setdefault(keyspace, []).extend([table] if table else [])
    for keyspace, listed in wanted.items():
        if keyspace not in known:
            raise UsageError(f"Unknown keyspace: {keyspace}")
        unknown = [table for table in listed if table not in known[keyspace]]
        if unknown:
            raise UsageError(f"Unknown tables: [{', '.join(unknown)}] in keyspace: {keyspace}")

    def is_named(stats: dict[str, Any]) -> bool:
        listed = wanted.get(stats["keyspace"])
        return listed is not None and (not listed or stats["table"] in listed)

    chosen = [stats for stats in tables if not names or is_named(stats) != ignores]
    told = {stats["keyspace"] for stats in chosen}
    return {name: [s for s in tables if s["keyspace"] == name] for name in known if name in told}, chosen


def _sorted(tables: list[dict[str, Any]], sort_key: str) -> list[dict[str, Any]]:
    """The greatest first, those that are alike in the order of their names."""
    by_name = sorted(tables, key=_full_name)
    if sort_key == "full_name":
        return by_name[::-1]
    if sort_key == "table_name":
        return sorted(by_name, key=lambda s: str(s["table"]), reverse=True)
    field = _SORTED_BY.get(sort_key)
    return sorted(by_name, key=lambda s: -float(s[field] or 0)) if field is not None else by_name


def _full_name(stats: dict[str, Any]) -> str:
    return f"{stats['keyspace']}.{stats['table']}"


def _keyspace_told(name: str, tables: list[dict[str, Any]]) -> str:
    lines = [f"Keyspace: {name}"]
    for kind in ("read", "write"):
        count, latency_ms = _of_keyspace(tables, kind)
        lines += [f"\t{kind.title()} Count: {count}", f"\t{kind.title()} Latency: {double(latency_ms)} ms"]
    pending = sum(stats["pending_flushes"] for stats in tables)
    return "\n".join((*lines, f"\tPending Flushes: {pending}")) + "\n"


def _of_keyspace(tables: list[dict[str, Any]], kind: str) -> tuple[int, float]:
    """How often its tables were read or written, and how long that took on average."""
    count = sum(stats[f"{kind}_count"] for stats in tables)
    return count, sum(stats[f"{kind}_total_ms"] for stats in tables) / count if count else NAN


def _or_nan(value: float | None, places: int | None = None) -> str:
    """With so many decimals, or as Java shows a double."""
    return "NaN" if value is None else double(value) if places is None else f"{value:.{places}f}"


def _mean(value: float | None) -> float:
    return NAN if value is None else value


def _read_write_ratio(stats: dict[str, Any]) -> str:
    return f"{stats['read_count'] / stats['write_count'] if stats['write_count'] else 0:.5f}"


def _level_counts(stats: dict[str, Any]) -> list[str]:
    """With what a level may have where it has more."""
    counts = [level["count"] for level in stats["levels"]]
    most = [4, *(_FANOUT**level for level in range(1, len(counts)))]
    return [f"{count}/{limit}" if count > limit else str(count) for count, limit in zip(counts, most, strict=False)]


def _told(stats: dict[str, Any], title: str, indent: str, sizes: Any, options: dict[str, Any]) -> str:
    kind = "Table (index)" if "." in stats["table"] else "Table"
    lines = [
        f"{kind}: {title}",
        f"SSTable count: {stats['sstable_count']}",
        "Old SSTable count: 0",
        f"Max SSTable size: {memory_size(stats['max_sstable_size'])}",
    ]
    if stats["levels"]:
        lines += [
            f"SSTables in each level: [{', '.join(_level_counts(stats))}]",
            f"SSTable bytes in each level: [{', '.join(sizes(level['bytes']) for level in stats['levels'])}]",
        ]
    unrepaired, repaired = stats["unrepaired_bytes"], stats["repaired_bytes"]
    lines += [
        f"Space used (live): {sizes(stats['space_used_live'])}",
        f"Space used (total): {sizes(stats['space_used_live'])}",
        f"Space used by snapshots (total): {sizes(stats['space_used_by_snapshots'])}",
        f"Off heap memory used (total): {sizes(0)}",
        f"SSTable Compression Ratio: {stats['compression_ratio']:.5f}",
        f"Number of partitions (estimate): {stats['partitions']}",
        f"Memtable cell count: {stats['memtable_partitions']}",
        f"Memtable data size: {sizes(stats['memtable_bytes'])}",
        f"Memtable off heap memory used: {sizes(0)}",
        f"Memtable switch count: {stats['memtable_switches']}",
        "Speculative retries: 0",
        f"Local read count: {stats['read_count']}",
        f"Local read latency: {_or_nan(stats['read_latency_ms'], 3)} ms",
        f"Local write count: {stats['write_count']}",
        f"Local write latency: {_or_nan(stats['write_latency_ms'], 3)} ms",
        f"Local read/write ratio: {_read_write_ratio(stats)}",
        f"Pending flushes: {stats['pending_flushes']}",
        f"Percent repaired: {double(_percent_repaired(stats))}",
        f"Bytes repaired: {memory_size(repaired)}",
        f"Bytes unrepaired: {memory_size(unrepaired)}",
        "Bytes pending repair: 0B",
        "Bloom filter false positives: 0",
        "Bloom filter false ratio: 0.00000",
        f"Bloom filter space used: {sizes(stats['bloom_filter_bytes'])}",
        f"Bloom filter off heap memory used: {sizes(0)}",
        f"Index summary off heap memory used: {sizes(0)}",
        f"Compression metadata off heap memory used: {sizes(0)}",
        f"Compacted partition minimum bytes: {stats['partition_bytes_min']}",
        f"Compacted partition maximum bytes: {stats['partition_bytes_max']}",
        f"Compacted partition mean bytes: {stats['partition_bytes_mean']}",
        f"Average live cells per slice (last five minutes): {_or_nan(stats['live_cells_mean'])}",
        f"Maximum live cells per slice (last five minutes): {stats['live_cells_max']}",
        f"Average tombstones per slice (last five minutes): {_or_nan(stats['tombstones_mean'])}",
        f"Maximum tombstones per slice (last five minutes): {stats['tombstones_max']}",
        f"Droppable tombstone ratio: {stats['droppable_tombstone_ratio']:.5f}",
    ]
    if options["sstable_location_check"]:
        lines.append("SSTables in correct location: true")
    return "".join(f"{indent}{line}\n" for line in lines) + "\n"


def _percent_repaired(stats: dict[str, Any]) -> float:
    """Of a table without data 100."""
    whole = stats["unrepaired_bytes"] + stats["repaired_bytes"]
    return round(100 * stats["repaired_bytes"] / whole, 2) if whole else 100.0


def _as_map(
    keyspaces: dict[str, list[dict[str, Any]]],
    chosen: list[dict[str, Any]],
    count: int,
    sizes: Any,
    is_flat: bool,
    checks_location: bool,
) -> dict[str, Any]:
    """Names and their order are those of Cassandra's JSON, which is that of Java's hash maps."""
    if is_flat:
        flat = {_full_name(stats): _table_map(stats, sizes, checks_location) for stats in chosen}
        return in_java_order({"total_number_of_tables": count, **flat})
    content: dict[str, Any] = {"total_number_of_tables": count}
    for keyspace, tables in keyspaces.items():
        mine = [stats for stats in chosen if stats["keyspace"] == keyspace]
        (reads, read_ms), (writes, write_ms) = (_of_keyspace(tables, kind) for kind in ("read", "write"))
        content[keyspace] = {
            "write_latency_ms": write_ms,
            "tables": in_java_order({s["table"]: _table_map(s, sizes, checks_location) for s in mine}),
            "read_latency_ms": read_ms,
            "pending_flushes": sum(stats["pending_flushes"] for stats in tables),
            "write_count": writes,
            "read_latency": read_ms,
            "read_count": reads,
        }
    return in_java_order(content)


def _table_map(stats: dict[str, Any], sizes: Any, checks_location: bool) -> dict[str, Any]:
    return in_java_order(
        {
            "twcs": None,
            "sai_total_queryable_index_ratio": None,
            "memtable_switch_count": stats["memtable_switches"],
            "sai_post_filtering_read_latency": "0.000",
            "speculative_retries": 0,
            "average_live_cells_per_slice_last_five_minutes": _mean(stats["live_cells_mean"]),
            "local_read_latency_ms": _or_nan(stats["read_latency_ms"], 3),
            "sstable_count": stats["sstable_count"],
            "compacted_partition_minimum_bytes": stats["partition_bytes_min"],
            "sstable_compression_ratio": stats["compression_ratio"],
            "max_sstable_size": stats["max_sstable_size"],
            "sai_index_segments_hit": 0.0,
            "memtable_off_heap_memory_used": sizes(0),
            "bloom_filter_space_used": sizes(stats["bloom_filter_bytes"]),
            "compacted_partition_maximum_bytes": stats["partition_bytes_max"],
            "sai_rows_filtered": 0.0,
            "droppable_tombstone_ratio": f"{stats['droppable_tombstone_ratio']:.5f}",
            "compression_metadata_off_heap_memory_used": sizes(0),
            "bloom_filter_false_ratio": "0.00000",
            **({"sstables_in_correct_location": True} if checks_location else {}),
            "percent_repaired": _percent_repaired(stats),
            "average_tombstones_per_slice_last_five_minutes": _mean(stats["tombstones_mean"]),
            "top_tombstone_partitions": {},
            "sai_total_query_timeouts": 0,
            "bloom_filter_off_heap_memory_used": sizes(0),
            "bytes_pending_repair": 0,
            "maximum_tombstones_per_slice_last_five_minutes": stats["tombstones_max"],
            "memtable_cell_count": stats["memtable_partitions"],
            "memtable_data_size": sizes(stats["memtable_bytes"]),
            "local_write_latency_ms": _or_nan(stats["write_latency_ms"], 3),
            "pending_flushes": stats["pending_flushes"],
            "local_read_count": stats["read_count"],
            "top_size_partitions": {},
            "bloom_filter_false_positives": 0,
            "off_heap_memory_used_total": sizes(0),
            "index_summary_off_heap_memory_used": sizes(0),
            "sai_local_query_latency_ms": "0.000",
            "sstables_in_each_level": _level_counts(stats),
            "sstable_bytes_in_each_level": [sizes(level["bytes"]) for level in stats["levels"]],
            "space_used_total": sizes(stats["space_used_live"]),
            "local_write_count": stats["write_count"],
            "sai_sstable_indexes_hit": 0.0,
            "local_read_write_ratio": _read_write_ratio(stats),
            "number_of_partitions_estimate": stats["partitions"],
            "sai_disk_used_bytes": None,
            "bytes_repaired": stats["repaired_bytes"],
            "maximum_live_cells_per_slice_last_five_minutes": stats["live_cells_max"],
            "space_used_live": sizes(stats["space_used_live"]),
            "compacted_partition_mean_bytes": stats["partition_bytes_mean"],
            "old_sstable_count": 0,
            "bytes_unrepaired": stats["unrepaired_bytes"],
            "space_used_by_snapshots_total": sizes(stats["space_used_by_snapshots"]),
        }
    )
