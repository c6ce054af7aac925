"""`cqlserver nodetool COMMAND`: the same as `nodetool COMMAND` (cqlserver/nodetool)."""

from cqlserver.nodetool import program


def main(name: str, arguments: list[str]) -> int:
    return program.main(arguments)
