"""Records the outcome of each statement of ddl.txt from a running Cassandra: `record_ddl.py HOST:PORT [FILE]`.

A statement stands on a line that begins with `> `; the lines behind it, which this script writes, are its outcome:
`WARNING text`, then one of `VOID`, `USE name`, `CREATED|UPDATED|DROPPED TARGET keyspace[.name]`, `ERROR code text` or
`ROWS columns` with a line `- [json of the row, create_statement apart]` per row, and the statement's text in lines that
begin with `|`. Nothing else ever writes an outcome.
"""

import contextlib
import json
import sys
from pathlib import Path
from typing import Any

from cassandra import DriverException, RequestExecutionException, RequestValidationException
from cassandra.cluster import Cluster, NoHostAvailable, ResponseFuture, Session
from cassandra.protocol import ErrorMessage


def outcome(session: Session, statement: str) -> list[str]:
    seen: list[Any] = []
    original = ResponseFuture._set_result

    def capture(self: Any, host: Any, connection: Any, pool: Any, response: Any) -> None:
        seen.append(response)
        original(self, host, connection, pool, response)

    ResponseFuture._set_result = capture
    warnings: list[str] = []
    try:
        future = session.execute_async(statement, timeout=60)
        with contextlib.suppress(
            ErrorMessage, NoHostAvailable, DriverException, RequestExecutionException, RequestValidationException
        ):
            future.result()  # the captured response tells all
        warnings = future.warnings or []
    finally:
        ResponseFuture._set_result = original
    response = seen[0]
    return [f"WARNING {text}" for text in warnings] + lines_of(response)


def lines_of(response: Any) -> list[str]:
    if isinstance(response, ErrorMessage):
        return [f"ERROR 0x{response.code:04X} {json.dumps(response.message)[1:-1]}"]
    if response.kind == 1:
        return ["VOID"]
    if response.kind == 3:
        return [f"USE {response.new_keyspace}"]
    if response.kind == 5:
        event = response.schema_change_event
        name = event.get("table") or event.get("type") or ""
        full = f"{event['keyspace']}.{name}" if name else event["keyspace"]
        return [f"{event['change_type']} {event['target_type']} {full}"]
    lines = ["ROWS " + " ".join(response.column_names)]
    for row in response.parsed_rows:
        values = dict(zip(response.column_names, row, strict=True))
        text = values.pop("create_statement", None)
        lines.append("- " + json.dumps(list(values.values()), default=str))
        if text is not None:
            lines += ["|" + line for line in text.split("\n")]
    return lines


def main() -> None:
    host, _, port = sys.argv[1].partition(":")
    path = Path(sys.argv[2]) if len(sys.argv) > 2 else Path(__file__).with_name("ddl.txt")
    session = Cluster([host], port=int(port)).connect()
    for row in list(session.execute("SELECT keyspace_name FROM system_schema.keyspaces")):
        if row.keyspace_name.startswith("ddl_"):  # left behind by a run that broke off
            session.execute(f'DROP KEYSPACE "{row.keyspace_name}"')
    recorded = []
    for line in path.read_text().splitlines():
        if line.startswith("#"):
            recorded.append(line)
        elif line.startswith("> "):
            recorded += [line, *outcome(session, line[2:])]
    path.write_text("\n".join(recorded) + "\n")


if __name__ == "__main__":
    main()
