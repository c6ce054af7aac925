"""Fuzzers of histories: statements, flushes, compactions and kills, beside a twin in memory that never dies; both must have
the same rows, the same schema and the same permissions in the end.

A kill -9 loses nothing that was answered. A power cut may lose what was not synced, but the server starts; where the log was
synced before, it loses nothing either. While something is flushed the disk may fail, which ends in a kill, too.
"""

from collections.abc import Callable, Sequence
from contextlib import suppress
from random import Random

from cqlserver.node import Node
from hunt.hunting import Fuzzer, told_bugs
from hunt.operating import LOOK, OBSERVED, RESTORE, SNAPSHOT, VERBS, Operator, look, observe
from hunt.small_node import COMPACT, FLUSH, SCHEMA, WITH_ROLES, Client, new_node, stored
from protocol.responses import Error, RowsResult
from storage.environment.environment import ManualClock
from storage.environment.memory import FaultyDisk

KILL, SYNC, POWER_CUT = "kill -9", "sync", "power cut: "
FAILING_FLUSH = "flush, and the disk fails: "
FAILURES = ("open", "write", "unlink", "rename", "link", "sync_folder")
"""Operations of the disk. Not sync: what a failed one loses was answered."""
TABLES = ("t", "l", "n", "e")
_WRITES = (
    "INSERT INTO ks.t (k, c, v) VALUES ({a}, {b}, '{w}')",
    "INSERT INTO ks.t (k, c, v) VALUES ({a}, {b}, '{w}') USING TIMESTAMP {b}",
    "INSERT INTO ks.t (k, s) VALUES ({a}, {b})",
    "UPDATE ks.t SET v = '{w}' WHERE k = {a} AND c IN ({b}, {c})",
    "UPDATE ks.t SET v = null WHERE k = {a} AND c = {b}",
    "DELETE FROM ks.t WHERE k = {a}",
    "DELETE FROM ks.t WHERE k = {a} AND c = {b}",
    "DELETE FROM ks.t WHERE k = {a} AND c > {b}",
    "DELETE FROM ks.t USING TIMESTAMP {b} WHERE k = {a} AND c <= {c}",
    "DELETE v FROM ks.t WHERE k = {a} AND c = {b}",
    "INSERT INTO ks.t (k, c, v) VALUES ({a}, {b}, '{w}') IF NOT EXISTS",
    "UPDATE ks.t SET v = '{w}' WHERE k = {a} AND c = {b} IF v = '{x}'",
    "BEGIN BATCH INSERT INTO ks.t (k, c, v) VALUES ({a}, {b}, '{w}'); DELETE FROM ks.l WHERE k = {c}; APPLY BATCH",
    "UPDATE ks.l SET l = l + [{b}], m[{c}] = '{w}', e = e + {{{b}}} WHERE k = {a}",
    "UPDATE ks.l SET m = m - {{{c}}}, e = e - {{{b}}} WHERE k = {a}",
    "UPDATE ks.l SET l = [{b}, {c}], f = [{c}], m = {{{b}: '{x}'}} WHERE k = {a}",
    "INSERT INTO ks.l (k, u, t, i, d) VALUES ({a}, {{a: {b}, b: '{w}'}}, ({b}, '{x}'), {b}{c}, {b}.{c})",
    "INSERT INTO ks.l JSON '{{\"k\": {a}, \"l\": [{b}]}}'",
    # no DELETE of counters: what they count from after one is in a cache, which is lost with the process as in Cassandra
    "UPDATE ks.n SET v = v + {b} WHERE k = {a}",
    "INSERT INTO ks.e (k, v) VALUES ({a}, {b})",
    "INSERT INTO ks.e (k, v) VALUES ({a}, {b}) IF NOT EXISTS",
)
_CHANGES = (
    "TRUNCATE ks.{table}",
    "ALTER TABLE ks.t ADD x{b} int",
    "ALTER TABLE ks.t DROP x{b}",
    "INSERT INTO ks.t (k, c, x{b}) VALUES ({a}, {c}, {b})",
    "CREATE INDEX v_of_t ON ks.t (v)",
    "CREATE INDEX s_of_t ON ks.t (s)",
    "CREATE INDEX m_of_l ON ks.l ({kind}(m))",
    "CREATE INDEX e_of_l ON ks.l (e)",
    "CREATE CUSTOM INDEX v_of_e ON ks.e (v) USING 'StorageAttachedIndex'",
    "DROP INDEX ks.{index}",
    "CREATE TABLE ks.e (k int PRIMARY KEY, v int)",
    "CREATE TABLE ks.e (k int PRIMARY KEY, v int) WITH ID = 5bc52802-de25-35ed-aeab-188eecebb090",
    "CREATE TABLE ks.e (k int, v int, c text static, PRIMARY KEY (k, v)) WITH ID = 5bc52802-de25-35ed-aeab-188eecebb090",
    "DROP TABLE ks.e",
    "ALTER TABLE ks.{table} WITH comment = '{w}' AND gc_grace_seconds = {b}",
    "ALTER TYPE ks.u ADD x{b} int",
    "ALTER TYPE ks.u RENAME a TO a{b}",
    "CREATE TYPE ks.w (a int)",
    "DROP TYPE ks.w",
    "CREATE OR REPLACE FUNCTION ks.f{b} (x int) CALLED ON NULL INPUT RETURNS int LANGUAGE java AS 'return {c};'",
    "CREATE OR REPLACE AGGREGATE ks.g (int) SFUNC f{b} STYPE int",
    "DROP FUNCTION ks.f{b}",
    "DROP AGGREGATE ks.g",
    "INSERT INTO ks.e (k, v) VALUES ({a}, ks.f{b}(1))",
)
_ROLES = (
    "CREATE ROLE r{a} WITH LOGIN = {yes} AND SUPERUSER = {yes}",
    "CREATE ROLE r{a} WITH PASSWORD = '{w}' AND LOGIN = true",
    "ALTER ROLE r{a} WITH LOGIN = {yes}",
    "ALTER ROLE r{a} WITH ACCESS TO DATACENTERS {{'dc{b}'}}",
    "DROP ROLE r{a}",
    "GRANT r{a} TO r{b}",
    "REVOKE r{a} FROM r{b}",
    "GRANT {permission} ON {resource} TO r{a}",
    "REVOKE {permission} ON {resource} FROM r{a}",
    "CREATE TABLE ks.e (k int PRIMARY KEY, v int)",
    "DROP TABLE ks.e",
    "DROP KEYSPACE ks",
)
_RESOURCES = ("ALL KEYSPACES", "KEYSPACE ks", "TABLE ks.t", "TABLE ks.e", "ALL ROLES", "ROLE r1", "ALL FUNCTIONS")
_PERMISSIONS = ("ALL PERMISSIONS", "SELECT", "MODIFY", "ALTER", "AUTHORIZE", "DESCRIBE", "CREATE", "DROP", "EXECUTE")
_ROWS = (
    *(f"SELECT JSON * FROM ks.{table}" for table in TABLES),
    *(f"SELECT JSON k, c FROM ks.t WHERE v = '{v}' ALLOW FILTERING" for v in "wxyz"),
    "SELECT JSON k, c FROM ks.t WHERE s = 1 ALLOW FILTERING",
    "SELECT JSON k FROM ks.l WHERE m CONTAINS 'w' ALLOW FILTERING",
    "SELECT JSON k FROM ks.l WHERE m CONTAINS KEY 1 ALLOW FILTERING",
    "SELECT JSON k FROM ks.l WHERE e CONTAINS 2 ALLOW FILTERING",
    "SELECT JSON k FROM ks.e WHERE v = 1 ALLOW FILTERING",
    "SELECT JSON table_name, column_name, type, position FROM system_schema.columns WHERE keyspace_name = 'ks'",
    "SELECT JSON table_name, comment, gc_grace_seconds FROM system_schema.tables WHERE keyspace_name = 'ks'",
    "SELECT JSON table_name, column_name FROM system_schema.dropped_columns WHERE keyspace_name = 'ks'",
    "SELECT JSON * FROM system_schema.types WHERE keyspace_name = 'ks'",
    "SELECT JSON * FROM system_schema.indexes WHERE keyspace_name = 'ks'",
    "SELECT JSON * FROM system_schema.functions WHERE keyspace_name = 'ks'",
    "SELECT JSON * FROM system_schema.aggregates WHERE keyspace_name = 'ks'",
)
_PERMITTED = ("LIST ROLES", "LIST ALL PERMISSIONS", *(f"LIST ROLES OF r{number}" for number in range(4)))


