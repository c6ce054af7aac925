"""Messages between nodes of one process: what is lost is counted."""

from collections import Counter

from cluster.gossip.endpoint import Endpoint
from cluster.internode.frames import Message
from cluster.internode.verbs import Verb
from cqlserver.clustering.network import LocalNetwork


def test_what_a_node_that_is_away_should_have_had_is_counted() -> None:
    network, dropped, others = LocalNetwork(), Counter[int](), Counter[int]()
    here, there = Endpoint("127.0.0.1", 7000), Endpoint("127.0.0.2", 7000)
    carry = network.carrier(here, dropped)
    network.carrier(there, others)
    carry(there, [Message(Verb.MUTATE, 1, b""), Message(Verb.READ, 2, b""), Message(Verb.READ, 3, b"")])
    network._deliver()
    assert dropped == {Verb.MUTATE: 1, Verb.READ: 2}
    assert not others
