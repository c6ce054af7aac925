"""`cqlserver diff HOST:PORT FILE ...`: the same statements here and there, and where the answers differ.

Both get a keyspace of their own for names without one, which is dropped at the end. Compared are the kind of the answer,
columns with their types, rows byte for byte, and of errors code and message.
"""

import argparse
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from secrets import token_hex
from typing import Final

from cqlserver.control.raw_json import answer_text
from cqlserver.launcher import start
from cqlserver.seeding.errors import SeedError
from cqlserver.seeding.files import files_of, statements_of
from protocol.client import Connection, connect
from protocol.errors import CqlServerError
from protocol.responses import Error, Reply

REQUEST_S: Final = 60.0
SHOWN_CHARS_MAX: Final = 2_000
CREATE: Final = "CREATE KEYSPACE {} WITH replication = {{'class': 'SimpleStrategy', 'replication_factor': 1}}"


@dataclass(frozen=True, slots=True)
class Difference:
    place: str
    text: str
    here: str
    there: str


def main(name: str, arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="cqlserver diff",
        description="Executes statements on a server started for it, and on another, and shows where answers differ.",
        epilog="It exits with 0 where all answers are equal, 1 where some differ, 2 where it could not compare.",
    )
    parser.add_argument("contact", metavar="HOST:PORT", help="a Cassandra, or another server")
    parser.add_argument("files", metavar="FILE", nargs="+", type=Path, help="CQL, rows (CSV, JSON, YAML), or folders")
    options = parser.parse_args(arguments)
    host, _, port = options.contact.partition(":")
    try:
        with (
            connect(host, int(port or 9042), timeout_s=REQUEST_S) as there,
            start() as server,
            connect(server.host, server.port, timeout_s=REQUEST_S) as here,
        ):
            return _compare(here, there, options.files)
    except ConnectionError as error:
        print(f"cqlserver diff: no Cassandra answers at {options.contact}: {error.strerror or error}", file=sys.stderr)
        return 2
    except (OSError, CqlServerError, SeedError, ValueError) as error:
        print(f"cqlserver diff: {error}", file=sys.stderr)
        return 2


def _compare(here: Connection, there: Connection, paths: list[Path]) -> int:
    keyspace = f"diff_{token_hex(4)}"
    both = (here, there)
    count = found = 0
    try:
        for connection in both:
            _done(connection.query(CREATE.format(keyspace)))
            _done(connection.query(f"USE {keyspace}"))
        for difference in differences(here, there, paths):
            count += 1
            if difference is not None:
                found += 1
                print(f"{difference.place}: {difference.text[:SHOWN_CHARS_MAX]}")
                print(f"    cqlserver: {difference.here[:SHOWN_CHARS_MAX]}")
                print(f"    the other: {difference.there[:SHOWN_CHARS_MAX]}")
    finally:
        for connection in both:
            if not connection.closed:
                connection.query(f"DROP KEYSPACE IF EXISTS {keyspace}")
    print(f"{count} statements, {found} answers differ")
    return 1 if found else 0


def _done(reply: Reply) -> None:
    if isinstance(reply.response, Error):
        raise reply.response.error


def differences(here: Connection, there: Connection, paths: list[Path]) -> Iterator[Difference | None]:
    """One for each statement; None where the answers are equal."""
    for path in paths:
        for file in files_of(path):
            for statement in statements_of(file, lambda table, column: False):
                ours, theirs = answer_text(here.query(statement.text)), answer_text(there.query(statement.text))
                if ours == theirs:
                    yield None
                else:
                    yield Difference(f"{statement.file}:{statement.line}", statement.text, ours, theirs)
