"""nodetool on three nodes of one process: what it shows of the ring, of who is up, and of hints."""

from collections.abc import Iterator

import pytest

from cqlserver.launcher import ClusterNode, NodetoolError, Server, start
from protocol.client import connect
from protocol.responses import Error

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with start(nodes=3) as server:
        server.execute(
            "CREATE KEYSPACE ks3 WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 3};"
            "CREATE KEYSPACE ks1 WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1};"
            "CREATE TABLE ks3.t (k int PRIMARY KEY, v text)"
        )
        yield server


def states(node: ClusterNode, *arguments: str) -> dict[str, str]:
    """By address the first word of its line of `status`."""
    lines = [line.split() for line in node.nodetool("status", *arguments).splitlines()]
    return {words[1]: words[0] for words in lines if words and words[0] in ("UN", "DN")}


def test_status_of_every_node_has_all(server: Server) -> None:
    for node in server.nodes:
        assert states(node, "ks3") == {other.host: "UN" for other in server.nodes}
        assert node.nodetool("status", "ks3").count("100.0%") == 3


def test_owned_shares_of_one_replica_are_the_whole(server: Server) -> None:
    lines = [line.split() for line in server.nodes[1].nodetool("ring", "ks1").splitlines()]
    owned = {words[0]: float(word[:-1]) for words in lines if words for word in words if word.endswith("%")}
    assert len(owned) == 3
    assert sum(owned.values()) == pytest.approx(100, abs=0.05)


def test_each_node_says_the_same_of_where_a_row_is(server: Server) -> None:
    server.execute("CREATE TABLE ks1.t (k int PRIMARY KEY)")
    told = {node.nodetool("getendpoints", "ks1", "t", "1") for node in server.nodes}
    assert len(told) == 1
    assert told.pop().strip() in {node.host for node in server.nodes}


def test_hints_of_a_node_that_is_down_are_listed_and_truncated(server: Server) -> None:
    first, second, third = server.nodes
    third.stop()
    try:
        assert states(first, "ks3")[third.host] == "DN"
        with connect(first.host, first.port) as connection:
            assert not isinstance(connection.query("INSERT INTO ks3.t (k, v) VALUES (1, 'a')").response, Error)
        listed = first.nodetool("listpendinghints").splitlines()
        assert len(listed) == 2
        assert f"{third.host}:" in listed[1]
        assert "DOWN" in listed[1]
        first.nodetool("truncatehints", second.host)
        assert first.nodetool("listpendinghints").splitlines() == listed
        first.nodetool("truncatehints", third.host)
        assert first.nodetool("listpendinghints") == "This node does not have any pending hints\n"
    finally:
        third.start()
    assert states(third, "ks3")[first.host] == "UN"


def test_a_node_without_gossip_is_down_to_the_others(server: Server) -> None:
    first, second, _ = server.nodes
    second.nodetool("disablegossip")
    assert second.nodetool("statusgossip") == "not running\n"
    assert states(first, "ks3")[second.host] == "DN"
    assert "Generation No          : 0\n" in second.nodetool("info")
    second.nodetool("enablegossip")
    assert second.nodetool("statusgossip") == "running\n"
    assert states(first, "ks3")[second.host] == "UN"


def test_switches_of_hinted_handoff(server: Server) -> None:
    node = server.nodes[0]
    node.nodetool("disablehandoff")
    assert node.nodetool("statushandoff") == "Hinted handoff is not running\n"
    node.nodetool("enablehandoff")
    assert node.nodetool("statushandoff") == "Hinted handoff is running\n"
    node.nodetool("setmaxhintwindow", "60000")
    assert node.nodetool("getmaxhintwindow") == "Current max hint window: 60000 ms\n"


def test_schema_versions_and_what_gossip_says(server: Server) -> None:
    described = server.nodes[2].nodetool("describecluster")
    assert "\tLive: 3\n" in described
    assert described.count("UNREACHABLE") == 0
    told = server.nodes[2].nodetool("gossipinfo")
    assert told.count("STATUS_WITH_PORT") == 3
    assert told.count("  TOKENS:") == 3


def test_an_error_has_its_status_and_what_was_printed(server: Server) -> None:
    with pytest.raises(NodetoolError, match="Unknown keyspace 'nosuch'") as caught:
        server.nodes[0].nodetool("getendpoints", "nosuch", "t", "1")
    assert caught.value.status == 1


@pytest.mark.parametrize(
    ("arguments", "status", "text"),
    [
        (("removenode",), 1, "nodetool: Required parameters are missing: remove_operation\n"),
        (("removenode", "abc"), 1, "nodetool: Invalid UUID string: abc\n"),
        (("removenode", "00000000-0000-0000-0000-000000000001"), 2, "error: Host ID not found.\n"),
        (("assassinate", "nosuch.invalid"), 2, "error: nosuch.invalid: Name or service not known\n"),
        (
            ("move", "abc"),
            1,
            "nodetool: Invalid token for Murmur3Partitioner. Got abc but expected a long value (unsigned 8",
        ),
        (
            ("rebuild", "nosuch"),
            1,
            "nodetool: Provided datacenter 'nosuch' is not a valid datacenter, available datacenters",
        ),
        (("rebuild", "-ts", "(0,1]"), 1, "nodetool: Cannot specify tokens without keyspace.\n"),
        (("join",), 1, "nodetool: This node has already joined the ring.\n"),
        (("bootstrap", "resume"), 2, "error: 'nodetool bootstrap resume' is disabled.\n"),
        (("decommission", "extra"), 1, "nodetool: Found unexpected parameters: [extra]\n"),
    ],
)
def test_what_can_not_change_the_ring_is_refused(server: Server, arguments: tuple[str, ...], status: int, text: str) -> None:
    """The texts are those of three nodes of Cassandra 5.0.8."""
    with pytest.raises(NodetoolError) as caught:
        server.nodes[0].nodetool(*arguments)
    assert caught.value.status == status
    assert str(caught.value).startswith(text)


def test_a_quiet_node_removes_and_streams_nothing(server: Server) -> None:
    assert server.nodes[0].nodetool("removenode", "status") == "RemovalStatus: No token removals in process.\n"
    lines = server.nodes[0].nodetool("netstats").splitlines()
    assert lines[:3] == ["Mode: NORMAL", "Not sending any streams.", "Read Repair Statistics:"]
    assert lines[-4].split() == ["Pool", "Name", "Active", "Pending", "Completed", "Dropped"]
    told = {line.split("  ")[0]: line.split()[2:] for line in lines[-3:]}
    assert told["Large messages"] == ["n/a", "0", "0", "0"]
    for pool in ("Small messages", "Gossip messages"):
        active, pending, completed, dropped = told[pool]
        assert (active, pending) == ("n/a", "0")
        assert int(completed) > 0
        assert int(dropped) >= 0
