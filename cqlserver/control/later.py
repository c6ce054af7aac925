"""What operations do, imported when one of them is first run: the command line reads their table and runs none of them, and
would wait for the import of a whole server."""

import importlib
import sys
from collections.abc import Awaitable, Callable

Run = Callable[..., Awaitable[object]]


class Later:
    """Stands for a module of cqlserver.control in the tables of operations: its functions, to be run."""

    def __init__(self, name: str) -> None:
        self._module = f"cqlserver.control.{name}"

    def __getattr__(self, name: str) -> Run:
        async def run(*given: object, **arguments: object) -> object:
            found = sys.modules.get(self._module)
            if found is None:
                import trio

                found = await trio.to_thread.run_sync(importlib.import_module, self._module)
            function: Run = getattr(found, name)
            return await function(*given, **arguments)

        return run


def later(*names: str) -> tuple[Later, ...]:
    return tuple(map(Later, names))
