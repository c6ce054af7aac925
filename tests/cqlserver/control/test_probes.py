"""/health and /metrics."""

import json
import urllib.error
import urllib.request
from collections.abc import Callable
from http import HTTPStatus
from typing import TypeVar

import pytest
import trio
from small_server import small_node

import cqlserver
from cqlserver.control.context import Control
from cqlserver.control.health import Health, health
from cqlserver.metrics.exposition import REST, Exposition
from cqlserver.node import Node
from storage.environment.environment import ManualClock
from storage.environment.memory import FaultyDisk

T = TypeVar("T")


class Between:
    """A listener that serves nobody."""

    async def exclusively(self, action: Callable[[], T]) -> T:
        return action()

    def turn_away(self) -> None:
        pass


def asked(node: Node, page: str) -> Health:
    return trio.run(health, Control(node, Between()), page)


def test_a_node_in_order_is_live_ready_and_whole() -> None:
    node = small_node()
    node.describe_itself()
    assert asked(node, "health/live") == (HTTPStatus.OK, {"status": "up"})
    assert asked(node, "health/ready") == (HTTPStatus.OK, {"status": "up"})
    status, told = asked(node, "health/cluster")
    assert status == HTTPStatus.OK
    assert told == {
        "status": "up", "schema_agreement": True, "members": 1, "members_up": 1, "down": [], "hints_for": [],
    }  # fmt: skip


def test_who_can_not_write_is_not_ready() -> None:
    node = small_node(FaultyDisk())
    node.describe_itself()
    assert node.commit_log is not None
    node.commit_log.refuse("the disk is full")
    status, told = asked(node, "health/ready")
    assert status == HTTPStatus.SERVICE_UNAVAILABLE
    assert told == {"status": "down", "reason": "writes are refused: the disk is full"}
    assert asked(node, "health/live")[0] == HTTPStatus.OK


def test_a_query_that_is_refused_is_no_readiness() -> None:
    node = small_node()
    node.describe_itself()

    def refuse(*arguments: object) -> object:
        raise OSError("no such disk")

    node.statements.query = refuse  # type: ignore[method-assign,assignment]
    assert asked(node, "health/ready")[1] == {"status": "down", "reason": "OSError: no such disk"}


def test_a_scrape_soon_after_another_gets_the_same_text() -> None:
    clock = ManualClock()
    node = small_node(clock=clock)
    exposition = Exposition(node)

    async def scrapes() -> tuple[str, str, str]:
        first = await exposition.text()
        node.metering.text_count += 1
        exposition._fresh_until = clock.monotonic() + REST * 0.01  # as if it had taken a hundredth of a second
        again = await exposition.text()
        clock.advance(REST * 0.011)
        return first, again, await exposition.text()

    first, again, later = trio.run(scrapes)
    assert again == first
    assert later != first


@pytest.mark.slow
def test_they_are_pages_of_the_control_port() -> None:
    with cqlserver.start() as server:
        base = f"http://127.0.0.1:{server.control_port}"
        with urllib.request.urlopen(f"{base}/metrics") as answer:
            assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
            assert b"\ncassandra_client_native_connections 0\n" in answer.read()
        for page in ("live", "ready", "cluster"):
            with urllib.request.urlopen(f"{base}/health/{page}") as answer:
                assert json.load(answer)["status"] == "up"
        with pytest.raises(urllib.error.HTTPError, match="405"):
            urllib.request.urlopen(f"{base}/metrics", data=b"{}")


@pytest.mark.slow
def test_a_cluster_tells_who_is_down_and_what_they_missed() -> None:
    with cqlserver.start(nodes=3) as server:
        server.execute("CREATE KEYSPACE ks WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 3}")
        server.execute("CREATE TABLE ks.t (k int PRIMARY KEY)")
        url = f"http://127.0.0.1:{server.control_port}/health/cluster"
        with urllib.request.urlopen(url) as answer:
            assert json.load(answer)["members_up"] == 3
        nodes = server.call("ring")["nodes"]
        away = next(node["host_id"] for node in nodes if node["address"] == server.nodes[2].host)
        server.nodes[2].stop()
        server.execute("INSERT INTO ks.t (k) VALUES (1)")
        with pytest.raises(urllib.error.HTTPError) as caught:
            urllib.request.urlopen(url)
        told = json.load(caught.value)
        caught.value.close()
        assert caught.value.code == HTTPStatus.SERVICE_UNAVAILABLE
        assert (told["members"], told["members_up"], told["schema_agreement"]) == (3, 2, True)
        assert told["down"] == [f"{server.nodes[2].host}:7000"]
        assert told["hints_for"] == [away]
