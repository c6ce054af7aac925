"""The operations of the control port on single keys and SSTables, and on what can be stopped, emptied and set."""

from typing import TYPE_CHECKING, Final

from cqlserver.control.later import later
from cqlserver.control.operation import BOOLEAN, INTEGER, NOTHING, STRING, STRINGS, WHICH, Argument, Operation, list_of
from cqlserver.control.stoppable import STOPPABLE

if TYPE_CHECKING:
    from cqlserver.control import estimates, guarding, parts, switches
else:
    estimates, guarding, parts, switches = later("estimates", "guarding", "parts", "switches")

_TABLE: Final = (Argument("keyspace", STRING, "its keyspace"), Argument("table", STRING, "its name"))
_KEY: Final = Argument("key", STRING, "of a partition, components with colons between them")

PART_OPERATIONS: Final[tuple[Operation, ...]] = (
    Operation(
        "compact_range",
        "Makes one SSTable of those of a table that have a token of a range",
        (*WHICH, Argument("start", STRING, "the first token"), Argument("end", STRING, "the last token")),
        NOTHING,
        parts.compact_range,
        alone=False,
    ),
    Operation(
        "compact_partition",
        "Makes one SSTable of those of a table that may have a partition",
        (*WHICH, _KEY),
        NOTHING,
        parts.compact_partition,
        alone=False,
    ),
    Operation(
        "compact_sstables",
        "Makes one SSTable of those that are named, for each of their tables",
        (Argument("files", STRINGS, "data files"),),
        NOTHING,
        parts.compact_sstables,
        alone=False,
    ),
    Operation(
        "compaction_thresholds",
        "How many SSTables of about one size are compacted together",
        _TABLE,
        {"type": "object", "properties": {"min": INTEGER.schema, "max": INTEGER.schema}},
        parts.compaction_thresholds,
        reads=True,
        alone=False,
    ),
    Operation(
        "set_compaction_thresholds",
        "Changes how many SSTables of about one size are compacted together",
        (*_TABLE, Argument("min", INTEGER, "at least"), Argument("max", INTEGER, "at most")),
        NOTHING,
        parts.set_compaction_thresholds,
    ),
    Operation(
        "verify",
        "Looks whether SSTables are whole",
        (
            *WHICH,
            Argument("extended", BOOLEAN, "decode each row", False),
            Argument("quick", BOOLEAN, "leave the data out", False),
            Argument("check_version", BOOLEAN, "they have to be of the version that is written", False),
            Argument("check_tokens", BOOLEAN, "all of them has to be the node's", False),
            Argument("unmark_damaged", BOOLEAN, "one that is not whole counts as not repaired from then on", False),
            Argument("follow_policy", BOOLEAN, "where one is not whole, do what disk_failure_policy says", False),
        ),
        NOTHING,
        parts.verify,
        alone=False,
    ),
    Operation(
        "sstables_of_key",
        "The data files that have a partition",
        (*_TABLE, _KEY, Argument("is_hex", BOOLEAN, "the key is its bytes in hex", False)),
        list_of("sstables"),
        parts.sstables_of_key,
        reads=True,
        alone=False,
    ),
    Operation(
        "rebuild_indexes",
        "Builds indexes of a table anew",
        (*_TABLE, Argument("indexes", STRINGS, "their names")),
        NOTHING,
        parts.rebuild_indexes,
    ),
    Operation(
        "stop_tasks",
        "Stops compactions and the like that go on",
        (
            Argument("kind", STRING, f"one of {', '.join(STOPPABLE)}"),
            Argument("id", STRING, "the one of this id alone", ""),
        ),
        NOTHING,
        switches.stop,
        alone=False,
    ),
    Operation(
        "native_transport",
        "Takes clients, or ends their connections and takes no more",
        (Argument("on", BOOLEAN, "takes them"),),
        NOTHING,
        switches.native_transport,
    ),
    Operation(
        "invalidate_cache",
        "Forgets what a cache holds",
        (Argument("cache", STRING, "keys, rows or counters"),),
        NOTHING,
        switches.invalidate_cache,
    ),
    Operation(
        "invalidate_auth_cache",
        "Forgets what is believed of roles",
        (
            Argument("cache", STRING, "credentials, network_permissions, permissions or roles"),
            Argument("roles", STRINGS, "of these alone", []),
            Argument("resource", STRING, "permissions: on this one, by its name", ""),
        ),
        NOTHING,
        switches.invalidate_auth_cache,
    ),
    Operation(
        "view_build_status",
        "How far the nodes are with building a view",
        (Argument("keyspace", STRING, "its keyspace"), Argument("view", STRING, "its name")),
        list_of("nodes"),
        parts.view_build_status,
        reads=True,
        alone=False,
    ),
    Operation(
        "data_paths",
        "The folders of tables",
        (),
        list_of("tables"),
        parts.data_paths,
        reads=True,
        alone=False,
    ),
    Operation(
        "column_index_size",
        "How much lies between two entries of a wide partition's index, in KiB",
        (),
        {"type": "object", "properties": {"kib": INTEGER.schema}},
        switches.column_index_size,
        reads=True,
        alone=False,
    ),
    Operation(
        "guardrails",
        "What guardrails are set to",
        (),
        list_of("guardrails"),
        guarding.guardrails,
        reads=True,
        alone=False,
    ),
    Operation(
        "set_guardrail",
        "Sets a guardrail, as nodetool setguardrailsconfig does",
        (
            Argument("name", STRING, "its name, of thresholds without warn and fail"),
            Argument("values", STRINGS, "what it is set to: of thresholds what fails, then what is warned of"),
        ),
        NOTHING,
        guarding.set_guardrail,
    ),
    Operation(
        "set_cache_capacity",
        "How much caches may take",
        (
            Argument("keys_mib", INTEGER, "MiB of places of partitions in SSTables"),
            Argument("rows_mib", INTEGER, "MiB of partitions in SSTables"),
        ),
        NOTHING,
        switches.set_cache_capacity,
    ),
    Operation(
        "refresh_size_estimates",
        "Writes anew how large tables are by range of tokens (system.size_estimates, table_estimates)",
        (),
        NOTHING,
        estimates.refresh_size_estimates,
    ),
)
