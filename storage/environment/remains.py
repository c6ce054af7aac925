"""What is left of work that ended early, let go of a few objects at a time.

Where an error, or a client that leaves, ends a large request, all that it had made hangs on the frames of its stack, and
goes in one go with the last of them: a parsed megabyte takes a tenth of a second. So the frames give up what they hold, and
what nobody else holds is taken apart from the outside in. Whether somebody else holds an object is what CPython's count of
its references says.
"""

from collections.abc import Iterator
from gc import get_referents, is_tracked
from sys import getrefcount
from types import FrameType

_SHARE = 64
"""Objects between two pauses."""
_MANY = 1_000


def chained(error: BaseException) -> Iterator[BaseException]:
    """The error, and those behind it and in it, each once."""
    errors, seen = [error], set[int]()
    while errors:
        one = errors.pop()
        if id(one) in seen:
            continue
        seen.add(id(one))
        yield one
        errors += [other for other in (one.__cause__, one.__context__) if other is not None]
        if isinstance(one, BaseExceptionGroup):
            errors += one.exceptions


def remains_of(error: BaseException) -> list[object]:
    """What the frames hold that an error and those behind it came through, which give them up."""
    remains: list[object] = []
    for one in chained(error):
        trace, one.__traceback__ = one.__traceback__, None
        while trace is not None:
            remains += [held for held in get_referents(trace.tb_frame) if not isinstance(held, FrameType)]
            trace = trace.tb_next
    return remains


def let_go(remains: list[object]) -> Iterator[None]:
    """Empties the list; where others may run in between it yields. What is in a container of very many is not taken apart:
    each of these is small."""
    many: list[object] = []
    while remains or many:
        if many:
            del many[-_SHARE:]
        else:
            for _ in range(min(_SHARE, len(remains))):
                one = remains.pop()
                if is_tracked(one) and getrefcount(one) <= _OURS:
                    inner = get_referents(one)
                    (many if len(inner) > _MANY else remains).extend(inner)
                    del inner  # it holds them too
                del one
        yield


def _references_of_a_local() -> int:
    one: list[object] = []
    return getrefcount(one)


_OURS = _references_of_a_local()
