"""nodetool prints what Cassandra's prints: recorded cases (nodetool/), run against a server of ours."""

import contextlib
import io
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from nodetool import cases

import cqlserver
from cqlserver.nodetool import program
from cqlserver.nodetool.commands import COMMANDS
from protocol.client import connect
from protocol.requests import QueryOptions


def our_tool(port: int) -> cases.Run:
    def run(words: list[str]) -> tuple[str, str, int]:
        out, error = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(error):
            status = program.main(["-p", str(port), *words])
        return out.getvalue(), error.getvalue(), status

    return run


@pytest.mark.parametrize("file", cases.files(), ids=lambda file: file.stem)
def test_recorded_outcomes(file: Path, tmp_path: Path) -> None:
    recorded = cases.read(file)
    assert recorded
    with cqlserver.start(data=tmp_path / "data", config=cases.maybe_config(file)) as server:
        for case, outcome in cases.run(file, recorded, server.execute, our_tool(server.control_port)):
            assert case.outcome is not None, "record it"
            assert (case.command, *outcome) == (case.command, *case.outcome)


def test_every_command_has_its_help_recorded() -> None:
    pages = [case for file in cases.files() for case in cases.read(file)]
    recorded = {case.words[1] for case in pages if case.words[0] == "help" and len(case.words) > 1}
    names = {name.split()[0] for name in COMMANDS}
    assert names <= recorded


CONTENTION = """\
Frequency of CAS contention by partition:
   Table       Partition Count +/-
   contended.t 0:x       105   0
   contended.t 1:x       9     0
"""
"""What Cassandra said while clients did as below."""


def test_contended_partitions_are_told_as_cassandra_tells_them() -> None:
    with cqlserver.start(nodes=3) as server:
        server.execute("CREATE KEYSPACE contended WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 3}")
        server.execute("CREATE TABLE contended.t (a int, b text, v int, PRIMARY KEY ((a, b)))")
        addresses = [(node.host, node.port) for node in server.nodes]
        with contending(addresses, "UPDATE contended.t SET v = 1 WHERE a = {} AND b = 'x' IF v != 5"):
            out, error, status = our_tool(server.control_port)("profileload -a CAS_CONTENTIONS contended t 1500".split())
            assert (error, status) == ("", 0)
            first, *_ = our_tool(server.control_port)("toppartitions -k 1 -a CAS_CONTENTIONS contended t 1500".split())
    expected, told = (cases.Outcome(text.splitlines(), [], 0).normalised().out for text in (CONTENTION, out))
    assert [line for line in told if line] == expected
    counts = [int(line.split()[2]) for line in out.splitlines()[2:] if line]
    assert counts == sorted(counts, reverse=True)
    assert [line.split()[1] for line in first.splitlines()[2:] if line] == ["0:x"]  # it is asked for twice as often


@contextlib.contextmanager
def contending(addresses: list[tuple[str, int]], statement: str) -> Iterator[None]:
    """Meanwhile eight clients, of all nodes, have conditional writes for two partitions, twice as many for the first one."""
    over = threading.Event()

    def work(number: int) -> None:
        with connect(*addresses[number % len(addresses)], timeout_s=30) as client:
            count = 0
            while not over.is_set():
                client.query(statement.format(0 if count % 3 else 1), QueryOptions(consistency=4))
                count += 1

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        over.set()
        for thread in threads:
            thread.join()
