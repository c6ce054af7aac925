"""Two datacenters in one process: each goes on by itself while they can't see each other, and nothing is lost."""

import pytest
from process_ring import ask, count, response, wait_until

from cqlserver.launcher import StartError, start
from protocol.errors import Unavailable, WriteTimeout
from protocol.responses import Error

pytestmark = pytest.mark.slow
ONE, ALL, LOCAL_QUORUM, EACH_QUORUM = 1, 5, 6, 7


def test_each_goes_on_by_itself_while_they_can_not_see_each_other() -> None:
    with start(dcs="east:2,west:2", log_level="info") as server:
        one, two, three, four = server.nodes
        replication = "{'class': 'NetworkTopologyStrategy', 'east': 2, 'west': 2}"
        ask(one, f"CREATE KEYSPACE ks WITH replication = {replication}")
        ask(three, "CREATE TABLE ks.t (k int PRIMARY KEY, v text)")
        western = "SELECT * FROM system.local WHERE data_center = 'west' ALLOW FILTERING"
        assert [count(node, western, ONE) for node in server.nodes] == [0, 0, 1, 1]
        server.partition([one, two], [three, four])
        ask(one, "INSERT INTO ks.t (k, v) VALUES (1, 'of the east')", LOCAL_QUORUM)
        ask(four, "INSERT INTO ks.t (k, v) VALUES (2, 'of the west')", LOCAL_QUORUM)
        ask(one, "INSERT INTO ks.t (k, v) VALUES (3, 'earlier')", LOCAL_QUORUM)
        ask(four, "INSERT INTO ks.t (k, v) VALUES (3, 'later')", LOCAL_QUORUM)
        refused = response(two, "INSERT INTO ks.t (k, v) VALUES (4, 'of both')", EACH_QUORUM)
        assert isinstance(refused, Error)
        assert isinstance(refused.error, WriteTimeout)
        wait_until(lambda: server.log.count("is now DOWN") >= 8, "each has found the others down")
        refused = response(two, "INSERT INTO ks.t (k, v) VALUES (4, 'of both')", EACH_QUORUM)
        assert isinstance(refused, Error)
        assert isinstance(refused.error, Unavailable)
        ups = server.log.count("is now UP")
        server.heal()
        wait_until(lambda: server.log.count("is now UP") >= ups + 8, "each has found the others up again")
        ask(two, "INSERT INTO ks.t (k, v) VALUES (5, 'of both')", EACH_QUORUM)
        for node in server.nodes:
            assert count(node, "SELECT * FROM ks.t WHERE k IN (1, 2, 3, 5)", ALL) == 4
            assert count(node, "SELECT * FROM ks.t WHERE k = 3 AND v = 'later' ALLOW FILTERING", ALL) == 1


def test_a_list_that_can_not_be_read_is_refused() -> None:
    with pytest.raises(StartError, match="--dcs east: write datacenters and how many nodes each has"):
        start(dcs="east")
