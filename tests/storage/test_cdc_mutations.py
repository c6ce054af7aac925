"""docs/formats/cdc.md says what the code does: its example is written again, byte for byte, and read."""

import re
from pathlib import Path
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from storage_tables import column, int_value

from protocol.types import INT, TEXT
from storage.cdc.format import read_segment, section, segment_header
from storage.cdc.mutations import UpdateEncoder, encode_mutation
from storage.cdc.packed_writer import CapturedWriter
from storage.commitlog.records import split_tracked
from storage.keys import clustering_order_key
from storage.mutation import LIVE, Cell, Deletion, Liveness, PartitionUpdate, RangeTombstone, Row
from storage.reads import TableStore
from storage.schema.metadata import ColumnKind, TableMetadata

PAGE = (Path(__file__).parents[2] / "docs" / "formats" / "cdc.md").read_text()
BASE_US, BASE_S = 1_442_880_000_000_000, 1_442_880_000
ID = 1_700_000_000_000
TABLE = TableMetadata(
    "ks",
    "t",
    UUID("00112233-4455-6677-8899-aabbccddeeff"),
    (
        column("k", ColumnKind.PARTITION_KEY, INT, 0),
        column("c", ColumnKind.CLUSTERING, INT, 0),
        column("s", ColumnKind.STATIC, TEXT),
        column("v", ColumnKind.REGULAR, TEXT),
        column("w", ColumnKind.REGULAR, INT),
    ),
)
ORDER_KEY = clustering_order_key(TABLE)


def update_of(rows: dict[int, Row], *tombstones: RangeTombstone, static: Row | None = None) -> PartitionUpdate:
    by_key = {ORDER_KEY((int_value(c),)): row for c, row in rows.items()}
    return PartitionUpdate(TABLE.id, int_value(1), LIVE, static, by_key, tombstones)


def range_of(low: int, high: int, timestamp_us: int) -> RangeTombstone:
    """c > low AND c <= high."""
    start, end = (int_value(low),), (int_value(high),)
    deletion = Deletion(timestamp_us, BASE_S + 100)
    return RangeTombstone(ORDER_KEY(start) + b"\xff", ORDER_KEY(end) + b"\xff", deletion, start, end)


INSERT = update_of({2: Row((int_value(2),), Liveness(BASE_US + 1000), LIVE, {"v": Cell(BASE_US + 1000, b"hi")})})
BATCH = update_of(
    {
        2: Row(
            (int_value(2),),
            columns={"v": Cell(BASE_US + 2000, None, 0, BASE_S + 100), "w": Cell(BASE_US + 2000, int_value(7))},
        )
    },
    range_of(3, 5, BASE_US + 2000),
    static=Row((), columns={"s": Cell(BASE_US + 2000, b"st", 60, BASE_S + 60)}),
)


def encoded(update: PartitionUpdate) -> bytes:
    return encode_mutation([UpdateEncoder(TABLE, has_uint_deletion_times=False).encode(update)])


def test_the_pages_example_is_what_is_written() -> None:
    (block,) = re.findall(r"```hex\n(.*?)```", PAGE, re.DOTALL)
    example = bytes.fromhex("".join(line.partition("|")[0] for line in block.splitlines()))
    data = segment_header(7, ID)
    for update in (INSERT, BATCH):
        data += section(ID, len(data), [encoded(update)])
    assert data.hex(" ") == example.hex(" ")
    assert read_segment(example).mutations == [encoded(INSERT), encoded(BATCH)]


def test_what_the_update_itself_deletes_is_left_out_but_counted() -> None:
    rows = {
        c: Row((int_value(c),), Liveness(timestamp_us), LIVE, {"v": Cell(timestamp_us, b"x")})
        for c, timestamp_us in ((3, BASE_US + 1), (4, BASE_US + 1), (5, BASE_US + 9))
    }
    made = encoded(update_of(rows, range_of(3, 5, BASE_US + 5)))
    at = made.index(b"\x01\x01v") + 3
    assert made[at] == 3
    assert [c for c in (3, 4, 5) if b"\x24\x00" + int_value(c) in made[at:]] == [3, 5]


def test_ranges_that_overlap_are_told_as_one_line() -> None:
    made = encoded(update_of({}, range_of(1, 5, BASE_US + 5), range_of(3, 9, BASE_US + 7)))
    kinds = [int.from_bytes(found[1:2], "big") for found in re.findall(rb"\x02[\x00-\x07]\x00\x01\x00", made)]
    assert kinds == [7, 5, 6]  # exclusive start, a boundary that includes the end, inclusive end


class Taken:
    """Stands in for a Capture: what it was given."""

    def __init__(self) -> None:
        self.mutations: list[bytes] = []

    def append(self, record: bytes, keyspace: str) -> None:
        assert keyspace == "ks"
        self.mutations += split_tracked(record)[0]


@pytest.mark.parametrize("columns", [("v", "w"), ("w", "v"), ("v",), ()])
@pytest.mark.parametrize("has_marker", [True, False])
@given(k=st.integers(0, 9), c=st.integers(-3, 3), v=st.binary(max_size=200), w=st.integers(-3, 3), at=st.integers(-9, 9))
def test_packed_rows_have_the_same_mutation_as_others(
    columns: tuple[str, ...], has_marker: bool, k: int, c: int, v: bytes, w: int, at: int
) -> None:
    if not columns and not has_marker:
        return
    taken, store, general = Taken(), TableStore(TABLE), list[bytes]()
    layout = store.layouts.maybe_layout(columns, has_marker)
    assert layout is not None
    writer = CapturedWriter(taken, store, layout, lambda key, *rest: general.append(key))  # type: ignore[arg-type]
    values = [int_value(c), *({"v": v, "w": int_value(w)}[name] for name in columns)]
    wire = b"".join(len(value).to_bytes(4, "big") + value for value in values)
    timestamp = (BASE_US + at * 10**14).to_bytes(8, "big", signed=True)
    writer.write(int_value(k), ORDER_KEY((int_value(c),)), timestamp, wire)
    row = store.layouts.explode(layout.row_prefix + timestamp + wire)
    update = PartitionUpdate(TABLE.id, int_value(k), rows={ORDER_KEY((int_value(c),)): row})
    assert general == []
    assert taken.mutations == [encoded(update)]
    assert store.memtable.get(int_value(k)) is not None


def test_what_does_not_fit_goes_the_general_way() -> None:
    taken, store, general = Taken(), TableStore(TABLE), list[bytes]()
    layout = store.layouts.maybe_layout(("w",), True)
    assert layout is not None
    writer = CapturedWriter(taken, store, layout, lambda key, *rest: general.append(key))  # type: ignore[arg-type]
    row = (4).to_bytes(4, "big") + int_value(1)
    writer.write(b"k" * 2000, b"ck", bytes(8), row + row)
    writer.write(b"empty clustering", b"ck", bytes(8), bytes(4) + row)
    writer.write(b"a value that is no int", b"ck", bytes(8), row + b"\0\0\0\1x")
    assert [len(key) for key in general] == [2000, 16, 22]
    assert taken.mutations == []
    assert len(store.memtable) == 0


def test_an_update_of_nothing() -> None:
    nothing = b"\x01" + TABLE.id.bytes + b"\x04" + int_value(1) + b"\x01"
    assert encoded(update_of({})) == nothing
    assert encoded(update_of({2: Row((int_value(2),))}, static=Row(()))) == nothing
