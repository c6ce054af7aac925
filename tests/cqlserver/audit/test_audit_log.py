"""What the audit log says of what clients did, and what the full query log keeps of it."""

import errno
import logging
import re
from dataclasses import replace
from pathlib import Path

import pytest

from cqlserver.audit.audit_log import AUDIT_RECORD
from cqlserver.audit.bin_log import records
from cqlserver.audit.full_query_log import query_records
from cqlserver.audit.logs import AuditLogs, audit_logs_of
from cqlserver.audit.options import AuditLogOptions, FullQueryLogOptions, read_audit_log_options
from cqlserver.audit.statement_kinds import StatementKinds
from protocol.requests import Batch, BatchEntry, Execute, Prepare, Query, QueryOptions
from storage.environment.environment import ManualClock
from storage.environment.memory import FaultyDisk
from tests.cqlserver.small_session import SmallSession

SCHEMA = (
    "CREATE KEYSPACE ks WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}",
    "CREATE TABLE ks.t (k int PRIMARY KEY, v text)",
)
INSERT = "INSERT INTO ks.t (k, v) VALUES (?, ?)"
ONE = b"\x00\x00\x00\x01"


class Audited:
    def __init__(self, **options: object) -> None:
        self.small = SmallSession(True, SCHEMA)
        self.node = self.small.node
        self.node.sessions[self.small.session] = None
        self.disk = FaultyDisk()
        self.clock = ManualClock()
        self.node.environment = replace(self.node.environment, disk=self.disk, clock=self.clock)
        self.logs: AuditLogs = audit_logs_of(self.node)
        self.options = AuditLogOptions(audit_logs_dir="/audit", **options)  # type: ignore[arg-type]
        self.logs.enable_audit(self.options)

    def lines(self) -> list[str]:
        found = []
        for name in self.disk.list("/audit"):
            for kind, payload in records(self.disk.read_file(f"/audit/{name}"), name):
                assert kind == AUDIT_RECORD
                found.append(payload.decode())
        return found

    def said(self) -> list[str]:
        """Without who, where and when."""
        return [line[line.index("|type:") :] for line in self.lines()]


STATEMENTS = (
    "CREATE KEYSPACE audited WITH replication = {'class':'SimpleStrategy','replication_factor':1}",
    "CREATE TABLE audited.t (k int PRIMARY KEY, v text)",
    "USE audited",
    "SELECT * FROM t WHERE k = 1",
    "CREATE INDEX ON t (v)",
    "CREATE INDEX i2 ON t (k)",
    "DROP INDEX audited.t_v_idx",
    "CREATE ROLE r WITH PASSWORD = 'secret1'",
    "CREATE ROLE WITH PASSWORD 'x'",
    "SELECT * FROM nosuch",
    "INSERT INTO t (k) VALUES (1) ",
    "BEGIN BATCH INSERT INTO t (k) VALUES (1); APPLY BATCH",
    "TRUNCATE t",
    "DESCRIBE TABLES",
    "LIST ROLES",
    "GRANT SELECT ON t TO r",
    "ALTER TABLE t ADD c int",
)


def test_lines_are_those_of_cassandra() -> None:
    """cassandra_lines.txt is what FileAuditLogger of 5.0.8 logged of these requests, behind the time."""
    audited = Audited(excluded_keyspaces="system,system_schema")
    small = audited.small
    for text in STATEMENTS:
        small.ask(Query(text))
    insert = "INSERT INTO t (k,v) VALUES (?,?)"
    small.execute(insert, ONE, b"x")
    assert small.taken == [True]
    entries = BatchEntry(small.ids[insert], (ONE, b"x")), BatchEntry("DELETE FROM t WHERE k=1", ())
    small.ask(Batch(0, entries, QueryOptions()))
    small.ask(Execute(b"x" * 16, None, QueryOptions()))
    small.ask(Prepare("SELECT nosuch FROM t"))
    small.execute(insert, ONE[1:], b"x")
    small.ask(Query("DROP KEYSPACE audited"))
    found = [re.sub(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "<batch>", line) for line in audited.said()]
    assert found == (Path(__file__).parent / "cassandra_lines.txt").read_text().splitlines()
    head = audited.lines()[0]
    assert head.startswith("user:anonymous|host:/127.0.0.1:7000|source:/127.0.0.1|port:1|timestamp:1")


