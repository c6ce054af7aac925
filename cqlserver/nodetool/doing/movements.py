"""What changes the ring, and the streams that it takes: netstats, decommission, removenode, assassinate, move, rebuild,
bootstrap resume, join."""

import socket
from typing import Any

from cqlserver.control.client import ControlError
from cqlserver.nodetool.arguments import UsageError
from cqlserver.nodetool.printing import file_size
from cqlserver.nodetool.program import Tool

_IMPOSSIBLE = "Impossible"
_NO_DATACENTER = "Provided datacenter"


def decommission(tool: Tool) -> None:
    try:
        tool.call("decommission", force=tool.options["force"])
    except ControlError as error:
        if error.code != _IMPOSSIBLE:
            raise
        raise UsageError(f"Unsupported operation: {error.message}") from None


def removenode(tool: Tool) -> None:
    what = tool.arguments[0]
    if what == "status":
        tool.out(f"RemovalStatus: {tool.call('removenode_status')['status']}")
    elif what == "force":
        tool.out(f"RemovalStatus: {tool.call('removenode_force')['status']}")
    else:
        tool.call("removenode", host_id=what)


def assassinate(tool: Tool) -> None:
    name = tool.arguments[0]
    try:
        address = socket.gethostbyname(name)
    except OSError as error:
        raise ControlError("Refused", f"{name}: {error.strerror}") from None
    tool.call("assassinate", address=address)


def move(tool: Tool) -> None:
    token = tool.arguments[0]
    try:
        int(token)
    except ValueError:
        raise UsageError(
            f"Invalid token for Murmur3Partitioner. Got {token} but expected a long value (unsigned 8 bytes integer)."
        ) from None
    tool.call("move", token=token)


def rebuild(tool: Tool) -> None:
    options = tool.options
    if options["keyspace"] is None and options["tokens"] is not None:
        raise UsageError("Cannot specify tokens without keyspace.")
    sources = options["sources"]
    try:
        tool.call(
            "rebuild",
            source_dc=tool.arguments[0] if tool.arguments else None,
            keyspace=options["keyspace"],
            tokens=options["tokens"],
            sources=sources.split(",") if sources else [],
            exclude_local_dc=options["exclude_local_dc"],
        )
    except ControlError as error:
        if not error.message.startswith(_NO_DATACENTER):
            raise
        raise UsageError(error.message) from None


def bootstrap_resume(tool: Tool) -> None:
    if not tool.options["force"]:
        raise ControlError("Refused", "'nodetool bootstrap resume' is disabled.")
    if tool.call("bootstrap_resume")["resumed"]:
        tool.out("Resume bootstrap complete")
    else:
        tool.out("Node is already bootstrapped.")


def join(tool: Tool) -> None:
    """A node here comes into the ring when it starts."""
    raise UsageError("This node has already joined the ring.")


# --- netstats --------------------------------------------------------------------------------------------------------------


def netstats(tool: Tool) -> None:
    told = tool.call("netstats")
    tool.out(f"Mode: {told['mode']}")
    if not told["sessions"]:
        tool.out("Not sending any streams.")
    for session in told["sessions"]:
        tool.out(f"{session['reason']} {session['id']}")
        port = f":{session['port']}" if tool.options["print_port"] else ""
        tool.out(f"    /{session['peer']}{port}")
        _session(tool, session)
    blocking = told["mismatches"]  # Cassandra counts nothing else, either
    tool.out(f"Read Repair Statistics:\nAttempted: 0\nMismatch (Blocking): {blocking}\nMismatch (Background): 0")
    tool.out(f"{'Pool Name':<25}{'Active':>10}{'Pending':>10}{'Completed':>15}{'Dropped':>10}")
    for pool in told["pools"]:
        tool.out(f"{pool['name']:<25}{'n/a':>10}{pool['pending']:>10}{pool['completed']:>15}{pool['dropped']:>10}")


def _session(tool: Tool, session: dict[str, Any]) -> None:
    def size(count: int) -> str:
        return file_size(count) if tool.options["human_readable"] else f"{count} bytes"

    tables = session["tables"]
    files, files_done = (sum(table[name] for table in tables) for name in ("files", "files_done"))
    whole, done = (sum(table[name] for table in tables) for name in ("bytes", "bytes_done"))
    verb, past = ("Receiving", "received") if session["direction"] == "receiving" else ("Sending", "sent")
    tool.out(
        f"        {verb} {files} files, {size(whole)} total. Already {past} {files_done} files "
        f"({_percent(files_done, files)}%), {size(done)} total ({_percent(done, whole)}%)"
    )
    for table in tables:
        if table["bytes_done"]:
            share = _percent(table["bytes_done"], table["bytes"]).partition(".")[0]
            what = f"{table['bytes_done']}/{table['bytes']} bytes ({share}%)"
            way = f"{past} {'from' if verb == 'Receiving' else 'to'} idx:0/{session['peer']}"
            tool.out(f"            {table['table']} {what} {way}")


def _percent(done: int, whole: int) -> str:
    return f"{100 * done / whole:.2f}" if whole else "100.00"
