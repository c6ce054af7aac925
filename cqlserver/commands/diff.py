"""`cqlserver diff HOST:PORT FILE ...`: the same statements here and there, and where the answers differ.

Both get a keyspace of their own for names without one, which is dropped at the end. Compared are the kind of the answer,
columns with their types, rows byte for byte, and of errors code and message. What a test run asked is compared as `cqlserver
run --record DIR` recorded it. Keyspaces that a run or a file names must be its own there, and go, too.
"""

import argparse
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from secrets import token_hex
from typing import Final

from cqlserver.audit.bin_log import BinLogDamaged
from cqlserver.audit.comparing import is_recording, keyspaces_in, keyspaces_in_files, text_of
from cqlserver.audit.replaying import Target, replayed
from cqlserver.audit.statement_kinds import StatementKinds
from cqlserver.control.raw_json import answer_text, wire_values
from cqlserver.launcher import start
from cqlserver.seeding.errors import SeedError
from cqlserver.seeding.files import files_of, statements_of
from protocol.client import Connection, connect
from protocol.errors import CqlServerError
from protocol.responses import Error, Reply, RowsResult
from protocol.types import quoted_identifier
from storage.schema.metadata import is_system_keyspace

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
    parser.add_argument(
        "files",
        metavar="FILE",
        nargs="+",
        type=Path,
        help="CQL, rows (CSV, JSON, YAML), folders of them, or what `cqlserver run --record DIR` recorded",
    )
    parser.add_argument("--keyspace", help="how the keyspace is called that names without one are in (default a new name)")
    options = parser.parse_args(arguments)
    host, colon, port = options.contact.partition(":")
    if colon and not port.isdecimal():
        parser.error(f"{options.contact}: give HOST:PORT, like 127.0.0.1:9042")
    try:
        with (
            connect(host, int(port or 9042), timeout_s=REQUEST_S) as there,
            start() as server,
            connect(server.host, server.port, timeout_s=REQUEST_S) as here,
        ):
            return _compare(here, there, options.files, options.keyspace or f"diff_{token_hex(4)}")
    except ConnectionError as error:
        print(f"cqlserver diff: no Cassandra answers at {options.contact}: {error.strerror or error}", file=sys.stderr)
        return 2
    except (OSError, CqlServerError, SeedError, BinLogDamaged, ValueError) as error:
        print(f"cqlserver diff: {error}", file=sys.stderr)
        return 2


def _compare(here: Connection, there: Connection, paths: list[Path], keyspace: str) -> int:
    """Raises ValueError where keyspaces are there already."""
    own = {keyspace: False}
    for path in paths:
        own |= keyspaces_in(path) if is_recording(path) else dict.fromkeys(keyspaces_in_files(path), True)
    own[keyspace] = False  # files may want it before a run makes it
    taken = sorted(own.keys() & _keyspaces(there))
    if taken:
        raise ValueError(f"the keyspaces {', '.join(taken)} are there already, and not this run's: nothing was done")
    both = (here, there)
    count = found = 0
    try:
        for connection in both:
            for name in [name for name, is_made in own.items() if not is_made]:
                _done(connection.query(CREATE.format(quoted_identifier(name))))
            _done(connection.query(f"USE {quoted_identifier(keyspace)}"))
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
                for name in own:
                    connection.query(f"DROP KEYSPACE IF EXISTS {quoted_identifier(name)}")
    print(f"{count} statements, {found} answers differ")
    return 1 if found else 0


def _keyspaces(connection: Connection) -> set[str]:
    response = connection.query("SELECT keyspace_name FROM system_schema.keyspaces").response
    assert isinstance(response, RowsResult), response
    return {value.decode() for value in wire_values(response.content) if value is not None}


def _done(reply: Reply) -> None:
    if isinstance(reply.response, Error):
        raise reply.response.error


def differences(here: Connection, there: Connection, paths: list[Path]) -> Iterator[Difference | None]:
    """One for each statement; None where the answers are equal."""
    for path in paths:
        if is_recording(path):
            yield from _of_run(path, here, there)
            continue
        for file in files_of(path):
            for statement in statements_of(file, lambda table, column: False):
                ours, theirs = answer_text(here.query(statement.text)), answer_text(there.query(statement.text))
                if ours == theirs:
                    yield None
                else:
                    yield Difference(f"{statement.file}:{statement.line}", statement.text, ours, theirs)


def _of_run(path: Path, here: Connection, there: Connection) -> Iterator[Difference | None]:
    """Writes have the time that they had. What drivers ask of the system is their own business."""
    kinds = StatementKinds()
    for number, done in enumerate(replayed([path], [Target("here", here), Target("there", there)], None, with_ddl=True), 1):
        text = text_of(done.record)
        if not is_system_keyspace(kinds.of(text).keyspace or ""):
            ours, theirs = done.results
            yield Difference(f"{path}, statement {number}", text, ours, theirs) if done.differs else None
