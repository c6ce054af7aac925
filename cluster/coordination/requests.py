"""What waits for other nodes: operations by id, each with the time at which it wants to be woken."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from heapq import heappop, heappush
from math import inf
from typing import Final, Protocol

from cluster.internode.frames import Message
from cluster.ring import Node

AGAIN_S: Final = 1.0
"""How soon an operation is woken again whose `tick` raised: nothing else would end it."""


class Operation(Protocol):
    """`wake_s`: when `tick` is to be called (infinity: not at all); looked at after each call."""

    @property
    def wake_s(self) -> float: ...
    @property
    def is_over(self) -> bool:
        """Nothing that comes is of interest any more."""

    def receive(self, sender: Node, message: Message, now_s: float) -> None: ...
    def tick(self, now_s: float) -> None: ...


Send = Callable[[Node, int, int, bytes], None]
"""(whom, verb, id, body): to another node, with the others of this go."""


class Requests:
    """One node's. `send` is how messages leave; `want_turn` is called when `wake_s` is earlier than it was."""

    def __init__(self, send: Send, want_turn: Callable[[], None] = lambda: None) -> None:
        self._send, self._want_turn = send, want_turn
        self._operations: dict[int, Operation] = {}
        self._ring_numbers: dict[int, int] = {}  # of those that write
        self._wakes: list[tuple[float, int]] = []
        self._last_id = 0

    def __len__(self) -> int:
        return len(self._operations)

    def next_id(self) -> int:
        self._last_id += 1
        return self._last_id

    def send(self, node: Node, verb: int, operation_id: int, body: bytes) -> None:
        self._send(node, verb, operation_id, body)

    def begun(self, operation_id: int, operation: Operation, ring_number: int | None = None) -> None:
        """From now on answers with this id are its own. `ring_number`: of what writes, that of its plan."""
        if not operation.is_over:
            self._operations[operation_id] = operation
            if ring_number is not None:
                self._ring_numbers[operation_id] = ring_number
            self._wake_later(operation_id, operation)

    def have_written(self, ring_number: int) -> bool:
        """Whether all writes have ended that were planned when less was known of the ring than with this number: what they
        were to do at replicas is done there, or will never be acknowledged."""
        return all(number >= ring_number for number in self._ring_numbers.values())

    @contextmanager
    def beginning(self, operation_id: int, operation: Operation, ring_number: int | None = None) -> Iterator[None]:
        """Around what sends its first messages and does the local node's part: that may pause, and answers come."""
        self.begun(operation_id, operation, ring_number)
        yield
        self.wake(operation_id)

    def receive(self, sender: Node, message: Message, now_s: float) -> None:
        """An answer; those that come too late are nobody's."""
        operation = self._operations.get(message.id)
        if operation is None:
            return
        before = operation.wake_s
        try:
            operation.receive(sender, message, now_s)
        finally:
            self._look_at(message.id, operation, before)

    def tick(self, now_s: float) -> None:
        """To be called at `wake_s`. Raises what an operation raises; that is woken again, the others at the next call."""
        while self._wakes and self._wakes[0][0] <= now_s:
            _, operation_id = heappop(self._wakes)
            operation = self._operations.get(operation_id)
            if operation is None:
                continue
            if operation.wake_s <= now_s:
                try:
                    operation.tick(now_s)
                except Exception:
                    heappush(self._wakes, (now_s + AGAIN_S, operation_id))
                    raise
            self._look_at(operation_id, operation, -inf)

    def wake(self, operation_id: int) -> None:
        """Something beside messages went on with it."""
        operation = self._operations.get(operation_id)
        if operation is not None:
            self._look_at(operation_id, operation, -inf)

    @property
    def wake_s(self) -> float:
        return self._wakes[0][0] if self._wakes else inf

    def _look_at(self, operation_id: int, operation: Operation, before: float) -> None:
        if operation.is_over:
            self._operations.pop(operation_id, None)  # what it began may have ended it already
            self._ring_numbers.pop(operation_id, None)
        elif operation.wake_s != before:
            self._wake_later(operation_id, operation)

    def _wake_later(self, operation_id: int, operation: Operation) -> None:
        if operation.wake_s != inf:
            heappush(self._wakes, (operation.wake_s, operation_id))
            if self._wakes[0][1] == operation_id:
                self._want_turn()
