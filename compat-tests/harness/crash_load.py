"""A load whose every acknowledgement is remembered, to be compared with what a server has after it was killed.

Each writer has one connection and rows of its own, so that it knows the order of what happened to them. A row's history
is a list of states; the server must be in one that is not older than the last acknowledged: what was sent and not
acknowledged may or may not have happened.
"""

import random
import threading
from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import closing

from protocol.client import Connection, connect
from protocol.errors import PeerError
from protocol.requests import Batch, BatchEntry, Execute, Query, QueryOptions, Request
from protocol.responses import Error, PreparedResult, RowsResult

State = Hashable
Key = tuple[str, Hashable]

PIPELINED_MAX = 16
ROWS_PER_WRITER = 48
ROWS_PER_PARTITION = 12
PAIRS = 8
TRUNCATED_ROWS_MAX = 6
TABLES_PER_WRITER = 3
KEYSPACE = "crash"

SCHEMA = (
    f"CREATE KEYSPACE IF NOT EXISTS {KEYSPACE} WITH replication = {{'class': 'SimpleStrategy', 'replication_factor': 1}}",
    f"CREATE TABLE IF NOT EXISTS {KEYSPACE}.rows (k int, c int, v bigint, s text, PRIMARY KEY (k, c))",
    f"CREATE TABLE IF NOT EXISTS {KEYSPACE}.pairs (k int PRIMARY KEY, v bigint)",
    f"CREATE TABLE IF NOT EXISTS {KEYSPACE}.counts (k int PRIMARY KEY, n counter)",
    f"CREATE TABLE IF NOT EXISTS {KEYSPACE}.chain (k int PRIMARY KEY, v bigint)",
    f"CREATE TABLE IF NOT EXISTS {KEYSPACE}.cut (k int PRIMARY KEY)",
)


class History:
    """The states that one thing may be in: the last acknowledged one and all that were asked for since."""

    __slots__ = ("_acknowledged", "_states")

    def __init__(self, state: State) -> None:
        self._states: list[State] = [state]
        self._acknowledged = 0

    @property
    def newest(self) -> State:
        return self._states[-1]

    def ask(self, state: State) -> int:
        self._states.append(state)
        return len(self._states) - 1

    def acknowledge(self, index: int) -> None:
        self._acknowledged = max(self._acknowledged, index)

    @property
    def possible(self) -> list[State]:
        return self._states[self._acknowledged :]

    def settle(self, state: State) -> None:
        """It was seen in this state: what was possible before is over."""
        self._states, self._acknowledged = [state], 0


class Model:
    """All histories by (table, key). Writers use different keys, so only the dict is shared."""

    def __init__(self) -> None:
        self.histories: dict[Key, History] = {}
        self.acknowledged = 0

    def of(self, table: str, key: Hashable, initial: State = None) -> History:
        return self.histories.setdefault((table, key), History(initial))

    def differences(self, found: dict[Key, State], initial: dict[str, State]) -> list[str]:
        """What the server should not be like; every history is settled by what was found."""
        wrong = []
        for (table, key), history in self.histories.items():
            state = found.get((table, key), initial.get(table))
            if state not in history.possible:
                wrong.append(f"{table} {key}: found {state!r}, possible were {history.possible!r}")
            history.settle(state)
        wrong += [f"{key}: found {found[key]!r}, never asked for" for key in found if key not in self.histories]
        return wrong


Step = tuple[Request, Callable[[], None]]


