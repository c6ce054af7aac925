"""What the answers of SELECTs under way have, all of them together: those that nobody pages may be large.

Past the bound the one that began first goes on, and the others wait, so that there is always one that ends.
"""

from collections.abc import Callable, Generator, Iterable

from protocol.errors import InvalidRequest

GATHERED_TOTAL_MAX = 32 << 20
"""Of all answers together."""
ANSWER_BYTES_MAX = 256 << 20
"""Of one answer: no message may be longer."""


class Gathered:
    """Of one node, in bytes."""

    def __init__(self) -> None:
        self.total = 0
        self._sizes: dict[object, int] = {}  # those that began first in front

    def bounded(self, steps: Iterable[None], gathered: Callable[[], int]) -> Generator[None, None, None]:
        """The same steps, some of them made to wait. `gathered`: what the answer has by now. Raises InvalidRequest if it
        becomes too long."""
        place, size, sizes = object(), 0, self._sizes
        try:
            for _ in steps:
                grown = gathered() - size
                if grown:
                    size += grown
                    self.total += grown
                    sizes[place] = size
                    if size > ANSWER_BYTES_MAX:
                        raise InvalidRequest(f"The result is longer than {ANSWER_BYTES_MAX} bytes: it has to be paged")
                yield
                while self.total > GATHERED_TOTAL_MAX and size and next(iter(sizes)) is not place:
                    yield
        finally:
            self.total -= size
            sizes.pop(place, None)
