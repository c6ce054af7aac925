"""Built-in tables from short texts: the definitions of the system keyspaces, without going through the grammar.

    define_table("system", "peers_v2", "peer inet", "peer_port int", "rack text, tokens set<text>", comment="...")

The ids are Cassandra's fixed ones, so that every node and every restart has the same.
"""

from dataclasses import replace

from storage.schema.metadata import (
    ColumnKind,
    ColumnMetadata,
    TableMetadata,
    TableParams,
    ordered_columns,
    system_table_id,
)
from storage.schema.type_text import parse_type


def define_table(
    keyspace: str,
    name: str,
    partition_key: str,
    clustering: str = "",
    others: str = "",
    *,
    params: TableParams | None = None,
    comment: str = "",
    is_virtual: bool = False,
) -> TableMetadata:
    """A table of a system keyspace. The three texts are `name type` pairs parted by commas, in their order."""
    keys = _columns(partition_key, ColumnKind.PARTITION_KEY) + _columns(clustering, ColumnKind.CLUSTERING)
    return TableMetadata(
        keyspace=keyspace,
        name=name,
        id=system_table_id(keyspace, name),
        columns=ordered_columns(keys + _columns(others, ColumnKind.REGULAR)),
        params=replace(params or TableParams(), comment=comment),
        is_virtual=is_virtual,
    )


def _columns(text: str, kind: ColumnKind) -> list[ColumnMetadata]:
    is_key = kind is not ColumnKind.REGULAR
    columns = []
    for position, pair in enumerate(_split(text)):
        name, _, type_text = pair.strip().partition(" ")
        columns.append(ColumnMetadata(name, kind, parse_type(type_text), position if is_key else -1))
    return columns


def _split(text: str) -> list[str]:
    """Parts between the commas that stand outside of <>."""
    if "<" not in text:
        return text.split(",") if text else []
    parts, depth, start = [], 0, 0
    for index, char in enumerate(text):
        if char == "<":
            depth += 1
        elif char == ">":
            depth -= 1
        elif char == "," and not depth:
            parts.append(text[start:index])
            start = index + 1
    parts.append(text[start:])
    return parts