class Writer(threading.Thread):
    """One connection that writes until the server is gone; `failure` is what went wrong otherwise."""

    def __init__(self, model: Model, address: tuple[str, int], number: int, seed: str) -> None:
        super().__init__(name=f"{type(self).__name__}-{number}", daemon=True)
        self.model, self.number = model, number
        self.rng = random.Random(f"{seed} {self.name}")
        self.connection: Connection = connect(*address, version=4 + number % 2, timeout_s=20)
        self.failure: BaseException | None = None
        self.acknowledged = 0
        self._begin = threading.Event()
        self.prepare()

    def prepare(self) -> None:
        """Before the load: prepared statements."""

    def steps(self) -> Iterator[Sequence[Step]]:
        """Requests to be sent in one piece, each with what its acknowledgement means; for ever."""
        raise NotImplementedError

    def begin(self) -> None:
        self._begin.set()

    def run(self) -> None:
        self._begin.wait()
        try:
            for steps in self.steps():
                streams = self.connection.send_many([request for request, _ in steps])
                for stream, (request, acknowledge) in zip(streams, steps, strict=True):
                    response = self.connection.receive(stream).response
                    if isinstance(response, Error):
                        raise AssertionError(f"{self.name}: {request}: {response.error}")
                    acknowledge()
                    self.acknowledged += 1
        except (PeerError, OSError):
            pass  # the server was killed
        except BaseException as error:  # noqa: BLE001  # raised by the main thread
            self.failure = error
        finally:
            self.connection.close()

    def prepared(self, cql: str) -> PreparedResult:
        response = self.connection.prepare(cql).response
        assert isinstance(response, PreparedResult), response
        return response


def bound(statement: PreparedResult, *values: bytes) -> Execute:
    return Execute(statement.statement_id, statement.result_metadata_id, QueryOptions(values=values))


def integer(value: int) -> bytes:
    return value.to_bytes(4, "big", signed=True)


def bigint(value: int) -> bytes:
    return value.to_bytes(8, "big", signed=True)


class RowWriter(Writer):
    """Inserts, updates with a TTL and deletes rows, pipelined."""

    def prepare(self) -> None:
        table = f"{KEYSPACE}.rows"
        self.insert = self.prepared(f"INSERT INTO {table} (k, c, v, s) VALUES (?, ?, ?, ?)")
        self.update = self.prepared(f"UPDATE {table} USING TTL 100000 SET v = ? WHERE k = ? AND c = ?")
        self.delete = self.prepared(f"DELETE FROM {table} WHERE k = ? AND c = ?")

    def steps(self) -> Iterator[Sequence[Step]]:
        while True:
            yield [self._one() for _ in range(self.rng.randint(1, PIPELINED_MAX))]

    def _one(self) -> Step:
        row = self.rng.randrange(ROWS_PER_WRITER)
        k, c = self.number * 100 + row // ROWS_PER_PARTITION, row % ROWS_PER_PARTITION
        history = self.model.of("rows", (k, c))
        value = self.rng.getrandbits(62)
        kind = self.rng.random()
        if kind < 0.7:
            text = b"x" * self.rng.randint(0, 300)
            request = bound(self.insert, integer(k), integer(c), bigint(value), text)
        elif kind < 0.85:
            request = bound(self.update, bigint(value), integer(k), integer(c))
        else:
            request, value = bound(self.delete, integer(k), integer(c)), None  # type: ignore[assignment]
        index = history.ask(value)
        return request, lambda: history.acknowledge(index)


class PairWriter(Writer):
    """Logged batches over two partitions, which must come back together."""

    def prepare(self) -> None:
        self.insert = self.prepared(f"INSERT INTO {KEYSPACE}.pairs (k, v) VALUES (?, ?)")

    def steps(self) -> Iterator[Sequence[Step]]:
        while True:
            yield [self._one() for _ in range(self.rng.randint(1, 4))]

    def _one(self) -> Step:
        pair, value = self.rng.randrange(PAIRS), self.rng.getrandbits(62)
        keys = (self.number * 1000 + 2 * pair, self.number * 1000 + 2 * pair + 1)
        histories = [self.model.of("pairs", key) for key in keys]
        indexes = [history.ask(value) for history in histories]

        def acknowledge() -> None:
            for history, index in zip(histories, indexes, strict=True):
                history.acknowledge(index)

        entries = tuple(BatchEntry(self.insert.statement_id, (integer(key), bigint(value))) for key in keys)
        return Batch(0, entries, QueryOptions()), acknowledge


