"""A CQL server for tests, prompts and small clusters: `with cqlserver.start() as server: ...`.

What a user's own process imports stands here and needs nothing but the standard library; the server is a child process.
"""

from cqlserver.control.client import ControlError
from cqlserver.launcher import Server, StartError, start
from cqlserver.running import Running, ServerDied, attach

__all__ = ["ControlError", "Running", "Server", "ServerDied", "StartError", "attach", "start"]
