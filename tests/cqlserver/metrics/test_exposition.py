"""/metrics: what is in it, that Prometheus's own readers take it, and what it costs."""

import gc
import shutil
import subprocess
import time
from collections.abc import Mapping
from itertools import pairwise

import pytest
from prometheus_client.parser import text_string_to_metric_families

from cluster.internode.verbs import Verb
from cqlserver.metrics.dropped import dropped_by_type
from cqlserver.metrics.exposition import pieces
from cqlserver.metrics.families import FAMILIES
from protocol.requests import Query
from tests.cqlserver.small_session import SmallSession

KEYSPACE = "CREATE KEYSPACE m WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}"
ODD = 'CREATE TABLE m."Odd" (k int PRIMARY KEY)'


def asked(tables: int = 3) -> SmallSession:
    """A server whose tables were all asked for something."""
    created = (f"CREATE TABLE m.t{number} (k int PRIMARY KEY)" for number in range(tables))
    small = SmallSession(True, (KEYSPACE, ODD, *created))
    for number in range(tables):
        small.ask(Query(f"INSERT INTO m.t{number} (k) VALUES (1)"))
        small.ask(Query(f"SELECT k FROM m.t{number} WHERE k = 1"))
        small.ask(Query(f"SELECT k FROM m.t{number}"))
    return small


def samples(small: SmallSession) -> Mapping[tuple[str, tuple[tuple[str, str], ...]], float]:
    text = "".join(pieces(small.node))
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_all_families_are_there_as_they_are_described() -> None:
    small = asked()
    small.node.engine.stores[next(iter(small.node.engine.stores))].sources_read[1] = 1
    text = "".join(pieces(small.node))
    found = {family.name: family for family in text_string_to_metric_families(text)}
    told = {name.removesuffix("_total") if family.type == "counter" else name for name, family in FAMILIES.items()}
    assert set(found) == told - {"cassandra_table_sstables_per_read"}, "that one needs SSTables"
    for name, family in FAMILIES.items():
        for sample in found[name.removesuffix("_total")].samples if name.removesuffix("_total") in found else ():
            assert set(sample.labels) - {"quantile"} == set(family.labels), sample


def test_numbers_are_those_of_the_requests() -> None:
    found = samples(asked())
    table = (("keyspace", "m"), ("operation", "read"), ("table", "t1"))
    assert found["cassandra_table_operation_latency_seconds_count", table] == 1
    assert found["cassandra_client_request_latency_seconds_count", (("operation", "write"),)] == 3
    assert found["cassandra_table_live_rows_scanned_sum", (("keyspace", "m"), ("table", "t1"))] == 2
    assert found["cassandra_cql_statements_executed_total", (("statement_type", "prepared"),)] == 0
    assert ("cassandra_table_memtable_live_bytes", (("keyspace", "m"), ("table", "Odd"))) in found


def test_dropped_messages_have_cassandras_names() -> None:
    assert dropped_by_type({}) == {"MUTATION_REQ": 0, "READ_REQ": 0, "HINT_REQ": 0}
    found = dropped_by_type({Verb.MUTATE: 2, Verb.MUTATE_EACH: 3, Verb.DIGEST: 1, Verb.REPAIR_TREES: 4})
    assert found == {"MUTATION_REQ": 5, "READ_REQ": 0, "HINT_REQ": 0, "READ_RSP": 1, "REPAIR_TREES": 4}


@pytest.mark.skipif(shutil.which("promtool") is None, reason="Prometheus's promtool is not installed")
def test_promtool_finds_nothing_wrong() -> None:
    text = "".join(pieces(asked().node))
    done = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def longest_piece_s(small: SmallSession) -> float:
    times = [time.thread_time()]
    for _ in pieces(small.node):
        times.append(time.thread_time())
    assert len(times) > 1_000
    return max(after - before for before, after in pairwise(times))


def test_a_thousand_tables_come_in_short_pieces() -> None:
    """Between two pieces others have their turn."""
    small = asked(1_000)
    gc.collect()
    gc.disable()  # a server has it kept short (connections/garbage.py)
    try:
        longest_s = min(longest_piece_s(small) for _ in range(3))
    finally:
        gc.enable()
    assert longest_s < 0.01, f"{longest_s * 1000:.1f} ms"
