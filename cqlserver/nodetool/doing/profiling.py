"""profileload, toppartitions."""

import sys
from typing import Any, Final

from cqlserver.control.client import ControlError
from cqlserver.nodetool.arguments import UsageError
from cqlserver.nodetool.program import Exit, Tool
from cqlserver.nodetool.sampled import SAMPLERS, formatted

_ARGUMENTS: Final = (
    "Invalid arguments, either [keyspace table/* duration] or [keyspace table/*] or [duration] or no args.\n"
    "Optionally, use * to represent all tables under the keyspace."
)
_DURATION_MS: Final = 10_000
_CAPACITY_MAX: Final = 1_024
_NO_INTERVAL: Final = -1


def profileload(tool: Tool) -> None:
    wanted = _wanted(tool)
    interval_ms = int(tool.options["interval"] or _NO_INTERVAL)
    if interval_ms != _NO_INTERVAL and interval_ms < wanted["duration_ms"]:
        raise UsageError(
            "Invalid scheduled sampling interval. Expecting interval >= duration, but "
            f"interval: {interval_ms} ms; duration: {wanted['duration_ms']} ms"
        )
    wanted["samplers"] = _samplers(tool)
    where = f"keyspace: {wanted['keyspace'] or 'null'}, table: {wanted['table'] or 'null'}"
    if tool.options["stop"]:
        if not tool.call("stop_samples", keyspace=wanted["keyspace"], table=wanted["table"])["done"]:
            tool.out(f"Unable to stop the non-existent scheduled sampling for {where}")
    elif interval_ms != _NO_INTERVAL:
        if not tool.call("schedule_samples", **wanted, interval_ms=interval_ms)["done"]:
            tool.out(
                f"Unable to schedule sampling for {where} due to existing samplings. Stop the existing sampling jobs first."
            )
    elif tool.options["list"]:
        _print_jobs(tool)
    else:
        tool.out(formatted(_sampled(tool, wanted), wanted["samplers"], is_first=True))


toppartitions = profileload


def _wanted(tool: Tool) -> dict[str, Any]:
    count, capacity = int(tool.options["k"] or 10), int(tool.options["s"] or 256)
    if len(tool.arguments) > 3:
        raise UsageError(_ARGUMENTS)
    if count <= 0:
        raise UsageError("TopK count (-k) option must have positive value")
    if count >= capacity:
        raise UsageError("TopK count (-k) option must be smaller then the summary capacity (-s)")
    if capacity > _CAPACITY_MAX:
        raise UsageError(f"Capacity (-s) cannot exceed {_CAPACITY_MAX}.")
    names, durations = tool.arguments[:2], tool.arguments[2:]
    if len(tool.arguments) == 1:
        names, durations = [], tool.arguments
    keyspace, table = (None if name == "*" else name for name in (*names, "*", "*")[:2])
    try:
        duration_ms = int(durations[0]) if durations else _DURATION_MS
    except ValueError:
        raise UsageError(f'For input string: "{durations[0]}"') from None
    if duration_ms <= 0:
        raise UsageError(f"Duration: {duration_ms} must be positive")
    return {
        "keyspace": keyspace, "table": table, "duration_ms": duration_ms, "capacity": capacity, "count": count
    }  # fmt: skip


def _samplers(tool: Tool) -> list[str]:
    found = []
    for text in (tool.options["a"] or ",".join(SAMPLERS)).split(","):
        if text.strip().upper() not in SAMPLERS:
            raise UsageError(f"'{text}' sampler is not available from: [{', '.join(SAMPLERS)}]")
        found.append(text.strip().upper())
    return found


def _sampled(tool: Tool, wanted: dict[str, Any]) -> Any:
    try:
        return tool.call("sample_partitions", **wanted)["samples"]
    except ControlError as error:
        if error.code != "NoSuchStore":
            raise
        print(error.message, file=sys.stderr)
        raise Exit(1) from None


def _print_jobs(tool: Tool) -> None:
    jobs = [job.split(".") for job in tool.call("sampling_jobs")["jobs"]]
    rows = [("KEYSPACE", "TABLE"), *jobs]
    widths = [max(len(row[column]) for row in rows) for column in (0, 1)]
    for keyspace, table in rows:
        tool.out(f"{keyspace:>{widths[0]}} {table:>{widths[1]}}")
