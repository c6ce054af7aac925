"""A real Cassandra in the place of our server: `pytest --cassandra-real HOST:PORT`.

The tests have keyspaces of their own there, which are dropped at the end, and touch no other: a keyspace that was there
before is never reset, and a schema that wants to make one of that name is refused.
"""

import json
import re
import warnings
from pathlib import Path
from typing import Any, Final

import pytest

from cqlserver.control.client import ControlError
from cqlserver.running import Running, ServerDied, StrPath
from cqlserver.seeding.cql_text import split_statements
from cqlserver.seeding.errors import SeedError
from cqlserver.seeding.files import files_of, statements_of
from cqlserver.seeding.tables import TableName, quoted
from cqlserver.testing.driver import cluster
from cqlserver.testing.options import Wanted, wrong
from cqlserver.testing.written import is_about_roles, keyspaces_written, name_of

DEFAULT_PORT: Final = 9042
CONNECT_S: Final = 10.0
REQUEST_S: Final = 60.0
"""TRUNCATE and DDL take seconds on a cluster that is busy."""
_CREATE_KEYSPACE: Final = re.compile(r'CREATE\s+KEYSPACE\s+(?:IF\s+NOT\s+EXISTS\s+)?("(?:[^"]|"")+"|\w+)', re.IGNORECASE)
_USE: Final = re.compile(r'USE\s+("(?:[^"]|"")+"|\w+)\s*\Z', re.IGNORECASE)
_SELECT: Final = re.compile(r"\s*SELECT\s+(?!JSON\b)", re.IGNORECASE)


class RealServer(Running):
    """The verbs that a real Cassandra can do, the slow way. `own`: the tests' keyspaces, the only ones that they change."""

    def __init__(self, contact: str, keyspace: str) -> None:
        host, colon, port = contact.rpartition(":") if not contact.endswith("]") else (contact, "", "")
        if colon and not port.isdecimal():
            raise wrong(f"--cassandra-real {contact}: give HOST:PORT, like 127.0.0.1:9042")
        super().__init__((host if colon else contact).strip("[]"), int(port or DEFAULT_PORT), 0)
        self._keyspace = keyspace
        self._cluster: Any
        self._cluster, self._session = _connected(self.host, self.port)
        self.own: dict[str, None] = {}

    @property
    def cluster_name(self) -> str:
        name: str = self._rows("SELECT cluster_name FROM system.local")[0]["cluster_name"]
        return name

    def execute(self, cql: str, *, keyspace: str | None = None) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = []
        used = keyspace
        for _, text in split_statements(cql):
            used, rows = self._execute(text, used)
        return rows

    def load(self, path: StrPath, *, keyspace: str | None = None) -> int:
        count = 0
        try:
            for file in files_of(Path(path)):
                used = keyspace
                for statement in statements_of(file, self._is_counter):
                    try:
                        used, _ = self._execute(statement.text, used)
                    except ControlError as error:
                        raise statement.failed(error.message) from error
                    count += 1
        except SeedError as error:
            raise ControlError("BadSeed", str(error)) from error
        return count

    def reset(self, *, schema: bool = False, keyspace: str | None = None) -> None:
        """Of the tests' own keyspaces."""
        for name in [name for name in self.own if keyspace in (None, name)]:
            if schema:
                self._rows(f"DROP KEYSPACE IF EXISTS {quoted(name)}")
                del self.own[name]
                continue
            tables = self._rows("SELECT table_name FROM system_schema.tables WHERE keyspace_name = %s", (name,))
            for row in tables:
                table = f"{quoted(name)}.{quoted(row['table_name'])}"
                if self._rows(f"SELECT * FROM {table} LIMIT 1"):
                    self._rows(f"TRUNCATE {table}")

    def call(self, operation: str, **arguments: object) -> dict[str, Any]:
        """Skips the test."""
        pytest.skip(f"{operation} is for cqlserver alone: a real Cassandra can't do it (--cassandra-real)")

    def check_alive(self) -> None:
        try:
            self._rows("SELECT key FROM system.local")
        except ControlError as error:
            raise ServerDied(f"the Cassandra at {self.contact} does not answer any more: {error.message}") from error

    def close(self) -> None:
        self._cluster.shutdown()

    def _execute(self, text: str, keyspace: str | None) -> tuple[str | None, list[dict[str, Any]]]:
        """The keyspace in use from then on, and the rows."""
        use = _USE.match(text)
        if use is not None:
            self._check_known(name_of(use[1]))
            return name_of(use[1]), []
        made = _CREATE_KEYSPACE.match(text)
        if made is None:
            self._check_own(text, keyspace)
        else:
            name = name_of(made[1])
            if name not in self.own and self._exists(name):
                raise ControlError(
                    "OthersKeyspace",
                    f"the keyspace {name} exists on {self.contact} already, and the tests would change what is not "
                    "theirs; leave keyspaces out of the schema (its tables go into one of the tests' own), or drop it",
                )
            self.own[name] = None
        if keyspace is not None and self._session.keyspace != keyspace:
            self._session.set_keyspace(keyspace)
        select = _SELECT.match(text)
        if select is None:
            return keyspace, self._rows(text)
        rows = self._rows("SELECT JSON " + text[select.end() :])
        return keyspace, [{name_of(key): value for key, value in json.loads(row["[json]"]).items()} for row in rows]

    def _exists(self, keyspace: str) -> bool:
        return bool(self._rows("SELECT keyspace_name FROM system_schema.keyspaces WHERE keyspace_name = %s", (keyspace,)))

    def _check_own(self, text: str, keyspace: str | None) -> None:
        """That a statement changes nothing but the tests' keyspaces. Raises ControlError."""
        if is_about_roles(text):
            raise ControlError("OthersRoles", f"roles of {self.contact} are not the tests' own: nothing was done: {text}")
        in_use = keyspace or self._session.keyspace
        for name in keyspaces_written(text):
            if (name or in_use) is not None:
                self._check_known(name or in_use)

    def _check_known(self, keyspace: str) -> None:
        if keyspace not in self.own:
            raise ControlError(
                "OthersKeyspace",
                f"the keyspace {keyspace} on {self.contact} is not one of the tests': nothing was done there",
            )

    def _is_counter(self, table: TableName, column: str) -> bool:
        rows = self._rows(
            "SELECT type FROM system_schema.columns WHERE keyspace_name = %s AND table_name = %s AND column_name = %s",
            (table.keyspace or self._session.keyspace or self._keyspace, table.name, column),
        )
        return bool(rows) and rows[0]["type"] == "counter"

    def _rows(self, text: str, values: tuple[object, ...] | None = None) -> list[dict[str, Any]]:
        try:
            result = self._session.execute(text, values, timeout=REQUEST_S)
        except Exception as error:
            raise ControlError(type(error).__name__, _message(error)) from error
        names = result.column_names or []
        return [dict(zip(names, row, strict=True)) for row in result]