def test_a_batch_has_a_line_for_itself_and_each_of_its_statements() -> None:
    audited = Audited()
    entries = (BatchEntry("INSERT INTO ks.t (k) VALUES (1)", ()), BatchEntry("DELETE FROM ks.t WHERE k = 2", ()))
    audited.small.ask(Batch(0, entries, QueryOptions()))
    head, insert, delete = audited.said()
    batch = head[head.index("|batch:") + 7 : head.index("|operation:")]
    assert head == f"|type:BATCH|category:DML|batch:{batch}|operation:BatchId:[{batch}] - BATCH of [2] statements"
    assert insert.startswith(f"|type:UPDATE|category:DML|batch:{batch}|ks:ks|scope:t|operation:INSERT")
    assert delete.startswith(f"|type:DELETE|category:DML|batch:{batch}|ks:ks|scope:t|operation:DELETE")


def test_filters_and_that_they_change_while_it_is_on() -> None:
    audited = Audited(excluded_categories="QUERY,PREPARE")
    small = audited.small
    small.ask(Query("SELECT * FROM ks.t"))
    small.ask(Query("SELECT * FROM system.local"))
    small.execute(INSERT, ONE, b"x")
    assert [line.split("|")[1] for line in audited.said()] == ["type:UPDATE"]
    audited.logs.enable_audit(replace(audited.options, included_categories="QUERY", excluded_categories=""))
    small.execute(INSERT, ONE, b"x")
    small.ask(Query("SELECT * FROM ks.t"))
    small.ask(Query("SELECT * FROM system.local"))  # a keyspace that is excluded by default
    assert [line.split("|")[1] for line in audited.said()] == ["type:UPDATE", "type:SELECT"]
    audited.logs.enable_audit(replace(audited.options, excluded_users="anonymous"))
    small.ask(Query("SELECT * FROM ks.t"))
    assert len(audited.said()) == 2


def test_no_password_stands_in_a_line() -> None:
    audited = Audited()
    audited.small.ask(Query("CREATE ROLE r WITH PASSWORD = 'secret1' AND LOGIN = true"))
    audited.small.ask(Query("CREATE ROLE WITH PASSWORD 'secret2'"))
    said = audited.said()
    assert len(said) == 2
    assert "secret" not in "".join(said)
    assert "*******" in said[0]


def test_lines_of_the_file_logger() -> None:
    audited = Audited(logger="FileAuditLogger")
    audited.small.ask(Query("SELECT * FROM ks.t"))
    (name,) = audited.disk.list("/audit")
    text = audited.disk.read_file(f"/audit/{name}").decode()
    assert text.startswith("INFO  [cqlserver] 20")
    assert text.endswith("operation:SELECT * FROM ks.t\n")


@pytest.mark.parametrize("block", [True, False])
@pytest.mark.parametrize("operation", ["open", "write"])
@pytest.mark.parametrize("code", [errno.EIO, errno.ENOSPC], ids=["EIO", "ENOSPC"])
def test_a_disk_that_fails(code: int, operation: str, block: bool, caplog: pytest.LogCaptureFixture) -> None:
    audited = Audited(block=block, roll_cycle="MINUTELY")
    turned_away: list[bool] = []
    audited.node.turn_clients_away = lambda: turned_away.append(True)
    audited.small.ask(Query("SELECT * FROM ks.t"))
    audited.disk.fail(operation, code=code)
    audited.clock.advance(60)
    with caplog.at_level(logging.ERROR):
        audited.small.ask(Query("SELECT * FROM ks.t"))
    assert turned_away == [True] * block
    assert "audit log can't be written" in caplog.text
    assert audited.logs.audit is None
    assert audited.node.observer is None
    audited.small.ask(Query("SELECT * FROM ks.t"))  # is answered, and raises nothing
    audited.disk.heal()
    assert len(audited.lines()) == 1
    audited.logs.enable_audit(audited.options)
    audited.small.ask(Query("SELECT * FROM ks.t"))
    assert len(audited.lines()) == 2


def test_the_full_query_log_has_texts_and_values() -> None:
    audited = Audited()
    audited.logs.disable_audit()
    audited.logs.enable_full_query(FullQueryLogOptions(log_dir="/fql"))
    small = audited.small
    small.ask(Query("USE ks"))
    small.execute(INSERT, ONE, b"x")
    small.ask(Batch(1, (BatchEntry(small.ids[INSERT], (ONE, b"y")),), QueryOptions()))
    small.ask(Query("SELECT * FROM nosuch"))  # what failed is not kept
    (name,) = audited.disk.list("/fql")
    use, insert, batch = query_records(audited.disk.read_file(f"/fql/{name}"), name)
    assert use.request == Query("USE ks", use.request.options)
    assert insert.request == Query(INSERT, insert.request.options)
    assert insert.request.options.values == (ONE, b"x")
    assert (insert.keyspace, insert.version) == ("ks", 4)
    assert batch.request == Batch(1, (BatchEntry(INSERT, (ONE, b"y")),), batch.request.options)
    with pytest.raises(ValueError, match="already configured"):
        audited.logs.enable_full_query(FullQueryLogOptions(log_dir="/fql"))
    audited.logs.reset_full_query("/fql")
    assert audited.disk.list("/fql") == []


