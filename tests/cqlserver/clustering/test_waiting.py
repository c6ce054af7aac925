"""What a cluster is asked is done as soon as its nodes have done it: nothing waits for a tick, a round of gossip, or what
another go happens to carry away. In virtual time (virtual_time.py)."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import pytest
import trio
from virtual_time import Timed, run

pytestmark = pytest.mark.slow
AT_ONCE_S = 0.05
"""Some turns that look again a millisecond or two later; what waits for nothing waits for a tenth of a second at least."""
SCHEMA = (
    "CREATE KEYSPACE one WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}",
    "CREATE KEYSPACE ks WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 3}",
    "CREATE TABLE one.t (k int PRIMARY KEY, v text)",
    "CREATE TABLE ks.t (k int PRIMARY KEY, v text)",
    "CREATE TABLE ks.c (k int PRIMARY KEY, n counter)",
    "CREATE INDEX ON ks.t (v)",
    "CREATE MATERIALIZED VIEW one.m AS SELECT * FROM one.t WHERE v IS NOT NULL AND k IS NOT NULL PRIMARY KEY (v, k)",
)
STATEMENTS = (
    *(f"INSERT INTO {name}.t (k, v) VALUES ({key}, 'a')" for name in ("one", "ks") for key in range(8)),
    "INSERT INTO one.t (k, v) VALUES (9, 'a') IF NOT EXISTS",
    "INSERT INTO ks.t (k, v) VALUES (9, 'a') IF NOT EXISTS",
    "UPDATE ks.c SET n = n + 1 WHERE k = 1",
    "BEGIN BATCH INSERT INTO one.t (k, v) VALUES (10, 'b'); INSERT INTO ks.t (k, v) VALUES (10, 'b'); APPLY BATCH",
    "SELECT * FROM one.t WHERE k = 1",
    "SELECT * FROM one.t",
    "SELECT * FROM one.m WHERE v = 'a'",
    "SELECT * FROM ks.t WHERE v = 'b'",
    "SELECT count(*) FROM ks.t WHERE v >= 'a' ALLOW FILTERING",
    "ALTER TABLE ks.t ADD w int",
    "TRUNCATE ks.c",
)
SYNCED = {"commitlog_sync": "batch", "commitlog_sync_period_ms": 0}


async def executed(timed: Timed, statements: Sequence[str]) -> None:
    for number, text in enumerate(statements):
        await timed.ask("execute", number % 3 + 1, cql=text)
        assert timed.waited_s < AT_ONCE_S, text


@pytest.mark.parametrize(("data", "settings"), [(None, {}), (Path("data"), {}), (Path("data"), SYNCED)])
def test_statements_wait_for_nothing_but_the_nodes(
    monkeypatch: pytest.MonkeyPatch, data: Path | None, settings: dict[str, object]
) -> None:
    async def script(timed: Timed) -> None:
        assert timed.waited_s < AT_ONCE_S, "the start"
        await executed(timed, (*SCHEMA, *STATEMENTS))

    run(monkeypatch, script, data, **settings)


@pytest.mark.parametrize("data", [None, Path("data")])
def test_verbs_wait_for_nothing_but_the_nodes(monkeypatch: pytest.MonkeyPatch, data: Path | None) -> None:
    async def script(timed: Timed) -> None:
        await executed(timed, (*SCHEMA, *STATEMENTS))
        for operation, given in (
            ("snapshot", {"name": "full"}),
            ("reset", {}),
            ("list_snapshots", {}),
            ("restore", {"name": "full"}),
            ("flush", {}),
            ("reset", {"schema": True}),
            ("list_snapshots", {}),
        ):
            await timed.ask(operation, **given)
            assert timed.waited_s < AT_ONCE_S, operation

    run(monkeypatch, script, data)


def test_a_repair_waits_for_nothing_but_the_nodes(monkeypatch: pytest.MonkeyPatch) -> None:
    async def script(timed: Timed) -> None:
        await executed(timed, (*SCHEMA, *STATEMENTS))
        for full in (True, False):
            began_s = trio.current_time()
            begun = await timed.ask("repair", keyspace="ks", full=full)
            assert isinstance(begun, dict)
            lines: list[object] = []
            is_over = False
            while not is_over:
                told = await timed.ask("repair_lines", command=begun["command"], since=len(lines))
                assert isinstance(told, dict)
                assert told["error"] is None
                lines += told["lines"]
                is_over = told["is_over"]
            assert trio.current_time() - began_s < AT_ONCE_S, lines

    run(monkeypatch, script)


def test_a_node_is_started_where_it_was_stopped_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    async def script(timed: Timed) -> None:
        await executed(timed, SCHEMA)
        for says_so in (True, False):
            await timed.cluster.stop(2, says_so)
            await timed.took(partial(timed.cluster.start, 2))
            assert timed.waited_s < AT_ONCE_S
            await executed(timed, STATEMENTS[:5])

    run(monkeypatch, script)
