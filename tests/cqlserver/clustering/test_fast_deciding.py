"""Prepared conditional writes among replicas, which go the fast way: what they come to, with others that are faster, and
with nodes that are deaf."""

from dataclasses import replace

import pytest

from benchmarks.replicated import Part
from benchmarks.requests import INSERT, bigint, integer
from cluster.coordination.bundles import Bundles
from cluster.coordination.decisions import Decision
from protocol import requests, responses
from protocol.errors import InvalidRequest, ReadTimeout, WriteTimeout
from tests.cqlserver.clustering.fast import ALL, ONE, QUORUM, VERSION, Fast

SERIAL = 8


class Conditional:
    """Prepared conditional writes of `load.t`; `begun`: how many have begun the fast way."""

    def __init__(self, fast: Fast, monkeypatch: pytest.MonkeyPatch) -> None:
        self.fast, self.parts, self.begun = fast, fast.parts, 0
        add = Bundles.add_decision

        def counted(bundles: Bundles, decision: Decision) -> None:
            self.begun += 1
            add(bundles, decision)

        monkeypatch.setattr(Bundles, "add_decision", counted)
        self.insert_id = fast.cluster.prepare(INSERT + " IF NOT EXISTS")
        self.update_id = fast.cluster.prepare("UPDATE load.t SET s = ? WHERE k = ? AND c = ? IF s = ?")
        self.delete_id = fast.cluster.prepare("DELETE FROM load.t WHERE k = ? AND c = ? IF EXISTS")

    def insert(self, key: int, value: bytes = b"s") -> requests.Execute:
        return self._execute(self.insert_id, bigint(key), integer(1), b"v", value)

    def update(self, key: int, new: bytes, expected: bytes) -> requests.Execute:
        return self._execute(self.update_id, new, bigint(key), integer(1), expected)

    def delete(self, key: int) -> requests.Execute:
        return self._execute(self.delete_id, bigint(key), integer(1))

    def _execute(self, statement_id: bytes, *values: bytes) -> requests.Execute:
        return requests.Execute(statement_id, None, requests.QueryOptions(consistency=QUORUM, values=values))

    def rows(self, part: Part, request: requests.Request) -> responses.RowsResult:
        answer = self.fast.ask(part, request)
        assert isinstance(answer, responses.RowsResult), answer
        return answer

    def is_applied(self, part: Part, request: requests.Request) -> bool:
        answer = self.rows(part, request)
        assert answer.metadata.columns[0].name == "[applied]"
        return answer.content[4:5] == b"\x01"

    def stored(self, part: Part, key: int) -> bytes:
        """Of what all replicas have together; empty where there is no row."""
        text = f"SELECT s FROM load.t WHERE k = {key}"
        return self.rows(part, requests.Query(text, requests.QueryOptions(consistency=ALL))).content[4:]


@pytest.fixture
def conditional(monkeypatch: pytest.MonkeyPatch) -> Conditional:
    return Conditional(Fast(monkeypatch), monkeypatch)


def test_of_three_inserts_of_a_row_one_is_applied_and_the_others_see_it(conditional: Conditional) -> None:
    told = [conditional.is_applied(part, conditional.insert(1, b"of %d" % n)) for n, part in enumerate(conditional.parts)]
    assert told == [True, False, False]
    assert conditional.begun == 3
    refusal = conditional.rows(conditional.parts[2], conditional.insert(1))
    assert [column.name for column in refusal.metadata.columns] == ["[applied]", "k", "c", "s", "v"]
    assert b"of 0" in refusal.content
    assert {conditional.stored(part, 1) for part in conditional.parts} == {b"of 0"}


def test_updates_and_deletions_see_what_was_decided_before(conditional: Conditional) -> None:
    first, second, third = conditional.parts
    assert conditional.is_applied(first, conditional.insert(2, b"a"))
    assert conditional.is_applied(second, conditional.update(2, b"b", b"a"))
    assert not conditional.is_applied(third, conditional.update(2, b"c", b"a"))
    assert conditional.is_applied(third, conditional.update(2, b"c", b"b"))
    assert conditional.stored(first, 2) == b"c"
    assert conditional.is_applied(first, conditional.delete(2))
    assert not conditional.is_applied(second, conditional.delete(2))
    assert conditional.begun == 6
    assert conditional.stored(first, 2) == b""


def test_many_of_one_partition_through_one_node_do_not_meet(conditional: Conditional) -> None:
    """They wait for each other where they come in."""
    first = conditional.parts[0]
    conditional.is_applied(first, conditional.insert(3, b"0"))
    chain = [conditional.update(3, b"%d" % (n + 1), b"%d" % n) for n in range(20)]
    first.received.clear()
    first.session.receive(b"".join(requests.encode(request, VERSION, n) for n, request in enumerate(chain)))
    first.take_turn()
    conditional.fast.cluster.run()
    assert conditional.stored(first, 3) == b"20"
    assert first.session.late_count == 0


def test_a_row_that_replicas_have_differently_is_read_and_mended_the_general_way(conditional: Conditional) -> None:
    fast, (first, _, third) = conditional.fast, conditional.parts
    fast.cluster.deaf = {third.endpoint: None}
    fast.ask(first, fast.execute(4))
    fast.cluster.deaf = {}
    assert fast.rows(third, 4, ONE) == 0
    assert not conditional.is_applied(third, conditional.insert(4, b"late"))
    assert conditional.begun == 1
    assert fast.rows(third, 4, ONE) == 1


