"""What nodetool prints: sizes, tables, JSON and YAML in Java's manner; how its arguments are taken apart."""

import math

import pytest

from cqlserver.nodetool.arguments import UsageError, parse
from cqlserver.nodetool.commands import COMMANDS
from cqlserver.nodetool.printing import as_json, as_yaml, double, file_size, in_java_order, memory_size, table


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0, "0.0"), (1.5, "1.5"), (0.00012, "1.2E-4"), (0.001, "0.001"), (2e7, "2.0E7"), (math.nan, "NaN"), (None, "NaN")],
)
def test_doubles_are_javas(value: float | None, text: str) -> None:
    assert double(value) == text


@pytest.mark.parametrize(
    ("size", "text"),
    [(0, "0 bytes"), (658, "658 bytes"), (1024, "1 KiB"), (117_443, "114.69 KiB"), (100 << 20, "100 MiB")],
)
def test_sizes_of_files(size: int, text: str) -> None:
    assert file_size(size) == text


@pytest.mark.parametrize(("size", "text"), [(0, "0B"), (786, "786B"), (6847, "6.687KiB"), (3 << 30, "3.000GiB")])
def test_sizes_in_memory(size: int, text: str) -> None:
    assert memory_size(size) == text


def test_all_cells_of_a_column_are_as_wide_as_the_widest() -> None:
    assert table([["a", "bb"], ["ccc"], ["d", "e", "f"]]) == "a   bb\nccc\nd   e  f\n"


def test_json_and_yaml() -> None:
    value = {"a": {"none": math.nan, "list": ["x", 1], "empty": [], "map": {}}, "n": 1.0, "text": "0.5"}
    assert as_json(value) == (
        '{\n  "a" : {\n    "none" : null,\n    "list" : [ "x", 1 ],\n    "empty" : [ ],\n    "map" : { }\n  },\n'
        '  "n" : 1.0,\n  "text" : "0.5"\n}\n'
    )
    assert as_yaml(value) == (
        "a:\n  none: .NaN\n  list:\n  - x\n  - 1\n  empty: []\n  map: {}\nn: 1.0\ntext: '0.5'\n\n"
    )


def test_the_order_of_a_java_hash_map() -> None:
    names = ["keyspace_name", "columnfamily_name", "compacted_at", "bytes_in", "bytes_out", "rows_merged", "id"]
    assert list(in_java_order(dict.fromkeys(names, 0))) == [
        "keyspace_name", "bytes_out", "bytes_in", "columnfamily_name", "rows_merged", "id", "compacted_at",
    ]  # fmt: skip


def test_options_stand_before_the_command_or_behind_it() -> None:
    parsed = parse(["-p", "1", "status", "--host=h", "-r", "--", "-pp"], COMMANDS)
    assert parsed.command is COMMANDS["status"]
    assert parsed.arguments == ["-pp"]
    chosen = {name: value for name, value in parsed.options.items() if value}
    assert chosen == {"port": "1", "host": "h", "resolve_ip": True}
    assert parse([], COMMANDS).command is None
    with pytest.raises(UsageError, match="Found unexpected parameters: \\[b, -a\\]"):
        parse(["b", "-a"], COMMANDS)
