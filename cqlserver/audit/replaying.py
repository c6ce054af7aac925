"""Full query logs executed again, on one server or several, and what they answered compared (tools/fqltool).

A result is the answer as text: columns and rows as JSON, or an error with its message.
"""

import heapq
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from cqlserver.audit.bin_log import MAGIC, BinLogDamaged, framed, records
from cqlserver.audit.full_query_log import QueryRecord, query_records
from cqlserver.audit.reading import files_in
from cqlserver.control.raw_json import answer_text
from protocol.client import Connection
from protocol.primitives import UNSET
from protocol.requests import Batch, Query
from protocol.responses import Reply, RowsResult

RESULT_RECORD: Final = 4
"""Its payload is a result."""
_DDL: Final = re.compile(r"\s*(CREATE|ALTER|DROP)\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Target:
    """`name`: as its results' folder is called."""

    name: str
    connection: Connection


@dataclass(frozen=True, slots=True)
class Replayed:
    """A record, and what each target answered."""

    record: QueryRecord
    results: tuple[str, ...]

    @property
    def differs(self) -> bool:
        return len(set(self.results)) > 1


def records_of(paths: Sequence[Path]) -> Iterator[QueryRecord]:
    """Of all files, in the order of time: those of one file are in order. Raises OSError, BinLogDamaged."""
    files = [query_records(file.read_bytes(), str(file)) for file in files_in(paths)]
    return heapq.merge(*files, key=lambda record: record.started_ms)


def is_ddl(record: QueryRecord) -> bool:
    return isinstance(record.request, Query) and _DDL.match(record.request.query) is not None


def replayed(
    paths: Sequence[Path], targets: Sequence[Target], keyspace: str | None, with_ddl: bool
) -> Iterator[Replayed]:
    """Of `keyspace` alone, and of what names none, where one is given. Raises OSError, BinLogDamaged, CqlServerError."""
    used: str | None = None
    for record in records_of(paths):
        if (keyspace is not None and record.keyspace not in (None, keyspace)) or (is_ddl(record) and not with_ddl):
            continue
        if record.keyspace is not None and record.keyspace != used:
            used = record.keyspace
            name = used.replace('"', '""')
            for target in targets:
                target.connection.query(f'USE "{name}"')
        yield Replayed(record, tuple(_result(target.connection, record) for target in targets))


def _result(connection: Connection, record: QueryRecord) -> str:
    """Writes get the time that they had."""
    options = record.request.options
    if options.timestamp_us is None:
        options = options._replace(timestamp_us=record.generated_us)
    if record.version < 5 and options.keyspace is not None:
        options = options._replace(keyspace=None)
    parts: list[str] = []
    while True:
        reply = _asked(connection, record.request, options)
        parts.append(answer_text(reply))
        response = reply.response
        if not isinstance(response, RowsResult) or response.paging_state is None:
            return "\n".join(parts)
        options = options._replace(paging_state=response.paging_state)


def _asked(connection: Connection, request: Query | Batch, options: object) -> Reply:
    return connection.request(replace(request, options=options))  # type: ignore[arg-type]


def stored_results(results: Sequence[str]) -> bytes:
    """As a file holds them."""
    return MAGIC + b"".join(framed(RESULT_RECORD, result.encode()) for result in results)


def results_in(path: Path) -> list[str]:
    """Raises OSError, BinLogDamaged."""
    found = []
    for file in files_in([path]):
        for kind, payload in records(file.read_bytes(), str(file)):
            if kind != RESULT_RECORD:
                raise BinLogDamaged(f"{file} has no results: a record is of kind {kind}; give a folder that --results made")
            found.append(payload.decode())
    return found


# --- text ------------------------------------------------------------------------------------------------------------


def dumped(record: QueryRecord) -> str:
    """As `fqltool dump` prints it."""
    request = record.request
    generated_us = record.generated_us if request.options.timestamp_us is None else -(1 << 63)
    lines = [
        f"Type: {'single-query' if isinstance(request, Query) else 'batch'}",
        f"Query start time: {record.started_ms}",
        f"Protocol version: {record.version}",
        f"Generated timestamp:{generated_us}",
        f"Generated nowInSeconds:{record.now_s}",
    ]
    if isinstance(request, Query):
        lines += [f"Query: {request.query}", "Values: ", *_values(request.options.values)]
    else:
        lines.append(f"Batch type: {('LOGGED', 'UNLOGGED', 'COUNTER')[request.type]}")
        for entry in request.entries:
            lines += [f"Query: {entry.statement!s}", "Values: ", *_values(entry.values)]
    return "\n".join([*lines, ""]) + "\n"


_SHOWN_BYTES: Final = 1024


def _values(values: Sequence[object]) -> Iterator[str]:
    for index, value in enumerate(values):
        if index > 1:
            yield "-----"
        if value is None or value is UNSET:
            yield "null" if value is None else "unset"
            continue
        assert isinstance(value, bytes)
        yield from _hex_lines(value[:_SHOWN_BYTES])
        if len(value) > _SHOWN_BYTES:
            yield "... truncated"
        if index == 1:
            yield "-----"


def _hex_lines(data: bytes) -> Iterator[str]:
    for start in range(0, len(data), 16):
        part = data[start : start + 16]
        cells = [f" {byte:02X}" for byte in part] + ["   "] * (16 - len(part))
        text = "".join(chr(byte) if 32 <= byte <= 126 else "·" for byte in part).ljust(16)
        yield f"{start:08x}{''.join(cells[:8])} {''.join(cells[8:])} {text[:8]} {text[8:]}"
