"""A node counts as up when it has answered an Echo, also where a round begins while the answer is on its way."""

import pytest

from cluster.gossip.endpoint import Endpoint, Generation
from cluster.gossip.gossiper import Gossiper, Outgoing
from cluster.gossip.messages import Echo
from storage.environment.environment import Rng

ONE, OTHER = Endpoint("10.0.0.1", 7000), Endpoint("10.0.0.2", 7000)
NOW_S = 1_800_000_000


def gossiper(local: Endpoint) -> Gossiper:
    return Gossiper(local, "Test Cluster", [ONE], Generation(NOW_S), Rng(local.address.encode()))


def delivered(nodes: dict[Endpoint, Gossiper], sender: Endpoint, outgoing: Outgoing) -> list[tuple[Endpoint, Endpoint]]:
    """All that follows from it but answers to Echos: who is to be told whose."""
    answers: list[tuple[Endpoint, Endpoint]] = []
    queue = [(sender, *one) for one in outgoing]
    while queue:
        sender, receiver, message = queue.pop(0)
        if message == Echo(is_reply=True):
            answers.append((receiver, sender))
        else:
            queue += [(receiver, *one) for one in nodes[receiver].receive(sender, message, 0.0, NOW_S)]
    return answers


@pytest.mark.parametrize("rounds", [0, 1])
def test_an_answer_counts_for_a_round_more(rounds: int) -> None:
    nodes = {endpoint: gossiper(endpoint) for endpoint in (ONE, OTHER)}
    answers = delivered(nodes, OTHER, nodes[OTHER].greet([ONE]))
    assert (ONE, OTHER) in answers
    for number in range(rounds):
        nodes[ONE].tick(number + 1.0)
    assert not nodes[ONE].is_alive(OTHER)
    nodes[ONE].receive(OTHER, Echo(is_reply=True), 1.5, NOW_S)
    assert nodes[ONE].is_alive(OTHER)


def test_an_answer_that_is_later_does_not() -> None:
    nodes = {endpoint: gossiper(endpoint) for endpoint in (ONE, OTHER)}
    assert delivered(nodes, OTHER, nodes[OTHER].greet([ONE]))
    nodes[ONE].tick(1.0)
    nodes[ONE].tick(2.0)
    nodes[ONE].receive(OTHER, Echo(is_reply=True), 2.5, NOW_S)
    assert not nodes[ONE].is_alive(OTHER)
