"""What others ask a replica for is answered at once, or in turns with all else where that takes long."""

from cluster.internode.frames import Message
from cluster.internode.texts import encode_texts
from cluster.internode.verbs import Verb
from cluster.reading.answer import decode_answer
from cluster.reading.command import ReadCommand, encode_command
from cluster.reading.execution import ANSWER_ROWS_MAX
from cluster.replica import Replica
from storage.background import Lane, TaskState
from storage.environment.strands import TooLong, in_go
from storage.mutation import LIVE, Cell, ComplexColumn, Liveness, PartitionUpdate, Row
from tests.cluster.coordination.small_cluster import TABLE, SmallCluster, SmallNode

ORDER_KEY = TABLE.clustering[0].type.order_key
CELLS = 3_000
READ = Message(Verb.READ, 1, encode_command(ReadCommand.of_partition(TABLE.id, b"key", 1_000, 10_000)))


def small_node() -> SmallNode:
    return SmallCluster().nodes[0]


def rows(count: int, cells: int = 0) -> PartitionUpdate:
    many = ComplexColumn(LIVE, {b"%08d" % number: Cell(1, b"") for number in range(cells)})
    columns: dict[str, Cell | ComplexColumn] = {"v": many if cells else Cell(1, b"v")}
    values = [b"%08d" % number for number in range(count)]
    return PartitionUpdate(TABLE.id, b"key", rows={ORDER_KEY(ck): Row((ck,), Liveness(1), columns=columns) for ck in values})


def is_long(replica: Replica, message: Message) -> bool:
    try:
        in_go(replica.answer, message)
    except TooLong:
        return True
    return False


def test_few_rows_are_read_and_written_at_once() -> None:
    replica = small_node().replica
    assert not is_long(replica, Message(Verb.MUTATE, 1, encode_texts([rows(10).encode()])))
    assert not is_long(replica, READ)


def test_a_long_row_is_read_in_turns() -> None:
    node = small_node()
    node.apply(rows(1, CELLS))
    for message in (READ, READ._replace(verb=Verb.READ_DIGEST)):
        assert is_long(node.replica, message)
        told: list[Message] = []
        node.replica.answer_in_turns(message, told.append)
        assert told == []
        node.engine.background.finish()
        assert told == [node.replica.answer(message)]


def test_a_large_mutation_is_applied_in_turns() -> None:
    node = small_node()
    message = Message(Verb.MUTATE, 1, encode_texts([rows(CELLS).encode()]))
    assert is_long(node.replica, message)
    assert decode_answer(node.replica.answer(READ).body)[0].partitions == ()
    told: list[Message] = []
    node.replica.answer_in_turns(message, told.append)
    node.engine.background.finish()
    assert [answer.verb for answer in told] == [Verb.DONE]
    assert decode_answer(node.replica.answer(READ).body)[0].partitions


def test_what_fails_in_turns_is_told() -> None:
    node = small_node()
    told: list[Message] = []
    node.replica.answer_in_turns(Message(Verb.READ, 7, b"no command"), told.append)
    node.engine.background.finish()
    assert [(answer.verb, answer.id) for answer in told] == [(Verb.FAILED, 7)]
    assert node.engine.background.tallies[Lane.PEERS, TaskState.FAILED] == 1


def test_an_answer_has_fewer_rows_the_more_cells_these_have() -> None:
    def count(cells: int) -> int:
        node = small_node()
        node.apply(rows(2 * ANSWER_ROWS_MAX, cells))
        (partition,) = decode_answer(node.replica.answer(READ).body)[0].partitions
        return len(PartitionUpdate.decode(partition).rows)

    assert 0.9 * ANSWER_ROWS_MAX < count(0) <= ANSWER_ROWS_MAX
    assert count(40) < ANSWER_ROWS_MAX / 4
