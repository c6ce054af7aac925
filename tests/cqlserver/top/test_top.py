"""cqlserver top: what two samples say, as plain text and in a terminal."""

import io
import sys
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import replace
from pathlib import Path

import pexpect
import pytest

import cqlserver
from cqlserver.commands import COMMANDS
from cqlserver.top.picture import picture, plain
from cqlserver.top.samples import Sample, chosen, operations, parsed
from protocol.client import connect

METRICS = """\
# HELP cassandra_table_operation_latency_seconds How long
cassandra_table_operation_latency_seconds{{keyspace="ks",table="t",operation="read",quantile="0.5"}} 0.001
cassandra_table_operation_latency_seconds{{keyspace="ks",table="t",operation="read",quantile="0.99"}} 0.25
cassandra_table_operation_latency_seconds_count{{keyspace="ks",table="t",operation="read"}} {reads}
cassandra_table_operation_latency_seconds_count{{keyspace="ks",table="a\\"b",operation="write"}} 7
cassandra_client_request_latency_seconds_count{{operation="read"}} {reads}
process_cpu_seconds_total {cpu}
"""
NODE = {"uptime_s": 90_061, "memory_bytes": 1 << 20, "load_bytes": 0}
TASK = {"kind": "Compaction", "keyspace": "ks", "table": "t", "state": "running", "completed": 1, "total": 4}
QUERIES = [
    {"duration_us": 1_500, "statements": [{"cql": "SELECT *\n FROM t"}]},
    {"duration_us": 20_000, "statements": [{"cql": "x" * 200}]},
]
SCHEMA = (
    "CREATE KEYSPACE ks WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1};"
    "CREATE TABLE ks.seen (k int PRIMARY KEY)"
)


def sample(at_s: float, reads: int, cpu: float) -> Sample:
    return Sample(at_s, parsed(METRICS.format(reads=reads, cpu=cpu)), NODE, [TASK], QUERIES)


def test_rates_and_order() -> None:
    rows = operations(sample(10, 100, 0), sample(12, 300, 0))
    assert [(row.name, row.operation, row.rate, row.p99_ms) for row in rows] == [
        ("ks.t", "read", 100.0, 250.0),
        ('ks.a"b', "write", 0.0, 0.0),
    ]
    assert [row.table for row in chosen(rows, "rate", "")] == ["t", 'a"b']
    assert [row.table for row in chosen(rows, "table", "")] == ['a"b', "t"]
    assert [row.table for row in chosen(rows, "p99", "ks.t")] == ["t"]


def test_a_picture_as_text() -> None:
    text = plain(picture(sample(10, 100, 1.0), sample(12, 300, 2.0), "rate", "", 10))
    assert text.startswith("up 1d 01:01:01, memory 1 MiB, load 0 bytes, processor 50 %, 0 clients\na second: read 100, ")
    assert "  ks.t    read          100.0     1.00   250.00\n" in text
    slow = text.index("20.00  " + "x" * 97 + "...")
    assert slow < text.index(" 1.50  SELECT * FROM t")
    assert "  Compaction  ks.t   running         25 %\n" in text


def test_nodes_and_streams_of_a_cluster() -> None:
    now = sample(12, 300, 2.0)
    text = METRICS.format(reads=1, cpu=1) + 'cqlserver_nodes{state="up"} 2\ncqlserver_nodes{state="down"} 1\n'
    stream = {
        "reason": "Bootstrap", "direction": "receiving", "peer": "127.0.0.2", "port": 7000,
        "tables": [{"table": "ks.t", "bytes": 200, "bytes_done": 50}],
    }  # fmt: skip
    shown = plain(picture(now, replace(now, metrics=parsed(text), streams=[stream]), "rate", "", 10))
    assert "nodes: 2 up, 1 down; hints that were kept for others: 0\n" in shown
    assert "  Bootstrap, receiving  ks.t   127.0.0.2:7000  25 %\n" in shown
    assert "nodes:" not in plain(picture(now, now, "rate", "", 10))


@pytest.mark.slow
def test_of_a_cluster() -> None:
    with cqlserver.start(nodes=2) as server:
        server.nodes[1].stop()
        out = io.StringIO()
        with redirect_stdout(out):
            assert COMMANDS["top"].main("top", ["--control-port", str(server.control_port), "--once", "--period", "0"]) == 0
        assert "nodes: 1 up, 1 down" in out.getvalue()


@pytest.mark.slow
def test_once_against_a_server() -> None:
    with cqlserver.start(query_log=True) as server:
        server.execute(SCHEMA)
        with connect(server.host, server.port) as client:
            for _ in range(20):
                client.query("INSERT INTO ks.seen (k) VALUES (1)")
        out = io.StringIO()
        with redirect_stdout(out):
            words = ["--control-port", str(server.control_port), "--once", "--period", "0.01", "--filter", "ks."]
            assert COMMANDS["top"].main("top", words) == 0
        assert "ks.seen  write" in out.getvalue()
        (line, *_) = [line for line in out.getvalue().splitlines() if "INSERT INTO ks.seen (k) VALUES (1)" in line]
        assert float(line.split()[0]) > 0


def test_no_server() -> None:
    out = io.StringIO()
    with redirect_stderr(out):
        assert COMMANDS["top"].main("top", ["--control-port", "1", "--once"]) == 1
    assert "no server answers on control port 1" in out.getvalue()


@pytest.mark.slow
def test_in_a_terminal(tmp_path: Path) -> None:
    with cqlserver.start() as server:
        server.execute(SCHEMA)
        with connect(server.host, server.port) as client:
            client.query("INSERT INTO ks.seen (k) VALUES (1)")
        words = ["-P", "-m", "cqlserver", "top", "--control-port", str(server.control_port)]
        top = pexpect.spawn(sys.executable, words, dimensions=(50, 120), encoding="utf-8", timeout=60, cwd=str(tmp_path))
        top.expect("ks.seen")
        top.send("/nosuch")
        top.expect("nothing of 'nosuch' was asked for yet")
        top.send("\rq")
        top.expect(pexpect.EOF)
        top.close()
        assert top.exitstatus == 0
