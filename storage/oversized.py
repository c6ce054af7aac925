"""The refusal of a mutation that is too large for the commit log (db/MutationExceededMaxSizeException.java)."""

from collections.abc import Sequence
from typing import Final

from protocol.errors import InvalidRequest
from storage.commitlog.log import RecordTooLarge
from storage.keys import key_text
from storage.schema.metadata import TableMetadata

TOP_KEYS_MAX: Final = 1024
"""Characters of partition keys in it."""


def oversized(error: RecordTooLarge, partitions: Sequence[tuple[TableMetadata, bytes]]) -> InvalidRequest:
    """`partitions`: tables and keys that the mutation is of, at least one."""
    keys = [f"{table.name}.{key_text(table, key)}" for table, key in partitions]
    text = keys.pop(0)
    while keys and len(text) + len(keys[0]) + 2 <= TOP_KEYS_MAX:
        text += ", " + keys.pop(0)
    if keys:
        text += f" and {len(keys)} more."
    return InvalidRequest(
        f"Rejected an oversized mutation ({error.size}/{error.limit}) for keyspace: {partitions[0][0].keyspace}. "
        f"Top keys are: {text}"
    )
