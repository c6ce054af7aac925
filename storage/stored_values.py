"""The rows of a table as plain values: for small tables of our own."""

from collections.abc import Iterator, Mapping

from storage.keys import split_key
from storage.projection import column_value
from storage.reads import TableStore
from storage.schema.metadata import ColumnKind


def stored_values(store: TableStore, now_s: int) -> Iterator[Mapping[str, bytes | None]]:
    """All live rows of a store, as column name -> serialised value, in token order."""
    table = store.table
    values = {c.name: column_value(c, table.is_counter) for c in table.columns if c.kind is not ColumnKind.PARTITION_KEY}
    key_columns = table.partition_key
    explode = store.layouts.explode
    for view in store.scan(now_s):
        key_values = (view.key,) if len(key_columns) == 1 else split_key(view.key, len(key_columns))
        head = {column.name: value for column, value in zip(key_columns, key_values, strict=True)}
        for stored in view.rows():
            row = explode(stored)
            yield {**head, **{name: value_of(row) for name, value_of in values.items()}}
