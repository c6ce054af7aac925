"""The deliberately dumb twin of memtable and reads: keeps every update ever applied, and answers a read by brute force.

It shares the value classes of storage.mutation with what it checks, no rule and no structure.
"""

from collections.abc import Iterable

from storage.mutation import LIVE, NEVER, Cell, ComplexColumn, Deletion, Liveness, PartitionUpdate, Row


def cell_rank(cell: Cell) -> tuple[int, bool, bool, int, int, bytes]:
    """Of the cells of one column and path the one with the greatest rank is the one."""
    timed = cell.local_deletion_s != NEVER
    return (
        cell.timestamp_us,
        timed,
        timed and not cell.ttl_s,
        cell.local_deletion_s if timed else 0,
        -cell.ttl_s,
        cell.value or b"",
    )


def is_live(cell: Cell, now_s: int) -> bool:
    return cell.value is not None and (not cell.ttl_s or now_s < cell.local_deletion_s)


class Twin:
    def __init__(self) -> None:
        self.updates: list[PartitionUpdate] = []

    def apply(self, update: PartitionUpdate) -> None:
        self.updates.append(update)

    def rows(self, key: bytes, now_s: int) -> dict[bytes, Row]:
        """Order key -> live row, in order."""
        updates = [update for update in self.updates if update.key == key]
        found = {}
        for ck in sorted({ck for update in updates for ck in update.rows}):
            deletions = [update.deletion for update in updates] + [
                tombstone.deletion
                for update in updates
                for tombstone in update.range_tombstones
                if tombstone.start <= ck < tombstone.end
            ]
            row = self._row([update.rows[ck] for update in updates if ck in update.rows], deletions, now_s)
            if row is not None:
                found[ck] = row
        return found

    def static(self, key: bytes, now_s: int) -> Row | None:
        updates = [update for update in self.updates if update.key == key]
        versions = [update.static for update in updates if update.static is not None]
        return self._row(versions, [update.deletion for update in updates], now_s) if versions else None

    def _row(self, versions: list[Row], deletions: Iterable[Deletion], now_s: int) -> Row | None:
        covered = max([*deletions, *(row.deletion for row in versions), LIVE])
        markers = [row.liveness for row in versions if row.liveness.timestamp_us > covered.timestamp_us]
        marker = max(markers, key=lambda m: (m.timestamp_us, m.ttl_s > 0, m.local_deletion_s, -m.ttl_s), default=None)
        if marker is not None and marker.ttl_s and marker.local_deletion_s <= now_s:
            marker = None
        columns: dict[str, Cell | ComplexColumn] = {}
        for name in {name for row in versions for name in row.columns}:
            data = [row.columns[name] for row in versions if name in row.columns]
            if isinstance(data[0], Cell):
                cell = self._cell([d for d in data if isinstance(d, Cell)], covered, now_s)
                if cell is not None:
                    columns[name] = cell
            else:
                complexes = [d for d in data if isinstance(d, ComplexColumn)]
                below = max([covered, *(d.deletion for d in complexes)])
                cells = {}
                for path in {path for d in complexes for path in d.cells}:
                    cell = self._cell([d.cells[path] for d in complexes if path in d.cells], below, now_s)
                    if cell is not None:
                        cells[path] = cell
                if cells:
                    columns[name] = ComplexColumn(LIVE, cells)
        if marker is None and not columns:
            return None
        return Row(versions[0].clustering, marker or Liveness(-(1 << 63)), LIVE, columns)

    def _cell(self, cells: list[Cell], covered: Deletion, now_s: int) -> Cell | None:
        cells = [cell for cell in cells if cell.timestamp_us > covered.timestamp_us]
        winner = max(cells, key=cell_rank, default=None)
        return winner if winner is not None and is_live(winner, now_s) else None
