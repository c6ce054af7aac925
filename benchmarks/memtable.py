"""What the memtable costs: bytes per row, and CPU per write, point read and slice.

    .venv/bin/python benchmarks/memtable.py

Rows as the comparison with Cassandra has them: k bigint, c int, v blob of 100 bytes, s text of 11. CPU time of this
process, the best of three; nothing else is measured (no log, no protocol).
"""

import gc
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path
from uuid import UUID

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from protocol.types import BIGINT, BLOB, INT, TEXT
from storage.keys import clustering_order_key
from storage.memtable.packed import Layout, join_wire_values
from storage.mutation import Cell, PartitionUpdate, Row, packed_record
from storage.reads import EVERYTHING, Slice, TableStore
from storage.schema.metadata import ColumnKind, ColumnMetadata, TableMetadata

ROWS = 300_000
BLOB_VALUE = bytes(range(100))
TEXT_VALUE = b"hello world"
NOW_S = 1_700_000_000


def table(clustered: bool) -> TableMetadata:
    kind = ColumnKind.CLUSTERING if clustered else ColumnKind.REGULAR
    return TableMetadata(
        "bench",
        "t",
        UUID(int=1),
        (
            ColumnMetadata("k", ColumnKind.PARTITION_KEY, BIGINT, 0),
            ColumnMetadata("c", kind, INT, 0 if clustered else -1),
            ColumnMetadata("s", ColumnKind.REGULAR, TEXT),
            ColumnMetadata("v", ColumnKind.REGULAR, BLOB),
        ),
    )


def resident_bytes() -> int:
    with open("/proc/self/statm") as statm:
        return int(statm.read().split()[1]) * resource.getpagesize()


def best(what: str, count: int, run: Callable[[], object], unit: str = "op") -> None:
    times = []
    for _ in range(3):
        start = time.process_time()
        run()
        times.append(time.process_time() - start)
    print(f"{what:<52} {min(times) / count * 1e6:8.2f} us/{unit}")


def layout_of(store: TableStore) -> Layout:
    clustered = bool(store.table.clustering)
    layout = store.layouts.maybe_layout(("v", "s") if clustered else ("c", "v", "s"), True)
    assert layout is not None
    return layout


def fill(store: TableStore, wide: bool) -> None:
    prefix = layout_of(store).row_prefix
    order = clustering_order_key(store.table)
    clustered = bool(store.table.clustering)
    apply = store.apply_packed
    for number in range(ROWS):
        c = (number % 1000 if not wide else number).to_bytes(4, "big")
        row = prefix + number.to_bytes(8, "big") + join_wire_values((c, BLOB_VALUE, TEXT_VALUE))
        key = (1 if wide else number).to_bytes(8, "big")
        apply(key, order((c,)) if clustered else b"", row)


def measure_memory(what: str, clustered: bool, wide: bool) -> TableStore:
    store = TableStore(table(clustered))
    gc.collect()
    before = resident_bytes()
    fill(store, wide)
    gc.collect()
    used = resident_bytes() - before
    print(f"{what:<52} {used / ROWS:8.0f} B/row  (estimate {store.memtable.live_bytes / ROWS:.0f})")
    return store


def measure_points(store: TableStore) -> None:
    numbers = list(range(0, ROWS, 3))
    layout = layout_of(store)
    values = join_wire_values((b"\0\0\0\1", BLOB_VALUE, TEXT_VALUE))
    keys = [number.to_bytes(8, "big") for number in numbers]
    stamp = [1_000_000]

    def overwrite() -> None:
        stamp[0] += 1
        row = layout.row(stamp[0], values)
        apply = store.apply_packed
        for key in keys:
            apply(key, b"", row)

    def insert() -> None:
        fresh = TableStore(store.table)
        row = layout_of(fresh).row(1, values)
        apply = fresh.apply_packed
        for key in keys:
            apply(key, b"", row)

    def read() -> None:
        row_at = store.row_at
        for key in keys:
            row_at(key, b"", NOW_S)

    projector = store.projector([store.table.by_name[name] for name in ("c", "v", "s")])
    reordered = store.projector([store.table.by_name[name] for name in ("c", "s", "v")])
    row = store.row_at(keys[0], b"", NOW_S)
    assert row is not None

    def project() -> None:
        for _ in keys:
            projector.wire(row)

    def project_reordered() -> None:
        for _ in keys:
            reordered.wire(row)

    def record() -> None:
        for key in keys:
            packed_record(layout.record_prefix, key, values)

    best("apply_packed, new partition", len(keys), insert)
    best("apply_packed, same partition, newer", len(keys), overwrite)
    best("mutation.packed_record", len(keys), record)
    best("row_at", len(keys), read)
    best("Projector.wire, layout matches", len(keys), project)
    best("Projector.wire, other order", len(keys), project_reordered)

    def partial_update() -> None:
        stamp[0] += 1
        for key in keys[:20_000]:
            store.apply(PartitionUpdate(store.table.id, key, rows={b"": Row((), columns={"v": Cell(stamp[0], b"x")})}))

    best("apply, UPDATE of one column", 20_000, partial_update)
    best("row_at after it", len(keys), read)


