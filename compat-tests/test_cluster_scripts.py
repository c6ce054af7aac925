"""Replays scripts that take nodes of three down: what each consistency level answers, as recorded from three Cassandras."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from harness.nodes import Nodes
from harness.recorder import CLUSTER_SCRIPTS, compare, find_scripts
from harness.runner import Address, Cluster
from harness.script import load_script

import cqlserver
from cqlserver.launcher import Server

WITHOUT_HINTS = "stale"
"""Scripts about what replicas miss."""


class OurNodes(Nodes):
    """Of a cluster in one process."""

    def __init__(self, server: Server) -> None:
        self._server = server
        super().__init__([Address(node.host, node.port) for node in server.nodes])

    def _stop(self, number: int) -> None:
        self._server.nodes[number - 1].stop()

    def _start(self, number: int) -> None:
        self._server.nodes[number - 1].start()

    def keep_hints(self, keeps: bool) -> None:
        """Of all nodes, whether they do."""
        self.set_down(frozenset())
        for node in self._server.nodes:
            node.nodetool("enablehandoff" if keeps else "disablehandoff")


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with cqlserver.start(nodes=3, memory=True, config=Path(__file__).parent / "cassandra.yaml") as server:
        nodes = OurNodes(server)
        yield Cluster(nodes.addresses, nodes=nodes)


def _name(path: Path) -> str:
    return path.relative_to(CLUSTER_SCRIPTS).with_suffix("").as_posix()


@pytest.mark.parametrize("path", find_scripts([CLUSTER_SCRIPTS]), ids=_name)
def test_script(path: Path, cluster: Cluster) -> None:
    script = load_script(path)
    assert all(step.is_prose or step.outcome for step in script.steps), f"{path} has steps that were never recorded"
    nodes = cluster.nodes
    assert isinstance(nodes, OurNodes)
    if path.parent.name == WITHOUT_HINTS:
        nodes.keep_hints(False)
    try:
        changes = compare(script, cluster)
    finally:
        if path.parent.name == WITHOUT_HINTS:
            nodes.keep_hints(True)
    if changes:
        pytest.fail(f"the outcome differs from Cassandra's\n{changes}", pytrace=False)
