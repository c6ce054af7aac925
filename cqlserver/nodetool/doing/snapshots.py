"""snapshot, listsnapshots, clearsnapshot."""

import re
import time
from datetime import datetime

from cqlserver.control.client import ControlError
from cqlserver.nodetool.arguments import UsageError
from cqlserver.nodetool.printing import file_size, table
from cqlserver.nodetool.program import Tool

_UNITS_S = {"d": 86_400.0, "h": 3_600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9}
_UNIT_NAMES = "NANOSECONDS, MICROSECONDS, MILLISECONDS, SECONDS, MINUTES, HOURS, DAYS"


def snapshot(tool: Tool) -> None:
    options, keyspaces = tool.options, tool.arguments
    name = options["tag"] or str(time.time_ns() // 1_000_000)
    ttl = options["ttl"]
    told = f"skipFlush={'true' if options['skip_flush'] else 'false'}" + (f", ttl={ttl}" if ttl is not None else "")
    ttl_s = int(_seconds(ttl, tuple(_UNITS_S), _UNIT_NAMES)) if ttl is not None else None
    if "/" in name:
        raise ControlError("Refused", "Snapshot name cannot contain /")
    listed = options["kc.list"].replace(" ", "") if options["kc.list"] else None
    one = options["table"]
    if listed and (keyspaces or one is not None):
        raise ControlError(
            "Refused",
            "When specifying the Keyspace table list (using -kt,--kt-list,-kc,--kc.list), you must not also specify "
            "keyspaces to snapshot",
        )
    what = listed or ", ".join(keyspaces) or "all keyspaces"
    tool.out(f"Requested creating snapshot(s) for [{what}] with snapshot name [{name}] and options {{{told}}}")
    if one is not None and len(keyspaces) != 1:
        raise ControlError("Refused", "When specifying the table for a snapshot, you must specify one and only one keyspace")
    names = listed.split(",") if listed else []
    tool.call(
        "take_snapshot",
        name=name,
        keyspaces=[text for text in names if "." not in text] if listed else keyspaces if one is None else [],
        tables=[text for text in names if "." in text] if listed else [f"{keyspaces[0]}.{one}"] if one is not None else [],
        skip_flush=options["skip_flush"],
        ttl_s=ttl_s,
    )
    tool.out(f"Snapshot directory: {name}")


def listsnapshots(tool: Tool) -> None:
    tool.out("Snapshot Details: ")
    found = tool.call("list_snapshots")["snapshots"]
    if tool.options["no_ttl"]:
        found = [entry for entry in found if entry["expires_at"] is None]
    if not found:
        tool.out("There are no snapshots")
        return
    head = ["Snapshot name", "Keyspace name", "Column family name", "True size", "Size on disk", "Creation time"]
    rows = [[*head, "Expiration time"]]
    for entry in found:
        sizes = file_size(entry["true_bytes"]), file_size(entry["disk_bytes"])
        times = entry["created_at"] or "", entry["expires_at"] or ""
        rows.append([entry["name"], entry["keyspace"], entry["table"], *sizes, *times])
    if tool.options["ephemeral"]:
        rows = [[*row, "false" if number else "Ephemeral"] for number, row in enumerate(rows)]
    tool.write(table(rows))
    tool.out(f"\nTotal TrueDiskSpaceUsed: {file_size(sum(entry['true_bytes'] for entry in found))}\n")


def clearsnapshot(tool: Tool) -> None:
    options, keyspaces = tool.options, tool.arguments
    name, older, older_than = options["t"], options["older_than"], options["older_than_timestamp"]
    _check_clearing(name, options["all"], older, older_than)
    before_ms = None
    told = f" with snapshot name [{name}]" if name else " with [all snapshots]"
    if older_than is not None:
        try:
            before_ms = int(datetime.fromisoformat(older_than.replace("Z", "+00:00")).timestamp() * 1000)
        except ValueError:
            raise UsageError("Parameter --older-than-timestamp has to be a valid instant in ISO format.") from None
        told += f" older than timestamp {older_than}"
    if older is not None:
        seconds = int(_seconds(older, ("d", "h", "m", "s"), "SECONDS, MINUTES, HOURS, DAYS"))
        before_ms = int((time.time() - seconds) * 1000)
        told += f" older than {seconds} seconds."
    tool.out(f"Requested clearing snapshot(s) for [{', '.join(keyspaces) or 'all keyspaces'}]{told}")
    tool.call("clear_snapshots", name=name, keyspaces=keyspaces, before_ms=before_ms)


def _check_clearing(name: str | None, is_all: bool, older: str | None, older_than: str | None) -> None:
    if not name and not is_all:
        raise UsageError("Specify snapshot name or --all")
    if name and is_all:
        raise UsageError("Specify only one of snapshot name or --all")
    if older is not None and older_than is not None:
        raise UsageError("Specify only one of --older-than or --older-than-timestamp")
    for option, value in (("--older-than", older), ("--older-than-timestamp", older_than)):
        if name and value is not None:
            raise UsageError(f"Specifying snapshot name together with {option} flag is not allowed")


def _seconds(text: str, units: tuple[str, ...], names: str) -> float:
    """Of a duration like 5s."""
    found = re.fullmatch(r"(\d+)(d|h|ms|us|µs|ns|m|s)", text)
    if found is None or found[2] not in units:
        raise UsageError(
            f"Invalid duration: {text} Accepted units:[{names}] where case matters and only non-negative values."
        )
    return int(found[1]) * _UNITS_S[found[2]]
