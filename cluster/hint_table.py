"""The table that hints are kept in (hints.py). No schema tells of it, no client sees it."""

from typing import Final

from storage.schema.metadata import TableParams
from storage.schema.table_definitions import define_table

HINTS_TABLE: Final = define_table(
    "system", "hints", "target uuid", "id timeuuid", "hint blob", params=TableParams(gc_grace_seconds=0)
)
