"""Executions of SELECT: pages put together are the whole, long work pauses, cut-out literals are bound."""

import importlib.util
import random
import tracemalloc
from pathlib import Path
from typing import Any

import pytest

from cqlserver.pending import Pending
from cqlserver.plans.select import compile_select
from cqlserver.terms.binding import BindContext
from grammar import tree
from grammar.parser import parse
from protocol.errors import InvalidRequest, ProtocolError
from protocol.requests import QueryOptions

_spec = importlib.util.spec_from_file_location("small_database", Path(__file__).parent / "small_database.py")
assert _spec is not None
assert _spec.loader is not None
_module = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_module)


@pytest.fixture(scope="module")
def database() -> Any:
    made = _module.SmallDatabase()
    made.run("CREATE TABLE t (k int, c int, v int, s int static, PRIMARY KEY (k, c)) WITH CLUSTERING ORDER BY (c DESC)")
    made.run("CREATE TABLE big (k int, c int, v int, PRIMARY KEY (k, c))")
    random_numbers = random.Random(5)
    for k in range(12):
        if k % 4 == 0:
            made.run(f"INSERT INTO t (k, s) VALUES ({k}, {k})")
        for _ in range(random_numbers.choice((0, 1, 2, 3, 7))):
            c = random_numbers.randrange(10)
            made.run(f"INSERT INTO t (k, c, v) VALUES ({k}, {c}, {random_numbers.randrange(3)})")
    for c in range(2000):
        made.run(f"INSERT INTO big (k, c, v) VALUES ({c % 2}, {c}, {c})")
    return made


PAGED = [
    "SELECT * FROM t",
    "SELECT k, c + v, writetime(v) FROM t",
    "SELECT JSON * FROM t",
    "SELECT * FROM t LIMIT 9",
    "SELECT * FROM t PER PARTITION LIMIT 2",
    "SELECT * FROM t PER PARTITION LIMIT 2 LIMIT 7",
    "SELECT DISTINCT k, s FROM t",
    "SELECT * FROM t WHERE v = 1 ALLOW FILTERING",
    "SELECT * FROM t WHERE c > 3 ALLOW FILTERING",
    "SELECT * FROM t WHERE k IN (0, 1, 2, 3, 4, 5, 6, 7, 8)",
    "SELECT * FROM t WHERE k IN (0, 1, 2, 3, 4, 5, 6, 7, 8) PER PARTITION LIMIT 1",
    "SELECT * FROM t WHERE k IN (0, 1, 2, 3, 4, 5, 6, 7, 8) AND c IN (1, 3, 5, 7) LIMIT 5",
    "SELECT * FROM t WHERE k = 3 ORDER BY c ASC",
    "SELECT * FROM t WHERE k = 3 AND c < 8 ORDER BY c ASC",
    "SELECT * FROM t WHERE token(k) > 0",
    "SELECT k, count(*), sum(v) FROM t GROUP BY k",
    "SELECT k, c, count(*) FROM t GROUP BY k, c",
    "SELECT k, c, count(*) FROM t GROUP BY k, c PER PARTITION LIMIT 2",
    "SELECT k, c, max(v) FROM t GROUP BY k, c LIMIT 8",
]


@pytest.mark.parametrize("page_size", [1, 2, 3, 5, 100])
@pytest.mark.parametrize("text", PAGED)
def test_pages_make_up_the_whole(database: Any, text: str, page_size: int) -> None:
    whole = database.run(text)
    pages = database.pages(text, page_size)
    assert [row for page in pages for row in page.rows()] == whole.rows()
    assert all(page.row_count == page_size for page in pages[:-1])
    assert pages[-1].row_count <= page_size


def test_an_aggregate_over_pages_is_one_row(database: Any) -> None:
    pages = database.pages("SELECT count(*) FROM big", 10)
    assert [page.rows() for page in pages] == [[((2000).to_bytes(8, "big"),)]]


@pytest.mark.parametrize(
    "text",
    ["SELECT * FROM big", "SELECT count(*) FROM big", "SELECT v FROM big WHERE v = -1 ALLOW FILTERING"],
)
def test_long_work_pauses(database: Any, text: str) -> None:
    plan = database.compile(text)
    steps = sum(1 for _ in plan.run(database.state, QueryOptions()))
    assert 2 <= steps <= 50
    assert isinstance(plan.execute(database.state, QueryOptions()), Pending)


@pytest.mark.parametrize("text", ["SELECT max(v) FROM l", "SELECT c FROM l WHERE v = 0x00 ALLOW FILTERING"])
def test_values_of_large_rows_are_not_copied_all_at_once(text: str) -> None:
    made = _module.SmallDatabase()
    made.run("CREATE TABLE l (k int, c int, v blob, PRIMARY KEY (k, c))")
    for c in range(40):
        made.run(f"INSERT INTO l (k, c, v) VALUES (1, {c}, 0x{'ab' * 200_000})")
    made.run(text)
    tracemalloc.start()
    try:
        made.run(text)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < 3_000_000


def test_short_work_does_not(database: Any) -> None:
    plan = database.compile("SELECT * FROM big WHERE k = 1 AND c = 3")
    assert plan.execute(database.state, QueryOptions()).row_count == 1


def test_a_foreign_paging_state_is_refused(database: Any) -> None:
    plan = database.compile("SELECT * FROM t")
    with pytest.raises(ProtocolError, match="Invalid value for the paging state"):
        plan.execute(database.state, QueryOptions(page_size=2, paging_state=b"\x00nonsense"))


def compile_shape(database: Any, text: str) -> Any:
    statement = parse(text, literals_as_markers=True)
    assert isinstance(statement, tree.Select)
    table = database.schema.maybe_table("k", statement.table.name)
    context = BindContext(table, database.schema, statement.markers, _module.Calls(), True)
    return compile_select(database, statement, context)


def test_cut_out_literals_come_behind_the_bound_values(database: Any) -> None:
    plan = compile_shape(database, "SELECT v FROM big WHERE k = 7 AND c IN (7, 8)")
    assert plan.bind_specs == ()
    result = database.execute(plan, QueryOptions(values=("1", "3", "5")))  # type: ignore[arg-type]
    assert [int.from_bytes(row[0] or b"", "big") for row in result.rows()] == [3, 5]
    with pytest.raises(InvalidRequest, match="Unable to make int from '99999999999'"):
        database.execute(plan, QueryOptions(values=("99999999999", "3", "5")))  # type: ignore[arg-type]


def test_no_page_follows_the_last_group_of_a_partition(database: Any) -> None:
    """The group that the partition's end closes counts, too."""
    pages = database.pages("SELECT k, count(v) FROM big WHERE k IN (0, 1) GROUP BY k PER PARTITION LIMIT 1", 1)
    assert [page.row_count for page in pages] == [1, 1]
