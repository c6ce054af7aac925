"""A row of a file as a statement that writes it.

fromJson takes text for every type (numbers, UUIDs, dates; collections as JSON in the text), so what a file says is passed on
as it is, and it is the server that judges it. A counter is not inserted but added to.
"""

import json
import re
from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

_BARE: Final = re.compile(
    r"[+-]?\d+(\.\d+)?([eE][+-]?\d+)?|true|false|0x[0-9a-fA-F]*"
    r"|[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}"
)


class TableName(NamedTuple):
    """`keyspace` None: the one in use."""

    keyspace: str | None
    name: str

    @property
    def cql(self) -> str:
        name = quoted(self.name)
        return f"{quoted(self.keyspace)}.{name}" if self.keyspace is not None else name


def quoted(name: str) -> str:
    """A name as CQL takes it whatever it is: a reserved word, or one with capitals."""
    return '"' + name.replace('"', '""') + '"'


def unquoted(name: str) -> str:
    return name[1:-1].replace('""', '"') if len(name) > 1 and name[0] == name[-1] == '"' else name


def row_statement(table: TableName, row: Mapping[str, object], is_counter: Callable[[str], bool]) -> str:
    """`row`: values as JSON has them, none of them null, by names without quotes."""
    counters = [name for name in row if is_counter(name)]
    if counters:
        added = ", ".join(f"{quoted(name)} = {quoted(name)} + {row[name]}" for name in counters)
        keys = " AND ".join(f"{quoted(name)} = {_literal(row[name])}" for name in row if name not in counters)
        return f"UPDATE {table.cql} SET {added} WHERE {keys}"
    texts = [json.dumps(value, ensure_ascii=False, default=str) for value in row.values()]
    values = ", ".join(f"fromJson({_string(text)})" for text in texts)
    return f"INSERT INTO {table.cql} ({', '.join(map(quoted, row))}) VALUES ({values})"


def _string(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _literal(value: object) -> str:
    """Of a counter table's key."""
    text = value if isinstance(value, str) else json.dumps(value, default=str)
    return text if _BARE.fullmatch(text) else _string(text)
