"""The Java and the Go drivers on three nodes of ours, which are stopped, killed, started, added and taken away: they hear of
all of it, go on meanwhile, and send each request to a replica."""

import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from clients.programs import build, fetch, need
from clients.python_driver import connected, wait_until
from harness.runner import Address
from test_go_drivers import GO, NEW, OLD
from test_go_drivers import PROJECT as GO_PROJECT
from test_java_driver import class_path

import cqlserver
from cqlserver.launcher import Server

PATIENCE_S = 90.0
KEYS = 40
pytestmark = pytest.mark.slow


class Follower:
    """A program that follows the cluster (java/.../Following.java, go/following)."""

    def __init__(self, command: list[str], address: Address) -> None:
        self._process = subprocess.Popen(
            [*command, address.host, str(address.port)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def ask(self, command: str) -> str:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(command + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        assert answer, f"it ended: {self._process.poll()}"
        return answer.strip()

    def hosts(self) -> dict[int, str]:
        return {int(number): state for number, state in (word.split("=") for word in self.ask("hosts").split())}

    def wait_hosts(self, **states: str) -> None:
        wanted = {int(name.removeprefix("n")): state for name, state in states.items()}
        wait_until(lambda: self.hosts() == wanted, f"{wanted}, not {self.hosts()}", PATIENCE_S)

    def insert(self, keyspace: str, first: int = 0) -> dict[int, int]:
        """Who was asked for each key."""
        answer = self.ask(f"insert {keyspace} {first} {first + KEYS}")
        assert not answer.startswith("failed"), answer
        return {int(key): int(number) for key, number in (word.split("=") for word in answer.split())}

    def told(self) -> list[str]:
        return self.ask("told").split()

    def close(self) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()


def java(folder: Path) -> list[str]:
    return ["java", "-Xshare:auto", "-cp", class_path(folder), "compat.Following"]


def go(folder: Path, path: str) -> list[str]:
    need("go")
    for name in ("go.mod", "go.sum"):
        (folder / name).write_text((GO_PROJECT / name).read_text(encoding="utf-8"), encoding="utf-8")
    text = (GO_PROJECT / "following" / "following.go").read_text(encoding="utf-8").replace(NEW, path)
    (folder / "following.go").write_text(text, encoding="utf-8")
    fetch("the Go drivers", ["go", "mod", "download"], folder, GO)
    build(["go", "build", "-o", str(folder / "following"), "."], folder, GO)
    return [str(folder / "following")]


COMMANDS = {
    "java": java,
    "cassandra-gocql-driver": lambda folder: go(folder, NEW),
    "gocql": lambda folder: go(folder, OLD),
}


@pytest.fixture
def server() -> Iterator[Server]:
    with cqlserver.start(
        nodes=3, config=Path(__file__).parent / "cassandra.yaml", settings={"phi_convict_threshold": 5}
    ) as started:
        first = started.nodes[0]
        with connected(Address(first.host, first.port)) as session:
            for name, copies in (("every", 3), ("one", 1)):
                replication = f"{{'class': 'SimpleStrategy', 'replication_factor': {copies}}}"
                session.execute(f"CREATE KEYSPACE {name} WITH replication = {replication}")
                session.execute(f"CREATE TABLE {name}.t (k int PRIMARY KEY, v int)")
        yield started


@pytest.mark.parametrize("driver", COMMANDS)
def test_it_follows_the_cluster(driver: str, server: Server, tmp_path: Path) -> None:
    command = COMMANDS[driver](tmp_path)
    first, second, third = server.nodes
    follower = Follower(command, Address(first.host, first.port))
    try:
        follower.wait_hosts(n1="UP", n2="UP", n3="UP")
        assert set(follower.insert("every").values()) == {1, 2, 3}
        assert_asks_replicas(follower, server)

        third.stop()
        follower.wait_hosts(n1="UP", n2="UP", n3="DOWN")
        assert set(follower.insert("every").values()) == {1, 2}
        third.start()
        follower.wait_hosts(n1="UP", n2="UP", n3="UP")
        wait_until(lambda: 3 in follower.insert("every").values(), "node 3 is asked again", PATIENCE_S)

        second.kill()
        follower.wait_hosts(n1="UP", n2="DOWN", n3="UP")
        wait_until(lambda: seen_down(server, second.host), "the nodes have found that out", PATIENCE_S)
        assert set(follower.insert("every", KEYS).values()) == {1, 3}
        second.start()
        follower.wait_hosts(n1="UP", n2="UP", n3="UP")

        fourth = server.add_node()
        follower.wait_hosts(n1="UP", n2="UP", n3="UP", n4="UP")
        assert "add4" in follower.told()
        assert_asks_replicas(follower, server)
        fourth.decommission()
        follower.wait_hosts(n1="UP", n2="UP", n3="UP")
        assert "remove4" in follower.told()
        assert_asks_replicas(follower, server)
        assert set(follower.insert("every").values()) <= {1, 2, 3}
    finally:
        follower.close()


def seen_down(server: Server, host: str) -> bool:
    nodes = server.call("ring", keyspace="every")["nodes"]
    return [node["is_up"] for node in nodes if node["address"] == host] == [False]


def assert_asks_replicas(follower: Follower, server: Server) -> None:
    """Of a keyspace with one copy each request goes to the node that has it, once the driver knows the tokens."""
    owners = {}
    for key in range(KEYS):
        (found,) = server.call("endpoints", keyspace="one", table="t", key=str(key))["endpoints"]
        owners[key] = int(found["address"].rpartition(".")[2])
    assert len(set(owners.values())) > 1
    pause = threading.Event()
    wait_until(lambda: follower.insert("one") == owners or pause.wait(0.2), f"replicas are asked: {owners}", PATIENCE_S)
