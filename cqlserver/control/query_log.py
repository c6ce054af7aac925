"""The query log on the control port: on and off, what is in it, and what strict mode has against it."""

import re
from typing import Final

from cqlserver.control.context import BadArgument, Control, Refused
from cqlserver.query_log.entries import KINDS, Filter, described, entries
from cqlserver.query_log.habits import findings
from cqlserver.query_log.recording import QueryLog

QUERIES_MAX: Final = 10_000
"""In one answer."""


class NotRecording(Refused):
    code = "NotRecording"


async def record(control: Control, *, on: bool) -> object:
    node = control.node
    if on and node.query_log is None:
        node.record(QueryLog(node.statements.prepared_texts()))
    elif not on:
        node.record(None)
    return {"next": node.query_log.next_number if node.query_log is not None else 0}


async def queries(
    control: Control,
    *,
    since: int,
    limit: int,
    keyspace: str | None,
    table: str | None,
    matching: str | None,
    kind: str | None,
    client: str | None,
    errors: bool,
    system: bool,
) -> object:
    log = _log(control)
    if not 0 < limit <= QUERIES_MAX:
        raise BadArgument(f"queries: limit is {limit}, and not 1 to {QUERIES_MAX}")
    if kind is not None and kind.upper() not in KINDS.values():
        raise BadArgument(f"queries: kind is {kind!r}, and none of {', '.join(KINDS.values())}")
    try:
        re.compile(matching or "")
    except re.error as error:
        raise BadArgument(f"queries: matching is no regular expression: {error}") from None
    wanted = Filter(keyspace, table, matching, kind, client, errors, system)
    found = [entry for entry in entries(log, since) if wanted.takes(entry)]
    schema = control.node.schema
    return {"queries": [described(entry, schema) for entry in found[-limit:]], "next": log.next_number}


async def habits(control: Control, *, since: int) -> object:
    log = _log(control)
    found = findings([entry for entry in entries(log, since) if not entry.is_of_the_system], control.node.schema)
    return {"habits": [finding._asdict() for finding in found], "next": log.next_number}


def _log(control: Control) -> QueryLog:
    log = control.node.query_log
    if log is None:
        raise NotRecording("nothing is recorded: `record` begins with it, as does a start with --query-log")
    return log
