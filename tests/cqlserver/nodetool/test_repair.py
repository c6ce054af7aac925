"""`nodetool repair` on three nodes of one process, in memory and with data: what it prints; that replicas are equal then.

The texts are those that Cassandra 5.0.8's three nodes printed.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from urllib.request import urlopen

import pytest

from cqlserver.launcher import ClusterNode, NodetoolError, Server, start
from protocol.client import connect
from protocol.responses import Error

pytestmark = pytest.mark.slow
STAMP = re.compile(r"^\[\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3}\] ")
UUID_TEXT = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
RANGES = re.compile(r"\[(\(-?\d+,-?\d+\](, )?)+\]")


@pytest.fixture(scope="module", params=["in memory", "with data"])
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    data: Path | None = tmp_path_factory.mktemp("data") if request.param == "with data" else None
    with start(nodes=3, data=data) as server:
        server.execute(
            "CREATE KEYSPACE ks3 WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 3};"
            "CREATE KEYSPACE ks1 WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1};"
            "CREATE TABLE ks3.t (k int PRIMARY KEY, v text);"
            "CREATE TABLE ks3.wide (k int, c int, s text STATIC, v list<int>, PRIMARY KEY (k, c))"
        )
        for node in server.nodes:
            node.nodetool("disablehandoff")
        yield server


def execute(node: ClusterNode, *statements: str) -> None:
    with connect(node.host, node.port, timeout_s=30) as connection:
        for statement in statements:
            response = connection.query(statement).response
            assert not isinstance(response, Error), f"{statement}: {response}"


def told(output: str) -> list[str]:
    """The lines without what differs from run to run."""
    lines = []
    for line in output.splitlines():
        text, is_stamped = STAMP.subn("", line)
        assert is_stamped, line
        lines.append(RANGES.sub("[<ranges>]", UUID_TEXT.sub("<id>", text)))
    return lines


def lose_some(server: Server, number: int) -> None:
    """The third node misses writes and deletions."""
    first, _, third = server.nodes
    execute(
        first,
        f"INSERT INTO ks3.t (k, v) VALUES ({number}, 'old')",
        f"INSERT INTO ks3.wide (k, c, v) VALUES ({number}, 1, [1])",
    )
    third.stop()
    execute(
        first,
        f"INSERT INTO ks3.t (k, v) VALUES ({number + 1}, 'new')",
        f"DELETE FROM ks3.t WHERE k = {number}",
        f"INSERT INTO ks3.wide (k, c, s, v) VALUES ({number}, 2, 's', [1, 2])",
        f"UPDATE ks3.wide SET v = v + [3] WHERE k = {number} AND c = 1",
        f"DELETE FROM ks3.wide WHERE k = {number} AND c > 5",
    )
    third.start()


def previewed(node: ClusterNode) -> str:
    return told(node.nodetool("repair", "-full", "-prv", "ks3"))[-1]


def metrics(node: ClusterNode, head: str) -> dict[str, float]:
    """Of /metrics those that begin so, without that."""
    with urlopen(f"http://127.0.0.1:{node.control_port}/metrics") as answer:
        lines = answer.read().decode().splitlines()
    pairs = (line.rsplit(" ", 1) for line in lines if line.startswith(head))
    return {name.removeprefix(head): float(value) for name, value in pairs}


IN_SYNC = "Repair preview completed successfully; Previewed data was in sync"


def test_a_full_repair_is_told_as_cassandra_does_and_leaves_nothing_that_differs(server: Server) -> None:
    lose_some(server, 100)
    node = server.nodes[1]
    assert "Preview complete" in node.nodetool("repair", "-full", "-prv", "ks3", "t")
    lines = told(node.nodetool("repair", "-full", "ks3"))
    number = re.search(r"#(\d+)", lines[0])
    assert number is not None
    command = f"Repair command #{number[1]}"
    counted = re.sub(r"# of ranges: \d+", "# of ranges: <n>", lines[0])
    assert counted == (
        f"Starting repair command #{number[1]} (<id>), repairing keyspace ks3 with repair options (parallelism: parallel, "
        "primary range: false, incremental: false, job threads: 1, ColumnFamilies: [], dataCenters: [], hosts: [], "
        "previewKind: NONE, # of ranges: <n>, pull repair: false, force repair: false, optimise streams: false, ignore "
        "unreplicated keyspaces: false, repairPaxos: true, paxosOnly: false)"
    )
    assert lines[1] == "Repair session <id> for range [<ranges>] finished (progress: 57%)"
    assert lines[2] == "Repair completed successfully"
    assert lines[3] in (f"{command} finished in {n} second{'' if n == 1 else 's'}" for n in range(30))
    assert lines[4] == "condition satisfied queried for parent session status and discovered repair completed."
    assert lines[5:] == ["Repair completed successfully"]
    assert previewed(node) == IN_SYNC
    counts = metrics(node, "cassandra_table_repair_jobs_")
    (started, completed) = (counts[f'{state}_total{{keyspace="ks3",table="t"}}'] for state in ("started", "completed"))
    assert started == completed >= 3, "the preview's, the repair's, the other preview's"


@pytest.mark.parametrize("how", ["-seq", "-dcpar", "-local", "-os", "-pr"])
def test_other_ways_leave_nothing_that_differs(server: Server, how: str) -> None:
    lose_some(server, 200)
    nodes = server.nodes if how == "-pr" else server.nodes[:1]
    for node in nodes:
        node.nodetool("repair", "-full", how, "ks3")
    assert previewed(server.nodes[2]) == IN_SYNC


def test_the_third_node_answers_alone_what_it_missed(server: Server) -> None:
    lose_some(server, 300)
    first, second, third = server.nodes
    first.nodetool("repair", "-full", "ks3", "t")
    for node in (first, second):
        node.stop()
    try:
        with connect(third.host, third.port, timeout_s=30) as connection:
            rows = connection.query("SELECT v FROM ks3.t WHERE k IN (300, 301)").response
        assert rows.content == b"\0\0\0\3new"
    finally:
        for node in (first, second):
            node.start()


def test_a_keyspace_with_one_replica_needs_none(server: Server) -> None:
    lines = told(server.nodes[0].nodetool("repair", "-full", "ks1"))
    assert lines == ["Replication factor is 1. No repair is needed for keyspace 'ks1'"]


@pytest.mark.parametrize(
    ("arguments", "status", "text"),
    [
        ("nosuch", 1, "nodetool: Keyspace [nosuch] does not exist.\n"),
        ("-j 5 ks3", 2, "error: Too many job threads. Max is 4\n"),
        ("-full -dc nosuch ks3 t", 2, "the local data center must be part of the repair; requested [nosuch]"),
        ("-st 100 ks3", 2, "Invalid token for Murmur3Partitioner. Got  but expected a long value (unsigned"),
        ("-full -st abc -et def ks3", 2, "Invalid token for Murmur3Partitioner. Got abc but expected a long value"),
        ("-full -pr -hosts 127.0.0.1 ks3", 2, "Primary range repair should be performed on all nodes in the cluster.\n"),
        ("-full -pl ks3 t", 2, "error: Pull repair can only be performed between two hosts. Please specify two"),
        (
            "-full -hosts 127.0.0.2 ks3 t",
            2,
            "failed with error The current host must be part of the repair. Check the logs on the repair participants for "
            "further details\n",
        ),
        ("ks3 nosuch", 2, "failed with error Unknown keyspace/cf pair (ks3.nosuch). Check the logs on the repair"),
    ],
)  # fmt: skip
def test_what_can_not_be_repaired_is_refused(server: Server, arguments: str, status: int, text: str) -> None:
    with pytest.raises(NodetoolError) as caught:
        server.nodes[0].nodetool("repair", *arguments.split())
    assert caught.value.status == status
    assert text in str(caught.value)


def test_a_node_that_is_down_ends_it_and_may_be_left_out(server: Server) -> None:
    first, _, third = server.nodes
    third.stop()
    try:
        with pytest.raises(
            NodetoolError, match=rf"failed with error Endpoint not alive: /{third.host}:7000\. Check the logs"
        ):
            first.nodetool("repair", "-full", "ks3", "t")
        lines = told(first.nodetool("repair", "-full", "-force", "ks3", "t"))
        assert lines[-1] == "Repair completed successfully"
    finally:
        third.start()


def test_what_was_repaired_is_remembered(server: Server) -> None:
    first = server.nodes[0]
    first.nodetool("repair", "-full", "-pr", "ks3", "t")
    commands = server.execute("SELECT * FROM system_distributed.parent_repair_history")
    newest = max(commands, key=lambda row: str(row["started_at"]))
    assert newest["keyspace_name"] == "ks3"
    assert newest["columnfamily_names"] == ["t"]
    assert newest["options"]["primaryRange"] == "true"
    assert newest["successful_ranges"] == newest["requested_ranges"] != []
    assert newest["finished_at"] >= newest["started_at"]
    jobs = server.execute(
        "SELECT * FROM system_distributed.repair_history WHERE keyspace_name = 'ks3' AND columnfamily_name = 't'"
    )
    found = [job for job in jobs if job["parent_id"] == newest["parent_id"]]
    assert found
    assert {job["status"] for job in found} == {"SUCCESS"}
    assert {job["coordinator"] for job in found} == {first.host}


def test_an_incremental_repair_marks_what_it_compared(server: Server) -> None:
    lose_some(server, 400)
    first, second, _ = server.nodes
    lines = told(first.nodetool("repair", "ks3"))
    assert "incremental: true" in lines[0]
    assert lines[-1] == "Repair completed successfully"
    assert previewed(second) == IN_SYNC
    assert told(second.nodetool("repair", "-vd", "ks3"))[-1].endswith("Repaired data is in sync")
    listed = second.nodetool("repair_admin", "list", "-a").splitlines()
    if listed == ["no sessions"]:  # in memory nothing can be set apart
        return
    assert listed[0].split(" | ")[0].strip() == "id"
    session, state, *_ = listed[1].split(" | ")
    assert state.strip() == "FINALIZED"
    assert second.nodetool("repair_admin") == "no sessions\n"
    with pytest.raises(NodetoolError, match="because it is FINALIZED"):
        first.nodetool("repair_admin", "cancel", "-s", session)
    stats = first.nodetool("tablestats", "ks3.t")
    assert "Percent repaired: 100.0" in stats
    head, repaired = first.nodetool("repair_admin", "summarize-repaired", "-v", "ks3", "t").splitlines()
    assert [cell.strip() for cell in head.split(" | ")] == ["keyspace", "table", "min_repaired", "max_repaired", "detail"]
    cells = [cell.strip() for cell in repaired.split(" | ")]
    assert cells[2] == cells[3] != "0"
    assert cells[4].startswith("(-9223372036854775808,")
    assert f"={cells[2]}" in cells[4]
    pending = first.nodetool("repair_admin", "summarize-pending", "ks3", "t").splitlines()[1]
    assert pending.split(" | ")[2].strip() == "0 bytes (0 sstables / 0 sessions)"
