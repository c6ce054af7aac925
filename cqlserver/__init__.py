"""A CQL server for tests, prompts and small clusters: `with cqlserver.start() as server: ...`.

What a user's own process imports stands here and needs nothing but the standard library; the server is a child process.
"""

from cqlserver.launcher import ControlError, Server, ServerDied, StartError, start

__all__ = ["ControlError", "Server", "ServerDied", "StartError", "start"]
