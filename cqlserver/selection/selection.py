"""The selection of a SELECT: its selectors, the columns that they read, and the metadata of the result.

Where all selectors are columns as they are (`is_plain`) rows can be copied; otherwise a row's values go through the
selectors. SELECT JSON makes one text of the selectors' values (cql3/selection/Selection.java).
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from cqlserver.selection.fetched import Fetched
from cqlserver.selection.selectables import ColumnSelectable, Selectable, selectable
from cqlserver.selection.selectors import Selector
from cqlserver.terms.binding import BindContext
from cqlserver.terms.unreadable import UNREADABLE, unreadable
from grammar import tree
from protocol.responses import ColumnSpec, ResultMetadata
from protocol.types import TEXT
from protocol.types.java_text import json_quoted
from storage.environment.strands import in_turns, let_go_later, long_work, paused
from storage.schema.metadata import ColumnKind, ColumnMetadata, TableMetadata

JSON_COLUMN = "[json]"
JSON_BYTES_PER_GO_MAX = 8_192
"""Of a row's values that are written as JSON in a go of the loop."""


@dataclass(frozen=True, slots=True)
class Selection:
    """`columns`: what the selectors give; `fetched`: what they read; `metadata`: what the client is told."""

    columns: tuple[ColumnSpec, ...]
    selectors: tuple[Selector, ...]
    fetched: tuple[ColumnMetadata, ...]
    metadata: ResultMetadata
    is_json: bool

    @property
    def is_aggregate(self) -> bool:
        return any(selector.is_aggregate for selector in paused(self.selectors))

    @property
    def is_plain(self) -> bool:
        return not self.is_json and all(selector.maybe_column is not None for selector in paused(self.selectors))

    @property
    def plain_columns(self) -> tuple[ColumnMetadata, ...]:
        """The result's columns, one for each selector, where `is_plain`."""
        return tuple(s.maybe_column for s in paused(self.selectors) if s.maybe_column is not None)

    @property
    def uses_timestamps(self) -> bool:
        return any(selector.uses_timestamps for selector in paused(self.selectors))


class Selectables:
    """What stands between SELECT and FROM; empty for `*`. Each is resolved when iteration first comes to it, because
    Cassandra does so too: a fault in the WHERE clause is often told before one in the selection."""

    __slots__ = ("_context", "_selectors", "resolved")

    def __init__(self, statement: tree.Select, context: BindContext) -> None:
        self._selectors, self._context = statement.selectors, context
        self.resolved: list[Selectable] = []

    def __len__(self) -> int:
        return len(self._selectors)

    def __iter__(self) -> Iterator[Selectable]:
        """Raises InvalidRequest."""
        for index, selector in enumerate(self._selectors):
            if index == len(self.resolved):
                self.resolved.append(selectable(selector.expression, self._context))
            yield self.resolved[index]


def selects_only_statics(selectables: Selectables, table: TableMetadata) -> bool:
    if table.is_static_compact or not table.statics or not len(selectables):
        return False
    return any(s.selects(lambda column: column.kind is ColumnKind.STATIC) for s in paused(selectables)) and not any(
        s.selects(lambda column: column.kind not in (ColumnKind.PARTITION_KEY, ColumnKind.STATIC)) for s in selectables
    )


def compile_selection(statement: tree.Select, selectables: Selectables, context: BindContext) -> Selection:
    table = context.table
    fetched = Fetched()
    aliases = [selector.alias for selector in paused(statement.selectors)]
    resolved: Iterable[Selectable] = selectables
    if not len(selectables):
        resolved = [ColumnSelectable(column, context) for column in in_turns(table.visible_columns)]
        aliases = [None] * len(table.visible_columns)
    selectors = [one.compile(None, fetched) for one in paused(resolved)]  # one after the other is resolved and compiled
    columns = tuple(
        ColumnSpec(table.keyspace, table.name, selector.name if alias is None else alias, selector.type)
        for selector, alias in paused(zip(selectors, aliases, strict=True))
    )
    let_go_later(statement.selectors, selectables.resolved, selectors, columns)
    shown = columns
    if statement.is_json:
        shown = (ColumnSpec(table.keyspace, table.name, JSON_COLUMN, TEXT),)
    return Selection(columns, tuple(selectors), tuple(fetched.columns), ResultMetadata(shown), statement.is_json)


def json_writer(columns: Sequence[ColumnSpec]) -> Callable[[Sequence[bytes | None]], bytes]:
    """Values of a row -> the JSON text that SELECT JSON gives for it."""
    heads = []
    for column in columns:
        name = column.name if column.name == column.name.lower() else f'"{column.name}"'
        heads.append(f"{json_quoted(name)}: ")
    writers = [column.type.to_json for column in columns]

    def write(values: Sequence[bytes | None]) -> bytes:
        if sum([len(value) for value in values if value is not None]) > JSON_BYTES_PER_GO_MAX:
            long_work()
        try:
            parts = [
                head + ("null" if value is None else to_json(value))
                for head, to_json, value in paused(zip(heads, writers, values, strict=True))
            ]
        except UNREADABLE:
            raise unreadable() from None
        return f"{{{', '.join(parts)}}}".encode()

    return write
