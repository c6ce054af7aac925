"""Rows as JSON text, each value as SELECT JSON prints it: so numbers keep all their digits."""

import json
from collections.abc import Iterator
from struct import Struct

from protocol.responses import Error, Reply, RowsResult
from protocol.types.turns import paused

_I32 = Struct(">i").unpack_from


class RawJson(str):
    """Text that is JSON already."""

    __slots__ = ()


def rows_json(result: RowsResult, warnings: str) -> str:
    columns = result.metadata.columns
    names = [json.dumps(column.name) for column in columns]
    printers = [column.type.to_json for column in columns]
    rows: list[str] = []
    values = wire_values(result.content)
    for _ in paused(range(result.row_count)):
        pairs = []
        for name, to_json in zip(names, printers, strict=True):
            value = next(values)
            pairs.append(f"{name}: {'null' if value is None else to_json(value)}")
        rows.append(f"{{{', '.join(pairs)}}}")
    described = json.dumps([{"name": column.name, "type": column.type.cql()} for column in columns])
    state = json.dumps(result.paging_state.hex() if result.paging_state is not None else None)
    return f'{{"columns": {described}, "rows": [{", ".join(rows)}], "paging_state": {state}, "warnings": {warnings}}}'


def wire_values(content: bytes) -> Iterator[bytes | None]:
    at, end = 0, len(content)
    while at < end:
        (length,) = _I32(content, at)
        at += 4
        if length < 0:
            yield None
        else:
            yield content[at : at + length]
            at += length


def answer_text(reply: Reply) -> str:
    """An answer as text that is equal where answers are."""
    response = reply.response
    warnings = f" warnings {list(reply.warnings)}" if reply.warnings else ""
    if isinstance(response, Error):
        return f"{type(response.error).__name__}: {response.error.message}{warnings}"
    if isinstance(response, RowsResult):
        return rows_json(response, str(list(reply.warnings)))
    return type(response).__name__ + warnings
