"""Whether what an SSTable holds are values of their columns' types, as a scrub asks (UnfilteredRowIterators.withValidation,
AbstractRow.validateData): a checksum only says that they are what was written."""

from collections.abc import Iterator

from protocol.errors import CorruptionError
from protocol.types import CqlType, ListType, MapType, MarshalError, SetType, UserType
from storage.environment.strands import in_turns
from storage.keys import split_key
from storage.memtable.packed import Layouts, StoredRow
from storage.mutation import Cell, ComplexColumn, Row
from storage.schema.metadata import TableMetadata


class Validator:
    """Of one table. What is wrong raises CorruptionError, which says in which column."""

    def __init__(self, table: TableMetadata, layouts: Layouts) -> None:
        self._table, self._explode = table, layouts.explode
        self._columns = {column.name: column.type for column in (*table.statics, *table.regulars)}

    def checked(
        self, key: bytes, static: Row | None, rows: Iterator[tuple[bytes, StoredRow]]
    ) -> Iterator[tuple[bytes, StoredRow]]:
        """The rows of a partition, each looked at as it comes."""
        self._key(key)
        if static is not None:
            self._row(static)
        for ck, row in rows:
            self._row(row)
            yield ck, row

    def _key(self, key: bytes) -> None:
        columns = self._table.partition_key
        for column, value in zip(columns, split_key(key, len(columns)), strict=True):
            self._value(column.name, column.type, value)

    def _row(self, stored: StoredRow) -> None:
        row = self._explode(stored)
        for column, value in zip(self._table.clustering, row.clustering, strict=False):
            self._value(column.name, column.type, value)
        for name, data in row.columns.items():
            type_ = self._columns.get(name)
            if type_ is None or self._table.is_counter:  # counts are contexts
                continue
            if type(data) is Cell:
                if data.value is not None:
                    self._value(name, type_, data.value)
            else:
                assert isinstance(data, ComplexColumn)
                for path, cell in in_turns(data.cells.items()):
                    self._cell(name, type_, path, cell)

    def _cell(self, name: str, type_: CqlType, path: bytes, cell: Cell) -> None:
        """Of a collection or a user type that is not frozen."""
        value_type: CqlType | None = None
        match type_:
            case SetType():
                self._value(name, type_.elements, path)
            case MapType():
                self._value(name, type_.keys, path)
                value_type = type_.values
            case ListType():
                value_type = type_.elements
            case UserType():
                number = int.from_bytes(path, "big")
                if len(path) != 2 or number >= len(type_.field_types):
                    raise CorruptionError(f"{name} has a field {path.hex()}")
                value_type = type_.field_types[number]
        if value_type is not None and cell.value is not None:
            self._value(name, value_type, cell.value)

    @staticmethod
    def _value(name: str, type_: CqlType, value: bytes) -> None:
        try:
            type_.validate(value)
        except MarshalError as error:
            raise CorruptionError(f"{name}: {error}") from None
