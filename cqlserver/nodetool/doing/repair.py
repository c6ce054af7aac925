"""repair, and the sessions of incremental ones."""

import time
from typing import Any

from cqlserver.control.client import ControlError
from cqlserver.nodetool.arguments import UsageError
from cqlserver.nodetool.printing import file_size, table
from cqlserver.nodetool.program import Tool

_NOT_BY_DEFAULT = "system_distributed"
_PERCENT = 57
"""How far a repair is whose jobs have begun: Cassandra counts the states of its coordinator, not what is done."""


def repair(tool: Tool) -> None:
    options, arguments = tool.options, tool.arguments
    if options["partitioner_range"] and (options["in_dc"] or options["in_hosts"]):
        raise ControlError("Refused", "Primary range repair should be performed on all nodes in the cluster.")
    keyspaces = arguments[:1] or _distributed(tool)
    for keyspace in keyspaces:
        _repair(tool, keyspace, arguments[1:])


def _distributed(tool: Tool) -> list[str]:
    """The keyspaces that are repaired where none is named."""
    found = tool.call("cluster_facts")["keyspaces"]
    names = [keyspace["name"] for keyspace in found if not keyspace["replication"].startswith("LocalStrategy")]
    return [name for name in names if name != _NOT_BY_DEFAULT]


def _repair(tool: Tool, keyspace: str, tables: list[str]) -> None:
    options = tool.options
    parallelism = "sequential" if options["sequential"] else "dc_parallel" if options["dc_parallel"] else "parallel"
    local = [tool.call("node_info")["datacenter"]] if options["in_local_dc"] else []
    command: int = tool.call(
        "repair",
        keyspace=keyspace,
        tables=tables,
        parallelism=parallelism,
        primary_range=options["partitioner_range"],
        full=options["full"],
        job_threads=int(options["job_threads"] or 1),
        datacenters=local or options["in_dc"],
        hosts=options["in_hosts"],
        start_token=options["start_token"],
        end_token=options["end_token"],
        preview=_preview(options),
        pull=options["pull"],
        force=options["force"],
        optimise_streams=options["optimise_streams"],
        ignore_unreplicated=options["ignore_unreplicated_keyspaces"],
        skip_paxos=options["skip_paxos"],
        paxos_only=options["paxos_only"],
    )["command"]
    if not command:
        _say(tool, f"Replication factor is 1. No repair is needed for keyspace '{keyspace}'")
        return
    _follow(tool, command)


def _preview(options: dict[str, Any]) -> str:
    if options["validate"]:
        return "REPAIRED"
    if not options["preview"]:
        return "NONE"
    return "ALL" if options["full"] else "UNREPAIRED"


def _follow(tool: Tool, command: int) -> None:
    """Prints what the repair tells until it is over. Raises ControlError where it failed."""
    seen, error, last = 0, None, ""
    while True:
        told = tool.call("repair_lines", command=command, since=seen)
        for line in told["lines"]:
            text = line["text"]
            if line["kind"] == "PROGRESS":
                text += f" (progress: {_PERCENT}%)"
            _say(tool, text, line["time_ms"])
            if line["kind"] == "ERROR":
                error = (
                    f"Repair job has failed with the error message: {text}. Check the logs on the repair participants for "
                    "further details"
                )
            elif line["kind"] == "SUCCESS":
                last = text
        seen += len(told["lines"])
        if told["is_over"]:
            break
    if error is not None:
        raise ControlError("Refused", error)
    queried = "condition satisfied queried for parent session status and discovered repair"
    if told["error"] is not None:
        _say(tool, f"{queried} failed.")
        _say(tool, told["error"])
        _say(tool, f"Repair command #{command} finished with error")
        raise ControlError("Refused", told["error"])
    _say(tool, f"{queried} completed.")
    _say(tool, last)


def _say(tool: Tool, text: str, time_ms: int | None = None) -> None:
    told_ms = time_ms if time_ms is not None else time.time_ns() // 1_000_000
    tool.out(f"[{_stamp(told_ms)}] {text}")


def _stamp(time_ms: int) -> str:
    seconds, ms = divmod(time_ms, 1_000)
    return f"{time.strftime('%Y-%m-%d %H:%M:%S', time.localtime(seconds))},{ms:03}"


# --- sessions --------------------------------------------------------------------------------------------------------------


def repair_admin_list(tool: Tool) -> None:
    sessions = tool.call("repair_sessions", all=tool.options["all"], **_range(tool))["sessions"]
    if not sessions:
        tool.out("no sessions")
        return
    rows = [["id", "state", "last activity", "coordinator", "participants", "participants_wp"]]
    for session in sessions:
        with_ports = session["participants"]
        addresses = [text.rpartition(":")[0] for text in with_ports]
        activity, coordinator = f"{session['last_activity_s']} (s)", f"/{session['coordinator']}"
        joined = [",".join(addresses), ",".join(with_ports)]
        rows.append([session["id"], session["state"], activity, coordinator, *joined])
    tool.write(table(rows, " | "))


def repair_admin_cancel(tool: Tool) -> None:
    session = tool.options["session"]
    if session is None:
        raise UsageError("Required option '-s' is missing")
    tool.call("cancel_repair_session", session=session, force=tool.options["force"])


def repair_admin_summarize_pending(tool: Tool) -> None:
    ends = ["total", *(["pending", "finalized", "failed"] if tool.options["verbose"] else [])]
    rows = [["keyspace", "table", *ends]]
    for found in tool.call("pending_repairs", **_of(tool))["tables"]:
        rows.append([found["keyspace"], found["table"], *(_size(found[end]) for end in ends)])
    tool.write(table(rows, " | "))


def _size(told: dict[str, Any]) -> str:
    return f"{file_size(told['bytes'])} ({told['sstables']} sstables / {told['sessions']} sessions)"


def repair_admin_summarize_repaired(tool: Tool) -> None:
    is_verbose = tool.options["verbose"]
    rows = [["keyspace", "table", "min_repaired", "max_repaired", *(["detail"] if is_verbose else [])]]
    for found in tool.call("repaired_ranges", **_of(tool))["tables"]:
        detail = [", ".join(found["sections"])] if is_verbose else []
        times = [str(found[name]) for name in ("min_repaired_ms", "max_repaired_ms")]
        rows.append([found["keyspace"], found["table"], *times, *detail])
    if len(rows) == 1:
        tool.out("no stats")
    else:
        tool.write(table(rows, " | "))


def repair_admin_cleanup(tool: Tool) -> None:
    tool.out("Cleaning up data from completed sessions...")
    rows = [["keyspace", "table", "successful sessions", "unsuccessful sessions"]]
    for found in tool.call("release_repairs", **_of(tool))["tables"]:
        rows.append([found["keyspace"], found["table"], str(found["released"]), str(found["left"])])
    tool.write(table(rows, " | "))


def _of(tool: Tool) -> dict[str, Any]:
    arguments = tool.arguments
    return {"keyspace": arguments[0] if arguments else None, "tables": arguments[1:], **_range(tool)}


def _range(tool: Tool) -> dict[str, Any]:
    return {name: tool.options[name] for name in ("start_token", "end_token")}
