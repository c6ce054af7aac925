"""nodetool's commands on parts of what a node has, and on what of it can be stopped, emptied and set."""

from typing import Final

from cqlserver.nodetool.arguments import TABLES, TABLES_SUMMARY, Command, Option

_CAPACITIES: Final = "<key-cache-capacity> <row-cache-capacity> <counter-cache-capacity>"
_THRESHOLDS: Final = "<keyspace> <table> <minthreshold> <maxthreshold>"
_STOPPABLE: Final = (
    "Supported types are COMPACTION, VALIDATION, CLEANUP, SCRUB, UPGRADE_SSTABLES, INDEX_BUILD, TOMBSTONE_COMPACTION, "
    "ANTICOMPACTION, VERIFY, VIEW_BUILD, INDEX_SUMMARY, RELOCATE, GARBAGE_COLLECT"
)

OPERATING: Final = (
    Command(
        "disablebinary",
        "Disable native transport (binary protocol)",
        "switches",
        (Option(("-f", "--force"), "Use -f to interrupt client requests that have already started"),),
    ),
    Command("enablebinary", "Reenable native transport (binary protocol)", "switches"),
    Command(
        "getcompactionthreshold",
        "Print min and max compaction thresholds for a given table",
        "parts",
        (),
        "<keyspace> <table>",
        "The keyspace with a table",
    ),
    Command("getconcurrentcompactors", "Get the number of concurrent compactors in the system.", "switches"),
    Command(
        "getendpoints",
        "Print the end points that owns the key",
        "parts",
        (),
        "<keyspace> <table> <key>",
        "The keyspace, the table, and the partition key for which we need to find the endpoint",
    ),
    Command(
        "getsstables",
        "Print the sstable filenames that own the key",
        "parts",
        (
            Option(("-hf", "--hex-format"), "Specify the key in hexadecimal string format"),
            Option(
                ("-l", "--show-levels"),
                "If the table is using leveled compaction the level of each sstable will be included in the output "
                "(Default: false)",
            ),
        ),
        "<keyspace> <cfname> <key>",
        "The keyspace, the column family, and the key",
    ),
    Command("invalidatecountercache", "Invalidate the counter cache", "switches"),
    Command("invalidatekeycache", "Invalidate the key cache", "switches"),
    Command("invalidaterowcache", "Invalidate the row cache", "switches"),
    Command(
        "rebuild_index",
        "A full rebuild of native secondary indexes for a given table",
        "parts",
        (),
        "<keyspace> <table> <indexName...>",
        "The keyspace and table name followed by a list of index names",
    ),
    Command("refreshsizeestimates", "Refresh system.size_estimates", "switches"),
    Command(
        "setcachecapacity",
        "Set global key, row, and counter cache capacities (in MB units)",
        "switches",
        (),
        _CAPACITIES,
        "Key cache, row cache, and counter cache (in MB)",
    ),
    Command(
        "setcompactionthreshold",
        "Set min and max compaction thresholds for a given table",
        "parts",
        (),
        _THRESHOLDS,
        "The keyspace, the table, min and max threshold",
    ),
    Command("statusbinary", "Status of native transport (binary protocol)", "switches"),
    Command(
        "stop",
        "Stop compaction",
        "switches",
        (
            Option(
                ("-id", "--compaction-id"),
                "Use -id to stop a compaction by the specified id. Ids can be found in the transaction log files whose name "
                "starts with compaction_, located in the table transactions folder.",
                "compactionId",
            ),
        ),
        "<compaction type>",
        _STOPPABLE,
    ),
    Command(
        "verify",
        "Verify (check data checksum for) one or more tables",
        "parts",
        (
            Option(("-c", "--check-version"), "Also check that all sstables are the latest version"),
            Option(("-d", "--dfp"), "Invoke the disk failure policy if a corrupt sstable is found"),
            Option(("-e", "--extended-verify"), "Verify each cell data, beyond simply checking sstable checksums"),
            Option(
                ("-f", "--force"), "Override disabling of verify tool - see CASSANDRA-9947 for caveats"
            ),
            Option(("-q", "--quick"), "Do a quick check - avoid reading all data to verify checksums"),
            Option(("-r", "--rsc"), "Mutate the repair status on corrupt sstables"),
            Option(("-t", "--check-tokens"), "Verify that all tokens in sstables are owned by this node"),
        ),
        TABLES,
        TABLES_SUMMARY,
    ),
)  # fmt: skip
