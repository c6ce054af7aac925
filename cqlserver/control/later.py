"""What operations do, imported when one of them is first run: the command line reads their table and runs none of them, and
would wait for the import of a whole server."""

import importlib
from collections.abc import Awaitable, Callable
from types import ModuleType

Run = Callable[..., Awaitable[object]]


class Later:
    """Stands for a module of cqlserver.control in the tables of operations: its functions, to be run."""

    def __init__(self, name: str) -> None:
        self._name = f"cqlserver.control.{name}"
        self._module: ModuleType | None = None

    def __getattr__(self, name: str) -> Run:
        async def run(*given: object, **arguments: object) -> object:
            if self._module is None:  # what sys.modules has may be half imported, by the thread of an operation before
                import trio

                self._module = await trio.to_thread.run_sync(importlib.import_module, self._name)
            function: Run = getattr(self._module, name)
            return await function(*given, **arguments)

        return run


def later(*names: str) -> tuple[Later, ...]:
    return tuple(map(Later, names))