def measure_wide(store: TableStore) -> None:
    key = (1).to_bytes(8, "big")
    order = clustering_order_key(store.table)
    slices = [
        (Slice(order((n.to_bytes(4, "big"),)), order(((n + 100).to_bytes(4, "big"),))),)
        for n in range(0, ROWS - 100, ROWS // 1000)
    ]
    matching = store.partition_projector([store.table.by_name[name] for name in ("k", "c", "v", "s")])
    star = store.partition_projector(store.table.columns)
    head = (8).to_bytes(4, "big") + key
    rows_only = store.projector([store.table.by_name[name] for name in ("c", "v", "s")])
    all_rows = [rows for wanted in slices for _, rows in store.read(key, wanted, NOW_S).chunks()]  # type: ignore[union-attr]

    def read_slices() -> None:
        for wanted in slices:
            view = store.read(key, wanted, NOW_S)
            assert view is not None
            for _, _rows in view.chunks():
                pass

    def project_slices() -> None:
        for rows in all_rows:
            rows_only.wire_rows(rows, head)

    def whole() -> None:
        for wanted in slices:
            view = store.read(key, wanted, NOW_S)
            assert view is not None
            bound = matching.bind(key, view.static)
            for _, rows in view.chunks():
                bound.wire_rows(rows)

    def whole_star() -> None:
        for wanted in slices:
            view = store.read(key, wanted, NOW_S)
            assert view is not None
            bound = star.bind(key, view.static)
            for _, rows in view.chunks():
                bound.wire_rows(rows)

    best("slice of 100 rows: read", len(slices), read_slices, "slice")
    best("slice of 100 rows: project", len(slices), project_slices, "slice")
    best("slice of 100 rows: read, bind, project", len(slices), whole, "slice")
    best("slice of 100 rows: the same, columns in other order", len(slices), whole_star, "slice")

    layout = layout_of(store)
    scattered = [(n * 7919 % 100_000).to_bytes(4, "big") for n in range(100_000)]
    rows = [(order((c,)), layout.row(9_999_999, join_wire_values((c, BLOB_VALUE, TEXT_VALUE)))) for c in scattered]

    def scatter() -> None:
        fresh = TableStore(store.table)
        layout_of(fresh)
        for ck, row in rows:
            fresh.apply_packed(key, ck, row)

    best("apply_packed, 100k rows of one partition, scattered", len(rows), scatter)

    def row_at() -> None:
        for ck, _ in rows:
            store.row_at(key, ck, NOW_S)

    best("row_at in a wide partition", len(rows), row_at)


def measure_scan(store: TableStore) -> None:
    start = time.process_time()
    while not store.prepare_scan():
        pass
    print(f"{'tokens of all keys, the first time':<52} {(time.process_time() - start) / ROWS * 1e6:8.2f} us/key")

    def scan() -> None:
        for view in store.scan(NOW_S, slices=EVERYTHING):
            for _ in view.chunks():
                pass

    best("scan of single-row partitions", ROWS, scan, "partition")


def main() -> None:
    store = measure_memory("300k partitions of one row, no clustering", clustered=False, wide=False)
    start = time.perf_counter()
    gc.collect()
    print(f"{'full collection':<52} {(time.perf_counter() - start) * 1e3:8.2f} ms")
    measure_scan(store)
    measure_points(store)
    del store
    gc.collect()
    store = measure_memory("300k partitions of one row, clustered", clustered=True, wide=False)
    del store
    gc.collect()
    store = measure_memory("one partition of 300k rows", clustered=True, wide=True)
    measure_wide(store)


if __name__ == "__main__":
    main()