def test_both_logs_at_once() -> None:
    audited = Audited()
    audited.logs.enable_full_query(FullQueryLogOptions(log_dir="/fql"))
    audited.small.ask(Query("SELECT * FROM ks.t"))
    assert len(audited.said()) == 1
    assert len(audited.disk.list("/fql")) == 1
    audited.logs.disable_full_query()
    with pytest.raises(ValueError, match="Already logging"):
        audited.logs.enable_full_query(FullQueryLogOptions(log_dir="/audit"))
    audited.logs.close()
    assert audited.node.observer is None


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("INSERT INTO a.b JSON '{}'", ("UPDATE", "a", "b")),
        ("BEGIN BATCH DELETE FROM a.b WHERE k = 1; APPLY BATCH", ("BATCH", None, None)),
        ("CREATE INDEX i ON a.b (c)", ("CREATE_INDEX", "a", "i")),
        ("CREATE MATERIALIZED VIEW a.v AS SELECT * FROM a.b WHERE k IS NOT NULL PRIMARY KEY (k)", ("CREATE_VIEW", "a", "v")),
        ("ALTER TABLE a.b ADD c int", ("ALTER_TABLE", "a", "b")),
        ("TRUNCATE a.b", ("TRUNCATE", "a", "b")),
        ("GRANT SELECT ON a.b TO r", ("GRANT", "a", "data/a/b")),
        ("GRANT x TO y", ("GRANT", None, None)),
        ("LIST USERS", ("LIST_ROLES", None, None)),
        ("DESCRIBE TABLES", ("DESCRIBE", None, None)),
        ("DROP KEYSPACE a", ("DROP_KEYSPACE", "a", None)),
    ],
)
def test_kinds_of_statements(text: str, kind: tuple[str, str | None, str | None]) -> None:
    assert tuple(StatementKinds().of(text)) == kind


def test_kinds_of_plain_statements_are_known_by_how_they_begin() -> None:
    """A text that begins like one before it is of its kind; names in quotes, comments and functions are looked at whole."""
    kinds = StatementKinds()
    for text, kind in (
        ("INSERT INTO a.b (k) VALUES (1)", ("UPDATE", "a", "b")),
        ("insert into a.b (k) VALUES (2)", ("UPDATE", "a", "b")),
        ("INSERT INTO a.b2 (k) VALUES (2)", ("UPDATE", "a", "b2")),
        ("INSERT INTO B JSON '{}'", ("UPDATE", None, "b")),
        ('INSERT INTO "B" (k) VALUES (1)', ("UPDATE", None, "B")),
        ("INSERT INTO /* a.b (k) */ c (k) VALUES (1)", ("UPDATE", None, "c")),
        ("SELECT * FROM a.b", ("SELECT", "a", "b")),
        ("SELECT k, v FROM a.c WHERE k = 'x from a.b'", ("SELECT", "a", "c")),
        ("SELECT 'from a.b ' FROM a.d", ("SELECT", "a", "d")),
        ("SELECT count(*) FROM a.e", ("SELECT", "a", "e")),
        ("SELECT DISTINCT k FROM f;", ("SELECT", None, "f")),
        ("UPDATE a.b SET v = 1 WHERE k = 1", ("UPDATE", "a", "b")),
        ("UPDATE a.g USING TTL 5 SET v = 1 WHERE k = 1", ("UPDATE", "a", "g")),
        ("DELETE v, w FROM a.b WHERE k = 1", ("DELETE", "a", "b")),
        ("DELETE FROM a.h WHERE k = 1", ("DELETE", "a", "h")),
    ):
        assert tuple(kinds.of(text)) == kind, text
        assert tuple(kinds.of(text)) == kind, text


def test_settings_that_are_wrong() -> None:
    read = read_audit_log_options({"enabled": True, "logger": [{"class_name": "FileAuditLogger"}]})
    assert (read.enabled, read.logger) == (True, "FileAuditLogger")
    for value, fault in (
        ({"enabled": "yes"}, "enabled: 'yes' is no bool"),
        ({"nosuch": 1}, "nosuch"),
        ({"logger": {"class_name": "Other"}}, "Unable to find audit logger class 'Other'"),
        ({"included_categories": "DML,NOSUCH"}, "category NOSUCH"),
        ({"roll_cycle": "WEEKLY"}, "unrecognized roll cycle WEEKLY"),
        ({"max_log_size": 0}, "maxLogSize must be > 0"),
        ("on", "write a mapping"),
    ):
        with pytest.raises(ValueError, match=fault):
            read_audit_log_options(value)
