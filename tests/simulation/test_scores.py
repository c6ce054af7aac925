"""A slow replica is not asked where two others suffice: reads at QUORUM take less (dynamic_snitch)."""

import pytest

from cluster.consistency import Consistency
from cluster.replication import SimpleStrategy
from simulation.cluster_world import World
from simulation.network import Weather
from simulation.overwrites import put
from storage.token import token

pytestmark = pytest.mark.slow


def slow_reads(is_enabled: bool, is_plain: bool) -> float:
    """How long a read takes in the mean, in seconds, of keys of which a slow node is the first replica."""
    world = World(3, Weather(0.002))
    reader, slow = world.nodes[0], world.nodes[1]
    reader.cluster.scores.is_enabled = is_enabled
    ring = reader.coordinator.ring
    keys = [b"key %d" % number for number in range(200)]
    keys = [key for key in keys if SimpleStrategy(3).replicas(token(key), ring, reader.node)[0] == slow.node][:40]
    for key in keys:
        reader.write(put(key, b"v", 1), Consistency.ALL)
    world.run(2)
    world.network.slow[slow.endpoint] = 0.05
    took: list[float] = []
    for key in keys:
        began_s = world.schedule.now_s
        outcome = (reader.read_plain if is_plain else reader.read_value)(key, Consistency.QUORUM)
        outcome.when_done(lambda began_s=began_s: took.append(world.schedule.now_s - began_s))  # type: ignore[misc]
        world.run(0.15)
        assert outcome.result == b"v"
    assert len(took) == len(keys) > 20
    return sum(took) / len(took)


@pytest.mark.parametrize("is_plain", [True, False])
def test_slow_replicas_are_left_out(is_plain: bool) -> None:
    without, with_scores = slow_reads(False, is_plain), slow_reads(True, is_plain)
    assert without > 0.015  # speculative_retry helps after 20 ms
    assert with_scores < without / 3
