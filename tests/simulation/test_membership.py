"""All nodes have the same ring, whatever happens to it, and tell of every change once."""

from dataclasses import replace

import pytest

from cluster.gossip.status import Status
from cluster.membership import MemberDown, MemberJoined, MemberLeft, MemberUp, Warned
from cluster.topology import Standing
from cqlserver.system.peers import saved_peers
from simulation.cluster_world import World
from simulation.gossiping import GossipWorld, endpoint, tokens
from simulation.network import Weather

STORM = Weather(delay_s_max=0.5, loss=0.2, duplicate=0.2)


def agree(world: GossipWorld, count: int) -> None:
    rings = [node.ring for node in world.running]
    assert all(ring == rings[0] for ring in rings)
    assert len(rings[0]) == count


@pytest.mark.parametrize("weather", [Weather(), STORM], ids=["calm", "storm"])
def test_one_ring(weather: Weather) -> None:
    world = GossipWorld(1, 5, weather)
    world.run(30)
    agree(world, 5)
    for node in world.running:
        joined = [event.node.address for event in node.told if isinstance(event, MemberJoined)]
        assert sorted(joined) == [f"10.0.0.{number}" for number in range(1, 6)]


def test_a_member_that_is_down_stays_one() -> None:
    world = GossipWorld(2, 4)
    world.run(20)
    world.crash(endpoint(3))
    world.run(60)
    agree(world, 4)
    dead = world.nodes[endpoint(3)].node
    assert all(MemberDown(dead) in node.told and MemberLeft(dead) not in node.told for node in world.running)
    world.restart(endpoint(3))
    world.run(30)
    agree(world, 4)
    assert all(node.told.count(MemberUp(dead)) == 2 for node in world.running if node.local != endpoint(3))


def test_what_a_peer_says_at_once_is_kept_once() -> None:
    world = World(1, Weather(0.001))
    first, other = world.nodes[0], world.nodes[2]
    told: list[int] = []
    keep = first.peer_changed
    first.peer_changed = lambda node: (told.append(1), keep(node))[1]  # type: ignore[method-assign]
    world.run(130)  # the others say how much they keep, each minute
    assert not told
    other.crash()
    world.run(1)
    other.start()
    world.run(5)
    assert 1 <= len(told) <= 4  # in several rounds at most, not each of its states by itself
    assert other.node in saved_peers(first.engine)


def test_who_leaves_is_pending_then_gone() -> None:
    world = GossipWorld(3, 4)
    world.run(20)
    leaver = world.nodes[endpoint(4)]
    leaver.say(Status.LEAVING, str(leaver.node.tokens[0]))
    world.run(10)
    for node in world.running:
        member = node.membership.maybe_member(endpoint(4))
        assert member is not None
        assert member.standing is Standing.LEAVING
    agree(world, 4)
    leaver.say(Status.LEFT, str(leaver.node.tokens[0]), "1800000000000")
    world.run(10)
    agree(world, 3)
    assert all(node.told.count(MemberLeft(leaver.node)) == 1 for node in world.running)


def test_of_two_that_claim_a_token_the_later_one_has_it() -> None:
    world = GossipWorld(4, 3)
    world.run(20)
    world.crash(endpoint(2))
    world.run(30)
    later = world.restart(endpoint(3))
    stolen = replace(later.node, tokens=world.nodes[endpoint(2)].node.tokens)
    later.say(Status.NORMAL, node=stolen)
    world.run(30)
    agree(world, 2)
    assert world.nodes[endpoint(1)].ring == [("10.0.0.1", (1000, 1001, 1002, 1003)), ("10.0.0.3", (2000, 2001, 2002, 2003))]
    warnings = [event.text for event in world.nodes[endpoint(1)].told if isinstance(event, Warned)]
    assert "Nodes 10.0.0.3:7000 and 10.0.0.2:7000 have the same token 2000. 10.0.0.3:7000 is the new owner" in warnings


def test_nobody_takes_the_host_id_of_another() -> None:
    world = GossipWorld(5, 3)
    world.run(20)
    thief = world.restart(endpoint(3))
    thief.say(Status.NORMAL, node=replace(thief.node, host_id=world.nodes[endpoint(1)].node.host_id))
    world.run(20)
    victim = world.nodes[endpoint(1)]
    assert ("10.0.0.1", (1000, 1001, 1002, 1003)) in victim.ring
    assert any(isinstance(event, Warned) and "because it's mine" in event.text for event in victim.told)


def test_who_comes_back_empty_is_taken_for_down_until_it_has_its_data() -> None:
    """A node that takes its own place says so from the first word on: nobody reads from it, and it stays a member."""
    world = GossipWorld(6, 3)
    world.run(20)
    world.crash(endpoint(3))
    world.run(30)
    returned = world.restart(endpoint(3))
    returned.say(Status.HIBERNATE, "true")
    world.run(30)
    others = [node for node in world.running if node is not returned]
    assert returned.gossiper.is_alive(endpoint(1))
    for node in others:
        assert ("10.0.0.3", tokens(endpoint(3))) in node.ring
        assert not node.gossiper.is_alive(endpoint(3))
        assert node.told.count(MemberUp(returned.node)) == 1
    returned.say(Status.NORMAL)
    world.run(30)
    agree(world, 3)
    assert all(node.told.count(MemberUp(returned.node)) == 2 for node in others)
