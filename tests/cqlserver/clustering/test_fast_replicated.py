"""Prepared requests that go the fast way although others have a say: what they come to, and with nodes that are deaf."""


import pytest

from benchmarks.replicated import Part
from benchmarks.requests import bigint, integer
from cluster.coordination.bundles import Bundles
from protocol import requests, responses
from protocol.errors import ReadTimeout, Unavailable, WriteTimeout
from tests.cqlserver.clustering.fast import ALL, ONE, QUORUM, VERSION, Fast


@pytest.fixture
def fast(monkeypatch: pytest.MonkeyPatch) -> Fast:
    made = Fast(monkeypatch)
    # the first of each level is answered the general way, which finds out what the level needs
    for part in made.parts:
        for level in (ONE, QUORUM, ALL):
            made.ask(part, made.execute(1, level=level))
    made.fast = 0
    return made


@pytest.mark.parametrize("level", [ONE, QUORUM, ALL])
def test_an_insert_is_answered_when_enough_have_it(fast: Fast, level: int) -> None:
    for number, part in enumerate(fast.parts):
        assert isinstance(fast.ask(part, fast.execute(10 + number, level=level)), responses.VoidResult)
    assert fast.fast == 3
    for part in fast.parts:
        assert [fast.rows(part, 10 + number) for number in range(3)] == [1, 1, 1]


def test_a_batch_goes_the_same_way(fast: Fast) -> None:
    rows = tuple(requests.BatchEntry(fast.insert_id, (bigint(20), integer(row), b"v", b"s")) for row in range(5))
    batch = requests.Batch(1, rows, requests.QueryOptions(consistency=QUORUM))
    fast.ask(fast.parts[0], batch)
    fast.fast = 0
    assert isinstance(fast.ask(fast.parts[0], batch), responses.VoidResult)
    assert fast.fast == 1
    assert [fast.rows(part, 20) for part in fast.parts] == [5, 5, 5]
    fast.cluster.deaf = {fast.parts[1].endpoint: None, fast.parts[2].endpoint: None}
    assert fast.rows(fast.parts[0], 20, ONE) == 5


def test_a_quorum_does_not_wait_for_the_third(fast: Fast) -> None:
    fast.cluster.deaf[fast.parts[2].endpoint] = None
    assert isinstance(fast.ask(fast.parts[0], fast.execute(30)), responses.VoidResult)
    assert fast.fast == 1


def test_who_waits_for_all_is_told_when_the_time_is_over_and_the_third_gets_a_hint(fast: Fast) -> None:
    first, _, third = fast.parts
    fast.cluster.deaf[third.endpoint] = None
    fast.send(first, fast.execute(40, level=ALL))
    assert fast.fast == 1
    assert not b"".join(first.received)
    assert first.session.late_count == 1
    fast.clock.advance(2.1)
    fast.cluster.tick()
    error = fast.error(first)
    assert isinstance(error, WriteTimeout)
    assert (error.received, error.block_for, error.write_type) == (2, 3, "SIMPLE")
    assert first.session.late_count == first.session.pending_bytes == 0
    assert first.node.member is not None
    assert first.node.member.cluster.hints.count(third.node.ring_node.host_id) == 1


def test_what_comes_behind_is_answered_before(fast: Fast) -> None:
    first = fast.parts[0]
    for part in fast.parts[1:]:
        fast.cluster.deaf[part.endpoint] = None
    first.received.clear()
    first.session.receive(
        requests.encode(fast.execute(50), VERSION, 8) + requests.encode(fast.execute(51, level=ONE), VERSION, 7)
    )
    first.take_turn()
    fast.cluster.run()
    assert isinstance(fast.answer(first), responses.VoidResult)


