"""What the log's lines look like, and from which level on each logger logs.

    INFO  [MainThread] 2026-11-27 21:55:01,400 server.py:293 - Startup complete

is Cassandra's layout; with --log-format json each line is an object. Levels are Cassandra's by name. At run time they are
those of `nodetool setlogginglevel`, by logger; an empty level brings back what a logger had at the start.
"""

import logging
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from cqlserver.program.config import Config

LINE: Final = "%(level)-5s [%(threadName)s] %(asctime)s %(filename)s:%(lineno)d - %(message)s"
ROOT: Final = "ROOT"
_OFF: Final = 100
LEVELS: Final[Mapping[str, int]] = {
    "TRACE": 5,
    "DEBUG": logging.DEBUG,
    "INFO": logging.INFO,
    "WARN": logging.WARNING,
    "ERROR": logging.ERROR,
    "OFF": _OFF,
}
COMPONENTS: Final[Mapping[str, Sequence[str]]] = {
    "bootstrap": ("cluster",),
    "compaction": ("storage",),
    "cql": ("cqlserver",),
    "repair": ("cluster",),
    "ring": ("cluster",),
    "streaming": ("cluster",),
}
"""As nodetool names them; the loggers here are called after packages."""


def level_name(level: int) -> str:
    """Cassandra's name of the level that is next below, or this one."""
    return next((name for name, of in reversed([*LEVELS.items()]) if level >= of), "TRACE")


class LineFormatter(logging.Formatter):
    """See the module."""

    def __init__(self) -> None:
        super().__init__(LINE)

    def format(self, record: logging.LogRecord) -> str:
        record.level = level_name(record.levelno)
        return super().format(record)


class JsonFormatter(logging.Formatter):
    """An object in each line: timestamp (as ISO 8601 has it, UTC), level, logger, thread, file, line, message, and where
    there is one, the traceback as exception."""

    def format(self, record: logging.LogRecord) -> str:
        import json
        from datetime import UTC, datetime

        told: dict[str, object] = {
            "timestamp": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": level_name(record.levelno),
            "logger": record.name,
            "thread": record.threadName,
            "file": record.filename,
            "line": record.lineno,
            "message": record.getMessage(),
        }
        if record.exc_info:
            told["exception"] = self.formatException(record.exc_info)
        return json.dumps(told)


def set_up(config: "Config") -> None:
    """To be called once, before anything is logged. Raises ConfigError where there is to be a file, and can't be."""
    handlers: list[logging.Handler] = [logging.StreamHandler(sys.stderr)]
    if config.log_file is not None:
        from cqlserver.program.config import ConfigError
        from cqlserver.program.log_files import RollingFile

        try:
            handlers.append(RollingFile(config.log_file))
        except OSError as error:
            raise ConfigError(f"--log-file {error.filename}: {error.strerror}; choose another") from error
    if config.log_table:
        from cqlserver.program.log_table import LogTable

        handlers.append(LogTable())
    for handler in handlers:
        handler.setFormatter(JsonFormatter() if config.log_format == "json" else LineFormatter())
    logging.basicConfig(level=config.log_level.upper(), handlers=handlers)


def levels() -> dict[str, str]:
    """Of the root logger and of all that have one of their own."""
    found = {ROOT: level_name(logging.getLogger().level)}
    for name, logger in sorted(logging.root.manager.loggerDict.items()):
        if isinstance(logger, logging.Logger) and logger.level:
            found[name] = level_name(logger.level)
    return found


def set_level(name: str, level: str, initial: str) -> None:
    """`name`: a logger, or a component; ROOT or nothing is the root. `level`: one of LEVELS, another is taken for DEBUG, as
    in Cassandra; empty: that of before. `initial`: the root's at the start."""
    if not name and not level:
        for known in levels():
            _logger(known).setLevel(logging.NOTSET)
        logging.getLogger().setLevel(initial.upper())
        return
    for logger in map(_logger, COMPONENTS.get(name, (name,))):
        if level:
            logger.setLevel(LEVELS.get(level.upper(), logging.DEBUG))
        else:
            logger.setLevel(initial.upper() if logger is logging.getLogger() else logging.NOTSET)


def _logger(name: str) -> logging.Logger:
    return logging.getLogger() if name in ("", ROOT) else logging.getLogger(name)
