"""The servers of a test session, and the states that they are in.

There is one server for each set of settings that tests ask for, started when the first of them does. What a test begins
with (schema and data) is made once, and kept as a snapshot that is restored for the next test that wants the same: a
millisecond, whatever it holds.
"""

import json
import os
import warnings
from typing import Any, Protocol

import pytest

from cqlserver.control.client import ControlError
from cqlserver.launcher import Server, StartError, start
from cqlserver.running import Running, ServerDied, attach, shown
from cqlserver.testing.options import Options, Source, Wanted, wrong

SERVERS_MAX = 4
"""Running at once; beyond them the one that was used longest ago is stopped."""
SHOWN_QUERIES = 20
"""In the report of a failed test."""
STATES_MAX = 50
"""Of one server; beyond them the oldest is forgotten, and made anew when a test wants it again."""
_BASE = "\0base"


class CassandraHabit(UserWarning):
    """Strict mode has something against a test's statements."""


class Backend(Protocol):
    """What runs the tests' statements, with what a test session wants of it."""

    @property
    def server(self) -> Running: ...
    def prepare(self, wanted: Wanted) -> None:
        """Has schema and data as `wanted`."""

    def clean(self, wanted: Wanted) -> None:
        """Behind a test, as its `reset` says."""

    def mark(self) -> int | None:
        """The number of the next request in its query log, where it has one."""

    def check_alive(self) -> None:
        """Raises ServerDied."""

    def close(self) -> None: ...


class OwnServer:
    """A server of ours. `current`: the state that it is in, None where nobody knows."""

    def __init__(self, server: Running, keyspace: str, is_shared: bool) -> None:
        self.server, self._keyspace, self._is_shared = server, keyspace, is_shared
        self._prefix = keyspace + "\0" if is_shared else ""
        self._known: dict[str, None] = {}  # in the order in which they were made
        self._current: str | None = None
        server.execute(
            f"CREATE KEYSPACE IF NOT EXISTS {keyspace} "
            "WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}"
        )
        self._snapshot(_BASE)

    def prepare(self, wanted: Wanted) -> None:
        if self._current == wanted.key:
            return
        self._current = None
        if wanted.key in self._known:
            self._restore(wanted.key)
        else:
            self._make(wanted)
        self._current = wanted.key

    def _make(self, wanted: Wanted) -> None:
        """Has the state for the first time: on top of that of the schema alone, which other tests may want too."""
        if not wanted.data:
            self._restore(_BASE)
            sources = wanted.schema
        else:
            self.prepare(Wanted(wanted.settings, wanted.schema, (), wanted.reset, wanted.allow))
            self._current = None
            sources = wanted.data
        for source in sources:
            load(self.server, source, self._keyspace)
        self._snapshot(wanted.key)

    def clean(self, wanted: Wanted) -> None:
        if wanted.reset == "none":
            return
        self._current = None
        self._restore(wanted.key, schema=wanted.reset == "all")
        self._current = wanted.key

    def mark(self) -> int | None:
        return self.server.record()

    def check_alive(self) -> None:
        self.server.check_alive()

    def close(self) -> None:
        if isinstance(self.server, Server):
            self.server.stop()
        else:
            self.server.close()

    def _snapshot(self, key: str) -> None:
        if len(self._known) > STATES_MAX:
            oldest = list(self._known)[1]  # the first is the base of all
            self.server.forget(self._prefix + oldest)
            del self._known[oldest]
        self.server.snapshot(self._prefix + key, keyspace=self._keyspace if self._is_shared else None)
        self._known[key] = None

    def _restore(self, key: str, *, schema: bool = True) -> None:
        self.server.restore(self._prefix + key, schema=schema)


def load(server: Running, source: Source, keyspace: str) -> None:
    """Raises pytest's failure, which shows file, line and statement."""
    try:
        if source.path is None:
            server.execute(source.text, keyspace=keyspace)
        else:
            server.load(source.path, keyspace=keyspace)
    except ControlError as error:
        raise wrong(f"the test's schema or data can't be loaded: {error.message}") from None