def test_a_promise_that_nobody_else_gives_is_a_timeout(conditional: Conditional) -> None:
    fast, (first, second, third) = conditional.fast, conditional.parts
    fast.cluster.deaf = {second.endpoint: None, third.endpoint: None}
    fast.send(first, conditional.insert(5))
    assert conditional.begun == 1
    assert not b"".join(first.received)
    fast.clock.advance(1.9)
    fast.cluster.tick()
    error = fast.error(first)
    assert isinstance(error, WriteTimeout)
    assert (error.consistency, error.received, error.block_for, error.write_type) == (SERIAL, 1, 2, "CAS")
    assert first.session.late_count == first.session.pending_bytes == 0
    fast.cluster.deaf = {}
    assert conditional.is_applied(second, conditional.insert(5))


def test_what_is_wrong_is_told_by_the_general_way(conditional: Conditional) -> None:
    first = conditional.parts[0]
    request = conditional.insert(6)
    odd = replace(request, options=request.options._replace(serial_consistency=QUORUM))
    answer = conditional.fast.ask(first, odd)
    assert isinstance(answer, responses.Error)
    assert isinstance(answer.error, InvalidRequest)
    assert conditional.begun == 0


def test_rows_with_collections_and_static_columns_are_decided_the_general_way(conditional: Conditional) -> None:
    fast, first = conditional.fast, conditional.parts[0]
    fast.ask(first, requests.Query("CREATE TABLE load.odd (k int, c int, s int STATIC, l list<int>, PRIMARY KEY (k, c))"))
    update_id = fast.cluster.prepare("UPDATE load.odd SET l = l + [1] WHERE k = 1 AND c = 1 IF l != null")
    insert_id = fast.cluster.prepare("INSERT INTO load.odd (k, c, l) VALUES (1, 1, [0]) IF NOT EXISTS")
    static_id = fast.cluster.prepare("UPDATE load.odd SET s = 2 WHERE k = 1 IF s = null")
    options = requests.QueryOptions(consistency=QUORUM)
    told = [
        conditional.is_applied(part, requests.Execute(one, None, options))
        for part in conditional.parts
        for one in (insert_id, update_id, static_id)
    ]
    assert told == [True, True, True, False, True, False, False, True, False]
    found = conditional.rows(first, requests.Query("SELECT l, s FROM load.odd", requests.QueryOptions(consistency=ALL)))
    assert found.content.count(b"\0\0\0\x04") == 6  # [0, 1, 1, 1] and how many these are, as four bytes each; and s


# --- serial reads ----------------------------------------------------------------------------------------------------------


class SerialReads:
    """Prepared SELECTs of one row at SERIAL; `conditional.begun` counts those that go the fast way, too."""

    def __init__(self, conditional: Conditional) -> None:
        self.conditional = conditional
        self.row_id = conditional.fast.cluster.prepare("SELECT s FROM load.t WHERE k = ? AND c = ?")
        for part in conditional.parts:
            assert self.found(part, 0) == b""  # who reads for the first time learns who decides
        conditional.begun = 0

    def request(self, key: int) -> requests.Execute:
        options = requests.QueryOptions(consistency=SERIAL, values=(bigint(key), integer(1)))
        return requests.Execute(self.row_id, None, options)

    def found(self, part: Part, key: int) -> bytes:
        return self.conditional.rows(part, self.request(key)).content[4:]


@pytest.fixture
def serial(conditional: Conditional) -> SerialReads:
    return SerialReads(conditional)


def test_serial_reads_see_what_was_decided_through_other_nodes(conditional: Conditional, serial: SerialReads) -> None:
    first, second, third = conditional.parts
    assert conditional.is_applied(first, conditional.insert(11, b"a"))
    assert [serial.found(part, 11) for part in conditional.parts] == [b"a"] * 3
    assert conditional.is_applied(second, conditional.update(11, b"b", b"a"))
    assert [serial.found(part, 11) for part in conditional.parts] == [b"b"] * 3
    assert serial.found(third, 12) == b""
    assert conditional.begun == 2 + 7
    assert all(part.session.late_count == 0 for part in conditional.parts)


def test_a_serial_read_finishes_what_is_half_decided(conditional: Conditional, serial: SerialReads) -> None:
    fast, (first, second, third) = conditional.fast, conditional.parts
    assert conditional.is_applied(first, conditional.insert(13, b"a"))
    fast.cluster.deaf = {first.endpoint: None}
    assert conditional.is_applied(second, conditional.update(13, b"b", b"a"))
    fast.cluster.deaf = {third.endpoint: None}
    assert serial.found(first, 13) == b"b"
    fast.cluster.deaf = {}
    assert serial.found(first, 13) == b"b"
    assert conditional.stored(third, 13) == b"b"


def test_a_serial_read_of_a_row_that_replicas_have_differently_goes_the_general_way(
    conditional: Conditional, serial: SerialReads
) -> None:
    fast, (first, _, third) = conditional.fast, conditional.parts
    fast.cluster.deaf = {third.endpoint: None}
    fast.ask(first, fast.execute(14))
    fast.cluster.deaf = {}
    assert serial.found(third, 14) != b""
    assert conditional.begun == 1


def test_a_serial_read_that_nobody_answers_is_a_read_timeout(conditional: Conditional, serial: SerialReads) -> None:
    fast, (first, second, third) = conditional.fast, conditional.parts
    fast.cluster.deaf = {second.endpoint: None, third.endpoint: None}
    fast.send(first, serial.request(15))
    assert conditional.begun == 1
    fast.clock.advance(2.0)
    fast.cluster.tick()
    error = fast.error(first)
    assert isinstance(error, ReadTimeout)
    assert (error.consistency, error.received, error.block_for) == (SERIAL, 0, 2)  # as Cassandra tells it
