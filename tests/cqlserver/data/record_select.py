"""Records select.txt: each statement of select.cql as a running Cassandra answers it, at page sizes none and 2.

python tests/cqlserver/data/record_select.py HOST:PORT
"""

import socket
import sys
from collections.abc import Iterator
from pathlib import Path

from protocol.client import Connection
from protocol.requests import QueryOptions
from protocol.responses import Error, Reply, RowsResult

HERE = Path(__file__).parent


def statements() -> list[str]:
    return [s.strip().replace("\n", " ") for s in (HERE / "select.cql").read_text().split(";") if s.strip()]


def outcome(replies: list[Reply]) -> Iterator[str]:
    """Lines: an error, or the columns, then rows as literals and '--' between pages, then warnings."""
    for number, reply in enumerate(replies):
        response = reply.response
        if isinstance(response, Error):
            yield f"  {type(response.error).__name__}: {response.error.message}"
        elif isinstance(response, RowsResult):
            yield from shown(response, number)
        for warning in reply.warnings:
            yield f"  warning: {warning}"


def shown(result: RowsResult, number: int) -> Iterator[str]:
    columns = result.metadata.columns
    yield "  --" if number else "  " + ", ".join(f"{column.name} {column.type.cql()}" for column in columns)
    for row in result.rows():
        values = ["-" if value is None else value.hex() for value in row]
        yield "  | " + " ".join(value or "''" for value in values)


def record(connection: Connection, text: str) -> Iterator[str]:
    yield "> " + text
    yield from outcome([connection.query(text)])
    if not text.upper().startswith("SELECT"):
        return
    pages = [connection.query(text, QueryOptions(page_size=2))]
    while isinstance(pages[-1].response, RowsResult) and pages[-1].response.paging_state is not None:
        options = QueryOptions(page_size=2, paging_state=pages[-1].response.paging_state)
        pages.append(connection.query(text, options))
    yield " pages"
    yield from outcome(pages)


def main() -> None:
    host, port = sys.argv[1].split(":")
    connection = Connection(socket.create_connection((host, int(port))), 4)
    connection.query("DROP KEYSPACE IF EXISTS select_golden")
    replication = "{'class': 'SimpleStrategy', 'replication_factor': 1}"
    connection.query(f"CREATE KEYSPACE select_golden WITH replication = {replication}")
    connection.query("USE select_golden")
    lines = [line for text in statements() for line in record(connection, text)]
    (HERE / "select.txt").write_text("\n".join(lines) + "\n")
    connection.query("DROP KEYSPACE select_golden")


if __name__ == "__main__":
    main()
