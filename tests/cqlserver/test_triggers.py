"""DROP TRIGGER of a trigger that came with another server's schema, and CREATE TRIGGER beside it."""

from dataclasses import replace
from types import MappingProxyType
from uuid import UUID

import pytest

from cqlserver.ddl import DdlContext, apply_ddl
from grammar.parser import parse
from protocol.errors import InvalidRequest
from protocol.responses import SchemaChange
from storage.schema.metadata import Schema, TriggerMetadata


def _context() -> DdlContext:
    return DdlContext("ks", lambda: 1, lambda: UUID(int=1), {"datacenter1": 1}, lambda warning: None)


def _with_trigger() -> Schema:
    schema = Schema(MappingProxyType({}))
    for text in (
        "CREATE KEYSPACE ks WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}",
        "CREATE TABLE t (k int PRIMARY KEY)",
    ):
        schema, _ = apply_ddl(schema, parse(text), _context())
    keyspace = schema.keyspaces["ks"]
    table = keyspace.tables["t"]
    triggers = MappingProxyType({"audit": TriggerMetadata("audit", "com.example.Audit")})
    return schema.with_keyspace(keyspace.with_table(replace(table, triggers=triggers)))


def test_a_trigger_that_came_with_the_schema_is_dropped() -> None:
    schema, change = apply_ddl(_with_trigger(), parse("DROP TRIGGER audit ON t"), _context())
    assert not schema.keyspaces["ks"].tables["t"].triggers
    assert change == SchemaChange("UPDATED", "TABLE", "ks", "t")
    assert apply_ddl(schema, parse("DROP TRIGGER IF EXISTS audit ON t"), _context()) == (schema, None)


def test_a_trigger_of_its_name_is_there_already() -> None:
    schema = _with_trigger()
    with pytest.raises(InvalidRequest, match=r"^Trigger 'audit' already exists$"):
        apply_ddl(schema, parse("CREATE TRIGGER audit ON t USING 'x'"), _context())
    assert apply_ddl(schema, parse("CREATE TRIGGER IF NOT EXISTS audit ON t USING 'x'"), _context()) == (schema, None)