def test_unavailable_is_told_and_nothing_is_done(fast: Fast) -> None:
    first = fast.parts[0]
    for part in fast.parts[1:]:
        fast.cluster.deaf[part.endpoint] = None
    for _ in range(60):
        fast.clock.advance(1.0)
        fast.cluster.tick()
    error_answer = fast.ask(first, fast.execute(60))
    assert isinstance(error_answer, responses.Error)
    assert isinstance(error_answer.error, Unavailable)
    assert fast.fast == 0
    assert fast.rows(first, 60, ONE) == 0
    fast.ask(first, fast.execute(61, level=ONE))
    assert isinstance(fast.ask(first, fast.execute(62, level=ONE)), responses.VoidResult)
    assert fast.fast
    assert first.node.member is not None
    assert first.node.member.cluster.hints.count(fast.parts[2].node.ring_node.host_id) >= 2


def test_a_client_that_has_left_is_not_answered(fast: Fast) -> None:
    first = fast.parts[0]
    first.received.clear()
    first.session.receive(requests.encode(fast.execute(70), VERSION, 7))
    first.session.close()
    first.take_turn()
    fast.cluster.run()
    assert fast.rows(fast.parts[1], 70) == 1


class Counts:
    """Prepared increments of one counter by one."""

    def __init__(self, fast: Fast) -> None:
        self.fast = fast
        self.count_id = fast.cluster.prepare("UPDATE load.hits SET n = n + ? WHERE k = ?")

    def request(self, key: int, level: int = QUORUM, by: int = 1) -> requests.Execute:
        options = requests.QueryOptions(consistency=level, values=(bigint(by), bigint(key)))
        return requests.Execute(self.count_id, None, options)

    def total(self, part: Part, key: int) -> int:
        text = f"SELECT n FROM load.hits WHERE k = {key}"
        answer = self.fast.ask(part, requests.Query(text, requests.QueryOptions(consistency=ALL)))
        assert isinstance(answer, responses.RowsResult), answer
        return int.from_bytes(answer.content[4:], "big", signed=True)


@pytest.fixture
def counts(fast: Fast) -> Counts:
    made = Counts(fast)
    for part in fast.parts:
        for level in (ONE, QUORUM, ALL):
            fast.ask(part, made.request(1, level))
    fast.fast = 0
    return made


def test_increments_that_all_nodes_lead_add_up(fast: Fast, counts: Counts) -> None:
    for round_number in range(4):
        for part in fast.parts:
            assert isinstance(fast.ask(part, counts.request(200, by=10**round_number)), responses.VoidResult)
    assert fast.fast == 12
    assert [counts.total(part, 200) for part in fast.parts] == [3333] * 3


def test_an_increment_that_too_few_have_is_a_timeout_of_a_counter_and_they_get_hints(fast: Fast, counts: Counts) -> None:
    first, _, third = fast.parts
    fast.cluster.deaf[third.endpoint] = None
    fast.send(first, counts.request(210, ALL))
    assert fast.fast == 1
    fast.clock.advance(2.1)
    fast.cluster.tick()
    assert not b"".join(first.received)
    fast.clock.advance(3.0)
    fast.cluster.tick()
    error = fast.error(first)
    assert isinstance(error, WriteTimeout)
    assert (error.received, error.block_for, error.write_type) == (2, 3, "COUNTER")
    fast.cluster.deaf = {}
    for _ in range(30):
        fast.clock.advance(1.0)
        fast.cluster.tick()
    assert [counts.total(part, 210) for part in fast.parts] == [1] * 3


def test_a_deleted_counter_is_for_the_general_way(fast: Fast, counts: Counts) -> None:
    first = fast.parts[0]
    fast.ask(first, counts.request(220, ALL))
    fast.ask(first, requests.Query("DELETE FROM load.hits WHERE k = 220", requests.QueryOptions(consistency=ALL)))
    fast.fast = 0
    assert isinstance(fast.ask(first, counts.request(220)), responses.VoidResult)
    assert fast.fast == 0


