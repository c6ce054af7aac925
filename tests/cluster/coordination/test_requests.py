"""What waits for other nodes is woken in time, whatever another one raises."""

from math import inf

import pytest

from cluster.coordination.requests import AGAIN_S, Requests
from cluster.internode.frames import Message
from cluster.ring import Node


class Failing:
    """Raises so often when it is woken, and is over then."""

    def __init__(self, wake_s: float, count: int = 0) -> None:
        self.wake_s, self._left, self.is_over = wake_s, count, False

    def receive(self, sender: Node, message: Message, now_s: float) -> None:
        raise NotImplementedError

    def tick(self, now_s: float) -> None:
        self._left -= 1
        if self._left >= 0:
            raise ZeroDivisionError("a bug")
        self.is_over, self.wake_s = True, inf


def test_an_operation_that_raises_keeps_no_other_waiting_and_ends_at_last() -> None:
    requests = Requests(lambda node, verb, operation_id, body: None)
    failing, other = Failing(1.0, count=2), Failing(1.0)
    for number, operation in enumerate((failing, other), 1):
        requests.begun(number, operation)
    with pytest.raises(ZeroDivisionError):
        requests.tick(1.0)
    requests.tick(1.0)
    assert (failing.is_over, other.is_over, len(requests)) == (False, True, 1)
    assert requests.wake_s == 1.0 + AGAIN_S
    with pytest.raises(ZeroDivisionError):
        requests.tick(requests.wake_s)
    requests.tick(requests.wake_s)
    assert failing.is_over
    assert (len(requests), requests.wake_s) == (0, inf)
