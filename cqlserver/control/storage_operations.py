"""The operations of the control port on what a node keeps: those that nodetool asks for."""

from typing import TYPE_CHECKING, Final

from cqlserver.control.later import later
from cqlserver.control.operation import BOOLEAN, INTEGER, NOTHING, STRING, STRINGS, WHICH, Argument, Operation, list_of
from cqlserver.control.part_operations import PART_OPERATIONS

if TYPE_CHECKING:
    from cqlserver.control import compacting, importing, node_facts, snapshotting, storing, table_stats
else:
    compacting, importing, node_facts, snapshotting, storing, table_stats = later(
        "compacting", "importing", "node_facts", "snapshotting", "storing", "table_stats"
    )

STORAGE_OPERATIONS: Final[tuple[Operation, ...]] = (
    Operation("flush", "Writes what memtables have to SSTables", WHICH, NOTHING, storing.flush, alone=False),
    Operation(
        "compact",
        "Makes one SSTable of all that a table has",
        (*WHICH, Argument("split_output", BOOLEAN, "several, each of half of what is left", False)),
        NOTHING,
        storing.compact,
        alone=False,
    ),
    Operation(
        "drain",
        "Ends clients' connections, writes all to SSTables, empties the commit log; no writes are taken after that",
        (),
        NOTHING,
        storing.drain,
        is_for_single_nodes=True,
    ),
    Operation(
        "take_snapshot",
        "Keeps the SSTables that tables have now under a name, as hard links",
        (
            Argument("name", STRING, "the snapshot's"),
            Argument("keyspaces", STRINGS, "of these keyspaces alone", []),
            Argument("tables", STRINGS, "of these tables alone, each as keyspace.table", []),
            Argument("skip_flush", BOOLEAN, "leave out what memtables have", False),
            Argument("ttl_s", INTEGER, "seconds after which it may go", None),
        ),
        NOTHING,
        snapshotting.take_snapshot,
    ),
    Operation(
        "list_snapshots",
        "The snapshots on disk, those of dropped tables too",
        (),
        list_of("snapshots"),
        snapshotting.list_snapshots,
        reads=True,
    ),
    Operation(
        "clear_snapshots",
        "Removes snapshots from the disk",
        (
            Argument("name", STRING, "those of this name alone", None),
            Argument("keyspaces", STRINGS, "of these keyspaces alone", []),
            Argument("before_ms", INTEGER, "those alone that were taken before, in milliseconds since 1970", None),
        ),
        {"type": "object", "properties": {"removed": INTEGER.schema}},
        snapshotting.clear_snapshots,
    ),
    Operation(
        "import_sstables",
        "Takes SSTables of some folders up into a table: of each folder all or none",
        (
            Argument("keyspace", STRING, "the table's"),
            Argument("table", STRING, "its name"),
            Argument("directories", STRINGS, "the folders, on the server's machine"),
            Argument("keep_level", BOOLEAN, "leave them in the levels that they say", False),
            Argument("keep_repaired", BOOLEAN, "leave them repaired", False),
            Argument("verify", BOOLEAN, "look at checksums and indexes before", True),
            Argument("extended_verify", BOOLEAN, "look at every row before", False),
            Argument("verify_tokens", BOOLEAN, "take nothing that has keys of other nodes", True),
            Argument("require_indexes", BOOLEAN, "take nothing that comes without the files of its SAI indexes", False),
            Argument("copy", BOOLEAN, "leave the folders as they are", False),
        ),
        {"type": "object", "properties": {"failed": {"type": "array", "items": STRING.schema}}},
        importing.import_sstables,
    ),
    Operation(
        "refresh",
        "Takes the SSTables up that somebody put into a table's folder",
        (Argument("keyspace", STRING, "the table's"), Argument("table", STRING, "its name")),
        NOTHING,
        importing.refresh,
    ),
    Operation("tasks", "What goes on in the background", (), list_of("tasks"), storing.tasks, reads=True, alone=False),
    Operation(
        "compaction_stats",
        "How many compactions wait, go on, have been",
        (),
        {"type": "object"},
        compacting.compaction_stats,
        reads=True,
        alone=False,
    ),
    Operation(
        "compaction_history",
        "The compactions of the last week, the newest first",
        (),
        list_of("history"),
        compacting.compaction_history,
        reads=True,
        alone=False,
    ),
    Operation(
        "rewrite",
        "Writes the SSTables of tables again",
        (
            Argument("why", STRING, "cleanup, garbagecollect, recompress, scrub or upgradesstables"),
            *WHICH,
            Argument("by_cells", BOOLEAN, "garbagecollect: what is overwritten, too", False),
            Argument("includes_current", BOOLEAN, "upgradesstables: those of the current version, too", False),
            Argument("before_ms", INTEGER, "upgradesstables: those that were made before that time", None),
            Argument("takes_snapshot", BOOLEAN, "scrub: of what there is before", True),
            Argument("validates", BOOLEAN, "scrub: leave out what has values that are none of their types, too", True),
            Argument("skips_counters", BOOLEAN, "scrub: leave out what is damaged of counters, too, which miscounts", False),
        ),
        NOTHING,
        compacting.rewrite,
        alone=False,
    ),
    Operation(
        "autocompaction",
        "Lets tables be compacted by themselves, or no more",
        (Argument("on", BOOLEAN, "lets them"), *WHICH),
        NOTHING,
        compacting.autocompaction,
    ),
    Operation(
        "autocompaction_status",
        "Which tables are compacted by themselves",
        WHICH,
        list_of("tables"),
        compacting.autocompaction_status,
        reads=True,
    ),
    Operation(
        "set_compaction_throughput",
        "How fast compactions may read",
        (Argument("mib", INTEGER, "MiB a second, 0 for as fast as they can"),),
        NOTHING,
        compacting.set_compaction_throughput,
    ),
    Operation(
        "backups",
        "Keeps a link to each SSTable that is flushed in its table's folder backups/, or no more",
        (Argument("on", BOOLEAN, "keeps them", True),),
        NOTHING,
        storing.backups,
    ),
    Operation(
        "table_stats",
        "What each table takes in memory and on disk",
        (),
        list_of("tables"),
        table_stats.table_stats,
        reads=True,
        alone=False,
    ),
    Operation(
        "node_info",
        "What the node says of itself: load, uptime, memory, tokens",
        (),
        {"type": "object"},
        node_facts.node_info,
        reads=True,
        alone=False,
    ),
    *PART_OPERATIONS,
)
