"""The table of operations: their names, what they take, what they answer. See the package's text for how to add one."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from cqlserver.control.audit_operations import AUDIT_OPERATIONS
from cqlserver.control.cluster_operations import CLUSTER_OPERATIONS
from cqlserver.control.later import later
from cqlserver.control.metric_operations import METRIC_OPERATIONS
from cqlserver.control.movement_operations import MOVEMENT_OPERATIONS
from cqlserver.control.network_operations import NETWORK_OPERATIONS
from cqlserver.control.operation import BOOLEAN, INTEGER, NOTHING, STRING, Argument, Operation
from cqlserver.control.storage_operations import STORAGE_OPERATIONS

if TYPE_CHECKING:
    from cqlserver.control import copying, nodes, query_log, verbs
else:
    copying, nodes, query_log, verbs = later("copying", "nodes", "query_log", "verbs")

_COLUMN: Final = {"type": "object", "properties": {"name": STRING.schema, "type": STRING.schema}}
_ROWS: Final[Mapping[str, object]] = {
    "type": "object",
    "properties": {
        "columns": {"type": "array", "items": _COLUMN},
        "rows": {"type": "array", "items": {"type": "object"}},
        "paging_state": {"type": ["string", "null"], "description": "for the next page; null on the last one"},
        "warnings": {"type": "array", "items": STRING.schema},
    },
}
_SNAPSHOTS: Final[Mapping[str, object]] = {
    "type": "object",
    "properties": {"snapshots": {"type": "array", "items": STRING.schema}},
}
_ONLY = Argument("keyspace", STRING, "of this keyspace alone", None)
_NAME = Argument("name", STRING, "the snapshot's name")

_SINCE = Argument("since", INTEGER, "of this number (a `next` of before) and later", 0)
_NEXT: Final = {"type": "integer", "description": "the number of the next request"}

_PAGE_SIZE: Final = 5_000
_NODE = Argument("node", INTEGER, "the node's number, from 1 on")

OPERATIONS: Final[tuple[Operation, ...]] = (
    Operation(
        "reset",
        "Empties all tables of all keyspaces but the system's",
        (Argument("schema", BOOLEAN, "drop the keyspaces too", False), _ONLY),
        NOTHING,
        verbs.reset,
    ),
    Operation(
        "snapshot",
        "Remembers schema and data under a name",
        (_NAME, _ONLY),
        NOTHING,
        verbs.snapshot,
    ),
    Operation(
        "restore",
        "Brings back the schema and data of a snapshot, which stays",
        (_NAME, Argument("schema", BOOLEAN, "the schema too, not the rows alone", True)),
        NOTHING,
        verbs.restore,
    ),
    Operation(
        "snapshots",
        "The names of the snapshots that there are",
        (),
        _SNAPSHOTS,
        verbs.snapshots,
        reads=True,
    ),
    Operation(
        "about",
        "What the server says of itself",
        (),
        {
            "type": "object",
            "properties": {
                "host": STRING.schema,
                "port": INTEGER.schema,
                "pid": INTEGER.schema,
                "release_version": STRING.schema,
                "data": {"type": ["string", "null"], "description": "the data folder"},
            },
        },
        verbs.about,
        reads=True,
    ),
    Operation("forget", "Forgets a snapshot", (_NAME,), NOTHING, verbs.forget),
    Operation(
        "execute",
        "Executes CQL, one statement or several with semicolons, and answers the rows of the last one",
        (
            Argument("cql", STRING, "the statements"),
            Argument("keyspace", STRING, "of names without one", None),
            Argument("page_size", INTEGER, "rows in one answer", _PAGE_SIZE),
            Argument("paging_state", STRING, "of the answer before", None),
        ),
        _ROWS,
        verbs.execute,
    ),
    Operation(
        "load",
        "Executes a file of CQL, or writes one of rows (CSV, JSON, YAML), or does so with a folder's files",
        (
            Argument("path", STRING, "the file or folder, on the server's machine"),
            Argument("keyspace", STRING, "of names without one", None),
        ),
        {"type": "object", "properties": {"statements": INTEGER.schema}},
        verbs.load,
    ),
    Operation(
        "loading",
        "How far a load is that is under way",
        (),
        {
            "type": "object",
            "properties": {"file": STRING.schema, "in_file": INTEGER.schema, "statements": INTEGER.schema},
            "description": "the file, how many of its statements are done, how many in all; nothing where none is under way",
        },
        verbs.loading,
        reads=True,
        alone=False,
    ),
    Operation(
        "export",
        "Writes a copy of schema and data, tombstones and timestamps too, for a start with --copy-of",
        (Argument("path", STRING, "a new folder, on the server's machine"),),
        NOTHING,
        copying.export,
    ),
    Operation(
        "dump",
        "Writes a keyspace as files for `load`: its schema as CQL, its rows as JSON, one file a table",
        (
            Argument("keyspace", STRING, "its name"),
            Argument("path", STRING, "a new folder, on the server's machine"),
        ),
        {"type": "object", "properties": {"rows": INTEGER.schema}},
        copying.dump,
    ),
    Operation(
        "record",
        "Begins to record what clients ask, or ends it",
        (Argument("on", BOOLEAN, "begin, not end", True),),
        {"type": "object", "properties": {"next": _NEXT}},
        query_log.record,
    ),
    Operation(
        "queries",
        "What clients asked, and what they were answered, the newest last",
        (
            _SINCE,
            Argument("limit", INTEGER, "of the newest, at most", 1_000),
            Argument("keyspace", STRING, "of tables in this keyspace alone", None),
            Argument("table", STRING, "of this [keyspace.]table alone", None),
            Argument("matching", STRING, "whose text this regular expression is found in", None),
            Argument("kind", STRING, "QUERY, EXECUTE, BATCH or PREPARE alone", None),
            Argument("client", STRING, "of clients whose address begins so", None),
            Argument("errors", BOOLEAN, "those alone that were answered with an error", False),
            Argument("system", BOOLEAN, "those of system tables too, as drivers send them", False),
        ),
        {"type": "object", "properties": {"queries": {"type": "array", "items": {"type": "object"}}, "next": _NEXT}},
        query_log.queries,
        reads=True,
    ),
    Operation(
        "habits",
        "Statements that strict mode has something against: by name, with what to do instead",
        (_SINCE,),
        {"type": "object", "properties": {"habits": {"type": "array", "items": {"type": "object"}}, "next": _NEXT}},
        query_log.habits,
        reads=True,
    ),
    *STORAGE_OPERATIONS,
    *AUDIT_OPERATIONS,
    *CLUSTER_OPERATIONS,
    *METRIC_OPERATIONS,
    *NETWORK_OPERATIONS,
    Operation(
        "stop_node",
        "Takes a node down",
        (_NODE, Argument("kill", BOOLEAN, "without telling the others", False)),
        NOTHING,
        nodes.stop_node,
    ),
    Operation("start_node", "Has a node back", (_NODE,), NOTHING, nodes.start_node),
    Operation("pause_node", "Has a node hear and say nothing for a while", (_NODE,), NOTHING, nodes.pause_node),
    Operation("resume_node", "Ends a pause", (_NODE,), NOTHING, nodes.resume_node),
    Operation(
        "partition",
        "Lets nothing pass between some nodes and others",
        (Argument("one", STRING, "numbers of nodes, like 1,2"), Argument("other", STRING, "the others")),
        NOTHING,
        nodes.partition,
    ),
    *MOVEMENT_OPERATIONS,
    Operation("heal", "Lets everything pass again", (), NOTHING, nodes.heal),
)

BY_NAME: Final[Mapping[str, Operation]] = {operation.name: operation for operation in OPERATIONS}
