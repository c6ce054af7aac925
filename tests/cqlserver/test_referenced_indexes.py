"""Storage-attached indexes of many SSTables: a SELECT that names no partition is told, or refused."""

import pytest
from small_server import small_node

from cqlserver.connections.session import Session
from cqlserver.node import Node
from protocol.errors import ReadFailure
from protocol.frames import EnvelopeDecoder
from protocol.requests import Query, Startup, encode
from protocol.responses import Error, decode
from storage.environment.memory import FaultyDisk

SCHEMA = (
    "CREATE KEYSPACE ks WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}",
    "CREATE TABLE ks.t (k int, c int, v int, w text, z int, PRIMARY KEY (k, c)) "
    "WITH compaction = {'class': 'SizeTieredCompactionStrategy', 'enabled': 'false'}",
    "CREATE INDEX ON ks.t(v) USING 'sai'",
    "CREATE INDEX ON ks.t(w) USING 'sai'",
    "CREATE INDEX of_z ON ks.t(z)",
)


def filled(sstables: int, **guardrails: object) -> Node:
    node = small_node(FaultyDisk(), guardrails=guardrails)
    node.describe_itself()
    asked(node, *SCHEMA)
    (store,) = (store for store in node.engine.stores.values() if str(store.table) == "ks.t")
    for k in range(sstables):
        asked(node, f"INSERT INTO ks.t (k, c, v, w, z) VALUES ({k}, 1, 5, 'x', 7)")
        node.engine.flush([store.table.id])
        node.engine.background.finish()
    assert len(store.flushed) == sstables
    return node


def asked(node: Node, *texts: str) -> list[str]:
    """What is warned of. Raises what is refused."""
    session = Session(node, "127.0.0.1", 1)
    warnings: list[str] = []
    for request in (Startup({"CQL_VERSION": "3.0.0"}), *map(Query, texts)):
        session.receive(encode(request, 4, 0))
        session.finish()
        session.forget_served()
        output = session.take_later() + session.take_output()
        version, flags, _, opcode, body = EnvelopeDecoder(4, responses=True).receive_data(output)[0]
        reply = decode(version, flags, opcode, body)
        if isinstance(reply.response, Error):
            raise reply.response.error
        warnings += reply.warnings
    return warnings


def warning(count: int, query: str) -> str:
    """In Cassandra's words."""
    return (
        "1 nodes referenced more than allowed number of indexes without restrictions on partition key, maximum on a node "
        f"being {count} indexes, and issued warnings for query {query} ALLOW FILTERING (see "
        "sai_sstable_indexes_per_query_warn_threshold) with token range: (-9223372036854775808, -9223372036854775808]"
    )


def test_more_than_thirty_two_are_warned_of() -> None:
    node = filled(34)
    assert asked(node, "SELECT k FROM ks.t WHERE v=5") == [warning(34, "SELECT v FROM ks.t WHERE v = 5")]
    assert asked(node, "SELECT * FROM ks.t WHERE v>2 AND w='x' LIMIT 3") == [
        warning(34, "SELECT * FROM ks.t WHERE v > 2 AND w = 'x' LIMIT 3")
    ]
    for text in (
        "SELECT k FROM ks.t WHERE v=5 AND k=3",
        "SELECT k FROM ks.t WHERE v=5 AND token(k) > 0",
        "SELECT k FROM ks.t WHERE v=5 AND token(k) >= 0 AND token(k) < 5000000000000000000",
        "SELECT k FROM ks.t WHERE z=7",
        "SELECT k FROM ks.t",
    ):
        assert asked(node, text) == [], text


def test_settings_say_from_how_many_on() -> None:
    node = filled(3, sai_sstable_indexes_per_query_warn_threshold=2)
    assert asked(node, "SELECT k FROM ks.t WHERE v=5") == [warning(3, "SELECT v FROM ks.t WHERE v = 5")]
    assert asked(filled(3, sai_sstable_indexes_per_query_warn_threshold=-1), "SELECT k FROM ks.t WHERE v=5") == []
    node = filled(3, sai_sstable_indexes_per_query_fail_threshold=2)
    with pytest.raises(ReadFailure, match="READ_TOO_MANY_INDEXES from /"):
        asked(node, "SELECT k FROM ks.t WHERE v=5")
    assert asked(node, "SELECT k FROM ks.t WHERE v=5 AND k=1") == []