class CountWriter(Writer):
    """Counters, and a chain of compare-and-set, one at a time."""

    def prepare(self) -> None:
        self.count = self.prepared(f"UPDATE {KEYSPACE}.counts SET n = n + 1 WHERE k = ?")

    def steps(self) -> Iterator[Sequence[Step]]:
        key = self.number
        counts, chain = self.model.of("counts", key), self.model.of("chain", key)
        while True:
            index = counts.ask((counts.newest or 0) + 1)  # type: ignore[operator]
            yield [(bound(self.count, integer(key)), lambda index=index: counts.acknowledge(index))]  # type: ignore[misc]
            before, after = chain.newest, self.rng.getrandbits(62)
            condition = f"IF v = {before}" if before is not None else "IF v = null"
            text = f"UPDATE {KEYSPACE}.chain SET v = {after} WHERE k = {key} {condition}"
            index = chain.ask(after)
            yield [(Query(text, QueryOptions()), lambda index=index: chain.acknowledge(index))]  # type: ignore[misc]


class SchemaWriter(Writer):
    """Makes, fills, and drops tables; truncates one. One request at a time."""

    def steps(self) -> Iterator[Sequence[Step]]:
        cut = self.model.of("cut", "all", frozenset())
        while True:
            number = self.rng.randrange(TABLES_PER_WRITER)
            name = f"made_{self.number}_{number}"
            history = self.model.of("made", name, "missing")
            if history.newest == "missing":
                yield self._ask(history, "empty", f"CREATE TABLE {KEYSPACE}.{name} (k int PRIMARY KEY, v bigint)")
                value = self.rng.getrandbits(62)
                yield self._ask(history, value, f"INSERT INTO {KEYSPACE}.{name} (k, v) VALUES (1, {value})")
            else:
                yield self._ask(history, "missing", f"DROP TABLE {KEYSPACE}.{name}")
            rows: frozenset[int] = cut.newest  # type: ignore[assignment]
            if len(rows) >= TRUNCATED_ROWS_MAX:
                yield self._ask(cut, frozenset(), f"TRUNCATE {KEYSPACE}.cut")
            else:
                row = self.rng.getrandbits(30)
                yield self._ask(cut, rows | {row}, f"INSERT INTO {KEYSPACE}.cut (k) VALUES ({row})")

    @staticmethod
    def _ask(history: History, state: State, text: str) -> Sequence[Step]:
        index = history.ask(state)
        return [(Query(text, QueryOptions()), lambda: history.acknowledge(index))]


WRITERS: tuple[type[Writer], ...] = (RowWriter, RowWriter, PairWriter, CountWriter, SchemaWriter)


def read_rows(connection: Connection, cql: str) -> list[tuple[bytes | None, ...]]:
    """All rows, page by page."""
    rows: list[tuple[bytes | None, ...]] = []
    state: bytes | None = None
    while True:
        response = connection.query(cql, QueryOptions(page_size=1000, paging_state=state)).response
        assert isinstance(response, RowsResult), f"{cql}: {response}"
        rows += response.rows()
        state = response.paging_state
        if state is None:
            return rows


def _number(value: bytes | None) -> int | None:
    return None if value is None else int.from_bytes(value, "big", signed=True)


INITIAL: dict[str, State] = {"made": "missing", "cut": frozenset()}


def found_states(address: tuple[str, int]) -> dict[Key, State]:
    """What the server has, in the terms of Model."""
    found: dict[Key, State] = {}
    with closing(connect(*address, timeout_s=20)) as connection:
        for k, c, v in read_rows(connection, f"SELECT k, c, v FROM {KEYSPACE}.rows"):
            found["rows", (_number(k), _number(c))] = _number(v)
        for table, column in (("pairs", "v"), ("counts", "n"), ("chain", "v")):
            for k, v in read_rows(connection, f"SELECT k, {column} FROM {KEYSPACE}.{table}"):
                found[table, _number(k)] = _number(v)
        found["cut", "all"] = frozenset(_number(k) for (k,) in read_rows(connection, f"SELECT k FROM {KEYSPACE}.cut"))
        tables = f"SELECT table_name FROM system_schema.tables WHERE keyspace_name = '{KEYSPACE}'"
        for (raw,) in read_rows(connection, tables):
            name = (raw or b"").decode()
            if name.startswith("made_"):
                rows = read_rows(connection, f"SELECT v FROM {KEYSPACE}.{name}")
                found["made", name] = _number(rows[0][0]) if rows else "empty"
    return found
