"""Which ranges a repair is about, and with whom; what can't be asked for is refused in Cassandra's words."""

from uuid import UUID

import pytest

from cluster.repair.asking import RepairFailed
from cluster.repair.coordinator import duration_words
from cluster.repair.options import RepairOptions
from cluster.repair.ranges import asked_ranges, common_ranges, primary_ranges, without_dead
from cluster.replication import SimpleStrategy
from cluster.ring import Node, Ring
from cluster.streaming.ranges import TokenRange

NODES = [Node(UUID(int=n), f"10.0.0.{n}", "dc1", "r1", (n * 100, n * 100 + 1000)) for n in (1, 2, 3, 4)]
RING = Ring(NODES)
TWO = SimpleStrategy(2)
FIRST = NODES[0]
"""It has what ends at 100 and 1100, and, as the second one, what ends at 400 and 1400."""


def common(options: RepairOptions) -> dict[tuple[str, ...], int]:
    ranges = asked_ranges(options, TWO, RING, FIRST)
    found = common_ranges(options, "ks", ranges, TWO, RING, FIRST)
    return {tuple(node.address for node in each.neighbours): len(each.ranges) for each in found}


def test_ranges_are_together_that_the_same_nodes_have() -> None:
    assert common(RepairOptions()) == {("10.0.0.2",): 2, ("10.0.0.4",): 2}


def test_primary_ranges_of_all_are_the_ring_once() -> None:
    found = [range_ for node in NODES for range_ in primary_ranges(TWO, RING, node)]
    assert sorted(found) == sorted(TokenRange(start, end) for start, end, _ in RING.ranges())


def test_a_part_of_a_range_has_its_neighbours() -> None:
    assert common(RepairOptions(ranges=(TokenRange(310, 350),))) == {("10.0.0.4",): 1}
    assert common(RepairOptions(ranges=(TokenRange(1401, 1500),))) == {("10.0.0.2",): 1}
    assert common(RepairOptions(ranges=(TokenRange(1400, 100),))) == {("10.0.0.2",): 1}


def test_a_range_that_is_not_within_one_is_refused() -> None:
    for part in (TokenRange(50, 150), TokenRange(250, 350), TokenRange(1300, 1350)._replace(start=1250)):
        with pytest.raises(RepairFailed, match=r"intersects a local range .* but is not fully contained in one"):
            common(RepairOptions(ranges=(part,)))


def test_a_range_that_only_others_have_is_nothing_to_repair() -> None:
    options = RepairOptions(ranges=(TokenRange(210, 220),))
    with pytest.raises(RepairFailed, match=r"Nothing to repair for \(210,220\] in ks - aborting"):
        common(options)
    assert common(RepairOptions(ranges=options.ranges, ignores_unreplicated=True)) == {}


def test_hosts_must_hold_this_one_and_one_that_shares() -> None:
    with pytest.raises(RepairFailed, match="The current host must be part of the repair"):
        common(RepairOptions(hosts=("10.0.0.2",)))
    with pytest.raises(RepairFailed, match="do not share range"):
        common(RepairOptions(hosts=("10.0.0.1", "10.0.0.3")))


def test_those_that_are_down_are_left_out() -> None:
    options = RepairOptions()
    found = common_ranges(options, "ks", asked_ranges(options, TWO, RING, FIRST), TWO, RING, FIRST)
    assert [each.neighbours for each in without_dead(found, [NODES[1]])] == [(NODES[1],)]
    with pytest.raises(RepairFailed, match="Not enough live endpoints for a repair"):
        without_dead(found, [])


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (RepairOptions(job_threads=5), "Too many job threads. Max is 4"),
        (RepairOptions(datacenters=("a",), hosts=("b",)), "Cannot combine -dc and -hosts options."),
        (RepairOptions(pulls=True), "Pull repair can only be performed between two hosts."),
        (RepairOptions(pulls=True, hosts=("a", "b")), "Token ranges must be specified when performing pull repair."),
    ],
)
def test_options_that_can_not_be_together(options: RepairOptions, text: str) -> None:
    with pytest.raises(RepairFailed, match=text):
        options.check()


@pytest.mark.parametrize(
    ("duration_ms", "words"),
    [
        (0, "0 seconds"), (999, "0 seconds"), (1_000, "1 second"), (60_000, "1 minute"), (65_000, "1 minute 5 seconds"),
        (3_600_000, "1 hour"), (3_605_000, "1 hour 0 minutes 5 seconds"), (86_400_000 * 2, "2 days"),
    ],
)  # fmt: skip
def test_how_long_it_took_is_told_in_words(duration_ms: int, words: str) -> None:
    assert duration_words(duration_ms) == words