class Reads:
    """Prepared reads of one row and of a partition."""

    def __init__(self, fast: Fast) -> None:
        self.fast = fast
        self.row_id = fast.cluster.prepare("SELECT k, c, v, s FROM load.t WHERE k = ? AND c = ?")
        self.rows_id = fast.cluster.prepare("SELECT c, v FROM load.t WHERE k = ?")

    def row(self, key: int, level: int = QUORUM) -> requests.Execute:
        options = requests.QueryOptions(consistency=level, values=(bigint(key), integer(1)))
        return requests.Execute(self.row_id, None, options)

    def partition(self, key: int, level: int = QUORUM, page_size: int = -1) -> requests.Execute:
        options = requests.QueryOptions(consistency=level, values=(bigint(key),), page_size=page_size)
        return requests.Execute(self.rows_id, None, options)

    def count(self, part: Part, request: requests.Request) -> int:
        answer = self.fast.ask(part, request)
        assert isinstance(answer, responses.RowsResult), answer
        return answer.row_count


@pytest.fixture
def reads(fast: Fast, monkeypatch: pytest.MonkeyPatch) -> Reads:
    add = Bundles.add_read

    def counted(bundles: Bundles, *asked: object) -> None:
        fast.fast += 1
        add(bundles, *asked)  # type: ignore[arg-type]

    monkeypatch.setattr(Bundles, "add_read", counted)
    made = Reads(fast)
    for part in fast.parts:
        for level in (ONE, QUORUM, ALL):
            made.count(part, made.row(1, level))
    fast.fast = 0
    return made


@pytest.mark.parametrize(("level", "others"), [(ONE, 0), (QUORUM, 1), (ALL, 1)])
def test_a_read_is_answered_when_enough_have_the_same(fast: Fast, reads: Reads, level: int, others: int) -> None:
    fast.ask(fast.parts[0], fast.execute(90, level=ALL))
    fast.ask(fast.parts[0], fast.execute(90, row=2, level=ALL))
    fast.fast = 0
    for part in fast.parts:
        assert reads.count(part, reads.row(90, level)) == 1
        assert reads.count(part, reads.partition(90, level)) == 2
        assert reads.count(part, reads.row(91, level)) == 0
    assert fast.fast == 9 * others


def test_a_read_that_finds_replicas_differ_repairs_them(fast: Fast, reads: Reads) -> None:
    first, second, third = fast.parts
    fast.cluster.deaf = {second.endpoint: None, third.endpoint: None}
    fast.send(first, fast.execute(100))
    fast.cluster.deaf = {}
    fast.fast = 0
    assert reads.count(second, reads.row(100, ALL)) == 1
    assert fast.fast == 1
    assert [reads.count(part, reads.row(100, ONE)) for part in fast.parts] == [1, 1, 1]


def test_a_read_that_nobody_else_answers_is_a_timeout(fast: Fast, reads: Reads) -> None:
    first = fast.parts[0]
    fast.ask(first, fast.execute(110, level=ALL))
    fast.fast = 0
    for part in fast.parts[1:]:
        fast.cluster.deaf[part.endpoint] = None
    fast.send(first, reads.row(110))
    assert fast.fast == 1
    for _ in range(2):
        fast.clock.advance(2.6)
        fast.cluster.tick()
    error = fast.error(first)
    assert isinstance(error, ReadTimeout)
    assert (error.received, error.block_for, error.data_present) == (1, 2, True)


def test_pages_are_for_the_general_way(fast: Fast, reads: Reads) -> None:
    for row in range(3):
        fast.ask(fast.parts[0], fast.execute(120, row=row, level=ALL))
    fast.fast = 0
    answer = fast.ask(fast.parts[1], reads.partition(120, page_size=2))
    assert isinstance(answer, responses.RowsResult)
    assert (answer.row_count, answer.paging_state is not None, fast.fast) == (2, True, 0)
    assert reads.count(fast.parts[1], reads.partition(120, page_size=4)) == 3
    assert fast.fast == 1


def test_a_text_is_read_as_a_prepared_statement_is(fast: Fast, reads: Reads) -> None:
    fast.ask(fast.parts[0], fast.execute(130, level=ALL))
    fast.fast = 0
    for _ in range(3):
        text = requests.Query("SELECT s FROM load.t WHERE k = 130 AND c = 1", requests.QueryOptions(consistency=QUORUM))
        assert reads.count(fast.parts[0], text) == 1
    assert fast.fast
