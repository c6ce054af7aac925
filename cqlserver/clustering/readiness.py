"""What a cluster does before its clients may connect, and what it asks its nodes for: the first role, the statements of
--init."""

from functools import partial

from cqlserver.control.context import Control
from cqlserver.program.config import Config
from cqlserver.program.server import run_init_files


async def make_ready(control: Control, config: Config) -> None:
    """To be called when the node is among the others. Raises StartupError."""
    if config.auth.requires_login:
        await control.in_turns(control.node.try_superuser)
    if config.init:
        await control.in_turns(partial(run_init_files, control.node, config))
        await control.settle()
