"""ccm from PyPI, unmodified, on the folder that `cqlserver ccm-home` lays out: it creates a cluster, starts, grows, shrinks
and stops it, and takes our nodes for Cassandra's."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from socket import socket

import pytest
from clients.programs import BUILD_TIMEOUT_S, cache_folder, fetch, need
from clients.python_driver import wait_until

HOST = "127.0.0.{}"
PACKAGES = ("ccm==3.1.5", "setuptools<81")  # ccm imports distutils, which Python has no more
PATIENCE_S = 60.0


def program() -> Path:
    """ccm in an environment of its own, which is kept."""
    folder = cache_folder("ccm")
    found = folder / "bin" / "ccm"
    if not found.exists():
        fetch("a virtual environment", [sys.executable, "-m", "venv", str(folder)], folder)
        fetch("ccm", [str(folder / "bin" / "pip"), "install", "-q", *PACKAGES], folder)
    return found


def free_ports(count: int) -> list[int]:
    sockets = [socket() for _ in range(count)]
    try:
        for sock in sockets:
            sock.bind(("127.0.0.1", 0))
        return [sock.getsockname()[1] for sock in sockets]
    finally:
        for sock in sockets:
            sock.close()


class Ccm:
    """A cluster of ccm's, in a folder of the test's."""

    def __init__(self, folder: Path, nodes_max: int) -> None:
        self._program, self._folder = program(), folder
        self.ports = free_ports(2)
        self._control_ports = free_ports(nodes_max)
        config = folder / "ccm"
        config.mkdir()
        self._environment = {**os.environ, "CCM_CONFIG_DIR": str(config)}

    def run(self, *arguments: str) -> str:
        """What it prints."""
        done = subprocess.run(
            [str(self._program), *arguments],
            env=self._environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=BUILD_TIMEOUT_S,
            check=False,
        )
        assert done.returncode == 0, f"ccm {' '.join(arguments)}: {done.stdout}{done.stderr}"
        return done.stdout

    def add(self, number: int, *options: str) -> None:
        host, (native, storage) = HOST.format(number), self.ports
        places = ["--binary-itf", f"{host}:{native}", "--storage-itf", f"{host}:{storage}"]
        self.run("add", f"node{number}", "-i", host, *places, "-j", str(self._control_ports[number - 1]), *options)

    def log(self, number: int) -> str:
        return (self._folder / "ccm" / "test" / f"node{number}" / "logs" / "system.log").read_text()

    def states(self) -> dict[str, str]:
        """Of its nodes, as ccm has them."""
        return dict(re.findall(r"^(node\d): (\w+)", self.run("status"), re.MULTILINE))

    def up_and_normal(self) -> list[str]:
        """Addresses, as node 1's nodetool has them."""
        return sorted(re.findall(r"^UN +(\S+)", self.run("node1", "nodetool", "status"), re.MULTILINE))

    def cqlsh(self, number: int, cql: str) -> str:
        return self.run(f"node{number}", "cqlsh", "-e", cql)


@pytest.fixture
def ccm(tmp_path: Path) -> Iterator[Ccm]:
    need("java")  # whose version ccm asks for
    home = tmp_path / "home"
    subprocess.run([sys.executable, "-m", "cqlserver", "ccm-home", str(home)], check=True, capture_output=True)
    found = Ccm(tmp_path, nodes_max=4)
    found.run("create", "test", "--install-dir", str(home))
    try:
        yield found
    finally:
        found.run("remove")


@pytest.mark.slow
def test_ccm(ccm: Ccm) -> None:
    for number in (1, 2, 3):
        ccm.add(number, *(["-s"] if number == 1 else []))
    ccm.run("start", "--root", "--wait-for-binary-proto")
    assert ccm.states() == {"node1": "UP", "node2": "UP", "node3": "UP"}
    assert ccm.up_and_normal() == ["127.0.0.1", "127.0.0.2", "127.0.0.3"]
    ccm.cqlsh(1, "CREATE KEYSPACE ks WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 2}")
    ccm.cqlsh(2, "CREATE TABLE ks.t (k int PRIMARY KEY); INSERT INTO ks.t (k) VALUES (42)")
    ccm.run("flush")
    assert "Load" in ccm.run("node1", "nodetool", "info")

    ccm.add(4, "-b")
    ccm.run("node4", "start", "--root", "--wait-for-binary-proto", "--wait-other-notice")
    assert "JOINING: waiting for ring information" in ccm.log(4)
    assert len(ccm.up_and_normal()) == 4
    assert "42" in ccm.cqlsh(4, "SELECT k FROM ks.t")
    ccm.run("node4", "decommission")
    assert ccm.states()["node4"] == "DECOMMISSIONED"
    assert len(ccm.up_and_normal()) == 3

    ccm.run("node2", "stop")
    assert ccm.states()["node2"] == "DOWN"
    wait_until(lambda: f"127.0.0.2:{ccm.ports[1]} is now DOWN" in ccm.log(1), "node 2 is down", PATIENCE_S)
    ccm.run("node2", "start", "--root", "--wait-for-binary-proto", "--wait-other-notice")
    assert "42" in ccm.cqlsh(2, "SELECT k FROM ks.t")
    assert "127.0.0.2" in ccm.run("node1", "ring")
    ccm.run("stop")
    assert set(ccm.states().values()) == {"DOWN"}
    for number in range(1, 5):
        text = ccm.log(number)
        assert "Stopped" in text
        assert not re.search(r"^ERROR|^WARN.*Exception|Traceback", text, re.MULTILINE), text


@pytest.mark.slow
def test_two_datacenters(ccm: Ccm) -> None:
    """ccm writes cassandra-topology.properties for these and has the nodes use PropertyFileSnitch."""
    for number, datacenter in ((1, "dc1"), (2, "dc2")):
        ccm.add(number, "-s", "-d", datacenter)
    ccm.run("updateconf", "endpoint_snitch: org.apache.cassandra.locator.PropertyFileSnitch")
    ccm.run("start", "--root", "--wait-for-binary-proto")
    told = ccm.run("node1", "nodetool", "status")
    assert re.findall(r"^Datacenter: (\S+)", told, re.MULTILINE) == ["dc1", "dc2"]
    assert "PropertyFileSnitch" in ccm.run("node2", "nodetool", "describecluster")
