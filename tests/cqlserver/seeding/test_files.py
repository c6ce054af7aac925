"""Files of rows and CQL as statements: formats, order, and faults with their place."""

import gzip
from collections.abc import Callable
from pathlib import Path

import pytest

from cqlserver.seeding import rows
from cqlserver.seeding.errors import SeedError
from cqlserver.seeding.files import files_of, statements_of, table_of
from cqlserver.seeding.tables import TableName, quoted, row_statement

Write = Callable[[str, str], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write(name: str, text: str) -> Path:
        file = tmp_path / name
        file.write_text(text)
        return file

    return write


def statements(path: Path, *counters: str) -> list[tuple[int, str]]:
    return [
        (statement.line, statement.text)
        for file in files_of(path)
        for statement in statements_of(file, lambda table, column: column in counters)
    ]


def insert(columns: str, *values: str, table: str = '"shop"."orders"') -> str:
    terms = ", ".join(f"fromJson('{value}')" for value in values)
    return f"INSERT INTO {table} ({columns}) VALUES ({terms})"


def fault(path: Path) -> str:
    with pytest.raises(SeedError) as caught:
        statements(path)
    return str(caught.value).replace(f"{path.parent}/", "")


def test_csv_cells_are_passed_on_as_text_and_empty_ones_left_out(write: Write) -> None:
    file = write("shop.orders.csv", 'id,item,tags,"Note"\n1,"it\'s, tea","[""a""]",\n\n2,,,"two\nlines"\n3,x,,\n')
    assert statements(file) == [
        (2, insert('"id", "item", "tags"', '"1"', '"it\'\'s, tea"', r'"[\"a\"]"')),
        (4, insert('"id", "Note"', '"2"', r'"two\nlines"')),
        (6, insert('"id", "item"', '"3"', '"x"')),
    ]


@pytest.mark.parametrize(
    "text",
    ['[{"k": 1, "v": null},\n {"k": 2, "v": 1.10}]\n', '{"k": 1}\n{"k": 2, "v": 1.10}', '\n[]', '[\n{"k": 1}\n,\n{"k": 2}]'],
    ids=["list", "lines", "empty", "odd"],
)
@pytest.mark.parametrize("chunk", [1, 3, 65_536])
def test_json_rows_keep_their_lines_and_digits(
    write: Write, monkeypatch: pytest.MonkeyPatch, text: str, chunk: int
) -> None:
    monkeypatch.setattr(rows, "_CHUNK_CHARS", chunk)
    found = statements(write("t.json", text))
    assert [line for line, _ in found] == [n for n, part in enumerate(text.split("\n"), 1) if '"k"' in part]
    assert not any("null" in statement for _, statement in found)
    if "1.10" in text:
        assert found[1][1] == insert('"k", "v"', "2", '"1.10"', table='"t"')


def test_yaml_rows(write: Write) -> None:
    file = write("shop.t.yaml", "- k: 1\n  day: 2020-01-02\n  m: {a: 1}\n- k: 2\n  v: ~\n")
    assert statements(file) == [
        (1, insert('"k", "day", "m"', "1", '"2020-01-02"', '{"a": 1}', table='"shop"."t"')),
        (4, insert('"k"', "2", table='"shop"."t"')),
    ]


def test_counters_are_added_to(write: Write) -> None:
    file = write("shop.visits.csv", "page,day,n\n/it's,2020-01-02,5\n")
    assert statements(file, "n") == [
        (2, """UPDATE "shop"."visits" SET "n" = "n" + 5 WHERE "page" = '/it''s' AND "day" = '2020-01-02'""")
    ]


def test_a_folder_is_read_in_the_order_of_its_names(write: Write, tmp_path: Path) -> None:
    write("10-b.csv", "k\n1\n")
    write("02_schema.cql", "-- x\nA;\n\nB")
    write("README.md", "no")
    (tmp_path / "03-more.cql.gz").write_bytes(gzip.compress(b"C"))
    found = statements(tmp_path)
    assert found == [(2, "A"), (4, "B"), (1, "C"), (2, insert('"k"', '"1"', table='"b"'))]


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("t.csv", "a,b\n1,2\n3\n", "t.csv:3: 1 cells, where the first line names 2 columns"),
        ("t.csv", "", "t.csv:1: the first line must name the columns"),
        ("t.csv", 'a\n"x\n', "t.csv:2: no CSV: unexpected end of data"),
        ("t.json", '[{"a": 1},\n{"a" 1}]', "t.json:2: no JSON: Expecting ':' delimiter"),
        ("t.json", "[1]", "t.json:1: a row is an object with the columns' names and values"),
        ("t.json", '[{"a": 1}\n', "t.json:2: no JSON: the list does not end with the file"),
        ("t.yaml", "a: 1\n", "t.yaml:1: the file must be a list of rows"),
        ("t.yaml", "- a: [\n", "t.yaml:2: no YAML: expected the node content, but found '<stream end>'"),
        ("a.b.c.csv", "a\n", "a.b.c.csv: rows are in files named [keyspace.]table.csv"),
        ("x.cql.gz", "no gzip", "x.cql.gz: no gzip file: Not a gzipped file (b'no')"),
    ],
)
def test_faults_name_file_and_line(
    write: Write, monkeypatch: pytest.MonkeyPatch, name: str, text: str, told: str
) -> None:
    assert fault(write(name, text)) == told
    monkeypatch.setattr(rows, "_CHUNK_CHARS", 1)
    assert fault(write(name, text)) == told


def test_rows_are_read_as_they_are_wanted(write: Write) -> None:
    """What is wrong far behind is found when the rows before it are done."""
    for name, text in (("t.csv", "k\n" + "1\n" * 100_000 + "1,2\n"), ("t.json", '{"k": 1}\n' * 100_000 + "{")):
        found = statements_of(write(name, text), lambda table, column: False)
        assert next(found).line in (1, 2)
        with pytest.raises(SeedError, match=r"(100002|100001): "):
            list(found)


def test_what_is_no_seed_at_all_is_told(tmp_path: Path, write: Write) -> None:
    assert fault(tmp_path / "missing.cql") == "missing.cql: No such file or directory"
    assert "what is in it is told by the name's end" in fault(write("x.txt", ""))
    (tmp_path / "folder").mkdir()
    assert fault(tmp_path / "folder").startswith("folder: the folder has no files that end with .cql, .cql.gz")
    binary = tmp_path / "b.cql"
    binary.write_bytes(b"\xff\xfe")
    later = tmp_path / "t.csv"
    later.write_bytes(b"k\n1\n" * 50_000 + b"a\xff\n")
    assert fault(later) == "t.csv:100001: no UTF-8 text: byte 200001 is 0xff"
    assert fault(binary) == "b.cql:1: no UTF-8 text: byte 0 is 0xff"


def test_names() -> None:
    assert table_of(Path("x/12-Shop.Orders.csv")) == TableName("Shop", "Orders")
    assert TableName("Shop", "orders").cql == '"Shop"."orders"'
    assert quoted('a"b') == '"a""b"'
    assert row_statement(TableName(None, "t"), {"K": "x'y"}, lambda _: False) == insert('"K"', '"x\'\'y"', table='"t"')