def histories(rng: Random) -> list[str]:
    statements = _WRITES if rng.random() < 0.3 else (*_WRITES, *_CHANGES)
    return _history(rng, lambda: rng.choice(statements))


def histories_of_roles(rng: Random) -> list[str]:
    return _history(rng, lambda: rng.choice(_ROLES))


def _history(rng: Random, statement: Callable[[], str]) -> list[str]:
    parts = [OBSERVED] if rng.random() < 0.2 else []
    for _ in range(rng.randrange(10, 80)):
        drawn = rng.random()
        if drawn > 0.96:
            parts.append(rng.choice((LOOK, *VERBS, SNAPSHOT, RESTORE)))
            continue
        if drawn < 0.15:
            failing = f"{FAILING_FLUSH}{rng.choice(FAILURES)} {rng.randrange(40)}"
            cut = f"{POWER_CUT}{rng.randrange(1000)}"
            parts.append(rng.choice((KILL, KILL, FLUSH, FLUSH, COMPACT, SYNC, cut, failing)))
            continue
        a, b, c = (rng.randrange(4) for _ in range(3))
        w, x = (rng.choice("wxyz") for _ in range(2))
        parts.append(
            statement().format(
                a=a,
                b=b,
                c=c,
                w=w,
                x=x,
                table=rng.choice(TABLES),
                kind=rng.choice(("keys", "values", "entries")),
                index=rng.choice(("v_of_t", "s_of_t", "m_of_l", "e_of_l", "v_of_e")),
                yes=rng.choice(("true", "false")),
                permission=rng.choice(_PERMISSIONS),
                resource=rng.choice(_RESOURCES),
            )
        )
    return parts


