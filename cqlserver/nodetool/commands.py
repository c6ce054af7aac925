"""The table of nodetool's commands: names, options, arguments and help texts are those of Cassandra 5.0."""

from collections.abc import Mapping
from typing import Final

from cqlserver.nodetool.arguments import TABLES as _TABLES
from cqlserver.nodetool.arguments import TABLES_SUMMARY as _TABLES_SUMMARY
from cqlserver.nodetool.arguments import Command, Option
from cqlserver.nodetool.audit_commands import AUDIT_COMMANDS
from cqlserver.nodetool.cluster_commands import CLUSTER_COMMANDS
from cqlserver.nodetool.metric_commands import METRIC_COMMANDS
from cqlserver.nodetool.network_commands import NETWORK_COMMANDS
from cqlserver.nodetool.operating_commands import OPERATING

_FORMAT: Final = Option(("-F", "--format"), "Output format (json, yaml)", "format")
_HUMAN: Final = Option(("-H", "--human-readable"), "Display bytes in human readable form, i.e. KiB, MiB, GiB, TiB")

SORT_KEYS: Final = """
    average_live_cells_per_slice_last_five_minutes, average_tombstones_per_slice_last_five_minutes,
    bloom_filter_false_positives, bloom_filter_false_ratio, bloom_filter_off_heap_memory_used, bloom_filter_space_used,
    compacted_partition_maximum_bytes, compacted_partition_mean_bytes, compacted_partition_minimum_bytes,
    compression_metadata_off_heap_memory_used, full_name, index_summary_off_heap_memory_used, local_read_count,
    local_read_latency_ms, local_write_latency_ms, maximum_live_cells_per_slice_last_five_minutes,
    maximum_tombstones_per_slice_last_five_minutes, memtable_cell_count, memtable_data_size,
    memtable_off_heap_memory_used, memtable_switch_count, number_of_partitions_estimate, off_heap_memory_used_total,
    pending_flushes, percent_repaired, read_latency, reads, space_used_by_snapshots_total, space_used_live,
    space_used_total, sstable_compression_ratio, sstable_count, table_name, write_latency, writes, max_sstable_size,
    local_read_write_ratio, twcs_max_duration, sai_local_query_latency_ms,sai_post_filtering_read_latency,
    sai_disk_used_bytes, sai_sstable_indexes_hit, sai_index_segments_hit sai_rows_filtered, sai_total_query_timeouts,
    sai_total_queryable_index_ratio
"""
"""As the help has them."""



def _jobs(verb: str, more: str = "") -> Option:
    text = f"Number of sstables to {verb} simultanously, set to 0 to use all available compaction threads{more}"
    return Option(("-j", "--jobs"), text, "jobs", is_integer=True)


