"""SELECT against what Cassandra answered: data/select.txt, recorded by data/record_select.py from data/select.cql.

Every statement runs in one go and at page size 2; columns, rows, page boundaries, warnings and errors must be equal.
"""

import importlib.util
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from protocol.errors import RequestError
from protocol.primitives import Reader
from protocol.requests import QueryOptions
from protocol.responses import RowsResult
from protocol.type_options import read_type

HERE = Path(__file__).parent


def _load(name: str) -> object:
    spec = importlib.util.spec_from_file_location(name, HERE / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


SmallDatabase = _load("small_database").SmallDatabase  # type: ignore[attr-defined]


def recorded() -> list[tuple[str, list[str]]]:
    found: list[tuple[str, list[str]]] = []
    for line in (HERE / "data" / "select.txt").read_text().splitlines():
        if line.startswith("> "):
            found.append((line[2:], []))
        else:
            found[-1][1].append(line)
    return found


@cache
def database() -> object:
    """With the recording's tables and rows."""
    made = SmallDatabase("select_golden")
    for text, _ in recorded():
        if not text.startswith("SELECT"):
            made.run(text)
    return made


def shown(result: RowsResult, number: int) -> Iterator[str]:
    columns = result.metadata.columns
    types = [read_type(Reader(column.type.option(4))).cql() for column in columns]  # as a client sees them
    shown_columns = [f"{column.name} {type_}" for column, type_ in zip(columns, types, strict=True)]
    yield "  --" if number else "  " + ", ".join(shown_columns)
    for row in result.rows():
        values = ["-" if value is None else value.hex() for value in row]
        yield "  | " + " ".join(value or "''" for value in values)


def outcome(text: str) -> Iterator[str]:
    yield from pages_of(text, -1)
    yield " pages"
    yield from pages_of(text, 2)


def pages_of(text: str, page_size: int) -> Iterator[str]:
    base = database()
    state = None
    number = 0
    while number == 0 or state is not None:
        try:
            plan = base.compile(text)  # type: ignore[attr-defined]
            options = QueryOptions(page_size=page_size, paging_state=state)
            result = base.execute(plan, options)  # type: ignore[attr-defined]
        except RequestError as error:
            yield f"  {type(error).__name__}: {error.message}"
            return
        yield from shown(result, number)
        for warning in base.state.warnings:  # type: ignore[attr-defined]
            yield f"  warning: {warning}"
        state = result.paging_state
        number += 1


@pytest.mark.parametrize(("text", "expected"), [case for case in recorded() if case[0].startswith("SELECT")])
def test_as_cassandra(text: str, expected: list[str]) -> None:
    assert list(outcome(text)) == expected
