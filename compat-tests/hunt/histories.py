"""A fuzzer of histories: statements and kills, beside a twin that never dies; both must have the same rows in the end."""

from collections.abc import Sequence
from random import Random

from hunt.hunting import Fuzzer
from hunt.small_node import SCHEMA, Client, new_node
from protocol.responses import Error, RowsResult
from storage.environment.environment import ManualClock
from storage.environment.memory import FaultyDisk

KILL = "kill -9"
TABLES = ("t", "l", "n")
_WRITES = (
    "INSERT INTO ks.t (k, c, v) VALUES ({a}, {b}, '{w}')",
    "INSERT INTO ks.t (k, s) VALUES ({a}, {b})",
    "UPDATE ks.t SET v = '{w}' WHERE k = {a} AND c IN ({b}, {c})",
    "DELETE FROM ks.t WHERE k = {a}",
    "DELETE FROM ks.t WHERE k = {a} AND c = {b}",
    "DELETE FROM ks.t WHERE k = {a} AND c > {b}",
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
    "TRUNCATE ks.{table}",
    "ALTER TABLE ks.t ADD x{b} int",
    "ALTER TABLE ks.t DROP x{b}",
    "INSERT INTO ks.t (k, c, x{b}) VALUES ({a}, {c}, {b})",
)


def histories(rng: Random) -> list[str]:
    parts = []
    for _ in range(rng.randrange(10, 80)):
        if rng.random() < 0.06:
            parts.append(KILL)
            continue
        a, b, c = (rng.randrange(4) for _ in range(3))
        w, x = (rng.choice("wxyz") for _ in range(2))
        parts.append(rng.choice(_WRITES).format(a=a, b=b, c=c, w=w, x=x, table=rng.choice(TABLES)))
    return parts


def fault(parts: Sequence[str]) -> str | None:
    disk = FaultyDisk()
    node, twin = new_node(disk, ManualClock()), Client(new_node(None, ManualClock()))
    client = Client(node)
    clocks = [node.environment.clock, twin.session.node.environment.clock]
    for text in (*SCHEMA, *parts, KILL):
        if text == KILL:
            disk.crash(lambda unsynced: unsynced, names_kept=True)
            try:
                node = new_node(disk, clocks[0])  # type: ignore[arg-type]
            except Exception as error:  # noqa: BLE001 - it is what is looked for
                return f"the server does not start: {error}"
            client = Client(node)
            different = _difference(client, twin)
            if different is not None:
                return different
            continue
        answers = []
        for each, clock in zip((client, twin), clocks, strict=True):
            clock.advance(0.001)  # type: ignore[attr-defined]
            answers.append(each.ask(text))
        assert node.commit_log is not None
        node.commit_log.write()
        if isinstance(answers[0], Error) is not isinstance(answers[1], Error):
            return f"{text}: {answers[0]} here, {answers[1]} there"
    return None


def _difference(client: Client, twin: Client) -> str | None:
    for table in TABLES:
        text = f"SELECT JSON * FROM ks.{table}"
        rows = []
        for each in (client, twin):
            answer = each.ask(text)
            if not isinstance(answer, RowsResult):
                return f"{text}: {answer}"
            rows.append(sorted(answer.rows()))
        if rows[0] != rows[1]:
            only = [row for row in rows[0] if row not in rows[1]], [row for row in rows[1] if row not in rows[0]]
            return f"{text}: after the kill {only[0][:3]}, should be {only[1][:3]}"
    return None


FUZZERS = (Fuzzer("histories", histories, fault),)
