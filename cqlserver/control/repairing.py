"""Repairs, begun and followed: what `nodetool repair` asks for. What repairs is imported with the first one."""

from typing import TYPE_CHECKING, Final

import trio

from cqlserver.control.context import BadArgument, Control, Refused
from cqlserver.control.gossiping import cluster_of
from cqlserver.control.storing import NoSuchKeyspace

if TYPE_CHECKING:
    from cluster.repair.coordinator import RepairCommand
    from cluster.streaming.ranges import TokenRange

FOLLOW_S: Final = 10.0
"""How long a line is waited for before who follows is told that there is none yet."""


async def repair(
    control: Control,
    *,
    keyspace: str,
    tables: list[str],
    parallelism: str,
    primary_range: bool,
    full: bool,
    job_threads: int,
    datacenters: list[str],
    hosts: list[str],
    start_token: str | None,
    end_token: str | None,
    preview: str,
    pull: bool,
    force: bool,
    optimise_streams: bool,
    ignore_unreplicated: bool,
    skip_paxos: bool,
    paxos_only: bool,
) -> object:
    """Begins one. `command`: its number, to follow it by; 0: there is one replica, and nothing to repair."""
    from cluster.repair.asking import RepairFailed
    from cluster.repair.options import Parallelism, Preview, RepairOptions
    from cqlserver.system.repair_history import RepairHistory

    found = control.node.schema.keyspaces.get(keyspace)
    if found is None or found.is_virtual:
        raise NoSuchKeyspace(f"Keyspace [{keyspace}] does not exist.")
    try:
        how, kind = Parallelism(parallelism), Preview(preview)
    except ValueError as error:
        raise BadArgument(str(error)) from None
    options = RepairOptions(
        how,
        primary_range,
        is_incremental=not full and not paxos_only,
        job_threads=job_threads,
        tables=tuple(tables),
        datacenters=tuple(datacenters),
        hosts=tuple(hosts),
        preview=kind,
        ranges=token_ranges(start_token, end_token),
        pulls=pull,
        is_forced=force,
        optimises_streams=optimise_streams,
        ignores_unreplicated=ignore_unreplicated,
        repairs_paxos=not skip_paxos and kind is Preview.NONE,
        is_paxos_only=paxos_only and kind is Preview.NONE,
    )
    member = control.node.member
    if member is None:
        try:
            options.check()
        except RepairFailed as error:
            raise Refused(str(error)) from None
        return {"command": 0}  # all keyspaces have one replica: this node
    repairs = cluster_of(control).repairs

    def begin() -> "RepairCommand | None":
        return repairs.begin(found, options, RepairHistory(control.node.engine, control.node.metering))

    try:
        command = await control.exclusively(begin)
    except RepairFailed as error:
        raise Refused(str(error)) from None
    return {"command": 0 if command is None else command.number}


def token_ranges(start: str | None, end: str | None) -> "tuple[TokenRange, ...]":
    """None where there are no tokens. Raises Refused."""
    from cluster.streaming.ranges import TokenRange

    if start is None and end is None:
        return ()
    tokens = []
    for text in (start or "", end or ""):
        try:
            tokens.append(int(text))
        except ValueError:
            raise Refused(
                f"Invalid token for Murmur3Partitioner. Got {text} but expected a long value (unsigned 8 bytes integer)."
            ) from None
    if tokens[0] == tokens[1]:
        raise Refused("Start and end tokens must be different.")
    return (TokenRange(tokens[0], tokens[1]),)


async def repair_lines(control: Control, *, command: int, since: int) -> object:
    """What a repair has told, from a line on; waits a while for the next one. `error`: null as long as nothing failed."""
    found = cluster_of(control).repairs.commands.get(command)
    if found is None:
        raise BadArgument(f"there is no repair #{command}")
    if len(found.lines) <= since and not found.is_over:
        told = trio.Event()
        found.on_line.append(told.set)
        with trio.move_on_after(FOLLOW_S):
            await told.wait()
        found.on_line.remove(told.set)
    return {
        "lines": [
            {"kind": line.kind.value, "text": line.text, "time_ms": line.time_ms} for line in found.lines[since:]
        ],
        "is_over": found.is_over,
        "error": None if found.error is None else str(found.error),
    }