class Lease:
    """A server for the time of one test."""

    def __init__(self, servers: "Servers", backend: Backend, wanted: Wanted) -> None:
        self._servers, self._backend, self._wanted = servers, backend, wanted
        self.server = backend.server
        self._since = backend.mark()

    def session(self) -> Any:
        """The Python driver's."""
        return self._servers.session(self._backend)

    def report(self, report: pytest.TestReport) -> None:
        """Adds to a failed test's report what the server knows of it."""
        if not report.failed or report.when != "call" or self._since is None:
            return
        try:
            queries = self.server.queries(since=self._since, limit=SHOWN_QUERIES)
        except (ServerDied, ControlError):
            return  # the end of the test says so
        if queries:
            report.sections.append(("Cassandra: the test's last statements", "\n".join(shown(query) for query in queries)))

    def end(self) -> None:
        """Raises pytest's failure where the server has died, or strict mode has something against the test."""
        try:
            habits = self._habits()
            self._backend.check_alive()
            self._backend.clean(self._wanted)
        except ServerDied as error:
            self._servers.drop(self._backend)
            raise wrong(f"the test's server has died: {error}") from None
        if habits and self._servers.strict == "fail":
            raise wrong(habits)
        if habits:
            warnings.warn(CassandraHabit(habits), stacklevel=1)

    def _habits(self) -> str:
        """What strict mode has to say; nothing where all is well."""
        if self._servers.strict == "off" or self._since is None:
            return ""
        found = [one for one in self.server.habits(since=self._since) if one["habit"] not in self._wanted.allow]
        lines = [f"{one['habit']}: {one['advice']}\n    {one['cql']}" for one in found]
        names = list(dict.fromkeys(one["habit"] for one in found))
        allowed = f"allowed by @pytest.mark.cassandra(allow={names})"
        return "\n".join([f"{', '.join(names)} (Cassandra, strict mode)", *lines, allowed]) if found else ""


def _keyspace(options: Options, worker: str | None) -> str:
    """Of names without one. On a server that is not this process's alone it is nobody else's."""
    if options.real is not None:
        return f"{options.keyspace}_{worker or 'main'}_{os.getpid():x}"
    return f"{options.keyspace}_{worker}" if worker is not None and options.is_shared else options.keyspace


class Servers:
    """All of a session. `worker`: pytest-xdist's name of this process, None where there is one alone."""

    def __init__(self, options: Options, worker: str | None = None, shared_control_port: int | None = None) -> None:
        self._options, self._worker, self._shared_control_port = options, worker, shared_control_port
        self._backends: dict[str, Backend] = {}  # by settings; the one used last at the end
        self._drivers: dict[Backend, Any] = {}
        self.keyspace, self.strict = _keyspace(options, worker), options.strict

    def default(self) -> Running:
        return self._backend(self._options.wanted()).server

    def lease(self, item: pytest.Item) -> Lease:
        wanted = self._options.wanted(item)
        backend = self._backend(wanted)
        try:
            backend.prepare(wanted)
        except ServerDied:  # killed since the last test, by whoever: this one gets another
            self.drop(backend)
            backend = self._backend(wanted)
            backend.prepare(wanted)
        return Lease(self, backend, wanted)

    def shared_control_port(self) -> int:
        """Of the server for all workers."""
        return self.default().control_port

    def session(self, backend: Backend) -> Any:
        from cqlserver.testing.driver import Driver

        driver = self._drivers.get(backend)
        if driver is None:
            driver = self._drivers[backend] = Driver(backend.server, is_real=self._options.real is not None)
        return driver.session(self.keyspace)

    def drop(self, backend: Backend) -> None:
        driver = self._drivers.pop(backend, None)
        if driver is not None:
            driver.close()
        for settings in [settings for settings, other in self._backends.items() if other is backend]:
            del self._backends[settings]
        backend.close()

    def close(self) -> None:
        for backend in list(self._backends.values()):
            self.drop(backend)

    def _backend(self, wanted: Wanted) -> Backend:
        backend = self._backends.pop(wanted.settings, None)
        if backend is None:
            while len(self._backends) >= SERVERS_MAX:
                self.drop(next(iter(self._backends.values())))
            backend = self._begin(wanted)
        self._backends[wanted.settings] = backend
        return backend

    def _begin(self, wanted: Wanted) -> Backend:
        settings = json.loads(wanted.settings)
        if self._options.real is not None:
            from cqlserver.testing.real import RealCluster

            return RealCluster(self._options.real, self._options.real_forbidden, self.keyspace, bool(settings))
        if self._shared_control_port is not None:
            if settings != dict(self._options.settings):
                raise wrong("a test with settings of its own needs a server of its own: run without --cassandra-shared")
            return OwnServer(attach(self._shared_control_port), self.keyspace, True)
        try:
            server = start(settings=settings, query_log=True)
        except StartError as error:
            raise wrong(f"cqlserver does not start: {error}") from None
        return OwnServer(server, self.keyspace, False)
