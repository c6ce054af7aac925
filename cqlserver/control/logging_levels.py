"""Levels of loggers on the control port."""

from cqlserver.control.context import Control
from cqlserver.program import logs


async def logging_levels(control: Control) -> object:
    return logs.levels()


async def set_logging_level(control: Control, *, logger: str, level: str) -> object:
    logs.set_level(logger, level, control.node.config.log_level)
    return {}