def fault(parts: Sequence[str]) -> str | None:
    return _fault(parts, new_node, _ROWS)


def fault_of_roles(parts: Sequence[str]) -> str | None:
    return _fault(parts, lambda disk, clock: new_node(disk, clock, WITH_ROLES), _PERMITTED)


def _fault(
    parts: Sequence[str], opened: Callable[[FaultyDisk | None, ManualClock], Node], compared: Sequence[str]
) -> str | None:
    disk, clocks = FaultyDisk(), (ManualClock(), ManualClock())
    node, twin_node = opened(disk, clocks[0]), opened(None, clocks[1])
    if OBSERVED in parts:
        observe(node)
    client, twin, is_synced = Client(node), Client(twin_node), False
    operators = Operator(node), Operator(twin_node)
    for text in (*SCHEMA, *parts, KILL):
        if text == OBSERVED:
            continue
        if text == KILL or text.startswith((POWER_CUT, FAILING_FLUSH)):
            if text.startswith(FAILING_FLUSH):
                _flush_while_failing(node, disk, text.removeprefix(FAILING_FLUSH))
            is_cut = text.startswith(POWER_CUT)
            if is_cut:  # of each file some of what was not synced survives, or nothing does
                kept = Random(int(text.removeprefix(POWER_CUT)))
                keeps_some = kept.random() < 0.5
                disk.crash(lambda unsynced: kept.randrange(unsynced + 1) if keeps_some else 0)  # noqa: B023 - called at once
            else:
                disk.crash(lambda unsynced: unsynced, names_kept=True)
            try:
                node = opened(disk, clocks[0])
            except Exception as error:  # noqa: BLE001 - it is what is looked for
                return f"the server does not start after {text}: {type(error).__name__}: {error}"
            if OBSERVED in parts:
                observe(node)
            client, operators = Client(node), (Operator(node), Operator(twin_node))
            if is_cut and not is_synced:
                return _unreadable(client, compared)
            different = _difference(client, twin, compared, text)
            if different is not None:
                return different
            continue
        if text in (FLUSH, COMPACT):
            try:
                stored(node, text)
            except Exception as error:  # noqa: BLE001 - it is what is looked for
                return f"{text}: {type(error).__name__}: {error}"
            continue
        assert node.commit_log is not None
        if text in (LOOK, *VERBS):
            try:
                for one, operator in zip((node, twin_node), operators, strict=True):
                    look(one) if text == LOOK else operator.do(text)
            except Exception as error:  # noqa: BLE001 - it is what is looked for
                return f"{text}: {type(error).__name__}: {error}"
            is_synced = is_synced and text == LOOK
            continue
        if text == SYNC:
            node.commit_log.sync()
            is_synced = True
            continue
        answers = []
        for each, clock in zip((client, twin), clocks, strict=True):
            clock.advance(0.001)
            answers.append(each.ask(text))
        node.commit_log.write()
        is_synced = False
        if isinstance(answers[0], Error) is not isinstance(answers[1], Error):
            return f"{text}: {answers[0]} here, {answers[1]} there"
    return None


def _flush_while_failing(node: Node, disk: FaultyDisk, what: str) -> None:
    operation, after = what.split()
    disk.fail(operation, int(after))
    with told_bugs(), suppress(Exception):  # whatever it is, the kill comes next
        stored(node, FLUSH)
        stored(node, COMPACT)
    disk.heal()


def _unreadable(client: Client, compared: Sequence[str]) -> str | None:
    for text in compared:
        answer = client.ask(text)
        if isinstance(answer, Error) and type(answer.error).__name__ not in ("InvalidRequest", "Unauthorized"):
            return f"{text}: {answer} after a power cut"
    return None


def _difference(client: Client, twin: Client, compared: Sequence[str], after: str) -> str | None:
    for text in compared:
        answers = [each.ask(text) for each in (client, twin)]
        rows = [sorted(answer.rows(), key=repr) if isinstance(answer, RowsResult) else [] for answer in answers]
        if isinstance(answers[0], Error) is not isinstance(answers[1], Error):
            return f"{text}: after {after} {answers[0]}, should be {answers[1]}"
        if rows[0] != rows[1]:
            only = [row for row in rows[0] if row not in rows[1]], [row for row in rows[1] if row not in rows[0]]
            return f"{text}: after {after} {only[0][:3]}, should be {only[1][:3]}"
    return None


FUZZERS = (Fuzzer("histories", histories, fault), Fuzzer("roles", histories_of_roles, fault_of_roles))
