"""Messages between nodes of one process: what is lost is counted."""

from cluster.gossip.endpoint import Endpoint
from cluster.internode.frames import Message
from cluster.internode.verbs import Verb
from cqlserver.clustering.network import LocalNetwork
from cqlserver.clustering.traffic import Traffic


def test_what_a_node_that_is_away_should_have_had_is_counted() -> None:
    network, traffic, others = LocalNetwork(), Traffic(), Traffic()
    here, there = Endpoint("127.0.0.1", 7000), Endpoint("127.0.0.2", 7000)
    carry = network.carrier(here, traffic)
    network.carrier(there, others)
    carry(there, [Message(Verb.MUTATE, 1, b""), Message(Verb.READ, 2, b""), Message(Verb.READ, 3, b"")])
    network._deliver()
    assert traffic.dropped == {Verb.MUTATE: 1, Verb.READ: 2}
    assert not others.dropped


def test_what_was_sent_is_told_by_pools() -> None:
    traffic = Traffic(sent=20, large=5, pending=lambda: (1, 2))
    traffic.lose([Message(Verb.STREAM_CHUNK, 1, b"")], are_large=True)
    traffic.lose([Message(Verb.SYN, 1, b""), Message(Verb.READ, 1, b"")])
    assert traffic.pools(gossip=6) == [
        ("Large messages", 1, 3, 1),
        ("Small messages", 2, 6, 1),
        ("Gossip messages", 0, 5, 1),
    ]
