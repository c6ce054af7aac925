"""The harness itself, without a server: what a script says is what is sent, and nothing writes outcomes but a recording."""

from pathlib import Path

import pytest
from harness.directives import parse_directives
from harness.literals import BoundValue, parse_values
from harness.normaliser import Normaliser
from harness.recorder import SCRIPTS, find_scripts
from harness.script import WAYS, ScriptError, load_script, parse_script

from protocol.primitives import UNSET

SCRIPT = """# What it is about.

# A sentence.
@ page size 2
@ values int 1
SELECT k
  FROM t WHERE k = ?;
| old

@ batch unlogged
INSERT INTO t (k) VALUES (1)
@ and
INSERT INTO t (k) VALUES (2)
|= simple
| void
"""


@pytest.mark.parametrize("path", find_scripts(), ids=lambda path: path.relative_to(SCRIPTS).with_suffix("").as_posix())
def test_rendering_a_stored_script_gives_its_text_back(path: Path) -> None:
    assert load_script(path).render() == path.read_text(encoding="utf-8")


def test_steps_hold_statements_without_comments_directives_and_outcome() -> None:
    script = parse_script(SCRIPT, Path("x.cql"))
    assert [step.statements for step in script.steps] == [
        (),
        ("SELECT k\n  FROM t WHERE k = ?",),
        ("INSERT INTO t (k) VALUES (1)", "INSERT INTO t (k) VALUES (2)"),
    ]
    assert script.steps[1].directives.page_size == 2
    assert script.statement_count == 3
    assert script.render() == SCRIPT


def test_an_outcome_is_written_once_where_all_ways_agree_and_per_way_where_not() -> None:
    step = parse_script(SCRIPT, Path("x.cql")).steps[1]
    assert step.with_outcome(dict.fromkeys(WAYS, ("void",))).outcome == (" void",)
    assert step.with_outcome({way: ("late",) if way.prepared else ("soon",) for way in WAYS}).outcome == (
        "= simple",
        " soon",
        "= prepared",
        " late",
    )
    prepared = {way: ("? markers", "void") if way.prepared else ("void",) for way in WAYS}
    assert step.with_outcome(prepared).outcome == ("? markers", " void")


def test_values_are_typed_literals_null_unset_or_raw_bytes() -> None:
    assert parse_values("int 1, null, unset, text 'it''s', int 0x00, v = list<int> [1, null]") == (
        BoundValue(None, b"\0\0\0\x01"),
        BoundValue(None, None),
        BoundValue(None, UNSET),
        BoundValue(None, b"it's"),
        BoundValue(None, b"\0"),
        BoundValue("v", b"\0\0\0\x02\0\0\0\x04\0\0\0\x01\xff\xff\xff\xff"),
    )


@pytest.mark.parametrize("text", ["int", "nope 1", "int 1 2", "list<int> [1"])
def test_a_malformed_value_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        parse_values(text)


def test_an_unknown_directive_is_refused() -> None:
    with pytest.raises(ValueError, match="unknown directive"):
        parse_directives([(0, "pagesize 2")])


@pytest.mark.parametrize(
    "statement",
    [
        "TRUNCATE system.local",
        "truncate table system.peers",
        "INSERT INTO system.local (key) VALUES ('x')",
        "UPDATE system_auth.roles SET is_superuser = false",
        "DELETE FROM system.local WHERE key = 'local'",
        "DELETE rack FROM \"system\".local WHERE key = 'local'",
        "USE system",
        "CREATE ROLE x",
        "ALTER USER cassandra NOSUPERUSER",
        "GRANT ALL ON ALL KEYSPACES TO x",
    ],
)
def test_a_statement_that_could_damage_the_shared_server_is_refused(statement: str) -> None:
    """A script once truncated system.local of the server that outcomes are recorded from: Cassandra does not refuse it."""
    with pytest.raises(ScriptError, match="damage"):
        parse_script(statement, Path("x.cql"))


def test_only_what_can_not_be_equal_is_normalised() -> None:
    text = "INSERT INTO t (u) VALUES (123e4567-e89b-42d3-a456-426655440000) USING TTL 500"
    normaliser = Normaliser("script_1", text)
    assert normaliser.text("Keyspace script_1_b") == "Keyspace $ks_b"
    assert normaliser.value("u", "uuid", "123e4567-e89b-42d3-a456-426655440000") == "123e4567-e89b-42d3-a456-426655440000"
    assert normaliser.value("u", "uuid", "023e4567-e89b-42d3-a456-426655440000") == "<uuid>"
    assert normaliser.value("now()", "timeuuid", "023e4567-e89b-12d3-a456-426655440000") == "<timeuuid>"
    assert normaliser.value("ttl(u)", "int", "499") == "<ttl 500>"
    assert normaliser.value("ttl(u)", "int", "480") == "480"
    assert normaliser.value("system.min(ttl(u))", "int", "499") == "<ttl 500>"
    assert normaliser.value("[json]", "text", """'{"k": 499, "ttl(v)": 499}'""") == """'{"k": 499, "ttl(v)": <ttl 500>}'"""
    assert normaliser.value("u", "int", "499") == "499"
    assert normaliser.value("writetime(u)", "bigint", "1000") == "1000"
    assert normaliser.value("ts", "timestamp", "'2020-01-01 00:00:00.000Z'") == "'2020-01-01 00:00:00.000Z'"
