"""Replays scripts that take nodes of three down: what each consistency level answers, as recorded from three Cassandras."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
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
WITH_LITTLE_PATIENCE = ("paused", "failing")
"""Scripts that need the settings of cassandra-slow.yaml."""
TRACKED = "tracked"
"""Scripts that need those of cassandra-tracked.yaml."""
CAPTURED = "captured"
"""Scripts that need those of cassandra-cdc.yaml, and data folders."""
PAUSED = "paused"
PAUSED_SHORT = ("one_insert", "one_conditional", "two_truncate")
"""Scripts that wait for timeouts, for three minutes together: with PAUSED=all all of them are replayed, else these."""
CLUSTERS = {
    **dict.fromkeys(WITH_LITTLE_PATIENCE, "impatient_cluster"),
    TRACKED: "tracking_cluster",
    CAPTURED: "captured_cluster",
}
HERE = Path(__file__).parent


class OurNodes(Nodes):
    """Of a cluster in one process."""

    def __init__(self, server: Server) -> None:
        self._server = server
        super().__init__([Address(node.host, node.port) for node in server.nodes])

    def _stop(self, number: int) -> None:
        self._server.nodes[number - 1].stop()

    def _start(self, number: int) -> None:
        self._server.nodes[number - 1].start()

    def _pause(self, number: int) -> None:
        self._server.nodes[number - 1].pause()

    def _resume(self, number: int) -> None:
        self._server.nodes[number - 1].resume()

    def keep_hints(self, keeps: bool) -> None:
        """Of all nodes, whether they do."""
        self.set_down(frozenset())
        for node in self._server.nodes:
            node.nodetool("enablehandoff" if keeps else "disablehandoff")


@contextmanager
def cluster_of(config: Path, data: Path | None = None) -> Iterator[Cluster]:
    with cqlserver.start(nodes=3, memory=data is None, data=data, config=config) as server:
        nodes = OurNodes(server)
        yield Cluster(nodes.addresses, nodes=nodes)


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with cluster_of(HERE / "cassandra.yaml") as found:
        yield found


@pytest.fixture(scope="module")
def impatient_cluster() -> Iterator[Cluster]:
    with cluster_of(HERE / "cassandra-slow.yaml") as found:
        yield found


@pytest.fixture(scope="module")
def tracking_cluster() -> Iterator[Cluster]:
    with cluster_of(HERE / "cassandra-tracked.yaml") as found:
        yield found


@pytest.fixture(scope="module")
def captured_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with cluster_of(HERE / "cassandra-cdc.yaml", tmp_path_factory.mktemp("captured")) as found:
        yield found


def _name(path: Path) -> str:
    return path.relative_to(CLUSTER_SCRIPTS).with_suffix("").as_posix()


@pytest.mark.parametrize("path", find_scripts([CLUSTER_SCRIPTS]), ids=_name)
def test_script(path: Path, request: pytest.FixtureRequest) -> None:
    if path.parent.name == PAUSED and path.stem not in PAUSED_SHORT and os.environ.get("PAUSED") != "all":
        pytest.skip("waits for timeouts: PAUSED=all replays it")
    area = path.parent.name
    name = CLUSTERS.get(area, "cluster")
    cluster: Cluster = request.getfixturevalue(name)
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
