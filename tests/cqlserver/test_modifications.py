"""INSERT, UPDATE, DELETE, BATCH and compare-and-set through a whole node in memory, without sockets."""

import pytest
from small_server import KEYSPACE, small_node

from cqlserver.connections.session import Session
from cqlserver.java_order import texts_hash_ordered
from cqlserver.plans.batch import SIZE_WARN_BYTES, data_size, packed_size
from protocol.errors import RequestError
from protocol.frames import EnvelopeDecoder
from protocol.primitives import UNSET, Value
from protocol.requests import Batch, BatchEntry, Execute, Prepare, Query, QueryOptions, Request, Startup, encode
from protocol.responses import Error, PreparedResult, Reply, RowsResult, decode
from storage.environment.environment import ManualClock
from storage.mutation import Cell, Liveness, PartitionUpdate, Row
from storage.packed_writes import PackedRowWrite

ANY = 0
COUNTER = 2


class Client:
    """One v4 connection's bytes, by hand."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.node = small_node(clock=self.clock)
        self.node.describe_itself()
        self._session = Session(self.node, "127.0.0.1", 1)
        self._decoder = EnvelopeDecoder(responses=True)
        self.warnings: tuple[str, ...] = ()
        self._ask(Startup({"CQL_VERSION": "3.0.0"}))
        self.run(KEYSPACE)
        self.run("USE ks")

    def _ask(self, request: Request) -> Reply:
        self._session.receive(encode(request, 4, 1))
        self._session.finish()
        ((version, flags, _, opcode, body),) = self._decoder.receive_data(
            self._session.take_later() + self._session.take_output()
        )
        reply = decode(version, flags, opcode, body)
        self.warnings = tuple(reply.warnings)
        return reply

    def _rows(self, request: Request) -> list[tuple[bytes | None, ...]]:
        response = self._ask(request).response
        if isinstance(response, Error):
            raise response.error
        return list(response.rows()) if isinstance(response, RowsResult) else []

    def run(self, text: str, *values: Value, consistency: int = 1) -> list[tuple[bytes | None, ...]]:
        return self._rows(Query(text, QueryOptions(values=values, consistency=consistency)))

    def named(self, text: str, *names_and_values: tuple[str, Value]) -> None:
        names, values = zip(*names_and_values, strict=True)
        self._rows(Query(text, QueryOptions(values=values, names=names)))

    def prepare(self, text: str) -> PreparedResult:
        response = self._ask(Prepare(text, None)).response
        assert isinstance(response, PreparedResult), response
        return response

    def execute(self, prepared: PreparedResult, *values: Value) -> list[tuple[bytes | None, ...]]:
        return self._rows(Execute(prepared.statement_id, None, QueryOptions(values=values)))

    def batch(self, kind: int, *entries: tuple[str, tuple[Value, ...]]) -> None:
        self._rows(Batch(kind, tuple(BatchEntry(text, values) for text, values in entries), QueryOptions()))

    def refused(self, text: str, *values: Value, consistency: int = 1) -> str:
        with pytest.raises(RequestError) as error:
            self.run(text, *values, consistency=consistency)
        return error.value.message


@pytest.fixture
def client() -> Client:
    client = Client()
    client.run("CREATE TABLE t (k int, c int, s int static, v int, l list<int>, PRIMARY KEY (k, c))")
    client.run("CREATE TABLE n (k int PRIMARY KEY, n counter)")
    client.run("CREATE TABLE p (k int PRIMARY KEY, v text)")
    return client


def _int(number: int) -> bytes:
    return number.to_bytes(4, "big", signed=True)


def _long(number: int) -> bytes:
    return number.to_bytes(8, "big", signed=True)


TRUE, FALSE = b"\x01", b"\x00"


# --- compare-and-set ---------------------------------------------------------------------------------------------------


def test_refused_insert_shows_only_the_statics_it_speaks_of(client: Client) -> None:
    client.run("INSERT INTO t (k, c, s, v) VALUES (1, 1, 9, 1)")
    assert client.run("INSERT INTO t (k, c, v) VALUES (1, 1, 2) IF NOT EXISTS") == [
        (FALSE, _int(1), _int(1), None, None, _int(1))
    ]
    assert client.run("INSERT INTO t (k, c, s) VALUES (1, 1, 2) IF NOT EXISTS") == [
        (FALSE, _int(1), _int(1), _int(9), None, _int(1))
    ]


def test_static_condition_reads_the_first_row_and_not_the_one_that_changes(client: Client) -> None:
    client.run("INSERT INTO t (k, c, s, l) VALUES (1, 1, 5, [1])")
    client.run("INSERT INTO t (k, c, l) VALUES (1, 2, [1])")
    assert client.run("UPDATE t SET l[0] = 7 WHERE k = 1 AND c = 1 IF s = 5") == [(TRUE,)]
    message = client.refused("UPDATE t SET l[0] = 7 WHERE k = 1 AND c = 2 IF s = 5")
    assert message == "Attempted to set an element on a list which is null"


def test_deletion_of_a_conditional_batch_is_older_than_its_insertions(client: Client) -> None:
    client.run("BEGIN BATCH INSERT INTO t (k, c, v) VALUES (1, 1, 1) IF NOT EXISTS; DELETE FROM t WHERE k = 1; APPLY BATCH")
    assert client.run("SELECT v FROM t WHERE k = 1") == [(_int(1),)]


def test_conditions_behind_one_that_fails_are_not_looked_at(client: Client) -> None:
    client.run("INSERT INTO t (k, c, s, v) VALUES (1, 1, 5, 1)")
    text = "UPDATE t SET v = 2 WHERE k = 1 AND c = 1 IF s = 4 AND v > ?"
    assert client.run(text, None) == [(FALSE, _int(1), _int(5))]
    assert client.refused(text.replace("s = 4", "s = 5"), None) == 'Invalid comparison with null for operator ">"'


@pytest.mark.parametrize("value", [_int(3), None, UNSET])
def test_conditional_insert_applies_packed_rows_and_others_alike(client: Client, value: Value) -> None:
    prepared = client.prepare("INSERT INTO t (k, c, v) VALUES (?, ?, ?) IF NOT EXISTS")
    assert client.execute(prepared, _int(1), _int(2), value) == [(TRUE,)]
    expected = value if isinstance(value, bytes) else None
    assert client.run("SELECT c, v FROM t WHERE k = 1") == [(_int(2), expected)]
    assert client.execute(prepared, _int(1), _int(2), value)[0][0] == FALSE


def test_accepted_condition_of_a_commit_level_that_cannot_be_met_changes_nothing(client: Client) -> None:
    text = "INSERT INTO p (k, v) VALUES (1, 'x') IF NOT EXISTS"
    assert client.refused(text, consistency=2) == "Cannot achieve consistency level TWO"
    assert client.run("SELECT * FROM p") == []


# --- counters, lists, times --------------------------------------------------------------------------------------------


def test_failing_counter_batch_leaves_no_trace(client: Client) -> None:
    add = "UPDATE n SET n = n + ? WHERE k = 1"
    with pytest.raises(RequestError, match="Invalid null value for counter increment"):
        client.batch(COUNTER, (add, (_long(5),)), (add, (None,)))
    client.batch(COUNTER, (add, (_long(1),)), (add, (_long(2),)), (add, (UNSET,)))
    assert client.run("SELECT n FROM n") == [(_long(3),)]


def test_operations_on_list_items_see_what_the_statement_did_before(client: Client) -> None:
    client.run("INSERT INTO t (k, c, l) VALUES (1, 1, [10, 11, 12])")
    client.run("DELETE l[0], l[0] FROM t WHERE k = 1 AND c = 1")
    assert client.run("SELECT l FROM t") == [(_int(1) + _int(4) + _int(12),)]


def test_read_before_write_is_refused_at_any(client: Client) -> None:
    message = client.refused("UPDATE t SET l[0] = 1 WHERE k = 1 AND c = 1", consistency=ANY)
    assert message == "Write operation require a read but consistency ANY is not supported on reads"


def test_ttl_is_bounded_by_2038_and_the_lowest_timestamp_refused(client: Client) -> None:
    seconds = (1 << 31) - 1 - client.clock.now_s()
    assert "with ttl of" in client.refused("INSERT INTO p (k, v) VALUES (1, 'x') USING TTL ?", _int(seconds))
    client.run("INSERT INTO p (k, v) VALUES (1, 'x') USING TTL ?", _int(seconds - 1))
    message = client.refused("INSERT INTO p (k, v) VALUES (1, 'x') USING TIMESTAMP ?", _long(-(1 << 63)))
    assert message == "Out of bound timestamp, must be in [-9223372036854775807, 9223372036854775807]"


def test_first_of_values_with_one_name_counts(client: Client) -> None:
    client.named("INSERT INTO p (k, v) VALUES (:a, :b)", ("a", _int(1)), ("a", _int(8)), ("b", b"x"))
    assert client.run("SELECT k FROM p") == [(_int(1),)]


# --- batches -----------------------------------------------------------------------------------------------------------


def test_batch_warns_one_byte_above_its_threshold(client: Client) -> None:
    insert = "INSERT INTO p (k, v) VALUES (?, ?)"
    size = SIZE_WARN_BYTES - 140
    client.batch(0, (insert, (_int(1), b"z" * size)), (insert, (_int(2), b"")))
    assert not client.warnings
    client.batch(0, (insert, (_int(1), b"z" * (size + 1))), (insert, (_int(2), b"")))
    assert client.warnings == ("Batch for [ks.p] is of size 5121, exceeding specified threshold of 5120 by 1.",)


def test_rows_that_meet_in_a_batch_count_once(client: Client) -> None:
    insert = "INSERT INTO p (k, v) VALUES (?, ?)"
    size = SIZE_WARN_BYTES - 140
    client.batch(0, (insert, (_int(1), b"z" * size)), *[(insert, (_int(2), b""))] * 5)
    assert not client.warnings


def test_packed_rows_weigh_what_rows_of_cells_weigh(client: Client) -> None:
    store = client.node.engine.stores[client.node.schema.keyspaces["ks"].tables["t"].id]
    layout = store.layouts.maybe_layout(("v",), True)
    assert layout is not None
    body = _long(7) + _int(4) + _int(2) + _int(3) + b"abc"
    write = PackedRowWrite(store, layout, b"key", b"\x80ck", body)
    row = Row((_int(2),), Liveness(7), columns={"v": Cell(7, b"abc")})
    update = PartitionUpdate(store.table.id, b"key", rows={b"\x80ck": row})
    assert packed_size([write], 1) == data_size(update)


def test_table_names_come_in_the_order_of_a_java_hash_set() -> None:
    # recorded from Cassandra's warnings
    assert texts_hash_ordered(["modx_d.gc0", "modx_d.gc1"]) == ["modx_d.gc1", "modx_d.gc0"]
    assert texts_hash_ordered(["a", "b", "a"]) == ["a", "b"]