_ALL: Final = (
    Command(
        "cleanup",
        "Triggers the immediate cleanup of keys no longer belonging to a node. By default, clean all keyspaces",
        "compactions",
        (_jobs("cleanup"),),
        _TABLES,
        _TABLES_SUMMARY,
    ),
    Command(
        "disableautocompaction",
        "Disable autocompaction for the given keyspace and table",
        "compactions",
        (),
        _TABLES,
        _TABLES_SUMMARY,
    ),
    Command("disablebackup", "Disable incremental backup", "storing"),
    Command(
        "enableautocompaction",
        "Enable autocompaction for the given keyspace and table",
        "compactions",
        (),
        _TABLES,
        _TABLES_SUMMARY,
    ),
    Command("enablebackup", "Enable incremental backup", "storing"),
    Command(
        "garbagecollect",
        "Remove deleted data from one or more tables",
        "compactions",
        (
            Option(
                ("-g", "--granularity"),
                "Granularity of garbage removal. ROW (default) removes deleted partitions and rows, CELL also removes "
                "overwritten or deleted cells.",
                "granularity",
            ),
            _jobs(
                "cleanup",
                ". Defaults to 1 so that collections of newer tables can see the data is deleted and also remove "
                "tombstones.",
            ),
        ),
        _TABLES,
        _TABLES_SUMMARY,
    ),
    Command(
        "getcompactionthroughput",
        "Print the MiB/s throughput cap for compaction in the system as a rounded number",
        "compactions",
        (
            Option(
                ("-d", "--precise-mib"),
                "Print the MiB/s throughput cap for compaction in the system as a precise number (double)",
            ),
        ),
    ),
    Command(
        "scrub",
        "Scrub (rebuild sstables for) one or more tables",
        "compactions",
        (
            _jobs("scrub"),
            Option(("-n", "--no-validate"), "Do not validate columns using column validator"),
            Option(
                ("-ns", "--no-snapshot"),
                "Scrubbed CFs will be snapshotted first, if disableSnapshot is false. (default false)",
            ),
            Option(
                ("-r", "--reinsert-overflowed-ttl"),
                "Rewrites rows with overflowed expiration date affected by CASSANDRA-14092 with the maximum supported "
                "expiration date of 2038-01-19T03:14:06+00:00. The rows are rewritten with the original timestamp "
                "incremented by one millisecond to override/supersede any potential tombstone that may have been "
                "generated during compaction of the affected rows.",
            ),
            Option(
                ("-s", "--skip-corrupted"), "Skip corrupted partitions even when scrubbing counter tables. (default false)"
            ),
        ),
        _TABLES,
        _TABLES_SUMMARY,
    ),
    Command(
        "setcompactionthroughput",
        "Set the MiB/s throughput cap for compaction in the system, or 0 to disable throttling",
        "compactions",
        (),
        "<value_in_mb>",
        "Value in MiB, 0 to disable throttling",
    ),
    Command(
        "statusautocompaction",
        "status of autocompaction of the given keyspace and table",
        "compactions",
        (Option(("-a", "--all"), "Show auto compaction status for each keyspace/table"),),
        _TABLES,
        _TABLES_SUMMARY,
    ),
    Command("statusbackup", "Status of incremental backup", "storing"),
    Command(
        "upgradesstables",
        "Rewrite sstables (for the requested tables) that are not on the current version (thus upgrading them to said "
        "current version)",
        "compactions",
        (
            Option(
                ("-a", "--include-all-sstables"),
                "Use -a to include all sstables, even those already on the current version",
            ),
            _jobs("upgrade"),
            Option(
                ("-t", "--max-timestamp"),
                "Use -t to compact only SSTables that have local creation time _older_ than the given timestamp",
                "max_timestamp",
            ),
        ),
        _TABLES,
        _TABLES_SUMMARY,
    ),
    Command(
        "compact",
        "Force a (major) compaction on one or more tables or user-defined compaction on given SSTables",
        "storing",
        (
            Option(("-s", "--split-output"), "Use -s to not create a single big file"),
            Option(("--user-defined",), "Use --user-defined to submit listed files for user-defined compaction"),
            Option(
                ("-st", "--start-token"),
                "Use -st to specify a token at which the compaction range starts (inclusive)",
                "start_token",
            ),
            Option(
                ("-et", "--end-token"), "Use -et to specify a token at which compaction range ends (inclusive)", "end_token"
            ),
            Option(("--partition",), "String representation of the partition key", "partition_key"),
        ),
        f"{_TABLES} or <SSTable file>...",
        "The keyspace followed by one or many tables or list of SSTable data files when using --user-defined",
    ),
    Command(
        "import",
        "Import new SSTables to the system",
        "importing",
        (
            Option(("-c", "--no-invalidate-caches"), "Don't invalidate the row cache when importing"),
            Option(("-e", "--extended-verify"), "Run an extended verify, verifying all values in the new sstables"),
            Option(("-l", "--keep-level"), "Keep the level on the new sstables"),
            Option(("-niv", "--no-index-validation"), "Skip SSTable-attached index checksum validation"),
            Option(("-p", "--copy-data"), "Copy data from source directories instead of moving them"),
            Option(
                ("-q", "--quick"),
                "Do a quick import without verifying sstables, clearing row cache or checking in which data directory to "
                "put the file",
            ),
            Option(("-r", "--keep-repaired"), "Keep any repaired information from the sstables"),
            Option(
                ("-ri", "--require-index-components"),
                "Require existing index components for SSTables with attached indexes",
            ),
            Option(
                ("-t", "--no-tokens"),
                "Don't verify that all tokens in the new sstable are owned by the current node",
            ),
            Option(("-v", "--no-verify"), "Don't verify new sstables"),
        ),
        "<keyspace> <table> <directory> ...",
        "The keyspace, table name and directories to import sstables from",
    ),
    Command(
        "refresh",
        "Load newly placed SSTables to the system without restart",
        "importing",
        (),
        "<keyspace> <table>",
        "The keyspace and table name",
    ),
    Command(
        "clearsnapshot",
        "Remove the snapshot with the given name from the given keyspaces",
        "snapshots",
        (
            Option(("-t",), "Remove the snapshot with a given name", "snapshot_name"),
            Option(("--all",), "Removes all snapshots"),
            Option(("--older-than",), "Clear snapshots older than specified time period.", "older_than"),
            Option(
                ("--older-than-timestamp",),
                "Clear snapshots older than specified timestamp. It has to be a string in ISO format, for example "
                "'2022-12-03T10:15:30Z'",
                "older_than_timestamp",
            ),
        ),
        "[<keyspaces>...]",
        "Remove snapshots from the given keyspaces",
    ),
    Command("compactionhistory", "Print history of compaction", "compactions", (_FORMAT,)),
    Command(
        "compactionstats",
        "Print statistics on compactions",
        "compactions",
        (_HUMAN, Option(("-V", "--vtable"), "Display fields matching vtable output")),
    ),
    Command("drain", "Drain the node (stop accepting writes and flush all tables)", "storing"),
    Command("flush", "Flush one or more tables", "storing", (), _TABLES, _TABLES_SUMMARY),
    Command("help", "Display help information", "", (), "<command>"),
    Command(
        "info",
        "Print node information (uptime, load, ...)",
        "node",
        (
            Option(("-T", "--tokens"), "Display all tokens"),
            Option(("-O", "--out-of-range-ops"), "Display per-keyspace counts of operations for invalid tokens"),
        ),
    ),
    Command(
        "listsnapshots",
        "Lists all the snapshots along with the size on disk and true size. True size is the total size of all SSTables "
        "which are not backed up to disk. Size on disk is total size of the snapshot on disk. Total TrueDiskSpaceUsed does "
        "not make any SSTable deduplication.",
        "snapshots",
        (
            Option(("-nt", "--no-ttl"), "Skip snapshots with TTL"),
            Option(("-e", "--ephemeral"), "Include ephememeral snapshots"),
        ),
    ),
    Command(
        "snapshot",
        "Take a snapshot of specified keyspaces or a snapshot of the specified table",
        "snapshots",
        (
            Option(
                ("-cf", "--column-family", "--table"),
                "The table name (you must specify one and only one keyspace for using this option)",
                "table",
            ),
            Option(("-t", "--tag"), "The name of the snapshot", "tag"),
            Option(
                ("-kt", "--kt-list", "-kc", "--kc.list"),
                "The list of Keyspace.table to take snapshot.(you must not specify only keyspace)",
                "ktlist",
            ),
            Option(
                ("-sf", "--skip-flush"),
                "Do not flush memtables before snapshotting (snapshot will not contain unflushed data)",
            ),
            Option(("--ttl",), "Specify a TTL of created snapshot", "ttl"),
        ),
        "[<keyspaces...>]",
        "List of keyspaces. By default, all keyspaces",
    ),
    Command(
        "status",
        "Print cluster information (state, load, IDs, ...)",
        "cluster",
        (Option(("-r", "--resolve-ip"), "Show node domain names instead of IPs"),),
        "[<keyspace>]",
        "The keyspace name",
    ),
    Command(
        "tablestats",
        "Print statistics on tables",
        "table_stats",
        (
            Option(("-i",), "Ignore the list of tables and display the remaining tables"),
            _HUMAN,
            _FORMAT,
            Option(("-s", "--sort"), f"Sort tables by specified sort key ({' '.join(SORT_KEYS.split())})", "sort_key"),
            Option(
                ("-t", "--top"),
                "Show only the top K tables for the sort key (specify the number K of tables to be shown",
                "top",
                is_integer=True,
            ),
            Option(
                ("-l", "--sstable-location-check"), "Check whether or not the SSTables are in the correct location."
            ),
        ),
        "[<keyspace.table>...]",
        "List of tables (or keyspace) names",
    ),
    Command(
        "version",
        "Print cassandra version",
        "node",
        (Option(("-v", "--verbose"), "Include additional information"),),
    ),
)

COMMANDS: Final[Mapping[str, Command]] = {
    command.name: command
    for command in (*_ALL, *AUDIT_COMMANDS, *CLUSTER_COMMANDS, *METRIC_COMMANDS, *NETWORK_COMMANDS, *OPERATING)
}
