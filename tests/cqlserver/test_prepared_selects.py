"""Prepared SELECTs against Cassandra: bind specifications, partition key indexes, and what odd values are answered
with (data/prepared_selects.py holds the cases, prepared_selects.txt the recording)."""

import importlib.util
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from protocol.errors import RequestError
from protocol.primitives import Reader
from protocol.requests import QueryOptions
from protocol.responses import ColumnSpec
from protocol.type_options import read_type

HERE = Path(__file__).parent


def _load(path: str) -> Any:
    spec = importlib.util.spec_from_file_location(Path(path).stem, HERE / path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


CASES = _load("data/prepared_selects.py")


@cache
def database() -> Any:
    made = _load("small_database.py").SmallDatabase(CASES.KEYSPACE)
    for text in CASES.SCHEMA:
        made.run(text)
    return made


def recorded() -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for line in (HERE / "data" / "prepared_selects.txt").read_text().splitlines():
        if line.startswith("> "):
            lines = found.setdefault(line[2:], [])
        else:
            lines.append(line)
    return found


def outcome(text: str, executions: list[Any]) -> Iterator[str]:
    base = database()
    try:
        plan = base.compile(text)
    except RequestError as error:
        yield f"  {type(error).__name__}: {error.message}"
        return
    seen = [ColumnSpec(s.keyspace, s.table, s.name, read_type(Reader(s.type.option(4)))) for s in plan.bind_specs]
    yield from CASES.spec_lines(seen, plan.partition_key_indexes)
    for values in executions:
        try:
            result = base.execute(plan, QueryOptions(values=values))
            yield f"  rows {CASES.row_lines(result.rows())}"
        except RequestError as error:
            yield f"  {type(error).__name__}: {error.message}"


@pytest.mark.parametrize(("text", "executions"), CASES.CASES)
def test_as_cassandra(text: str, executions: list[Any]) -> None:
    assert list(outcome(text, executions)) == recorded()[text]
