"""Runs scripts against a server, each way in a fresh keyspace of its own that is dropped afterwards."""

import re
import secrets
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import cycle
from typing import TYPE_CHECKING

from harness.literals import BoundValue, parse_values
from harness.normaliser import Normaliser
from harness.outcome import prepared_lines, prepared_result_lines, reply_lines
from harness.script import WAYS, Lines, Script, Step, Way
from harness.traces import trace_lines
from protocol.client import Connection, connect
from protocol.errors import BadCredentials, CqlServerError
from protocol.requests import SKIP_METADATA, BatchEntry, QueryOptions
from protocol.responses import Error, PreparedResult, Reply, RowsResult

if TYPE_CHECKING:
    from harness.nodes import Nodes

PAGES_MAX = 100
TIMEOUT_S = 60.0

_REPLICATION = "{'class': 'SimpleStrategy', 'replication_factor': 1}"
_FACTOR = re.compile(r"('replication_factor'\s*:\s*)('?)1('?)(?=\s*[},])")
_NEAREST = re.compile(r"\bann\s+of\b", re.IGNORECASE)
ONE, QUORUM = 1, 4
CLUSTER_WAYS = (Way(False, 4), Way(True, 5))
"""Of scripts that take nodes down: each costs a Cassandra ten times as much, and the levels know nothing of the others."""


@dataclass(frozen=True, slots=True)
class Address:
    host: str
    port: int

    @classmethod
    def parse(cls, text: str) -> "Address":
        host, _, port = text.rpartition(":")
        return cls(host, int(port))


@dataclass(frozen=True, slots=True)
class Cluster:
    """Nodes that are up, to which a script's steps go in turn. Where it says one replica, there are `replicas`, and what it
    asks ONE for, a quorum of them is asked for: so the outcome has to be the same."""

    addresses: tuple[Address, ...]
    replicas: int = 1
    nodes: "Nodes | None" = None
    """For scripts that take nodes down; all others go to the first node then."""

    @classmethod
    def parse(cls, text: str) -> "Cluster":
        addresses = tuple(map(Address.parse, text.split(",")))
        return cls(addresses, len(addresses))

    def sent(self, statement: str) -> str:
        """A statement as it is sent."""
        return statement if self.replicas == 1 else _FACTOR.sub(rf"\g<1>\g<2>{self.replicas}\g<3>", statement)

    def level(self, given: int, statements: Sequence[str]) -> int:
        """The nearest vectors are only asked for at ONE: at another level Cassandra warns that it takes that one."""
        is_for_one = any(_NEAREST.search(statement) for statement in statements)
        return QUORUM if given == ONE and self.replicas > 1 and not is_for_one else given


def run_script(
    script: Script,
    *targets: Address | Cluster,
    interrupt: Callable[[], None] | None = None,
    interrupted: Sequence[Way] = (),
) -> Script:
    """The script with the outcomes that the server, or the cluster, gave. Several targets have the ways in turn. `interrupt`
    is called in the middle of each of the ways `interrupted`, and connections are made anew behind it: it may have ended
    the server and started it again."""
    clusters = [Cluster((target,)) if isinstance(target, Address) else target for target in targets]
    outcomes: dict[int, dict[Way, Lines]] = {}
    ways = WAYS if clusters[0].nodes is None else CLUSTER_WAYS
    for way, cluster in zip(ways, cycle(clusters), strict=False):
        for index, lines in _run_one_way(script, cluster, way, interrupt if way in interrupted else None):
            outcomes.setdefault(index, {})[way] = lines
    return script.with_outcomes(outcomes)


def _run_one_way(
    script: Script, cluster: Cluster, way: Way, interrupt: Callable[[], None] | None
) -> Iterator[tuple[int, Lines]]:
    keyspace = f"script_{secrets.token_hex(5)}"
    run = _Run(cluster, way, keyspace, Normaliser(keyspace, script.render(), cluster.replicas))
    if cluster.nodes is not None:
        first = next(step for step in script.steps if not step.is_prose)
        cluster.nodes.set_down(first.directives.down or frozenset())
    middle = len(script.steps) // 2
    with _keyspaces(cluster, keyspace, script), run.connected():
        for index, step in enumerate(script.steps):
            if interrupt is not None and index == middle:
                run.disconnect()
                interrupt()
            if not step.is_prose and step.directives.allows(way.prepared, way.version):
                try:
                    yield index, tuple(run.step_lines(step))
                except (CqlServerError, OSError) as error:  # the server broke the connection: the rest can't be asked
                    yield index, (f"connection lost: {type(error).__name__}",)
                    return