def _connected(host: str, port: int) -> tuple[Any, Any]:
    connected = cluster(host, port, "--cassandra-real", connect_timeout=CONNECT_S)
    try:
        session: Any = connected.connect()
    except Exception as error:  # noqa: BLE001 - told to the user
        connected.shutdown()
        raise wrong(f"no Cassandra answers at {host}:{port} (--cassandra-real): {_message(error)}") from None
    from cassandra.query import tuple_factory

    session.row_factory = tuple_factory
    return connected, session


def _message(error: Exception) -> str:
    text = str(error)
    told = re.search(r'message="(.*)"\Z', text, re.DOTALL)
    return told[1] if told is not None else text


class RealCluster:
    """The backend of a test session (servers.Backend). A state is made anew whenever it is not the one that there is."""

    def __init__(self, contact: str, forbidden: str, keyspace: str, has_settings: bool) -> None:
        if has_settings:
            raise wrong("tests with settings of cassandra.yaml can't run against a real cluster (--cassandra-real)")
        try:
            pattern = re.compile(forbidden)
        except re.error as error:
            raise wrong(f"--cassandra-real-forbidden {forbidden!r} is no regular expression: {error}") from None
        self.server = RealServer(contact, keyspace)
        self._keyspace = keyspace
        self._current: str | None = None
        name = self.server.cluster_name
        if forbidden and pattern.search(name):
            self.server.close()
            raise wrong(
                f"the cluster at {contact} is called {name!r}, which looks like one that tests must not touch "
                f"(--cassandra-real-forbidden {forbidden!r}); nothing was done there"
            )

    def prepare(self, wanted: Wanted) -> None:
        if self._current == wanted.key:
            return
        self._current = None
        self.server.reset(schema=True)
        self.server.execute(
            f"CREATE KEYSPACE {quoted(self._keyspace)} "
            "WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}"
        )
        self._load(wanted.schema + wanted.data)
        self._current = wanted.key

    def clean(self, wanted: Wanted) -> None:
        if wanted.reset == "all":
            self._current = None
        elif wanted.reset == "data":
            self._current = None
            self.server.reset()
            self._load(wanted.data)
            self._current = wanted.key

    def mark(self) -> int | None:
        return None

    def check_alive(self) -> None:
        self.server.check_alive()

    def close(self) -> None:
        try:
            self.server.reset(schema=True)
        except ControlError as error:
            left = ", ".join(self.server.own)
            warnings.warn(f"the tests' keyspaces {left} are left on {self.server.contact}: {error.message}", stacklevel=1)
        self.server.close()

    def _load(self, sources: tuple[Any, ...]) -> None:
        from cqlserver.testing.servers import load

        for source in sources:
            load(self.server, source, self._keyspace)
