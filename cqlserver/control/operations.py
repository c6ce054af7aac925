"""The table of operations: their names, what they take, what they answer. See the package's text for how to add one."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Final

from cqlserver.control import copying, query_log, verbs
from cqlserver.control.context import BadArgument

REQUIRED: Final = object()


@dataclass(frozen=True, slots=True)
class Kind:
    """A type of arguments: its JSON schema, what Python calls it, and how text (of a URL, of a command line) becomes one.
    `from_text` raises ValueError."""

    schema: Mapping[str, object]
    type: type
    from_text: Callable[[str], object]


def _boolean(text: str) -> bool:
    return {"true": True, "false": False, "yes": True, "no": False, "1": True, "0": False}[text.lower()]


STRING: Final = Kind({"type": "string"}, str, str)
INTEGER: Final = Kind({"type": "integer"}, int, int)
BOOLEAN: Final = Kind({"type": "boolean"}, bool, _boolean)


@dataclass(frozen=True, slots=True)
class Argument:
    """`default` REQUIRED: there is none."""

    name: str
    kind: Kind
    summary: str
    default: object = REQUIRED

    @property
    def is_required(self) -> bool:
        return self.default is REQUIRED


@dataclass(frozen=True, slots=True)
class Operation:
    """`run(control, **arguments)` does it; `answer` is the JSON schema of what it answers; what only `reads` may be asked
    with GET."""

    name: str
    summary: str
    arguments: tuple[Argument, ...]
    answer: Mapping[str, object]
    run: Callable[..., Awaitable[object]]
    reads: bool = False

    def checked(self, given: Mapping[str, object]) -> dict[str, object]:
        """The arguments to run it with. Raises BadArgument."""
        known = {argument.name: argument for argument in self.arguments}
        for name in given:
            if name not in known:
                takes = ", ".join(known) or "no arguments"
                raise BadArgument(f"{self.name} takes no {name}; it takes {takes}")
        checked: dict[str, object] = {}
        for argument in self.arguments:
            value = given.get(argument.name)
            if value is None:
                if argument.is_required:
                    raise BadArgument(f"{self.name} needs {argument.name}: {argument.summary}")
                value = argument.default
            elif type(value) is not argument.kind.type:
                raise BadArgument(f"{self.name}: {argument.name} is {value!r}, and not {argument.kind.schema['type']}")
            checked[argument.name] = value
        return checked

    def of_texts(self, given: Mapping[str, str]) -> dict[str, object]:
        """Arguments that came as texts. Raises BadArgument."""
        kinds = {argument.name: argument.kind for argument in self.arguments}
        values: dict[str, object] = {}
        for name, text in given.items():
            try:
                values[name] = kinds[name].from_text(text) if name in kinds else text
            except (ValueError, KeyError):
                raise BadArgument(f"{self.name}: {name} is {text!r}, and not {kinds[name].schema['type']}") from None
        return self.checked(values)


NOTHING: Final[Mapping[str, object]] = {"type": "object", "maxProperties": 0}
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

OPERATIONS: Final[tuple[Operation, ...]] = (
    Operation(
        "reset",
        "Empties all tables of all keyspaces but the system's",
        (Argument("schema", BOOLEAN, "drop the keyspaces too", False), _ONLY),
        NOTHING,
        verbs.reset,
    ),
    Operation("snapshot", "Remembers schema and data under a name", (_NAME, _ONLY), NOTHING, verbs.snapshot),
    Operation(
        "restore",
        "Brings back the schema and data of a snapshot, which stays",
        (_NAME, Argument("schema", BOOLEAN, "the schema too, not the rows alone", True)),
        NOTHING,
        verbs.restore,
    ),
    Operation("snapshots", "The names of the snapshots that there are", (), _SNAPSHOTS, verbs.snapshots, reads=True),
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
            Argument("page_size", INTEGER, "rows in one answer", verbs.PAGE_SIZE),
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
)

BY_NAME: Final[Mapping[str, Operation]] = {operation.name: operation for operation in OPERATIONS}