@contextmanager
def _keyspaces(cluster: Cluster, keyspace: str, script: Script) -> Iterator[None]:
    """The script's keyspace while it runs; at the end it goes, and so does every other that begins with its name."""
    names = sorted({found.replace("$ks", keyspace) for found in re.findall(r"\$ks\w*", script.render())} | {keyspace})
    address = cluster.addresses[0]
    with connect(address.host, address.port, timeout_s=TIMEOUT_S) as connection:
        _expect(connection.query(cluster.sent(f"CREATE KEYSPACE {keyspace} WITH replication = {_REPLICATION}")))
        if cluster.nodes is not None:
            cluster.nodes.wait_agreed()
    try:
        yield
    finally:
        if cluster.nodes is not None:
            cluster.nodes.set_paused(frozenset())
        with connect(address.host, address.port, timeout_s=TIMEOUT_S) as connection:
            for name in names:
                connection.query(f'DROP KEYSPACE IF EXISTS "{name}"')
            if script.is_about_roles:
                _drop_roles(connection, keyspace)


def _drop_roles(connection: Connection, prefix: str) -> None:
    """Roles and identities that bear the script's name."""
    for column, table, drop in (
        ("role", "roles", 'DROP ROLE IF EXISTS "{}"'),
        ("identity", "identity_to_role", "DROP IDENTITY IF EXISTS '{}'"),
    ):
        found = connection.query(f"SELECT {column} FROM system_auth.{table}").response
        for (name,) in found.rows() if isinstance(found, RowsResult) else ():
            if name is not None and prefix in name.decode():
                _expect(connection.query(drop.format(name.decode())))


def _expect(reply: Reply) -> None:
    if isinstance(reply.response, Error):
        raise reply.response.error


