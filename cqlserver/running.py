"""A running server as Python has it: where it is, and the verbs. `launcher.Server` is one that this process started."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from cqlserver.control.client import Access, ControlClient

if TYPE_CHECKING:
    from cqlserver.launcher import Server

StrPath = str | os.PathLike[str]

HOST: Final = "127.0.0.1"
QUERIES_MAX: Final = 10_000


class ServerDied(RuntimeError):
    """The server ended by itself, or was killed, while it was wanted; the message carries the end of its log."""


class Running:
    """`host` and `port` are where clients connect, `control_port` is where the verbs go. All of them raise
    cqlserver.ControlError where the server refuses, and ServerDied where it is gone."""

    def __init__(
        self, host: str, port: int, control_port: int, control_host: str = HOST, access: Access | None = None
    ) -> None:
        self.host, self.port, self.control_port = host, port, control_port
        self._control = ControlClient(control_host, control_port, access or Access.of_environment())

    def __repr__(self) -> str:
        return f"<cqlserver.Running {self.contact}, control port {self.control_port}>"

    @property
    def contact(self) -> str:
        return f"{self.host}:{self.port}"

    def reset(self, *, schema: bool = False, keyspace: str | None = None) -> None:
        """Removes all rows of all keyspaces but the system's (or of one); with `schema=True` the keyspaces too. Sessions and
        prepared statements of drivers live on."""
        self.call("reset", schema=schema, keyspace=keyspace)

    def snapshot(self, name: str, *, keyspace: str | None = None) -> None:
        """Remembers schema and data (or those of one keyspace) under a name, in place of what it may have stood for."""
        self.call("snapshot", name=name, keyspace=keyspace)

    def restore(self, name: str, *, schema: bool = True) -> None:
        """Brings back the schema and data of a snapshot, which stays. With `schema=False` the rows alone: tables that are
        new since then are emptied, what was dropped stays so."""
        self.call("restore", name=name, schema=schema)

    def snapshots(self) -> list[str]:
        """The names of the snapshots that there are."""
        names: list[str] = self.call("snapshots")["snapshots"]
        return names

    def forget(self, name: str) -> None:
        """Forgets a snapshot."""
        self.call("forget", name=name)

    def execute(self, cql: str, *, keyspace: str | None = None) -> list[dict[str, Any]]:
        """Executes CQL, one statement or several; the rows of the last one, with values as JSON has them."""
        answer = self.call("execute", cql=cql, keyspace=keyspace)
        rows: list[dict[str, Any]] = answer["rows"]
        while answer["paging_state"] is not None:
            answer = self.call("execute", cql=cql, keyspace=keyspace, paging_state=answer["paging_state"])
            rows += answer["rows"]
        return rows

    def load(self, path: StrPath, *, keyspace: str | None = None) -> int:
        """Executes a file of CQL, or writes one of rows (CSV, JSON, YAML), or does so with a folder's files; how many
        statements that were."""
        count: int = self.call("load", path=os.path.abspath(path), keyspace=keyspace)["statements"]
        return count

    def loading(self) -> dict[str, Any] | None:
        """How far a `load` is that is under way: its file, how many of its statements are done (`in_file`), of all files
        (`statements`); None: there is none."""
        return self.call("loading") or None

    def dump(self, keyspace: str, path: StrPath) -> int:
        """Writes a keyspace as files that `load` and `init=` take: its schema as CQL, its rows as JSON; how many rows."""
        count: int = self.call("dump", keyspace=keyspace, path=os.path.abspath(path))["rows"]
        return count

    def export(self, path: StrPath) -> None:
        """Writes a copy of schema and data into a new folder, for `cqlserver --memory --copy-of`."""
        self.call("export", path=os.path.abspath(path))

    def clone(self, **options: Any) -> "Server":
        """Another server, in memory, with the same schema and data; `options` are those of `cqlserver.start`."""
        from cqlserver.launcher import start

        with tempfile.TemporaryDirectory(prefix="cqlserver-clone-") as folder:
            copy = os.path.join(folder, "copy")
            self.export(copy)
            return start(copy_of=copy, **options)

    def record(self, on: bool = True) -> int:
        """Begins to record what clients ask, or ends it; the number of the next request."""
        number: int = self.call("record", on=on)["next"]
        return number

    def queries(self, **filters: object) -> list[dict[str, Any]]:
        """What clients asked since `record()`, the newest last. Filters: `since` (a number), `limit`, `keyspace`, `table`,
        `matching` (a regular expression), `kind`, `client`, `errors=True`, `system=True`."""
        found: list[dict[str, Any]] = self.call("queries", **filters)["queries"]
        return found

    def habits(self, *, since: int = 0) -> list[dict[str, Any]]:
        """What strict mode has against the statements since then: each with `habit`, `cql` and `advice`."""
        found: list[dict[str, Any]] = self.call("habits", since=since)["habits"]
        return found

    @contextmanager
    def assert_queries(self, count: int | None = None, **filters: object) -> Iterator[list[dict[str, Any]]]:
        """Around statements: that there were just so many of this kind (None: any at all). Gives a list that holds them
        when the block has ended. `filters` are those of `queries`. Raises AssertionError, which shows them."""
        since = self.record()
        found: list[dict[str, Any]] = []
        yield found
        found += self.queries(since=since, **{"limit": QUERIES_MAX, **filters})
        if len(found) == count or (count is None and found):
            return
        about = ", ".join(f"{name}={value!r}" for name, value in filters.items())
        expected = "some" if count is None else count
        raise AssertionError(
            f"{len(found)} queries{' with ' + about if about else ''}, expected {expected}:\n"
            + "\n".join(f"  {shown(query)}" for query in found)
        )

    def about(self) -> dict[str, Any]:
        """What the server says of itself: host, port, pid, release_version, ..."""
        return self.call("about")

    def call(self, operation: str, **arguments: object) -> dict[str, Any]:
        """Any operation of the control port, with what it answers."""
        try:
            answer = self._control.call(operation, arguments)
        except OSError as error:
            raise ServerDied(self._obituary(error)) from error
        assert isinstance(answer, dict), answer
        return answer

    def check_alive(self) -> None:
        """Raises ServerDied where it has ended."""
        self.call("about")

    def close(self) -> None:
        """Lets go of the connections to the control port."""
        self._control.close()

    def _obituary(self, error: OSError) -> str:
        return f"no server answers on control port {self.control_port}: {error}"


def shown(query: dict[str, Any]) -> str:
    """A query of the log in one line."""
    values = [value for statement in query["statements"] for value in statement["values"]]
    outcome = f"{query['rows']} rows" if query["rows"] is not None else "done"
    if query["rows_read"] is not None and (query["rows_read"] > (query["rows"] or 0) or query["tombstones"]):
        outcome += f" of {query['rows_read']} read, {query['tombstones']} tombstones"
    if query["error"] is not None:
        outcome = f"{query['error']['code']}: {query['error']['message']}"
    parts = [query["cql"], f"values {values}" if values else "", query.get("consistency") or query["kind"],
             f"{query['duration_us']} us", outcome, *(f"warning: {text}" for text in query["warnings"])]  # fmt: skip
    return " · ".join(part for part in parts if part)


def attach(
    control_port: int, *, host: str = HOST, token_file: StrPath | None = None, ca: StrPath | None = None
) -> Running:
    """The running server that has this control port. `token_file`: has the token, where it asks for one; `ca`: whose
    certificates to believe, where it is encrypted; else what the environment says of both. Raises ServerDied where there is
    none, ControlError where it wants another token."""
    paths = (None if path is None else os.fspath(path) for path in (token_file, ca))
    access = Access.of_environment(*paths)
    first = Running(HOST, 0, control_port, host, access)
    try:
        about = first.about()
    finally:
        first.close()
    return Running(about["host"], about["port"], control_port, host, access)
