"""The table of operations is read without the server that does them."""

import importlib
import subprocess
import sys
import threading
from types import ModuleType

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


def test_an_operation_that_comes_during_the_import_waits_for_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    begun, both, module = threading.Event(), threading.Barrier(2), ModuleType("cqlserver.control.half")

    def import_module(name: str) -> ModuleType:
        monkeypatch.setitem(sys.modules, name, module)  # the first has it there from the begin on, with nothing in it
        begun.set()
        both.wait(10)
        vars(module).setdefault("told", told)
        return module

    async def told(number: int) -> int:
        return number

    async def ask(number: int) -> None:
        answers.append(await half.told(number))

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(ask, 1)
            await trio.to_thread.run_sync(begun.wait)
            nursery.start_soon(ask, 2)

    monkeypatch.setattr(importlib, "import_module", import_module)
    (half,), answers = later("half"), list[int]()
    trio.run(main)
    assert sorted(answers) == [1, 2]
