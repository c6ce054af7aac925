"""The page that the control port shows to browsers: one file, without a build step, that asks the operations.

What it may do is for the port to say: requests of a page that change something are refused, unless `--control-writes`.
"""

from collections.abc import Mapping
from importlib.resources import files
from typing import Final

from cqlserver.control.context import Refused
from cqlserver.control.operation import Operation
from cqlserver.seeding.cql_text import split_statements
from grammar import tree
from grammar.errors import CqlSyntaxError
from grammar.parser import parse

HTML: Final = "text/html; charset=utf-8"
_READING: Final = (tree.Select, tree.Describe, tree.Use, tree.ListRoles, tree.ListUsers, tree.ListPermissions)


class OnlyReads(Refused):
    code = "OnlyReads"


def page() -> str:
    return files(__name__).joinpath("page.html").read_text("utf-8")


def check_reads(operation: Operation, arguments: Mapping[str, object]) -> None:
    """Raises OnlyReads. A text that is no CQL changes nothing: what is wrong with it is told by whoever executes it."""
    if operation.reads:
        return
    if operation.name == "execute":
        for _, text in split_statements(str(arguments["cql"])):
            try:
                statement = parse(text)
            except CqlSyntaxError:
                continue
            if not isinstance(statement, _READING):
                break
        else:
            return
    raise OnlyReads("this page only reads: start the server with --control-writes to change something from it")
