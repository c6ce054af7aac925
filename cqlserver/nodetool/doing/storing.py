"""flush, compact, drain."""

from cqlserver.nodetool.program import Tool


def flush(tool: Tool) -> None:
    tool.call_each_keyspace("flush")


def compact(tool: Tool) -> None:
    tool.call_each_keyspace("compact")


def drain(tool: Tool) -> None:
    tool.call("drain")
