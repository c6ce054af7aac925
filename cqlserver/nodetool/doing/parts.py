"""verify, getsstables, getendpoints, rebuild_index, compaction thresholds."""

import re
import sys
from typing import Any, Final

from cqlserver.control.client import ControlError
from cqlserver.nodetool.arguments import UsageError
from cqlserver.nodetool.program import Exit, Tool

_NO_INTEGER: Final = re.compile("Unable to make (?:byte|short|int|long|varint) from '(.*)'")
_VERIFY_DISABLED: Final = (
    "verify is disabled unless a [-f|--force] override flag is provided. See CASSANDRA-9947 and CASSANDRA-17017 for details."
)


def verify(tool: Tool) -> None:
    options = tool.options
    if not options["force"]:
        tool.out(_VERIFY_DISABLED)
        raise Exit(1)
    if options["check_tokens"] and not options["extended_verify"]:
        tool.out("Token verification requires --extended-verify")
        raise Exit(1)
    tool.call_each_keyspace(
        "verify",
        extended=options["extended_verify"],
        quick=options["quick"],
        check_version=options["check_version"],
        check_tokens=options["check_tokens"],
        unmark_damaged=options["rsc"],
        follow_policy=options["dfp"],
    )


def _called(tool: Tool, operation: str, **arguments: object) -> Any:
    """What an operation on one table answers; what it refuses is told as Cassandra's tool does it, which looks for the table
    first, and names the exception below all others."""
    try:
        return tool.call(operation, **arguments)
    except ControlError as error:
        if error.code == "NoSuchStore":
            print(error.message, file=sys.stderr)
            raise Exit(1) from None
        found = _NO_INTEGER.fullmatch(error.message) if error.code == "BadKey" else None
        if found is None:
            raise
        tool.error(f'For input string: "{found[1]}"')
        raise Exit(2) from None


def getsstables(tool: Tool) -> None:
    if len(tool.arguments) != 3:
        raise UsageError("getsstables requires ks, cf and key args")
    keyspace, table, key = tool.arguments
    is_hex = tool.options["hex_format"]
    found = _called(tool, "sstables_of_key", keyspace=keyspace, table=table, key=key, is_hex=is_hex)
    shows_levels = tool.options["show_levels"] and found["has_levels"]
    for sstable in found["sstables"]:
        tool.out(f"{sstable['level']}: {sstable['path']}" if shows_levels else sstable["path"])


def getendpoints(tool: Tool) -> None:
    if len(tool.arguments) != 3:
        raise UsageError("getendpoints requires keyspace, table and partition key arguments")
    keyspace, table, key = tool.arguments
    for endpoint in _called(tool, "endpoints", keyspace=keyspace, table=table, key=key)["endpoints"]:
        address = endpoint["address"]
        tool.out(f"{address}:{endpoint['port']}" if tool.options["print_port"] else address)


def rebuild_index(tool: Tool) -> None:
    if len(tool.arguments) < 3:
        raise UsageError("rebuild_index requires ks, cf and idx args")
    keyspace, table, *indexes = tool.arguments
    tool.call("rebuild_indexes", keyspace=keyspace, table=table, indexes=indexes)


def getcompactionthreshold(tool: Tool) -> None:
    if len(tool.arguments) != 2:
        raise UsageError("getcompactionthreshold requires ks and cf args")
    keyspace, table = tool.arguments
    found = _called(tool, "compaction_thresholds", keyspace=keyspace, table=table)
    tool.out(f"Current compaction thresholds for {keyspace}/{table}: \n min = {found['min']},  max = {found['max']}")


def setcompactionthreshold(tool: Tool) -> None:
    if not tool.arguments:
        raise UsageError("Required parameters are missing: <keyspace> <table> <minthreshold> <maxthreshold>")
    if len(tool.arguments) != 4:
        raise UsageError("setcompactionthreshold requires ks, cf, min, and max threshold args.")
    keyspace, table = tool.arguments[:2]
    least, most = map(_threshold, tool.arguments[2:])
    if least < 0 or most < 0:
        raise UsageError("Thresholds must be positive integers")
    if least > most:
        raise UsageError("Min threshold cannot be greater than max.")
    if least < 2 and most:
        raise UsageError("Min threshold must be at least 2")
    _called(tool, "set_compaction_thresholds", keyspace=keyspace, table=table, min=least, max=most)


def _threshold(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise UsageError(f'For input string: "{text}"') from None
