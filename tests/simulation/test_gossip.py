"""Gossip in a simulated world: everybody learns of everybody, of deaths and of returns, through any weather."""

import pytest

from cluster.gossip.endpoint import ApplicationState, Endpoint, EndpointState, Generation, Version
from cluster.gossip.gossiper import GENERATION_AHEAD_S_MAX, Down, Refused, Up
from cluster.gossip.messages import Ack2, Syn
from simulation.gossiping import WALL_S, GossipWorld, endpoint
from simulation.network import Weather

STORM = Weather(delay_s_max=0.5, loss=0.2, duplicate=0.2)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("weather", [Weather(), STORM], ids=["calm", "storm"])
def test_all_learn_of_all(seed: int, weather: Weather) -> None:
    world = GossipWorld(seed, 7, weather)
    world.run(30)
    assert world.all_see(list(world.nodes))
    for node in world.nodes.values():
        assert {node.gossiper.maybe_state(other).get(ApplicationState.DC) for other in world.nodes} == {"datacenter1"}  # type: ignore[union-attr]
    assert world.network.delivered > 100
    assert (world.network.lost > 0) == (weather is STORM)


def test_the_same_seed_is_the_same_run() -> None:
    traces = []
    for seed in (1, 1, 2):
        world = GossipWorld(seed, 5, STORM)
        world.run(20)
        world.crash(endpoint(3))
        world.run(30)
        traces.append(world.schedule.trace)
    assert traces[0] == traces[1] != traces[2]


@pytest.mark.parametrize("seed", range(5))
def test_a_crash_is_found_and_a_return_is_seen(seed: int) -> None:
    world = GossipWorld(seed, 5)
    world.run(30)
    world.crash(endpoint(3))
    world.run(30)
    survivors = [node for node in world.nodes if node != endpoint(3)]
    assert world.all_see(survivors)
    assert all(Down(endpoint(3)) in node.events for node in world.running)
    returned = world.restart(endpoint(3))
    world.run(30)
    assert world.all_see(list(world.nodes))
    assert returned.gossiper.maybe_state(endpoint(1)) is not None
    assert all(node.events.count(Up(endpoint(3))) == 2 for node in world.running if node is not returned)


def test_a_seed_that_is_down_is_found_again() -> None:
    world = GossipWorld(1, 4)
    world.run(20)
    world.crash(endpoint(1))
    world.run(40)
    assert world.all_see([endpoint(2), endpoint(3), endpoint(4)])
    world.restart(endpoint(1))
    world.run(40)
    assert world.all_see(list(world.nodes))


def test_who_shuts_down_is_down_at_once() -> None:
    world = GossipWorld(2, 4)
    world.run(20)
    world.nodes[endpoint(4)].shut_down()
    world.run(1)
    assert world.all_see([endpoint(1), endpoint(2), endpoint(3)])


@pytest.mark.parametrize("one_way", [False, True])
def test_both_sides_of_a_partition_heal(one_way: bool) -> None:
    world = GossipWorld(3, 6)
    world.run(20)
    left, right = [endpoint(1), endpoint(2), endpoint(3)], [endpoint(4), endpoint(5), endpoint(6)]
    world.network.partition(left, right, one_way)
    world.run(60)
    if not one_way:
        for side in (left, right):
            for node in side:
                assert [other for other in world.nodes if world.nodes[node].gossiper.is_alive(other)] == side
    world.network.heal()
    world.run(60)
    assert world.all_see(list(world.nodes))


def test_nobody_is_down_in_a_long_storm() -> None:
    """A fifth of all messages is lost and phi still tells silence from death."""
    world = GossipWorld(4, 5, STORM)
    world.run(30)
    for node in world.nodes.values():
        node.events.clear()
    world.run(600)
    downs = sum(isinstance(event, Down) for node in world.nodes.values() for event in node.events)
    assert downs == 0


def test_another_clusters_node_is_refused() -> None:
    world = GossipWorld(5, 2)
    world.run(10)
    node = world.nodes[endpoint(1)]
    node.receive(endpoint(9), Syn("Other", "org.apache.cassandra.dht.Murmur3Partitioner", ()))
    world.run(5)
    assert Refused(endpoint(9), "ClusterName mismatch from 10.0.0.9:7000 Other!=Test Cluster") in node.events
    assert endpoint(9) not in node.gossiper.endpoints


def test_a_generation_a_year_ahead_is_refused() -> None:
    world = GossipWorld(6, 2)
    world.run(10)
    node = world.nodes[endpoint(1)]
    known = node.gossiper.maybe_state(endpoint(2))
    far = Generation(WALL_S + 11 + GENERATION_AHEAD_S_MAX + 1)
    node.receive(endpoint(2), Ack2({endpoint(2): EndpointState(far, Version(1))}))
    world.run(1)
    assert any(isinstance(event, Refused) and "invalid gossip generation" in event.reason for event in node.events)
    assert known is not None
    assert node.gossiper.maybe_state(endpoint(2)).generation == known.generation  # type: ignore[union-attr]


def test_a_node_whose_clock_is_a_year_behind_is_believed() -> None:
    world = GossipWorld(9, 2)
    world.run(10)
    node = world.nodes[endpoint(1)]
    behind = Generation(WALL_S - GENERATION_AHEAD_S_MAX)
    node.receive(endpoint(9), Ack2({endpoint(9): EndpointState(behind, Version(1))}))
    world.run(1)
    assert node.gossiper.maybe_state(endpoint(9)) is not None
    assert not any(isinstance(event, Refused) for event in node.events)


def test_who_was_forgotten_stays_so_while_others_still_tell_of_him() -> None:
    world = GossipWorld(7, 4)
    world.run(20)
    world.crash(endpoint(4))
    world.run(30)
    for node in world.running:
        node.gossiper.forget(endpoint(4), world.schedule.now_s)
        world.run(2)  # one after the other, so that the rest still tells
    world.run(20)
    assert all(endpoint(4) not in node.gossiper.endpoints for node in world.running)


def test_a_node_that_paused_judges_nobody() -> None:
    world = GossipWorld(8, 3)
    world.run(20)
    sleeper = world.nodes[endpoint(2)]
    sleeper.is_running = False
    world.run(14)
    sleeper.events.clear()
    sleeper.is_running = True
    world.run(3)
    assert Down(endpoint(1)) not in sleeper.events
    assert Down(endpoint(3)) not in sleeper.events
    world.run(20)
    assert world.all_see(list(world.nodes))


def test_endpoints_are_named_tuples_that_print_as_cassandra_prints_them() -> None:
    assert str(Endpoint("10.0.0.1", 7000)) == "10.0.0.1:7000"