class _Run:
    """One script on its way: the connection whose keyspace a USE in the script may change."""

    def __init__(self, cluster: Cluster, way: Way, keyspace: str, normaliser: Normaliser) -> None:
        self._cluster, self._way, self._keyspace, self._normaliser = cluster, way, keyspace, normaliser
        self._connections: dict[tuple[tuple[str, str] | None, Address], Connection] = {}
        self._used: dict[tuple[str, str] | None, str] = {}
        self._turns = cycle(cluster.addresses if cluster.nodes is None else cluster.addresses[:1])
        self._address = cluster.addresses[0]  # of the step that is under way

    @contextmanager
    def connected(self) -> Iterator[None]:
        try:
            self._connection_of(None)
            yield
        finally:
            self.disconnect()

    def disconnect(self) -> None:
        """Those that are made from now on begin in the keyspaces in which these were."""
        for connection in self._connections.values():
            connection.close()
        self._connections = {}

    def _connection_of(self, credentials: tuple[str, str] | None) -> Connection:
        """The connection of this role, None for that which all steps share that name none."""
        place = credentials, self._address
        connection = self._connections.get(place)
        if connection is None:
            connection = self._connections[place] = self._connect(credentials)
            _expect(connection.query(f"USE {self._keyspace}"))
            # Cassandra warns once per connection that statements prepared after USE are ambiguous: have it over with.
            # (Each connection with a statement of its own: one that is known is not warned of.)
            others = len({known for known, _ in self._connections}) - 1
            connection.prepare("DROP TABLE IF EXISTS no_such_table" + (f"_{others}" if others else ""))
            if credentials in self._used:
                _expect(connection.query(self._used[credentials]))
        return connection

    def _connect(self, credentials: tuple[str, str] | None, address: Address | None = None) -> Connection:
        host, port = (address or self._address).host, (address or self._address).port
        if credentials is not None:
            credentials = credentials[0].replace("$ks", self._keyspace), credentials[1]
        return connect(host, port, version=self._way.version, credentials=credentials, timeout_s=TIMEOUT_S)

    def step_lines(self, step: Step) -> Iterator[str]:
        directives = step.directives
        self._address = next(self._turns) if directives.at is None else self._cluster.addresses[directives.at - 1]
        if directives.down is not None and self._cluster.nodes is not None:
            self._cluster.nodes.set_down(directives.down)
        if directives.paused is not None and self._cluster.nodes is not None:
            self._cluster.nodes.set_paused(directives.paused)
        try:
            if directives.new_connection:
                connection = self._connect(directives.credentials)
            else:
                connection = self._connection_of(directives.credentials)
        except BadCredentials as error:
            yield from reply_lines([Reply(Error(error))], None, self._normaliser)
            return
        try:
            if directives.used:
                _expect(connection.query(f"USE {self._keyspace}"))
            lines = list(self._lines(step, connection))
            yield from lines
            if self._cluster.nodes is not None and any(line.startswith("schema ") for line in lines):
                self._cluster.nodes.wait_agreed()
            if any(line.startswith("keyspace ") for line in lines) and not directives.new_connection:
                self._use_elsewhere(step.statements[0], directives.credentials)
        finally:
            if directives.new_connection:
                connection.close()

    def _use_elsewhere(self, statement: str, credentials: tuple[str, str] | None) -> None:
        """A USE is for the script's connection, which here are several."""
        self._used[credentials] = statement = statement.replace("$ks", self._keyspace)
        for (of, address), connection in self._connections.items():
            if of == credentials and address != self._address:
                connection.query(statement)

    def _lines(self, step: Step, connection: Connection) -> Iterator[str]:
        sent = self._cluster.sent
        statements = [sent(statement.replace("$ks", self._keyspace)) for statement in step.statements]
        values = [parse_values(step.directives.values.get(i, "")) for i in range(len(statements))]
        if step.directives.contended_until is not None:
            yield from self._contended_lines(step, statements[0], values[0])
        elif step.directives.batch is not None:
            yield from self._batch_lines(step, connection, statements, values)
        elif self._way.prepared:
            yield from self._prepared_lines(step, connection, statements[0], values[0])
        else:
            options = self._options(step, values[0])
            is_traced = step.directives.traced
            pages = _asked(step, lambda asked: connection.query(statements[0], asked, is_traced), options)
            yield from reply_lines(pages, None, self._normaliser)
            yield from trace_lines(connection, pages, self._address.host, self._normaliser)

    def _prepared_lines(
        self, step: Step, connection: Connection, statement: str, values: Sequence[BoundValue]
    ) -> Iterator[str]:
        reply = connection.prepare(statement, self._request_keyspace(step))
        yield from prepared_lines(reply, self._normaliser)
        prepared = reply.response
        if not isinstance(prepared, PreparedResult):
            return
        options = self._options(step, values)
        pages = _asked(step, lambda asked: connection.execute(prepared, (), asked, step.directives.traced), options)
        yield from prepared_result_lines(prepared, pages[0].response, self._normaliser)
        yield from reply_lines(pages, prepared, self._normaliser)
        yield from trace_lines(connection, pages, self._address.host, self._normaliser)

    def _contended_lines(self, step: Step, statement: str, values: Sequence[BoundValue]) -> Iterator[str]:
        """All nodes that are up are asked at once. Whoever is told something else asks again."""
        wanted = re.compile(step.directives.contended_until or "")
        until = time.monotonic() + TIMEOUT_S
        found: list[Reply] = []

        def ask(address: Address) -> None:
            with self._connect(step.directives.credentials, address) as connection:
                _expect(connection.query(self._used.get(step.directives.credentials, f"USE {self._keyspace}")))
                options, prepared = self._options(step, values), None
                if self._way.prepared:
                    prepared = connection.prepare(statement, options.keyspace).response
                while not found and time.monotonic() < until:
                    if isinstance(prepared, PreparedResult):
                        reply = connection.execute(prepared, (), options)
                    else:
                        reply = connection.query(statement, options)
                    if isinstance(reply.response, Error) and wanted.search(reply.response.error.message):
                        found.append(reply)

        nodes = self._cluster.nodes
        with ThreadPoolExecutor() as pool:
            list(pool.map(ask, self._cluster.addresses if nodes is None else nodes.up))
        if found:
            yield from reply_lines(found[:1], None, self._normaliser)
        else:
            yield "nobody was told that"

    def _batch_lines(
        self, step: Step, connection: Connection, statements: Sequence[str], values: Sequence[Sequence[BoundValue]]
    ) -> Iterator[str]:
        entries = []
        for statement, bound in zip(statements, values, strict=True):
            sent: str | bytes = statement
            if self._way.prepared:
                reply = connection.prepare(statement, self._request_keyspace(step))
                if not isinstance(reply.response, PreparedResult):
                    yield from reply_lines([reply], None, self._normaliser)
                    return
                sent = reply.response.statement_id
            entries.append(BatchEntry(sent, tuple(value.value for value in bound)))
        assert step.directives.batch is not None
        reply = connection.batch(entries, step.directives.batch, self._options(step, ()), step.directives.traced)
        yield from reply_lines([reply], None, self._normaliser)
        yield from trace_lines(connection, [reply], self._address.host, self._normaliser)

    def _options(self, step: Step, values: Sequence[BoundValue]) -> QueryOptions:
        directives = step.directives
        names = tuple(value.name for value in values if value.name is not None)
        given = QueryOptions(
            consistency=self._cluster.level(directives.consistency, step.statements),
            values=tuple(value.value for value in values),
            names=names or None,
            flags=SKIP_METADATA if directives.skip_metadata else 0,
            page_size=-1 if directives.page_size is None else directives.page_size,
            timestamp_us=directives.timestamp_us,
            keyspace=self._request_keyspace(step),
            now_s=directives.now_s,
        )
        if directives.serial_consistency is None:
            return given
        return given._replace(serial_consistency=directives.serial_consistency)

    def _request_keyspace(self, step: Step) -> str | None:
        keyspace = step.directives.keyspace
        return None if keyspace is None else keyspace.replace("$ks", self._keyspace)


def _asked(step: Step, ask: Callable[[QueryOptions], Reply], options: QueryOptions) -> list[Reply]:
    pages = _pages(ask, options)
    until = time.monotonic() + TIMEOUT_S
    while step.directives.until_rows and _has_no_rows(pages[0]) and time.monotonic() < until:
        pages = _pages(ask, options)
    return pages


def _has_no_rows(page: Reply) -> bool:
    return isinstance(page.response, RowsResult) and not page.response.row_count


def _pages(ask: Callable[[QueryOptions], Reply], options: QueryOptions) -> list[Reply]:
    pages = [ask(options)]
    while len(pages) < PAGES_MAX:
        last = pages[-1].response
        if not isinstance(last, RowsResult) or last.paging_state is None:
            return pages
        pages.append(ask(options._replace(paging_state=last.paging_state)))
    return pages
