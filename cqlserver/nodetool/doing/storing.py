"""flush, compact, drain; incremental backups."""

from cqlserver.nodetool.program import Tool


def flush(tool: Tool) -> None:
    tool.call_each_keyspace("flush")


def compact(tool: Tool) -> None:
    tool.call_each_keyspace("compact")


def drain(tool: Tool) -> None:
    tool.call("drain")


def enablebackup(tool: Tool) -> None:
    tool.call("backups", on=True)


def disablebackup(tool: Tool) -> None:
    tool.call("backups", on=False)


def statusbackup(tool: Tool) -> None:
    tool.out("running" if tool.call("node_info")["incremental_backups"] else "not running")
