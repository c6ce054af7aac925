"""A CQL server for tests, prompts and small clusters: `with cqlserver.start() as server: ...`.

What a user's own process imports stands here and needs nothing but the standard library; the server is a child process. It
is imported when it is first used, because pytest imports this package at each start, for the plugin's sake.
"""

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cqlserver.control.client import ControlError
    from cqlserver.launcher import Server, StartError, start
    from cqlserver.running import Running, ServerDied, attach

_HOMES = {
    "ControlError": "control.client",
    "Running": "running",
    "Server": "launcher",
    "ServerDied": "running",
    "StartError": "launcher",
    "attach": "running",
    "start": "launcher",
}

__all__ = ["ControlError", "Running", "Server", "ServerDied", "StartError", "attach", "start"]


def __getattr__(name: str) -> object:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'cqlserver' has no attribute {name!r}")
    value: object = getattr(importlib.import_module(f"cqlserver.{home}"), name)
    globals()[name] = value
    return value
