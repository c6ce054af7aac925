"""TRUNCATE leaves a record in the log, and system.local tells of it: from time to time, because that takes a write.

Until it does, durably, the log is needed from the first record on that it does not tell of.
"""

from storage.commitlog.durable_mark import DurableMark
from storage.commitlog.format import POSITION_SHIFT, CommitLogPosition
from storage.commitlog.log import CommitLog


class UntoldTruncations:
    """Those that only the log knows."""

    def __init__(self, commit_log: CommitLog) -> None:
        self._commit_log = commit_log
        self._first: CommitLogPosition | None = None
        self._telling: DurableMark | None = None

    def add(self, position: CommitLogPosition) -> None:
        """A record of one begins at or behind `position`."""
        if self._first is None or self._is_told():
            self._first = position
        self._telling = None

    def tell(self) -> None:
        """What system.local is to say of all of them is gathered."""
        self._telling = DurableMark(self._commit_log)

    @property
    def holds_segments(self) -> bool:
        """Whether segments that are full are needed because nothing was told of them yet."""
        if self._first is None or self._telling is not None:
            return False
        return self._first >> POSITION_SHIFT < self._commit_log.segment

    @property
    def needed_from(self) -> list[CommitLogPosition]:
        return [] if self._first is None or self._is_told() else [self._first]

    def _is_told(self) -> bool:
        return self._telling is not None and self._commit_log.failure is None and self._telling.is_durable()
