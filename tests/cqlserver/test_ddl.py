"""DDL, DESCRIBE and the rows of system_schema, against what Cassandra did: data/ddl.txt holds statements and their
recorded outcomes (data/record_ddl.py writes them). All statements run once, in order; then each is compared."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType, SimpleNamespace
from uuid import UUID

import pytest

from cqlserver.ddl import DdlContext, apply_ddl
from cqlserver.ddl.replication import parse_factor
from cqlserver.describe import ClusterFacts, describe
from cqlserver.program.config import Config
from cqlserver.system.definitions import stored_system_keyspaces
from cqlserver.system.virtual_definitions import virtual_keyspaces
from cqlserver.system.virtual_tables import VirtualTables
from grammar.errors import CqlSyntaxError as GrammarError
from grammar.parser import parse
from grammar.tree import Describe, Use
from protocol.errors import RequestError
from storage.reads import TableStore
from storage.schema.definitions import schema_tables
from storage.schema.metadata import Schema, TableMetadata
from storage.schema.tables import schema_mutations
from storage.schema.writes import SchemaWrite, apply_schema_write
from storage.stored_values import stored_values

DATA = Path(__file__).parent / "data" / "ddl.txt"

SELECT = re.compile(r"SELECT JSON (.+) FROM (\w+)\.(\w+)(?: WHERE keyspace_name = '(\w+)')?(?: AND table_name = '(\w+)')?")


def recorded() -> list[tuple[str, list[str]]]:
    found: list[tuple[str, list[str]]] = []
    for line in DATA.read_text().splitlines():
        if line.startswith("> "):
            found.append((line[2:], []))
        elif not line.startswith("#"):
            found[-1][1].append(line)
    return found


class Rows:
    """system_schema as tables: what the mutations leave behind."""

    def __init__(self) -> None:
        self.stores = {table.id: TableStore(table) for table in schema_tables().values()}

    def apply(self, writes: Iterable[SchemaWrite]) -> None:
        for write in writes:
            apply_schema_write(write, self.stores[write.table_id])

    def of(self, name: str) -> Iterator[Mapping[str, bytes | None]]:
        rows = stored_values(self.stores[schema_tables()[name].id], 0)
        return iter(sorted(rows, key=lambda row: row["keyspace_name"] or b""))


class Replay:
    def __init__(self) -> None:
        system = Schema.of([*stored_system_keyspaces(), *virtual_keyspaces()])
        self.rows = Rows()
        self.now_us = 1_700_000_000_000_000
        self.schema = Schema(MappingProxyType({}))
        self._take(system)
        self.keyspace: str | None = None
        self.ids = 0

    def _take(self, schema: Schema) -> None:
        self.now_us += 1000
        self.rows.apply(schema_mutations(self.schema, schema, self.now_us))
        self.schema = schema

    def _new_id(self) -> UUID:
        self.ids += 1
        return UUID(int=self.ids, version=1)

    def run(self, text: str) -> list[str]:
        warnings: list[str] = []
        try:
            outcome = self._answer(text, warnings)
        except (RequestError, GrammarError) as error:
            code = getattr(error, "code", 0x2000)
            outcome = [f"ERROR 0x{code:04X} {json.dumps(str(error))[1:-1]}"]
        return [f"WARNING {w}" for w in warnings] + outcome

    def _answer(self, text: str, warnings: list[str]) -> list[str]:
        if selected := SELECT.fullmatch(text):
            return self._select(*selected.groups())
        statement = parse(text)
        if isinstance(statement, Use):
            self.keyspace = statement.keyspace
            return [f"USE {statement.keyspace}"]
        if isinstance(statement, Describe):
            facts = ClusterFacts("Oracle", lambda _: {})
            answer = describe(self.schema, statement, self.keyspace, facts)
            lines = ["ROWS " + " ".join(c.name for c in answer.columns)]
            for row in answer.rows:
                lines.append("- " + json.dumps([value.decode() for value in row[:3]]))
                if len(row) > 3:
                    lines += ["|" + line for line in row[3].decode().split("\n")]
            return lines
        context = DdlContext(
            self.keyspace,
            lambda: self.now_us,
            self._new_id,
            {"datacenter1": 1},
            warnings.append,
            dynamic_data_masking_enabled=True,
            drop_compact_storage_enabled=True,
        )
        schema, change = apply_ddl(self.schema, statement, context)
        self._take(schema)
        if change is None:
            return ["VOID"]
        full_name = f"{change.keyspace}.{change.name}" if change.name else change.keyspace
        return [f"{change.change} {change.target} {full_name}"]

    def _select(self, columns: str, keyspace: str, name: str, owner: str | None, table_name: str | None) -> list[str]:
        table = self.schema.keyspaces[keyspace].tables[name]
        rows: Iterable[Mapping[str, bytes | None]]
        if keyspace == "system_schema":
            rows = self.rows.of(name)
        else:
            server = SimpleNamespace(schema=self.schema, config=Config(), sessions=())
            values = stored_values(VirtualTables(server).store(table), 0)
            rows = sorted(values, key=lambda row: [row[c.name] or b"" for c in table.columns if c.is_primary_key])
        names = [c.name for c in table.columns] if columns == "*" else [c.strip() for c in columns.split(",")]
        lines = ["ROWS [json]"]
        for row in rows:
            if owner and row["keyspace_name"] != owner.encode():
                continue
            if table_name and row["table_name"] != table_name.encode():
                continue
            lines.append("- " + json.dumps([_json(table, names, row)]))
        return lines


def _json(table: TableMetadata, names: list[str], row: Mapping[str, bytes | None]) -> str:
    parts = []
    for name in names:
        value = row.get(name)
        text = "null" if value is None else table.by_name[name].type.to_json(value)
        parts.append(f"{json.dumps(name)}: {text}")
    return "{" + ", ".join(parts) + "}"


@cache
def replay() -> tuple[Replay, list[list[str]], list[Schema]]:
    running = Replay()
    outcomes, schemas = [], []
    for text, _ in recorded():
        outcomes.append(running.run(text))
        schemas.append(running.schema)
    return running, outcomes, schemas


@pytest.mark.parametrize("index", range(len(recorded())), ids=lambda i: recorded()[i][0][:60])
def test_statement_has_the_recorded_outcome(index: int) -> None:
    text, expected = recorded()[index]
    assert replay()[1][index] == expected, text


@pytest.mark.parametrize(
    ("factor", "is_enabled", "tokens", "message"),
    [
        ("3/1", False, 16, "Transient replication is not enabled on this node"),
        ("3/1", True, 16, "Transient nodes are not allowed with multiple tokens"),
        ("3/3", True, 1, "Transient replicas must be zero, or less than total replication factor. For 3/3"),
        ("3/-1", True, 1, "Amount of transient nodes should be strictly positive, but was: '-1'"),
        ("-3/1", True, 1, "Replication factor must be non-negative, found -3"),
        ("3/1", True, 1, "Transient replicas are not supported: write the number of replicas alone"),
        ("3/1/1", True, 1, "Replication factor format is <replicas> or <replicas>/<transient>"),
    ],
)
def test_transient_replicas_are_refused(factor: str, is_enabled: bool, tokens: int, message: str) -> None:
    context = DdlContext(
        None,
        lambda: 0,
        lambda: UUID(int=0),
        {"datacenter1": 3},
        lambda warning: None,
        transient_replication_enabled=is_enabled,
        token_count=tokens,
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        parse_factor(factor, context)


def test_no_transient_replicas_are_a_plain_number() -> None:
    assert parse_factor("3/0") == 3
