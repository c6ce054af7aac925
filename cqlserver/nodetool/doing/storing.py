"""flush, compact, drain; incremental backups."""

from typing import Final

from cqlserver.nodetool.arguments import UsageError
from cqlserver.nodetool.program import Tool

_OF_PARTS: Final = ("user_defined", "start_token", "end_token", "partition")


def flush(tool: Tool) -> None:
    tool.call_each_keyspace("flush")


def compact(tool: Tool) -> None:
    """Raises UsageError for what asks for less than all SSTables of a table as one."""
    for option in _OF_PARTS:
        if tool.options[option]:
            name = option.replace("_", "-")
            raise UsageError(f"--{name} is not supported: whole tables are compacted. Leave it out, or name other tables.")
    tool.call_each_keyspace("compact")


def drain(tool: Tool) -> None:
    tool.call("drain")


def enablebackup(tool: Tool) -> None:
    tool.call("backups", on=True)


def disablebackup(tool: Tool) -> None:
    tool.call("backups", on=False)


def statusbackup(tool: Tool) -> None:
    tool.out("running" if tool.call("node_info")["incremental_backups"] else "not running")
