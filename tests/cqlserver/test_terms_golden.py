"""Literals of all kinds for columns of all types, against what Cassandra stored or said: data/terms.txt, recorded by
data/record_terms.py."""

import importlib.util
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from protocol.errors import RequestError

HERE = Path(__file__).parent
_spec = importlib.util.spec_from_file_location("small_database", HERE / "small_database.py")
assert _spec is not None
assert _spec.loader is not None
_module = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_module)


def recorded() -> dict[str, list[tuple[str, str]]]:
    found: dict[str, list[tuple[str, str]]] = {}
    for line in (HERE / "data" / "terms.txt").read_text().splitlines():
        if line.startswith("> "):
            cases = found.setdefault(line[2:], [])
        else:
            literal, outcome = line.split("\t")
            cases.append((literal, outcome))
    return found


RECORDED = recorded()


@cache
def database() -> Any:
    made = _module.SmallDatabase("terms_golden")
    made.run("CREATE TYPE ut (x int, y text)")
    columns = ", ".join(f"c{index} {type_}" for index, type_ in enumerate(RECORDED))
    made.run(f"CREATE TABLE t (k int PRIMARY KEY, {columns})")
    return made


def outcome(index: int, key: int, literal: str) -> str:
    base = database()
    try:
        base.run(f"INSERT INTO t (k, c{index}) VALUES ({key}, {literal})")
    except RequestError as error:
        return f"{type(error).__name__}: {error.message}"
    value = base.run(f"SELECT c{index} FROM t WHERE k = {key}").rows()[0][0]
    return "null" if value is None else f"={value.hex()}"


@pytest.mark.parametrize(("index", "type_"), list(enumerate(RECORDED)))
def test_literals_as_cassandra(index: int, type_: str) -> None:
    cases = RECORDED[type_]
    mine = [(literal, outcome(index, key, literal)) for key, (literal, _) in enumerate(cases, index * 1000)]
    assert mine == cases
