"""Whether the last of some changes that are on their way into the log is durable there."""

from storage.commitlog.format import CommitLogPosition
from storage.commitlog.log import CommitLog


class DurableMark:
    """At first all that there was may not be durable yet."""

    def __init__(self, commit_log: CommitLog) -> None:
        self._commit_log = commit_log
        self._position: CommitLogPosition | None = CommitLogPosition(0)
        """Behind the last change; None where that is durable, 0 while it is not known."""

    def set(self) -> None:
        """A change is gathered, or is about to be."""
        self._position = CommitLogPosition(0)

    @property
    def waits_for_sync(self) -> bool:
        """Whether it is written, and a sync would do."""
        return bool(self._position)

    def is_durable(self) -> bool:
        """Where the log has failed nobody has to wait any more."""
        commit_log = self._commit_log
        if self._position == 0 and not commit_log.gathered:
            self._position = commit_log.written_position or None  # None: all of it is in SSTables
        if self._position and commit_log.synced_position >= self._position:
            self._position = None
        return self._position is None or commit_log.failure is not None
