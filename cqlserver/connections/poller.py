"""Which sockets are ready: epoll (Linux) or kqueue (macOS, FreeBSD) behind one small face.

Both are descriptors that can themselves be waited for, and that is the point: one trio task waits for the poller and
then serves every ready socket without a task, a cancel scope or a checkpoint for each (listener.py).
"""

import select
import sys
from typing import Protocol, TypeAlias

Readiness: TypeAlias = tuple[int, bool, bool, bool]
"""(fd, may be read or has hung up, may be written, is broken: told whatever it is watched for)."""


class Poller(Protocol):
    """Level-triggered readiness of many descriptors; `fileno()` is readable when `ready()` has something to tell."""

    def fileno(self) -> int: ...

    def watch(self, fd: int, *, read: bool, write: bool) -> None:
        """Begins to watch `fd`, or changes what it is watched for."""

    def forget(self, fd: int) -> None: ...

    def ready(self, wait_s: float = 0) -> list[Readiness]:
        """What can be done now; if that is nothing, within `wait_s`. Waiting stops the whole thread."""

    def close(self) -> None: ...


if sys.platform == "linux":
    _BROKEN = select.EPOLLERR | select.EPOLLHUP
    _MASK = select.EPOLLIN | select.EPOLLOUT | _BROKEN
    _STATES = [
        (bool(mask & (select.EPOLLIN | _BROKEN)), bool(mask & select.EPOLLOUT), bool(mask & _BROKEN))
        for mask in range(_MASK + 1)
    ]

    class EpollPoller:
        """See Poller."""

        def __init__(self) -> None:
            self._epoll = select.epoll()
            self._watched: set[int] = set()

        def fileno(self) -> int:
            return self._epoll.fileno()

        def watch(self, fd: int, *, read: bool, write: bool) -> None:
            mask = (select.EPOLLIN if read else 0) | (select.EPOLLOUT if write else 0)
            if fd in self._watched:
                self._epoll.modify(fd, mask)
            else:
                self._epoll.register(fd, mask)
                self._watched.add(fd)

        def forget(self, fd: int) -> None:
            if fd in self._watched:
                self._watched.discard(fd)
                self._epoll.unregister(fd)

        def ready(self, wait_s: float = 0) -> list[Readiness]:
            return [(fd, *_STATES[mask & _MASK]) for fd, mask in self._epoll.poll(wait_s)]

        def close(self) -> None:
            self._epoll.close()


if sys.platform == "darwin" or sys.platform.startswith("freebsd"):

    class KqueuePoller:
        """See Poller."""

        _EVENTS_MAX = 1024

        def __init__(self) -> None:
            self._kqueue = select.kqueue()
            self._watched: dict[int, tuple[bool, bool]] = {}

        def fileno(self) -> int:
            return self._kqueue.fileno()

        def watch(self, fd: int, *, read: bool, write: bool) -> None:
            had = self._watched.get(fd, (False, False))
            self._watched[fd] = (read, write)
            changes = []
            for event_filter, before, now in (
                (select.KQ_FILTER_READ, had[0], read),
                (select.KQ_FILTER_WRITE, had[1], write),
            ):
                if before != now:
                    changes.append(select.kevent(fd, event_filter, select.KQ_EV_ADD if now else select.KQ_EV_DELETE))
            if changes:
                self._kqueue.control(changes, 0, 0)

        def forget(self, fd: int) -> None:
            if fd in self._watched:
                self.watch(fd, read=False, write=False)
                del self._watched[fd]

        def ready(self, wait_s: float = 0) -> list[Readiness]:
            return [
                (event.ident, event.filter == select.KQ_FILTER_READ, event.filter == select.KQ_FILTER_WRITE, False)
                for event in self._kqueue.control([], self._EVENTS_MAX, wait_s)
            ]

        def close(self) -> None:
            self._kqueue.close()


def open_poller() -> Poller:
    """The system's poller; raises NotImplementedError where there is neither epoll nor kqueue."""
    if sys.platform == "linux":
        return EpollPoller()
    if sys.platform == "darwin" or sys.platform.startswith("freebsd"):
        return KqueuePoller()
    raise NotImplementedError("cqlserver needs epoll or kqueue: run it on Linux (WSL included), macOS or FreeBSD")
