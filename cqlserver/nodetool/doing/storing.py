"""flush, compact, drain; incremental backups."""

from cqlserver.nodetool.program import Exit, Tool


def flush(tool: Tool) -> None:
    tool.call_each_keyspace("flush")


def compact(tool: Tool) -> None:
    options = tool.options
    start, end, key = options["start_token"] or "", options["end_token"] or "", options["partition"] or ""
    is_of_tokens = bool(start or end or key)
    if options["split_output"] and (options["user_defined"] or is_of_tokens):
        _refuse(tool, "Invalid option combination: Can not use split-output here")
    if options["user_defined"] and is_of_tokens:
        _refuse(tool, "Invalid option combination: Can not provide tokens when using user-defined")
    if options["user_defined"]:
        tool.call("compact_sstables", files=tool.arguments)
    elif start or end:
        tool.call_each_keyspace("compact_range", start=start, end=end)
    elif key:
        tool.call_each_keyspace("compact_partition", key=key)
    else:
        tool.call_each_keyspace("compact", split_output=options["split_output"])


def _refuse(tool: Tool, message: str) -> None:
    tool.error(message)
    raise Exit(2)


def drain(tool: Tool) -> None:
    tool.call("drain")


def enablebackup(tool: Tool) -> None:
    tool.call("backups", on=True)


def disablebackup(tool: Tool) -> None:
    tool.call("backups", on=False)


def statusbackup(tool: Tool) -> None:
    tool.out("running" if tool.call("node_info")["incremental_backups"] else "not running")
