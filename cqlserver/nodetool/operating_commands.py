"""nodetool's commands on parts of what a node has, and on what of it can be stopped, emptied and set."""

from typing import Final

from cqlserver.nodetool.arguments import TABLES, TABLES_SUMMARY, Command, Option

_ROLES: Final = "[<role>...]"
_ROLES_SUMMARY: Final = "List of roles to invalidate. By default, all roles"
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
    Command(
        "datapaths",
        "Print all directories where data of tables are stored",
        "paths",
        (Option(("-F", "--format"), "Output format (json, yaml)", "format"),),
        "[<keyspace.table>...]",
        "List of table (or keyspace) names",
    ),
    Command(
        "getcolumnindexsize",
        "Print the granularity of the collation index of rows within a partition in KiB",
        "switches",
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
        "getguardrailsconfig",
        "Print runtime configuration of guardrails.",
        "guardrails",
        (
            Option(
                ("--category", "-c"),
                "Category of guardrails to filter, can be one of 'values', 'thresholds', 'flags', 'others'.",
                "guardrailCategory",
            ),
            Option(("--expand",), "Expand all guardrail names so they reflect their counterparts in cassandra.yaml"),
        ),
        "<args>",
        "Specific name of a guardrail to get configuration of.",
    ),
    Command(
        "setguardrailsconfig",
        "Modify runtime configuration of guardrails.",
        "guardrails",
        (),
        "[<setter> <value1> ...]",
        "For flags, possible values are 'true' or 'false'. For thresholds, two values are expected, first for failure, "
        "second for warning. For values, enumeration of values expected or one value where multiple items are separated by "
        "comma. Setting for thresholds accepting strings and value guardrails are reset by specifying 'null' or '[]' value. "
        "For thresholds accepting integers, the reset value is -1.",
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
    Command("invalidatecredentialscache", "Invalidate the credentials cache", "auth_caches", (), _ROLES, _ROLES_SUMMARY),
    Command("invalidatekeycache", "Invalidate the key cache", "switches"),
    Command(
        "invalidatenetworkpermissionscache",
        "Invalidate the network permissions cache",
        "auth_caches",
        (),
        _ROLES,
        _ROLES_SUMMARY,
    ),
    Command(
        "invalidatepermissionscache",
        "Invalidate the permissions cache",
        "auth_caches",
        (
            Option(("--all-functions",), "Invalidate permissions for 'ALL FUNCTIONS'"),
            Option(("--all-keyspaces",), "Invalidate permissions for 'ALL KEYSPACES'"),
            Option(("--all-mbeans",), "Invalidate permissions for 'ALL MBEANS'"),
            Option(("--all-roles",), "Invalidate permissions for 'ALL ROLES'"),
            Option(("--all-tables",), "Invalidate permissions for 'ALL TABLES'"),
            Option(
                ("--function",),
                "Function to invalidate permissions for (you must specify --functions-in-keyspace for using this option; "
                "function format: name[arg1^..^agrN], for example: foo[Int32Type^DoubleType])",
                "function",
            ),
            Option(("--functions-in-keyspace",), "Keyspace to invalidate permissions for", "functions-in-keyspace"),
            Option(("--keyspace",), "Keyspace to invalidate permissions for", "keyspace"),
            Option(("--mbean",), "MBean to invalidate permissions for", "mbean"),
            Option(("--role",), "Role to invalidate permissions for", "role"),
            Option(
                ("--table",),
                "Table to invalidate permissions for (you must specify --keyspace for using this option)",
                "table",
            ),
        ),
        "[<role>]",
        "A role for which permissions to specified resources need to be invalidated",
    ),
    Command("invalidaterolescache", "Invalidate the roles cache", "auth_caches", (), _ROLES, _ROLES_SUMMARY),
    Command("invalidaterowcache", "Invalidate the row cache", "switches"),
    Command(
        "rebuild_index",
        "A full rebuild of native secondary indexes for a given table",
        "parts",
        (),
        "<keyspace> <table> <indexName...>",
        "The keyspace and table name followed by a list of index names",
    ),
    Command(
        "recompress_sstables",
        "Rewrite sstables (for the requested tables) that have compression configuration different from the current",
        "compactions",
        (
            Option(
                ("-j", "--jobs"),
                "Number of sstables to upgrade simultanously, set to 0 to use all available compaction threads",
                "jobs",
                is_integer=True,
            ),
        ),
        TABLES,
        TABLES_SUMMARY,
    ),
    Command(
        "relocatesstables",
        "Relocates sstables to the correct disk",
        "compactions",
        (
            Option(
                ("-j", "--jobs"),
                "Number of sstables to relocate simultanously, set to 0 to use all available compaction threads",
                "jobs",
                is_integer=True,
            ),
        ),
        "<keyspace> <table>",
        "The keyspace and table name",
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
    Command(
        "viewbuildstatus",
        "Show progress of a materialized view build",
        "paths",
        (),
        "<keyspace> <view> | <keyspace.view>",
        "The keyspace and view name",
    ),
)  # fmt: skip
