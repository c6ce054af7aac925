"""--log-table: the newest lines of the log, as rows of system_views.system_logs (db/virtual/LogMessagesTable.java).

Cassandra fills that table where its logback.xml has the appender CQLLOG, which it has not by default. Only imported where it
is asked for, or read.
"""

import logging
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from cqlserver.program.logs import level_name

ROWS_MAX: Final = 50_000
MESSAGE_CHARS_MAX: Final = 10_000
"""Of one message; what all of them take is bounded by CHARS_MAX."""
CHARS_MAX: Final = 16 << 20


class Line(NamedTuple):
    at_ms: int
    logger: str
    level: str
    message: str


class LogTable(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self._lines: deque[Line] = deque()  # the newest first
        self._chars = 0

    def emit(self, record: logging.LogRecord) -> None:
        message = record.getMessage()[:MESSAGE_CHARS_MAX]
        self._lines.appendleft(Line(int(record.created * 1000), record.name, level_name(record.levelno), message))
        self._chars += len(message)
        while len(self._lines) > ROWS_MAX or self._chars > CHARS_MAX:
            self._chars -= len(self._lines.pop().message)

    def clear(self) -> None:
        self._lines.clear()
        self._chars = 0

    def lines(self) -> Sequence[Line]:
        """The newest first."""
        return tuple(self._lines)


def rows_of(lines: Iterable[Line]) -> Iterator[Mapping[str, Any]]:
    """Of the table; those of one millisecond are numbered, the newest first, too."""
    before_ms, index = -1, 0
    for line in lines:
        index = index + 1 if line.at_ms == before_ms else 0
        before_ms = line.at_ms
        yield {
            "timestamp": line.at_ms,
            "order_in_millisecond": index,
            "logger": line.logger,
            "level": line.level,
            "message": line.message,
        }


def maybe_log_table() -> LogTable | None:
    """The one of this process, where there is one."""
    return next((handler for handler in logging.getLogger().handlers if isinstance(handler, LogTable)), None)
