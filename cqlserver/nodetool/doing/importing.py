"""import, refresh."""

import sys

from cqlserver.control.client import ControlError
from cqlserver.nodetool.arguments import UsageError
from cqlserver.nodetool.program import Exit, Tool


def import_(tool: Tool) -> None:
    options, arguments = tool.options, tool.arguments
    if len(arguments) < 3:
        raise UsageError("import requires keyspace, table name and directories")
    is_quick = options["quick"]
    if is_quick:
        tool.out("Doing a quick import - skipping sstable verification and row cache invalidation")
    keyspace, table, *directories = arguments
    try:
        failed = tool.call(
            "import_sstables",
            keyspace=keyspace,
            table=table,
            directories=list(dict.fromkeys(directories)),
            keep_level=options["keep_level"],
            keep_repaired=options["keep_repaired"],
            verify=not (options["no_verify"] or is_quick),
            extended_verify=options["extended_verify"] and not is_quick,
            verify_tokens=not (options["no_tokens"] or is_quick),
            require_indexes=options["require_index_components"],
            copy=options["copy_data"],
        )["failed"]
    except ControlError as error:
        if error.code != "NoSuchStore":
            raise
        print(error.message, file=sys.stderr)
        raise Exit(1) from None
    if failed:
        print("Some directories failed to import, check server logs for details:", *failed, sep="\n", file=sys.stderr)
        raise Exit(1)


def refresh(tool: Tool) -> None:
    tool.out("nodetool refresh is deprecated, use nodetool import instead")
    if len(tool.arguments) != 2:
        raise UsageError("refresh requires ks and cf args")
    keyspace, table = tool.arguments
    tool.call("refresh", keyspace=keyspace, table=table)
