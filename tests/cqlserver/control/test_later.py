"""The table of operations is read without the server that does them."""

import subprocess
import sys

import pytest
import trio

from cqlserver.control.later import later
from cqlserver.control.operations import OPERATIONS


def test_the_table_imports_no_server() -> None:
    code = (
        "import sys, cqlserver.commands.verbs; "
        "print([name for name in sys.modules if name.split('.')[0] in ('storage', 'cluster', 'protocol', 'trio')])"
    )
    assert subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_what_is_run_is_the_modules_function() -> None:
    (health,) = later("health")

    async def main() -> None:
        with pytest.raises(AttributeError, match="no_such_thing"):
            await health.no_such_thing()

    trio.run(main)
    assert all(callable(operation.run) for operation in OPERATIONS)
